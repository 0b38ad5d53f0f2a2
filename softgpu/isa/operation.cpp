#include "softgpu/isa/operation.hpp"

#include <stdexcept>

namespace softgpu {
namespace {

// --- operands -----------------------------------------------------------------------------------

constexpr Field field_of(char letter) {
  switch (letter) {
    case 'd': return Field::d;
    case 'a': return Field::a;
    case 'b': return Field::b;
    case 'c': return Field::c;
    case 'x': return Field::aux;
    case 'i': return Field::imm;
    case 'q': return Field::packed;
    case 's': return Field::list;
    case 'm': return Field::more;
    default: throw std::logic_error("unknown field");
  }
}

// What stands in the second column. All of it is read while this file is compiled: what is wrong
// there does not compile.
consteval Operands operands_of(std::string_view text) {
  Operands operands;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    if (text[at] == '=') {
      operands.repeats = true;
      ++at;
      continue;
    }
    if (operands.count == operands.all.size()) throw std::logic_error("too many operands");
    RegisterUse& one = operands.all[operands.count++];
    one.field = field_of(text[at++]);
    one.written = one.field == Field::d || one.field == Field::packed;
    one.read = !one.written;
    if (one.field == Field::packed) {
      if (at == text.size() || text[at] < '1' || text[at] > '9')
        throw std::logic_error("q of what");
      operands.packed_at = static_cast<std::uint8_t>(text[at++] - '0');
      one.lane_bytes = 0;
    }
    operands.has_lists = operands.has_lists || one.field == Field::list || one.field == Field::more;
    if (at < text.size() && (text[at] == '!' || text[at] == '-' || text[at] == '+')) {
      one.written = text[at] != '-';
      one.read = text[at] != '!';
      ++at;
    }
    if (at < text.size() && text[at] == ':') {
      if (at + 1 == text.size()) throw std::logic_error("a width is missing");
      switch (text[at + 1]) {
        case 'p': one.lane_bytes = 0; break;
        case '8': one.lane_bytes = 8; break;
        case '1': one.lane_bytes = 16; break;
        case '*': one.lane_bytes = RegisterUse::any; break;
        default: throw std::logic_error("unknown width");
      }
      at += one.lane_bytes == 16 ? 3 : 2;
    }
    if (at < text.size() && text[at] != ' ') throw std::logic_error("a blank is missing");
  }
  return operands;
}

// --- behaviours ---------------------------------------------------------------------------------

constexpr Behaviour computes{};
constexpr Behaviour parts{.parts = true};
constexpr Behaviour branches{.flow = Flow::branch, .effect = Effect::branches, .parts = true};
constexpr Behaviour branches_by_table{
    .flow = Flow::table, .effect = Effect::branches, .parts = true};
constexpr Behaviour stands_at_label{.flow = Flow::label, .parts = true, .idle = true};
constexpr Behaviour calls{.parts = true, .unseen = true};
constexpr Behaviour serves{.parts = true, .unseen = true};
constexpr Behaviour ends{.flow = Flow::end, .parts = true};
constexpr Behaviour meets_lanes{.effect = Effect::warp_barrier, .parts = true};
constexpr Behaviour fences{.effect = Effect::fence};
constexpr Behaviour idles{.idle = true};
constexpr Behaviour commits_bulk{.effect = Effect::bulk_commit, .idle = true};
constexpr Behaviour waits_for_bulk{.effect = Effect::bulk_wait, .idle = true};
constexpr Behaviour waits_for_grid{.effect = Effect::grid_wait, .idle = true};

constexpr Behaviour loads_of_frame{.effect = Effect::frame_load};
constexpr Behaviour stores_to_frame{.effect = Effect::frame_store};
constexpr Behaviour exchanges_memory{.atomic = AtomicKind::exchange};
constexpr Behaviour compares_memory{.atomic = AtomicKind::compare};
constexpr Behaviour clears_bits{.atomic = AtomicKind::bit_and};
constexpr Behaviour sets_bits{.atomic = AtomicKind::bit_or};

constexpr Behaviour exchanges_by_imm{.meeting = Meeting::members_imm, .effect = Effect::exchange};
constexpr Behaviour exchanges_by_b{.meeting = Meeting::members_b, .effect = Effect::exchange};
constexpr Behaviour elects{.meeting = Meeting::members_a};
constexpr Behaviour aligned{.meeting = Meeting::aligned};

constexpr Behaviour ends_copy_group{.effect = Effect::copy_group};
constexpr Behaviour copies_arrive{.effect = Effect::copy_mbarrier};
constexpr Behaviour changes_mbarrier{.effect = Effect::mbarrier, .parts = true, .unseen = true};
constexpr Behaviour tests_mbarrier{.effect = Effect::mbarrier_test, .parts = true, .unseen = true};
constexpr Behaviour counts_mbarrier{.parts = true, .unseen = true};
constexpr Behaviour reduces_bulk{.effect = Effect::bulk, .parts = true};
constexpr Behaviour moves_box{.effect = Effect::tensor, .parts = true, .unseen = true};
constexpr Behaviour ends_box{.effect = Effect::box, .parts = true};
constexpr Behaviour stores_later{.effect = Effect::fills_shared};

constexpr Integer of_u8{8, false};
constexpr Integer of_s8{8, true};
constexpr Integer of_u16{16, false};
constexpr Integer of_s16{16, true};
constexpr Integer of_u32{32, false};
constexpr Integer of_s32{32, true};
constexpr Integer of_u64{64, false};
constexpr Integer of_s64{64, true};
constexpr Behaviour works_on(Integer type) { return {.from = type}; }
constexpr Behaviour converts(Integer to, Integer from) { return {.to = to, .from = from}; }

// --- the table ----------------------------------------------------------------------------------

constexpr Description descriptions[] = {
#define OPERATION(NAME, OPERANDS, TRANSFER, BEHAVIOUR, ...) \
  {#NAME, operands_of(OPERANDS), Transfer::TRANSFER, BEHAVIOUR},
#include "softgpu/isa/operations.def"
};

}  // namespace

const Description& describe(Operation operation) {
  return descriptions[static_cast<std::size_t>(operation)];
}

}  // namespace softgpu

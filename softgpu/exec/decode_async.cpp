// cp.async, mbarrier, bulk copies, clusters and cache hints. PTX ISA 9.0, sections 9.7.9.25 to
// 9.7.9.28 and 9.7.13.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/tensor_map.hpp"

namespace softgpu {
namespace {

using ptx::Operand;

void need(FunctionDecoder& to, const ptx::Instruction& in, std::size_t operands) {
  if (in.operands.size() < operands) {
    to.fail(in.text() + " needs " + std::to_string(operands) + " operands");
  }
}

// An address with its offset added, as 64-bit lanes.
std::uint32_t whole_address(FunctionDecoder& to, const Operand& operand, std::string_view space) {
  const auto address = to.generic_address(operand, space);
  if (address.offset == 0) return address.slot;
  const std::uint32_t sum = to.temporary(8);
  to.emit(Operation::addi_64, {.d = sum, .a = address.slot, .imm = address.offset});
  return sum;
}

// Addresses of other blocks of the cluster are marked by their upper bits, so that one window does
// for .shared::cta and .shared::cluster.
std::string_view shared_or_generic(const ptx::Instruction& in) {
  const bool shared = in.has("shared") || in.has("shared::cta") || in.has("shared::cluster");
  return shared ? "shared" : "";
}

void decode_nothing(FunctionDecoder& to, const ptx::Instruction&) { to.emit(Operation::nop); }

// The last operation accesses memory in a way that Touch has no form for.
void touches_uncounted(FunctionDecoder& to) {
  Touch touch;
  touch.uncounted = true;
  to.touches(touch);
}

// --- copies -------------------------------------------------------------------------------------

std::int64_t integer_operand(FunctionDecoder& to, const ptx::Instruction& in, std::size_t at,
                             const char* what) {
  need(to, in, at + 1);
  if (in.operands[at].kind != Operand::Kind::integer) {
    to.fail(in.text() + ": " + what + " has to be a constant");
  }
  return static_cast<std::int64_t>(in.operands[at].bits);
}

struct Reduction {
  std::uint32_t how = 0;
  std::uint32_t type = 0;
  int bytes = 4;
};

// The enumerations of async.inl, by name.
std::optional<Reduction> reduction_of(const ptx::Instruction& in) {
  static constexpr std::string_view operations[] = {"",    "add", "min", "max", "inc",
                                                    "dec", "and", "or",  "xor"};
  struct Type {
    std::string_view name;
    std::uint32_t type;
    int bytes;
  };
  static constexpr Type types[] = {
      {"u32", 0, 4}, {"b32", 0, 4}, {"s32", 1, 4},  {"u64", 2, 8}, {"b64", 2, 8},
      {"s64", 3, 8}, {"f16", 4, 2}, {"bf16", 5, 2}, {"f32", 6, 4}, {"f64", 7, 8},
  };
  Reduction r;
  bool typed = false;
  for (const auto& word : in.modifiers) {
    for (std::uint32_t i = 1; i < std::size(operations); ++i) {
      if (word == operations[i]) r.how = i;
    }
    for (const auto& type : types) {
      if (word != type.name) continue;
      r.type = type.type;
      r.bytes = type.bytes;
      typed = true;
    }
  }
  // Floats are only added and compared.
  if (!typed || r.how == 0 || (r.type >= 4 && r.how > 3)) return std::nullopt;
  return r;
}

// cp.async.bulk.tensor, by tiles; see tensor_map.hpp.
void decode_tensor(FunctionDecoder& to, const ptx::Instruction& in, bool reduces) {
  if (in.has("prefetch")) return decode_nothing(to, in);
  std::uint32_t dimensions = 0;
  for (const auto& word : in.modifiers) {
    if (word.size() == 2 && word[1] == 'd' && word[0] >= '1' && word[0] <= '5') {
      dimensions = static_cast<std::uint32_t>(word[0] - '0');
    }
    if (word.starts_with("im2col") || word.starts_with("tile::")) {
      return to.unsupported("tensor maps are copied by tiles only");
    }
  }
  const bool load = in.has("mbarrier::complete_tx::bytes");
  const bool multicast = in.has("multicast::cluster");
  if (dimensions == 0 || load == in.has("bulk_group") || (load && reduces)) {
    to.fail("malformed " + in.text());
  }
  TensorMove how = load ? TensorMove::load : TensorMove::store;
  if (reduces) {
    static constexpr std::pair<std::string_view, TensorMove> operations[] = {
        {"add", TensorMove::add},     {"min", TensorMove::min},   {"max", TensorMove::max},
        {"and", TensorMove::bit_and}, {"or", TensorMove::bit_or}, {"xor", TensorMove::bit_xor},
    };
    for (const auto& [name, operation] : operations) {
      if (in.has(name)) how = operation;
    }
    if (how == TensorMove::store) return to.unsupported("no such reduction by a tensor map");
  }
  need(to, in, load ? 3U + (multicast ? 1U : 0U) : 2U);
  const Operand& tensor = in.operands[load ? 1 : 0];
  if (tensor.kind != Operand::Kind::address || tensor.items.size() != 2) {
    to.fail(in.text() + ": expected [map, {coordinates}]");
  }
  std::vector<std::uint32_t> more(8, 0);
  more[0] = to.source(tensor.items[0], 8);
  const Operand& coordinates = tensor.items[1];
  const bool list = coordinates.kind == Operand::Kind::vector;
  if ((list ? coordinates.items.size() : 1U) != dimensions) {
    to.fail(in.text() + ": expected " + std::to_string(dimensions) + " coordinates");
  }
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    more[1 + i] = to.source(list ? coordinates.items[i] : coordinates, 4);
  }
  more[6] = whole_address(to, in.operands[load ? 0 : 1], "shared");
  std::uint32_t barrier = 0;
  std::uint32_t bytes = 0;
  const std::uint32_t blocks = multicast ? to.source(in.operands[3], 4) : 0;
  more[7] = blocks;
  std::vector<std::uint32_t> slots;
  if (load) {
    barrier = whole_address(to, in.operands[2], "shared");
    bytes = to.temporary(4);
    slots.push_back(bytes);
  }
  to.emit(Operation::tensor_move, {.aux = static_cast<std::uint32_t>(how) | dimensions << 8U,
                                   .imm = reinterpret_cast<std::int64_t>(&move_tensor)});
  const std::uint32_t shared = more[6];
  to.attach(std::move(slots), std::move(more));
  touches_uncounted(to);
  // Whoever looks at accesses finds there where the box went.
  if (load) {
    to.emit(Operation::tensor_done, {.d = shared, .a = barrier, .b = bytes, .c = blocks});
  }
}

void decode_bulk(FunctionDecoder& to, const ptx::Instruction& in, bool reduces) {
  if (in.has("tensor")) return decode_tensor(to, in, reduces);
  if (in.has("commit_group")) {
    to.emit(Operation::bulk_commit);
    return;
  }
  if (in.has("wait_group")) {
    const std::int64_t left = integer_operand(to, in, 0, "the number of groups");
    to.emit(Operation::bulk_wait,
            {.aux = in.has("read") ? 1U : 0U, .imm = std::clamp<std::int64_t>(left, 0, 1 << 20)});
    return;
  }
  if (in.has("prefetch")) return decode_nothing(to, in);
  need(to, in, 3);
  // The first space is the destination's, the second the source's.
  std::vector<std::string_view> spaces;
  for (const auto& word : in.modifiers) {
    if (word == "global" || word == "shared::cta" || word == "shared::cluster" ||
        word == "shared") {
      spaces.push_back(word == "global" ? "global" : "shared");
    }
  }
  if (spaces.size() != 2) to.fail("malformed " + in.text());
  std::uint32_t aux = 0;
  if (reduces) {
    const auto reduction = reduction_of(in);
    if (!reduction) to.fail(in.text() + ": no such reduction");
    aux = reduction->how | reduction->type << 8U;
  }
  const bool by_mbarrier = in.has("mbarrier::complete_tx::bytes");
  const std::size_t expected = 3U + (by_mbarrier ? 1U : 0U) +
                               (in.has("multicast::cluster") ? 1U : 0U) +
                               (in.has("L2::cache_hint") ? 1U : 0U) + (in.has("cp_mask") ? 1U : 0U);
  need(to, in, expected);
  const std::uint32_t d = whole_address(to, in.operands[0], spaces[0]);
  const std::uint32_t s = whole_address(to, in.operands[1], spaces[1]);
  const std::uint32_t size = to.source(in.operands[2], 4);
  std::vector<std::uint32_t> more(3, 0);
  std::size_t at = 3;
  if (by_mbarrier) more[0] = whole_address(to, in.operands[at++], "shared");
  if (in.has("multicast::cluster")) {
    if (!by_mbarrier) to.fail(in.text() + ": .multicast::cluster needs an mbarrier");
    more[1] = to.source(in.operands[at++], 4);
  }
  if (in.has("L2::cache_hint")) ++at;
  if (in.has("cp_mask")) more[2] = to.source(in.operands[at], 4);
  to.emit(reduces ? Operation::cp_bulk_reduce : Operation::cp_bulk,
          {.a = d, .b = s, .c = size, .aux = aux});
  to.attach(std::move(more));
  if (reduces) return touches_uncounted(to);
  Touch touch;
  touch.form = TouchForm::copy_bulk;
  touch.way = spaces[0] == "global" ? Way::store : Way::load;
  touch.shared_way = spaces[0] == "global" ? Way::load : Way::store;
  to.touches(touch);
}

void decode_cp(FunctionDecoder& to, const ptx::Instruction& in) {
  if (in.has("bulk")) return decode_bulk(to, in, in.has("reduce"));
  if (!in.has("async")) to.fail("unknown instruction " + in.text());
  if (in.has("commit_group")) {
    to.emit(Operation::cp_async_group);
    return;
  }
  if (in.has("wait_group")) {
    const std::int64_t left = integer_operand(to, in, 0, "the number of groups");
    to.emit(Operation::cp_async_group,
            {.aux = 1, .imm = std::clamp<std::int64_t>(left, 0, 1 << 20)});
    return;
  }
  if (in.has("wait_all")) {
    to.emit(Operation::cp_async_group, {.aux = 2});
    return;
  }
  if (in.has("mbarrier")) {
    need(to, in, 1);
    const auto address = to.generic_address(in.operands[0], shared_or_generic(in));
    to.emit(Operation::cp_async_mbarrier,
            {.a = address.slot, .aux = in.has("noinc") ? 1U : 0U, .imm = address.offset});
    return;
  }
  const std::int64_t size = integer_operand(to, in, 2, "the size");
  if (size != 4 && size != 8 && size != 16) to.fail(in.text() + ": the size has to be 4, 8 or 16");
  const auto destination = to.generic_address(in.operands[0], "shared");
  const std::uint32_t source = whole_address(to, in.operands[1], "global");
  const std::size_t operands = in.operands.size() - (in.has("L2::cache_hint") ? 1U : 0U);
  auto aux = static_cast<std::uint32_t>(size);
  std::uint32_t c = 0;
  if (operands > 3) {
    const Operand& last = in.operands[3];
    if (last.kind == Operand::Kind::variable && to.lane_of(last) == 0) {
      c = to.predicate_source(last);
      aux |= 0x100U;
    } else {
      c = to.source(last, 4);
    }
  }
  to.emit(Operation::cp_async,
          {.a = destination.slot, .b = source, .c = c, .aux = aux, .imm = destination.offset});
  Touch touch;
  touch.form = TouchForm::copy_async;
  touch.shared_way = Way::store;
  touch.size = static_cast<std::uint32_t>(size);
  to.touches(touch);
}

// --- mbarrier -----------------------------------------------------------------------------------

void decode_mbarrier(FunctionDecoder& to, const ptx::Instruction& in) {
  const std::string_view space = shared_or_generic(in);
  if (in.modifiers.empty()) to.fail("malformed " + in.text());
  const std::string& what = in.modifiers[0];
  if (what == "pending_count") {
    need(to, in, 2);
    const std::uint32_t state = to.source(in.operands[1], 8);
    const std::uint32_t d = to.destination(in.operands[0], 4);
    to.emit(Operation::mbarrier_pending, {.d = d, .a = state});
    return;
  }
  if (what == "test_wait" || what == "try_wait") {
    need(to, in, 3);
    const auto address = to.generic_address(in.operands[1], space);
    const bool parity = in.has("parity");
    const std::uint32_t phase = to.source(in.operands[2], parity ? 4 : 8);
    const std::uint32_t d = to.predicate_destination(in.operands[0]);
    to.emit(
        Operation::mbarrier_test,
        {.d = d, .a = address.slot, .b = phase, .aux = parity ? 1U : 0U, .imm = address.offset});
    return;
  }
  // The enumeration of async.inl.
  std::uint32_t aux = 0;
  bool returns = false;
  if (what == "init") {
    aux = 0;
  } else if (what == "inval") {
    aux = 1;
  } else if (what == "arrive" || what == "arrive_drop") {
    aux = what == "arrive" ? 2 : 3;
    returns = true;
  } else if (what == "expect_tx") {
    aux = 4;
  } else if (what == "complete_tx") {
    aux = 5;
  } else {
    to.fail("unknown instruction " + in.text());
  }
  // A state is named first where it is wanted; some forms may leave it out.
  const bool names_state =
      returns && !in.operands.empty() && in.operands[0].kind != Operand::Kind::address;
  const std::size_t first = names_state ? 1 : 0;
  need(to, in, first + 1);
  const auto address = to.generic_address(in.operands[first], space);
  std::uint32_t count = 0;
  std::uint32_t expect = 0;
  if (in.operands.size() > first + 1) {
    const std::uint32_t value = to.source(in.operands[first + 1], 4);
    if (returns && in.has("expect_tx")) {
      expect = value;
    } else {
      count = value;
    }
  } else if (what != "inval" && (!returns || in.has("expect_tx"))) {
    to.fail(in.text() + " needs a count");
  }
  const std::uint32_t d = names_state ? to.destination(in.operands[0], 8) : 0;
  to.emit(Operation::mbarrier,
          {.d = d, .a = address.slot, .b = count, .c = expect, .aux = aux, .imm = address.offset});
}

// --- clusters and hints -------------------------------------------------------------------------

void decode_mapa(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 3);
  const int lane = in.has("u32") ? 4 : 8;
  const bool generic = !in.has("shared::cluster");
  const std::uint32_t a = to.source(in.operands[1], lane);
  const std::uint32_t rank = to.source(in.operands[2], 4);
  const std::uint32_t d = to.destination(in.operands[0], lane);
  if (generic && lane == 4) to.fail(in.text() + ": generic addresses have 64 bits");
  to.emit(Operation::mapa,
          {.d = d, .a = a, .b = rank, .aux = generic ? 0U : static_cast<std::uint32_t>(lane)});
}

void decode_getctarank(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 2);
  const int lane = in.has("u32") ? 4 : 8;
  const std::uint32_t a = to.source(in.operands[1], lane);
  const std::uint32_t d = to.destination(in.operands[0], 4);
  to.emit(Operation::getctarank, {.d = d, .a = a, .aux = static_cast<std::uint32_t>(lane)});
}

// A policy is opaque and nothing here looks at it.
void decode_createpolicy(FunctionDecoder& to, const ptx::Instruction& in) {
  need(to, in, 1);
  const std::uint32_t value = to.constant(0, 8);
  const std::uint32_t d = to.destination(in.operands[0], 8);
  to.emit(Operation::mov_64, {.d = d, .a = value});
}

void decode_unsupported_async(FunctionDecoder& to, const ptx::Instruction& in) {
  to.unsupported(in.opcode == "multimem"
                     ? "addresses of several devices (multimem) are not built into the software GPU"
                 : in.opcode == "tensormap"
                     ? "tensor maps that a kernel changes are not built into the software GPU"
                     : in.opcode + " needs sm_100 or later");
}

// Grids run one after the other here, whatever they may do on a device.
void decode_grid_control(FunctionDecoder& to, const ptx::Instruction& in) {
  if (!in.has("wait")) return decode_nothing(to, in);
  to.emit(Operation::grid_wait);
}

constexpr DecodeEntry async_decode_table[] = {
    {"cp", decode_cp},
    {"mbarrier", decode_mbarrier},
    {"mapa", decode_mapa},
    {"getctarank", decode_getctarank},
    {"createpolicy", decode_createpolicy},
    {"prefetch", decode_nothing},
    {"prefetchu", decode_nothing},
    {"discard", decode_nothing},
    {"applypriority", decode_nothing},
    {"griddepcontrol", decode_grid_control},
    {"setmaxnreg", decode_nothing},
    {"multimem", decode_unsupported_async},
    {"tensormap", decode_unsupported_async},
    {"clusterlaunchcontrol", decode_unsupported_async},
};

}  // namespace

DecodeEntries async_decoders() {
  return {async_decode_table, sizeof(async_decode_table) / sizeof(async_decode_table[0])};
}

bool store_async(FunctionDecoder& to, const ptx::Instruction& in) {
  if (!in.has("async")) return false;
  need(to, in, 3);
  if (!in.has("mbarrier::complete_tx::bytes")) {
    to.unsupported("only the forms that complete on an mbarrier exist before sm_100");
    return true;
  }
  std::uint32_t aux = 0;
  int bytes = 4;
  if (in.opcode == "red") {
    const auto reduction = reduction_of(in);
    if (!reduction || reduction->type >= 4) to.fail(in.text() + ": no such reduction");
    bytes = reduction->bytes;
    aux = reduction->how << 8U | reduction->type << 16U;
  } else {
    bytes = size_of_type(in.modifiers.back());
    if (bytes != 4 && bytes != 8) to.fail(in.text() + ": only values of 32 and 64 bits");
  }
  aux |= static_cast<std::uint32_t>(bytes);
  const auto address = to.generic_address(in.operands[0], "shared");
  const std::uint32_t barrier = whole_address(to, in.operands[2], "shared");
  std::vector<std::uint32_t> values;
  if (in.operands[1].kind == Operand::Kind::vector) {
    for (const auto& item : in.operands[1].items) values.push_back(to.source(item, bytes));
  } else {
    values.push_back(to.source(in.operands[1], bytes));
  }
  if (values.size() > 4) to.fail(in.text() + ": at most four values");
  to.emit(Operation::st_async,
          {.a = address.slot, .b = barrier, .aux = aux, .imm = address.offset});
  to.attach(std::move(values));
  touches_uncounted(to);
  return true;
}

}  // namespace softgpu

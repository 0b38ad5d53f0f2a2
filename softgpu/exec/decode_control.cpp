// Branches, calls, barriers, warp-wide operations.

#include <algorithm>
#include <array>
#include <string>

#include "softgpu/exec/decoder.hpp"
#include "softgpu/exec/services.hpp"

namespace softgpu {
namespace {

using ptx::Instruction;
using ptx::Operand;
using std::string;
using std::string_view;

// Whether the branch goes over a few instructions, none of which goes elsewhere, waits, or looks at
// which lanes are there; and none of which is a place that others go to.
bool is_short(const FunctionDecoder& to, const Instruction& in) {
  constexpr std::int64_t most = 24;
  constexpr std::array<string_view, 40> plain = {
      "abs",   "add",  "and", "atom", "bfe", "bfi",  "brev", "clz",  "copysign", "cvt",
      "cvta",  "div",  "ex2", "fma",  "ld",  "ldu",  "lg2",  "mad",  "max",      "min",
      "mov",   "mul",  "neg", "not",  "or",  "popc", "prmt", "rcp",  "red",      "rem",
      "rsqrt", "selp", "set", "setp", "shf", "shl",  "shr",  "sqrt", "st",       "sub"};
  const auto& all = to.function().instructions;
  const auto at = static_cast<std::int64_t>(&in - all.data());
  const auto target = static_cast<std::int64_t>(in.operands[0].bits);
  const auto count = static_cast<std::int64_t>(all.size());
  if (in.guard == nullptr || target <= at + 1 || target > at + most || target >= count)
    return false;
  for (std::int64_t i = at + 1; i < target; ++i) {
    if (to.is_label(i)) return false;
    if (std::ranges::find(plain, all[static_cast<std::size_t>(i)].opcode) == plain.end()) {
      return false;
    }
  }
  return true;
}

void branch(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 1 || in.operands[0].kind != Operand::Kind::label) {
    to.fail("a label is expected");
  }
  to.emit(is_short(to, in) ? Operation::bra_short : Operation::bra);
  to.branch_to(static_cast<std::int64_t>(in.operands[0].bits));
}

void branch_table(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 2 || in.operands[1].kind != Operand::Kind::symbol) {
    to.fail("an index and a table of labels are expected");
  }
  const auto found = to.function().branch_targets.find(in.operands[1].name);
  if (found == to.function().branch_targets.end()) {
    to.fail("unknown table of labels " + in.operands[1].name);
  }
  to.emit(Operation::brx, {.a = to.source(in.operands[0], 4)});
  to.branch_to_table(found->second);
}

void leave(FunctionDecoder& to, const Instruction& in) {
  to.emit(in.opcode == "ret" ? Operation::ret : Operation::exit);
  to.end_block(in.guard != nullptr);
}

void trap(FunctionDecoder& to, const Instruction& in) {
  to.emit(in.opcode == "trap" ? Operation::trap : Operation::nop);
}

// An argument or result of a call: bytes in the frame. Registers and constants go through a
// parameter of their own.
std::uint32_t argument(FunctionDecoder& to, const Operand& operand) {
  if (operand.kind == Operand::Kind::variable && operand.variable->space == ptx::Space::param) {
    return to.area(*operand.variable);
  }
  const int lane = operand.kind == Operand::Kind::variable ? std::max(to.lane_of(operand), 4) : 8;
  const auto slot = to.unnamed_area(static_cast<std::uint32_t>(lane));
  const auto bytes = static_cast<std::uint32_t>(lane);
  to.emit(Operation::st_frame,
          {.d = to.source(operand, lane), .b = bytes, .c = slot, .aux = bytes | bytes << 16});
  return slot;
}

void call(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() < 2) to.fail("a function to call is expected");
  std::vector<std::uint32_t> arguments;
  std::vector<std::uint32_t> results;
  if (in.operands.size() > 2) {
    for (const auto& operand : in.operands[2].items) arguments.push_back(argument(to, operand));
  }
  struct Later {
    const Operand* operand;
    std::uint32_t slot;
    int lane;
  };
  std::vector<Later> later;
  for (const auto& operand : in.operands[0].items) {
    if (operand.kind == Operand::Kind::variable && operand.variable->space == ptx::Space::param) {
      results.push_back(to.area(*operand.variable));
    } else {
      const int lane = std::max(to.lane_of(operand), 4);
      later.push_back({&operand, to.unnamed_area(static_cast<std::uint32_t>(lane)), lane});
      results.push_back(later.back().slot);
    }
  }
  const Operand& target = in.operands[1];
  if (target.kind == Operand::Kind::symbol) {
    if (const Service service = find_service(target.name)) {
      to.emit(Operation::call_service, {.imm = reinterpret_cast<std::int64_t>(service)});
      to.attach(arguments, results);
    } else {
      const Code* callee = to.program().function(to.module(), target.name);
      if (callee == nullptr) {
        to.unsupported("there is no device function " + target.name +
                       " (of a device library that is machine code only?)");
        return;
      }
      to.code().callees.insert(callee);
      to.emit(Operation::call, {.imm = reinterpret_cast<std::int64_t>(callee)});
      to.attach(arguments, results);
      to.end_block(true);
    }
  } else {
    const auto address = to.source(target, 8);
    to.emit(Operation::call_register, {.a = address});
    to.attach(arguments, results);
    to.end_block(true);
  }
  for (const auto& one : later) {
    const auto bytes = static_cast<std::uint32_t>(one.lane);
    to.emit(Operation::ld_frame, {.d = to.destination(*one.operand, one.lane),
                                  .b = bytes,
                                  .c = one.slot,
                                  .aux = bytes | bytes << 16});
  }
}

// --- barriers -----------------------------------------------------------------------------------

void barrier(FunctionDecoder& to, const Instruction& in) {
  if (in.has("warp")) {
    if (in.operands.size() != 1) to.fail("a member mask is expected");
    to.emit(Operation::bar_warp, {.a = to.source(in.operands[0], 4)});
    return;
  }
  if (in.has("cluster")) {
    const bool arrive = in.has("arrive");
    const bool wait = in.has("wait");
    to.emit(Operation::bar_cluster,
            {.aux = (arrive ? 1U : 0U) | (wait ? 2U : 0U) | (in.has("aligned") ? 4U : 0U)});
    return;
  }
  const bool red = in.has("red");
  const std::size_t first = red ? 1 : 0;
  const std::size_t given = in.operands.size();
  if (given < first + 1) to.fail("a barrier's number is expected");
  const auto id = to.source(in.operands[first], 4);
  const std::size_t after = given - first - 1 - (red ? 1 : 0);  // 1 where a count is given
  const auto count = after > 0 ? to.source(in.operands[first + 1], 4) : 0U;
  // bar is the older name of barrier.aligned.
  const std::uint32_t aligned = in.opcode == "bar" || in.has("aligned") ? 4 : 0;
  if (!red) {
    if (in.has("arrive") && count == 0) to.fail("the number of threads is expected");
    to.emit(Operation::bar, {.a = id, .b = count, .aux = (in.has("arrive") ? 1U : 0U) | aligned});
    return;
  }
  const auto p = to.predicate_source(in.operands[given - 1]);
  to.emit(Operation::bar, {.a = id, .b = count, .c = p, .aux = 2U | aligned});
  if (in.has("popc")) {
    to.emit(Operation::bar_result, {.d = to.destination(in.operands[0], 4), .a = id});
  } else {
    to.emit(
        Operation::bar_result,
        {.d = to.predicate_destination(in.operands[0]), .a = id, .aux = in.has("and") ? 1U : 2U});
  }
}

// The scope is for those who look at the order of accesses; the handler does the same for all.
void fence(FunctionDecoder& to, const Instruction& in) {
  const Scope scope = in.has("cta")                   ? Scope::block
                      : in.has("cluster")             ? Scope::cluster
                      : in.has("gl") || in.has("gpu") ? Scope::device
                                                      : Scope::system;
  const bool proxies = std::ranges::any_of(
      in.modifiers, [](const std::string& word) { return word.starts_with("proxy"); });
  to.emit(Operation::fence,
          {.aux = static_cast<std::uint32_t>(scope) | (proxies ? fence_of_proxies : 0)});
}
void yield(FunctionDecoder& to, const Instruction&) { to.emit(Operation::yield); }
void nothing(FunctionDecoder&, const Instruction&) {}

// --- warps --------------------------------------------------------------------------------------

void shuffle(FunctionDecoder& to, const Instruction& in) {
  if (!in.has("sync")) return to.unsupported("shfl without .sync, which sm_70 and later lack");
  if (in.operands.size() != 5) to.fail("wrong number of operands");
  const std::uint32_t mode = in.has("up") ? 0U : in.has("down") ? 1U : in.has("bfly") ? 2U : 3U;
  const auto a = to.source(in.operands[1], 4);
  const auto b = to.source(in.operands[2], 4);
  const auto c = to.source(in.operands[3], 4);
  const auto mask = to.source(in.operands[4], 4);
  const Operand& target = in.operands[0];
  auto d = to.destination(target, 4);
  if (d == 0) d = to.temporary(4);
  const auto p = target.second ? to.predicate_destination(*target.second) : 0;
  to.emit(Operation::shfl, {.d = d, .a = a, .b = b, .c = c, .aux = mode, .imm = mask});
  to.packed_predicate(p);
}

void vote(FunctionDecoder& to, const Instruction& in) {
  if (!in.has("sync")) return to.unsupported("vote without .sync, which sm_70 and later lack");
  if (in.operands.size() != 3) to.fail("wrong number of operands");
  const auto a = to.predicate_source(in.operands[1]);
  const auto mask = to.source(in.operands[2], 4);
  if (in.has("ballot")) {
    to.emit(Operation::vote_ballot,
            {.d = to.destination(in.operands[0], 4), .a = a, .b = mask, .aux = 3});
    return;
  }
  to.emit(Operation::vote, {.d = to.predicate_destination(in.operands[0]),
                            .a = a,
                            .b = mask,
                            .aux = in.has("all")   ? 0U
                                   : in.has("any") ? 1U
                                                   : 2U});
}

void match(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 3) to.fail("wrong number of operands");
  const bool wide = in.has("b64");
  const auto a = to.source(in.operands[1], wide ? 8 : 4);
  const auto mask = to.source(in.operands[2], 4);
  const Operand& target = in.operands[0];
  auto d = to.destination(target, 4);
  if (d == 0) d = to.temporary(4);
  const auto p = target.second ? to.predicate_destination(*target.second) : 0;
  to.emit(wide ? Operation::match_64 : Operation::match_32,
          {.d = d, .a = a, .b = mask, .aux = in.has("all") ? 1U : 0U});
  to.packed_predicate(p);
}

void reduce(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 3) to.fail("wrong number of operands");
  const bool is_signed = in.has("s32");
  const bool is_float = in.has("f32");
  std::uint32_t which = 0;
  if (in.has("add"))
    which = 0;
  else if (in.has("min"))
    which = is_float ? (in.has("NaN") ? 10 : 8) : is_signed ? 3 : 1;
  else if (in.has("max"))
    which = is_float ? (in.has("NaN") ? 11 : 9) : is_signed ? 4 : 2;
  else if (in.has("and"))
    which = 5;
  else if (in.has("or"))
    which = 6;
  else if (in.has("xor"))
    which = 7;
  else
    to.fail("the operation is missing");
  if (in.has("abs")) which |= 0x100;
  const auto a = to.source(in.operands[1], 4);
  const auto mask = to.source(in.operands[2], 4);
  to.emit(Operation::redux,
          {.d = to.destination(in.operands[0], 4), .a = a, .b = mask, .aux = which});
}

void active_mask(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 1) to.fail("wrong number of operands");
  to.emit(Operation::activemask, {.d = to.destination(in.operands[0], 4)});
}

void elect(FunctionDecoder& to, const Instruction& in) {
  if (in.operands.size() != 2) to.fail("wrong number of operands");
  const auto mask = to.source(in.operands[1], 4);
  const Operand& target = in.operands[0];
  const auto d = to.destination(target, 4);
  const auto p = target.second ? to.predicate_destination(*target.second) : 0;
  to.emit(Operation::elect, {.d = d, .a = mask, .aux = p});
}

constexpr DecodeEntry entries[] = {
    {"bra", branch},
    {"brx", branch_table},
    {"ret", leave},
    {"exit", leave},
    {"trap", trap},
    {"brkpt", trap},
    {"call", call},
    {"bar", barrier},
    {"barrier", barrier},
    {"membar", fence},
    {"fence", fence},
    {"nanosleep", yield},
    {"shfl", shuffle},
    {"vote", vote},
    {"match", match},
    {"redux", reduce},
    {"activemask", active_mask},
    {"elect", elect},
    {"pmevent", nothing},
    {"prefetch", nothing},
    {"prefetchu", nothing},
};

}  // namespace

DecodeEntries control_decoders() { return {entries, std::size(entries)}; }

}  // namespace softgpu

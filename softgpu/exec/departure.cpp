#include "softgpu/exec/departure.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "softgpu/ptx/ast.hpp"

namespace softgpu {
namespace {

// Places that threads only pass through.
bool does_nothing(const Code& code, std::size_t i) {
  const Behaviour& does = describe(code.operations[i]).behaviour;
  return does.idle || does.flow != Flow::on;
}

// Calls `visit` with the index of each operation that may come after this one, within the function
// or at its end.
template <class Visit>
void for_each_next(const Code& code, std::size_t i, Visit&& visit) {
  const Op& op = code.ops[i];
  const Flow flow = describe(code.operations[i]).behaviour.flow;
  const auto at = [&](std::int64_t distance) {
    visit(static_cast<std::size_t>(static_cast<std::int64_t>(i) + distance));
  };
  if (flow == Flow::branch) at(op.imm);
  if (flow == Flow::table) {
    const auto& table = *static_cast<const Pieces*>(op.extra);
    for (std::uint32_t k = 0; k < table.count; ++k) at(static_cast<std::int32_t>(table.slots[k]));
  }
  if (flow == Flow::on || flow == Flow::label || op.guard != 0) visit(i + 1);
}

// The operations of a function that can be reached from `from` without going through one of
// `closed`; `from` itself is reached only where it is come to again, or where `itself`.
std::vector<bool> reachable(const Code& code, std::size_t from, const std::vector<bool>& closed,
                            bool itself) {
  std::vector<bool> reached(code.ops.size(), false);
  std::vector<std::size_t> open;
  const auto visit = [&](std::size_t i) {
    if (i >= code.ops.size() || reached[i] || closed[i]) return;
    reached[i] = true;
    open.push_back(i);
  };
  const auto leave = [&](std::size_t i) { for_each_next(code, i, visit); };
  if (itself) {
    visit(from);
  } else {
    leave(from);
  }
  while (!open.empty()) {
    const std::size_t i = open.back();
    open.pop_back();
    leave(i);
  }
  return reached;
}

// The operations from which `to` can be reached by one step or more, without going through one of
// `closed`.
std::vector<bool> leading_to(const Code& code, std::size_t to, const std::vector<bool>& closed) {
  const auto n = code.ops.size();
  std::vector<std::vector<std::uint32_t>> from(n);
  for (std::size_t i = 0; i < n; ++i) {
    if (closed[i]) continue;
    for_each_next(code, i, [&](std::size_t next) {
      if (next < n) from[next].push_back(static_cast<std::uint32_t>(i));
    });
  }
  std::vector<bool> leads(n, false);
  std::vector<std::size_t> open;
  if (!closed[to]) open.push_back(to);
  while (!open.empty()) {
    const std::size_t i = open.back();
    open.pop_back();
    for (const std::uint32_t before : from[i]) {
      if (leads[before]) continue;
      leads[before] = true;
      open.push_back(before);
    }
  }
  return leads;
}

// The registers that an operand names; those in an address are read wherever they stand.
template <class Visit>
void for_each_register(const ptx::Operand& operand, Visit&& visit) {
  if (operand.kind == ptx::Operand::Kind::variable && operand.variable->space == ptx::Space::reg) {
    visit(operand.variable);
  }
  for (const auto& item : operand.items) for_each_register(item, visit);
  if (operand.second != nullptr) for_each_register(*operand.second, visit);
}

bool same_address(const ptx::Operand& a, const ptx::Operand& b) {
  if (a.kind != ptx::Operand::Kind::address || b.kind != ptx::Operand::Kind::address) return false;
  return a.bits == b.bits && a.items.size() == 1 && b.items.size() == 1 &&
         a.items[0].kind == b.items[0].kind && a.items[0].variable == b.items[0].variable &&
         a.items[0].name == b.items[0].name;
}

// Whether what follows the barrier at `at`, as far as a thread that went around it and ended at
// `end` did it too, works on values that the two ways give differently. Then it may be two
// statements in the source that the compiler has merged, as in
//     if (i >= n) { out[i] = 0; return; }
//     ... __syncthreads(); ...
//     out[i] = sum;
// which is right, and cannot be told from a store that follows a barrier for some. It is none where
// the value is that of a variable in memory, which one way has stored and the other loads again.
bool may_be_merged(const Code& code, std::size_t at, std::size_t end,
                   const std::vector<bool>& after) {
  if (code.origin_function == nullptr) return false;
  using ptx::Instruction;
  using ptx::Operand;
  const auto n = code.ops.size();
  std::vector<bool> closed(n, false);
  closed[at] = true;
  const std::vector<bool> without = reachable(code, 0, closed, true);
  std::vector<bool> ending = leading_to(code, end, closed);
  ending[end] = true;
  std::multimap<int, const Instruction*> at_line;
  for (const auto& in : static_cast<const ptx::Function*>(code.origin_function)->instructions) {
    at_line.emplace(in.line, &in);
  }
  std::vector<const Instruction*> through;  // what only those do that come to the barrier
  std::vector<const Instruction*> around;   // what those do that do not,
  std::vector<const Instruction*> last;     // and of this, what follows the barrier
  for (std::size_t i = 0; i < n && i < code.origins.size(); ++i) {
    // The operations that the decoder puts at labels stand for no instruction.
    if (describe(code.operations[i]).behaviour.idle) continue;
    const bool goes_around = without[i] && ending[i];
    const auto [first, none] = at_line.equal_range(code.origins[i].ptx_line);
    for (auto found = first; found != none; ++found) {
      (goes_around ? around : through).push_back(found->second);
      if (goes_around && after[i]) last.push_back(found->second);
    }
  }
  const auto result_of = [](const Instruction& in) {
    return in.operands.empty() || in.operands[0].kind == Operand::Kind::address ? nullptr
                                                                                : &in.operands[0];
  };
  std::set<const ptx::Variable*> given;
  for (const Instruction* in : through) {
    if (const Operand* result = result_of(*in)) {
      for_each_register(*result, [&](const ptx::Variable* v) { given.insert(v); });
    }
  }
  std::set<const ptx::Variable*> taken;
  for (const Instruction* in : last) {
    for (const Operand& operand : in->operands) {
      if (&operand == result_of(*in)) continue;
      for_each_register(operand, [&](const ptx::Variable* v) {
        if (given.contains(v)) taken.insert(v);
      });
    }
    if (in->guard != nullptr && given.contains(in->guard)) taken.insert(in->guard);
  }
  const auto is_variable_in_memory = [&](const ptx::Variable* v) {
    return std::ranges::any_of(around, [&](const Instruction* move) {
      if (move->opcode != "mov" || move->operands.size() != 2) return false;
      if (move->operands[0].variable != v || move->operands[1].variable == nullptr) return false;
      return std::ranges::any_of(around, [&](const Instruction* store) {
        if (store->opcode != "st" || store->operands.size() != 2) return false;
        if (store->operands[1].variable != move->operands[1].variable) return false;
        return std::ranges::any_of(through, [&](const Instruction* load) {
          return load->opcode == "ld" && load->operands.size() == 2 &&
                 same_address(load->operands[1], store->operands[0]);
        });
      });
    });
  };
  return !std::ranges::all_of(taken, is_variable_in_memory);
}

Departure departure(const Code& code, const Op* barrier, const Op* left) {
  const auto n = code.ops.size();
  const auto at = static_cast<std::size_t>(barrier - code.ops.data());
  const auto end = static_cast<std::size_t>(left - code.ops.data());
  if (at >= n || end >= n) return Departure::early;
  std::vector<bool> closed(n, false);
  const std::vector<bool> after = reachable(code, at, closed, false);
  closed[at] = true;
  const bool can_go_around = reachable(code, 0, closed, true)[end];
  // Every thread that ends there has been at the barrier, which is in no loop: nobody waits for it.
  if (!can_go_around && !after[at]) return Departure::early;
  // Work that follows the barrier and, in a loop, does not come before it as well.
  std::vector<bool> before(n, false);
  if (after[at]) before = leading_to(code, at, std::vector<bool>(n, false));
  for (std::size_t i = 0; i < n; ++i) {
    if (after[i] && !before[i] && !does_nothing(code, i)) closed[i] = true;
  }
  closed[end] = false;
  if (!can_go_around) {
    // The thread has made fewer turns of the loop. It did nothing wrong if it only left it to end.
    closed[at] = false;
    return reachable(code, at, closed, false)[end] ? Departure::early : Departure::loop;
  }
  if (reachable(code, 0, closed, true)[end]) return Departure::returned;
  if (after[at]) return Departure::loop;
  return may_be_merged(code, at, end, after) ? Departure::tail : Departure::around;
}

}  // namespace

// Asked for at every barrier of a block that threads have left.
Departure known_departure(const Launch& launch, const Op* barrier, const Op* left) {
  struct Recent {
    std::uint64_t launch = ~std::uint64_t{0};
    const Op* barrier = nullptr;
    const Op* left = nullptr;
    Departure how{};
  };
  // Not in the thread's own storage: see planes_of_thread in decode_texture.cpp.
  constexpr std::size_t places = 16;
  thread_local const auto recent = std::make_unique<std::array<Recent, places>>();
  Recent& here = (*recent)[(reinterpret_cast<std::uintptr_t>(barrier) ^
                            reinterpret_cast<std::uintptr_t>(left)) /
                           sizeof(Op) % places];
  if (here.launch == launch.id && here.barrier == barrier && here.left == left) return here.how;
  // Not by address: programs come and go.
  using Key = std::tuple<std::string, std::size_t, std::ptrdiff_t, std::ptrdiff_t>;
  const Code& code = *launch.code;
  const Key key{code.name, code.ops.size(), barrier - code.ops.data(), left - code.ops.data()};
  static std::mutex mutex;
  static auto* const known = new std::map<Key, Departure>;
  const std::lock_guard lock(mutex);
  const auto found = known->find(key);
  here = {launch.id, barrier, left,
          found != known->end()
              ? found->second
              : known->emplace(key, departure(code, barrier, left)).first->second};
  return here.how;
}

bool is_in_loop(const Code& code, std::size_t op) {
  return reachable(code, op, std::vector<bool>(code.ops.size(), false), false)[op];
}

}  // namespace softgpu

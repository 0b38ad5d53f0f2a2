// Lanes of a warp at different places, calls, barriers, faults.
//
// The lanes that are at one place form a group; one group at a time is the current one and runs
// until it branches. The deepest call and in it the lowest place go first, so that lanes meet again
// where control flow joins. That alone could wait for ever: a lane that holds a lock may be further
// on than those that spin for it. So after a number of turns another group is run for as many,
// which is independent thread scheduling's promise (CUDA Programming Guide, "Independent Thread
// Scheduling"): every lane makes progress.

#include "softgpu/exec/schedule.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "softgpu/check/checked_launch.hpp"
#include "softgpu/device/options.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/handlers.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/observe/observed_code.hpp"
#include "softgpu/observe/observer.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu {
namespace {

constexpr std::uint32_t turns = 256;

constexpr int error_illegal_address = 700;
constexpr int error_hardware_stack = 714;
constexpr int error_illegal_instruction = 715;
constexpr int error_misaligned_address = 716;
constexpr int error_invalid_pc = 718;

// std::popcount is a call where the processor may lack the instruction.
std::uint32_t popcount(std::uint32_t x) {
  x -= (x >> 1) & 0x55555555U;
  x = (x & 0x33333333U) + ((x >> 2) & 0x33333333U);
  return (((x + (x >> 4)) & 0x0f0f0f0fU) * 0x01010101U) >> 24;
}

void park(Warp& w, const Op* pc, std::uint32_t mask, Frame* frame) {
  Group g;
  g.pc = pc;
  g.mask = mask;
  g.frame = frame;
  w.others.push_back(g);
}

bool goes_before(const Group& a, const Group& b) {
  if (a.frame->depth != b.frame->depth) return a.frame->depth > b.frame->depth;
  if (a.frame->code != b.frame->code) {
    // Addresses of different functions say nothing: the lowest lane goes first.
    return std::countr_zero(a.mask) < std::countr_zero(b.mask);
  }
  return a.pc != b.pc ? a.pc < b.pc : std::countr_zero(a.mask) < std::countr_zero(b.mask);
}

// Ready groups at the current group's place become part of it.
void merge(Warp& w, const Op* pc) {
  for (std::size_t i = 0; i < w.others.size();) {
    const Group& g = w.others[i];
    if (g.state == Group::State::ready && g.pc == pc && g.frame == w.call) {
      w.mask |= g.mask;
      w.others.erase(w.others.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

const Op* make_current(Warp& w, std::size_t i) {
  const Group g = w.others[i];
  w.others.erase(w.others.begin() + static_cast<std::ptrdiff_t>(i));
  w.mask = g.mask;
  w.call = g.frame;
  w.frame = g.frame->memory.get();
  merge(w, g.pc);
  w.split = static_cast<std::uint32_t>(w.others.size());
  return g.pc;
}

// The ready group that goes first; -1 where there is none.
std::ptrdiff_t best_ready(const Warp& w) {
  std::ptrdiff_t best = -1;
  for (std::size_t i = 0; i < w.others.size(); ++i) {
    if (w.others[i].state != Group::State::ready) continue;
    if (best < 0 || goes_before(w.others[i], w.others[static_cast<std::size_t>(best)])) {
      best = static_cast<std::ptrdiff_t>(i);
    }
  }
  return best;
}

// The current group has no lanes left.
const Op* pick(Warp& w) {
  w.split = static_cast<std::uint32_t>(w.others.size());
  const std::ptrdiff_t best = best_ready(w);
  if (best >= 0) return make_current(w, static_cast<std::size_t>(best));
  w.pc = nullptr;
  w.mask = 0;
  w.stop = w.alive == 0 ? Stop::exited : Stop::blocked;
  return nullptr;
}

std::string hexadecimal(std::uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

// --- barriers that not all threads come to ------------------------------------------------------

enum class Flow : std::uint8_t { on, branch, table, end };

// The effect of an operation on the flow of control.
Flow flow_of(const Code& code, const Op& op) {
  static const auto* const known = [] {
    auto* all = new std::map<Handler, Flow>;
    for (const HandlerEntries& set : {avx512::entries(), avx2::entries(), baseline::entries()}) {
      for (std::size_t i = 0; i < set.count; ++i) {
        const std::string_view name = set.first[i].name;
        if (name == "bra" || name == "bra.short") (*all)[set.first[i].handler] = Flow::branch;
        if (name == "brx") (*all)[set.first[i].handler] = Flow::table;
        if (name == "exit" || name == "ret") (*all)[set.first[i].handler] = Flow::end;
      }
    }
    return all;
  }();
  const auto found = known->find(handler_of(code, op));
  return found == known->end() ? Flow::on : found->second;
}

// Places that threads only pass through: they do nothing.
bool does_nothing(const Code& code, const Op& op) {
  static const auto* const known = [] {
    auto* all = new std::set<Handler>;
    for (const HandlerEntries& set : {avx512::entries(), avx2::entries(), baseline::entries()}) {
      for (std::size_t i = 0; i < set.count; ++i) {
        const std::string_view name = set.first[i].name;
        if (name == "join" || name == "loop" || name == "nop") all->insert(set.first[i].handler);
      }
    }
    return all;
  }();
  return flow_of(code, op) != Flow::on || known->contains(handler_of(code, op));
}

// Calls `visit` with the index of each operation that may come after this one, within the function
// or at its end.
template <class Visit>
void for_each_next(const Code& code, std::size_t i, Visit&& visit) {
  const Op& op = code.ops[i];
  const Flow flow = flow_of(code, op);
  const auto at = [&](std::int64_t distance) {
    visit(static_cast<std::size_t>(static_cast<std::int64_t>(i) + distance));
  };
  if (flow == Flow::branch) at(op.imm);
  if (flow == Flow::table) {
    const auto& table = *static_cast<const Pieces*>(op.extra);
    for (std::uint32_t k = 0; k < table.count; ++k) at(static_cast<std::int32_t>(table.slots[k]));
  }
  if (flow == Flow::on || op.guard != 0) visit(i + 1);
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

// How a thread that ended at `left` may have got there without the barrier at `barrier`, where
// others wait.
enum class Departure : std::uint8_t {
  early,     // it has been at the barrier, or left a loop early and ended
  returned,  // it ended without the barrier and without doing what follows it
  around,    // it went around the barrier and did what follows it
  loop,      // the same, or it has made fewer turns of the loop that the barrier is in
  tail,      // the same, or it returned early, and what both do at last has been merged
};

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
    if (does_nothing(code, code.ops[i]) && flow_of(code, code.ops[i]) == Flow::on) continue;
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
    if (after[i] && !before[i] && !does_nothing(code, code.ops[i])) closed[i] = true;
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

// The same, asked for at every barrier of a block that threads have left.
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

// Where a group is, or what it called from there, in the kernel's own code.
const Op* outermost(const Frame* frame, const Op* op) {
  for (; frame->caller != nullptr; frame = frame->caller) op = frame->return_to;
  return op;
}

bool at_same_place(const Frame* a, const Op* op_a, const Frame* b, const Op* op_b) {
  for (; op_a == op_b; a = a->caller, b = b->caller) {
    if (a == b) return true;
    if (a->caller == nullptr || b->caller == nullptr) return a->caller == b->caller;
    op_a = a->return_to;
    op_b = b->return_to;
  }
  return false;
}

// Once for each place in the code, and not without end. A place is a line of the program, whatever
// has been inlined there and however often it is unrolled; without lines it is an instruction.
bool first_time(const Code& code, const Op* op) {
  constexpr std::size_t most = 64;
  thread_local std::set<const Op*> mine;
  if (!mine.insert(op).second) return false;
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  std::array<std::int64_t, 2> line{-1, static_cast<std::int64_t>(index)};
  if (index < code.origins.size() && code.origins[index].source_line > 0) {
    const Origin& origin = code.origins[index];
    line = {origin.source_file, origin.source_line};
    for (std::int32_t i = origin.inlined_at; i >= 0;) {
      const CallSite& site = code.call_sites[static_cast<std::size_t>(i)];
      line = {site.file, site.line};
      i = site.inlined_at;
    }
  }
  static std::mutex mutex;
  static auto* const all = new std::set<std::pair<std::string, std::array<std::int64_t, 2>>>;
  const std::lock_guard lock(mutex);
  return all->size() < most && all->emplace(code.name, line).second;
}

void notice(const Warp& w, int lane, const Code& code, const Op* op, const std::string& what,
            bool is_error = false) {
  if (options().check) return check::report_notice(w, lane, code, op, what, is_error);
  std::fprintf(stderr, "softgpu: notice: kernel %s, %s, at %s: %s\n",
               readable_name(w.block->launch->code->name).c_str(), describe_thread(w, lane).c_str(),
               describe_place(code, op).c_str(), what.c_str());
}

// Lanes that wait at the barrier `id` (16: the cluster's), in any warp of the block.
struct Waiting {
  Warp* warp = nullptr;
  const Group* group = nullptr;
};
Waiting waiting_at(const Block& block, std::uint32_t id) {
  for (const auto& warp : block.warps) {
    for (const Group& g : warp->others) {
      if (g.state == Group::State::at_barrier && g.barrier == id) return {warp.get(), &g};
    }
  }
  return {};
}

// The threads of the block that are left have come to a barrier; others have ended. That is nothing
// to a barrier, unless these did what follows it: then they should have come to it first.
void check_departed(Block& block, std::uint32_t id, const BarrierPlace& place, const char* what) {
  if (block.alive_threads == block.launch->threads.count() || place.op == nullptr) return;
  // Threads whose assertions failed have not ended by themselves.
  if (block.launch->assertion_deadline != 0) return;
  const Code& kernel = *block.launch->code;
  const Waiting waiting = waiting_at(block, id);
  if (waiting.group == nullptr) return;
  const Op* const at = waiting.group->pc - 1;
  const Op* const from = outermost(waiting.group->frame, at);
  for (const auto& warp : block.warps) {
    if (warp->left_at == nullptr) continue;
    const Departure how = known_departure(*block.launch, from, warp->left_at);
    if (how == Departure::early || (how == Departure::returned && !options().check)) continue;
    const int gone = std::countr_zero(warp->initial & ~warp->alive);
    const std::string text =
        std::to_string(block.alive_threads) + " threads of the block wait at this " + what + "; " +
        std::to_string(block.launch->threads.count() - block.alive_threads) +
        " have ended without it" +
        (how == Departure::returned ? ": " : ", having done what follows it: ") +
        describe_thread(*warp, gone) + " at " + describe_place(kernel, warp->left_at) +
        ". A barrier has to be reached by all threads or by none";
    Warp& w = *waiting.warp;
    if (how == Departure::around) {
      w.call = waiting.group->frame;
      raise_fault(w, at, std::countr_zero(waiting.group->mask), error_illegal_instruction, text);
    }
    if (first_time(*waiting.group->frame->code, at)) {
      notice(w, std::countr_zero(waiting.group->mask), *waiting.group->frame->code, at,
             text + (how == Departure::loop ? ", in every turn of a loop"
                     : how == Departure::returned
                         ? ", and only devices since Volta do not wait for threads that have ended"
                         : ", unless these returned early and the compiler has merged their last "
                           "statements with those of the others"),
             how == Departure::loop);
    }
  }
}

// Warps of a block have come to __syncthreads() in two places. PTX permits that, and devices do
// what was meant; CUDA does not, and the checker says so.
void check_places(Block& block, std::uint32_t id, const BarrierPlace& one,
                  const BarrierPlace& another) {
  constexpr std::uint32_t aligned = 4;  // of Op::aux
  if (!options().check || id != 0 || (one.op->aux & another.op->aux & aligned) == 0) return;
  const Waiting waiting = waiting_at(block, id);
  if (waiting.group == nullptr) return;
  const Op* const at = waiting.group->pc - 1;
  const Code& code = *waiting.group->frame->code;
  const BarrierPlace& elsewhere = at == one.op ? another : one;
  if (!first_time(code, at)) return;
  notice(*waiting.warp, std::countr_zero(waiting.group->mask), code, at,
         "some warps of the block come to this barrier while others come to the one at " +
             describe_place(*elsewhere.code, elsewhere.op) +
             ": __syncthreads() may stand in a branch only where all threads of the block take it");
}

// A barrier of the whole block is complete. Where warps came to it in different places, as PTX
// permits, each has to come to as many: it was a mistake if now only some come to one of these
// places and the others have ended.
void check_phase(Block& block, std::uint32_t id) {
  Barrier& b = block.barriers[id];
  const BarrierPlace place = b.place;
  const BarrierPlace other = b.other;
  b.place = {};
  b.other = {};
  if (place.op == nullptr) return;
  if (other.op != nullptr) {
    b.mixed[0] = place;
    b.mixed[1] = other;
    b.alive_when_mixed = block.alive_threads;
    check_places(block, id, place, other);
    return;
  }
  check_departed(block, id, place, "barrier");
  if (b.mixed[0].op == nullptr || block.alive_threads >= b.alive_when_mixed) return;
  if (place.op != b.mixed[0].op && place.op != b.mixed[1].op) return;
  const Waiting waiting = waiting_at(block, id);
  if (waiting.group == nullptr) return;
  const Code& code = *place.code;
  const auto index = static_cast<std::size_t>(place.op - code.ops.data());
  // In a loop it may have been right: the others have made fewer turns.
  if (reachable(code, index, std::vector<bool>(code.ops.size(), false), false)[index]) return;
  Warp& w = *waiting.warp;
  w.call = waiting.group->frame;
  const BarrierPlace& elsewhere = place.op == b.mixed[0].op ? b.mixed[1] : b.mixed[0];
  raise_fault(w, waiting.group->pc - 1, std::countr_zero(waiting.group->mask),
              error_illegal_instruction,
              "threads of a block came to different barriers: to this one and, at the same time, "
              "to the one at " +
                  describe_place(*elsewhere.code, elsewhere.op) + "; now " +
                  std::to_string(block.alive_threads) +
                  " threads wait here and the others have ended. A barrier has to be reached by "
                  "all threads or by none");
}

// Every warp that a barrier releases goes on to its next branch before any goes further, much as on
// a device, where all are issued in turn: programs are about that read what others wrote and leave
// out the barrier before it is overwritten. A schedule seed does without, so that this shows.
void complete_barrier(Block& block, std::uint32_t id) {
  Barrier& b = block.barriers[id];
  check_phase(block, id);
  if (Observer* observer = block.launch->observer) observer->barrier_opens(block, id);
  b.results[b.phase & 1U][0] = b.votes;
  b.results[b.phase & 1U][1] = b.arrived;
  ++b.phase;
  b.arrived = 0;
  b.arrived_warps = 0;
  b.expected = 0;
  b.votes = 0;
  for (auto& warp : block.warps) {
    for (Group& g : warp->others) {
      if (g.state == Group::State::at_barrier && g.barrier == id) g.state = Group::State::ready;
    }
    if (warp->stop == Stop::blocked) warp->stop = Stop::none;
    warp->released = block.launch->in_step;
  }
}

bool barrier_complete(const Block& block, const Barrier& b) {
  if (b.arrived == 0) return false;
  return b.expected != 0 ? b.arrived_warps >= b.expected : b.arrived >= block.alive_threads;
}

void check_cluster(Cluster& cluster) {
  if (cluster.arrived == 0) return;
  std::uint32_t alive = 0;
  for (const Block* block : cluster.blocks) alive += block->alive_threads;
  if (cluster.arrived < alive) return;
  for (Block* block : cluster.blocks) {
    check_departed(*block, cluster_barrier, cluster.place, "barrier of the cluster");
  }
  if (Observer* observer = cluster.blocks.front()->launch->observer) {
    observer->cluster_barrier_opens(cluster);
  }
  cluster.arrived = 0;
  cluster.place = {};
  ++cluster.phase;
  for (Block* block : cluster.blocks) {
    for (auto& warp : block->warps) {
      for (Group& g : warp->others) {
        if (g.state == Group::State::at_barrier && g.barrier == cluster_barrier) {
          g.state = Group::State::ready;
        }
      }
      if (warp->stop == Stop::blocked) warp->stop = Stop::none;
    }
  }
}

// --- lanes that wait for each other -------------------------------------------------------------

// The operations at which lanes of a warp exchange values, as far as it matters where these are.
enum class Exchange : std::uint8_t { shuffle, vote, match32, match64, reduce, elect, none };

Exchange exchange_of(Handler handler) {
  static const std::array<std::array<Handler, 6>, 3> handlers = [] {
    std::array<std::array<Handler, 6>, 3> all{};
    constexpr std::array<std::string_view, 6> names = {"shfl",     "vote",  "match.32",
                                                       "match.64", "redux", "elect"};
    const std::array<HandlerEntries, 3> sets = {avx512::entries(), avx2::entries(),
                                                baseline::entries()};
    for (std::size_t set = 0; set < sets.size(); ++set) {
      for (std::size_t i = 0; i < sets[set].count; ++i) {
        const auto* const name = std::ranges::find(names, sets[set].first[i].name);
        if (name != names.end()) {
          all[set][static_cast<std::size_t>(name - names.begin())] = sets[set].first[i].handler;
        }
      }
    }
    return all;
  }();
  for (const auto& set : handlers) {
    const auto* const found = std::ranges::find(set, handler);
    if (found != set.end()) return static_cast<Exchange>(found - set.begin());
  }
  return Exchange::none;
}

// The part of `aux` that says what is computed; the rest says where a result goes.
std::uint32_t qualifiers(Exchange kind, const Op& op) {
  switch (kind) {
    case Exchange::shuffle: return op.aux & 3U;
    case Exchange::match32:
    case Exchange::match64: return op.aux & 1U;
    case Exchange::vote:
    case Exchange::reduce: return op.aux;
    default: return 0;
  }
}

// A register of the operation in place: which field names it, and bytes of a lane (0: a predicate).
struct Place {
  std::uint32_t slot;
  std::uint32_t lane_bytes;
  bool result;
};

// In the same order for every operation of a kind. Slot 0 is no register's: a result that nobody
// wants. `negated` tells whether the first place is a predicate whose complement is meant.
std::array<Place, 6> places_of(Exchange kind, const Op& op, bool& negated) {
  constexpr Place nowhere{0, 4, true};
  negated = false;
  const Place second{(op.aux >> 2) * 4, 0, true};
  switch (kind) {
    case Exchange::shuffle:
      return {{{op.a, 4, false},
               {op.b, 4, false},
               {op.c, 4, false},
               {static_cast<std::uint32_t>(op.imm), 4, false},
               {op.d, 4, true},
               second}};
    case Exchange::vote:
      negated = (op.a & 1U) != 0;
      return {{{op.a & ~3U, 0, false},
               {op.b, 4, false},
               {op.d, op.aux == 3 ? 4U : 0U, true},
               nowhere,
               nowhere,
               nowhere}};
    case Exchange::match32:
    case Exchange::match64:
      return {{{op.a, kind == Exchange::match64 ? 8U : 4U, false},
               {op.b, 4, false},
               {op.d, 4, true},
               second,
               nowhere,
               nowhere}};
    case Exchange::reduce:
      return {{{op.a, 4, false}, {op.b, 4, false}, {op.d, 4, true}, nowhere, nowhere, nowhere}};
    default:
      return {{{op.a, 4, false}, {op.d, 4, true}, {op.aux, 0, true}, nowhere, nowhere, nowhere}};
  }
}

// Which of them is the member mask.
std::size_t members_place(Exchange kind) {
  return kind == Exchange::shuffle ? 3 : kind == Exchange::elect ? 0 : 1;
}

void copy_lanes(std::byte* to, const std::byte* from, std::uint32_t lane_bytes, std::uint32_t mask,
                bool negated) {
  if (lane_bytes == 0) {
    std::uint32_t there = 0;
    std::uint32_t here = 0;
    std::memcpy(&there, to, sizeof there);
    std::memcpy(&here, from, sizeof here);
    if (negated) here = ~here;
    there = (there & ~mask) | (here & mask);
    std::memcpy(to, &there, sizeof there);
    return;
  }
  for (std::uint32_t rest = mask; rest != 0; rest &= rest - 1) {
    const auto at = static_cast<std::size_t>(std::countr_zero(rest)) * lane_bytes;
    std::memcpy(to + at, from + at, lane_bytes);
  }
}

// Executes an exchange whose lanes stand at several operations, or in several calls of one
// function: their operands are brought together in a frame of its own, and the results taken back.
void exchange_between(Warp& w, Exchange kind, const std::vector<Group*>& groups) {
  constexpr std::uint32_t register_bytes = 8 * warp_size;
  constexpr std::uint32_t first_register = 64;  // the first word is the predicate that holds always
  alignas(64) std::byte memory[first_register + 6 * register_bytes] = {};
  std::memcpy(memory, &full_mask, sizeof full_mask);
  const auto slot = [](std::size_t i) {
    return first_register + static_cast<std::uint32_t>(i) * register_bytes;
  };

  // A handler may end with a jump to the next operation: here there is one that does nothing.
  std::array<Op, 2> ops;
  ops[1].run = [](Warp&, const Op* last) { return last; };
  Op& op = ops[0];
  op = *groups.front()->pc;
  op.run = handler_of(*groups.front()->frame->code, *groups.front()->pc);
  op.guard = 0;
  switch (kind) {
    case Exchange::shuffle:
      op.a = slot(0);
      op.b = slot(1);
      op.c = slot(2);
      op.imm = slot(3);
      op.d = slot(4);
      op.aux = (op.aux & 3U) | slot(5);  // a slot divided by 4, above two bits
      break;
    case Exchange::vote:
      op.a = slot(0);
      op.b = slot(1);
      op.d = slot(2);
      break;
    case Exchange::match32:
    case Exchange::match64:
      op.a = slot(0);
      op.b = slot(1);
      op.d = slot(2);
      op.aux = (op.aux & 3U) | slot(3);
      break;
    case Exchange::reduce:
      op.a = slot(0);
      op.b = slot(1);
      op.d = slot(2);
      break;
    default:
      op.a = slot(0);
      op.d = slot(1);
      op.aux = slot(2);
      break;
  }
  std::uint32_t all = 0;
  bool negated = false;
  for (const Group* g : groups) {
    all |= g->mask;
    const auto places = places_of(kind, *g->pc, negated);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].result) continue;
      copy_lanes(memory + slot(i), g->frame->memory.get() + places[i].slot, places[i].lane_bytes,
                 g->mask, negated && i == 0);
    }
  }
  // Lanes that have exited meanwhile are named by some and no longer by others.
  auto* const named = reinterpret_cast<std::uint32_t*>(memory + slot(members_place(kind)));
  for (int l = 0; l < warp_size; ++l) named[l] &= w.alive;
  std::byte* const frame = w.frame;
  const std::uint32_t mask = w.mask;
  w.frame = memory;
  w.mask = all;
  w.meeting = groups.front();
  static_cast<void>(op.run(w, &op));
  w.meeting = nullptr;
  w.frame = frame;
  w.mask = mask;
  for (Group* g : groups) {
    const auto places = places_of(kind, *g->pc, negated);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (!places[i].result || places[i].slot == 0) continue;
      copy_lanes(g->frame->memory.get() + places[i].slot, memory + slot(i), places[i].lane_bytes,
                 g->mask, false);
    }
    if (Observer* observer = w.block->launch->observer) {
      observer->lanes_exchanged(*g->frame->code, *g->pc, g->mask);
    }
    g->state = Group::State::ready;
    ++g->pc;
  }
}

// Lanes that have exited meanwhile are named by some and no longer by others.
bool same_members(const Warp& w, const Group& a, const Group& b) {
  return (a.members & w.alive) == (b.members & w.alive);
}

// Lanes that stand together at one operation become one group, which executes it.
void meet_here(Warp& w, const Group& place) {
  std::uint32_t mask = 0;
  Group* kept = nullptr;
  for (Group& g : w.others) {
    if (g.pc != place.pc || g.frame != place.frame) continue;
    if (g.state == Group::State::at_barrier) continue;
    mask |= g.mask;
    if (kept == nullptr) {
      kept = &g;
      g.state = Group::State::ready;
    } else {
      g.mask = 0;
    }
  }
  kept->mask = mask;
  std::erase_if(w.others, [](const Group& g) { return g.mask == 0; });
}

// Lanes of `place` and others wait for each other at different places: they exchange their values
// if that can be (the PTX ISA asks for the same qualifiers and the same members, not for the same
// instruction).
void meet_elsewhere(Warp& w, const Group& place) {
  std::vector<Group*> groups;
  for (Group& g : w.others) {
    if (g.state == Group::State::at_sync && !g.meets_anywhere && same_members(w, g, place)) {
      groups.push_back(&g);
    }
  }
  const Handler handler = handler_of(*place.frame->code, *place.pc);
  const Exchange kind = exchange_of(handler);
  for (const Group* g : groups) {
    if (kind != Exchange::none && handler_of(*g->frame->code, *g->pc) == handler &&
        qualifiers(kind, *g->pc) == qualifiers(kind, *place.pc)) {
      continue;
    }
    if (g->pc == place.pc && g->frame == place.frame) continue;
    w.call = g->frame;
    raise_fault(w, g->pc, std::countr_zero(g->mask), error_illegal_instruction,
                "lanes of a warp that wait for each other, by the member mask " +
                    hexadecimal(place.members) + ", are at different operations: this one, and " +
                    describe_thread(w, std::countr_zero(place.mask)) + " at " +
                    describe_place(*place.frame->code, place.pc));
  }
  exchange_between(w, kind, groups);
}

// Lanes wait at `waiting.pc`, and some that their mask names have ended instead of coming to it.
// That is nothing where these returned early. Those that did what follows the operation should have
// come to it first: a result without theirs is not what devices promise.
void notice_absent(const Warp& w, const Group& waiting) {
  const std::uint32_t gone = waiting.members & ~w.alive;
  const Launch& launch = *w.block->launch;
  if (gone == 0 || w.left_at == nullptr || launch.assertion_deadline != 0) return;
  const Departure how = known_departure(launch, outermost(waiting.frame, waiting.pc), w.left_at);
  if (how != Departure::around && how != Departure::loop) return;
  const Code& code = *waiting.frame->code;
  if (!first_time(code, waiting.pc)) return;
  notice(w, std::countr_zero(waiting.mask), code, waiting.pc,
         "waits for " + describe_thread(w, std::countr_zero(gone)) +
             ", which its member mask names; that has ended without coming here, having done what "
             "follows, at " +
             describe_place(*launch.code, w.left_at) +
             ". All lanes that a mask names have to come; the others go on without it",
         true);
}

// Lanes that wait for each other go on where all of them have come.
void check_meetings(Warp& w) {
  for (std::size_t i = 0; i < w.others.size(); ++i) {
    const Group first = w.others[i];
    if (first.state != Group::State::at_sync) continue;
    const std::uint32_t wanted = first.members & w.alive;
    std::uint32_t here = 0;
    std::uint32_t anywhere = 0;
    for (const Group& g : w.others) {
      if (g.state != Group::State::at_sync) continue;
      if (g.pc == first.pc && g.frame == first.frame) here |= g.mask;
      if (g.meets_anywhere == first.meets_anywhere && same_members(w, g, first)) {
        anywhere |= g.mask;
      }
    }
    const bool at_one_place = !first.meets_anywhere && (wanted & ~here) == 0;
    if (!at_one_place && (wanted & ~anywhere) != 0) continue;
    notice_absent(w, first);
    if (first.meets_anywhere) {
      if (Observer* observer = w.block->launch->observer) observer->lanes_meet(w, anywhere);
      for (Group& g : w.others) {
        if (g.state != Group::State::at_sync || !g.meets_anywhere) continue;
        if (!same_members(w, g, first)) continue;
        g.state = Group::State::ready;
        ++g.pc;
      }
    } else if (at_one_place) {
      meet_here(w, first);
    } else {
      meet_elsewhere(w, first);
    }
    i = static_cast<std::size_t>(-1);  // from the start: the list has changed
  }
}

void lanes_left(Warp& w, const Op* op, std::uint32_t gone) {
  Block& block = *w.block;
  w.alive &= ~gone;
  if (w.call->caller == nullptr) w.left_at = op;
  block.alive_threads -= popcount(gone);
  if (w.alive == 0) --block.alive_warps;
  for (std::uint32_t used = block.used_barriers; used != 0; used &= used - 1) {
    const auto id = static_cast<std::uint32_t>(std::countr_zero(used));
    if (barrier_complete(block, block.barriers[id])) complete_barrier(block, id);
  }
  if (block.cluster != nullptr) check_cluster(*block.cluster);
  if (w.alive != 0) check_meetings(w);
}

template <class T>
void fill(std::byte* at, T value) {
  for (int l = 0; l < warp_size; ++l)
    std::memcpy(at + static_cast<std::size_t>(l) * sizeof(T), &value, sizeof(T));
}

void put(std::byte* memory, std::uint32_t slot, std::uint32_t lane_bytes, std::uint64_t value) {
  if (lane_bytes == 8) {
    fill<std::uint64_t>(memory + slot, value);
  } else if (lane_bytes == 16) {
    fill<std::uint64_t>(memory + slot, value);
    fill<std::uint64_t>(memory + slot + 256, 0);
  } else {
    fill<std::uint32_t>(memory + slot, static_cast<std::uint32_t>(value));
  }
}

// False for those that differ from lane to lane.
bool special_value(const Warp& w, Special which, std::uint64_t& value) {
  const Block& block = *w.block;
  const Launch& launch = *block.launch;
  const Dim3& cluster = launch.cluster;
  switch (which) {
    case Special::ntid_x: value = launch.threads.x; return true;
    case Special::ntid_y: value = launch.threads.y; return true;
    case Special::ntid_z: value = launch.threads.z; return true;
    case Special::ctaid_x: value = block.at.x; return true;
    case Special::ctaid_y: value = block.at.y; return true;
    case Special::ctaid_z: value = block.at.z; return true;
    case Special::nctaid_x: value = launch.grid.x; return true;
    case Special::nctaid_y: value = launch.grid.y; return true;
    case Special::nctaid_z: value = launch.grid.z; return true;
    case Special::warpid: value = static_cast<std::uint64_t>(w.index); return true;
    case Special::nwarpid: value = block.warps.size(); return true;
    case Special::smid:
      value = block.linear % static_cast<std::uint64_t>(std::max(launch.multiprocessors, 1));
      return true;
    case Special::nsmid: value = static_cast<std::uint64_t>(launch.multiprocessors); return true;
    case Special::gridid: value = launch.id; return true;
    case Special::dynamic_smem_size: value = launch.dynamic_shared; return true;
    case Special::total_smem_size:
    case Special::aggr_smem_size: value = block.shared_bytes; return true;
    case Special::clusterid_x: value = block.at.x / cluster.x; return true;
    case Special::clusterid_y: value = block.at.y / cluster.y; return true;
    case Special::clusterid_z: value = block.at.z / cluster.z; return true;
    case Special::nclusterid_x: value = launch.grid.x / cluster.x; return true;
    case Special::nclusterid_y: value = launch.grid.y / cluster.y; return true;
    case Special::nclusterid_z: value = launch.grid.z / cluster.z; return true;
    case Special::cluster_ctaid_x: value = block.at.x % cluster.x; return true;
    case Special::cluster_ctaid_y: value = block.at.y % cluster.y; return true;
    case Special::cluster_ctaid_z: value = block.at.z % cluster.z; return true;
    case Special::cluster_nctaid_x: value = cluster.x; return true;
    case Special::cluster_nctaid_y: value = cluster.y; return true;
    case Special::cluster_nctaid_z: value = cluster.z; return true;
    case Special::cluster_ctarank: value = block.rank; return true;
    case Special::cluster_nctarank: value = cluster.count(); return true;
    case Special::is_explicit_cluster: value = cluster.count() > 1 ? full_mask : 0; return true;
    case Special::zero: value = 0; return true;
    case Special::dynamic_shared_base:
      value = dynamic_shared_offset(launch.code->shared_bytes);
      return true;
    case Special::reserved_shared_begin:
      value = block.shared_bytes - reserved_shared_bytes;
      return true;
    case Special::workspace_low: value = launch.workspace & 0xffffffffU; return true;
    case Special::workspace_high: value = launch.workspace >> 32; return true;
    case Special::reserved_shared_end: value = block.shared_bytes; return true;
    default: return false;
  }
}

std::uint64_t lane_value(const Warp& w, Special which, std::uint32_t lane) {
  const Dim3& threads = w.block->launch->threads;
  const std::uint64_t thread = static_cast<std::uint64_t>(w.index) * warp_size + lane;
  switch (which) {
    case Special::tid_x: return thread % threads.x;
    case Special::tid_y: return thread / threads.x % threads.y;
    case Special::tid_z: return thread / threads.x / threads.y;
    case Special::laneid: return lane;
    case Special::lanemask_eq: return 1U << lane;
    case Special::lanemask_lt: return (1U << lane) - 1U;
    case Special::lanemask_le: return (2U << lane) - 1U;
    case Special::lanemask_gt: return ~((2U << lane) - 1U);
    case Special::lanemask_ge: return ~((1U << lane) - 1U);
    default: return 0;
  }
}

bool changes_with_block(Special which) {
  switch (which) {
    case Special::ctaid_x:
    case Special::ctaid_y:
    case Special::ctaid_z:
    case Special::smid:
    case Special::clusterid_x:
    case Special::clusterid_y:
    case Special::clusterid_z:
    case Special::cluster_ctaid_x:
    case Special::cluster_ctaid_y:
    case Special::cluster_ctaid_z:
    case Special::cluster_ctarank: return true;
    default: return false;
  }
}

void put_special(Warp& w, std::byte* memory, const SpecialSlot& s) {
  std::uint64_t value = 0;
  if (special_value(w, s.special, value)) {
    put(memory, s.slot, s.lane_bytes, value);
    return;
  }
  for (std::uint32_t l = 0; l < warp_size; ++l) {
    value = lane_value(w, s.special, l);
    if (s.lane_bytes == 8) {
      std::memcpy(memory + s.slot + l * 8, &value, 8);
    } else {
      const auto narrow = static_cast<std::uint32_t>(value);
      std::memcpy(memory + s.slot + l * 4, &narrow, 4);
    }
  }
}

}  // namespace

// --- frames -------------------------------------------------------------------------------------

Frame* take_frame(Warp& w, const Code& code) {
  Frame* frame = nullptr;
  for (std::size_t i = w.free_frames.size(); i-- > 0;) {
    if (w.free_frames[i]->code == &code) {
      frame = w.free_frames[i];
      w.free_frames.erase(w.free_frames.begin() + static_cast<std::ptrdiff_t>(i));
      refresh_frame(w, *frame);
      if (Observer* observer = w.block->launch->observer) observer->frame_taken(*frame);
      return frame;
    }
  }
  w.frames.push_back(std::make_unique<Frame>());
  frame = w.frames.back().get();
  const std::size_t bytes = (code.frame_bytes + 63U) / 64U * 64U;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  frame->memory.reset(memory);
  frame->capacity = bytes;
  frame->code = &code;
  std::memset(memory, 0, bytes);
  std::memcpy(memory, &full_mask, sizeof full_mask);
  for (const Constant& c : code.constants) {
    if (c.lane_bytes == 0) {
      const auto bits = static_cast<std::uint32_t>(c.bits);
      std::memcpy(memory + c.slot, &bits, sizeof bits);
    } else {
      put(memory, c.slot, c.lane_bytes, c.bits);
    }
  }
  for (const ParameterValue& p : code.parameter_values) {
    std::uint64_t value = 0;
    std::memcpy(&value, w.parameters + p.offset, p.size);
    if (p.sign_extend && p.size < 8) {
      const unsigned shift = 64 - 8 * p.size;
      value = static_cast<std::uint64_t>(static_cast<std::int64_t>(value << shift) >> shift);
    }
    put(memory, p.slot, p.lane_bytes, value);
  }
  for (const SpecialSlot& s : code.specials) put_special(w, memory, s);
  return frame;
}

void refresh_frame(Warp& w, Frame& frame) {
  for (const SpecialSlot& s : frame.code->specials) {
    if (changes_with_block(s.special)) put_special(w, frame.memory.get(), s);
  }
}

bool grow_local(Warp& w, std::size_t bytes) {
  if (bytes <= w.local_stride) return true;
  const std::size_t limit = std::min(
      largest_stack, std::max<std::size_t>(w.block->launch->stack_limit, std::size_t{1} << 16));
  // A kernel's own variables are not limited, only what recursion adds.
  const std::size_t own = w.block->launch->code->local_bytes;
  if (bytes > own + limit) return false;
  std::size_t stride = std::max<std::size_t>(w.local_stride * 2, bytes);
  stride = std::min((stride + 63) / 64 * 64, (own + limit + 63) / 64 * 64);
  std::vector<std::byte> storage(stride * warp_size);
  for (std::size_t l = 0; l < warp_size && w.local_stride > 0; ++l) {
    std::memcpy(storage.data() + l * stride, w.local + l * w.local_stride, w.local_stride);
  }
  w.local_storage = std::move(storage);
  w.local = w.local_storage.data();
  w.local_stride = stride;
  return true;
}

void start_warp(Warp& w) {
  const Code& code = *w.block->launch->code;
  w.others.clear();
  w.split = 0;
  w.alive = w.initial;
  w.mask = w.initial;
  w.patience = 0;
  w.kept = 0;
  w.executed = 0;
  w.async.reset();
  w.cluster_phase = 0;
  w.left_at = nullptr;
  w.meeting = nullptr;
  w.ending = 0;
  w.rest_until = nullptr;
  w.released = false;
  w.stop = Stop::none;
  w.parameters = w.block->launch->parameters.data();
  w.free_frames.clear();
  for (auto& frame : w.frames) w.free_frames.push_back(frame.get());
  Frame* frame = take_frame(w, code);
  frame->caller = nullptr;
  frame->return_to = nullptr;
  frame->local_base = 0;
  frame->depth = 0;
  frame->lanes = w.initial;
  if (!grow_local(w, code.local_bytes)) throw std::bad_alloc();
  w.call = frame;
  w.frame = frame->memory.get();
  w.pc = code.ops.data();
}

void run_warp(Warp& w) {
  const std::uint64_t epoch = Memory::instance().epoch();
  if (w.cache_epoch != epoch) {
    for (auto& range : w.cache) range = RangeCache{};
    w.cache_epoch = epoch;
  }
  w.stop = Stop::none;
  const Op* op = w.pc;
  if (op == nullptr) op = pick(w);  // woken at a barrier
  while (op != nullptr) op = op->run(w, op);
}

// --- control flow -------------------------------------------------------------------------------

const Op* reschedule(Warp& w, const Op* next) {
  if (next == nullptr || w.mask == 0) return pick(w);
  merge(w, next);
  w.split = static_cast<std::uint32_t>(w.others.size());
  if (w.split == 0) {
    w.patience = 0;
    w.kept = 0;
    return next;
  }
  if (w.kept > 0) {
    --w.kept;
    return next;
  }
  std::ptrdiff_t chosen = -1;
  if (++w.patience >= turns) {
    // Another group's turn, the one that has waited longest.
    w.patience = 0;
    for (std::size_t i = 0; i < w.others.size() && chosen < 0; ++i) {
      if (w.others[i].state == Group::State::ready) chosen = static_cast<std::ptrdiff_t>(i);
    }
    if (chosen >= 0) w.kept = turns;
  } else {
    Group current;
    current.pc = next;
    current.mask = w.mask;
    current.frame = w.call;
    const std::ptrdiff_t best = best_ready(w);
    if (best >= 0 && goes_before(w.others[static_cast<std::size_t>(best)], current)) chosen = best;
  }
  if (chosen < 0) return next;
  park(w, next, w.mask, w.call);
  return make_current(w, static_cast<std::size_t>(chosen));
}

const Op* diverge(Warp& w, std::uint32_t taken, const Op* target, const Op* fall_through) {
  park(w, target, taken, w.call);
  w.mask &= ~taken;
  return reschedule(w, fall_through);
}

const Op* branch_by_table(Warp& w, const Op* op) {
  std::uint32_t m = active(w, op);
  const auto* a = lanes<std::uint32_t>(w, op->a);
  const auto& table = *static_cast<const Pieces*>(op->extra);
  const std::uint32_t stay = w.mask & ~m;
  if (stay != 0) park(w, op + 1, stay, w.call);
  while (m != 0) {
    const int l = std::countr_zero(m);
    const std::uint32_t index = a[l];
    if (index >= table.count) {
      raise_fault(w, op, l, error_invalid_pc,
                  "the index " + std::to_string(index) + " is beyond the table of " +
                      std::to_string(table.count) + " labels");
    }
    std::uint32_t same = 0;
    for (std::uint32_t rest = m; rest != 0; rest &= rest - 1) {
      if (a[std::countr_zero(rest)] == index) same |= rest & (0U - rest);
    }
    m &= ~same;
    park(w, op + static_cast<std::int32_t>(table.slots[index]), same, w.call);
  }
  w.mask = 0;
  return pick(w);
}

const Op* exit_lanes(Warp& w, const Op* op, std::uint32_t gone) {
  w.mask &= ~gone;
  if (gone != 0) lanes_left(w, op, gone);
  return reschedule(w, w.mask == 0 ? nullptr : op + 1);
}

const Op* call_function(Warp& w, const Op* op, const Code& callee, std::uint32_t group) {
  if (callee.ops.empty()) {
    raise_fault(w, op, std::countr_zero(group), error_illegal_instruction,
                "the function " + callee.name + " could not be decoded");
  }
  Frame* caller = w.call;
  const std::uint32_t base =
      caller->local_base + caller->code->local_bytes + (caller->depth == 0 ? 0U : 48U);
  const std::uint32_t depth = caller->depth + 1;
  if (depth > 20000 || !grow_local(w, base + callee.local_bytes + 48U)) {
    raise_fault(w, op, std::countr_zero(group), error_hardware_stack,
                "stack overflow at a call depth of " + std::to_string(depth) +
                    " (cudaDeviceSetLimit(cudaLimitStackSize, ...) gives more)");
  }
  Frame* frame = take_frame(w, callee);
  frame->caller = caller;
  frame->return_to = op;
  frame->local_base = base;
  frame->depth = depth;
  frame->lanes = group;
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  if (pieces.count != callee.parameters.size() || pieces.more_count != callee.returns.size()) {
    raise_fault(w, op, std::countr_zero(group), error_illegal_instruction,
                "the call of " + callee.name + " does not match its parameters");
  }
  for (std::uint32_t i = 0; i < pieces.count; ++i) {
    const ParamSlot& p = callee.parameters[i];
    const std::byte* from = caller->memory.get() + pieces.slots[i];
    std::byte* to = frame->memory.get() + p.slot;
    for (std::uint32_t rest = group; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(rest));
      std::memcpy(to + l * p.size, from + l * p.size, p.size);
    }
  }
  const std::uint32_t stay = w.mask & ~group;
  if (stay != 0) park(w, op + 1, stay, caller);
  w.mask = group;
  w.call = frame;
  w.frame = frame->memory.get();
  w.split = static_cast<std::uint32_t>(w.others.size());
  if (Observer* observer = w.block->launch->observer) {
    observer->called(w, op, *caller, *frame, group);
  }
  return callee.ops.data();
}

const Op* call_indirect(Warp& w, const Op* op) {
  const std::uint32_t m = active(w, op);
  const auto* a = lanes<std::uint64_t>(w, op->a);
  const int first = std::countr_zero(m);
  const std::uint64_t address = a[first];
  std::uint32_t same = 0;
  for (std::uint32_t rest = m; rest != 0; rest &= rest - 1) {
    if (a[std::countr_zero(rest)] == address) same |= rest & (0U - rest);
  }
  const Code* callee = nullptr;
  try {
    callee = w.block->launch->program->function_at(address);
  } catch (const ProgramError& error) {
    raise_fault(w, op, first, error_illegal_instruction, error.what());
  }
  if (callee == nullptr) {
    raise_fault(w, op, first, error_invalid_pc,
                "an indirect call goes to " + hexadecimal(address) + ", where no function is");
  }
  if (Observer* observer = w.block->launch->observer) callee = &observer->version_of(*callee);
  // The others come back to this operation for their own target.
  const std::uint32_t others = m & ~same;
  const std::uint32_t stay = w.mask & ~m;
  if (others != 0) park(w, op, others, w.call);
  if (stay != 0) park(w, op + 1, stay, w.call);
  w.mask = same;
  return call_function(w, op, *callee, same);
}

const Op* return_lanes(Warp& w, const Op* op, std::uint32_t gone) {
  Frame* frame = w.call;
  if (frame->caller == nullptr) return exit_lanes(w, op, gone);
  if (gone == 0) return reschedule(w, op + 1);
  Frame* caller = frame->caller;
  const Op* to = frame->return_to;
  const auto& pieces = *static_cast<const Pieces*>(to->extra);
  const Code& code = *frame->code;
  for (std::uint32_t i = 0; i < pieces.more_count; ++i) {
    const ParamSlot& p = code.returns[i];
    std::byte* into = caller->memory.get() + pieces.more[i];
    const std::byte* from = frame->memory.get() + p.slot;
    for (std::uint32_t rest = gone; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(rest));
      std::memcpy(into + l * p.size, from + l * p.size, p.size);
    }
  }
  if (Observer* observer = w.block->launch->observer) {
    observer->returned(w, to, *caller, *frame, gone);
  }
  frame->lanes &= ~gone;
  if (frame->lanes == 0) w.free_frames.push_back(frame);
  w.mask &= ~gone;
  if (w.mask == 0) {
    w.mask = gone;
    w.call = caller;
    w.frame = caller->memory.get();
    return w.others.empty() ? to + 1 : reschedule(w, to + 1);
  }
  park(w, to + 1, gone, caller);
  return reschedule(w, op + 1);
}

// --- barriers -----------------------------------------------------------------------------------

namespace {

// Lanes of a warp arrive at an aligned barrier without the others, which must not be at another.
void check_aligned(Warp& w, const Op* op, std::uint32_t group, std::uint32_t id) {
  for (const Group& g : w.others) {
    if (g.state != Group::State::at_barrier || g.barrier != id) continue;
    if (at_same_place(w.call, op, g.frame, g.pc - 1)) continue;
    raise_fault(w, op, std::countr_zero(group), error_illegal_instruction,
                std::to_string(popcount(group)) + " lanes of a warp come to this barrier while " +
                    std::to_string(popcount(g.mask)) + " wait at the one at " +
                    describe_place(*g.frame->code, g.pc - 1) +
                    " (first: " + describe_thread(w, std::countr_zero(g.mask)) +
                    "). A barrier has to be reached by all threads or by none");
  }
}

}  // namespace

void leave_for_later(Warp& w, const Op* op, std::uint32_t group, bool aligned) {
  const std::uint32_t all = active(w, op);
  if (aligned) {
    raise_fault(w, op, std::countr_zero(all & ~group), error_illegal_instruction,
                "lanes of a warp name different barriers, or different numbers of threads, at one "
                "bar.sync; " +
                    describe_thread(w, std::countr_zero(group)) + " has named another");
  }
  const std::uint32_t stay = w.mask & ~all;
  if (stay != 0) park(w, op + 1, stay, w.call);
  park(w, op, all & ~group, w.call);
  w.mask = group;
  w.split = static_cast<std::uint32_t>(w.others.size());
}

const Op* wait_barrier(Warp& w, const Op* op, std::uint32_t group, std::uint32_t id,
                       std::uint32_t count, bool wait, bool aligned, std::uint32_t votes) {
  Block& block = *w.block;
  const int lane = std::countr_zero(group);
  if (id >= block.barriers.size()) {
    raise_fault(w, op, lane, error_illegal_instruction,
                "barrier " + std::to_string(id) + ": a block has 16, numbered from 0");
  }
  Barrier& b = block.barriers[id];
  block.used_barriers |= 1U << id;
  if (count != 0 && count % warp_size != 0) {
    raise_fault(
        w, op, lane, error_illegal_instruction,
        "a barrier's number of threads has to be a multiple of 32, not " + std::to_string(count));
  }
  if (count > block.warps.size() * warp_size) {
    raise_fault(w, op, lane, error_illegal_instruction,
                "barrier " + std::to_string(id) + " waits for " + std::to_string(count) +
                    " threads, which a block of " + std::to_string(block.launch->threads.count()) +
                    " does not have");
  }
  if (count != 0 && b.arrived != 0 && b.expected != 0 && b.expected != count) {
    raise_fault(w, op, lane, error_illegal_instruction,
                "barrier " + std::to_string(id) + " is used with " + std::to_string(count) +
                    " threads while others wait there for " + std::to_string(b.expected));
  }
  if (group != w.alive && aligned) check_aligned(w, op, group, id);
  if (count == 0) {
    if (b.place.op == nullptr) {
      b.place = {op, w.call->code};
    } else if (b.place.op != op && b.other.op == nullptr) {
      b.other = {op, w.call->code};
    }
  }
  if (Observer* observer = block.launch->observer) {
    observer->barrier_reached(w, group, id, wait);
  }
  b.arrived += popcount(group);
  b.arrived_warps += group == w.alive ? static_cast<std::uint32_t>(warp_size) : popcount(group);
  b.votes += popcount(votes & group);
  if (count != 0) b.expected = count;
  if (barrier_complete(block, b)) {
    if (block.alive_threads != block.launch->threads.count() && wait) {
      // As those that wait already, for check_departed.
      park(w, op + 1, group, w.call);
      w.others.back().state = Group::State::at_barrier;
      w.others.back().barrier = static_cast<std::uint8_t>(id);
      complete_barrier(block, id);
      w.others.pop_back();
    } else {
      complete_barrier(block, id);
    }
    const Op* next = w.others.empty() ? op + 1 : reschedule(w, op + 1);
    if (!block.launch->in_step || block.warps.size() == 1 || next == nullptr) return next;
    w.pc = next;
    w.stop = Stop::quantum;
    return nullptr;
  }
  if (!wait) return op + 1;
  park(w, op + 1, group, w.call);
  w.others.back().state = Group::State::at_barrier;
  w.others.back().barrier = static_cast<std::uint8_t>(id);
  w.mask &= ~group;
  return reschedule(w, w.mask == 0 ? nullptr : op + 1);
}

const Op* wait_cluster(Warp& w, const Op* op, std::uint32_t group, bool arrive, bool wait,
                       bool aligned) {
  Cluster& cluster = *w.block->cluster;
  if (wait && group != w.alive && aligned) check_aligned(w, op, group, cluster_barrier);
  if (arrive) {
    if (Observer* observer = w.block->launch->observer) {
      observer->barrier_reached(w, group, cluster_barrier, wait);
    }
    w.cluster_phase = cluster.phase;
    cluster.arrived += popcount(group);
    if (cluster.place.op == nullptr) cluster.place = {op, w.call->code};
    check_cluster(cluster);
  }
  if (!wait || cluster.phase != w.cluster_phase) {
    return w.others.empty() ? op + 1 : reschedule(w, op + 1);
  }
  park(w, op + 1, group, w.call);
  w.others.back().state = Group::State::at_barrier;
  w.others.back().barrier = cluster_barrier;
  w.mask &= ~group;
  return reschedule(w, w.mask == 0 ? nullptr : op + 1);
}

const Op* gather_members(Warp& w, const Op* op, std::uint32_t group, std::uint32_t named,
                         bool meets_anywhere) {
  if (const std::uint32_t own = group & ~named; own != 0) {
    const int lane = std::countr_zero(own);
    raise_fault(w, op, lane, error_illegal_instruction,
                "lane " + std::to_string(lane) + " is not in the member mask " +
                    hexadecimal(named) +
                    " that it gives: each lane that executes this has to name itself");
  }
  return synchronise_group(w, op, group, named & w.alive, meets_anywhere);
}

namespace {

// The lane that a shuffle's lane takes its value from (PTX ISA, "shfl.sync").
std::uint32_t shuffle_source(Warp& w, const Op& op, std::uint32_t lane) {
  const auto b = static_cast<std::int32_t>(lanes<std::uint32_t>(w, op.b)[lane] & 31U);
  const std::uint32_t c = lanes<std::uint32_t>(w, op.c)[lane];
  const auto clamp = static_cast<std::int32_t>(c & 31U);
  const auto segment = static_cast<std::int32_t>(c >> 8 & 31U);
  const auto l = static_cast<std::int32_t>(lane);
  const std::int32_t limit = (l & segment) | (clamp & ~segment);
  const std::uint32_t mode = op.aux & 3U;
  const std::int32_t from = mode == 0   ? l - b
                            : mode == 1 ? l + b
                            : mode == 2 ? l ^ b
                                        : (l & segment) | (b & ~segment);
  return static_cast<std::uint32_t>((mode == 0 ? from >= limit : from <= limit) ? from : l) & 31U;
}

}  // namespace

void notice_shuffle(Warp& w, const Op* op, std::uint32_t group, std::uint32_t named,
                    std::uint32_t read) {
  if (Observer* observer = w.block->launch->observer) {
    // The lanes whose value comes from one of `read`.
    std::uint32_t takers = 0;
    for (std::uint32_t rest = group; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::uint32_t>(std::countr_zero(rest));
      if ((read >> shuffle_source(w, *op, l) & 1U) != 0) takers |= 1U << l;
    }
    observer->took_nothing(w, op, takers);
  }
  const Op* const at = w.meeting != nullptr ? w.meeting->pc : op;
  const Code& code = w.meeting != nullptr ? *w.meeting->frame->code : *w.call->code;
  if (!first_time(code, at)) return;
  const std::uint32_t lane = static_cast<std::uint32_t>(std::countr_zero(read));
  const std::uint32_t bit = 1U << lane;
  const std::string why = (w.initial & bit) == 0 ? "which the block does not have"
                          : (w.alive & bit) == 0 ? "which has ended"
                          : (named & bit) == 0
                              ? "which the member mask " + hexadecimal(named) + " leaves out"
                              : std::string("whose guard predicate is false");
  notice(w, std::countr_zero(group), code, at,
         "a lane takes its value from lane " + std::to_string(lane) + ", " + why +
             ". What it gets is undefined; here it is " + hexadecimal(undefined_word) +
             ", in floating point not a number");
}

const Op* synchronise_lanes(Warp& w, const Op* op, std::uint32_t members, bool meets_anywhere) {
  const std::uint32_t group = active(w, op);
  const std::uint32_t stay = w.mask & ~group;
  if (stay != 0) park(w, op + 1, stay, w.call);
  park(w, op, group, w.call);
  Group& g = w.others.back();
  g.state = Group::State::at_sync;
  g.members = members;
  g.meets_anywhere = meets_anywhere;
  w.mask = 0;
  check_meetings(w);
  return pick(w);
}

const Op* synchronise_group(Warp& w, const Op* op, std::uint32_t group, std::uint32_t members,
                            bool meets_anywhere) {
  const std::uint32_t all = active(w, op);
  const std::uint32_t stay = w.mask & ~all;
  if (stay != 0) park(w, op + 1, stay, w.call);
  if ((all & ~group) != 0) park(w, op, all & ~group, w.call);
  w.mask = group;
  return synchronise_lanes(w, op, members, meets_anywhere);
}

// --- memory and faults --------------------------------------------------------------------------

namespace {

// An address that is in no allocation. The kernel's parameters tell what it was to be: the pointer
// among them that is nearest is likely the one that it was computed from.
std::string describe_wild_address(const Warp& w, std::uint64_t address, const std::string& what) {
  constexpr std::uint64_t far = std::uint64_t{1} << 32;
  const auto distance = [&](std::uint64_t from) {
    return from > address ? from - address : address - from;
  };
  std::uint64_t nearest = far;
  std::uint64_t pointer = 0;
  const auto& parameters = w.block->launch->parameters;
  for (std::size_t at = 0; at + 8 <= parameters.size(); at += 8) {
    std::uint64_t value = 0;
    std::memcpy(&value, parameters.data() + at, sizeof value);
    if (value >= 4096 && distance(value) < nearest) {
      nearest = distance(value);
      pointer = value;
    }
  }
  if (address < 4096 || (pointer == 0 && address < far)) {
    return "null-pointer " + what + hexadecimal(address);
  }
  MemoryRange range;
  const bool of_device = pointer != 0 && Memory::instance().find(pointer, range) && !range.freed;
  std::string near;
  if (Memory::instance().find_before(address, range) && address - range.end < (1U << 20)) {
    near = ", " + std::to_string(address - range.end) + " bytes after the end of " +
           (range.freed ? "freed memory" : "an allocation") + " of " +
           std::to_string(range.end - range.begin) + " bytes at " + hexadecimal(range.begin);
  }
  // Small allocations of the device lie in the same heap as the program's own.
  constexpr std::uint64_t close = 4096;
  const bool just_beyond = !near.empty() && address - range.end < close;
  const std::string host = describe_host_memory(address);
  const std::string host_pointer = pointer == 0 ? "" : describe_host_memory(pointer);
  const bool from_host = pointer != 0 && !of_device && !host_pointer.empty();
  if (from_host || (!of_device && !just_beyond && !host.empty())) {
    return what + hexadecimal(address) + ": this is a host pointer (" +
           (from_host ? host_pointer : host) +
           "), which kernels cannot use; memory that they can is made by cudaMalloc, "
           "cudaMallocManaged and cudaHostAlloc";
  }
  if (near.empty() && of_device && Memory::instance().find(pointer, range)) {
    near = address >= range.end
               ? ", " + std::to_string(address - range.end) + " bytes after the end of "
               : ", " + std::to_string(range.begin - address) + " bytes before the begin of ";
    near += "an allocation of " + std::to_string(range.end - range.begin) + " bytes at " +
            hexadecimal(range.begin) + " that a parameter points to";
  }
  return "out-of-bounds " + what + hexadecimal(address) + near;
}

}  // namespace

std::byte* checked_address(Warp& w, const Op* op, int lane, std::uint64_t address,
                           std::uint32_t bytes, bool write) {
  const auto what = [&] {
    return std::string(write ? "write" : "read") + " of " + std::to_string(bytes) + " bytes at ";
  };
  if ((address & (bytes - 1)) != 0 && (bytes & (bytes - 1)) == 0) {
    raise_fault(w, op, lane, error_misaligned_address,
                "misaligned " + what() + hexadecimal(address & ~window_mask));
  }
  const std::uint64_t offset = address & ~window_mask;
  switch (address & window_mask) {
    case shared_window: {
      Block* block = w.block;
      const std::uint64_t rank = (offset >> 24) & 0xffU;
      const std::uint64_t at = offset & 0xffffffU;
      if (rank != 0 && block->cluster != nullptr && rank <= block->cluster->blocks.size()) {
        block = block->cluster->blocks[rank - 1];
      } else if (rank != 0) {
        block = nullptr;
      }
      if (block != nullptr && (offset >> 32) == 0 && at + bytes <= block->shared_bytes) {
        return block->shared + at;
      }
      raise_fault(w, op, lane, error_illegal_address,
                  "out-of-bounds " + what() + "shared memory offset " + std::to_string(offset) +
                      " (the block has " + std::to_string(w.block->shared_bytes) + " bytes)");
    }
    case local_window:
      if (offset + bytes <= w.local_stride) {
        return w.local + static_cast<std::size_t>(lane) * w.local_stride + offset;
      }
      raise_fault(w, op, lane, error_illegal_address,
                  "out-of-bounds " + what() + "local memory offset " + std::to_string(offset));
    case param_window: {
      auto& parameters = w.block->launch->parameters;
      if (!write && offset + bytes <= parameters.size()) return parameters.data() + offset;
      raise_fault(w, op, lane, error_illegal_address,
                  "out-of-bounds " + what() + "parameter offset " + std::to_string(offset));
    }
    default: break;
  }
  MemoryRange range;
  if (Memory::instance().find(address, range)) {
    if (range.freed) {
      raise_fault(w, op, lane, error_illegal_address,
                  what() + hexadecimal(address) +
                      (range.withheld ? ", which is memory of a graph: no launch has allocated it "
                                        "so far, or it has been freed again"
                                      : ", which is memory that was freed"));
    }
    if (address + bytes <= range.end && address + bytes > address) {
      RangeCache& cache = w.cache[op->site];
      cache.begin = range.begin;
      cache.end = range.end;
      return reinterpret_cast<std::byte*>(address);
    }
    raise_fault(w, op, lane, error_illegal_address,
                "out-of-bounds " + what() + hexadecimal(address) +
                    ", at the end of an allocation of " + std::to_string(range.end - range.begin) +
                    " bytes at " + hexadecimal(range.begin));
  }
  raise_fault(w, op, lane, error_illegal_address, describe_wild_address(w, address, what()));
}

std::string readable_name(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return result;
}

std::string describe_place(const Code& code, const Op* op) {
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  std::string text;
  if (index < code.origins.size()) {
    const Origin& origin = code.origins[index];
    const auto line = [&](int file, int number) {
      const auto found = code.files.find(file);
      return (found == code.files.end() ? "line" : found->second) + ":" + std::to_string(number);
    };
    if (origin.source_line > 0) {
      text += line(origin.source_file, origin.source_line);
      std::string inlined;
      for (std::int32_t i = origin.inlined_at; i >= 0;) {
        const CallSite& site = code.call_sites[static_cast<std::size_t>(i)];
        inlined += (inlined.empty() ? " (inlined at " : ", at ") + line(site.file, site.line);
        i = site.inlined_at;
      }
      text += inlined + (inlined.empty() ? ", " : "), ");
    }
    text += "PTX line " + std::to_string(origin.ptx_line);
    if (origin.instruction < code.texts.size()) text += ": " + code.texts[origin.instruction];
  }
  return text;
}

Dim3 thread_of(const Warp& w, int lane) {
  const auto l = static_cast<std::uint32_t>(lane);
  const auto at = [&](Special which) {
    return static_cast<std::uint32_t>(lane_value(w, which, l));
  };
  return {at(Special::tid_x), at(Special::tid_y), at(Special::tid_z)};
}

std::string describe_thread(const Warp& w, int lane) {
  const auto triple = [](const Dim3& at) {
    return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) +
           ")";
  };
  return "block " + triple(w.block->at) + " thread " + triple(thread_of(w, lane));
}

void keep_fault(Warp& w, const Op* op, int lane, int code, const std::string& what) {
  Launch& launch = *w.block->launch;
  const std::lock_guard lock(launch.fault_mutex);
  if (launch.failed || launch.fault.code != 0) return;
  std::string message =
      "kernel " + readable_name(launch.code->name) + ", " + describe_thread(w, lane);
  if (op != nullptr && w.call != nullptr) {
    const Code& at = *w.call->code;
    if (&at != launch.code) message += ", in " + readable_name(at.name);
    message += ", at " + describe_place(at, op);
  }
  launch.fault.code = code;
  launch.fault.message = message + ": " + what;
  if (options().check) check::report_fault(w, op, lane, code, what);
}

void raise_fault(Warp& w, const Op* op, int lane, int code, const std::string& what) {
  keep_fault(w, op, lane, code, what);
  w.block->launch->failed = true;
  throw KernelFault{};
}

void raise_fault_text(Warp& w, const Op* op, int lane, int code, const char* what) {
  raise_fault(w, op, lane, code, what);
}

std::string describe_waiting(const Block& block) {
  // Lanes that wait at one place for the same are one group, whatever warps they are in.
  struct Waiters {
    const Warp* warp;
    const Group* group;
    std::uint32_t lanes = 0;
    std::set<int> warps;
  };
  const auto place_of = [](const Group& g) {
    // Lanes at a barrier of the block stand behind it.
    return g.state == Group::State::at_barrier ? g.pc - 1 : g.pc;
  };
  std::vector<Waiters> all;
  for (const auto& warp : block.warps) {
    for (const Group& g : warp->others) {
      const auto same = std::ranges::find_if(all, [&](const Waiters& w) {
        return w.group->state == g.state && w.group->barrier == g.barrier &&
               w.group->members == g.members && place_of(*w.group) == place_of(g) &&
               (g.state == Group::State::at_barrier || w.warp == warp.get());
      });
      Waiters& group = same != all.end() ? *same : all.emplace_back(Waiters{warp.get(), &g, 0, {}});
      group.lanes += popcount(g.mask);
      group.warps.insert(warp->index);
    }
  }
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < most; ++i) {
    const Waiters& one = all[i];
    const Group& g = *one.group;
    text += i == 0 ? "" : "; ";
    text += std::to_string(one.lanes) + (one.lanes == 1 ? " thread" : " threads");
    text += one.warps.size() == 1 ? " of warp " + std::to_string(one.warp->index)
                                  : " of " + std::to_string(one.warps.size()) + " warps";
    text += " (the first: " + describe_thread(*one.warp, std::countr_zero(g.mask)) + ") wait";
    if (one.lanes == 1) text += "s";
    if (g.state == Group::State::at_sync) {
      text += " for the lanes " + hexadecimal(g.members & one.warp->alive) + " of the warp";
    } else if (g.barrier == cluster_barrier) {
      text += " at the cluster's barrier";
    } else {
      const Barrier& b = block.barriers[g.barrier];
      text += " at barrier " + std::to_string(g.barrier) + ", where " + std::to_string(b.arrived) +
              " of " + std::to_string(b.expected != 0 ? b.expected : block.alive_threads) +
              " threads are,";
    }
    text += " at " + describe_place(*g.frame->code, place_of(g));
  }
  if (all.size() > most) text += "; and " + std::to_string(all.size() - most) + " groups more";
  return text;
}

std::uint64_t clock_ticks(bool nanoseconds) {
  if (nanoseconds) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
  }
  return __builtin_ia32_rdtsc();
}

}  // namespace softgpu

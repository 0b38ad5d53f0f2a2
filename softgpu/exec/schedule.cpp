// Lanes of a warp at different places, and calls.
//
// The lanes that are at one place form a group; one group at a time is the current one and runs
// until it branches. The deepest call and in it the lowest place go first, so that lanes meet again
// where control flow joins. That alone could wait for ever: a lane that holds a lock may be further
// on than those that spin for it. So after a number of turns another group is run for as many,
// which is independent thread scheduling's promise (CUDA Programming Guide, "Independent Thread
// Scheduling"): every lane makes progress.

#include "softgpu/exec/schedule.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <string>

#include "softgpu/exec/block.hpp"
#include "softgpu/exec/groups.hpp"
#include "softgpu/exec/handlers.hpp"
#include "softgpu/exec/program.hpp"
#include "softgpu/observe/observer.hpp"

namespace softgpu {
namespace {

constexpr std::uint32_t turns = 256;

constexpr int error_hardware_stack = 714;
constexpr int error_illegal_instruction = 715;
constexpr int error_invalid_pc = 718;

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

}  // namespace

const Op* pick(Warp& w) {
  w.split = static_cast<std::uint32_t>(w.others.size());
  const std::ptrdiff_t best = best_ready(w);
  if (best >= 0) return make_current(w, static_cast<std::size_t>(best));
  w.pc = nullptr;
  w.mask = 0;
  w.stop = w.alive == 0 ? Stop::exited : Stop::blocked;
  return nullptr;
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

std::uint64_t clock_ticks(bool nanoseconds) {
  if (nanoseconds) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count());
  }
  return __builtin_ia32_rdtsc();
}

}  // namespace softgpu

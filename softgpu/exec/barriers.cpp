// Barriers of blocks and clusters.
#include <bit>
#include <string>

#include "softgpu/device/options.hpp"
#include "softgpu/exec/block.hpp"
#include "softgpu/exec/departure.hpp"
#include "softgpu/exec/groups.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/observe/observer.hpp"

namespace softgpu {
namespace {

constexpr int error_illegal_instruction = 715;

bool at_same_place(const Frame* a, const Op* op_a, const Frame* b, const Op* op_b) {
  for (; op_a == op_b; a = a->caller, b = b->caller) {
    if (a == b) return true;
    if (a->caller == nullptr || b->caller == nullptr) return a->caller == b->caller;
    op_a = a->return_to;
    op_b = b->return_to;
  }
  return false;
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
  if (is_in_loop(code, index)) return;
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

}  // namespace softgpu

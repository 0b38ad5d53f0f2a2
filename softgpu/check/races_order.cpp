// What orders accesses: barriers, meetings of lanes, releases and acquires, copies that end.
#include <algorithm>
#include <utility>

#include "softgpu/check/races_parts.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {

// --- barriers ------------------------------------------------------------------------------------

void Races::barrier_reached(Warp& warp, u32 lanes, u32 id, bool wait) {
  if (!follows_) return;
  WarpState& mine = *warp.state;
  take_over_all(mine, lanes);
  BlockState::Barrier& barrier = warp.block->state->barriers[id];
  barrier.grid_waited = barrier.grid_waited || (mine.grid_waited & lanes) != 0;
  ClockRef last;
  for_lanes(lanes, [&](u32 l) {
    if (mine.clocks[l] == last) return;
    last = mine.clocks[l];
    barrier.known = joined(barrier.known, last);
  });
  barrier.device_fences = joined(barrier.device_fences, fences_of(mine, mine.device_fence, lanes));
  barrier.block_fences = joined(barrier.block_fences, fences_of(mine, mine.block_fence, lanes));
  for_lanes(lanes, [&](u32 l) {
    if (mine.pending[l]) barrier.pending = joined(barrier.pending, mine.pending[l]);
    if (mine.loose[l]) barrier.loose = joined(barrier.loose, mine.loose[l]);
  });
  if (wait && lanes == warp.alive) {
    barrier.waiting.push_back({&warp, lanes});
    barrier.threads += static_cast<u32>(std::popcount(lanes));
    return;
  }
  // A part of the warp, or threads that go on: what they have done so far is known.
  Clock own;
  if (mine.met != 0) own.learn_warp(mine.block, mine.warp, mine.met);
  for_lanes(lanes, [&](u32 l) { own.learn_lane(thread_id(mine, l), mine.stamps[l] + 1); });
  barrier.known = joined(barrier.known, ClockRef(std::move(own)));
  const u32 stamp = tick();
  for_lanes(lanes, [&](u32 l) { mine.stamps[l] = stamp; });
  if (wait) {
    barrier.waiting.push_back({&warp, lanes});
    barrier.threads += static_cast<u32>(std::popcount(lanes));
  } else {
    barrier.others = true;
  }
}

void Races::barrier_opens(Block& block, u32 id) {
  changed();
  if (!follows_) return;
  BlockState& state = *block.state;
  BlockState::Barrier barrier = std::exchange(state.barriers[id], {});
  const u32 stamp = tick();
  Clock known;
  if (barrier.known) known = *barrier.known.get();
  // What one of them has read without a fence after it: see races.hpp.
  if (barrier.pending) known.join(*barrier.pending.get());
  if (!barrier.others && barrier.threads >= block.alive_threads) {
    known.learn_block(state.number, stamp);
  } else {
    for (const auto& one : barrier.waiting) {
      if (one.lanes == one.warp->alive) {
        known.learn_warp(state.number, one.warp->state->warp, stamp);
      }
    }
  }
  const ClockRef clock(std::move(known));
  for (const auto& one : barrier.waiting) {
    WarpState& mine = *one.warp->state;
    if (barrier.grid_waited) mine.grid_waited |= one.lanes;
    set_clock(mine, one.lanes, clock);
    for_lanes(one.lanes, [&](u32 l) {
      mine.stamps[l] = stamp;
      mine.pending[l] = {};
      if (barrier.loose) mine.loose[l] = joined(mine.loose[l], barrier.loose);
      if (barrier.device_fences) mine.device_fence.clocks[l] = barrier.device_fences;
      if (barrier.block_fences) mine.block_fence.clocks[l] = barrier.block_fences;
    });
    if (barrier.device_fences) mine.device_fence.any = true;
    if (barrier.block_fences) mine.block_fence.any = true;
  }
}

void Races::cluster_barrier_opens(Cluster& cluster) {
  changed();
  if (!follows_) return;
  const u32 stamp = tick();
  Clock known;
  ClockRef device_fences;
  ClockRef block_fences;
  std::vector<BlockState::Barrier> barriers;
  for (Block* block : cluster.blocks) {
    barriers.push_back(std::exchange(block->state->barriers[cluster_barrier], {}));
    const BlockState::Barrier& one = barriers.back();
    if (one.known) known.join(*one.known.get());
    device_fences = joined(device_fences, one.device_fences);
    block_fences = joined(block_fences, one.block_fences);
  }
  for (std::size_t i = 0; i < barriers.size(); ++i) {
    const Block& block = *cluster.blocks[i];
    if (!barriers[i].others && barriers[i].threads >= block.alive_threads) {
      known.learn_block(block.state->number, stamp);
    }
    for (const auto& one : barriers[i].waiting) {
      if (one.lanes == one.warp->alive) {
        known.learn_warp(block.state->number, one.warp->state->warp, stamp);
      }
    }
  }
  const ClockRef clock(std::move(known));
  for (Block* block : cluster.blocks) {
    for (auto& warp : block->warps) {
      // Those that arrived without waiting learn it when they wait, which is now at the earliest.
      WarpState& mine = *warp->state;
      for_lanes(warp->alive, [&](u32 l) {
        learn(mine, l, clock);
        mine.stamps[l] = stamp;
        if (device_fences) mine.device_fence.clocks[l] = device_fences;
        if (block_fences) mine.block_fence.clocks[l] = block_fences;
      });
      mine.device_fence.any = mine.device_fence.any || static_cast<bool>(device_fences);
      mine.block_fence.any = mine.block_fence.any || static_cast<bool>(block_fences);
    }
  }
}

void Races::lanes_meet(Warp& warp, u32 lanes) {
  if (!follows_) return;
  WarpState& mine = *warp.state;
  take_over_all(mine, lanes);
  if ((mine.grid_waited & lanes) != 0) mine.grid_waited |= lanes;
  if ((lanes & (lanes - 1)) == 0) return;
  const u32 first = static_cast<u32>(std::countr_zero(lanes));
  bool alike = true;
  bool pending = false;
  bool loose = false;
  for_lanes(lanes, [&](u32 l) {
    alike = alike && mine.clocks[l] == mine.clocks[first];
    pending = pending || static_cast<bool>(mine.pending[l]);
    loose = loose || static_cast<bool>(mine.loose[l]);
  });
  const bool whole = lanes == warp.alive;
  if (!alike || !whole) {
    Clock known;
    ClockRef last;
    for_lanes(lanes, [&](u32 l) {
      if (mine.clocks[l] && mine.clocks[l] != last) known.join(*mine.clocks[l].get());
      last = mine.clocks[l];
      if (!whole) known.learn_lane(thread_id(mine, l), mine.stamps[l] + 1);
    });
    set_clock(mine, lanes, ClockRef(std::move(known)));
  }
  for (Fenced* fenced : {&mine.device_fence, &mine.block_fence}) {
    const ClockRef all = fences_of(mine, *fenced, lanes);
    if (all) for_lanes(lanes, [&](u32 l) { fenced->clocks[l] = all; });
  }
  if (loose) {
    ClockRef all;
    for_lanes(lanes, [&](u32 l) { all = joined(all, mine.loose[l]); });
    for_lanes(lanes, [&](u32 l) { mine.loose[l] = all; });
  }
  if (pending) {
    ClockRef all;
    for_lanes(lanes, [&](u32 l) { all = joined(all, mine.pending[l]); });
    for_lanes(lanes, [&](u32 l) { mine.pending[l] = all; });
  }
  const u32 stamp = tick();
  for_lanes(lanes, [&](u32 l) { mine.stamps[l] = stamp; });
  if (whole) mine.met = stamp;
}

void Races::lanes_exchange(Warp& warp, u32 lanes) {
  if (!follows_) return;
  WarpState& mine = *warp.state;
  take_over_all(mine, lanes);
  if ((mine.grid_waited & lanes) != 0) mine.grid_waited |= lanes;
  if ((lanes & (lanes - 1)) == 0) return;
  if (lanes == warp.alive) {
    mine.exchanged = tick();
    for_lanes(lanes, [&](u32 l) { mine.stamps[l] = mine.exchanged; });
  }
  const auto first = static_cast<u32>(std::countr_zero(lanes));
  bool alike = true;
  for_lanes(lanes, [&](u32 l) {
    alike = alike && mine.clocks[l] == mine.clocks[first] && mine.loose[l] == mine.loose[first];
  });
  if (alike) return;
  ClockRef known;
  ClockRef loose;
  for_lanes(lanes, [&](u32 l) {
    known = joined(known, mine.clocks[l]);
    loose = joined(loose, mine.loose[l]);
  });
  set_clock(mine, lanes, known);
  for_lanes(lanes, [&](u32 l) { mine.loose[l] = loose; });
}

// --- releases and acquires -----------------------------------------------------------------------

void Races::fence(Warp& warp, u32 lanes, Scope scope) {
  if (!follows_) return;
  WarpState& mine = *warp.state;
  take_over_all(mine, lanes);
  for_lanes(lanes, [&](u32 l) {
    if (mine.pending[l]) learn(mine, l, std::exchange(mine.pending[l], {}));
  });
  for (Fenced* fenced : {&mine.block_fence, &mine.device_fence}) {
    if (fenced == &mine.device_fence && scope == Scope::block) continue;
    // Lanes whose last fence was another one keep what that gave them.
    if (fenced->open != 0) {
      for_lanes(fenced->open & ~lanes, [&](u32 l) { (void)fence_clock(mine, *fenced, l); });
    }
    fenced->any = true;
    fenced->open = lanes;
    fenced->met = mine.met;
    for_lanes(lanes, [&](u32 l) {
      fenced->bases[l] = mine.clocks[l];
      fenced->stamps[l] = mine.stamps[l];
    });
  }
  const u32 stamp = tick();
  for_lanes(lanes, [&](u32 l) { mine.stamps[l] = stamp; });
}

SyncVariable* Races::find_variable(const Access& access) {
  auto& all = access.shared != nullptr ? access.shared->variables : variables_;
  if (all.empty()) return nullptr;
  const auto found = all.find(access.address);
  return found == all.end() ? nullptr : &found->second;
}

void Races::synchronise(const Access& access, Order order, Scope scope) {
  if (!follows_) return;
  WarpState& mine = *access.warp->state;
  const u32 lane = access.lane;
  SyncVariable* variable = find_variable(access);
  if (variable != nullptr && access.reads) {
    ClockRef seen =
        scope == Scope::block && variable->of_block != mine.block ? ClockRef() : variable->device;
    if (variable->of_block == mine.block) seen = joined(seen, variable->block);
    const bool acquires = order == Order::acquire || order == Order::acquire_release;
    Waited& waited = mine.waited[lane];
    const bool again = (mine.waits >> lane & 1U) != 0 && waited.address == access.address &&
                       waited.begun == variable->begun && waited.acquires == acquires;
    if (!again) {
      take_over(mine, lane);
      waited.address = access.address;
      waited.begun = variable->begun;
      waited.acquires = acquires;
      mine.waits |= 1U << lane;
    }
    waited.seen = seen;
    waited.loose = variable->loose;
  }
  // A write publishes what its lane knows.
  if (access.writes) take_over(mine, lane);
  if (!access.writes) return;
  const bool releases = order == Order::release || order == Order::acquire_release;
  ClockRef device;
  ClockRef block;
  if (releases) {
    block = own_clock(mine, lane);
    if (scope != Scope::block) device = block;
    mine.stamps[lane] = tick();
  } else {
    if (scope != Scope::block) device = fence_clock(mine, mine.device_fence, lane);
    block = joined(fence_clock(mine, mine.block_fence, lane), device);
  }
  const bool replaces = !access.reads;
  // Read-modify-writes are many, and few of them publish anything.
  ClockRef loose = block;
  if (replaces && !loose) {
    loose = joined(own_clock(mine, lane), mine.loose[lane]);
    mine.stamps[lane] = tick();
  }
  if (!block && !device && !loose) return;
  auto& all = access.shared != nullptr ? access.shared->variables : variables_;
  SyncVariable& mark = all[access.address];
  if (replaces) {
    mark = {device, block, loose, mine.block, mark.begun + 1};
    return;
  }
  mark.loose = joined(mark.loose, loose);
  mark.device = joined(mark.device, device);
  mark.block = mark.of_block == mine.block ? joined(mark.block, block) : joined(device, block);
  mark.of_block = mine.block;
}

void Races::arrive_at(Warp& warp, u32 lane, BlockState& block, u64 offset) {
  WarpState& mine = *warp.state;
  SyncVariable& mark = block.variables[offset];
  mark.device = joined(mark.device, own_clock(mine, lane));
  mine.stamps[lane] = tick();
}

void Races::look_at(Warp& warp, u32 lane, BlockState& block, u64 offset) {
  const auto& all = block.variables;
  const auto found = all.find(offset);
  if (found != all.end()) learn(*warp.state, lane, found->second.device);
}

// --- copies --------------------------------------------------------------------------------------

void Races::commit_copies(Warp& warp, u32 lanes) {
  for_lanes(lanes, [&](u32 l) { ++warp.state->groups[l]; });
}

void Races::finish_copies(Warp& warp, u32 lanes, u32 left, const Agent* agent) {
  WarpState& mine = *warp.state;
  std::erase_if(mine.copies, [&](const AsyncCopy& copy) {
    if ((lanes >> copy.lane & 1U) == 0) return false;
    const bool waited = left == ~0U || copy.group + left < mine.groups[copy.lane];
    if (!waited) return false;
    BlockState& block = *warp.block->state;
    for (u32 at = copy.offset; at < copy.offset + copy.bytes; at += 4) {
      CellPage& page = block.shared[at / CellPage::bytes];
      if (page.empty()) continue;
      page.open();
      const u32 first = page.cell_of(at % CellPage::bytes);
      for (u32 i = first; i < first + (page.by_bytes ? 4U : 1U); ++i) {
        Cell cell = page.get(i);
        Writer& writer = cell.writer;
        if (writer.warp != mine.warp || writer.lane != copy.lane || (writer.bits & is_async) == 0) {
          continue;
        }
        writer.bits &= static_cast<u8>(~is_async);
        writer.stamp = mine.stamps[copy.lane];
        if (agent != nullptr) {
          writer = {agent->thread.warp, agent->stamp, writer.place,
                    static_cast<u8>(agent->thread.lane), is_bulk};
        }
        page.set(i, cell);
      }
    }
    return true;
  });
}
void Races::wait_for_copies(Warp& warp, u32 lanes, u32 left) { finish_copies(warp, lanes, left); }
void Races::wait_for_all_copies(Warp& warp, u32 lanes) { finish_copies(warp, lanes, ~0U); }

}  // namespace softgpu::check

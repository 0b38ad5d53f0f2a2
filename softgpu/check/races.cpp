#include "softgpu/check/races.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "softgpu/check/findings.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"
#include "softgpu/ptx/ast.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// The history of global memory may grow to this; then it is forgotten, and races with what went
// before go unnoticed.
constexpr std::size_t most_pages = std::size_t{1} << 19;

// Bulk copies of 32 times as many mbarriers and lanes are told apart in a launch.
constexpr u64 agent_warps = 32;

constexpr ThreadId thread_id(const WarpState& of, u32 lane) { return {of.block, of.warp, lane}; }

Scope scope_of(u8 bits) { return static_cast<Scope>((bits >> scope_shift) & 3U); }

template <class Visit>
void for_lanes(u32 lanes, Visit&& visit) {
  for (; lanes != 0; lanes &= lanes - 1) visit(static_cast<u32>(std::countr_zero(lanes)));
}

std::string access_name(bool writes, u8 bits, u32 bytes) {
  const std::string of = " of " + std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  if ((bits & is_async) != 0) return "asynchronous copy" + of + " (cp.async)";
  if ((bits & is_bulk) != 0) {
    return (writes ? "write" : "read") + of + " by an asynchronous copy";
  }
  if ((bits & is_atomic) != 0) return "atomic access" + of;
  const std::string how = (bits & polls) != 0 ? "volatile " : (bits & strong) != 0 ? "strong " : "";
  return how + (writes ? "write" : "read") + of;
}

}  // namespace

void CellPage::split() {
  if (by_bytes) return;
  std::vector<Cell> each(bytes);
  for (u32 i = 0; i < bytes && !cells.empty(); ++i) each[i] = cells[i / 4];
  cells = std::move(each);
  by_bytes = true;
}

Races& Races::instance() {
  static auto* races = new Races;  // outlives every static of the program
  return *races;
}

u32 Races::tick() {
  if (++now_ == 0) {
    // After four thousand million steps time begins again: what was before is forgotten.
    forget_pages();
    variables_.clear();
    now_ = 1;
  }
  return now_;
}

void Races::forget_pages() {
  pages_.clear();
  host_pages_.clear();
  last_ = nullptr;
  recent_.fill({});
}

// --- launches ------------------------------------------------------------------------------------

LaunchState& Races::begin_launch(Launch& launch) {
  const u64 blocks = launch.grid.count();
  const u64 warps = (launch.threads.count() + lanes_per_warp - 1) / lanes_per_warp;
  auto state = std::make_unique<LaunchState>();
  state->launch = &launch;
  state->kernel = readable_name(launch.code->name);
  state->number = launch.id;
  state->grid = launch.grid;
  state->threads = launch.threads;
  state->warps_per_block = static_cast<u32>(warps);
  state->work = current_work();
  state->child = running_child();
  const WorkOrder* const begins = state->work != nullptr && state->work->at_begin != nullptr
                                      ? state->work->at_begin.get()
                                      : state->work.get();
  const bool all_ordered =
      state->child == nullptr && std::ranges::all_of(launches_, [&](const auto& other) {
        return other->launch == nullptr &&
               (begins == nullptr || other->work == nullptr || is_before(*other->work, *begins));
      });
  // Whole blocks of them.
  const u64 agents = (agent_warps + warps - 1) / warps;
  const bool full = u64{next_warp_} + (blocks + agents) * warps > 0xffffffffU;
  state->after_all = all_ordered;
  if (all_ordered || full) variables_.clear();
  // What the host has waited for is before all that it launches from here on. Accesses of launches
  // that are forgotten count as ordered; their pages are used again, unless they are many.
  constexpr std::size_t most_launches = 4096;
  std::erase_if(launches_, [&](const auto& other) {
    return other->launch == nullptr && (full || launches_.size() > most_launches ||
                                        other->work == nullptr || host_knows(*other->work));
  });
  constexpr std::size_t most_kept = std::size_t{1} << 18;
  if (full || (launches_.empty() && pages_.size() > most_kept)) forget_pages();
  if (launches_.empty() && pages_.empty()) next_warp_ = next_block_ = 1;
  state->first_block = next_block_;
  state->first_warp = next_warp_;
  next_block_ += static_cast<u32>(blocks + agents);
  next_warp_ += static_cast<u32>((blocks + agents) * warps);
  state->first_agent = state->first_warp + static_cast<u32>(blocks * warps);
  state->end_warp = next_warp_;
  tick();
  launches_.push_back(std::move(state));
  return *launches_.back();
}

void Races::end_launch(LaunchState& launch) { launch.launch = nullptr; }

const LaunchState* Races::launch_of(u32 warp) const {
  // They stand in the order of their numbers.
  const auto after = std::ranges::upper_bound(
      launches_, warp, {}, [](const auto& launch) { return launch->first_warp; });
  if (after == launches_.begin()) return nullptr;
  const LaunchState* const launch = std::prev(after)->get();
  return warp < launch->end_warp ? launch : nullptr;
}

void Races::begin_block(LaunchState& launch, Block& block) {
  BlockState& state = *block.state;
  state.number = launch.first_block + static_cast<u32>(block.linear);
  state.launch = &launch;
  state.shared.assign((block.shared_bytes + CellPage::bytes - 1) / CellPage::bytes, CellPage{});
  state.variables.clear();
  for (auto& barrier : state.barriers) barrier = {};
  const u32 stamp = now_;
  for (auto& warp : block.warps) {
    WarpState& mine = *warp->state;
    mine.block = state.number;
    mine.warp = launch.first_warp + static_cast<u32>(block.linear) * launch.warps_per_block +
                static_cast<u32>(warp->index);
    mine.first_of_block = mine.warp - static_cast<u32>(warp->index);
    mine.end_of_block = mine.first_of_block + launch.warps_per_block;
    mine.launch = &launch;
    mine.stamps.fill(stamp);
    mine.clocks.fill({});
    mine.block_known.fill(0);
    mine.met = 0;
    mine.exchanged = 0;
    mine.grid_waited = 0;
    mine.device_fence = {};
    mine.block_fence = {};
    mine.pending.fill({});
    mine.loose.fill({});
    mine.waited.fill({});
    mine.waits = 0;
    mine.copies.clear();
    mine.groups.fill(0);
    mine.bulk.clear();
    mine.bulk_groups.fill(0);
  }
}

// --- what is known -------------------------------------------------------------------------------

bool Races::ordered(const WarpState& mine, u32 lane, u32 warp, u32 other_lane, u32 stamp) const {
  if (warp == mine.warp && (other_lane == lane || stamp < mine.met)) return true;
  if (warp >= mine.first_of_block && warp < mine.end_of_block && stamp < mine.block_known[lane]) {
    return true;
  }
  const LaunchState& launch = *mine.launch;
  if (warp < launch.first_warp || warp >= launch.end_warp) {
    const LaunchState* const other = launch_of(warp);
    if (other == nullptr) return true;
    if (launch.child != nullptr) {
      const ChildOrder& child = *launch.child;
      if (warp >= child.first_parent && warp < child.end_parent) {
        const u32 block = other->first_block + (warp - other->first_warp) / other->warps_per_block;
        return child.after_parent || stamp < child.known.get()->known({block, warp, other_lane});
      }
      if (other->child != nullptr && other->child->first_parent == child.first_parent) {
        return child.after_parent || other->child->queue == child.queue;
      }
    }
    if (other->work == nullptr || launch.work == nullptr) return true;
    const bool early = launch.work->at_begin != nullptr && (mine.grid_waited >> lane & 1U) == 0;
    return is_before(*other->work, early ? *launch.work->at_begin : *launch.work);
  }
  const u32 block = launch.first_block + (warp - launch.first_warp) / launch.warps_per_block;
  const Clock* const clock = mine.clocks[lane].get();
  return clock != nullptr && stamp < clock->known({block, warp, other_lane});
}

bool Races::loosely_ordered(const WarpState& mine, u32 lane, u32 warp, u32 other_lane,
                            u32 stamp) const {
  if (warp == mine.warp && stamp < mine.exchanged) return true;
  const Clock* const clock = mine.loose[lane].get();
  const LaunchState& launch = *mine.launch;
  if (clock == nullptr || warp < launch.first_warp || warp >= launch.end_warp) return false;
  const u32 block = launch.first_block + (warp - launch.first_warp) / launch.warps_per_block;
  return stamp < clock->known({block, warp, other_lane});
}

// What the lane knows, with its own accesses so far.
ClockRef Races::own_clock(const WarpState& mine, u32 lane) const {
  Clock clock;
  if (mine.clocks[lane]) clock = *mine.clocks[lane].get();
  if (mine.met != 0) clock.learn_warp(mine.block, mine.warp, mine.met);
  clock.learn_lane(thread_id(mine, lane), mine.stamps[lane] + 1);
  return ClockRef(std::move(clock));
}

ClockRef Races::release(Warp& warp, u32 lane) {
  WarpState& mine = *warp.state;
  take_over(mine, lane);
  const ClockRef known = own_clock(mine, lane);
  mine.stamps[lane] = tick();
  return known;
}

ClockRef Races::fence_clock(const WarpState& mine, Fenced& fenced, u32 lane) const {
  if (!fenced.any) return {};
  const u32 bit = 1U << lane;
  if ((fenced.open & bit) != 0) {
    Clock clock;
    if (fenced.bases[lane]) clock = *fenced.bases[lane].get();
    if (fenced.met != 0) clock.learn_warp(mine.block, mine.warp, fenced.met);
    clock.learn_lane(thread_id(mine, lane), fenced.stamps[lane] + 1);
    fenced.clocks[lane] = joined(ClockRef(std::move(clock)), fenced.clocks[lane]);
    fenced.bases[lane] = {};
    fenced.open &= ~bit;
  }
  return fenced.clocks[lane];
}

ClockRef Races::fences_of(const WarpState& mine, Fenced& fenced, u32 lanes) const {
  ClockRef all;
  if (!fenced.any) return all;
  for_lanes(lanes, [&](u32 l) { all = joined(all, fence_clock(mine, fenced, l)); });
  return all;
}

void Races::learn(WarpState& mine, u32 lane, const ClockRef& clock) {
  mine.clocks[lane] = joined(mine.clocks[lane], clock);
  const BlockKnown* const block =
      mine.clocks[lane] ? mine.clocks[lane].get()->find(mine.block) : nullptr;
  mine.block_known[lane] = block == nullptr ? 0 : block->all;
}

void Races::take_over(WarpState& mine, u32 lane) {
  Waited& waited = mine.waited[lane];
  mine.waits &= ~(1U << lane);
  if (waited.loose) mine.loose[lane] = joined(mine.loose[lane], waited.loose);
  if (waited.seen) {
    if (waited.acquires) {
      learn(mine, lane, waited.seen);
    } else {
      mine.pending[lane] = joined(mine.pending[lane], waited.seen);
    }
  }
  waited = {};
}
void Races::take_over_all(WarpState& mine, u32 lanes) {
  for_lanes(lanes & mine.waits, [&](u32 l) { take_over(mine, l); });
}

void Races::set_clock(WarpState& mine, u32 lanes, const ClockRef& clock) {
  const BlockKnown* const block = clock ? clock.get()->find(mine.block) : nullptr;
  const u32 known = block == nullptr ? 0 : block->all;
  for_lanes(lanes, [&](u32 l) {
    mine.clocks[l] = clock;
    mine.block_known[l] = known;
  });
}

// --- barriers ------------------------------------------------------------------------------------

void Races::barrier_reached(Warp& warp, u32 lanes, u32 id, bool wait) {
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
      if (page.cells.empty()) continue;
      const u32 in_page = at % CellPage::bytes;
      const u32 first = page.by_bytes ? in_page : in_page / 4;
      for (u32 i = first; i < first + (page.by_bytes ? 4U : 1U); ++i) {
        Writer& writer = page.cells[i].writer;
        if (writer.warp != mine.warp || writer.lane != copy.lane || (writer.bits & is_async) == 0) {
          continue;
        }
        writer.bits &= static_cast<u8>(~is_async);
        writer.stamp = mine.stamps[copy.lane];
        if (agent != nullptr) {
          writer = {agent->thread.warp, agent->stamp, writer.place,
                    static_cast<u8>(agent->thread.lane), is_bulk};
        }
      }
    }
    return true;
  });
}
void Races::wait_for_copies(Warp& warp, u32 lanes, u32 left) { finish_copies(warp, lanes, left); }
void Races::wait_for_all_copies(Warp& warp, u32 lanes) { finish_copies(warp, lanes, ~0U); }

// --- accesses ------------------------------------------------------------------------------------

CellPage& Races::page_of(u64 address) {
  const u64 number = address / CellPage::bytes;
  if (last_ != nullptr && number == last_page_) return *last_;
  Recent& recent = recent_[number % recent_.size()];
  if (recent.number != number) {
    auto found = pages_.find(number);
    if (found == pages_.end()) {
      if (pages_.size() >= most_pages) forget_pages();
      found = pages_.emplace(number, std::make_unique<CellPage>()).first;
      MemoryRange range;
      CellPage& page = *found->second;
      page.is_the_hosts = Memory::instance().find(address, range) &&
                          (range.kind == MemoryKind::managed || range.kind == MemoryKind::pinned);
      if (page.is_the_hosts) host_pages_.push_back(number);
    }
    recent = {number, found->second.get()};
  }
  last_page_ = number;
  last_ = recent.page;
  return *last_;
}

void Races::access(const Access& access) {
  const u64 begin = access.shared != nullptr ? access.offset : access.address;
  const u64 end = begin + access.bytes;
  for (u64 at = begin; at < end;) {
    const u64 next = std::min(end, (at / CellPage::bytes + 1) * CellPage::bytes);
    CellPage& page =
        access.shared != nullptr ? access.shared->shared[at / CellPage::bytes] : page_of(at);
    check_page(page, access, at - begin, next - begin, static_cast<u32>(at % CellPage::bytes));
    at = next;
  }
  if (access.writes && (access.bits & is_async) != 0) {
    WarpState& mine = *access.warp->state;
    mine.copies.push_back({access.lane, mine.groups[access.lane], access.offset, access.bytes});
  }
}

bool Races::read_by_all(const Access& access) {
  const WarpState& mine = *access.warp->state;
  const u64 at = access.shared != nullptr ? access.offset : access.address;
  if (access.bytes != 4 || at % 4 != 0) return false;
  CellPage& page =
      access.shared != nullptr ? access.shared->shared[at / CellPage::bytes] : page_of(at);
  if (page.by_bytes || page.cells.empty()) return false;
  page.used |= 1;
  Cell& cell = page.cells[at % CellPage::bytes / 4];
  const u32 stamp = mine.stamps[0];
  for (u32 l = 1; l < lanes_per_warp; ++l) {
    if (mine.stamps[l] != stamp || mine.block_known[l] != mine.block_known[0]) return false;
  }
  const bool of_one_order = mine.grid_waited == full_mask || mine.launch->work == nullptr ||
                            mine.launch->work->at_begin == nullptr;
  const auto after = [&](const Writer& writer) {
    return writer.warp == 0 ||
           ((writer.bits & is_async) == 0 && writer.warp >= mine.first_of_block &&
            writer.warp < mine.end_of_block && writer.stamp < mine.block_known[0]) ||
           (writer.warp < mine.launch->first_warp && of_one_order &&
            ordered(mine, 0, writer.warp, writer.lane, writer.stamp));
  };
  if (!after(cell.writer) || !after(cell.earlier)) return false;
  for (Reader& reader : cell.readers) {
    // The very same read again, or by the same threads later.
    if (reader.warp != mine.warp || reader.place != access.place || reader.bits != access.bits ||
        reader.lanes != full_mask) {
      continue;
    }
    reader.stamp = stamp;
    return true;
  }
  for (Reader& reader : cell.readers) {
    const bool is_free = reader.warp < first_known() || reader.stamp == 0 ||
                         (reader.warp >= mine.first_of_block && reader.warp < mine.end_of_block &&
                          reader.stamp < mine.block_known[0]);
    if (!is_free) continue;
    reader = {mine.warp, full_mask, stamp, access.place, access.bits};
    return true;
  }
  // As lane by lane: readers of different warps say more than those of one.
  cell.readers[cell.readers[0].warp == mine.warp ? 0 : 1] = {mine.warp, full_mask, stamp,
                                                             access.place, access.bits};
  return true;
}

void Races::check_page(CellPage& page, const Access& access, u64 from, u64 to, u32 in_page) {
  if (!page.by_bytes && (in_page % 4 != 0 || (to - from) % 4 != 0)) page.split();
  if (page.cells.empty()) page.cells.resize(CellPage::bytes / 4);
  page.used |= access.writes ? 2 : 1;
  const u32 each = page.by_bytes ? 1 : 4;
  for (u64 at = from; at < to; at += each) {
    check_cell(page.cells[(in_page + (at - from)) / each], access, static_cast<u32>(at));
  }
}

void Races::check_cell(Cell& cell, const Access& access, u32 at) {
  const WarpState& mine = *access.warp->state;
  const u32 lane = access.lane;
  // Whose the access is, for those that come after it.
  const u32 of_warp = access.agent != nullptr ? access.agent->thread.warp : mine.warp;
  const u32 of_lane = access.agent != nullptr ? access.agent->thread.lane : lane;
  const u32 of_stamp = access.agent != nullptr ? access.agent->stamp : mine.stamps[lane];
  const auto strong_together = [&](u32 warp, u8 bits) {
    if ((bits & strong) == 0 || (access.bits & strong) == 0) return false;
    // Each has to include the other's thread in its scope.
    const Scope narrow = std::min(scope_of(bits), scope_of(access.bits));
    if (narrow != Scope::block) return true;
    const LaunchState& launch = *mine.launch;
    return warp >= launch.first_warp && warp < launch.end_warp &&
           launch.first_block + (warp - launch.first_warp) / launch.warps_per_block == mine.block;
  };
  // Lanes of a warp that talk by volatile accesses and rely on going in step.
  const auto in_step_only = [&](u32 warp, u32 other_lane, u8 bits, u32 stamp) {
    return access.shared != nullptr && warp == mine.warp && (bits & access.bits & polls) != 0 &&
           !ordered(mine, lane, warp, other_lane, stamp);
  };

  Writer& writer = cell.writer;
  bool after_writer = true;
  for (const Writer* one : {&cell.writer, &cell.earlier}) {
    if (one->warp == 0) continue;
    const bool pending = (one->bits & is_async) != 0;
    if (!pending && ordered(mine, lane, one->warp, one->lane, one->stamp)) {
      if (access.agent != nullptr && access.reads) check_proxy(access, *one, at);
      continue;
    }
    if (one == &writer) after_writer = false;
    const bool together = !pending && strong_together(one->warp, one->bits);
    bool steps = false;
    if (together && access.reads && in_step_only(one->warp, one->lane, one->bits, one->stamp)) {
      // It is none where the lane has asked here before, as those do that wait for a flag.
      steps = std::ranges::none_of(cell.readers, [&](const Reader& reader) {
        return reader.warp == mine.warp && (reader.lanes >> lane & 1U) != 0 &&
               reader.place == access.place;
      });
    }
    if (!together || steps) {
      conflict(access, one, nullptr, at);
      break;
    }
  }
  if (access.writes) {
    for (Reader& reader : cell.readers) {
      if (reader.warp == 0 || reader.stamp == 0) continue;
      u32 apart = 0;
      for_lanes(reader.lanes, [&](u32 l) {
        if (!ordered(mine, lane, reader.warp, l, reader.stamp) &&
            !loosely_ordered(mine, lane, reader.warp, l, reader.stamp)) {
          apart |= 1U << l;
        }
      });
      if (apart != 0 && !strong_together(reader.warp, reader.bits)) {
        Reader unordered = reader;
        unordered.lanes = apart;
        conflict(access, nullptr, &unordered, at);
      }
      reader.stamp = 0;
    }
    // A strong write that is not after the last one: the last one stands beside it. So does a plain
    // one that comes before this strong one by the order of threads alone: others may know nothing
    // of it.
    if (after_writer) {
      const auto known_to_all = [&](const Writer& one) {
        return one.warp < mine.launch->first_warp ||
               (one.warp >= mine.first_of_block && one.warp < mine.end_of_block &&
                one.stamp < mine.block_known[lane]);
      };
      const bool is_strong = (access.bits & strong) != 0;
      Writer& earlier = cell.earlier;
      if (earlier.warp != 0 && ordered(mine, lane, earlier.warp, earlier.lane, earlier.stamp) &&
          (!is_strong || (earlier.bits & strong) != 0 || known_to_all(earlier))) {
        earlier = {};
      }
      if (is_strong && earlier.warp == 0 && writer.warp != 0 && (writer.bits & strong) == 0 &&
          !known_to_all(writer)) {
        earlier = writer;
      }
    } else if ((writer.bits & access.bits & strong) != 0 &&
               (cell.earlier.warp == 0 || cell.earlier.warp == mine.warp)) {
      cell.earlier = writer;
    }
    writer = {of_warp, of_stamp, access.place, static_cast<u8>(of_lane), access.bits};
  }
  if (!access.reads || access.writes) return;
  Reader* place = nullptr;
  for (Reader& reader : cell.readers) {
    if (reader.warp == of_warp && reader.stamp == of_stamp && reader.bits == access.bits &&
        reader.place == access.place) {
      reader.lanes |= 1U << of_lane;
      return;
    }
  }
  for (Reader& reader : cell.readers) {
    if (reader.warp == 0 || reader.stamp == 0) place = &reader;
  }
  for (Reader& reader : cell.readers) {
    if (place != nullptr) break;
    // One that is ordered before this read: a later write that is after this one is after it too.
    bool before = reader.warp == of_warp && reader.lanes == 1U << of_lane;
    if (!before && reader.warp != 0) {
      before = true;
      for_lanes(reader.lanes, [&](u32 l) {
        before = before && ordered(mine, lane, reader.warp, l, reader.stamp);
      });
    }
    if (before) place = &reader;
  }
  // Readers of different warps say more than those of one.
  if (place == nullptr) place = &cell.readers[cell.readers[0].warp == of_warp ? 0 : 1];
  *place = {of_warp, 1U << of_lane, of_stamp, access.place, access.bits};
}

void Races::forget_shared(BlockState& block, u32 offset, u32 bytes) {
  for (u32 at = offset; at < offset + bytes && at / CellPage::bytes < block.shared.size(); ++at) {
    CellPage& page = block.shared[at / CellPage::bytes];
    if (page.cells.empty()) continue;
    const u32 in_page = at % CellPage::bytes;
    page.cells[page.by_bytes ? in_page : in_page / 4] = {};
  }
}

void Races::forget(u64 address, u64 bytes) {
  if (pages_.empty()) return;
  for (u64 page = address / CellPage::bytes; page <= (address + bytes) / CellPage::bytes; ++page) {
    pages_.erase(page);
    Recent& recent = recent_[page % recent_.size()];
    if (recent.number == page) recent = {};
  }
  last_ = nullptr;
}

std::vector<HostPageUse> Races::take_host_pages() {
  std::vector<HostPageUse> all;
  std::erase_if(host_pages_, [&](u64 number) {
    const auto found = pages_.find(number);
    if (found == pages_.end()) return true;
    if (found->second->used != 0) {
      all.push_back({number * CellPage::bytes, (found->second->used & 2U) != 0});
    }
    found->second->used = 0;
    return false;
  });
  return all;
}

bool Races::races_with_host(u64 address, bool writes, Finding& finding, bool& other_writes) {
  const auto page = pages_.find(address / CellPage::bytes);
  if (page == pages_.end() || page->second->cells.empty()) return false;
  const u32 in_page = static_cast<u32>(address % CellPage::bytes);
  const Cell& cell = page->second->cells[page->second->by_bytes ? in_page : in_page / 4];
  const WorkOrderRef now = current_work();
  const auto clashes = [&](u32 warp, u8 bits) {
    const LaunchState* const launch = warp == 0 ? nullptr : launch_of(warp);
    if (launch == nullptr || launch->work == nullptr || host_knows(*launch->work) ||
        (now != nullptr && is_before(*launch->work, *now))) {
      return false;
    }
    if ((bits & strong) == 0 || scope_of(bits) != Scope::system) return true;
    // A flag by which a kernel and the host talk while the kernel runs.
    host_waited_for(launch->work);
    return false;
  };
  const auto tell = [&](u32 warp, u32 lane, u32 place, u8 bits, bool write) {
    const LaunchState& launch = *launch_of(warp);
    if (place_at(place).code != nullptr) {
      finding.kernel = launch.kernel;
      finding.launch = launch.number;
    }
    finding.at = site_of(place, access_name(write, bits, page->second->by_bytes ? 1 : 4));
    if (place_at(place).code != nullptr) finding.at.thread = thread_name(launch, warp, lane);
    other_writes = write;
    return true;
  };
  const Writer& writer = cell.writer;
  if (clashes(writer.warp, writer.bits)) {
    return tell(writer.warp, writer.lane, writer.place, writer.bits, true);
  }
  for (const Reader& reader : cell.readers) {
    if (!writes || reader.stamp == 0 || !clashes(reader.warp, reader.bits)) continue;
    return tell(reader.warp, static_cast<u32>(std::countr_zero(reader.lanes)), reader.place,
                reader.bits, false);
  }
  return false;
}

void Races::host_access(const WorkOrderRef& work, u64 address, u64 bytes, bool writes, u32 place) {
  // What is larger is followed in its first part: the history takes 18 times its room.
  constexpr u64 most = u64{256} << 20;
  if (work == nullptr || bytes == 0 || !has_several_streams()) return;
  bytes = std::min(bytes, most);
  auto state = std::make_unique<LaunchState>();
  state->work = work;
  state->first_block = next_block_++;
  state->first_warp = next_warp_++;
  state->end_warp = next_warp_;
  const LaunchState& mine = *state;
  launches_.push_back(std::move(state));
  const auto apart = [&](u32 warp) {
    const LaunchState* const other = warp == 0 ? nullptr : launch_of(warp);
    return other != nullptr && other != &mine && other->work != nullptr &&
           !is_before(*other->work, *work);
  };
  const u32 stamp = tick();
  bool reported = false;
  for (u64 at = address; at < address + bytes;) {
    CellPage& page = page_of(at);
    const auto in_page = static_cast<u32>(at % CellPage::bytes);
    const u64 here = std::min<u64>(CellPage::bytes - in_page, address + bytes - at);
    if (!page.by_bytes && (in_page % 4 != 0 || here % 4 != 0)) page.split();
    if (page.cells.empty()) page.cells.resize(CellPage::bytes / 4);
    const u32 each = page.by_bytes ? 1 : 4;
    for (u64 i = 0; i < here; i += each) {
      Cell& cell = page.cells[(in_page + i) / each];
      if (!reported) {
        const Reader* reader = nullptr;
        for (const Reader& one : cell.readers) {
          if (writes && one.stamp != 0 && apart(one.warp)) reader = &one;
        }
        if (apart(cell.writer.warp)) {
          reported = host_conflict(cell.writer.warp, cell.writer.lane, cell.writer.place,
                                   access_name(true, cell.writer.bits, each), at + i, place);
        } else if (reader != nullptr) {
          reported =
              host_conflict(reader->warp, static_cast<u32>(std::countr_zero(reader->lanes)),
                            reader->place, access_name(false, reader->bits, each), at + i, place);
        }
      }
      if (writes) {
        for (Reader& one : cell.readers) one.stamp = 0;
        cell.writer = {mine.first_warp, stamp, place, 0, 0};
        cell.earlier = {};
      } else {
        Reader& one = cell.readers[cell.readers[0].stamp == 0 ? 0 : 1];
        one = {mine.first_warp, 1, stamp, place, 0};
      }
    }
    at += here;
  }
}

// The work at `place` and an access of a kernel, or other work, are not ordered.
bool Races::host_conflict(u32 warp, u32 lane, u32 other, const std::string& what, u64 address,
                          u32 place) {
  if (is_known(Kind::race, place, other)) return true;
  const LaunchState& launch = *launch_of(warp);
  const bool of_kernel = place_at(other).code != nullptr;
  Finding finding;
  finding.kind = Kind::race;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  finding.message = std::string("work of two streams touches the same memory, and no event, ") +
                    "synchronisation or stream orders it: a " + place_at(place).what + " and a " +
                    (of_kernel ? "kernel" : place_at(other).what);
  finding.memory = describe_global(address);
  finding.at = site_of(other, what);
  if (of_kernel) finding.at.thread = thread_name(launch, warp, lane);
  finding.other = site_of(place, "");
  report(std::move(finding));
  return true;
}

// --- reports -------------------------------------------------------------------------------------

namespace {

// The bytes that a lane's store writes; false where the operation is none, or is too wide.
struct StoredBytes {
  std::array<std::byte, 32> bytes{};
  bool operator==(const StoredBytes&) const = default;
};
bool stored_value(const Warp& warp, const Op* op, u32 lane, u32 bytes, StoredBytes& value) {
  const Code& code = *warp.call->code;
  const auto index = static_cast<std::size_t>(op - code.ops.data());
  if (index >= code.touches.size() || bytes > value.bytes.size()) return false;
  const Touch& touch = code.touches[index];
  const bool plain = touch.form == TouchForm::lanes64 || touch.form == TouchForm::lanes32 ||
                     touch.form == TouchForm::shared64;
  if (!plain || touch.way != Way::store) return false;
  const auto* const pieces = static_cast<const Pieces*>(op->extra);
  const u32 count = pieces == nullptr ? 1 : pieces->count;
  if (count == 0) return false;
  const u32 each = bytes / count;
  for (u32 k = 0; k < count; ++k) {
    const u32 slot = pieces == nullptr ? op->d : pieces->slots[k];
    u32 lane_bytes = 0;
    for (u32 i = code.first_operand[index]; i < code.first_operand[index + 1]; ++i) {
      if (code.operands[i].slot == slot) lane_bytes = code.operands[i].lane_bytes;
    }
    if (lane_bytes != 4 && lane_bytes != 8) return false;
    std::memcpy(value.bytes.data() + k * each,
                warp.frame + slot + static_cast<std::size_t>(lane) * lane_bytes,
                std::min(each, lane_bytes));
  }
  return true;
}

const ptx::Operand* address_of(const ptx::Instruction& in) {
  const auto found = std::ranges::find(in.operands, ptx::Operand::Kind::address,
                                       [](const ptx::Operand& operand) { return operand.kind; });
  return found == in.operands.end() || found->items.size() != 1 ? nullptr : &*found;
}

// A plain read whose value a compare-and-swap at the same address checks afterwards: the way that
// the CUDA C++ Programming Guide makes atomic functions of others.
bool feeds_compare_and_swap(u32 place) {
  const Place& at = place_at(place);
  if (at.code == nullptr || at.code->origin_function == nullptr) return false;
  const auto& all = static_cast<const ptx::Function*>(at.code->origin_function)->instructions;
  const std::size_t index = at.code->origins[at.op].instruction;
  const ptx::Operand* const mine = index < all.size() ? address_of(all[index]) : nullptr;
  if (mine == nullptr) return false;
  return std::ranges::any_of(all, [&](const ptx::Instruction& in) {
    if (in.opcode != "atom" || !in.has("cas")) return false;
    const ptx::Operand* const address = address_of(in);
    return address != nullptr && address->bits == mine->bits &&
           address->items[0].variable == mine->items[0].variable &&
           address->items[0].name == mine->items[0].name;
  });
}

template <class Visit>
void for_registers(const ptx::Operand& operand, Visit&& visit) {
  if (operand.variable != nullptr) visit(operand.variable);
  for (const ptx::Operand& item : operand.items) for_registers(item, visit);
}

// The value of the plain read at this place is what a compare-and-swap compares with: where it was
// stale, that fails, and nothing is lost. Atomic functions are made that way.
bool is_compared(u32 place) {
  static auto* const known = new std::map<u32, bool>;
  if (const auto found = known->find(place); found != known->end()) return found->second;
  bool& result = (*known)[place];
  const Place& at = place_at(place);
  if (at.code == nullptr || at.code->origin_function == nullptr) return false;
  const auto& all = static_cast<const ptx::Function*>(at.code->origin_function)->instructions;
  const std::size_t index = at.code->origins[at.op].instruction;
  if (index >= all.size() || all[index].operands.empty()) return false;
  std::set<const ptx::Variable*> reached;
  for_registers(all[index].operands[0], [&](const ptx::Variable* one) { reached.insert(one); });
  for (std::size_t before = 0; before != reached.size();) {
    before = reached.size();
    for (const ptx::Instruction& in : all) {
      if (in.opcode == "st" || in.opcode == "ld" || in.opcode == "atom" || in.opcode == "red" ||
          in.operands.size() < 2) {
        continue;
      }
      bool takes = false;
      for (std::size_t i = 1; i < in.operands.size(); ++i) {
        for_registers(in.operands[i],
                      [&](const ptx::Variable* one) { takes = takes || reached.contains(one); });
      }
      if (!takes) continue;
      for_registers(in.operands[0], [&](const ptx::Variable* one) { reached.insert(one); });
    }
  }
  const auto is_reached = [&](const ptx::Operand& operand) {
    bool any = false;
    for_registers(operand, [&](const ptx::Variable* one) { any = any || reached.contains(one); });
    return any;
  };
  // Where the value says at which address to compare, it was read at another one.
  result = std::ranges::any_of(all, [&](const ptx::Instruction& in) {
    return in.opcode == "atom" && in.has("cas") && in.operands.size() > 2 &&
           is_reached(in.operands[2]) && !is_reached(in.operands[1]);
  });
  return result;
}

}  // namespace

void Races::conflict(const Access& access, const Writer* writer, const Reader* reader, u32 at) {
  const u32 place = writer != nullptr ? writer->place : reader->place;
  const u32 warp = writer != nullptr ? writer->warp : reader->warp;
  const u32 lane =
      writer != nullptr ? writer->lane : static_cast<u32>(std::countr_zero(reader->lanes));
  const u8 bits = writer != nullptr ? writer->bits : reader->bits;
  // Writes of the value that is there already.
  bool same_value = false;
  if (writer != nullptr && access.writes && !access.reads &&
      ((bits | access.bits) & (is_async | is_atomic | is_bulk)) == 0) {
    StoredBytes mine;
    if (stored_value(*access.warp, access.op, access.lane, access.bytes, mine)) {
      StoredBytes there;
      if (writer->warp == access.warp->state->warp && writer->place == access.place &&
          writer->stamp == access.warp->state->stamps[access.lane]) {
        // Another lane of this very instruction, or of an earlier turn: then both values count.
        same_value =
            stored_value(*access.warp, access.op, lane, access.bytes, there) && there == mine;
      }
      if (!same_value) {
        const auto* bytes = access.shared != nullptr
                                ? access.warp->block->shared + access.offset
                                : reinterpret_cast<const std::byte*>(access.address);
        const bool own = access.shared == nullptr || access.shared == access.warp->block->state;
        if (own && !(writer->warp == access.warp->state->warp && writer->place == access.place)) {
          std::memcpy(there.bytes.data(), bytes, access.bytes);
          same_value = there == mine;
        }
      }
    }
  }
  const Kind kind = same_value ? Kind::same_value_race : Kind::race;
  const bool guessed =
      (writer != nullptr && (bits & is_atomic) != 0 && !access.writes &&
       feeds_compare_and_swap(access.place)) ||
      (reader != nullptr && (access.bits & is_atomic) != 0 && feeds_compare_and_swap(place));
  if ((writer != nullptr && (bits & is_atomic) != 0 && !access.writes &&
       (access.bits & is_atomic) == 0 && is_compared(access.place)) ||
      (reader != nullptr && (access.bits & is_atomic) != 0 && (bits & is_atomic) == 0 &&
       is_compared(place))) {
    return;
  }
  if (is_known(kind, access.place, place)) return;
  // Libraries do that on purpose.
  if (same_value && site_of(access.place, "").of_toolkit) return;

  const LaunchState& launch = *access.warp->state->launch;
  const LaunchState* const other = launch_of(warp);
  Finding finding;
  finding.kind = kind;
  finding.notice = same_value || guessed;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  const std::string mine_is = access_name(access.writes, access.bits, access.bytes);
  finding.at = site_of(access.place, mine_is);
  finding.at.thread = thread_name(launch, access.warp->state->warp, access.lane);
  finding.other = site_of(place, access_name(writer != nullptr, bits, access.bytes));
  if (other != nullptr) finding.other.thread = thread_name(*other, warp, lane);
  const bool same_launch = other == &launch;
  const bool of_host = place_at(place).code == nullptr;
  if (of_host) finding.other.thread.clear();
  const bool same_block =
      same_launch && launch.first_block + (warp - launch.first_warp) / launch.warps_per_block ==
                         access.warp->state->block;
  const std::string between = warp == access.warp->state->warp ? "lanes of one warp"
                              : same_block                     ? "warps of one block"
                              : same_launch                    ? "blocks"
                              : of_host ? std::string("a kernel and a ") + place_at(place).what
                                        : "kernels";
  if ((bits & is_async) != 0) {
    finding.message =
        "memory is used that an asynchronous copy may still write: no cp.async.wait (with a "
        "barrier, "
        "for other threads) comes before it";
  } else if ((bits & is_bulk) != 0) {
    finding.message = std::string("memory is ") + (access.writes ? "written" : "used") +
                      " that an asynchronous copy may still " +
                      (writer != nullptr ? "write" : "read") +
                      ": its mbarrier's phase, or its bulk group, was not waited for";
  } else if (guessed) {
    finding.message = "a plain read of what others change by atomics, between " + between +
                      "; a compare-and-swap checks its value afterwards";
  } else if (same_value) {
    finding.message = "threads write one value to one place without order, between " + between;
  } else if ((bits & access.bits & strong) != 0 && warp != access.warp->state->warp) {
    finding.message = "strong accesses whose scope leaves the other thread out, between " + between;
  } else if ((bits & access.bits & strong) != 0) {
    finding.message =
        "volatile accesses rely on lanes of a warp going in step, which they need not since Volta: "
        "__syncwarp() is missing";
  } else {
    finding.message =
        std::string(access.writes ? (writer != nullptr ? "two writes" : "a write after a read")
                                  : "a read after a write") +
        " without order, between " + between;
    if (!same_launch) finding.message += " that no stream, event or synchronisation orders";
  }
  finding.memory = access.shared != nullptr
                       ? describe_shared(*access.warp->block->launch, access.offset + at)
                       : describe_global(access.address + at);
  report(std::move(finding));
}

}  // namespace softgpu::check

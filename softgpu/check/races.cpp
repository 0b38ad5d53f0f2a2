#include "softgpu/check/races.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "softgpu/check/chosen.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races_parts.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {
namespace {

// The history of global memory may grow to this; then it is forgotten, and races with what went
// before go unnoticed.
constexpr std::size_t most_pages = std::size_t{1} << 19;

// Bulk copies of 32 times as many mbarriers and lanes are told apart in a launch.
constexpr u64 agent_warps = 32;

}  // namespace

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

Races::Races() : follows_(looks_for_races()) {}

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
  end_block(block);
  BlockState& state = *block.state;
  state.number = launch.first_block + static_cast<u32>(block.linear);
  state.launch = &launch;
  const u32 pages = (block.shared_bytes + CellPage::bytes - 1) / CellPage::bytes;
  state.shared.assign(follows_ ? pages : 0, CellPage{});
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
  if (!follows_) return;
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
  if (!follows_) return true;
  const WarpState& mine = *access.warp->state;
  const u64 at = access.shared != nullptr ? access.offset : access.address;
  if (access.bytes != 4 || at % 4 != 0) return false;
  CellPage& page =
      access.shared != nullptr ? access.shared->shared[at / CellPage::bytes] : page_of(at);
  if (page.by_bytes || page.empty()) return false;
  page.open();
  page.used |= 1;
  const u32 number = at % CellPage::bytes / 4;
  CellGroup& group = page.groups[number / CellGroup::size];
  const u32 k = number % CellGroup::size;
  const u32 stamp = mine.stamps[0];
  u32 differs = 0;
  for (u32 l = 1; l < lanes_per_warp; ++l) {
    differs |= (mine.stamps[l] ^ stamp) | (mine.block_known[l] ^ mine.block_known[0]);
  }
  if (differs != 0) return false;
  const bool of_one_order = mine.grid_waited == full_mask || mine.launch->work == nullptr ||
                            mine.launch->work->at_begin == nullptr;
  const auto after = [&](const CellGroup::Writers& writers) {
    const u32 warp = writers.warp[k];
    const u32 who = writers.who[k];
    return warp == 0 ||
           ((who & u32{is_async} << 8) == 0 && warp >= mine.first_of_block &&
            warp < mine.end_of_block && writers.stamp[k] < mine.block_known[0]) ||
           (warp < mine.launch->first_warp && of_one_order &&
            ordered(mine, 0, warp, who & 0xffU, writers.stamp[k]));
  };
  if (!after(group.writers) || (page.any_earlier && !after(group.earlier))) return false;
  for (CellGroup::Readers& reader : group.readers) {
    // The very same read again, or by the same threads later.
    if (reader.warp[k] != mine.warp || reader.place[k] != access.place ||
        reader.bits[k] != access.bits || reader.lanes[k] != full_mask) {
      continue;
    }
    reader.stamp[k] = stamp;
    return true;
  }
  // As lane by lane: readers of different warps say more than those of one.
  CellGroup::Readers* to = &group.readers[group.readers[0].warp[k] == mine.warp ? 0 : 1];
  const u32 known = first_known();
  for (CellGroup::Readers& reader : group.readers) {
    const bool is_free =
        reader.warp[k] < known || reader.stamp[k] == 0 ||
        (reader.warp[k] >= mine.first_of_block && reader.warp[k] < mine.end_of_block &&
         reader.stamp[k] < mine.block_known[0]);
    if (!is_free) continue;
    to = &reader;
    break;
  }
  to->warp[k] = mine.warp;
  to->lanes[k] = full_mask;
  to->stamp[k] = stamp;
  to->place[k] = access.place;
  to->bits[k] = access.bits;
  return true;
}

void Races::check_page(CellPage& page, const Access& access, u64 from, u64 to, u32 in_page) {
  if (!page.by_bytes && (in_page % 4 != 0 || (to - from) % 4 != 0)) page.split();
  page.open();
  page.used |= access.writes ? 2 : 1;
  const u32 each = page.by_bytes ? 1 : 4;
  for (u64 at = from; at < to; at += each) {
    const u32 number = page.cell_of(in_page + static_cast<u32>(at - from));
    Cell cell = page.get(number);
    check_cell(cell, access, static_cast<u32>(at));
    page.set(number, cell);
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
    if (page.empty()) continue;
    page.open();
    page.set(page.cell_of(at % CellPage::bytes), {});
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

}  // namespace softgpu::check

// The part of Races that is about bulk copies: bulk_copies.hpp says what they are taken for.
#include <algorithm>
#include <bit>
#include <string>
#include <utility>

#include "softgpu/check/findings.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races_parts.hpp"

namespace softgpu::check {
namespace {

constexpr u64 agents_of_launch = 1024;

}  // namespace

Block* shared_block_of(Warp& w, u64 address) {
  const u64 rank = (address & ~window_mask) >> 24 & 0xffU;
  if (rank == 0) return w.block;
  const Cluster* const cluster = w.block->cluster;
  return cluster != nullptr && rank <= cluster->blocks.size() ? cluster->blocks[rank - 1] : nullptr;
}

// Two of a launch that get one agent are taken for ordered where they are not.
Agent Races::agent(const WarpState& of, u64 key) {
  const LaunchState& launch = *of.launch;
  const u64 index = (key * 0x9e3779b97f4a7c15ULL >> 32) % agents_of_launch;
  Agent agent;
  agent.thread.warp = launch.first_agent + static_cast<u32>(index / lanes_per_warp);
  agent.thread.lane = static_cast<u32>(index % lanes_per_warp);
  agent.thread.block =
      launch.first_block + (agent.thread.warp - launch.first_warp) / launch.warps_per_block;
  agent.stamp = tick();
  return agent;
}

Agent Races::agent_of_barrier(Warp& warp, const BlockState& block, u64 offset) {
  return agent(*warp.state, u64{block.number} << 32 | offset);
}

Agent Races::agent_of_group(Warp& warp, u32 lane, bool writes) {
  WarpState& mine = *warp.state;
  const u64 key = u64{1} << 63 | u64{mine.warp} << 8 | lane << 1 | (writes ? 1U : 0U);
  BulkGroup one{lane, mine.bulk_groups[lane], agent(mine, key), writes};
  mine.bulk.push_back(one);
  return one.agent;
}

void Races::copies_arrive_at(Warp& warp, u32 lane, BlockState& block, u64 offset) {
  const Agent agent = agent_of_barrier(warp, block, offset);
  finish_copies(warp, 1U << lane, ~0U, &agent);
  completes_at(block, offset, agent);
}

void Races::completes_at(BlockState& block, u64 offset, const Agent& agent) {
  Clock known;
  known.learn_lane(agent.thread, agent.stamp + 1);
  SyncVariable& mark = block.variables[offset];
  mark.device = joined(mark.device, ClockRef(std::move(known)));
}

void Races::commit_bulk(Warp& warp, u32 lanes) {
  for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
    ++warp.state->bulk_groups[static_cast<std::size_t>(std::countr_zero(rest))];
  }
}

void Races::wait_for_bulk(Warp& warp, u32 lanes, u32 left, bool reads_only) {
  WarpState& mine = *warp.state;
  std::erase_if(mine.bulk, [&](const BulkGroup& one) {
    if ((lanes >> one.lane & 1U) == 0 || one.group + left >= mine.bulk_groups[one.lane]) {
      return false;
    }
    if (reads_only && one.writes) return false;
    Clock known;
    known.learn_lane(one.agent.thread, one.agent.stamp + 1);
    learn(mine, one.lane, ClockRef(std::move(known)));
    return true;
  });
}

void Races::wait_for_grid(Warp& warp, u32 lanes) { warp.state->grid_waited |= lanes; }

void Races::proxy_fence(Warp& warp, u32 lanes) {
  WarpState& mine = *warp.state;
  for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    mine.launch->proxied = joined(mine.launch->proxied, own_clock(mine, lane));
  }
  // What is written from here on, the fence has not seen.
  const u32 stamp = tick();
  for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
    mine.stamps[static_cast<std::size_t>(std::countr_zero(rest))] = stamp;
  }
}

// A bulk copy reads what a thread wrote before it, in order: by another proxy, which needs a fence
// of proxies between them.
void Races::check_proxy(const Access& access, const Writer& writer, u32 at) {
  const LaunchState& launch = *access.warp->state->launch;
  if ((writer.bits & is_bulk) != 0 || writer.warp < launch.first_warp ||
      writer.warp >= launch.first_agent) {
    return;
  }
  const u32 block = launch.first_block + (writer.warp - launch.first_warp) / launch.warps_per_block;
  const Clock* const proxied = launch.proxied.get();
  if (proxied != nullptr && writer.stamp < proxied->known({block, writer.warp, writer.lane})) {
    return;
  }
  if (is_known(Kind::race, access.place, writer.place)) return;
  Finding finding;
  finding.kind = Kind::race;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  finding.message =
      "a bulk copy reads what a thread has written, without fence.proxy.async between them: the "
      "copy need not see it";
  finding.at = site_of(access.place, "read by a bulk copy");
  finding.at.thread = thread_name(launch, access.warp->state->warp, access.lane);
  finding.other = site_of(writer.place, "write");
  finding.other.thread = thread_name(launch, writer.warp, writer.lane);
  finding.memory = access.shared != nullptr
                       ? describe_shared(*access.warp->block->launch, access.offset + at)
                       : describe_global(access.address + at);
  if (access.shared == nullptr && finding.at.of_toolkit) return;
  report(std::move(finding));
}

}  // namespace softgpu::check

#include "softgpu/check/clock.hpp"

#include <algorithm>

namespace softgpu::check {
namespace {

constexpr std::size_t lanes_of_a_warp = 32;

template <class Known>
bool is_before(const Known& a, std::uint32_t number) {
  if constexpr (requires { a.block; }) {
    return a.block < number;
  } else {
    return a.warp < number;
  }
}

void join_warp(WarpKnown& mine, const WarpKnown& other) {
  mine.all = std::max(mine.all, other.all);
  if (other.lanes.empty()) return;
  if (mine.lanes.empty()) {
    mine.lanes = other.lanes;
    return;
  }
  for (std::size_t l = 0; l < lanes_of_a_warp; ++l) {
    mine.lanes[l] = std::max(mine.lanes[l], other.lanes[l]);
  }
}

void join_block(BlockKnown& mine, const BlockKnown& other) {
  mine.all = std::max(mine.all, other.all);
  for (const WarpKnown& warp : other.warps) {
    const auto at =
        std::lower_bound(mine.warps.begin(), mine.warps.end(), warp.warp, is_before<WarpKnown>);
    if (at != mine.warps.end() && at->warp == warp.warp) {
      join_warp(*at, warp);
    } else {
      mine.warps.insert(at, warp);
    }
  }
}

}  // namespace

const BlockKnown* Clock::find(std::uint32_t block) const {
  const auto at = std::lower_bound(blocks_.begin(), blocks_.end(), block, is_before<BlockKnown>);
  return at != blocks_.end() && at->block == block ? &*at : nullptr;
}

std::uint32_t Clock::known(const ThreadId& thread) const {
  const BlockKnown* const block = find(thread.block);
  if (block == nullptr) return 0;
  std::uint32_t known = block->all;
  const auto at =
      std::lower_bound(block->warps.begin(), block->warps.end(), thread.warp, is_before<WarpKnown>);
  if (at == block->warps.end() || at->warp != thread.warp) return known;
  known = std::max(known, at->all);
  return at->lanes.empty() ? known : std::max(known, at->lanes[thread.lane]);
}

BlockKnown& Clock::of_block(std::uint32_t block) {
  const auto at = std::lower_bound(blocks_.begin(), blocks_.end(), block, is_before<BlockKnown>);
  if (at != blocks_.end() && at->block == block) return *at;
  return *blocks_.insert(at, BlockKnown{block, 0, {}});
}

WarpKnown& Clock::of_warp(std::uint32_t block, std::uint32_t warp) {
  auto& warps = of_block(block).warps;
  const auto at = std::lower_bound(warps.begin(), warps.end(), warp, is_before<WarpKnown>);
  if (at != warps.end() && at->warp == warp) return *at;
  return *warps.insert(at, WarpKnown{warp, 0, {}});
}

void Clock::join(const Clock& other) {
  if (blocks_.empty()) {
    blocks_ = other.blocks_;
    return;
  }
  for (const BlockKnown& block : other.blocks_) {
    const auto at =
        std::lower_bound(blocks_.begin(), blocks_.end(), block.block, is_before<BlockKnown>);
    if (at != blocks_.end() && at->block == block.block) {
      join_block(*at, block);
    } else {
      blocks_.insert(at, block);
    }
  }
}

bool Clock::covers(const Clock& other) const {
  return std::all_of(other.blocks_.begin(), other.blocks_.end(), [&](const BlockKnown& theirs) {
    const BlockKnown* const mine = find(theirs.block);
    if (mine == nullptr || mine->all < theirs.all) return false;
    return std::all_of(theirs.warps.begin(), theirs.warps.end(), [&](const WarpKnown& warp) {
      const auto at =
          std::lower_bound(mine->warps.begin(), mine->warps.end(), warp.warp, is_before<WarpKnown>);
      const bool has = at != mine->warps.end() && at->warp == warp.warp;
      const std::uint32_t all = std::max(mine->all, has ? at->all : 0);
      if (all < warp.all) return false;
      for (std::size_t l = 0; l < warp.lanes.size(); ++l) {
        if (std::max(all, has && !at->lanes.empty() ? at->lanes[l] : 0) < warp.lanes[l])
          return false;
      }
      return true;
    });
  });
}

void Clock::learn_block(std::uint32_t block, std::uint32_t stamp) {
  BlockKnown& known = of_block(block);
  known.all = std::max(known.all, stamp);
  // Nothing newer than that can be known of any of its warps.
  known.warps.clear();
}

void Clock::learn_warp(std::uint32_t block, std::uint32_t warp, std::uint32_t stamp) {
  WarpKnown& known = of_warp(block, warp);
  known.all = std::max(known.all, stamp);
}

void Clock::learn_lane(const ThreadId& thread, std::uint32_t stamp) {
  WarpKnown& known = of_warp(thread.block, thread.warp);
  if (known.lanes.empty()) known.lanes.assign(lanes_of_a_warp, 0);
  known.lanes[thread.lane] = std::max(known.lanes[thread.lane], stamp);
}

ClockRef joined(const ClockRef& a, const ClockRef& b) {
  if (!b || a == b) return a;
  if (!a) return b;
  if (a.get()->covers(*b.get())) return a;
  if (b.get()->covers(*a.get())) return b;
  Clock both = *a.get();
  both.join(*b.get());
  return ClockRef(std::move(both));
}

}  // namespace softgpu::check

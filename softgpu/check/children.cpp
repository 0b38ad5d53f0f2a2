#include "softgpu/check/children.hpp"

#include <atomic>
#include <utility>

#include "softgpu/check/lock.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/device/options.hpp"

namespace softgpu::check {
namespace {

thread_local ChildOrderRef running;

}  // namespace

ChildOrderRef child_launched(Warp& warp, std::uint32_t lane, std::uint64_t stream,
                             bool after_parent, bool in_no_order) {
  static std::atomic<std::uint64_t> next_queue{1};
  if (!options().check || warp.state == nullptr) return nullptr;
  const std::lock_guard lock(checker_mutex());
  auto order = std::make_shared<ChildOrder>();
  const LaunchState& parent = *warp.state->launch;
  order->first_parent = parent.first_warp;
  order->end_parent = parent.end_warp;
  order->known = Races::instance().release(warp, lane);
  // Queues of a block and a stream; those that keep no order have one for each launch.
  order->queue = in_no_order
                     ? next_queue.fetch_add(1) << 1 | 1U
                     : (std::uint64_t{warp.state->block} << 32 | (stream & 0x7fffffffU)) << 1;
  order->after_parent = after_parent;
  return order;
}

RunningChild::RunningChild(ChildOrderRef order)
    : before_(std::exchange(running, std::move(order))) {}
RunningChild::~RunningChild() { running = std::move(before_); }
ChildOrderRef running_child() { return running; }

}  // namespace softgpu::check

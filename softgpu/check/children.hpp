// Kernels that kernels launch: what their threads know of those of the kernel that launched them,
// and of its other children (CUDA C++ Programming Guide, "Dynamic Parallelism"). The software GPU
// runs children when their parent has ended, which says nothing about the order.
#pragma once

#include <cstdint>
#include <memory>

#include "softgpu/check/clock.hpp"
#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

struct ChildOrder {
  std::uint32_t first_parent = 0;  // numbers of the parent's warps
  std::uint32_t end_parent = 0;
  ClockRef known;             // that the launching thread knew of them
  std::uint64_t queue = 0;    // of a block and one of its streams, whose launches come in order
  bool after_parent = false;  // a tail launch
};
using ChildOrderRef = std::shared_ptr<const ChildOrder>;

// The lane launches a kernel in a stream of the device runtime. nullptr where its own launch is not
// checked.
[[nodiscard]] ChildOrderRef child_launched(Warp& warp, std::uint32_t lane, std::uint64_t stream,
                                           bool after_parent, bool in_no_order);

// While one lives, the launches that begin on this thread are that child.
class RunningChild {
 public:
  explicit RunningChild(ChildOrderRef order);
  ~RunningChild();
  RunningChild(const RunningChild&) = delete;
  RunningChild& operator=(const RunningChild&) = delete;

 private:
  ChildOrderRef before_;
};
[[nodiscard]] ChildOrderRef running_child();

}  // namespace softgpu::check

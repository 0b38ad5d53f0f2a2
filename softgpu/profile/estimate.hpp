// How long a launch would take on a device: an estimate from counted work.
//
// A launch takes somewhat longer than the slowest of its parts would alone, since they overlap, but
// not wholly, and the time between launches. Parts are what each unit of the busiest multiprocessor
// has to do at the unit's rate, what the L2 cache and memory have to move, the atomics that one
// word has to take one after the other, and the longest chain of dependent instructions of a block,
// once for each round of blocks that the device holds at a time. Nothing is said of clocks that
// change, of other work on the device, of instruction caches, or of what parts cost each other.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "softgpu/device/occupancy.hpp"
#include "softgpu/profile/costs.hpp"
#include "softgpu/profile/profile.hpp"

namespace softgpu::profile {

struct EstimatePart {
  std::string_view name;     // "dram"
  std::string_view meaning;  // "memory bandwidth"
  double seconds = 0;        // of a launch, if it were alone
};

struct Estimate {
  double seconds = 0;         // of a launch, with what lies between launches
  double kernel_seconds = 0;  // without
  std::vector<EstimatePart> parts;
  std::string_view bound;  // name of the longest
  std::string_view bound_meaning;
  Occupancy occupancy;
  double waves = 0;    // rounds of blocks that the device holds at a time
  double balance = 1;  // work of the busiest multiprocessor over the mean of all
};

// Changes that an estimate may assume, for "at most" of an explanation.
struct Assume {
  bool full_occupancy = false;
  bool enough_blocks = false;
};

[[nodiscard]] Estimate estimate(const Kernel& kernel, const DeviceModel& device,
                                const Assume& assume = {});

[[nodiscard]] Occupancy occupancy_of(const DeviceModel& device, const Kernel& kernel);

// What estimates rest on, a sentence each.
[[nodiscard]] std::vector<std::string> assumptions(const DeviceModel& device);

// The peak of single precision in flops per second, and the bandwidth of memory, for a roofline.
struct Roof {
  double flops_per_second = 0;
  double bytes_per_second = 0;
  std::string_view format;  // of the kernel's flops
};
[[nodiscard]] Roof roof_of(const Kernel& kernel, const DeviceModel& device);

// --- the order of work ---------------------------------------------------------------------------

// When a piece of work would run, in seconds from the program's first.
struct Scheduled {
  std::size_t work = 0;  // index into Profile::work
  double begin = 0;
  double end = 0;
};

// The program's work on its streams: in the order of each, after events and the legacy default
// stream's rules, after what the host waited for. Kernels of several streams run side by side
// without slowing each other; one copy goes each way at a time; the host itself takes no time.
[[nodiscard]] std::vector<Scheduled> schedule(const Profile& profile, const DeviceModel& device);

}  // namespace softgpu::profile

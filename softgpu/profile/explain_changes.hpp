// How a kernel's counters would be after each change that explain() names: what "at most" rests on.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "softgpu/profile/profile.hpp"

namespace softgpu::profile {

[[nodiscard]] inline double number(std::uint64_t value) { return static_cast<double>(value); }
[[nodiscard]] inline std::uint64_t excess(std::uint64_t is, std::uint64_t ideal) {
  return is - std::min(is, ideal);
}
// Of loads and stores of local memory.
[[nodiscard]] inline std::uint64_t local_requests(const Counters& c) {
  return c.local_load.requests + c.local_store.requests;
}

[[nodiscard]] inline std::uint64_t waits(const std::array<std::uint64_t, wait_kinds>& counts,
                                         Wait kind) {
  return counts[static_cast<std::size_t>(kind)];
}

// A kernel that is explained, and its estimate.
struct Situation {
  const Kernel& kernel;
  const Counters& c;
  const Estimate& now;
  const DeviceModel& device;
};

// How the kernel and the estimate's assumptions would be after the change.
struct After {
  Kernel kernel;
  Assume assume;
};

void coalesce(const Situation& situation, After& to);
void spread_over_banks(const Situation& situation, After& to);
void fill_lanes(const Situation& situation, After& to);
void drop_local(const Situation& situation, After& to);
void spread_atomics(const Situation& situation, After& to);
void use_all_lanes_at_the_end(const Situation& situation, After& to);
void use_float(const Situation& situation, After& to);
void load_vectors(const Situation& situation, After& to);
void keep_in_shared(const Situation& situation, After& to);
void keep_in_registers(const Situation& situation, After& to);
void exchange_in_warps(const Situation& situation, After& to);
void add_up_in_blocks(const Situation& situation, After& to);
void drop_barriers(const Situation& situation, After& to);

}  // namespace softgpu::profile

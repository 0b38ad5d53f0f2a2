// How many blocks of a kernel a multiprocessor holds at a time, and what allows no more.
#pragma once

#include <cstddef>
#include <string_view>

#include "softgpu/models.hpp"

namespace softgpu {

struct Occupancy {
  int blocks = 0;  // of the kernel that a multiprocessor holds at a time; 0: it does not fit
  int warps = 0;
  int most_warps = 0;
  // Blocks that each resource alone would allow.
  int by_blocks = 0;
  int by_warps = 0;
  int by_registers = 0;
  int by_shared = 0;
  [[nodiscard]] double share() const {
    return most_warps == 0 ? 0 : static_cast<double>(warps) / most_warps;
  }
  // "registers", "shared memory", "warps" or "blocks": the least of them.
  [[nodiscard]] std::string_view limiter() const;
};

// `threads` of a block, `registers` per thread, `shared` bytes of a block, static and dynamic.
// Allocation units: registers per warp in 256, shared memory in 128 bytes (CUDA Occupancy
// Calculator's table for compute capability 8.0 to 9.0).
[[nodiscard]] Occupancy occupancy_of(const DeviceModel& device, int threads, int registers,
                                     std::size_t shared);

}  // namespace softgpu

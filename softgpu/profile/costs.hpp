// What instructions and memory cost on a device, for the profiler's clock and for its estimates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "softgpu/models.hpp"

namespace softgpu::profile {

// Cycles of the multiprocessor's clock, rates per multiprocessor and cycle, bytes per second.
// Latencies of memory: Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture
// via Microbenchmarking" (IPDPS 2024), rounded. Rates of arithmetic: CUDA C++ Programming Guide,
// "Arithmetic Instructions". Bandwidths: data sheets, times the share that copies reach.
struct DeviceCosts {
  std::string_view key;
  int arithmetic = 4;  // latency of most arithmetic
  int double_arithmetic = 8;
  int special = 20;
  int tensor = 33;
  int shared = 29;
  int l1 = 38;
  int l2 = 262;
  int dram = 466;
  int barrier = 20;
  int shuffle = 23;
  int branch = 8;
  int next_line = 2;  // more for each further line of 128 bytes, or wavefront, of a request
  double fp32 = 2;    // warp instructions per cycle
  double fp64 = 1;
  double half = 8;
  double integer = 2;
  double conversion = 2;
  double special_rate = 0.5;
  double tensor_flops = 2048;          // dense, of 16-bit operands, per cycle
  double issue = 4;                    // warp instructions per cycle, of four schedulers
  double l1_sectors = 4;               // per cycle
  double l2_bytes_per_cycle = 0;       // of the whole device
  double partial_store = 4;            // a sector written in part, in sectors written whole
  double dram_bytes_per_second = 0;    // reached by reads or writes alone
  double dram_turns = 0.05;            // share of it lost where they alternate
  int block_start = 300;               // cycles before a block's first instruction
  double loaded = 1.15;                // waiting beside other warps, over waiting alone
  double unified_bytes = 0;            // of L1 and shared memory together
  double launch_seconds = 2e-6;        // from one kernel's end to the next one's begin in a stream
  double bus_bytes_per_second = 25e9;  // between host and device, pinned
};

// Throws std::invalid_argument for an unknown key.
[[nodiscard]] const DeviceCosts& costs_of(std::string_view key);

// The L1 cache that is left where blocks use `shared` bytes of a multiprocessor together: the
// smallest carve-out for shared memory that holds them (CUDA C++ Programming Guide, "Shared
// Memory" of each compute capability) is taken off.
[[nodiscard]] std::size_t l1_bytes(const DeviceModel& device, std::size_t shared);

}  // namespace softgpu::profile

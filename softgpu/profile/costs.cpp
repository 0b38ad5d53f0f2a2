#include "softgpu/profile/costs.hpp"

#include <array>
#include <span>
#include <stdexcept>
#include <string>

namespace softgpu::profile {
namespace {

constexpr std::size_t kib = 1024;

// Of the bandwidth on the data sheet, the share that reads or writes alone reach.
constexpr double reached = 0.96;

constexpr std::array<DeviceCosts, 5> costs{{
    {.key = "a100",
     .l1 = 38,
     .l2 = 262,
     .dram = 570,
     .fp32 = 2,
     .fp64 = 1,
     .half = 8,
     .integer = 2,
     .tensor_flops = 2048,
     .l2_bytes_per_cycle = 3800,
     .dram_bytes_per_second = reached * 2.039e12,
     .unified_bytes = 192.0 * kib},
    {.key = "rtx4090",
     .double_arithmetic = 32,
     .shared = 30,
     .l1 = 43,
     .l2 = 273,
     .dram = 630,
     .fp32 = 4,
     .fp64 = 1.0 / 16,
     .half = 4,
     .integer = 2,
     .tensor_flops = 512,
     .l2_bytes_per_cycle = 2000,
     .dram_bytes_per_second = reached * 1.008e12,
     .unified_bytes = 128.0 * kib},
    {.key = "h100",
     .l1 = 41,
     .l2 = 263,
     .dram = 700,
     .fp32 = 4,
     .fp64 = 2,
     .half = 8,
     .integer = 2,
     .tensor_flops = 4096,
     .l2_bytes_per_cycle = 3900,
     .dram_bytes_per_second = 0.98 * 3.352e12,
     .unified_bytes = 256.0 * kib,
     .bus_bytes_per_second = 50e9},
    {.key = "a6000",
     .double_arithmetic = 32,
     .shared = 30,
     .l1 = 38,
     .l2 = 262,
     .dram = 560,
     .fp32 = 4,
     .fp64 = 1.0 / 16,
     .half = 4,
     .integer = 2,
     .tensor_flops = 1024,
     .l2_bytes_per_cycle = 1600,
     .dram_bytes_per_second = reached * 0.768e12,
     .unified_bytes = 128.0 * kib},
    {.key = "h200",
     .l1 = 41,
     .l2 = 263,
     .dram = 700,
     .fp32 = 4,
     .fp64 = 2,
     .half = 8,
     .integer = 2,
     .tensor_flops = 4096,
     .l2_bytes_per_cycle = 3900,
     .dram_bytes_per_second = 0.84 * 4.8e12,
     .unified_bytes = 256.0 * kib,
     .bus_bytes_per_second = 50e9},
}};

constexpr std::array<std::size_t, 8> carveouts_80 = {0,        8 * kib,   16 * kib,  32 * kib,
                                                     64 * kib, 100 * kib, 132 * kib, 164 * kib};
constexpr std::array<std::size_t, 6> carveouts_86 = {0,        8 * kib,  16 * kib,
                                                     32 * kib, 64 * kib, 100 * kib};
constexpr std::array<std::size_t, 10> carveouts_90 = {0,         8 * kib,   16 * kib,  32 * kib,
                                                      64 * kib,  100 * kib, 132 * kib, 164 * kib,
                                                      196 * kib, 228 * kib};

std::span<const std::size_t> carveouts(const DeviceModel& device) {
  if (device.major == 9) return carveouts_90;
  if (device.minor != 0) return carveouts_86;  // 8.6 and 8.9
  return carveouts_80;
}

}  // namespace

const DeviceCosts& costs_of(std::string_view key) {
  for (const DeviceCosts& one : costs) {
    if (one.key == key) return one;
  }
  throw std::invalid_argument("there are no costs of a device " + std::string(key));
}

std::size_t l1_bytes(const DeviceModel& device, std::size_t shared) {
  const auto unified = static_cast<std::size_t>(costs_of(device.key).unified_bytes);
  for (const std::size_t carveout : carveouts(device)) {
    if (carveout >= shared) return unified - carveout;
  }
  return unified - device.shared_per_multiprocessor;
}

}  // namespace softgpu::profile

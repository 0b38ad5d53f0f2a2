#include "softgpu/device/occupancy.hpp"

#include <algorithm>

namespace softgpu {

std::string_view Occupancy::limiter() const {
  if (blocks >= by_warps) return "warps";
  if (blocks >= by_registers) return "registers";
  if (blocks >= by_shared) return "shared memory";
  return "blocks";
}

Occupancy occupancy_of(const DeviceModel& device, int threads, int registers, std::size_t shared) {
  constexpr int warp = 32;
  constexpr int register_unit = 256;
  Occupancy result;
  const int warps = std::max(1, (threads + warp - 1) / warp);
  result.most_warps = device.max_threads_per_multiprocessor / warp;
  result.by_blocks = device.max_blocks_per_multiprocessor;
  result.by_warps = result.most_warps / warps;
  const int per_warp =
      (std::max(registers, 1) * warp + register_unit - 1) / register_unit * register_unit;
  // Each of the four schedulers has its own quarter of the registers.
  result.by_registers = device.registers_per_multiprocessor / 4 / per_warp * 4 / warps;
  const std::size_t taken = (shared + device.shared_reserved + 127) / 128 * 128;
  result.by_shared = static_cast<int>(device.shared_per_multiprocessor / taken);
  result.blocks =
      std::min({result.by_blocks, result.by_warps, result.by_registers, result.by_shared});
  result.warps = result.blocks * warps;
  return result;
}

}  // namespace softgpu

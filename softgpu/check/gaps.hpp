// Space that the checker leaves between variables and between allocations, so that an access beyond
// one of them meets nothing else.
#pragma once

#include <algorithm>
#include <cstdint>

#include "softgpu/device/options.hpp"

namespace softgpu {

// After a variable of `bytes` bytes in a block's shared memory; 0 where nothing is checked.
[[nodiscard]] inline std::uint64_t shared_gap_after(std::uint64_t bytes) {
  constexpr std::uint64_t least = 64;
  constexpr std::uint64_t most = 1024;
  return options().check ? (std::clamp(bytes, least, most) + 15) / 16 * 16 : 0;
}

// After an allocation of `bytes` bytes; 0 where nothing is checked.
[[nodiscard]] inline std::uint64_t memory_gap_after(std::uint64_t bytes) {
  constexpr std::uint64_t least = 4096;
  constexpr std::uint64_t most = std::uint64_t{1} << 20;
  return options().check ? std::clamp(bytes, least, most) : 0;
}

}  // namespace softgpu

// Small facts that the scheduler and the launcher share.
#pragma once

#include <cstdint>
#include <string>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// Dynamic shared memory follows the static, aligned for any vector type.
[[nodiscard]] inline std::uint32_t dynamic_shared_offset(std::uint32_t static_bytes) {
  return (static_bytes + 127U) / 128U * 128U;
}

// The part of a block's shared memory that the system keeps (%reserved_smem_offset_*). Cooperative
// groups larger than a warp synchronise through it. Here it stands at the end, and only where it is
// used.
inline constexpr std::uint32_t reserved_shared_bytes = 1024;

// threadIdx of a lane.
[[nodiscard]] Dim3 thread_of(const Warp& warp, int lane);
// As a person writes it: "saxpy(int, float, float const*, float*)".
[[nodiscard]] std::string readable_name(const std::string& name);
// "block (0,0,0) thread (3,0,0)".
[[nodiscard]] std::string describe_thread(const Warp& warp, int lane);

}  // namespace softgpu

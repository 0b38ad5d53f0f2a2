// Device functions that the toolkit leaves to the driver: printf, assertions, the device heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// Does the work for the lanes of `mask`. op's Pieces name the arguments (slots) and results (more):
// bytes in the frame, lane after lane.
using Service = void (*)(Warp& warp, const Op* op, std::uint32_t mask);

[[nodiscard]] Service find_service(std::string_view name);

// The heap of malloc() in kernels. 0 where the memory is used up; false where the address is no
// block of the heap.
[[nodiscard]] std::uint64_t allocate_on_device_heap(std::size_t bytes, int device);
[[nodiscard]] bool free_on_device_heap(std::uint64_t address);
// Whether the address lies in a block of that heap, of which the host's calls know nothing.
[[nodiscard]] bool on_device_heap(std::uint64_t address);
// cudaLimitMallocHeapSize of the device heap; what is allocated may not exceed it.
void set_device_heap(std::size_t bytes);
[[nodiscard]] std::size_t device_heap();

}  // namespace softgpu

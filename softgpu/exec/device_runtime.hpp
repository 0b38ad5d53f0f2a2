// The device's own runtime, which kernels call: launches from kernels (dynamic parallelism), and
// the values that conditional nodes of graphs look at.
//
// Work that a kernel enqueues runs when the kernel has ended and before it counts as ended, one
// after the other in the order of enqueueing. Since CUDA 12 a kernel cannot wait for what it
// launched, so no program can tell the difference (CUDA C++ Programming Guide, "Dynamic
// Parallelism").
#pragma once

#include <cstdint>
#include <string_view>

#include "softgpu/exec/services.hpp"

namespace softgpu {

[[nodiscard]] Service find_device_runtime_service(std::string_view name);

// Runs what the kernel has enqueued; its fault is the launch's. After a fault nothing runs.
void run_children(Launch& launch);

// A value that kernels set by its handle and a conditional node reads.
[[nodiscard]] std::uint64_t make_conditional();
void drop_conditional(std::uint64_t handle);
// False where the handle is none.
bool set_conditional(std::uint64_t handle, std::uint32_t value);
bool get_conditional(std::uint64_t handle, std::uint32_t& value);

}  // namespace softgpu

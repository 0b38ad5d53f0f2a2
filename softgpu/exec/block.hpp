// Making blocks ready to run and running them, for launch.cpp and schedule.cpp.
#pragma once

#include <cstdint>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// The largest local memory of a thread, whatever cudaLimitStackSize asks for.
inline constexpr std::size_t largest_stack = std::size_t{1} << 20;

// A frame for `code`, with its constants, special registers and parameters in place.
[[nodiscard]] Frame* take_frame(Warp& warp, const Code& code);
// Sets what differs from block to block in a frame that is used again.
void refresh_frame(Warp& warp, Frame& frame);
// Room for at least `bytes` of local memory for each lane. False where the stack is full.
[[nodiscard]] bool grow_local(Warp& warp, std::size_t bytes);
// Puts all lanes of the warp at the kernel's begin.
void start_warp(Warp& warp);
// Runs until the warp ends, waits, or has spent its budget; the reason is in warp.stop. Throws
// KernelFault.
void run_warp(Warp& warp);
// Where the waiting lanes of a block are, for a message.
[[nodiscard]] std::string describe_waiting(const Block& block);
// "PTX line 12 (saxpy.cu:34): ld.global.f32".
[[nodiscard]] std::string describe_place(const Code& code, const Op* op);

}  // namespace softgpu

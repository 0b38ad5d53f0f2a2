// Keeps the errors that calls returned and the program did not look at, and reports them at exit.
#pragma once

#include <cstdint>
#include <string>

#include "softgpu/runtime/cuda_api.hpp"

namespace softgpu::cuda {

// A call returns an error: says why, once for each reason, and remembers the call until the error
// is received. Where it was called is read off the stack.
void returned_error(cudaError_t error, const std::string& why) noexcept;
// The thread has asked for its last error and was given one.
void received_errors(std::uint64_t thread) noexcept;
// Somebody has asked what an error is called.
void received_error(cudaError_t error) noexcept;

// The texts of cudaGetErrorName and cudaGetErrorString; calling these does not count as asking.
[[nodiscard]] const char* name_of(cudaError_t error);
[[nodiscard]] const char* text_of(cudaError_t error);

// A kernel has faulted: with SOFTGPU_STOP_AT_FAULT the process ends here, else it ends with
// SOFTGPU_FAULT_STATUS where it would have ended with 0.
void kernel_faulted();

}  // namespace softgpu::cuda

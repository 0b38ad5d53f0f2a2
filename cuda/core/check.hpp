// Every CUDA call's result is checked: TANDEM_CUDA(cudaStreamSynchronize(stream)).
#pragma once

#include <cuda_runtime.h>

#include <source_location>

namespace tandem::cuda {

// Throws the exception that stands for a CUDA error: OutOfDeviceMemory, KernelFault or DeviceError
// (tandem/core/error.hpp). `what` is the call's text or the kernel's name.
[[noreturn]] void throw_cuda_error(cudaError_t status, const char* what,
                                   std::source_location where);

inline void check(cudaError_t status, const char* what,
                  std::source_location where = std::source_location::current()) {
  if (status != cudaSuccess) throw_cuda_error(status, what, where);
}

}  // namespace tandem::cuda

#define TANDEM_CUDA(call) ::tandem::cuda::check((call), #call)

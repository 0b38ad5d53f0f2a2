// Loads the CUDA half.
#pragma once

#include <memory>

#include "tandem/core/engine.hpp"

namespace tandem {

// An engine of libtandem_cuda on a real GPU (Device::cuda) or, on top of the software GPU's
// libcudart, on the CPU (Device::softgpu). One process can use one of the two only. Throws
// DeviceError that says what is missing and how to get it.
[[nodiscard]] std::unique_ptr<Engine> create_cuda_engine(const EngineOptions& options);

}  // namespace tandem

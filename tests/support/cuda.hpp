// The CUDA half under test: on the software GPU, or, where TANDEM_TEST_DEVICE=cuda says so (ctest
// -L gpu), on a real one. All of a test program's engines are on the same.
#pragma once

#include <cstdlib>
#include <memory>
#include <string_view>

#include "tandem/core/engine.hpp"

namespace tandem::test {

[[nodiscard]] inline Device cuda_device() {
  const char* device = std::getenv("TANDEM_TEST_DEVICE");
  return device != nullptr && std::string_view(device) == "cuda" ? Device::cuda : Device::softgpu;
}

// `options` with the device filled in.
[[nodiscard]] inline std::unique_ptr<Engine> cuda_engine(EngineOptions options = {}) {
  options.device = cuda_device();
  return Engine::create(options);
}

}  // namespace tandem::test

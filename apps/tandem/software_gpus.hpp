// The GPUs that the software GPU can pretend to be. commands/gpu.cpp lists them; a program that is
// built without the software GPU has none (commands/gpu_absent.cpp).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace tandem::program {

struct SoftwareGpu {
  std::string key;   // what --model takes
  std::string name;  // what CUDA calls the device
  std::string compute_capability;
  int multiprocessors = 0;
  std::size_t memory_bytes = 0;
};

[[nodiscard]] std::vector<SoftwareGpu> software_gpus();

}  // namespace tandem::program

// The software GPU's own functions, beside CUDA's (softgpu/runtime/control.h). Requires: an
// engine of Device::softgpu was made in this process; throws DeviceError otherwise.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>

namespace tandem::software_gpu {

// True where the process's CUDA runtime is the software GPU.
[[nodiscard]] bool is_loaded();

// Cores that run blocks.
void set_threads(int threads);
// The order in which warps and blocks run is drawn by it; 0: in order.
void set_seed(std::uint64_t seed);

// Counts what kernels do while it lives; one at a time. Kernels run several times slower meanwhile.
class Counting {
 public:
  Counting();
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting();
  // {"kernels": [...]} since the beginning; docs/softgpu.md, "Counting what a kernel does".
  [[nodiscard]] nlohmann::ordered_json counters() const;
};

}  // namespace tandem::software_gpu

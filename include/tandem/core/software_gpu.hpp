// The software GPU's own functions, beside those of CUDA (docs/softgpu.md). Those that count and
// draw orders ask for an engine of Device::softgpu that was made in this process, and throw
// DeviceError where there is none. Any thread may call them at any time.
#pragma once

#include <cstdint>
#include <string>

#include "tandem/core/export.hpp"

namespace tandem::software_gpu {

// The folder with the software GPU's libcudart.so.13: beside the build's libtandem, or where an
// installation has it. A CUDA program that finds this folder in LD_LIBRARY_PATH runs on the
// software GPU. Throws DeviceError where there is none.
[[nodiscard]] TANDEM_API std::string folder();

// True where the process's CUDA runtime is the software GPU.
[[nodiscard]] TANDEM_API bool is_loaded();

// Cores that run blocks.
TANDEM_API void set_threads(int threads);
// The order in which warps and blocks run is drawn by it; 0: in order.
TANDEM_API void set_seed(std::uint64_t seed);

// Counts what kernels do while it lives; one at a time. Kernels run several times slower meanwhile.
class TANDEM_API Counting {
 public:
  Counting();
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting();
  // A JSON object {"kernels": [...]} since the beginning; docs/softgpu.md, "Counting what a kernel
  // does".
  [[nodiscard]] std::string counters() const;
};

}  // namespace tandem::software_gpu

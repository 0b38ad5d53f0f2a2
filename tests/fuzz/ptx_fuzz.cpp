// The PTX reader and the decoder: any text either becomes operations or an error.
#include <cstddef>
#include <cstdint>
#include <string>

#include "softgpu/exec/program.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    softgpu::Program program({std::string(reinterpret_cast<const char*>(bytes), size)}, 0);
    for (const auto& name : program.kernels()) {
      try {
        (void)program.kernel(name);
      } catch (const softgpu::ProgramError&) {
      }
    }
  } catch (const softgpu::ProgramError&) {
  }
  return 0;
}

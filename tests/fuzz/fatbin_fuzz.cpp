// The containers of device code: headers, entries, their decompression.
#include <cstddef>
#include <cstdint>
#include <span>

#include "softgpu/fatbin/fatbin.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto container = std::as_bytes(std::span(bytes, size));
  try {
    (void)softgpu::fatbin_size(container);
    for (const auto& entry : softgpu::list_entries(container)) {
      // The reader bounds how far a small input may expand; the memory is bounded here.
      if (entry.plain_size > (std::uint64_t{1} << 22)) continue;
      try {
        (void)softgpu::ptx_text(entry);
      } catch (const softgpu::FatbinError&) {
      }
    }
  } catch (const softgpu::FatbinError&) {
  }
  return 0;
}

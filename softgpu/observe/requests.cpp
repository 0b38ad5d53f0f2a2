#include "softgpu/observe/requests.hpp"

namespace softgpu {

std::vector<std::uint64_t> sectors_of_lines(std::uint64_t address, std::uint64_t lines,
                                            std::uint64_t line, std::uint64_t step) {
  std::vector<std::uint64_t> sectors;
  for (std::uint64_t i = 0; i < lines; ++i) {
    const std::uint64_t from = address + i * step;
    for (std::uint64_t s = from / sector_bytes; s <= (from + line - 1) / sector_bytes; ++s) {
      sectors.push_back(s);
    }
  }
  std::sort(sectors.begin(), sectors.end());
  sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
  return sectors;
}

}  // namespace softgpu

// A cache of lines of 128 bytes with four sectors of 32 each: which sectors of a request it holds.
//
// Lines are kept in sets of `ways` by least recent use. A line's set is drawn by a hash of its
// number, as the hardware's are, so that powers of two between addresses collide no more than
// others. How the hardware replaces lines is not documented.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace softgpu::profile {

class Cache {
 public:
  static constexpr std::uint64_t line_bytes = 128;
  static constexpr std::uint32_t sectors_per_line = 4;

  // Of `bytes`, rounded down to whole sets; a cache of less than a set holds nothing.
  Cache(std::size_t bytes, std::uint32_t ways);

  // Of the sectors `wanted` (four bits) of line `number`: those that it held. Afterwards it holds
  // all of them where `fill` is set.
  std::uint32_t read(std::uint64_t number, std::uint32_t wanted, bool fill = true);
  // The same for sectors that are written whole; they are to be written back later.
  std::uint32_t write(std::uint64_t number, std::uint32_t written);
  void clear();
  // Sectors that were written and then evicted, since the last call.
  [[nodiscard]] std::uint64_t take_evicted();

 private:
  struct Way {
    std::uint64_t line = ~std::uint64_t{0};
    std::uint32_t held = 0;
    std::uint32_t dirty = 0;
    std::uint64_t used = 0;
  };
  Way* find(std::uint64_t number, bool fill);

  std::uint32_t ways_;
  std::uint64_t sets_;
  std::vector<Way> lines_;
  std::uint64_t clock_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace softgpu::profile

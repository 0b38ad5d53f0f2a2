#include "softgpu/profile/cache.hpp"

#include <bit>
#include <utility>

namespace softgpu::profile {

Cache::Cache(std::size_t bytes, std::uint32_t ways)
    : ways_(ways), sets_(bytes / line_bytes / ways), lines_(sets_ * ways) {}

Cache::Way* Cache::find(std::uint64_t number, bool fill) {
  if (sets_ == 0) return nullptr;
  // Fibonacci hashing (Knuth, The Art of Computer Programming 3, section 6.4).
  const std::uint64_t set = ((number * 0x9e3779b97f4a7c15ULL) >> 20) % sets_;
  Way* const begin = lines_.data() + set * ways_;
  Way* oldest = begin;
  for (Way* way = begin; way != begin + ways_; ++way) {
    if (way->line == number) {
      way->used = ++clock_;
      return way;
    }
    if (way->used < oldest->used) oldest = way;
  }
  if (!fill) return nullptr;
  evicted_ += static_cast<std::uint64_t>(std::popcount(oldest->dirty));
  *oldest = {number, 0, 0, ++clock_};
  return oldest;
}

std::uint32_t Cache::read(std::uint64_t number, std::uint32_t wanted, bool fill) {
  Way* const way = find(number, fill);
  if (way == nullptr) return 0;
  const std::uint32_t held = way->held & wanted;
  if (fill) way->held |= wanted;
  return held;
}

std::uint32_t Cache::write(std::uint64_t number, std::uint32_t written) {
  Way* const way = find(number, true);
  if (way == nullptr) {
    evicted_ += static_cast<std::uint64_t>(std::popcount(written));
    return 0;
  }
  const std::uint32_t held = way->held & written;
  way->held |= written;
  way->dirty |= written;
  return held;
}

void Cache::clear() {
  for (Way& way : lines_) way = {};
}

std::uint64_t Cache::take_evicted() { return std::exchange(evicted_, 0); }

}  // namespace softgpu::profile

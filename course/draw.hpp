// Numbers drawn by a seed, the same on every machine and with every standard library.
#pragma once

#include <cstdint>

namespace tandem::course {

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  // Both ends included.
  std::int64_t whole(std::int64_t lowest, std::int64_t highest) {
    const auto span = static_cast<std::uint64_t>(highest - lowest) + 1;
    return lowest + static_cast<std::int64_t>(bits() % span);
  }
  // In [-1, 1), a multiple of 2^-23.
  float real() {
    return static_cast<float>(static_cast<std::int64_t>(bits() >> 40U) - (1 << 23)) *
           (1.0F / (1 << 23));
  }

 private:
  std::uint64_t state_;
};

}  // namespace tandem::course

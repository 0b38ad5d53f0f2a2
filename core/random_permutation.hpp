// A pseudo-random order of 0 .. size − 1 that is computed element by element, so that a shuffled
// epoch needs no list of rows in memory and none to be copied to a device.
#pragma once

#include <cstdint>

#include "core/random.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// A Feistel network of six rounds over the smallest even number of bits that holds size, restricted
// to 0 .. size − 1 by walking its cycles (Black and Rogaway, "Ciphers with Arbitrary Finite
// Domains", CT-RSA 2002). The round keys are Philox numbers.
class RandomPermutation {
 public:
  // The numbers first_key .. first_key + keys − 1 of `random` tell permutations apart.
  static constexpr int keys = 6;
  TANDEM_HOST_DEVICE RandomPermutation(Index size, const Random& random,
                                       std::uint64_t first_key = 0)
      : size_(static_cast<std::uint64_t>(size)) {
    while ((std::uint64_t{1} << (2 * half_)) < size_) ++half_;
    mask_ = (std::uint64_t{1} << half_) - 1;
    for (int r = 0; r < keys; ++r) {
      key_[r] = random.bits(first_key + static_cast<std::uint64_t>(r));
    }
  }

  // Requires: 0 <= i < size.
  [[nodiscard]] TANDEM_HOST_DEVICE Index operator()(Index i) const {
    auto value = static_cast<std::uint64_t>(i);
    do {
      std::uint64_t left = value >> half_;
      std::uint64_t right = value & mask_;
      for (int r = 0; r < keys; ++r) {
        const std::uint64_t next = left ^ (mixed(right ^ key_[r]) & mask_);
        left = right;
        right = next;
      }
      value = (left << half_) | right;
    } while (value >= size_);
    return static_cast<Index>(value);
  }

  // The i with (*this)(i) = value. Requires: 0 <= value < size.
  [[nodiscard]] TANDEM_HOST_DEVICE Index inverse(Index value) const {
    auto i = static_cast<std::uint64_t>(value);
    do {
      std::uint64_t left = i >> half_;
      std::uint64_t right = i & mask_;
      for (int r = keys; r-- > 0;) {
        const std::uint64_t before = right ^ (mixed(left ^ key_[r]) & mask_);
        right = left;
        left = before;
      }
      i = (left << half_) | right;
    } while (i >= size_);
    return static_cast<Index>(i);
  }

 private:
  // The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
  static TANDEM_HOST_DEVICE std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }

  std::uint64_t size_;
  std::uint64_t mask_ = 0;
  std::uint64_t key_[keys] = {};
  int half_ = 1;
};

}  // namespace tandem

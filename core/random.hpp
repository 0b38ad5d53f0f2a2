// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel Random
// Numbers: As Easy as 1, 2, 3", SC 2011). A number is a function of the seed, the purpose and an
// index, so that it does not matter who draws it, in what order, on how many threads.
#pragma once

#include <cstdint>

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct Philox4x32 {
  std::uint32_t word[4];
};

TANDEM_HOST_DEVICE inline Philox4x32 philox4x32(std::uint64_t key, std::uint64_t counter_low,
                                                std::uint64_t counter_high) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key);
  std::uint32_t k1 = static_cast<std::uint32_t>(key >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(counter_low);
  std::uint32_t c1 = static_cast<std::uint32_t>(counter_low >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(counter_high);
  std::uint32_t c3 = static_cast<std::uint32_t>(counter_high >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = static_cast<std::uint64_t>(0xD2511F53U) * c0;
    const std::uint64_t p1 = static_cast<std::uint64_t>(0xCD9E8D57U) * c2;
    const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return {{c0, c1, c2, c3}};
}

// The purpose of a random number. Part of the counter, so that two purposes never share a number.
// Values are fixed for ever: a saved seed must reproduce.
enum class Purpose : std::uint32_t {
  shuffle = 1,
  split = 2,
  initial_weights = 3,
  initial_centres = 4,
  dropout = 5,
  features_of_a_node = 6,
  generated_value = 7,
  generated_noise = 8,
  generated_label = 9,
  generated_parameters = 10,
  reference_distribution = 11,
  sampling = 12,
  test = 13,
  rows_of_a_tree = 14,
  threshold_of_a_node = 15,
};

// The random numbers of one seed and purpose. `stream` tells apart independent uses of the same
// purpose: an epoch, a start, a layer.
class Random {
 public:
  TANDEM_HOST_DEVICE Random(std::uint64_t seed, Purpose purpose, std::uint32_t stream = 0)
      : seed_(seed),
        high_((static_cast<std::uint64_t>(static_cast<std::uint32_t>(purpose)) << 32) | stream) {}

  // Uniform on all 2^64 values.
  [[nodiscard]] TANDEM_HOST_DEVICE std::uint64_t bits(std::uint64_t index) const {
    // One Philox block holds two 64-bit numbers.
    const Philox4x32 block = philox4x32(seed_, index >> 1, high_);
    const int at = static_cast<int>(index & 1) * 2;
    return (static_cast<std::uint64_t>(block.word[at + 1]) << 32) | block.word[at];
  }
  // Uniform on [0, 1): multiples of 2^-53 for double, 2^-24 for float.
  template <Real T = double>
  [[nodiscard]] TANDEM_HOST_DEVICE T uniform(std::uint64_t index) const {
    if constexpr (sizeof(T) == 4) {
      return static_cast<T>(bits(index) >> 40) * static_cast<T>(0x1p-24);
    } else {
      return static_cast<T>(bits(index) >> 11) * static_cast<T>(0x1p-53);
    }
  }
  // Uniform on 0 .. count − 1; requires count >= 1. The multiply-shift of 64 random bits: the bias
  // is below count · 2^-64.
  [[nodiscard]] TANDEM_HOST_DEVICE Index below(Index count, std::uint64_t index) const {
    const std::uint64_t r = bits(index);
    const auto n = static_cast<std::uint64_t>(count);
    // The high half of the 128-bit product, without a 128-bit type.
    const std::uint64_t low = (r & 0xFFFFFFFFU) * (n & 0xFFFFFFFFU);
    const std::uint64_t mid1 = (r >> 32) * (n & 0xFFFFFFFFU) + (low >> 32);
    const std::uint64_t mid2 = (r & 0xFFFFFFFFU) * (n >> 32) + (mid1 & 0xFFFFFFFFU);
    return static_cast<Index>((r >> 32) * (n >> 32) + (mid1 >> 32) + (mid2 >> 32));
  }
  // Standard normal, from the numbers 2·index and 2·index + 1, by Tandem's own log and cosine, so
  // that it has the same bits everywhere. Box and Muller, "A Note on the Generation of Random
  // Normal Deviates", Annals of Mathematical Statistics 29 (1958). 1 − u lies in (0, 1], so that
  // the logarithm is finite; the largest magnitude is sqrt(2 · 53 ln 2) = 8.57.
  [[nodiscard]] TANDEM_HOST_DEVICE double normal(std::uint64_t index) const {
    const double radius = math::sqrt(-2.0 * math::log(1.0 - uniform<double>(2 * index)));
    return radius * math::cos_pi(2.0 * uniform<double>(2 * index + 1));
  }

 private:
  std::uint64_t seed_;
  std::uint64_t high_;
};

}  // namespace tandem

// The numerical contract: the shape of long sums, and the error bounds that follow from it.
// docs/numerics.md states it per algorithm.
//
// Both sides of Tandem compile this header, so that a sum is the same chain of additions on both.
// Contraction is off everywhere (-ffp-contract=off, nvcc -fmad=false): a product and a sum are
// fused where std::fma is written and nowhere else.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "tandem/core/types.hpp"

#if defined(__CUDACC__)
#define TANDEM_HOST_DEVICE __host__ __device__
#else
#define TANDEM_HOST_DEVICE
#endif

namespace tandem {

// A long sum over rows, of terms t(0) ... t(n − 1), is accumulated in double precision whatever T
// is, and has one shape, independent of who computes it:
//   - the rows are cut into blocks of sum_block;
//   - inside a block, lane l of sum_lanes adds the terms of the rows l, l + sum_lanes, ... of the
//     block in ascending order, starting from +0.0 (rows past the end add nothing);
//   - the lanes are added by halves: lane l += lane l + 16, then + 8, + 4, + 2, + 1;
//   - the blocks' sums are added in ascending order, starting from +0.0.
// A warp of 32 threads, two AVX-512 or four AVX2 registers of doubles at a time, and a plain loop
// all compute it naturally.
inline constexpr Index sum_block = 1024;
inline constexpr Index sum_lanes = 32;

// The sum of one block's lanes; overwrites them.
TANDEM_HOST_DEVICE inline double add_lanes(double* lanes) {
  for (int half = static_cast<int>(sum_lanes) / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

// The long sum of term(i), i = 0 .. count − 1. The plain definition: engines compute the same
// shape faster.
template <class Term>
double long_sum(Index count, Term&& term) {
  double total = 0.0;
  for (Index begin = 0; begin < count; begin += sum_block) {
    const Index end = begin + sum_block < count ? begin + sum_block : count;
    double lanes[sum_lanes] = {};
    for (Index i = begin; i < end; ++i)
      lanes[(i - begin) % sum_lanes] += static_cast<double>(term(i));
    total += add_lanes(lanes);
  }
  return total;
}

// Unit roundoff u: the largest relative error of one rounding to nearest.
template <Real T>
inline constexpr double unit_roundoff = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;

// γ_n = n·u / (1 − n·u) (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., §3.1):
// a chain of n additions, multiplications or fmas has a relative error of at most γ_n against the
// sum of the magnitudes of its terms.
template <Real T>
[[nodiscard]] constexpr double gamma_bound(Index n) {
  const double nu = static_cast<double>(n) * unit_roundoff<T>;
  return nu < 1 ? nu / (1 - nu) : std::numeric_limits<double>::infinity();
}

// The bound on the error of a long_sum of `count` terms, relative to the sum of their magnitudes.
[[nodiscard]] constexpr double long_sum_bound(Index count) {
  return gamma_bound<double>(sum_block / sum_lanes + 5 + (count + sum_block - 1) / sum_block);
}

// Sums that are natural in integers are kept in 64-bit fixed point, so that no order of additions,
// atomics included, can change them. The scale is a power of two, chosen from the number of terms
// and the largest magnitude among them so that no sum can overflow.
struct FixedPoint {
  int exponent = 0;  // a value v is kept as round-half-even(v · 2^exponent)

  // For sums of up to `count` terms of magnitude up to `largest`, both >= 0. A `largest` of 0 or a
  // count of 0 gives exponent 0. Requires: largest is finite.
  [[nodiscard]] static FixedPoint for_sum(Index count, double largest) {
    if (!(largest > 0) || count <= 0) return {};
    int value_exponent = 0;
    (void)std::frexp(largest, &value_exponent);  // largest < 2^value_exponent
    int count_bits = 0;
    while ((Index{1} << count_bits) < count && count_bits < 62) ++count_bits;
    // 62 bits and not 63: rounding may carry a term up to the next power of two.
    return {62 - count_bits - value_exponent};
  }
  // The exact scaling of a double by 2^exponent, then one rounding to an integer.
  [[nodiscard]] std::int64_t encode(double value) const {
    return static_cast<std::int64_t>(std::nearbyint(std::ldexp(value, exponent)));
  }
  // One rounding, of the integer to double, then exact.
  [[nodiscard]] double decode(std::int64_t sum) const {
    return std::ldexp(static_cast<double>(sum), -exponent);
  }
  // The largest error of one encoded term.
  [[nodiscard]] double term_error() const { return std::ldexp(0.5, -exponent); }
};

}  // namespace tandem

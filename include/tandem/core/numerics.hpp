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
//   - the blocks' sums are the leaves of a tree. Node (0, i) is block i; node (k, i) is the sum
//     node (k − 1, 2i) + node (k − 1, 2i + 1), or the left of the two unchanged where the right one
//     lies past the last block. The sum is the root; that of no rows is +0.0.
// Lanes start from +0.0, but nothing above them does, and nothing is padded. A warp of 32 threads,
// two AVX-512 or four AVX2 registers of doubles at a time, and a plain loop all compute a block
// naturally; and since a node is the same wherever it is computed, so do several threads, GPUs or
// machines the whole (long_sum_part.hpp).
inline constexpr Index sum_block = 1024;
inline constexpr Index sum_lanes = 32;

// The quotient rounded up, of non-negative numbers.
template <class Integer>
[[nodiscard]] TANDEM_HOST_DEVICE constexpr Integer ceil_div(Integer a, Integer b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

// Blocks of a long sum over `rows` rows.
[[nodiscard]] TANDEM_HOST_DEVICE constexpr Index sum_blocks(Index rows) {
  return ceil_div(rows, sum_block);
}

// The sum of one block's lanes; overwrites them.
TANDEM_HOST_DEVICE inline double add_lanes(double* lanes) {
  for (int half = static_cast<int>(sum_lanes) / 2; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

// Levels of the tree over the blocks of any number of rows: 2^63 rows are 2^53 blocks.
inline constexpr int max_sum_levels = 54;

// The tree over the sums of blocks that come one by one, in ascending order. It keeps the roots of
// the complete subtrees so far, at most one on each level, so that the memory does not grow with
// the rows: a new block is a root on level 0, and two roots on one level are added, the left one to
// the right one, and become one on the next. There may be 2^Levels − 1 blocks. With a few Levels a
// kernel's thread keeps all of it in registers.
template <int Levels = max_sum_levels>
class SumTree {
 public:
  TANDEM_HOST_DEVICE void add(double sum_of_next_block) {
    double sum = sum_of_next_block;
#if defined(__CUDA_ARCH__)
#pragma unroll(Levels <= 16 ? Levels : 1)
#endif
    for (int k = 0; k < Levels; ++k) {
      if (((blocks_ >> k) & 1) == 0) {
        roots_[k] = sum;
        break;
      }
      sum = roots_[k] + sum;
    }
    ++blocks_;
  }

  [[nodiscard]] TANDEM_HOST_DEVICE Index blocks() const { return blocks_; }

  // The long sum over the blocks so far: +0 of none.
  [[nodiscard]] TANDEM_HOST_DEVICE double total() const {
    double sum = 0.0;
    bool any = false;
#if defined(__CUDA_ARCH__)
#pragma unroll(Levels <= 16 ? Levels : 1)
#endif
    for (int k = 0; k < Levels; ++k) {
      if (((blocks_ >> k) & 1) == 0) continue;
      sum = any ? roots_[k] + sum : roots_[k];
      any = true;
    }
    return sum;
  }

 private:
  double roots_[Levels];  // roots_[k] is in use where bit k of blocks_ is set
  Index blocks_ = 0;
};

// The tree over the sums of all blocks at once, in place, one for each column: `sums` is
// blocks × columns, row by row. The result stands in the first row, the rest is overwritten. Of no
// blocks there is no result, and `sums` is not looked at.
TANDEM_HOST_DEVICE inline void add_block_sums(double* sums, Index blocks, Index columns = 1) {
  for (Index step = 1; step < blocks; step *= 2) {
    for (Index b = 0; b + step < blocks; b += 2 * step) {
      double* left = sums + b * columns;
      const double* right = left + step * columns;
      for (Index c = 0; c < columns; ++c) left[c] += right[c];
    }
  }
}

// The long sum of term(i), i = 0 .. count − 1. The plain definition: engines compute the same
// shape faster.
template <class Term>
double long_sum(Index count, Term&& term) {
  SumTree<> tree;
  for (Index begin = 0; begin < count; begin += sum_block) {
    const Index end = begin + sum_block < count ? begin + sum_block : count;
    double lanes[sum_lanes] = {};
    for (Index i = begin; i < end; ++i)
      lanes[(i - begin) % sum_lanes] += static_cast<double>(term(i));
    tree.add(add_lanes(lanes));
  }
  return tree.total();
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

// Additions on the way from a block's sum to the root of the tree over `blocks` blocks, at most:
// ⌈log₂ blocks⌉.
[[nodiscard]] TANDEM_HOST_DEVICE constexpr Index sum_tree_height(Index blocks) {
  Index height = 0;
  while (height < max_sum_levels && (Index{1} << height) < blocks) ++height;
  return height;
}

// The bound on the error of a long_sum of `count` terms, relative to the sum of their magnitudes:
// γ(37 + ⌈log₂⌈count / 1024⌉⌉). A term is added up to 32 times in its lane, 5 times as the lanes
// are folded, and once on each level of the tree.
[[nodiscard]] constexpr double long_sum_bound(Index count) {
  return gamma_bound<double>(sum_block / sum_lanes + 5 + sum_tree_height(sum_blocks(count)));
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

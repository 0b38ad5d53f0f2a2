// Sums over rows that are kept in the data's own type: gradients of weights and of biases.
//
// The rows are cut into micro-batches of micro_batch rows. Inside one a sum is a chain of fmas, or
// of additions where there is nothing to multiply, in ascending order of the rows, from +0. Above
// them is the tree of tandem/core/numerics.hpp, in T: node (k, i) is node (k − 1, 2i) + node
// (k − 1, 2i + 1), or the left one alone where there is no right one. A block of a long sum is a
// node of it, so that a sum over rows can be computed in parts, by whoever has the rows.
#pragma once

#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

inline constexpr Index micro_batch = 32;
static_assert(sum_block % micro_batch == 0 && sum_block / micro_batch == 32);

// Additions of a tree over the micro-batches of so many rows, from a leaf to the root.
[[nodiscard]] TANDEM_HOST_DEVICE constexpr int micro_batch_levels(Index rows) {
  int levels = 0;
  while ((micro_batch << levels) < rows) ++levels;
  return levels;
}

// The most that there can be.
inline constexpr int max_micro_batch_levels = 59;

// A tree whose leaves come one by one, in ascending order, as SumTree, for sums of any type and
// with the memory for its roots, `stride` elements apart, given by the caller: a root on level k
// where bit k of the number of leaves is set. Adds leaf number `leaf`.
template <class T>
TANDEM_HOST_DEVICE inline void add_leaf(T* roots, Index stride, Index leaf, T sum) {
  for (; (leaf & 1) != 0; leaf >>= 1, roots += stride) sum = *roots + sum;
  *roots = sum;
}
// The sum of so many leaves: +0 of none.
template <class T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T sum_of_leaves(const T* roots, Index stride,
                                                        Index leaves) {
  T sum{0};
  for (bool any = false; leaves != 0; leaves >>= 1, roots += stride) {
    if ((leaves & 1) == 0) continue;
    sum = any ? *roots + sum : *roots;
    any = true;
  }
  return sum;
}

// The bound on the error of such a sum, relative to the sum of the magnitudes of its terms.
template <Real T>
[[nodiscard]] constexpr double micro_batch_bound(Index rows) {
  return gamma_bound<T>((rows < micro_batch ? rows : micro_batch) + micro_batch_levels(rows));
}

}  // namespace tandem

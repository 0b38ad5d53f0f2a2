// Sums over rows by micro-batches (core/linalg/micro_batch.hpp) as their definition says them.
#pragma once

#include <algorithm>
#include <vector>

#include "core/linalg/micro_batch.hpp"

namespace tandem::test {

// Node (level, i) of the tree over `rows` >= 1 rows; a chain begins at +0 and grows by
// sum = add(row, sum).
template <class T, class Add>
T micro_batch_node(Index rows, int level, Index i, Add&& add) {
  if (level == 0) {
    T sum{0};
    for (Index r = i * micro_batch; r < std::min(rows, (i + 1) * micro_batch); ++r) {
      sum = add(r, sum);
    }
    return sum;
  }
  const T left = micro_batch_node<T>(rows, level - 1, 2 * i, add);
  const Index right = (2 * i + 1) * (micro_batch << (level - 1));  // its first row
  return right < rows ? left + micro_batch_node<T>(rows, level - 1, 2 * i + 1, add) : left;
}

template <class T, class Add>
T micro_batch_sum(Index rows, Add&& add) {
  return micro_batch_node<T>(rows, micro_batch_levels(rows), 0, add);
}

// Numbers of rows at which the shapes differ: 1 to 9, 15 to 17 and 33 micro-batches, full and
// ragged, and more than a block of a long sum.
inline const std::vector<Index>& micro_batch_rows() {
  static const std::vector<Index> rows = [] {
    std::vector<Index> all{1, 31, 32};
    for (const Index leaves : {2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33, 36, 100}) {
      all.push_back((leaves - 1) * micro_batch + (leaves % 3 == 0 ? micro_batch : 1 + leaves % 31));
    }
    return all;
  }();
  return rows;
}

}  // namespace tandem::test

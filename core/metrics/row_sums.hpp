// Long sums over rows, for metrics and preprocessing: the shape of long_sum (numerics.hpp), blocks
// computed on several threads.
#pragma once

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// K long sums at once: add(i, terms) writes the K terms of row i, all of which it must set.
template <std::size_t K, class Add>
std::array<double, K> row_sums(int threads, Index rows, Add&& add) {
  const Index blocks = pieces(rows, sum_block);
  std::vector<double> partial(static_cast<std::size_t>(blocks) * K);
  parallel_pieces(threads, blocks, 16, [&](Piece some) {
    for (Index b = some.begin; b < some.end; ++b) {
      const Piece block = piece_of(rows, sum_block, b);
      double lanes[K][sum_lanes] = {};
      double terms[K];
      for (Index i = block.begin; i < block.end; ++i) {
        add(i, terms);
        for (std::size_t k = 0; k < K; ++k) lanes[k][(i - block.begin) % sum_lanes] += terms[k];
      }
      for (std::size_t k = 0; k < K; ++k) {
        partial[static_cast<std::size_t>(b) * K + k] = add_lanes(lanes[k]);
      }
    }
  });
  std::array<double, K> sums{};
  if (blocks == 0) return sums;
  add_block_sums(partial.data(), blocks, static_cast<Index>(K));
  std::copy_n(partial.begin(), K, sums.begin());
  return sums;
}

// One long sum per column of a table of rows × cols: add(i, j) is the term of row i in column j.
// begin(first, last) is called before the terms of the rows first .. last − 1 are asked for.
template <class Add, class Begin>
std::vector<double> column_sums(int threads, Index rows, Index cols, Add&& add, Begin&& begin) {
  const auto width = static_cast<std::size_t>(cols);
  const Index blocks = pieces(rows, sum_block);
  std::vector<double> partial(static_cast<std::size_t>(blocks) * width);
  parallel_pieces(threads, blocks, 16, [&](Piece some) {
    begin(some.begin * sum_block, std::min(some.end * sum_block, rows));
    std::vector<double> lanes(sum_lanes * width);
    for (Index b = some.begin; b < some.end; ++b) {
      const Piece block = piece_of(rows, sum_block, b);
      std::fill(lanes.begin(), lanes.end(), 0.0);
      for (Index i = block.begin; i < block.end; ++i) {
        double* lane =
            lanes.data() + static_cast<std::size_t>((i - block.begin) % sum_lanes) * width;
        for (Index j = 0; j < cols; ++j) lane[j] += add(i, j);
      }
      for (std::size_t half = sum_lanes / 2; half > 0; half /= 2) {
        for (std::size_t at = 0; at < half * width; ++at) lanes[at] += lanes[at + half * width];
      }
      std::copy_n(lanes.begin(), width, partial.begin() + b * cols);
    }
  });
  add_block_sums(partial.data(), blocks, cols);
  partial.resize(width);  // zeros where there were no blocks
  return partial;
}
template <class Add>
std::vector<double> column_sums(int threads, Index rows, Index cols, Add&& add) {
  return column_sums(threads, rows, cols, std::forward<Add>(add), [](Index, Index) {});
}

}  // namespace tandem

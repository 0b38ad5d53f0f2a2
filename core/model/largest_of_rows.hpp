// The class that each row's probabilities speak for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

// The column of each row's largest value, the first of them where several are equal.
template <Real T>
[[nodiscard]] std::vector<std::int32_t> largest_of_rows(MatrixView<const T> x, int threads) {
  constexpr Index rows_at_once = 4096;
  std::vector<std::int32_t> columns(static_cast<std::size_t>(x.rows));
  parallel_pieces(threads, x.rows, rows_at_once, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const auto row = x.row(i);
      columns[static_cast<std::size_t>(i)] =
          x.cols == 2
              ? static_cast<std::int32_t>(row[0] < row[1])
              : static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
    }
  });
  return columns;
}

}  // namespace tandem

// What principal axes are made of, by whichever way.
#pragma once

#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

struct Decomposition {
  std::vector<double> mean;  // weighted, of each feature
  double weight = 0;         // Σ w
  double all_squares = 0;    // Σ w ‖x − mean‖²
  // Σ w ((x − mean)·axis)² along each axis, descending: the least of rows and features of them.
  std::vector<double> squares;
  Matrix<double> axes;  // one per row, of length 1, orthogonal up to rounding: those that are
                        // wanted at least
};

// The rows that have a weight above 0, with those weights, 1 where there are none.
struct CountingRows {
  std::vector<Index> rows;
  std::vector<double> weights;  // one per such row
};
template <Real T>
[[nodiscard]] CountingRows counting_rows(const DatasetView<T>& data);

// As a textbook has it, in double on one thread: the singular values of the centred rows, each
// times the root of its weight. Requires finite values and two rows that count.
template <Real T>
[[nodiscard]] Decomposition reference_decomposition(const DatasetView<T>& data);

}  // namespace tandem

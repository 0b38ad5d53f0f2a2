// The rows that trees are timed on.
#pragma once

#include <cmath>

#include "core/random.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Continuous features, of which the target depends on a few, and on noise, as in particle physics.
// target(score) makes the target of a score that is around 0.
template <Real T, class Target>
Dataset<T> overlapping_rows(Index rows, Index cols, Target&& target) {
  const Random random(1, Purpose::test);
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  data.target_column.name = "y";
  std::uint64_t next = 0;
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      data.features(i, j) = static_cast<T>(2 * random.uniform(next++) - 1);
    }
    const auto x = data.features.row(i);
    const double score =
        static_cast<double>(x[0] * x[1] + x[2] - std::fabs(x[3])) + random.uniform(next++) - 0.5;
    data.target.push_back(static_cast<T>(target(score)));
  }
  return data;
}

// Two classes, or values.
template <Real T>
Dataset<T> overlapping_rows(Index rows, Index cols, bool classes) {
  return overlapping_rows<T>(
      rows, cols, [&](double score) { return classes ? (score > 0 ? 1.0 : 0.0) : score; });
}

}  // namespace tandem

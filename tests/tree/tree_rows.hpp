// Rows that tests of trees are grown on.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/random.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem::test {

// Features from -1 to 1, of which the target depends on the first three and on `noise`. classes: 0
// for a regression, else how many. `missing`: the share of features that are.
template <Real T>
Dataset<T> rows_of_trees(Index rows, Index cols, Index classes, std::uint64_t seed, double missing,
                         double noise) {
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  data.target_column.name = "y";
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      data.features(i, j) = static_cast<T>(2 * random.uniform(next++) - 1);
    }
    const auto x = data.features.row(i);
    const double signal = 2 * static_cast<double>(x[0] * x[1 % static_cast<std::size_t>(cols)]) +
                          std::abs(static_cast<double>(x[2 % static_cast<std::size_t>(cols)])) +
                          noise * random.uniform(next++);
    data.target.push_back(static_cast<T>(
        classes == 0 ? signal
                     : std::clamp(std::floor((signal + 1) / 2.5 * static_cast<double>(classes)),
                                  0.0, static_cast<double>(classes - 1))));
  }
  for (T& value : data.features.values()) {
    if (random.uniform(next++) < missing) value = std::numeric_limits<T>::quiet_NaN();
  }
  return data;
}

}  // namespace tandem::test

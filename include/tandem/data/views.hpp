// Data that is in memory already, as a table that algorithms take, without a copy.
#pragma once

#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Row i begins at data + i · row_stride; row_stride 0 means cols, rows without gaps. Requires:
// row_stride >= cols, and rows · row_stride elements that can be read.
template <Real T>
[[nodiscard]] DatasetView<T> view_of(const T* data, Index rows, Index cols, Index row_stride = 0) {
  if (rows < 0 || cols < 0 || (row_stride != 0 && row_stride < cols)) {
    throw InputError("a view of " + std::to_string(rows) + " rows of " + std::to_string(cols) +
                     " values, " + std::to_string(row_stride) +
                     " apart, is none; expected sizes of at least 0 and a distance of at least the "
                     "number of columns");
  }
  DatasetView<T> view;
  view.features = {data, rows, cols, row_stride == 0 ? cols : row_stride};
  return view;
}

// Rows of `cols` values each, laid end to end; target one per row, or empty. Throws InputError
// where the sizes do not fit.
template <Real T>
[[nodiscard]] DatasetView<T> view_of(const std::vector<T>& values, Index cols,
                                     std::span<const std::type_identity_t<T>> target = {}) {
  const auto size = static_cast<Index>(values.size());
  if (cols < 1 || size % cols != 0) {
    throw InputError(std::to_string(size) + " values are no rows of " + std::to_string(cols) +
                     "; expected a multiple");
  }
  DatasetView<T> view = view_of(values.data(), size / cols, cols);
  if (!target.empty() && static_cast<Index>(target.size()) != view.rows()) {
    throw InputError("the target has " + std::to_string(target.size()) + " values for " +
                     std::to_string(view.rows()) + " rows; expected one per row");
  }
  view.target = target;
  return view;
}

template <Real T>
[[nodiscard]] DatasetView<T> view_of(MatrixView<const T> rows) {
  DatasetView<T> view;
  view.features = rows;
  return view;
}

}  // namespace tandem

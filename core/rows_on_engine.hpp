// A host matrix in an engine's memory, without gaps between its rows.
#pragma once

#include <vector>

#include "tandem/core/buffer.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

template <Real T>
[[nodiscard]] Buffer<T> rows_on_engine(Engine& engine, MatrixView<const T> x, Placement placement) {
  Buffer<T> rows(engine, x.rows * x.cols, placement);
  if (x.contiguous()) {
    rows.upload({x.data, static_cast<std::size_t>(x.rows * x.cols)});
    return rows;
  }
  std::vector<T> packed;
  packed.reserve(static_cast<std::size_t>(x.rows * x.cols));
  for (Index i = 0; i < x.rows; ++i) {
    packed.insert(packed.end(), x.row(i).begin(), x.row(i).end());
  }
  rows.upload(packed);
  return rows;
}

}  // namespace tandem

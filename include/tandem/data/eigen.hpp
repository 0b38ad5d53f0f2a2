// Eigen's matrices as tables. Not part of tandem.hpp, because it needs Eigen.
#pragma once

#include <Eigen/Core>

#include "tandem/data/views.hpp"

namespace tandem {

// Without a copy where the rows lie one after the other: row-major matrices, maps and blocks of
// them. The matrix must live as long as the view.
template <class Derived>
requires(static_cast<bool>(Derived::IsRowMajor))
    [[nodiscard]] DatasetView<typename Derived::Scalar> view_of(
        const Eigen::PlainObjectBase<Derived>& matrix) {
  return view_of(matrix.derived().data(), static_cast<Index>(matrix.rows()),
                 static_cast<Index>(matrix.cols()),
                 static_cast<Index>(matrix.derived().outerStride()));
}

// A copy, of a matrix or expression of any layout.
template <class Derived>
[[nodiscard]] Dataset<typename Derived::Scalar> dataset_of(
    const Eigen::DenseBase<Derived>& matrix) {
  Dataset<typename Derived::Scalar> data;
  data.source = "matrix";
  data.features = Matrix<typename Derived::Scalar>(static_cast<Index>(matrix.rows()),
                                                   static_cast<Index>(matrix.cols()));
  Eigen::Map<
      Eigen::Matrix<typename Derived::Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
      data.features.data(), matrix.rows(), matrix.cols()) = matrix;
  data.columns = numbered_columns(data.cols());
  return data;
}

}  // namespace tandem

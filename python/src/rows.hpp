// Rows that Python keeps, as the views that algorithms take, without a copy.
#pragma once

#include <nanobind/ndarray.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem::python {

using Array = nb::ndarray<nb::ro, nb::device::cpu>;

// Throws InputError that names `what` unless the array holds T.
template <Real T>
[[nodiscard]] bool holds(const Array& array) {
  return array.dtype() == nb::dtype<T>();
}

// Rows whose values lie one after the other; rows themselves may lie apart. Throws InputError for
// another shape.
template <Real T>
[[nodiscard]] MatrixView<const T> matrix_of(const Array& array, const char* what);
// Values one after the other. Throws InputError for another shape or type.
template <class T>
[[nodiscard]] std::span<const T> vector_of(const Array& array, const char* what);

// From (name, categories) pairs.
using ColumnList = std::vector<std::pair<std::string, std::vector<std::string>>>;
[[nodiscard]] std::vector<Column> columns_of(const ColumnList& list);

// Rows as Python hands them over: a two-dimensional array, or (offsets, columns, values, columns in
// all) of compressed sparse rows.
struct Rows {
  Array dense;
  Array offsets;
  Array sparse_columns;
  Array values;
  Index sparse_cols = -1;  // −1: dense

  explicit Rows(nb::handle rows);
  [[nodiscard]] bool is_float32() const;
  template <Real T>
  void put_into(DatasetView<T>& view) const;
};

// A NumPy array that takes over the memory.
template <class T>
[[nodiscard]] nb::object array_from(std::vector<T>&& values, std::vector<std::size_t> shape) {
  auto* kept = new std::vector<T>(std::move(values));
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::cast(nb::ndarray<nb::numpy, T>(kept->data(), shape.size(), shape.data(), owner));
}
template <class T>
[[nodiscard]] nb::object array_from(std::vector<T>&& values) {
  const std::size_t size = values.size();
  return array_from(std::move(values), {size});
}
template <class T>
[[nodiscard]] nb::object array_from(Matrix<T>&& matrix) {
  const auto rows = static_cast<std::size_t>(matrix.rows());
  const auto cols = static_cast<std::size_t>(matrix.cols());
  return array_from(std::move(matrix.values()), {rows, cols});
}

}  // namespace tandem::python

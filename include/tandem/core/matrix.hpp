// Dense row-major matrices on the host.
#pragma once

#include <span>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem {

// A window on rows × cols elements; row i starts at data + i·stride.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index stride = 0;

  [[nodiscard]] T& operator()(Index row, Index col) const { return data[row * stride + col]; }
  [[nodiscard]] std::span<T> row(Index i) const {
    return {data + i * stride, static_cast<std::size_t>(cols)};
  }
  [[nodiscard]] bool contiguous() const { return stride == cols || rows <= 1; }
  // Rows first .. first + count − 1.
  [[nodiscard]] MatrixView rows_from(Index first, Index count) const {
    return {data + first * stride, count, cols, stride};
  }
  operator MatrixView<const T>() const  // NOLINT(google-explicit-constructor)
      requires(!std::is_const_v<T>) {
    return {data, rows, cols, stride};
  }
};

// Owns rows × cols elements without gaps.
template <class T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(Index rows, Index cols, T value = T{})
      : rows_(rows), cols_(cols), values_(static_cast<std::size_t>(rows * cols), value) {}
  // Requires: values.size() == rows · cols.
  Matrix(Index rows, Index cols, std::vector<T> values)
      : rows_(rows), cols_(cols), values_(std::move(values)) {}

  [[nodiscard]] Index rows() const noexcept { return rows_; }
  [[nodiscard]] Index cols() const noexcept { return cols_; }
  [[nodiscard]] Index size() const noexcept { return rows_ * cols_; }
  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] T* data() noexcept { return values_.data(); }
  [[nodiscard]] const T* data() const noexcept { return values_.data(); }
  [[nodiscard]] T& operator()(Index i, Index j) {
    return values_[static_cast<std::size_t>(i * cols_ + j)];
  }
  [[nodiscard]] const T& operator()(Index i, Index j) const {
    return values_[static_cast<std::size_t>(i * cols_ + j)];
  }
  [[nodiscard]] std::span<T> row(Index i) {
    return {data() + i * cols_, static_cast<std::size_t>(cols_)};
  }
  [[nodiscard]] std::span<const T> row(Index i) const {
    return {data() + i * cols_, static_cast<std::size_t>(cols_)};
  }
  [[nodiscard]] std::vector<T>& values() noexcept { return values_; }
  [[nodiscard]] const std::vector<T>& values() const noexcept { return values_; }
  [[nodiscard]] MatrixView<T> view() { return {data(), rows_, cols_, cols_}; }
  [[nodiscard]] MatrixView<const T> view() const { return {data(), rows_, cols_, cols_}; }
  [[nodiscard]] bool operator==(const Matrix&) const = default;

 private:
  Index rows_ = 0;
  Index cols_ = 0;
  std::vector<T> values_;
};

}  // namespace tandem

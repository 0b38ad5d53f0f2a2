// Rows of numbers as vector instructions take them: each begins at a cache line, and has zeros
// behind it up to a multiple of 16 numbers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <vector>

#include "tandem/core/matrix.hpp"

namespace tandem::recommend {

template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  explicit CacheLineAllocator(const CacheLineAllocator<U>& /*other*/) {}
  [[nodiscard]] T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64}));
  }
  void deallocate(T* at, std::size_t /*count*/) { ::operator delete (at, std::align_val_t{64}); }
  bool operator==(const CacheLineAllocator&) const = default;
};

template <class T>
using CacheLines = std::vector<T, CacheLineAllocator<T>>;

class PaddedRows {
 public:
  PaddedRows() = default;
  // Zeros.
  PaddedRows(std::size_t rows, std::size_t width)
      : rows_(rows),
        width_(width),
        stride_((width + 15) / 16 * 16),
        values_(rows * stride_, 0.0F) {}
  explicit PaddedRows(MatrixView<const float> rows)
      : PaddedRows(static_cast<std::size_t>(rows.rows), static_cast<std::size_t>(rows.cols)) {
    for (std::size_t i = 0; i < rows_; ++i) {
      const auto from = rows.row(static_cast<Index>(i));
      std::copy(from.begin(), from.end(), row(i));
    }
  }

  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  [[nodiscard]] std::size_t stride() const noexcept { return stride_; }
  [[nodiscard]] const float* data() const noexcept { return values_.data(); }
  [[nodiscard]] float* row(std::size_t i) { return values_.data() + i * stride_; }
  [[nodiscard]] const float* row(std::size_t i) const { return values_.data() + i * stride_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return values_.size() * sizeof(float); }

 private:
  std::size_t rows_ = 0;
  std::size_t width_ = 0;
  std::size_t stride_ = 0;
  CacheLines<float> values_;
};

}  // namespace tandem::recommend

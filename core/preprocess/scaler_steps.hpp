// Passes over the columns of a row-major table in an engine's memory.
#pragma once

#include <memory>
#include <string_view>

#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// A pass reads each element once; scaling writes it back.
[[nodiscard]] constexpr double scaler_bytes(Index rows, Index cols, std::size_t element,
                                            bool writes) {
  return (writes ? 2.0 : 1.0) * static_cast<double>(rows) * static_cast<double>(cols) *
         static_cast<double>(element);
}

template <Real T>
struct ColumnRange {
  T low;          // of the present values, the first of equals; +∞ where there are none
  T high;         // likewise; −∞ where there are none
  Index missing;  // NaN
};

// Folds a value, or what comes after in the order of rows: the first of equals stays (−0 equals
// +0).
template <Real T>
TANDEM_HOST_DEVICE inline void add_to_range(ColumnRange<T>& range, const ColumnRange<T>& next) {
  if (next.low < range.low) range.low = next.low;
  if (next.high > range.high) range.high = next.high;
  range.missing += next.missing;
}

template <Real T>
class ScalerSteps {
 public:
  virtual ~ScalerSteps() = default;
  static constexpr std::string_view name = "scaler";
  [[nodiscard]] static std::unique_ptr<ScalerSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<ScalerSteps> make_cpu(Engine& engine);

  // Enqueued. ranges: cols of them.
  virtual void ranges(const T* x, Index rows, Index cols, Buffer<ColumnRange<T>>& ranges) = 0;
  // sums(j) = the long_sum over rows of x(i, j), or, where centre is not null, of (x(i, j) −
  // centre(j))² in double; NaN adds +0. Enqueued.
  virtual void sums(const T* x, Index rows, Index cols, const double* centre,
                    Buffer<double>& sums) = 0;
  // x(i, j) ← (x(i, j) − shift(j)) / divisor(j), in double, rounded once. Enqueued.
  virtual void scale(T* x, Index rows, Index cols, const double* shift, const double* divisor) = 0;
};

}  // namespace tandem

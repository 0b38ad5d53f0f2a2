// Values to bins, where the rows are.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/tree/binned_table.hpp"

namespace tandem::tree {

template <Real T>
struct CutsOnEngine {
  Index features = 0;
  int bin_bytes = 1;              // of the numbers of bins
  Buffer<T> thresholds;           // of each feature, padded by infinities to a power of two, > bins
  Buffer<Index> first;            // features + 1: where those of each feature begin
  Buffer<std::uint16_t> missing;  // per feature: the bin of missing values
};
template <Real T>
[[nodiscard]] CutsOnEngine<T> to_engine(Engine& engine, const BinCuts<T>& cuts);

// The number of thresholds below x, of `padded`, a power of two, by as many comparisons as that has
// halves; the last threshold is not looked at. A NaN gives 0.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int32_t thresholds_below(const T* thresholds,
                                                                      std::int32_t padded, T x) {
  std::int32_t below = 0;
  for (std::int32_t step = padded / 2; step > 0; step /= 2) {
    below += thresholds[below + step - 1] < x ? step : 0;
  }
  return below;
}

// A value read, a bin written twice.
[[nodiscard]] constexpr double bin_rows_bytes(double rows, double features, double stride,
                                              double value_bytes, double bin_bytes) {
  return rows * ((value_bytes + bin_bytes) * features + bin_bytes * stride);
}

template <Real T>
class BinningSteps {
 public:
  virtual ~BinningSteps() = default;
  static constexpr std::string_view name = "binning";
  [[nodiscard]] static std::unique_ptr<BinningSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<BinningSteps> make_cpu(Engine& engine);

  // x: rows × features, row by row. by_row: rows × binned_stride(features) numbers of
  // cuts.bin_bytes bytes, zeros behind a row's bins; by_column: features × rows of them, or empty
  // where it is not wanted. Only enqueued.
  virtual void bin_rows(const CutsOnEngine<T>& cuts, const Buffer<T>& x, Index rows,
                        Buffer<std::uint8_t>& by_row, Buffer<std::uint8_t>& by_column) = 0;
};

}  // namespace tandem::tree

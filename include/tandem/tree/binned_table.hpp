// Features cut into bins: what histograms are made over.
//
// A feature's thresholds come from a weighted quantile sketch of its known values. The sketch is
// built per block of sum_block rows and merged along the tree of docs/numerics.md, so that the
// thresholds do not depend on the threads or pieces it was computed with. Where a feature has at
// most as many distinct values as there may be bins, each has a bin of its own and the thresholds
// are the midpoints between neighbours.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/shared_bytes.hpp"
#include "tandem/core/types.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// The thresholds of all features. Value x of feature j has the bin b, the number of thresholds of j
// that are below x: bin b holds threshold[b − 1] < x <= threshold[b]. A missing value (NaN) has the
// bin bins(j), one past those of known values.
template <Real T>
struct TANDEM_API BinCuts {
  std::vector<Index> first;           // features + 1: where each feature's thresholds begin
  std::vector<T> thresholds;          // ascending within a feature
  std::vector<std::uint8_t> missing;  // per feature: 1 where the rows had missing values

  [[nodiscard]] Index features() const noexcept { return static_cast<Index>(missing.size()); }
  [[nodiscard]] std::span<const T> of(Index feature) const {
    const auto j = static_cast<std::size_t>(feature);
    return std::span<const T>(thresholds)
        .subspan(static_cast<std::size_t>(first[j]),
                 static_cast<std::size_t>(first[j + 1] - first[j]));
  }
  // Bins of known values.
  [[nodiscard]] Index bins(Index feature) const {
    const auto j = static_cast<std::size_t>(feature);
    return first[j + 1] - first[j] + 1;
  }
  [[nodiscard]] Index bin_of(Index feature, T value) const;
  // Bytes that a bin is numbered by: 1, or 2 where a feature has more than most_byte_bins.
  [[nodiscard]] int bin_bytes() const;
  // Throws InputError, which begins with `source`, for what make_bin_cuts() cannot have made.
  void check(std::string_view source) const;
  void save(Archive& archive) const;
  // Throws InputError for what save() cannot have written.
  [[nodiscard]] static BinCuts load(const Archive& archive);
  [[nodiscard]] bool operator==(const BinCuts&) const = default;
};

// Bins of known values per feature, at most: with that of missing values they are numbered by 16
// bits, and by 8 where no feature has more than most_byte_bins.
inline constexpr Index most_bins = 65535;
inline constexpr Index most_byte_bins = 255;
// Bins that a feature of numbers is cut into, at most: a quantile sketch keeps as many values.
inline constexpr Index most_number_bins = 4096;

// x: rows × features, finite or NaN; weights: one per row, >= 0, or empty. 2 <= max_bins <=
// most_number_bins. Throws InputError where max_bins is out of range.
template <Real T>
[[nodiscard]] TANDEM_API BinCuts<T> make_bin_cuts(MatrixView<const std::type_identity_t<T>> x,
                                                  std::span<const T> weights, Index max_bins,
                                                  int threads);

// The same of chosen rows of a sparse table, ascending by number. They are written out some
// thousand at a time, never all.
template <Real T>
[[nodiscard]] TANDEM_API BinCuts<T> make_bin_cuts(const CsrView<T>& x, std::span<const Index> rows,
                                                  std::span<const T> weights, Index max_bins,
                                                  int threads);

// The bins of a row, with what it is padded by: such that short rows of 8 bits do not cross lines
// of the cache.
[[nodiscard]] constexpr Index binned_stride(Index features) noexcept {
  Index stride = 4;
  while (stride < features && stride < 32) stride *= 2;
  return (features + stride - 1) / stride * stride;
}

// A table of bins, row by row. It stands for the rows it was made from wherever only the order of
// values matters: growing trees, and sending rows down trees that were grown on these cuts. Copies
// share the bins.
template <Real T>
struct TANDEM_API BinnedTable {
  Index rows = 0;
  BinCuts<T> cuts;
  int bin_bytes = 1;  // cuts.bin_bytes()
  // rows × stride() numbers of bin_bytes bytes each, low bytes first: a row's bins and then zeros.
  SharedBytes bins;

  [[nodiscard]] Index features() const noexcept { return cuts.features(); }
  [[nodiscard]] Index stride() const noexcept { return binned_stride(features()); }
  [[nodiscard]] std::uint16_t operator()(Index row, Index feature) const {
    const auto at = static_cast<std::size_t>(row * stride() + feature);
    if (bin_bytes == 1) return bins[at];
    return static_cast<std::uint16_t>(bins[2 * at] | (bins[2 * at + 1] << 8));
  }
  // Throws InputError, which begins with `source`, where there are not as many bins as rows have, a
  // row has a bin that its feature has not, or is padded by anything but zeros.
  void check(std::string_view source) const;

  void save(Archive& archive, std::string_view prefix = "bins") const;
  // Throws InputError for what save() cannot have written.
  [[nodiscard]] static BinnedTable load(const Archive& archive, std::string_view prefix = "bins");
  [[nodiscard]] bool operator==(const BinnedTable&) const = default;
};

// x has as many columns as `cuts` has features.
template <Real T>
[[nodiscard]] TANDEM_API BinnedTable<T> bin_rows(Engine& engine,
                                                 MatrixView<const std::type_identity_t<T>> x,
                                                 const BinCuts<T>& cuts);

}  // namespace tandem

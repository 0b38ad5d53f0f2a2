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
#include "tandem/core/types.hpp"

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
  // Throws InputError, which begins with `source`, for what make_bin_cuts() cannot have made.
  void check(std::string_view source) const;
  [[nodiscard]] bool operator==(const BinCuts&) const = default;
};

// Bins of known values per feature, at most: with that of missing values they are numbered by 8
// bits.
inline constexpr Index most_bins = 255;

// x: rows × features, finite or NaN; weights: one per row, >= 0, or empty. 2 <= max_bins <=
// most_bins. Throws InputError where max_bins is out of range.
template <Real T>
[[nodiscard]] TANDEM_API BinCuts<T> make_bin_cuts(MatrixView<const std::type_identity_t<T>> x,
                                                  std::span<const T> weights, Index max_bins,
                                                  int threads);

// The bytes of a row of bins: such that short rows do not cross lines of the cache.
[[nodiscard]] constexpr Index binned_stride(Index features) noexcept {
  Index stride = 4;
  while (stride < features && stride < 32) stride *= 2;
  return (features + stride - 1) / stride * stride;
}

// A table of bins, row by row. It stands for the rows it was made from wherever only the order of
// values matters: growing trees, and sending rows down trees that were grown on these cuts.
template <Real T>
struct TANDEM_API BinnedTable {
  Index rows = 0;
  BinCuts<T> cuts;
  // rows × stride(), a row's bins and then zeros.
  std::vector<std::uint8_t> bins;

  [[nodiscard]] Index features() const noexcept { return cuts.features(); }
  [[nodiscard]] Index stride() const noexcept { return binned_stride(features()); }
  [[nodiscard]] std::uint8_t operator()(Index row, Index feature) const {
    return bins[static_cast<std::size_t>(row * stride() + feature)];
  }

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

// Columns of categories as bins that boosting can split by sets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/tree/category_split.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/tree/binned_table.hpp"

namespace tandem::tree {

// Categories of a column, at most: a set of them is kept as one bit each in every node that splits
// by the column.
inline constexpr Index most_categories = Index{1} << 16;

// How the categories of a training set become bins. A category has a bin of its own, in the order
// of their codes. Where there are more categories than bins, the heaviest have one each and the
// others share the last bin, which no set holds.
struct CategoryBins {
  std::vector<BinKind> kinds;                    // per feature; empty where none has categories
  std::vector<std::vector<std::int32_t>> codes;  // per feature: the category of each bin of its own
  std::vector<Index> categories;                 // per feature: how many there are

  [[nodiscard]] bool any() const noexcept { return !kinds.empty(); }
  [[nodiscard]] bool has(Index feature) const {
    return any() && kinds[static_cast<std::size_t>(feature)] != BinKind::numbers;
  }
  // Whether the bins of some feature are not its codes.
  [[nodiscard]] bool recodes() const;
  // The rows with bins in place of codes, for which bin_rows() gives just these.
  template <Real T>
  [[nodiscard]] Matrix<T> recoded(MatrixView<const T> x) const;
  // Puts bounds between the bins of features with categories in place of what is there.
  template <Real T>
  void put_cuts(BinCuts<T>& cuts) const;
  // Throws InputError that begins with `source`, by row and column, for a value that is neither
  // missing nor the code of a category. numbers: of the rows in their table, or empty.
  template <Real T>
  void check(MatrixView<const T> x, std::span<const Column> columns, std::span<const Index> numbers,
             const std::string& source) const;
};

// Of the columns that have categories, each in at most `most` bins, 2 to most_bins. weights: whole
// numbers, one per row of x, or empty. Throws InputError as check(), and for a column of more than
// most_categories.
template <Real T>
[[nodiscard]] CategoryBins category_bins(MatrixView<const T> x, std::span<const Column> columns,
                                         std::span<const std::int64_t> weights,
                                         std::span<const Index> numbers, Index most,
                                         const std::string& source);

}  // namespace tandem::tree

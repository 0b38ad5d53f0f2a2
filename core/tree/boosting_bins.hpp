// The rows of gradient boosting in bins.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/tree/boosting_rows.hpp"
#include "core/tree/category_bins.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/tree/binned_table.hpp"

namespace tandem::tree {

// What the categories of rows become, by the rows' weights. Throws InputError as category_bins().
template <Real T>
[[nodiscard]] CategoryBins categories_of_rows(const BoostingRows<T>& rows,
                                              std::span<const Column> columns, Index max_cat_bins,
                                              const std::string& source);

// Rows as they are put into bins: with bins in place of the codes of categories, where these have
// not a bin each.
template <Real T>
class BinnableRows {
 public:
  // x must outlive this where the codes stay.
  BinnableRows(MatrixView<const T> x, const CategoryBins& categories);
  [[nodiscard]] MatrixView<const T> view() const noexcept { return view_; }

 private:
  Matrix<T> recoded_;
  MatrixView<const T> view_;
};

// The thresholds of rows, by their weights. binnable: the rows as BinnableRows has them.
template <Real T>
[[nodiscard]] BinCuts<T> cuts_of_rows(const BoostingRows<T>& rows,
                                      MatrixView<const std::type_identity_t<T>> binnable,
                                      const CategoryBins& categories, Index max_bins, int threads);

// The rows in bins, on the host. Sparse rows are written out some at a time.
template <Real T>
[[nodiscard]] BinnedTable<T> table_of_rows(Engine& engine, const BoostingRows<T>& rows,
                                           const BinCuts<T>& cuts, const CategoryBins& categories);

// The rows in bins: by_row has count × binned_stride(features) of them, by_column those of each
// feature and column_padding bytes, or nothing where it is not wanted.
struct BinsOnEngine {
  Buffer<std::uint8_t> by_row;
  Buffer<std::uint8_t> by_column;
};
template <Real T>
[[nodiscard]] BinsOnEngine bins_of_rows(Engine& engine, const BoostingRows<T>& rows,
                                        const BinCuts<T>& cuts, const CategoryBins& categories,
                                        bool by_column);

// base + v₀ + v₁ + ... of each row, or from its margin on; rows × outputs, on the engine.
template <Real T>
[[nodiscard]] Buffer<T> starting_scores(Engine& engine, const BoostingRows<T>& rows,
                                        const TreeEnsemble<T>& trees);

// The categories of rows that are in bins already.
template <Real T>
[[nodiscard]] CategoryBins categories_of(const BinnedDataset<T>& data);

}  // namespace tandem::tree

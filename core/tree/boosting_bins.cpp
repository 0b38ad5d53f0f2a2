#include "core/tree/boosting_bins.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "core/tree/leaf_quantile.hpp"
#include "tandem/tree/binned_dataset.hpp"

namespace tandem::tree {

template <Real T>
CategoryBins categories_of_rows(const BoostingRows<T>& rows, std::span<const Column> columns,
                                Index max_cat_bins, const std::string& source) {
  if (rows.elsewhere()) return {};  // of rows that are not dense, none has categories
  std::vector<std::int64_t> units;
  const double scale = weight_scale(rows.weights);
  for (const T weight : rows.weights) units.push_back(whole_weight(weight, scale));
  return category_bins(rows.x, columns, std::span<const std::int64_t>(units),
                       std::span<const Index>(rows.numbers), max_cat_bins, source);
}

template <Real T>
BinnableRows<T>::BinnableRows(MatrixView<const T> x, const CategoryBins& categories) : view_(x) {
  if (!categories.recodes()) return;
  recoded_ = categories.recoded(x);
  view_ = std::as_const(recoded_).view();
}

template <Real T>
BinCuts<T> cuts_of_rows(const BoostingRows<T>& rows,
                        MatrixView<const std::type_identity_t<T>> binnable,
                        const CategoryBins& categories, Index max_bins, int threads) {
  const std::span<const T> weights = rows.weights;
  if (rows.sparse.rows > 0) {
    return make_bin_cuts(rows.sparse, std::span<const Index>(rows.numbers), weights, max_bins,
                         threads);
  }
  auto cuts = make_bin_cuts(binnable, weights, max_bins, threads);
  categories.put_cuts(cuts);
  return cuts;
}

namespace {

// The bins of chosen rows of a table, row by row.
template <Real T>
std::vector<std::uint8_t> gathered(const BinnedTable<T>& table, std::span<const Index> rows,
                                   int threads) {
  const auto bytes = static_cast<std::size_t>(table.stride() * table.bin_bytes);
  std::vector<std::uint8_t> result(rows.size() * bytes);
  parallel_pieces(threads, static_cast<Index>(rows.size()), 4096, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const auto at = static_cast<std::size_t>(i);
      std::memcpy(result.data() + at * bytes,
                  table.bins.data() + static_cast<std::size_t>(rows[at]) * bytes, bytes);
    }
  });
  return result;
}

// Rows of `stride` elements become columns of `rows`: those of the features.
template <class Bin>
void transpose(const std::uint8_t* from_bytes, Index rows, Index stride, Index features,
               std::uint8_t* to_bytes, int threads) {
  const auto* from = reinterpret_cast<const Bin*>(from_bytes);
  auto* to = reinterpret_cast<Bin*>(to_bytes);
  parallel_pieces(threads, rows, 512, [&](Piece piece) {
    for (Index j = 0; j < features; ++j) {
      for (Index i = piece.begin; i < piece.end; ++i) to[j * rows + i] = from[i * stride + j];
    }
  });
}

}  // namespace

template <Real T>
BinnedTable<T> table_of_rows(Engine& engine, const BoostingRows<T>& rows, const BinCuts<T>& cuts,
                             const CategoryBins& categories) {
  if (!rows.elsewhere()) return bin_rows(engine, BinnableRows<T>(rows.x, categories).view(), cuts);
  constexpr Index at_once = 1 << 14;
  BinnedTable<T> table{rows.count, cuts, cuts.bin_bytes(), {}};
  std::vector<std::uint8_t> bins;
  bins.reserve(static_cast<std::size_t>(rows.count * table.stride() * table.bin_bytes));
  for (Index begin = 0; begin < rows.count; begin += at_once) {
    const Matrix<T> x = rows.written_out(begin, std::min(at_once, rows.count - begin));
    const auto part = bin_rows(engine, x.view(), cuts).bins;
    bins.insert(bins.end(), part.view().begin(), part.view().end());
  }
  table.bins = SharedBytes(std::move(bins));
  return table;
}

template <Real T>
BinsOnEngine bins_of_rows(Engine& engine, const BoostingRows<T>& rows, const BinCuts<T>& cuts,
                          const CategoryBins& categories, bool by_column) {
  const int bin_bytes = cuts.bin_bytes();
  const Index features = cuts.features();
  const Index stride = binned_stride(features);
  BinsOnEngine bins;
  bins.by_row = Buffer<std::uint8_t>(engine, rows.count * stride * bin_bytes);
  if (by_column) {
    bins.by_column =
        Buffer<std::uint8_t>(engine, features * rows.count * bin_bytes + column_padding);
  }
  if (!rows.elsewhere()) {
    const BinnableRows<T> binnable(rows.x, categories);
    const auto on_engine = to_engine(engine, cuts);
    const Buffer<T> x = rows_on_engine(engine, binnable.view(), Placement::rows);
    make_steps<BinningSteps, T>(engine)->bin_rows(on_engine, x, rows.count, bins.by_row,
                                                  bins.by_column);
    engine.wait();
    return bins;
  }
  SharedBytes table;
  std::vector<std::uint8_t> made;
  std::span<const std::uint8_t> bytes;
  if (rows.sparse.rows > 0) {
    table = table_of_rows(engine, rows, cuts, categories).bins;
    bytes = table.view();
  } else if (rows.count < rows.bins->table.rows) {
    made = gathered(rows.bins->table, std::span<const Index>(rows.numbers), engine.threads());
    bytes = made;
  } else {
    bytes = rows.bins->table.bins.view();
  }
  bins.by_row.upload(bytes);
  if (!by_column) return bins;
  std::vector<std::uint8_t> columns(static_cast<std::size_t>(bins.by_column.size()), 0);
  if (bin_bytes == 1) {
    transpose<std::uint8_t>(bytes.data(), rows.count, stride, features, columns.data(),
                            engine.threads());
  } else {
    transpose<std::uint16_t>(bytes.data(), rows.count, stride, features, columns.data(),
                             engine.threads());
  }
  bins.by_column.upload(columns);
  return bins;
}

template <Real T>
Buffer<T> starting_scores(Engine& engine, const BoostingRows<T>& rows,
                          const TreeEnsemble<T>& trees) {
  const Index outputs = trees.outputs;
  const auto margin_of = [&](Index begin, Index count) {
    return rows.margin.empty()
               ? MatrixView<const T>{}
               : MatrixView<const T>{rows.margin.data() + begin * outputs, count, outputs, outputs};
  };
  if (!rows.elsewhere()) {
    return to_engine(engine, trees.raw_scores(engine, rows.x, margin_of(0, rows.count)).values());
  }
  // Other rows are written out for the trees, some at a time.
  constexpr Index at_once = 1 << 14;
  std::vector<T> scores;
  scores.reserve(static_cast<std::size_t>(rows.count * outputs));
  for (Index begin = 0; begin < rows.count; begin += at_once) {
    const Index count = std::min(at_once, rows.count - begin);
    const Matrix<T> x = rows.written_out(begin, count);
    const Matrix<T> part = trees.raw_scores(engine, x.view(), margin_of(begin, count));
    scores.insert(scores.end(), part.values().begin(), part.values().end());
  }
  return to_engine(engine, scores);
}

template <Real T>
CategoryBins categories_of(const BinnedDataset<T>& data) {
  CategoryBins result;
  const auto categorical = [](const Column& column) { return column.categorical(); };
  if (std::none_of(data.columns.begin(), data.columns.end(), categorical)) return result;
  result.codes = data.category_codes;
  for (std::size_t j = 0; j < data.columns.size(); ++j) {
    const auto count = data.columns[j].categories.size();
    result.categories.push_back(static_cast<Index>(count));
    result.kinds.push_back(count == 0                       ? BinKind::numbers
                           : result.codes[j].size() < count ? BinKind::categories_and_rest
                                                            : BinKind::categories);
  }
  return result;
}

#define TANDEM_INSTANTIATE(T)                                                                      \
  template CategoryBins categories_of_rows(const BoostingRows<T>&, std::span<const Column>, Index, \
                                           const std::string&);                                    \
  template class BinnableRows<T>;                                                                  \
  template BinCuts<T> cuts_of_rows(const BoostingRows<T>&, MatrixView<const T>,                    \
                                   const CategoryBins&, Index, int);                               \
  template BinnedTable<T> table_of_rows(Engine&, const BoostingRows<T>&, const BinCuts<T>&,        \
                                        const CategoryBins&);                                      \
  template BinsOnEngine bins_of_rows(Engine&, const BoostingRows<T>&, const BinCuts<T>&,           \
                                     const CategoryBins&, bool);                                   \
  template Buffer<T> starting_scores(Engine&, const BoostingRows<T>&, const TreeEnsemble<T>&);     \
  template CategoryBins categories_of(const BinnedDataset<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::tree

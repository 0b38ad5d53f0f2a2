#include "tandem/tree/binned_dataset.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/tree/boosting_bins.hpp"
#include "core/tree/category_bins.hpp"
#include "tandem/core/error.hpp"

namespace tandem {

using tree::BinKind;
using tree::CategoryBins;

template <Real T>
Dataset<T> BinnedDataset<T>::without_features() const {
  Dataset<T> data;
  data.source = source;
  data.features = Matrix<T>(rows(), 0);
  data.target = target;
  data.target_column = target_column;
  data.target_texts = target_texts;
  data.weights = weights;
  data.groups = groups;
  data.base_margin = base_margin;
  return data;
}

template <Real T>
Matrix<T> BinnedDataset<T>::representatives(std::span<const Index> of_rows) const {
  constexpr T missing = std::numeric_limits<T>::quiet_NaN();
  // Per feature, the values of its bins one behind the other, with that of missing ones.
  std::vector<T> values;
  std::vector<std::size_t> first;
  for (Index j = 0; j < cols(); ++j) {
    first.push_back(values.size());
    const auto& codes = category_codes[static_cast<std::size_t>(j)];
    if (codes.empty()) {
      const auto thresholds = table.cuts.of(j);
      values.insert(values.end(), thresholds.begin(), thresholds.end());
      values.push_back(std::numeric_limits<T>::max());
    } else {
      values.insert(values.end(), codes.begin(), codes.end());
      // No set holds the bin of all others, nor a missing value.
      if (table.cuts.bins(j) > static_cast<Index>(codes.size())) values.push_back(missing);
    }
    values.push_back(missing);
  }
  Matrix<T> result(static_cast<Index>(of_rows.size()), cols());
  for (Index i = 0; i < result.rows(); ++i) {
    const Index row = of_rows[static_cast<std::size_t>(i)];
    for (Index j = 0; j < cols(); ++j) {
      result(i, j) = values[first[static_cast<std::size_t>(j)] + table(row, j)];
    }
  }
  return result;
}

template <Real T>
bool BinnedDataset<T>::operator==(const BinnedDataset& other) const {
  return source == other.source && made == other.made && table == other.table &&
         columns == other.columns && category_codes == other.category_codes &&
         target == other.target && target_column == other.target_column &&
         target_texts.names == other.target_texts.names &&
         target_texts.labels == other.target_texts.labels && weights == other.weights &&
         groups == other.groups && base_margin == other.base_margin;
}

template <Real T>
BinnedDataset<T> bin_dataset(Engine& engine, const DatasetView<T>& data,
                             const BinningOptions& options) {
  if (options.max_cat_bins < 2 || options.max_cat_bins > most_bins) {
    throw InputError(option("max_cat_bins") + " is " + std::to_string(options.max_cat_bins) +
                     ", expected 2 to " + std::to_string(most_bins));
  }
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
  tree::check_training_table(data);
  const Index margins = static_cast<Index>(data.base_margin.size()) / data.rows();
  if (margins * data.rows() != static_cast<Index>(data.base_margin.size())) {
    throw InputError(data.source + ": has " + std::to_string(data.base_margin.size()) +
                     " base margins for " + std::to_string(data.rows()) +
                     " rows, expected the same number for each");
  }
  const auto rows = tree::take_rows<T>(data, nullptr, {}, {}, margins);

  BinnedDataset<T> result;
  result.source = data.source;
  result.made = options;
  for (Index j = 0; j < data.cols(); ++j) {
    result.columns.push_back(data.columns.empty() ? Column{data.feature_name(j), {}}
                                                  : data.columns[static_cast<std::size_t>(j)]);
  }
  const CategoryBins categories = tree::categories_of_rows(
      rows, std::span<const Column>(result.columns), options.max_cat_bins, data.source);
  const auto cuts = tree::cuts_of_rows(rows, tree::BinnableRows<T>(rows.x, categories).view(),
                                       categories, options.max_bins, engine.threads());
  result.table = tree::table_of_rows(engine, rows, cuts, categories);
  result.category_codes = categories.codes;
  result.category_codes.resize(result.columns.size());

  DatasetView<T> rest = data;
  rest.features = {nullptr, data.rows(), 0, 0};
  rest.sparse = {};
  rest.columns = {};
  rest.weights = {};
  rest.base_margin = {};
  Dataset<T> kept = select_rows(rest, rows.numbers);
  result.target = std::move(kept.target);
  result.target_column = std::move(kept.target_column);
  result.target_texts = std::move(kept.target_texts);
  result.groups = std::move(kept.groups);
  result.weights = rows.weights;
  result.base_margin = rows.margin;
  return result;
}

template struct BinnedDataset<float>;
template struct BinnedDataset<double>;
template BinnedDataset<float> bin_dataset(Engine&, const DatasetView<float>&,
                                          const BinningOptions&);
template BinnedDataset<double> bin_dataset(Engine&, const DatasetView<double>&,
                                           const BinningOptions&);

}  // namespace tandem

#include "core/tree/category_bins.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::tree {

bool CategoryBins::recodes() const {
  return std::find(kinds.begin(), kinds.end(), BinKind::categories_and_rest) != kinds.end();
}

template <Real T>
Matrix<T> CategoryBins::recoded(MatrixView<const T> x) const {
  Matrix<T> result(x.rows, x.cols);
  for (Index i = 0; i < x.rows; ++i) {
    std::copy(x.row(i).begin(), x.row(i).end(), result.row(i).begin());
  }
  for (std::size_t j = 0; j < kinds.size(); ++j) {
    if (kinds[j] != BinKind::categories_and_rest) continue;
    const auto rest = static_cast<T>(codes[j].size());
    std::vector<T> bin_of(static_cast<std::size_t>(categories[j]), rest);
    for (std::size_t b = 0; b < codes[j].size(); ++b) {
      bin_of[static_cast<std::size_t>(codes[j][b])] = static_cast<T>(b);
    }
    for (Index i = 0; i < x.rows; ++i) {
      T& value = result(i, static_cast<Index>(j));
      if (value == value) value = bin_of[static_cast<std::size_t>(value)];
    }
  }
  return result;
}

template <Real T>
void CategoryBins::put_cuts(BinCuts<T>& cuts) const {
  if (!any()) return;
  BinCuts<T> result;
  result.missing = cuts.missing;
  result.first.push_back(0);
  for (Index j = 0; j < cuts.features(); ++j) {
    if (has(j)) {
      const auto at = static_cast<std::size_t>(j);
      const auto rest = kinds[at] == BinKind::categories_and_rest ? 1 : 0;
      const auto bins = static_cast<Index>(codes[at].size()) + rest;
      for (Index b = 0; b + 1 < bins; ++b) {
        result.thresholds.push_back(static_cast<T>(b) + static_cast<T>(0.5));
      }
    } else {
      const auto of_feature = cuts.of(j);
      result.thresholds.insert(result.thresholds.end(), of_feature.begin(), of_feature.end());
    }
    result.first.push_back(static_cast<Index>(result.thresholds.size()));
  }
  cuts = std::move(result);
}

template <Real T>
void CategoryBins::check(MatrixView<const T> x, std::span<const Column> columns,
                         std::span<const Index> numbers, const std::string& source) const {
  for (Index i = 0; i < x.rows; ++i) {
    for (std::size_t j = 0; j < kinds.size(); ++j) {
      if (kinds[j] == BinKind::numbers) continue;
      const T code = x(i, static_cast<Index>(j));
      if (code != code ||
          (code >= 0 && code < static_cast<T>(categories[j]) && code == std::trunc(code))) {
        continue;
      }
      const Index number = numbers.empty() ? i : numbers[static_cast<std::size_t>(i)];
      throw InputError(source + ": row " + std::to_string(number + 1) + ", column " +
                       columns[j].name + ": " + shortest(code) + " is not the code of one of its " +
                       std::to_string(categories[j]) + " categories");
    }
  }
}

template <Real T>
CategoryBins category_bins(MatrixView<const T> x, std::span<const Column> columns,
                           std::span<const std::int64_t> weights, std::span<const Index> numbers,
                           Index most, const std::string& source) {
  CategoryBins result;
  if (std::none_of(columns.begin(), columns.end(),
                   [](const Column& column) { return column.categorical(); })) {
    return result;
  }
  result.kinds.assign(columns.size(), BinKind::numbers);
  result.codes.resize(columns.size());
  result.categories.assign(columns.size(), 0);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    if (!columns[j].categorical()) continue;
    result.kinds[j] = BinKind::categories;
    result.categories[j] = static_cast<Index>(columns[j].categories.size());
    if (result.categories[j] > most_categories) {
      throw InputError(source + ": column " + columns[j].name + " has " +
                       std::to_string(result.categories[j]) +
                       " categories, and a split by categories takes at most " +
                       std::to_string(most_categories) + "; use " + option("encode") +
                       " ordinal, or leave the column out");
    }
  }
  result.check(x, columns, numbers, source);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    auto& codes = result.codes[j];
    codes.resize(static_cast<std::size_t>(result.categories[j]));
    std::iota(codes.begin(), codes.end(), 0);
    if (result.categories[j] <= most) continue;
    std::vector<std::int64_t> weight_of(codes.size(), 0);
    for (Index i = 0; i < x.rows; ++i) {
      const T code = x(i, static_cast<Index>(j));
      if (code != code) continue;
      weight_of[static_cast<std::size_t>(code)] +=
          weights.empty() ? 1 : weights[static_cast<std::size_t>(i)];
    }
    std::stable_sort(codes.begin(), codes.end(), [&](std::int32_t a, std::int32_t b) {
      return weight_of[static_cast<std::size_t>(a)] > weight_of[static_cast<std::size_t>(b)];
    });
    codes.resize(static_cast<std::size_t>(most) - 1);
    std::sort(codes.begin(), codes.end());
    result.kinds[j] = BinKind::categories_and_rest;
  }
  return result;
}

#define TANDEM_INSTANTIATE(T)                                                                \
  template Matrix<T> CategoryBins::recoded(MatrixView<const T>) const;                       \
  template void CategoryBins::put_cuts(BinCuts<T>&) const;                                   \
  template void CategoryBins::check(MatrixView<const T>, std::span<const Column>,            \
                                    std::span<const Index>, const std::string&) const;       \
  template CategoryBins category_bins(MatrixView<const T>, std::span<const Column>,          \
                                      std::span<const std::int64_t>, std::span<const Index>, \
                                      Index, const std::string&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::tree

// Statistics that transforms learn from the training part: sums, quantiles and most frequent values
// of columns. Rows count by their weights: one of weight 0 not at all, one of weight w as w rows.
#pragma once

#include <utility>
#include <vector>

#include "core/external_memory.hpp"
#include "core/metrics/row_sums.hpp"
#include "tandem/transform/training_rows.hpp"

namespace tandem {

// Long sums over the rows of weight · term(value, k), one per entry k of `features`; value is in
// double, and may be NaN.
template <Real T, class Term>
[[nodiscard]] std::vector<double> feature_sums(const TrainingRows<T>& train,
                                               const std::vector<Index>& features, Term&& term) {
  const auto count = static_cast<Index>(features.size());
  if (count == 0) return {};
  const Index cols = train.data.cols();
  const T* const data = train.data.features.data();
  const auto sums = [&](auto&& add) {
    return column_sums(
        train.threads, train.rows(), count, std::forward<decltype(add)>(add),
        [&](Index begin, Index end) { visit_rows(train.data.features.view(), begin, end); });
  };
  // Where the columns are, if a short loop can read them.
  const ColumnPlan<T>& plan = train.plan;
  std::vector<Index> source;
  bool fast = train.data.weights.empty() && (!plan.has_stages() || plan.only_clips_and_fills());
  bool all = count == cols;
  for (Index k = 0; fast && k < count; ++k) {
    const Index j = features[static_cast<std::size_t>(k)];
    const auto& out = plan.outputs()[static_cast<std::size_t>(j)];
    fast = out.category < 0 && !plan.translates(j);
    all = all && out.source == k;
    source.push_back(out.source);
  }
  if (fast) {
    // The loops that a compiler makes vectors of.
    const Index* const at = source.data();
    if (!plan.has_stages()) {
      if (all) {
        return sums(
            [&](Index i, Index k) { return term(static_cast<double>(data[i * cols + k]), k); });
      }
      return sums(
          [&](Index i, Index k) { return term(static_cast<double>(data[i * cols + at[k]]), k); });
    }
    const auto [low, high, fill] = plan.clip_and_fill();
    const auto stage = [low = low, high = high, fill = fill](T x, Index s) {
      x = x < low[s] ? low[s] : x;
      x = x > high[s] ? high[s] : x;
      return static_cast<double>(x != x ? fill[s] : x);
    };
    if (all) {
      return sums([&](Index i, Index k) { return term(stage(data[i * cols + k], k), k); });
    }
    return sums([&](Index i, Index k) { return term(stage(data[i * cols + at[k]], at[k]), k); });
  }
  return sums([&](Index i, Index k) {
    const double weight = train.weight(i);
    if (weight == 0) return 0.0;
    const T value = train.value(i, features[static_cast<std::size_t>(k)]);
    return weight * term(static_cast<double>(value), k);
  });
}

// The weight of the rows that have a value, one per entry of `features`.
template <Real T>
[[nodiscard]] std::vector<double> present_weights(const TrainingRows<T>& train,
                                                  const std::vector<Index>& features) {
  if (!train.data.weights.empty()) {
    return feature_sums(train, features,
                        [](double value, Index) { return std::isnan(value) ? 0.0 : 1.0; });
  }
  std::vector<double> present;
  for (const Index j : features) {
    present.push_back(static_cast<double>(train.rows() - train.range(j).missing));
  }
  return present;
}

// The means of present values; 0 where there are none.
template <Real T>
[[nodiscard]] std::vector<double> means(const TrainingRows<T>& train,
                                        const std::vector<Index>& features,
                                        const std::vector<double>& present) {
  std::vector<double> mean = feature_sums(
      train, features, [](double value, Index) { return std::isnan(value) ? 0.0 : value; });
  for (std::size_t k = 0; k < mean.size(); ++k) {
    mean[k] = present[k] > 0 ? mean[k] / present[k] : 0.0;
  }
  return mean;
}

// The weighted sums of squared deviations from `mean`.
template <Real T>
[[nodiscard]] std::vector<double> squared_deviations(const TrainingRows<T>& train,
                                                     const std::vector<Index>& features,
                                                     const std::vector<double>& mean) {
  return feature_sums(train, features, [&](double value, Index k) {
    const double deviation = value - mean[static_cast<std::size_t>(k)];
    return std::isnan(deviation) ? 0.0 : deviation * deviation;
  });
}

// The present values of one column over rows that count; `weights` is empty where every row has the
// weight 1.
template <Real T>
struct ColumnValues {
  std::vector<T> values;
  std::vector<double> weights;
};
template <Real T>
[[nodiscard]] ColumnValues<T> present_values(const TrainingRows<T>& train, Index j);

// Quantiles of at least one value, ascending `shares` in [0, 1]: definition 7 of Hyndman and Fan,
// position p·(n − 1) among the ascending values, linear between neighbours. Whole weights count as
// so many equal values. Otherwise the weights are first multiplied by one number, so that their sum
// is Kish's effective number of rows n = (Σw)² / Σw², and the quantile is the mean of the values
// over the window [p·(n − 1), p·(n − 1) + 1] of the summed weights (Akinshin, "Weighted quantile
// estimators", arXiv:2304.07265, 2023); for equal weights that is the definition without weights.
// Reorders the values.
template <Real T>
[[nodiscard]] std::vector<double> quantiles(ColumnValues<T>& column, std::vector<double> shares);

// The value of the largest total weight, of several the least. Of at least one value. Reorders
// them.
template <Real T>
[[nodiscard]] double most_frequent(ColumnValues<T>& column);

// Least and greatest present value and the number of missing ones, per column, over rows that
// count. Throws InputError for an infinite value.
template <Real T>
[[nodiscard]] std::vector<ValueRange> value_ranges(const Dataset<T>& data, int threads);

}  // namespace tandem

#include "core/tree/boosting_rows.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/tree/leaf_quantile.hpp"
#include "core/tree/ranking_steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/text.hpp"
#include "tandem/tree/binned_dataset.hpp"

namespace tandem::tree {

template <Real T>
double weight_scale(const std::vector<T>& weights) {
  if (weights.empty()) return 1;
  int row_bits = 0;
  while ((std::size_t{1} << row_bits) < weights.size()) ++row_bits;
  int exponent = 0;
  (void)std::frexp(static_cast<double>(*std::ranges::max_element(weights)), &exponent);
  return std::ldexp(1.0, std::clamp(60 - row_bits - exponent, -1000, 1000));
}

namespace {

// Throws InputError for rows that are not as CsrView says, infinite values, and columns of
// categories.
template <Real T>
void check_sparse(const DatasetView<T>& data) {
  const CsrView<T>& x = data.sparse;
  const auto fail = [&](Index row, const std::string& what) {
    throw InputError(data.source + ": row " + std::to_string(row + 1) + what);
  };
  if (x.offsets.size() != static_cast<std::size_t>(x.rows) + 1 || x.offsets.front() != 0 ||
      x.offsets.back() != static_cast<Index>(x.values.size()) ||
      x.columns.size() != x.values.size()) {
    throw InputError(data.source +
                     ": the sparse rows' offsets, columns and values do not fit "
                     "each other");
  }
  for (Index i = 0; i < x.rows; ++i) {
    const auto row = static_cast<std::size_t>(i);
    if (x.offsets[row + 1] < x.offsets[row] || x.offsets[row + 1] > x.offsets.back()) {
      fail(i, " ends before it begins, or behind the last value");
    }
    Index before = -1;
    for (auto p = static_cast<std::size_t>(x.offsets[row]);
         p < static_cast<std::size_t>(x.offsets[row + 1]); ++p) {
      if (x.columns[p] <= before || x.columns[p] >= x.cols) {
        fail(i, ": its columns do not ascend, or there are not so many");
      }
      before = x.columns[p];
      if (std::isinf(x.values[p])) {
        fail(i, ", column " + data.feature_name(before) +
                    ": the value is infinite; expected a finite number");
      }
    }
  }
  for (const Column& column : data.columns) {
    if (!column.categorical()) continue;
    throw InputError(data.source + ": column " + column.name +
                     " has categories, which gradient boosting takes in dense rows only; write "
                     "them out with to_dense() first");
  }
}

}  // namespace

template <Real T>
void check_training_table(const DatasetView<T>& data, const BinnedDataset<T>* bins) {
  constexpr Index most_rows = (Index{1} << 31) - 1;
  if (data.rows() == 0)
    throw InputError(data.source + ": has no rows to train on; is it the file that was meant?");
  if (data.cols() == 0)
    throw InputError(data.source +
                     ": has no feature columns to train on; leave at least one beside the target");
  if (data.rows() > most_rows) {
    throw InputError(data.source + ": " + std::to_string(data.rows()) +
                     " rows; gradient boosting takes at most " + std::to_string(most_rows));
  }
  DatasetView<T> here = data;
  // Bins are of values that were looked at when they were made.
  if (bins != nullptr || data.is_sparse()) {
    here.features = {nullptr, data.rows(), 0, 0};
    here.sparse = {};
    here.columns = {};
  }
  require_finite(here, true, true);
  if (data.is_sparse()) check_sparse(data);
}

namespace {

// The quantile of the target, of the same kind as those of leaves.
template <Real T>
T target_quantile(const BoostingRows<T>& rows, double share) {
  const QuantileRule rule{share, weight_scale(rows.weights)};
  std::vector<std::pair<T, std::int64_t>> sorted;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < rows.target.size(); ++i) {
    const std::int64_t weight =
        rows.weights.empty() ? 1 : whole_weight(rows.weights[i], rule.weight_scale);
    sorted.emplace_back(rows.target[i], weight);
    total += weight;
  }
  std::ranges::sort(sorted);
  const auto reached = [&](std::int64_t needed) {
    std::int64_t sum = 0;
    for (const auto& [value, weight] : sorted) {
      sum += weight;
      if (sum >= needed) return value;
    }
    return sorted.back().first;
  };
  return middle_of(reached(lower_need(rule, total)), reached(upper_need(rule, total)));
}

}  // namespace

template <Real T>
void check_target(const DatasetView<T>& data, BoostingObjective objective) {
  for (std::size_t i = 0; ranks(objective) && i < data.target.size(); ++i) {
    const T y = data.target[i];
    const bool map = objective == BoostingObjective::rank_map;
    const int most = map ? 1 : most_relevance;
    if (y >= 0 && y <= static_cast<T>(most) && y == std::floor(y)) continue;
    throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the relevance " +
                     data.target_column().name + " is " + shortest(static_cast<double>(y)) +
                     ", and " + option("objective") + " " + std::string(to_string(objective)) +
                     (map ? " needs 0 or 1" : " needs whole numbers from 0 to 31"));
  }
  for (std::size_t i = 0; !ranks(objective) && i < data.target.size(); ++i) {
    const T y = data.target[i];
    const bool positive = objective == BoostingObjective::gamma;
    const bool counts =
        objective == BoostingObjective::poisson || objective == BoostingObjective::tweedie;
    if ((positive && !(y > 0)) || (counts && !(y >= 0))) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the target " +
                       data.target_column().name + " is " + shortest(static_cast<double>(y)) +
                       ", and " + option("objective") + " " + std::string(to_string(objective)) +
                       (positive ? " needs values above 0" : " needs values of 0 or more"));
    }
  }
}

template <Real T>
BoostingRows<T> take_rows(const DatasetView<T>& data, const std::vector<Index>* chosen,
                          const std::vector<std::int32_t>& labels,
                          const std::vector<double>& class_weights, Index outputs,
                          const BinnedDataset<T>* bins) {
  BoostingRows<T> rows;
  rows.bins = bins;
  std::vector<Index> kept;
  const Index count = chosen != nullptr ? static_cast<Index>(chosen->size()) : data.rows();
  bool weighted = false;
  std::vector<T> weights;
  for (Index k = 0; k < count; ++k) {
    const Index i = chosen != nullptr ? (*chosen)[static_cast<std::size_t>(k)] : k;
    const auto at = static_cast<std::size_t>(i);
    double w = data.weights.empty() ? 1.0 : static_cast<double>(data.weights[at]);
    if (!(w >= 0) || !std::isfinite(w)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the sample weight must be a finite number, 0 or more");
    }
    if (!class_weights.empty()) w *= class_weights[static_cast<std::size_t>(labels[at])];
    const T rounded = static_cast<T>(w);
    if (!std::isfinite(rounded)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the weight of the row exceeds the range of its precision; scale all "
                       "weights by the same number");
    }
    if (!(rounded > 0)) continue;
    if (!data.groups.empty() &&
        (kept.empty() || data.groups[at] != data.groups[static_cast<std::size_t>(kept.back())])) {
      rows.starts.push_back(static_cast<Index>(kept.size()));
    }
    kept.push_back(i);
    weights.push_back(rounded);
    weighted = weighted || rounded != T{1};
    rows.target.push_back(labels.empty() ? data.target[at] : static_cast<T>(labels[at]));
    if (!data.base_margin.empty()) {
      const auto from = data.base_margin.begin() + i * outputs;
      rows.margin.insert(rows.margin.end(), from, from + outputs);
    }
  }
  if (kept.empty())
    throw InputError(data.source + ": every row has weight 0; give some row a positive weight");
  rows.count = static_cast<Index>(kept.size());
  if (!data.groups.empty()) rows.starts.push_back(rows.count);
  if (weighted) rows.weights = std::move(weights);
  rows.x = data.features;
  rows.sparse = data.sparse;
  if (rows.elsewhere()) {
    rows.numbers = std::move(kept);
    return rows;
  }
  if (rows.count < data.rows() || !data.features.contiguous()) {
    rows.selected = Matrix<T>(rows.count, data.cols());
    for (Index k = 0; k < rows.count; ++k) {
      const auto from = data.features.row(kept[static_cast<std::size_t>(k)]);
      std::copy(from.begin(), from.end(), rows.selected.row(k).begin());
    }
    rows.x = std::as_const(rows.selected).view();
  }
  rows.numbers = std::move(kept);
  return rows;
}

template <Real T>
Matrix<T> BoostingRows<T>::written_out(Index begin, Index rows) const {
  const auto of_rows = std::span<const Index>(numbers).subspan(static_cast<std::size_t>(begin),
                                                               static_cast<std::size_t>(rows));
  if (bins != nullptr) return bins->representatives(of_rows);
  Matrix<T> result(rows, sparse.cols);
  for (Index i = 0; i < rows; ++i) {
    const auto row = static_cast<std::size_t>(of_rows[static_cast<std::size_t>(i)]);
    for (auto p = static_cast<std::size_t>(sparse.offsets[row]);
         p < static_cast<std::size_t>(sparse.offsets[row + 1]); ++p) {
      result(i, sparse.columns[p]) = sparse.values[p];
    }
  }
  return result;
}

template <Real T>
std::vector<T> base_scores(const BoostingRows<T>& rows, BoostingObjective objective, Index outputs,
                           double quantile) {
  if (ranks(objective)) return {T{0}};  // only differences of scores count
  if (objective == BoostingObjective::absolute_error) return {target_quantile(rows, 0.5)};
  if (objective == BoostingObjective::quantile) return {target_quantile(rows, quantile)};
  const auto w = [&](Index i) {
    return rows.weights.empty() ? 1.0
                                : static_cast<double>(rows.weights[static_cast<std::size_t>(i)]);
  };
  const auto y = [&](Index i) {
    return static_cast<double>(rows.target[static_cast<std::size_t>(i)]);
  };
  const double weight = long_sum(rows.count, w);
  if (objective == BoostingObjective::softmax) {
    std::vector<T> scores;
    for (Index k = 0; k < outputs; ++k) {
      const double share =
          long_sum(rows.count,
                   [&](Index i) { return y(i) == static_cast<double>(k) ? w(i) : 0.0; }) /
          weight;
      // A class that no row of weight has gets less than any that a row has.
      scores.push_back(static_cast<T>(math::log(std::max(share, 1e-10))));
    }
    return scores;
  }
  const double mean = long_sum(rows.count, [&](Index i) { return w(i) * y(i); }) / weight;
  switch (objective) {
    case BoostingObjective::logistic: {
      const double p = std::clamp(mean, 1e-10, 1 - 1e-10);
      return {static_cast<T>(math::log(p / (1 - p)))};
    }
    case BoostingObjective::poisson:
    case BoostingObjective::gamma:
    case BoostingObjective::tweedie: return {static_cast<T>(math::log(std::max(mean, 1e-30)))};
    default: return {static_cast<T>(mean)};
  }
}

template <Real T>
double total_weight(const std::vector<T>& weights, Index rows) {
  if (weights.empty()) return static_cast<double>(rows);
  return long_sum(rows, [&](Index i) { return weights[static_cast<std::size_t>(i)]; });
}

#define TANDEM_INSTANTIATE(T)                                                                      \
  template struct BoostingRows<T>;                                                                 \
  template BoostingRows<T> take_rows(const DatasetView<T>&, const std::vector<Index>*,             \
                                     const std::vector<std::int32_t>&, const std::vector<double>&, \
                                     Index, const BinnedDataset<T>*);                              \
  template void check_training_table(const DatasetView<T>&, const BinnedDataset<T>*);              \
  template void check_target(const DatasetView<T>&, BoostingObjective);                            \
  template std::vector<T> base_scores(const BoostingRows<T>&, BoostingObjective, Index, double);   \
  template double weight_scale(const std::vector<T>&);                                             \
  template double total_weight(const std::vector<T>&, Index);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::tree

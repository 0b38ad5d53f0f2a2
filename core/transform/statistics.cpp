#include "core/transform/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/external_memory.hpp"
#include "core/parallel.hpp"

namespace tandem {
namespace {

// The quantile of values without weights; reorders them.
template <Real T>
double quantile(std::vector<T>& values, double p) {
  const double position = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(position);
  const double fraction = position - static_cast<double>(below);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const auto low = static_cast<double>(values[static_cast<std::size_t>(below)]);
  if (fraction == 0) return low;
  const auto high =
      static_cast<double>(*std::min_element(values.begin() + below + 1, values.end()));
  return low + fraction * (high - low);
}

// The values in ascending order with their weights; equal values by weight, so that the order of
// the rows decides nothing.
template <Real T>
std::vector<std::pair<T, double>> sorted(const ColumnValues<T>& column) {
  std::vector<std::pair<T, double>> all;
  all.reserve(column.values.size());
  for (std::size_t i = 0; i < column.values.size(); ++i) {
    all.emplace_back(column.values[i], column.weights[i]);
  }
  std::sort(all.begin(), all.end());
  return all;
}

// The quantile of ascending values, each of which counts as often as its weight says.
template <Real T>
double repeated_quantile(const std::vector<std::pair<T, double>>& all, double total, double p) {
  const double position = p * (total - 1);
  const double below = std::floor(position);
  const double fraction = position - below;
  double sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    sum += all[i].second;
    if (sum <= below) continue;
    const auto low = static_cast<double>(all[i].first);
    // The next of the repeated values is this one again, or the one after it.
    if (fraction == 0 || sum > below + 1 || i + 1 == all.size()) return low;
    return low + fraction * (static_cast<double>(all[i + 1].first) - low);
  }
  return static_cast<double>(all.back().first);
}

// The mean of ascending values over a window of width 1 of their summed weights, which are `factor`
// times those given.
template <Real T>
double windowed_quantile(const std::vector<std::pair<T, double>>& all, double factor, double total,
                         double p) {
  const double begin = p * (total - 1);
  double sum = 0;
  double mean = 0;
  double covered = 0;
  for (const auto& [value, weight] : all) {
    const double from = std::max(sum, begin);
    sum += factor * weight;
    const double share = std::min(sum, begin + 1) - from;
    if (share <= 0) continue;
    mean += share * static_cast<double>(value);
    covered += share;
  }
  return covered > 0 ? mean / covered : static_cast<double>(all.back().first);
}

}  // namespace

template <Real T>
ColumnValues<T> present_values(const TrainingRows<T>& train, Index j) {
  ColumnValues<T> column;
  column.values.reserve(static_cast<std::size_t>(train.rows()));
  const auto& out = train.plan.outputs()[static_cast<std::size_t>(j)];
  if (train.data.weights.empty() && out.category < 0 && !train.plan.translates(j) &&
      !train.plan.has_stages()) {
    // As they lie in the data.
    const T* at = train.data.features.data() + out.source;
    for (Index i = 0; i < train.rows(); ++i, at += train.data.cols()) {
      if (i % 4096 == 0) {
        visit_rows(train.data.features.view(), i, std::min<Index>(i + 4096, train.rows()));
      }
      if (!std::isnan(*at)) column.values.push_back(*at);
    }
    return column;
  }
  const bool ones = std::all_of(train.data.weights.begin(), train.data.weights.end(),
                                [](T weight) { return weight == 1 || weight == 0; });
  for (Index i = 0; i < train.rows(); ++i) {
    if (!train.counts(i)) continue;
    const T value = train.value(i, j);
    if (std::isnan(value)) continue;
    column.values.push_back(value);
    if (!ones) column.weights.push_back(train.weight(i));
  }
  return column;
}

template <Real T>
std::vector<double> quantiles(ColumnValues<T>& column, std::vector<double> shares) {
  std::vector<double> result;
  if (column.weights.empty()) {
    for (const double p : shares) result.push_back(quantile(column.values, p));
    return result;
  }
  const auto all = sorted(column);
  double total = 0;
  double squares = 0;
  bool whole = true;
  for (const auto& [value, weight] : all) {
    total += weight;
    squares += weight * weight;
    whole = whole && weight == std::trunc(weight);
  }
  const double rows = total * total / squares;
  for (const double p : shares) {
    result.push_back(whole ? repeated_quantile(all, total, p)
                           : windowed_quantile(all, rows / total, rows, p));
  }
  return result;
}

template <Real T>
double most_frequent(ColumnValues<T>& column) {
  if (column.weights.empty()) {
    auto& values = column.values;
    std::sort(values.begin(), values.end());
    T best = values.front();
    std::size_t best_count = 0;
    for (std::size_t begin = 0; begin < values.size();) {
      std::size_t end = begin + 1;
      while (end < values.size() && values[end] == values[begin]) ++end;
      if (end - begin > best_count) {
        best_count = end - begin;
        best = values[begin];
      }
      begin = end;
    }
    return static_cast<double>(best);
  }
  const auto all = sorted(column);
  T best = all.front().first;
  double most = 0;
  for (std::size_t begin = 0; begin < all.size();) {
    double weight = 0;
    std::size_t end = begin;
    for (; end < all.size() && all[end].first == all[begin].first; ++end) weight += all[end].second;
    if (weight > most) {
      most = weight;
      best = all[begin].first;
    }
    begin = end;
  }
  return static_cast<double>(best);
}

template <Real T>
std::vector<ValueRange> value_ranges(const Dataset<T>& data, int threads) {
  const auto width = static_cast<std::size_t>(data.cols());
  // Pieces of about a million values, so that few rows of many columns are shared out as well.
  const Index rows_per_piece =
      std::clamp<Index>((Index{1} << 20) / std::max<Index>(1, data.cols()), 64, 65536);
  std::vector<std::vector<ValueRange>> partial(
      static_cast<std::size_t>(pieces(data.rows(), rows_per_piece)));
  parallel_for(threads, static_cast<Index>(partial.size()), [&](Index p) {
    std::vector<T> low(width, std::numeric_limits<T>::infinity());
    std::vector<T> high(width, -std::numeric_limits<T>::infinity());
    std::vector<std::int32_t> missing(width, 0);
    const Piece rows = piece_of(data.rows(), rows_per_piece, p);
    visit_rows(data.features.view(), rows.begin, rows.end);
    for (Index i = rows.begin; i < rows.end; ++i) {
      if (!data.weights.empty() && !(data.weights[static_cast<std::size_t>(i)] > 0)) continue;
      const T* row = data.features.data() + i * data.cols();
      for (std::size_t j = 0; j < width; ++j) {
        low[j] = row[j] < low[j] ? row[j] : low[j];
        high[j] = row[j] > high[j] ? row[j] : high[j];
        missing[j] += row[j] != row[j] ? 1 : 0;
      }
    }
    auto& out = partial[static_cast<std::size_t>(p)];
    out.resize(width);
    for (std::size_t j = 0; j < width; ++j) {
      out[j] = {static_cast<double>(low[j]), static_cast<double>(high[j]), missing[j]};
    }
  });
  std::vector<ValueRange> all(width);
  for (const auto& part : partial) {
    for (std::size_t j = 0; j < width; ++j) {
      all[j].low = std::min(all[j].low, part[j].low);
      all[j].high = std::max(all[j].high, part[j].high);
      all[j].missing += part[j].missing;
    }
  }
  // A column of nothing but missing values keeps the empty range; one of nothing but +infinity (or
  // −infinity) looks alike from one side only.
  const bool infinite = std::any_of(all.begin(), all.end(), [](const ValueRange& range) {
    return range.high == std::numeric_limits<double>::infinity() ||
           range.low == -std::numeric_limits<double>::infinity();
  });
  if (infinite) require_finite(data, false, true);
  return all;
}

#define TANDEM_INSTANTIATE(T)                                                    \
  template ColumnValues<T> present_values(const TrainingRows<T>&, Index);        \
  template std::vector<double> quantiles(ColumnValues<T>&, std::vector<double>); \
  template double most_frequent(ColumnValues<T>&);                               \
  template std::vector<ValueRange> value_ranges(const Dataset<T>&, int);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

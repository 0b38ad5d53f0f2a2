#include "tandem/metrics/curves.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/json_text.hpp"
#include "core/metrics/weights.hpp"

namespace tandem {
namespace {

template <Real T>
using Key = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// Ascending keys are descending scores. −0 and +0 are one score.
template <Real T>
Key<T> descending_key(T score) {
  using K = Key<T>;
  constexpr K sign = K{1} << (8 * sizeof(K) - 1);
  const K bits = std::bit_cast<K>(score + T{0});
  const K ascending = (bits & sign) != 0 ? ~bits : bits | sign;
  return ~ascending;
}

template <Real T>
T score_of(Key<T> key) {
  using K = Key<T>;
  constexpr K sign = K{1} << (8 * sizeof(K) - 1);
  const K ascending = ~key;
  return std::bit_cast<T>((ascending & sign) != 0 ? ascending & ~sign : ~ascending);
}

// A row to be ranked: its key, and its number with the class in the lowest bit.
template <Real T>
struct Ranked {
  Key<T> key;
  Key<T> row;  // row · 2 + positive
};

// Stable, so that rows of equal score keep their order and weighted sums their bits. Least
// significant digit first, 11 bits at a time; a digit that all keys share takes no pass.
template <Real T>
void sort_by_key(std::vector<Ranked<T>>& items) {
  constexpr int digit_bits = 11;
  constexpr std::size_t buckets = std::size_t{1} << digit_bits;
  constexpr int passes = (8 * static_cast<int>(sizeof(Key<T>)) + digit_bits - 1) / digit_bits;
  if (items.size() < buckets) {
    std::stable_sort(items.begin(), items.end(),
                     [](const Ranked<T>& a, const Ranked<T>& b) { return a.key < b.key; });
    return;
  }
  std::vector<std::array<std::size_t, buckets>> counts(passes);
  for (const Ranked<T>& item : items) {
    for (int p = 0; p < passes; ++p) {
      ++counts[static_cast<std::size_t>(p)][(item.key >> (p * digit_bits)) & (buckets - 1)];
    }
  }
  std::vector<Ranked<T>> other(items.size());
  for (int p = 0; p < passes; ++p) {
    auto& count = counts[static_cast<std::size_t>(p)];
    const auto digit = [&](Key<T> key) { return (key >> (p * digit_bits)) & (buckets - 1); };
    if (count[digit(items.front().key)] == items.size()) continue;
    std::size_t begin = 0;
    for (std::size_t& slot : count) {
      const std::size_t size = slot;
      slot = begin;
      begin += size;
    }
    for (const Ranked<T>& item : items) other[count[digit(item.key)]++] = item;
    items.swap(other);
  }
}

template <Real T>
std::vector<Ranked<T>> ranked(std::span<const T> scores, std::span<const std::uint8_t> positive,
                              std::span<const double> weights) {
  constexpr std::string_view metric = "ranking metrics";
  require_rows(scores.size(), metric);
  require_same_size(scores.size(), positive.size(), metric, "classes");
  require_weights(weights, scores.size(), metric);
  std::vector<Ranked<T>> items(scores.size());
  bool any_positive = false;
  bool any_negative = false;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::isnan(scores[i])) {
      throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) +
                       ": the score is not a number");
    }
    const bool is_positive = positive[i] != 0;
    items[i] = {descending_key(scores[i]),
                static_cast<Key<T>>(i * 2 + static_cast<std::size_t>(is_positive))};
    const bool counts = weights.empty() || weights[i] > 0;
    any_positive = any_positive || (counts && is_positive);
    any_negative = any_negative || (counts && !is_positive);
  }
  if (!any_positive || !any_negative) {
    throw InputError(std::string(metric) + ": all rows are " +
                     (any_negative ? "negative" : "positive") + "; both are needed");
  }
  sort_by_key<T>(items);
  return items;
}

struct Totals {
  double positives = 0;
  double negatives = 0;
};

// Calls point(key, positives, negatives) with the weights so far after each distinct score, from
// the highest down; returns the totals.
template <Real T, class Point>
Totals walk(const std::vector<Ranked<T>>& items, std::span<const double> weights, Point&& point) {
  Totals sums;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const double w = weights.empty() ? 1.0 : weights[static_cast<std::size_t>(items[i].row >> 1)];
    (items[i].row & 1 ? sums.positives : sums.negatives) += w;
    if (i + 1 == items.size() || items[i + 1].key != items[i].key) {
      point(items[i].key, sums.positives, sums.negatives);
    }
  }
  return sums;
}

// Accumulates both areas, in units of weight: without weights all sums before the precisions are
// whole numbers, and exact.
struct AreaSums {
  double positives = 0;  // of the last point
  double negatives = 0;
  double twice_area = 0;
  double precisions = 0;

  void add(double p, double n) {
    twice_area += (n - negatives) * (p + positives);
    // Rows of weight 0 alone are a point at 0 / 0, that moves neither.
    if (p > positives) precisions += (p - positives) * (p / (p + n));
    positives = p;
    negatives = n;
  }
  [[nodiscard]] RankingAreas areas() const {
    return {twice_area / (2 * (positives * negatives)), precisions / positives};
  }
};

template <Real T>
RankingAreas areas(std::span<const T> scores, std::span<const std::uint8_t> positive,
                   std::span<const double> weights) {
  const auto items = ranked(scores, positive, weights);
  AreaSums sums;
  walk(items, weights, [&](Key<T>, double p, double n) { sums.add(p, n); });
  return sums.areas();
}

template <Real T>
RankingCurves curves(std::span<const T> scores, std::span<const std::uint8_t> positive,
                     std::span<const double> weights) {
  const auto items = ranked(scores, positive, weights);
  RankingCurves result;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  result.roc.false_positive_rate = {0.0};
  result.roc.true_positive_rate = {0.0};
  result.roc.threshold = {infinity};
  result.precision_recall.recall = {0.0};
  result.precision_recall.precision = {1.0};
  result.precision_recall.threshold = {infinity};
  AreaSums sums;
  const Totals totals = walk(items, weights, [&](Key<T> key, double p, double n) {
    sums.add(p, n);
    if (p + n == 0) return;  // rows of weight 0 alone
    const auto threshold = static_cast<double>(score_of<T>(key));
    result.roc.false_positive_rate.push_back(n);
    result.roc.true_positive_rate.push_back(p);
    result.roc.threshold.push_back(threshold);
    result.precision_recall.recall.push_back(p);
    result.precision_recall.precision.push_back(p / (p + n));
    result.precision_recall.threshold.push_back(threshold);
  });
  for (double& rate : result.roc.false_positive_rate) rate /= totals.negatives;
  for (double& rate : result.roc.true_positive_rate) rate /= totals.positives;
  for (double& rate : result.precision_recall.recall) rate /= totals.positives;
  const RankingAreas found = sums.areas();
  result.roc.area = found.roc_auc;
  result.precision_recall.average_precision = found.average_precision;
  return result;
}

std::vector<double> thin(const std::vector<double>& all, Index points) {
  const auto size = static_cast<Index>(all.size());
  if (size <= points) return all;
  std::vector<double> some;
  for (Index i = 0; i < points; ++i) {
    // Rounded i · (size − 1) / (points − 1): both ends are kept.
    const Index at = (i * (size - 1) + (points - 1) / 2) / (points - 1);
    some.push_back(all[static_cast<std::size_t>(at)]);
  }
  return some;
}

void require_points(Index points) {
  if (points < 2) throw InputError("a curve needs at least 2 points");
}

// A row of float32 is ranked in 8 bytes, which leaves 31 bits for its number; more rows than that
// are ranked as float64.
constexpr std::size_t most_narrow_rows = std::numeric_limits<std::int32_t>::max();

std::vector<double> widened(std::span<const float> scores) {
  return {scores.begin(), scores.end()};
}

nlohmann::json thresholds(const std::vector<double>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (const double value : values) {
    list.push_back(std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr));
  }
  return list;
}

}  // namespace

RankingCurves ranking_curves(std::span<const float> scores, std::span<const std::uint8_t> positive,
                             std::span<const double> weights) {
  if (scores.size() > most_narrow_rows) return ranking_curves(widened(scores), positive, weights);
  return curves(scores, positive, weights);
}
RankingCurves ranking_curves(std::span<const double> scores, std::span<const std::uint8_t> positive,
                             std::span<const double> weights) {
  return curves(scores, positive, weights);
}
RankingAreas ranking_areas(std::span<const float> scores, std::span<const std::uint8_t> positive,
                           std::span<const double> weights) {
  if (scores.size() > most_narrow_rows) return ranking_areas(widened(scores), positive, weights);
  return areas(scores, positive, weights);
}
RankingAreas ranking_areas(std::span<const double> scores, std::span<const std::uint8_t> positive,
                           std::span<const double> weights) {
  return areas(scores, positive, weights);
}

RocCurve thinned(const RocCurve& curve, Index points) {
  require_points(points);
  return {thin(curve.false_positive_rate, points), thin(curve.true_positive_rate, points),
          thin(curve.threshold, points), curve.area};
}

PrecisionRecallCurve thinned(const PrecisionRecallCurve& curve, Index points) {
  require_points(points);
  return {thin(curve.recall, points), thin(curve.precision, points), thin(curve.threshold, points),
          curve.average_precision};
}

std::string to_json(const RocCurve& curve) {
  return json_text({{"false_positive_rate", curve.false_positive_rate},
                    {"true_positive_rate", curve.true_positive_rate},
                    {"threshold", thresholds(curve.threshold)},
                    {"area", curve.area}});
}

std::string to_json(const PrecisionRecallCurve& curve) {
  return json_text({{"recall", curve.recall},
                    {"precision", curve.precision},
                    {"threshold", thresholds(curve.threshold)},
                    {"average_precision", curve.average_precision}});
}

}  // namespace tandem

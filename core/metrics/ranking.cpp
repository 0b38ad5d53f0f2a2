#include "tandem/metrics/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

constexpr double log2_of_e = 1.4426950408889634;

// 2^y − 1, exactly for whole y.
double gain(double y) {
  return y == std::floor(y) ? std::ldexp(1.0, static_cast<int>(y)) - 1
                            : math::exp(y / log2_of_e) - 1;
}
double discount(std::size_t rank) {
  return 1 / (math::log(static_cast<double>(rank + 2)) * log2_of_e);
}

double dcg(std::span<const double> relevance, std::size_t most) {
  double sum = 0;
  for (std::size_t r = 0; r < std::min(most, relevance.size()); ++r) {
    sum += gain(relevance[r]) * discount(r);
  }
  return sum;
}

}  // namespace

template <Real T>
RankingMetrics ranking_metrics(std::span<const Index> starts, std::span<const T> relevance,
                               std::span<const T> scores, Index k) {
  constexpr double most_relevance = 1000;  // 2^y stays in range
  double most = 0;
  for (std::size_t i = 0; i < relevance.size(); ++i) {
    const auto y = static_cast<double>(relevance[i]);
    if (!(y >= 0 && y <= most_relevance)) {
      throw InputError("row " + std::to_string(i + 1) + ": the relevance is " + shortest(y) +
                       ", expected a number from 0 to 1000");
    }
    if (std::isnan(scores[i])) {
      throw InputError("row " + std::to_string(i + 1) + ": the score is not a number");
    }
    most = std::max(most, y);
  }
  const double whole = gain(most) + 1;
  RankingMetrics sums;
  Index counted = 0;
  std::vector<std::size_t> order;
  std::vector<double> ranked;
  for (std::size_t q = 0; q + 1 < starts.size(); ++q) {
    order.resize(static_cast<std::size_t>(starts[q + 1] - starts[q]));
    std::iota(order.begin(), order.end(), static_cast<std::size_t>(starts[q]));
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
      if (scores[a] != scores[b]) return scores[a] > scores[b];
      return relevance[a] != relevance[b] ? relevance[a] < relevance[b] : a < b;
    });
    ranked.clear();
    for (const std::size_t row : order) ranked.push_back(static_cast<double>(relevance[row]));
    const auto relevant = std::ranges::count_if(ranked, [](double y) { return y > 0; });
    if (relevant == 0) continue;
    ++counted;
    const std::size_t ranks = k > 0 ? static_cast<std::size_t>(k) : ranked.size();
    std::vector<double> best = ranked;
    std::ranges::sort(best, std::greater<>());
    sums.ndcg += dcg(ranked, ranks) / dcg(best, ranks);
    double hits = 0;
    double precisions = 0;
    double hits_at_k = 0;
    double reciprocal = 0;
    double goes_on = 1;
    double expected = 0;
    for (std::size_t r = 0; r < ranked.size(); ++r) {
      const auto rank = static_cast<double>(r + 1);
      if (ranked[r] > 0) {
        hits += 1;
        precisions += hits / rank;
        if (r < ranks) hits_at_k += 1;
        if (reciprocal == 0) reciprocal = 1 / rank;
      }
      const double stops = gain(ranked[r]) / whole;
      expected += goes_on * stops / rank;
      goes_on *= 1 - stops;
    }
    sums.precision += hits_at_k / static_cast<double>(ranks);
    sums.map += precisions / static_cast<double>(relevant);
    sums.mrr += reciprocal;
    sums.err += expected;
  }
  const double count =
      counted > 0 ? static_cast<double>(counted) : std::numeric_limits<double>::quiet_NaN();
  return {sums.ndcg / count, sums.precision / count, sums.map / count, sums.mrr / count,
          sums.err / count};
}

template RankingMetrics ranking_metrics(std::span<const Index>, std::span<const float>,
                                        std::span<const float>, Index);
template RankingMetrics ranking_metrics(std::span<const Index>, std::span<const double>,
                                        std::span<const double>, Index);

}  // namespace tandem

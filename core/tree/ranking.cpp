#include <algorithm>
#include <functional>
#include <vector>

#include "core/tree/ranking_steps.hpp"

namespace tandem::tree {

template <Real T>
RankingQueries ranking_queries(Engine& engine, std::span<const Index> starts,
                               std::span<const T> target, const RankingRules& rules) {
  RankingQueries result;
  result.rows = static_cast<Index>(target.size());
  result.queries = static_cast<Index>(starts.size()) - 1;
  for (std::size_t q = 0; q + 1 < starts.size(); ++q) {
    result.longest = std::max(result.longest, starts[q + 1] - starts[q]);
  }
  constexpr double log2_of_e = 1.4426950408889634;
  std::vector<double> discounts;
  for (Index r = 0; r < result.longest; ++r) {
    discounts.push_back(1 / (math::log(static_cast<double>(r + 2)) * log2_of_e));
  }
  std::vector<double> best;
  std::vector<double> of_quality;
  std::vector<double> relevance;
  for (std::size_t q = 0; q + 1 < starts.size(); ++q) {
    relevance.assign(target.begin() + starts[q], target.begin() + starts[q + 1]);
    std::ranges::sort(relevance, std::greater<>());
    const auto inverse_at = [&](Index most) {
      double sum = 0;
      for (std::size_t r = 0; r < relevance.size() && static_cast<Index>(r) < most; ++r) {
        sum += relevance_gain(relevance[r]) * discounts[r];
      }
      return sum > 0 ? 1 / sum : 0;
    };
    best.push_back(inverse_at(rules.truncation));
    if (rules.kind == RankingLoss::map) {
      const auto relevant = std::ranges::count_if(relevance, [](double y) { return y > 0; });
      of_quality.push_back(relevant > 0 ? 1 / static_cast<double>(relevant) : 0);
    } else {
      of_quality.push_back(inverse_at(ranks_of_quality));
    }
  }
  result.starts = to_engine(engine, starts);
  result.inverse_best = to_engine(engine, best);
  result.inverse_short = to_engine(engine, of_quality);
  result.discounts = to_engine(engine, discounts);
  return result;
}

template RankingQueries ranking_queries(Engine&, std::span<const Index>, std::span<const float>,
                                        const RankingRules&);
template RankingQueries ranking_queries(Engine&, std::span<const Index>, std::span<const double>,
                                        const RankingRules&);

}  // namespace tandem::tree

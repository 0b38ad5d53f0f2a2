// Gradients of ranking: LambdaMART.
//
// Burges, "From RankNet to LambdaRank to LambdaMART: An Overview", MSR-TR-2010-82; Donmez, Svore
// and Burges, "On the Local Optimality of LambdaRank", SIGIR 2009 (for average precision).
//
// The rows of a query are ranked by their scores, the higher first, the lower row among equals. A
// pair of unequal relevance, at least one of which stands among the first `truncation` ranks, costs
// log(1 + e^−d)·Δ, d by how much the more relevant one's score is higher and Δ by how much the
// measure would change if the two changed places:
//
//   ndcg      |2^y_a − 2^y_b| · |1/log2(2 + a) − 1/log2(2 + b)| / the best DCG, for ranks a, b from
//             0, at the truncation
//   map       the change of average precision, of relevances 0 and 1
//   pairwise  1
//
// With `normalize`, Δ of the first two is divided by 0.01 + |d| where not all scores of the query
// are equal, and the query's gradients are multiplied by log2(1 + Σ)/Σ, Σ their sum over pairs and
// both sides: as LightGBM has it, so that queries of many pairs do not drown the others.
//
// The order of operations, which every engine follows, in double precision and without fma: the
// gradient of a row is a chain over the other ranks in ascending order, Σ a chain over the ranks of
// the rows' own chains.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "core/steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

enum class RankingLoss { ndcg, map, pairwise };

struct RankingRules {
  RankingLoss kind = RankingLoss::ndcg;
  Index truncation = 30;
  bool normalize = true;
};
// Ranks that the quality of a validation set counts, by NDCG; average precision counts all.
inline constexpr Index ranks_of_quality = 10;
// Relevances are whole numbers up to this.
inline constexpr int most_relevance = 31;

// The queries of a data set on the engine.
struct RankingQueries {
  Index rows = 0;
  Index queries = 0;
  Index longest = 0;             // rows of a query
  Buffer<Index> starts;          // queries + 1
  Buffer<double> inverse_best;   // per query: 1 / the best DCG at the truncation; 0 where that is 0
  Buffer<double> inverse_short;  // the same at ranks_of_quality; for map 1 / relevant rows
  Buffer<double> discounts;      // longest: 1/log2(2 + rank)
};

// `target` holds whole numbers from 0 to most_relevance.
template <Real T>
[[nodiscard]] RankingQueries ranking_queries(Engine& engine, std::span<const Index> starts,
                                             std::span<const T> target, const RankingRules& rules);

// 2^y − 1
[[nodiscard]] TANDEM_HOST_DEVICE inline double relevance_gain(double y) {
  return static_cast<double>((std::uint64_t{1} << static_cast<unsigned>(y)) - 1);
}

// The rows of one query by rank.
struct RankedQuery {
  Index rows = 0;
  const double* score = nullptr;
  const double* relevance = nullptr;
  const double* hits = nullptr;    // map: relevant rows up to and with this rank
  const double* shares = nullptr;  // map: Σ over relevant ranks t up to and with it of 1/(t + 1)
  const double* discounts = nullptr;
  double inverse_best = 0;
  double inverse_relevant = 0;  // map
  bool scores_differ = false;
};

struct PairTerms {
  double lambda = 0;   // |∂/∂s|, the same for both
  double hessian = 0;  // ∂²/∂s²
};

// The terms of the pair of ranks a < b. Requires unequal relevances.
[[nodiscard]] TANDEM_HOST_DEVICE inline PairTerms pair_terms(const RankingRules& rules,
                                                             const RankedQuery& query, Index a,
                                                             Index b) {
  const bool upper = query.relevance[a] > query.relevance[b];
  const double up = query.score[a] - query.score[b];
  const double distance = upper ? up : -up;
  double delta = 1;
  if (rules.kind == RankingLoss::ndcg) {
    const double gain = relevance_gain(query.relevance[a]) - relevance_gain(query.relevance[b]);
    const double places = query.discounts[a] - query.discounts[b];
    delta = (upper ? gain : -gain) * places * query.inverse_best;
  } else if (rules.kind == RankingLoss::map) {
    // Between the two every relevant row has one more or one fewer above it.
    const double between = query.shares[b - 1] - query.shares[a];
    const double at_b = query.hits[b] / static_cast<double>(b + 1);
    // Where the lower one is relevant: it comes to rank a, and adds itself to the hits there.
    const double change = upper ? query.hits[a] / static_cast<double>(a + 1) + between - at_b
                                : (query.hits[a] + 1) / static_cast<double>(a + 1) + between - at_b;
    delta = (change < 0 ? -change : change) * query.inverse_relevant;
  }
  if (rules.normalize && rules.kind != RankingLoss::pairwise && query.scores_differ) {
    delta = delta / (0.01 + (up < 0 ? -up : up));
  }
  const double p = math::sigmoid(-distance);
  return {p * delta, p * (1 - p) * delta};
}

// The ranks that rank r makes pairs with end here; they begin at 0.
[[nodiscard]] TANDEM_HOST_DEVICE inline Index partners_end(const RankingRules& rules, Index rows,
                                                           Index r) {
  return r < rules.truncation ? rows : rules.truncation;
}

// What a query's gradients are multiplied by.
[[nodiscard]] TANDEM_HOST_DEVICE inline double query_factor(const RankingRules& rules,
                                                            double lambdas) {
  if (!rules.normalize || !(lambdas > 0)) return 1;
  constexpr double log2_of_e = 1.4426950408889634;
  return math::log(1 + lambdas) * log2_of_e / lambdas;
}

// The share of a query's best that its ranking has; 1 where nothing is relevant.
[[nodiscard]] TANDEM_HOST_DEVICE inline double query_quality(const RankingRules& rules,
                                                             const RankedQuery& query,
                                                             double inverse_short) {
  if (!(inverse_short > 0)) return 1;
  double sum = 0;
  if (rules.kind == RankingLoss::map) {
    double hits = 0;
    for (Index r = 0; r < query.rows; ++r) {
      if (!(query.relevance[r] > 0)) continue;
      hits += 1;
      sum += hits / static_cast<double>(r + 1);
    }
  } else {
    const Index end = query.rows < ranks_of_quality ? query.rows : ranks_of_quality;
    for (Index r = 0; r < end; ++r) {
      sum += relevance_gain(query.relevance[r]) * query.discounts[r];
    }
  }
  return sum * inverse_short;
}

template <Real T>
class RankingSteps {
 public:
  virtual ~RankingSteps() = default;
  static constexpr std::string_view name = "ranking";
  [[nodiscard]] static std::unique_ptr<RankingSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<RankingSteps> make_cpu(Engine& engine);

  // Gradients and Hessians of all rows, before weights. Only enqueued.
  virtual void compute_gradients(const RankingRules& rules, const RankingQueries& queries,
                                 const Buffer<T>& scores, const Buffer<T>& target,
                                 Buffer<T>& gradients, Buffer<T>& hessians) = 0;

  // quality[q] = query_quality() of each query. Only enqueued.
  virtual void measure(const RankingRules& rules, const RankingQueries& queries,
                       const Buffer<T>& scores, const Buffer<T>& target,
                       Buffer<double>& quality) = 0;
};

}  // namespace tandem::tree

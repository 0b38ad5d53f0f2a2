// Metrics of rankings: rows of queries, ordered by their scores.
//
// Rows of equal score are ranked with the less relevant ones first, so that no ranking is better
// for telling rows apart less, and the order of the rows does not matter.
#pragma once

#include <span>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Means over the queries in which a row is relevant (y > 0), each query alike; NaN where there is
// none. r counts ranks from 1.
struct RankingMetrics {
  // NDCG: Σ (2^y − 1)/log2(1 + r) over the first k ranks, divided by the best that it can be.
  // Järvelin and Kekäläinen, ACM TOIS 20 (2002), with the gains of Burges et al., ICML 2005.
  double ndcg = 0;
  // Relevant rows among the first k, over k.
  double precision = 0;
  // Average precision: the mean, over the relevant rows, of the precision at their ranks.
  double map = 0;
  // 1 / the rank of the first relevant row.
  double mrr = 0;
  // Expected reciprocal rank (Chapelle, Metzler, Zhang and Grinspan, CIKM 2009): Σ R_r/r Π_{s<r}
  // (1 − R_s) with R = (2^y − 1)/2^most, `most` the greatest relevance in the data.
  double err = 0;
};

// starts: the first row of each query, ascending, and the number of rows at the end, as
// group_starts() gives. relevance: >= 0. k: ranks that NDCG and precision count; 0: all. Throws
// InputError for a relevance that is negative, missing or above 1000, and for scores that are NaN.
template <Real T>
[[nodiscard]] TANDEM_API RankingMetrics ranking_metrics(std::span<const Index> starts,
                                                        std::span<const T> relevance,
                                                        std::span<const T> scores, Index k);

}  // namespace tandem

#include "tandem/metrics/ranking.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

TEST(RankingMetrics, AreWhatTheyAreByHand) {
  // Ranked by score: relevances 1, 0, 2, 0 and, of the second query, 0, 1.
  const std::vector<Index> starts{0, 4, 6};
  const std::vector<double> y{0, 2, 1, 0, 1, 0};
  const std::vector<double> s{2, 1, 3, 0, 0.5, 0.6};
  const auto found = ranking_metrics<double>(starts, y, s, 3);
  const double log3 = std::log2(3);
  EXPECT_NEAR(found.ndcg, ((1 + 3 / 2.0) / (3 + 1 / log3) + 1 / log3) / 2, 1e-14);
  EXPECT_NEAR(found.precision, (2.0 / 3 + 1.0 / 3) / 2, 1e-14);
  EXPECT_NEAR(found.map, ((1 + 2.0 / 3) / 2 + 0.5) / 2, 1e-14);
  EXPECT_NEAR(found.mrr, (1 + 0.5) / 2, 1e-14);
  // R is (2^y − 1)/4: 1/4, 0, 3/4, 0; and 0, 1/4.
  EXPECT_NEAR(found.err, ((0.25 + 0.75 * 0.75 / 3) + 0.25 / 2) / 2, 1e-14);
  // All ranks.
  EXPECT_NEAR(ranking_metrics<double>(starts, y, s, 0).precision, (2.0 / 4 + 1.0 / 2) / 2, 1e-14);
  EXPECT_NEAR(ranking_metrics<double>(starts, y, y, 2).ndcg, 1, 1e-14);
}

TEST(RankingMetrics, GainNothingByTies) {
  const std::vector<Index> starts{0, 3};
  const std::vector<double> s{1, 1, 1};
  for (const auto& y : {std::vector<double>{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}) {
    const auto found = ranking_metrics<double>(starts, y, s, 1);
    EXPECT_EQ(found.ndcg, 0);
    EXPECT_EQ(found.mrr, 1.0 / 3);
  }
}

TEST(RankingMetrics, LeaveOutQueriesWithoutRelevantRows) {
  const std::vector<double> y{0, 0, 1, 0};
  const std::vector<double> s{1, 2, 3, 4};
  EXPECT_EQ(ranking_metrics<double>(std::vector<Index>{0, 2, 4}, y, s, 0).mrr, 0.5);
  EXPECT_TRUE(
      std::isnan(ranking_metrics<double>(std::vector<Index>{0, 2}, std::vector<double>{0, 0},
                                         std::vector<double>{1, 2}, 0)
                     .ndcg));
}

TEST(RankingMetrics, RefuseWhatIsNoRelevance) {
  const std::vector<Index> starts{0, 1};
  for (const double y : {-1.0, 1001.0, static_cast<double>(NAN)}) {
    EXPECT_THROW(
        (void)ranking_metrics<double>(starts, std::vector<double>{y}, std::vector<double>{0}, 1),
        InputError);
  }
  EXPECT_THROW(
      (void)ranking_metrics<double>(starts, std::vector<double>{1}, std::vector<double>{NAN}, 1),
      InputError);
}

}  // namespace
}  // namespace tandem

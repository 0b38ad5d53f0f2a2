#include "tandem/recommend/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tandem/recommend/popularity.hpp"

namespace tandem {
namespace {

TEST(RecommendationMetrics, OfOneListByHand) {
  const std::vector<std::int32_t> ranked{4, 9, 2, 7};
  const std::vector<std::int32_t> relevant{2, 5, 9};
  const ListMeasures of_four = measure_list(ranked, relevant, 4);
  EXPECT_DOUBLE_EQ(of_four.recall, 2.0 / 3);
  EXPECT_DOUBLE_EQ(of_four.average_precision, (1.0 / 2 + 2.0 / 3) / 3);
  EXPECT_DOUBLE_EQ(of_four.reciprocal_rank, 0.5);
  EXPECT_EQ(of_four.hit, 1);
  const double gain = 1 / std::log2(3.0) + 1 / std::log2(4.0);
  const double best = 1 + 1 / std::log2(3.0) + 1 / std::log2(4.0);
  EXPECT_NEAR(of_four.ndcg, gain / best, 1e-15);
  // One place: the recall of the best list of that length is 1.
  const ListMeasures of_one = measure_list(ranked, relevant, 1);
  EXPECT_EQ(of_one.recall, 0);
  EXPECT_EQ(of_one.hit, 0);
  EXPECT_EQ(measure_list({}, relevant, 5).ndcg, 0);
}

// Three users, four items, and answers that are known: popularity.
TEST(RecommendationMetrics, OfAModelByHand) {
  Interactions train;
  train.users = {"a", "b", "c", "d"};
  train.items = {"p", "q", "r", "s"};
  train.user = {0, 0, 1, 2};
  train.item = {0, 1, 0, 0};
  Interactions test = train;
  // a: r is new; b: q, which is second in popularity; c: p, which c has; d has no history.
  test.user = {0, 1, 2, 3};
  test.item = {2, 1, 0, 0};
  const auto engine = Engine::create();
  const auto model = fit(*engine, {train}, PopularityOptions{});
  RecommendationMetricOptions options;
  options.at = {1, 2};
  options.full_ranking = true;
  const RecommendationReport report = evaluate_recommender(*engine, *model, train, test, options);
  EXPECT_EQ(report.users, 2);
  EXPECT_EQ(report.users_without_history, 1);
  EXPECT_EQ(report.users_without_test, 1);
  // a is answered r (0 events, the lowest of equals), s; b is answered q, r.
  EXPECT_EQ(report.value("recall@1"), 1);
  EXPECT_EQ(report.value("ndcg"), 1);
  EXPECT_EQ(report.value("coverage@1"), 0.5);
  EXPECT_EQ(report.value("coverage@2"), 0.75);
  // −log2 of the share of users: r and s none, counted as one of four; q one of four.
  EXPECT_EQ(report.value("novelty@1"), 2);
  // b's list has one user per item on the mean of q, r: 0.5 of the history's 3.
  EXPECT_NEAR(report.value("popularity_bias@2"), (0.0 + 0.5 / 3) / 2, 1e-15);
  EXPECT_TRUE(std::isnan(report.value("recall@7")));
}

TEST(RecommendationMetrics, IntervalsHoldTheMeanAsOftenAsTheySay) {
  // The mean of 200 coins, by the interval of the report of users with one test item each.
  int held = 0;
  constexpr int runs = 200;
  for (int run = 0; run < runs; ++run) {
    Interactions train;
    Interactions test;
    train.items = {"a", "b", "c"};
    for (int u = 0; u < 200; ++u) {
      train.users.push_back(std::to_string(1000 + u));
      train.user.push_back(u);
      train.item.push_back(0);
    }
    // Popularity answers b first to everybody; b is right with probability 0.3.
    train.user.push_back(0);
    train.item.push_back(1);
    test.users = train.users;
    test.items = train.items;
    std::uint64_t state = static_cast<std::uint64_t>(run) * 7919 + 1;
    for (int u = 1; u < 200; ++u) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      test.user.push_back(u);
      test.item.push_back((state >> 33) % 10 < 3 ? 1 : 2);
    }
    const auto engine = Engine::create();
    const auto model = fit(*engine, {train}, PopularityOptions{});
    RecommendationMetricOptions options;
    options.at = {1};
    options.segments = {};
    const RecommendationReport report = evaluate_recommender(*engine, *model, train, test, options);
    for (const RecommendationMetric& metric : report.metrics) {
      if (metric.name == "hit_rate@1") held += metric.low <= 0.3 && 0.3 <= metric.high ? 1 : 0;
    }
  }
  // 95 % of 200 are 190 ± 3.1; five deviations.
  EXPECT_GE(held, 174);
  EXPECT_LT(held, 200);
}

}  // namespace
}  // namespace tandem

#include "tandem/recommend/slim.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/recommend/item_gram.hpp"
#include "cpu/simd.hpp"
#include "recommend/recommender_fixture.hpp"
#include "support/agree.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/metrics.hpp"
#include "tandem/recommend/popularity.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::viewers;

TEST(SlimSteps, EnginesAgree) { test::expect_agreement("slim", Device::reference, 24); }

// Two users, p and q of one, q of the other: XᵀX = (1 1; 1 2). Of p by q: (1 − λ) / (2 + β).
TEST(Slim, WeightsByHand) {
  Interactions events;
  events.users = {"a", "b"};
  events.items = {"p", "q"};
  events.user = {0, 0, 1};
  events.item = {0, 1, 1};
  SlimOptions options;
  options.l1_regularization = 0.5;
  options.l2_regularization = 1;
  const auto model = fit(*engine_of(1), {events}, options);
  std::vector<double> scores(2);
  const std::vector<HistoryItem> q{{1, 1}};
  model->score(q, scores);
  EXPECT_EQ(scores[0], 0.5 / 3);
  EXPECT_EQ(scores[1], 0);
  const std::vector<HistoryItem> p{{0, 2}};
  model->score(p, scores);
  EXPECT_EQ(scores[1], 2 * (0.5 / 2));
}

// At the optimum the gradient is 0 where a weight is above 0, and not below 0 where it is 0, over
// all items, candidates or not (Karush, Kuhn and Tucker).
TEST(Slim, WeightsAreOptimal) {
  const Interactions events = viewers(300, 80, 15);
  const auto engine = engine_of(2);
  const std::vector<double> gram = item_gram(*engine, interaction_matrix<double>(events), 0);
  for (const double l1 : {0.0, 2.0, 20.0}) {
    SlimOptions options;
    options.l1_regularization = l1;
    options.l2_regularization = 5;
    options.tolerance = 1e-12;
    options.iterations = 10000;
    const auto model = fit(*engine, {events}, options);
    EXPECT_TRUE(model->training().converged);
    const SparseMatrix<double> by_item = transposed(model->weights.view());
    Index above = 0;
    for (Index j = 0; j < 80; ++j) {
      std::vector<double> w(80, 0.0);
      for (std::size_t k = 0; k < by_item.columns_of(j).size(); ++k) {
        w[static_cast<std::size_t>(by_item.columns_of(j)[k])] = by_item.values_of(j)[k];
      }
      EXPECT_EQ(w[static_cast<std::size_t>(j)], 0);
      for (Index k = 0; k < 80; ++k) {
        if (k == j) continue;
        double gradient =
            l1 + 5 * w[static_cast<std::size_t>(k)] - gram[static_cast<std::size_t>(k * 80 + j)];
        for (Index m = 0; m < 80; ++m) {
          gradient += gram[static_cast<std::size_t>(k * 80 + m)] * w[static_cast<std::size_t>(m)];
        }
        if (w[static_cast<std::size_t>(k)] > 0) {
          ++above;
          EXPECT_NEAR(gradient, 0, 1e-6);
        } else {
          EXPECT_EQ(w[static_cast<std::size_t>(k)], 0);
          EXPECT_GT(gradient, -1e-6);
        }
      }
    }
    EXPECT_GT(above, 80);
    if (l1 > 10) {
      EXPECT_LT(above, 80 * 40);
    }
  }
}

TEST(Slim, SameBitsForAllThreadsAndInstructions) {
  Interactions events = viewers(400, 150, 12);
  for (double& weight : events.weight) weight *= 0.3;
  const SlimOptions options;
  const auto one = fit(*engine_of(1), {events}, options);
  EXPECT_EQ(fit(*engine_of(2), {events}, options)->weights, one->weights);
  for (const char* name : {"avx2", "baseline"}) {
    const test::RestoreSimd restore;
    cpu::limit_simd(name);
    EXPECT_EQ(fit(*engine_of(2), {events}, options)->weights, one->weights) << name;
  }
}

TEST(Slim, KnowsTastesAndPartsAddUp) {
  const Interactions events = viewers(400, 200, 20);
  const InteractionSplit split = split_by_time(events, 0.2);
  const auto engine = engine_of(2);
  const auto model = fit(*engine, {split.train}, SlimOptions{});
  const auto popular = fit(*engine, {split.train}, PopularityOptions{});
  const double good =
      evaluate_recommender(*engine, *model, split.train, split.test).value("ndcg@10");
  const double plain =
      evaluate_recommender(*engine, *popular, split.train, split.test).value("ndcg@10");
  EXPECT_GT(good, 1.4 * plain);
  const std::vector<HistoryItem> history{{3, 1}, {7, 2}};
  const auto answers = model->top_items(history, 3);
  EXPECT_FALSE(answers.empty());
  for (const ScoredItem& one : answers) {
    const Explanation why = model->because(history, one.item, 10);
    EXPECT_NEAR(why.rest, 0, 1e-12);
    EXPECT_EQ(why.score, one.score);
  }
  const std::string path = ::testing::TempDir() + "slim_test.tandem";
  save_recommender(path, *model, {});
  EXPECT_EQ(load_recommender(path).model->top_items(history, 10), model->top_items(history, 10));
}

TEST(Slim, SaysWhatItCannotDo) {
  const Interactions events = viewers(100, 60, 12);
  SlimOptions options;
  options.l1_regularization = options.l2_regularization = 0;
  EXPECT_THROW((void)fit(*engine_of(1), {events}, options), InputError);
  options.l2_regularization = 1;
  options.tolerance = 0;
  options.iterations = 1;
  const auto model = fit(*engine_of(1), {events}, options);
  EXPECT_FALSE(model->training().converged);
  EXPECT_NE(model->training().stopped_because.find("still changed"), std::string::npos);
}

}  // namespace
}  // namespace tandem

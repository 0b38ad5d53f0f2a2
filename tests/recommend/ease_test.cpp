#include "tandem/recommend/ease.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/recommend/spd_inverse_steps.hpp"
#include "cpu/simd.hpp"
#include "recommend/recommender_fixture.hpp"
#include "support/agree.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::viewers;

TEST(EaseSteps, EnginesAgree) { test::expect_agreement("ease", Device::reference, 24); }

// Two users, p and q of one, q of the other: XᵀX = (1 1; 1 2), λ = 1, P = (3 −1; −1 2) / 5.
TEST(Ease, WeightsByHand) {
  Interactions events;
  events.users = {"a", "b"};
  events.items = {"p", "q"};
  events.user = {0, 0, 1};
  events.item = {0, 1, 1};
  EaseOptions options;
  options.regularization = 1;
  const auto model = fit(*engine_of(1), {events}, options);
  std::vector<double> scores(2);
  const std::vector<HistoryItem> history{{0, 1}};
  model->score(history, scores);
  EXPECT_EQ(scores[0], 0);
  EXPECT_NEAR(scores[1], 1.0 / 2, 1e-15);  // −P_pq / P_qq
  const std::vector<HistoryItem> other{{1, 3}};
  model->score(other, scores);
  EXPECT_NEAR(scores[0], 3.0 / 3, 1e-15);  // 3 · −P_qp / P_pp
}

TEST(Ease, TheInverseIsOne) {
  const auto engine = engine_of(2);
  for (const Index n : {1, 5, 64, 100, 129}) {
    std::vector<double> a(static_cast<std::size_t>(n * n));
    for (Index j = 0; j < n; ++j) {
      for (Index k = 0; k < n; ++k) {
        a[static_cast<std::size_t>(j * n + k)] =
            1.0 / static_cast<double>(j + k + 1) + (j == k ? 1.0 : 0.0);
      }
    }
    Buffer<double> inverse = to_engine(*engine, a);
    invert_spd(*engine, n, inverse, "singular");
    const std::vector<double> p = inverse.to_host();
    for (Index j = 0; j < n; ++j) {
      for (Index k = 0; k < n; ++k) {
        double sum = 0;
        for (Index m = 0; m < n; ++m) {
          sum += a[static_cast<std::size_t>(j * n + m)] * p[static_cast<std::size_t>(m * n + k)];
        }
        EXPECT_NEAR(sum, j == k ? 1 : 0, 1e-13);
      }
    }
  }
  Buffer<double> bad = to_engine(*engine, std::vector<double>{1, 2, 2, 1});
  EXPECT_THROW(invert_spd(*engine, 2, bad, "singular"), NumericalError);
}

TEST(Ease, SameBitsForAllThreadsAndInstructions) {
  Interactions events = viewers(400, 150, 12);
  for (double& weight : events.weight) weight *= 0.3;
  EaseOptions options;
  options.regularization = 20;
  const auto one = fit(*engine_of(1), {events}, options);
  EXPECT_EQ(fit(*engine_of(2), {events}, options)->weights, one->weights);
  for (const char* name : {"avx2", "baseline"}) {
    const test::RestoreSimd restore;
    cpu::limit_simd(name);
    EXPECT_EQ(fit(*engine_of(2), {events}, options)->weights, one->weights) << name;
  }
}

TEST(Ease, KeepsTheLargestAndPartsAddUp) {
  const Interactions events = viewers(200, 60, 12);
  EaseOptions options;
  options.keep = 5;
  const auto model = fit(*engine_of(2), {events}, options);
  for (Index j = 0; j < 60; ++j) EXPECT_LE(model->weights.columns_of(j).size(), 5U);
  const std::vector<HistoryItem> history{{3, 1}, {7, 2}};
  for (const ScoredItem& one : model->top_items(history, 3)) {
    const Explanation why = model->because(history, one.item, 10);
    EXPECT_NEAR(why.rest, 0, 1e-12);
    EXPECT_EQ(why.score, one.score);
  }
  const std::string path = ::testing::TempDir() + "ease_test.tandem";
  save_recommender(path, *model, {});
  EXPECT_EQ(load_recommender(path).model->top_items(history, 10), model->top_items(history, 10));
  options.regularization = 0;
  EXPECT_THROW((void)fit(*engine_of(1), {events}, options), InputError);
}

}  // namespace
}  // namespace tandem

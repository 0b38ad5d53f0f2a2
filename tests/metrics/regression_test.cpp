#include "tandem/metrics/regression.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

TEST(Regression, ByHand) {
  const std::vector<double> truth{1, 2, 3, 6};
  const std::vector<double> predicted{1, 2, 5, 5};
  const RegressionScores s = regression_scores(truth, predicted);
  EXPECT_EQ(s.mse, 1.25);  // (0 + 0 + 4 + 1) / 4
  EXPECT_EQ(s.rmse, std::sqrt(1.25));
  EXPECT_EQ(s.mae, 0.75);
  EXPECT_EQ(s.r2, 1 - 5.0 / 14);  // mean 3, deviations 4 + 1 + 0 + 9
}

// scikit-learn 1.9.1: i = np.arange(60); y = np.sqrt(i + 1.0) * 3 - i % 5;
// q = y + ((i * 13) % 11 - 5) / 4; w = 1 + (i % 4) / 2; mean_squared_error(y, q, sample_weight=w),
// ...
TEST(Regression, AgainstScikitLearn) {
  std::vector<double> y;
  std::vector<double> q;
  std::vector<double> w;
  for (int i = 0; i < 60; ++i) {
    y.push_back(std::sqrt(i + 1.0) * 3 - i % 5);
    q.push_back(y.back() + ((i * 13) % 11 - 5) / 4.0);
    w.push_back(1 + (i % 4) / 2.0);
  }
  const RegressionScores s = regression_scores(y, q);
  EXPECT_NEAR(s.mse, 0.6197916666666666, 1e-14);
  EXPECT_NEAR(s.mae, 0.6791666666666667, 1e-14);
  EXPECT_NEAR(s.r2, 0.9789110048757733, 1e-14);
  const RegressionScores weighted = regression_scores(y, q, w);
  EXPECT_NEAR(weighted.mse, 0.6172619047619048, 1e-14);
  EXPECT_NEAR(weighted.mae, 0.6785714285714286, 1e-14);
  EXPECT_NEAR(weighted.r2, 0.9785631996004989, 1e-14);
}

TEST(Regression, ConstantTruth) {
  const std::vector<float> constant(1000, 0.1F);
  EXPECT_EQ(regression_scores(constant, constant).r2, 1);
  const std::vector<float> zeros(1000, 0.0F);
  EXPECT_EQ(regression_scores(constant, zeros).r2, 0);
  // Rows of weight 0 do not vary.
  EXPECT_EQ(regression_scores(std::vector<double>{1, 1, 5}, std::vector<double>{1, 1, 1},
                              std::vector<double>{1, 1, 0})
                .r2,
            1);
}

// One row says nothing of what varies: neither of one nor of several of which one has weight.
TEST(Regression, R2OfOneRowIsNotDefined) {
  const auto r2 = [](std::vector<double> truth, std::vector<double> predicted,
                     std::vector<double> weights = {}) {
    return regression_scores(truth, predicted, weights).r2;
  };
  EXPECT_TRUE(std::isnan(r2({3}, {4})));
  EXPECT_TRUE(std::isnan(r2({3}, {3})));
  EXPECT_TRUE(std::isnan(r2({3, 5, 9}, {4, 5, 9}, {2, 0, 0})));
  EXPECT_TRUE(std::isnan(r2({3, 5, 9}, {4, 5, 9}, {0, 0, 0.1})));
  EXPECT_EQ(r2({3, 3}, {4, 4}), 0);
  EXPECT_EQ(r2({3, 3}, {3, 3}), 1);
  EXPECT_EQ(r2({3, 3, 8}, {4, 4, 1}, {1, 0.5, 0}), 0);
  EXPECT_EQ(regression_scores(std::vector<double>{3}, std::vector<double>{4}).mse, 1);
}

TEST(Regression, ThreadsDoNotMatter) {
  std::vector<float> y;
  std::vector<float> q;
  for (int i = 0; i < 100'001; ++i) {
    y.push_back(static_cast<float>(i * 37 % 1001) * 0.1F);
    q.push_back(static_cast<float>(i * 41 % 997) * 0.1F);
  }
  const RegressionScores one = regression_scores(y, q, {}, 1);
  for (const int threads : {2, 7}) {
    const RegressionScores many = regression_scores(y, q, {}, threads);
    EXPECT_EQ(many.mse, one.mse);
    EXPECT_EQ(many.mae, one.mae);
    EXPECT_EQ(many.r2, one.r2);
  }
}

TEST(Regression, RefusesBadInput) {
  const std::vector<double> one{1};
  EXPECT_THROW((void)regression_scores(std::vector<double>{}, std::vector<double>{}), InputError);
  EXPECT_THROW((void)regression_scores(one, std::vector<double>{1, 2}), InputError);
  EXPECT_THROW((void)regression_scores(one, std::vector<double>{std::nan("")}), InputError);
  EXPECT_THROW(
      (void)regression_scores(std::vector<double>{std::numeric_limits<double>::infinity()}, one),
      InputError);
  EXPECT_THROW((void)regression_scores(one, one, std::vector<double>{0}), InputError);
}

}  // namespace
}  // namespace tandem

#include "tandem/model/baseline.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

Dataset<double> rows_of(std::vector<double> target, std::vector<std::string> categories,
                        std::vector<double> weights = {}) {
  Dataset<double> data;
  data.source = "rows";
  data.features = Matrix<double>(static_cast<Index>(target.size()), 1);
  data.columns = numbered_columns(1);
  data.target = std::move(target);
  data.target_column = {"y", std::move(categories)};
  data.weights = std::move(weights);
  return data;
}

TEST(Baseline, AnswersTheMostFrequentClassWithTheSharesOfAll) {
  const auto data = rows_of({0, 1, 1, 2}, {"a", "b", "c"});
  const auto baseline = fit_baseline(data.view(), Task::classification);
  EXPECT_EQ(baseline.label(), 1);
  EXPECT_EQ(baseline.shares, (std::vector<double>{0.25, 0.5, 0.25}));
  EXPECT_EQ(baseline.to_text({}), "always b, the most frequent class (50 %)");
  const auto metrics = baseline_metrics(baseline, data.view());
  EXPECT_EQ(metrics.at("accuracy"), 0.5);
  EXPECT_NEAR(metrics.at("balanced_accuracy"), 1.0 / 3, 1e-15);
  // −(2 ln ½ + 2 ln ¼) / 4
  EXPECT_NEAR(metrics.at("log_loss"), 1.5 * std::log(2.0), 1e-15);
  EXPECT_EQ(metrics.at("roc_auc"), 0.5);
}

TEST(Baseline, WeightsDecideAndTiesGoToTheLowerLabel) {
  const auto heavy = rows_of({0, 1, 1}, {"a", "b"}, {5, 1, 1});
  EXPECT_EQ(fit_baseline(heavy.view(), Task::classification).label(), 0);
  const auto tie = rows_of({1, 0, 0, 1}, {"a", "b"});
  EXPECT_EQ(fit_baseline(tie.view(), Task::classification).label(), 0);
  const auto values = rows_of({1, 4}, {}, {1, 2});
  EXPECT_EQ(fit_baseline(values.view(), Task::regression).mean, 3);
}

TEST(Baseline, HasTheClassesOfTheModelThatItStandsBeside) {
  const auto data = rows_of({0, 0}, {"b"});
  const auto baseline = fit_baseline(data.view(), Task::classification, {"a", "b"});
  EXPECT_EQ(baseline.label(), 1);
  EXPECT_EQ(baseline.shares, (std::vector<double>{0, 1}));
}

TEST(Baseline, RefusesWhatHasNoAnswer) {
  auto data = rows_of({1, 2}, {});
  EXPECT_THROW((void)fit_baseline(data.view(), Task::clustering), InputError);
  data.weights = {0, 0};
  EXPECT_THROW((void)fit_baseline(data.view(), Task::regression), InputError);
  data.target.clear();
  EXPECT_THROW((void)fit_baseline(data.view(), Task::regression), InputError);
}

}  // namespace
}  // namespace tandem

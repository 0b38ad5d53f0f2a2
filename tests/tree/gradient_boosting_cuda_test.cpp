// Gradient boosting on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

TEST(GradientBoostingCuda, Agrees) {
  test::expect_agreement("gradient-boosting", test::cuda_device());
}

// The host computes the derivatives, and the trees are those of the objective that has them too.
TEST(GradientBoostingCuda, TakesAnObjectiveAndAMetricOfOnesOwn) {
  const auto data = test::make<float>(500, 4, 2, 30, 0.1);
  GradientBoostingOptions options;
  options.rounds = 3;
  options.validation_fraction = 0.2;
  options.eval_metric = "roc_auc";
  const auto expected = test::train(data, options);
  FitContext<float> context;
  context.objective = test::logistic_by_hand<float>();
  const auto model = test::train(data, options, test::cuda_device(), 1, context);
  EXPECT_EQ(model.trees, expected.trees);
  EXPECT_EQ(model.log.history.at("validation_roc_auc"),
            expected.log.history.at("validation_roc_auc"));
}

}  // namespace
}  // namespace tandem

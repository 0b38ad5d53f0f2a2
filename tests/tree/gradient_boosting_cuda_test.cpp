// Gradient boosting on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "cuda/tree/gradient_boosting_cost.hpp"
#include "support/agree.hpp"
#include "support/counters.hpp"
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

// Histograms move what their cost function says and add integers only: no operation on floats is
// counted, those of atomics among them.
void expect_histogram_cost(Index rows, Index cols, Index bins, bool wide) {
  const auto gpu = test::cuda_engine({});
  if (!software_gpu::is_loaded()) GTEST_SKIP() << "a real GPU does not count";
  const auto data = test::make<float>(rows, cols, 0, 60);
  const auto cuts = make_bin_cuts<float>(data.features.view(), {}, bins, 1);
  const Index stride = binned_stride(cols);
  const auto x = to_engine(*gpu, data.features.values());
  Buffer<std::uint8_t> by_row(*gpu, rows * stride);
  Buffer<std::uint8_t> by_column(*gpu, rows * cols + tree::column_padding);
  make_steps<tree::BinningSteps, float>(*gpu)->bin_rows(tree::to_engine(*gpu, cuts), x, rows,
                                                        by_row, by_column);
  const auto target = to_engine(*gpu, data.target);
  const Buffer<float> no_weights;
  std::vector<std::int32_t> bins_of;
  for (Index j = 0; j < cols; ++j) bins_of.push_back(static_cast<std::int32_t>(cuts.bins(j)));
  const auto steps = make_steps<tree::GradientBoostingSteps, float>(*gpu);
  steps->prepare(
      {rows, cols, stride, &by_row, &by_column, &target, &no_weights, bins_of, cuts.missing, {}}, 1,
      3);
  Buffer<float> scores(*gpu, rows);
  scores.fill_zero();
  tree::GradientRange range;
  steps->compute_gradients({tree::BoostingLoss::squared_error, 0.0F, 1}, scores, {&range, 1});
  (void)steps->pack(0, tree::packing_for(range, rows, true, wide), {});
  // The root, and a child of a third of its rows with its sibling by subtraction.
  const tree::HistogramTask root{0, rows, 0, 0, -1};
  const tree::HistogramTask child{0, rows / 3, 0, 1, 0};
  Index elements = 0;
  for (const auto& task : {root, child}) {
    Index most = 0;
    for (const std::int32_t of_feature : bins_of) most = std::max<Index>(most, of_feature);
    elements = 2 * cols * tree::histogram_stride(most);
    const test::Counting counting;
    steps->build_histograms({&task, 1});
    gpu->wait();
    const Cost cost = cuda::histogram_kernel_cost(
        static_cast<double>(task.rows), static_cast<double>(cols),
        static_cast<double>(ceil_div<Index>(task.rows, tree::rows_per_word)),
        static_cast<double>(cols * bins), wide);
    const auto counted = counting.of("histogram_kernel");
    ASSERT_GT(counted.launches, 0);
    EXPECT_NEAR(counted.bytes, cost.bytes, 0.05 * cost.bytes);
    EXPECT_EQ(counted.flops, 0);
    if (task.parent < 0) continue;
    const Cost less = cuda::subtract_kernel_cost(static_cast<double>(elements), 1);
    const auto subtracted = counting.of("subtract_kernel");
    EXPECT_NEAR(subtracted.bytes, less.bytes, 0.05 * less.bytes);
    EXPECT_EQ(subtracted.flops, 0);
    EXPECT_NEAR(subtracted.sectors_per_ideal, 1, 0.05);
  }
}
TEST(GradientBoostingCuda, HistogramsMoveWhatTheyCost) {
  expect_histogram_cost(20000, 12, 64, false);
  expect_histogram_cost(9000, 40, 255, false);  // several groups of features
  expect_histogram_cost(9000, 12, 64, true);
}

}  // namespace
}  // namespace tandem

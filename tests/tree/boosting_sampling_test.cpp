// Trees grown on some of the rows: those of the largest gradients and a draw of the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "tandem/core/error.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::expect_same;
using test::make;
using test::train;
using ::testing::HasSubstr;

template <class T>
class BoostingSampling : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BoostingSampling, Precisions);

GradientBoostingOptions goss(double top_rate, double other_rate) {
  GradientBoostingOptions options;
  options.sampling_method = SamplingMethod::goss;
  options.top_rate = top_rate;
  options.other_rate = other_rate;
  return options;
}

// Ten rows far off and ninety near: the far ones are kept, and those drawn of the others stand for
// all of them. The leaf that holds the far rows has them all and no more.
TYPED_TEST(BoostingSampling, KeepsTheLargestGradients) {
  using T = TypeParam;
  Dataset<T> data;
  data.source = "test";
  data.features = Matrix<T>(100, 1);
  data.columns = numbered_columns(1);
  data.target_column.name = "y";
  for (Index i = 0; i < 100; ++i) {
    data.features(i, 0) = i < 10 ? T{1} : T{0};
    data.target.push_back(i < 10 ? T{100} : static_cast<T>(i % 2));
  }
  auto options = goss(0.1, 0.2);
  options.task = TaskChoice::regression;
  options.rounds = 2;
  options.learning_rate = 0.6;  // the second tree is grown on a sample
  options.max_depth = 1;
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto model = train(data, options, device);
    const auto& first = model.trees.trees.at(0);
    const auto& second = model.trees.trees.at(1);
    EXPECT_EQ(first.cover[0], 100);
    EXPECT_EQ(second.cover[2], 10);
    // Drawn with probability 20/90, each for 90/20: about 90 in all, as a multiple of 4.5.
    EXPECT_NEAR(second.cover[1], 90, 3 * 4.5 * std::sqrt(90 * 2.0 / 9 * 7.0 / 9));
    EXPECT_NEAR(std::remainder(second.cover[1], 4.5), 0, 1e-3);
    EXPECT_NE(second.cover[1], 90);
  }
}

TYPED_TEST(BoostingSampling, LearnsAndGoesOn) {
  using T = TypeParam;
  for (const Index classes : {0, 2, 3}) {
    const auto data = make<T>(5000, 6, classes, 50, 0.05);
    auto options = goss(0.2, 0.1);
    options.rounds = 16;
    options.learning_rate = 0.3;
    const auto whole = train(data, options);
    for (const int threads : {2, 7}) expect_same(train(data, options, Device::cpu, threads), whole);
    options.rounds = 7;
    const auto first = train(data, options);
    options.rounds = 9;
    EXPECT_EQ(fit_further(*engine_of(Device::cpu), first, data.view(), options).trees, whole.trees);
    // A tree sees about three tenths of the rows, and the model is nearly as good.
    options.rounds = 16;
    options.validation_fraction = 0.2;
    const double sampled = train(data, options).log.history.at("validation_loss").back();
    options.sampling_method = SamplingMethod::uniform;
    const double all = train(data, options).log.history.at("validation_loss").back();
    EXPECT_LT(sampled, 1.25 * all) << classes;
    EXPECT_NE(sampled, all);
  }
}

// Where all gradients are of one size there are no larger ones to keep, and rows are drawn alike.
TYPED_TEST(BoostingSampling, DrawsAlikeWhereGradientsAre) {
  using T = TypeParam;
  auto data = make<T>(10000, 2, 2, 51);
  for (std::size_t i = 0; i < data.target.size(); ++i) data.target[i] = static_cast<T>(i % 2);
  auto options = goss(0.2, 0.1);
  options.rounds = 2;
  options.learning_rate = 1;
  options.min_split_loss = 1e9;  // no splits: scores stay at 0
  const auto model = train(data, options);
  // Second derivatives of ¼, of 3000 rows or so that count 10/3 times.
  EXPECT_NEAR(model.trees.trees[1].cover[0], 2500, 150);
  EXPECT_NE(model.trees.trees[1].cover[0], 2500);
}

TEST(BoostingSamplingOptions, RefuseWhatDoesNotGoTogether) {
  const auto refused = [](const GradientBoostingOptions& options, const std::string& what) {
    try {
      options.check();
      ADD_FAILURE() << what;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
  };
  refused(goss(0.7, 0.4), "top_rate and other_rate add up to more than all rows");
  auto options = goss(0.2, 0.1);
  options.subsample = 0.5;
  refused(options, "subsample is for sampling_method uniform");
  options = goss(0.2, 0.1);
  options.objective = BoostingObjective::quantile;
  refused(options, "quantile does not have");
}

}  // namespace
}  // namespace tandem

#include "tandem/tree/gradient_boosting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/ranking.hpp"
#include "tandem/model/algorithm.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using test::dataset;
using test::engine_of;
using test::expect_same;
using test::make;
using test::train;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class T>
class Boosting : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Boosting, Precisions);

// Two rows on either side of a gap: the first tree splits there, and its leaves are the mean
// residuals, shrunk by λ and the learning rate: mean 2.5, residuals −1.5 and 1.5 twice each,
// −(−3)/(2 + 1) = 1.
TYPED_TEST(Boosting, FirstTreeByHand) {
  using T = TypeParam;
  const auto data = dataset<T>(1, {1, 2, 10, 11}, {1, 1, 4, 4});
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.rounds = 1;
  options.learning_rate = 0.5;
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto model = train(data, options, device);
    EXPECT_EQ(model.trees.base[0], static_cast<T>(2.5));
    const auto& tree = model.trees.trees.at(0);
    ASSERT_EQ(tree.size(), 3);
    EXPECT_EQ(tree.feature[0], 0);
    EXPECT_EQ(tree.threshold[0], T{6});
    EXPECT_EQ(tree.value[1], static_cast<T>(-0.5));
    EXPECT_EQ(tree.value[2], static_cast<T>(0.5));
    EXPECT_EQ(tree.cover[0], 4);
    EXPECT_EQ(tree.gain[0], 6);  // 3²/3 + 3²/3 − 0
    const auto predictions = model.predict(*engine_of(device), data.features.view());
    EXPECT_EQ(predictions.values, (std::vector<T>{2, 2, 3, 3}));
  }
}

// The base is the median, a leaf the median of what is left of its rows, which
// no outlier moves.
TYPED_TEST(Boosting, LeavesOfAbsoluteErrorAreMedians) {
  using T = TypeParam;
  const auto data = dataset<T>(1, {1, 2, 10, 11, 12}, {1, 1, 4, 5, 400});
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.objective = BoostingObjective::absolute_error;
  options.rounds = 1;
  options.learning_rate = 1;
  options.max_depth = 1;
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto model = train(data, options, device);
    EXPECT_EQ(model.trees.base[0], T{4});
    const auto predictions = model.predict(*engine_of(device), data.features.view());
    EXPECT_EQ(predictions.values, (std::vector<T>{1, 1, 5, 5, 5}));
    EXPECT_EQ(model.trees.trees[0].value[0], T{0});
  }
  // A row of weight 4 is four rows: the base is 202.5, and what is left of 1, 1, 4, 5 is split off.
  auto weighted = data;
  weighted.weights = {1, 1, 1, 1, 4};
  EXPECT_EQ(train(weighted, options).predict(*engine_of(Device::cpu), data.features.view()).values,
            (std::vector<T>{2.5, 2.5, 2.5, 2.5, 400}));
  EXPECT_EQ(train(weighted, options).trees, train(weighted, options, Device::cpu, 3).trees);
}

TYPED_TEST(Boosting, QuantilesHaveTheirShareOfRowsBelow) {
  using T = TypeParam;
  auto data = make<T>(4000, 4, 0, 7);
  const Random random(8, Purpose::test);
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    data.target[i] += static_cast<T>(random.normal(i));
  }
  for (const double share : {0.1, 0.5, 0.9}) {
    GradientBoostingOptions options;
    options.task = TaskChoice::regression;
    options.objective = BoostingObjective::quantile;
    options.quantile_alpha = share;
    options.rounds = 30;
    options.max_depth = 3;
    const auto values =
        train(data, options).predict(*engine_of(Device::cpu), data.features.view()).values;
    double below = 0;
    for (std::size_t i = 0; i < values.size(); ++i) below += data.target[i] < values[i] ? 1 : 0;
    EXPECT_NEAR(below / 4000, share, 0.03);
  }
}

TEST(BoostingOptions, RefuseConstraintsThatQuantilesWouldBreak) {
  GradientBoostingOptions options;
  options.objective = BoostingObjective::absolute_error;
  options.monotone_constraints = {1};
  EXPECT_THROW(options.check(), InputError);
}

// Queries of 20 rows; the relevance is a noisy step of the first feature, to which the query adds a
// level that says nothing of the order.
template <Real T>
Dataset<T> rankings(Index queries, std::uint64_t seed, Index most = 4) {
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  Dataset<T> data;
  data.source = "rankings";
  data.features = Matrix<T>(20 * queries, 3);
  data.columns = numbered_columns(3);
  data.target_column.name = "relevance";
  for (Index i = 0; i < data.rows(); ++i) {
    const double signal = random.uniform(next++);
    data.features(i, 0) = static_cast<T>(signal);
    data.features(i, 1) = static_cast<T>(i / 20);
    data.features(i, 2) = static_cast<T>(random.uniform(next++));
    const double noisy = std::clamp(signal + 0.1 * random.normal(next), 0.0, 1.0);
    next += 2;
    data.target.push_back(static_cast<T>(
        std::floor(noisy * static_cast<double>(most) * 0.999 + (most == 1 ? 0.3 : 0))));
    data.groups.push_back(1000 - i / 20);
  }
  return data;
}

TYPED_TEST(Boosting, LearnsToRank) {
  using T = TypeParam;
  const auto engine = engine_of(Device::cpu, 2);
  for (const auto objective : {BoostingObjective::rank_ndcg, BoostingObjective::rank_map,
                               BoostingObjective::rank_pairwise}) {
    const Index most = objective == BoostingObjective::rank_map ? 1 : 4;
    const auto data = rankings<T>(60, 1, most);
    const auto other = rankings<T>(40, 2, most);
    GradientBoostingOptions options;
    options.task = TaskChoice::regression;
    options.objective = objective;
    options.rounds = 40;
    options.max_depth = 3;
    options.min_child_weight = 0.1;
    const DatasetView<T> view = other.view();
    FitContext<T> context;
    context.validation = view;
    const auto model = fit(*engine, data, options, context);
    const auto& losses = model.log.history.at("validation_loss");
    EXPECT_LT(losses.back(), 0.12) << static_cast<int>(objective);
    // What the fit says is about what the metric says, which ranks the less relevant of equal rows
    // first.
    const auto scores = model.predict(*engine, other.features.view()).values;
    const auto measured = ranking_metrics<T>(group_starts(other), other.target, scores, 10);
    EXPECT_NEAR(1 - losses.back(),
                objective == BoostingObjective::rank_map ? measured.map : measured.ndcg, 0.02);
    expect_same(model, train(data, options, Device::cpu, 7, context));
  }
}

TYPED_TEST(Boosting, RefusesWhatCannotBeRanked) {
  using T = TypeParam;
  const auto refused = [](const Dataset<T>& data, BoostingObjective objective,
                          const std::string& what) {
    GradientBoostingOptions options;
    options.objective = objective;
    try {
      (void)train(data, options);
      ADD_FAILURE() << what;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(what));
    }
  };
  auto data = rankings<T>(3, 1);
  data.target[7] = T{32};
  refused(data, BoostingObjective::rank_ndcg, "row 8: the relevance relevance is 32");
  data.target[7] = static_cast<T>(1.5);
  refused(data, BoostingObjective::rank_pairwise, "whole numbers from 0 to 31");
  data.target[7] = T{2};
  refused(data, BoostingObjective::rank_map, "needs 0 or 1");
  data.target[7] = static_cast<T>(nan);
  refused(data, BoostingObjective::rank_ndcg, "row 8");
  data.target[7] = T{2};
  data.groups[7] = 1;
  refused(data, BoostingObjective::rank_ndcg, "row");
  data.groups.clear();
  refused(data, BoostingObjective::rank_ndcg, "says of no row which query it belongs to");
}

TYPED_TEST(Boosting, LogisticLeafByHand) {
  using T = TypeParam;
  const auto data = dataset<T>(1, {1, 2, 10, 11}, {0, 0, 1, 1});
  GradientBoostingOptions options;
  options.rounds = 1;
  options.learning_rate = 1;
  options.min_child_weight = 0;
  const auto model = train(data, options);
  EXPECT_EQ(model.objective, BoostingObjective::logistic);
  EXPECT_EQ(model.trees.base[0], T{0});
  // p = ½: G = ∓1, H = ½, so that the leaves are ±1/1.5.
  EXPECT_NEAR(model.trees.trees[0].value[1], -2.0 / 3, 1e-5);
  EXPECT_NEAR(model.trees.trees[0].value[2], 2.0 / 3, 1e-5);
  const auto p = model.predict(*engine_of(Device::cpu), data.features.view()).probabilities;
  EXPECT_NEAR(p(0, 0), 1 / (1 + std::exp(-2.0 / 3)), 1e-5);
  EXPECT_NEAR(p(0, 0) + p(0, 1), 1, 1e-6);
}

TYPED_TEST(Boosting, MissingValuesLearnASide) {
  using T = TypeParam;
  const auto data = dataset<T>(1, {1, 2, 10, 11, nan, nan}, {1, 1, 4, 4, 1, 1});
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.rounds = 20;
  options.learning_rate = 0.5;
  options.reg_lambda = 0;
  const auto model = train(data, options);
  EXPECT_EQ(model.trees.trees[0].flags[0], tree_missing_left);
  const auto values = model.predict(*engine_of(Device::cpu), data.features.view()).values;
  EXPECT_NEAR(values[4], 1, 1e-3);
  EXPECT_NEAR(values[3], 4, 1e-3);
  // Where only missing rows differ, known ones are split from them.
  const auto other = dataset<T>(1, {5, 5, nan, nan}, {1, 1, 3, 3});
  const auto split = train(other, options);
  EXPECT_EQ(split.trees.trees[0].threshold[0], std::numeric_limits<T>::max());
  EXPECT_NEAR(split.predict(*engine_of(Device::cpu), other.features.view()).values[3], 3, 1e-3);
}

template <Real T>
double mean_squared_error(const GradientBoostingModel<T>& model, const Dataset<T>& data) {
  const auto values = model.predict(*engine_of(Device::cpu), data.features.view()).values;
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double e = static_cast<double>(values[i] - data.target[i]);
    sum += e * e;
  }
  return sum / static_cast<double>(values.size());
}

TYPED_TEST(Boosting, LearnsARegression) {
  using T = TypeParam;
  const auto data = make<T>(4000, 6, 0, 1);
  const auto fresh = make<T>(1000, 6, 0, 2);
  GradientBoostingOptions options;
  options.rounds = 0;
  const double variance = mean_squared_error(train(data, options), fresh);
  options.rounds = 100;
  for (const GrowPolicy policy : {GrowPolicy::depthwise, GrowPolicy::lossguide}) {
    options.grow_policy = policy;
    options.max_leaves = policy == GrowPolicy::lossguide ? 31 : 0;
    EXPECT_LT(mean_squared_error(train(data, options, Device::cpu, 2), fresh), 0.06 * variance);
  }
}

TYPED_TEST(Boosting, LearnsClasses) {
  using T = TypeParam;
  for (const Index classes : {2, 4}) {
    const auto data = make<T>(3000, 5, classes, 3, 0.05);
    GradientBoostingOptions options;
    options.rounds = 30;
    const auto model = train(data, options, Device::cpu, 2);
    EXPECT_EQ(model.objective,
              classes == 2 ? BoostingObjective::logistic : BoostingObjective::softmax);
    EXPECT_EQ(static_cast<Index>(model.trees.trees.size()), classes == 2 ? 30 : 120);
    const auto labels = model.predict(*engine_of(Device::cpu), data.features.view()).labels;
    Index right = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      right += static_cast<T>(labels[i]) == data.target[i] ? 1 : 0;
    }
    EXPECT_GT(right, 2700);
  }
}

TYPED_TEST(Boosting, CountsHaveTheirMeans) {
  using T = TypeParam;
  auto data = make<T>(2000, 3, 0, 4);
  for (T& y : data.target) y = std::floor(std::exp(y));
  for (const auto objective :
       {BoostingObjective::poisson, BoostingObjective::tweedie, BoostingObjective::gamma}) {
    auto of_objective = data;
    if (objective == BoostingObjective::gamma) {
      for (T& y : of_objective.target) y += T{1};
    }
    GradientBoostingOptions options;
    options.task = TaskChoice::regression;
    options.objective = objective;
    options.rounds = 60;
    const auto model = train(of_objective, options);
    const auto values = model.predict(*engine_of(Device::cpu), data.features.view()).values;
    double predicted = 0;
    double actual = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_GT(values[i], 0);
      predicted += static_cast<double>(values[i]);
      actual += static_cast<double>(of_objective.target[i]);
    }
    EXPECT_NEAR(predicted / actual, 1, 0.05) << to_string(objective);
  }
}

TYPED_TEST(Boosting, GivesTheSameBitsForAnyThreadsAndInstructions) {
  using T = TypeParam;
  GradientBoostingOptions options;
  options.rounds = 4;
  for (const Index classes : {0, 2, 3}) {
    for (const bool sampled : {false, true}) {
      const auto data = make<T>(9000, 11, classes, 5, 0.1);
      options.subsample = sampled ? 0.7 : 1;
      options.colsample_bynode = sampled ? 0.5 : 1;
      options.grow_policy = sampled ? GrowPolicy::lossguide : GrowPolicy::depthwise;
      options.max_leaves = sampled ? 40 : 0;
      std::optional<GradientBoostingModel<T>> expected;
      for (const char* set : {"baseline", "avx2", "avx512"}) {
        try {
          cpu::limit_simd(set);
        } catch (const InputError&) {
          continue;
        }
        for (const int threads : {1, 2, 7}) {
          auto model = train(data, options, Device::cpu, threads);
          if (expected) expect_same(model, *expected);
          if (!expected) expected.emplace(std::move(model));
        }
      }
      cpu::limit_simd("avx512");
    }
  }
}

// Scores in training are those that the model gives.
TYPED_TEST(Boosting, GoesOnFromAModel) {
  using T = TypeParam;
  const auto data = make<T>(1500, 4, 0, 6);
  GradientBoostingOptions options;
  options.rounds = 12;
  options.colsample_bytree = 0.6;
  const auto whole = train(data, options);
  options.rounds = 5;
  const auto first = train(data, options);
  options.rounds = 7;
  const auto engine = engine_of(Device::cpu);
  const auto further = fit_further(*engine, first, data.view(), options);
  EXPECT_EQ(further.trees, whole.trees);
  auto other = make<T>(10, 3, 0, 6);
  EXPECT_THROW((void)fit_further(*engine, first, other.view(), options), InputError);
}

// Stops after each round with a checkpoint.
class StopEachRound final : public RunControl {
 public:
  explicit StopEachRound(std::optional<Archive>& state) : state_(state) {
    if (state) start_ = *state;
  }
  [[nodiscard]] bool stop_requested() const noexcept override { return true; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { state_ = state; }
  [[nodiscard]] const Archive* resume_state() const noexcept override {
    return start_ ? &*start_ : nullptr;
  }

 private:
  std::optional<Archive>& state_;
  std::optional<Archive> start_;
};

TYPED_TEST(Boosting, ResumesToTheSameBits) {
  using T = TypeParam;
  const auto data = make<T>(800, 4, 3, 7);
  GradientBoostingOptions options;
  options.rounds = 4;
  options.subsample = 0.8;
  options.validation_fraction = 0.2;
  const auto whole = train(data, options);
  std::optional<Archive> state;
  for (int stops = 0; stops < 4; ++stops) {
    StopEachRound control(state);
    FitContext<T> context;
    context.control = &control;
    EXPECT_THROW((void)train(data, options, Device::cpu, 2, context), Interrupted);
  }
  class Resume final : public RunControl {
   public:
    explicit Resume(const Archive& state) : state_(state) {}
    [[nodiscard]] const Archive* resume_state() const noexcept override { return &state_; }

   private:
    const Archive& state_;
  } control(*state);
  FitContext<T> context;
  context.control = &control;
  expect_same(train(data, options, Device::cpu, 1, context), whole);
  const auto other = make<T>(801, 4, 3, 7);
  EXPECT_THROW((void)train(other, options, Device::cpu, 1, context), InputError);
}

TYPED_TEST(Boosting, StopsEarlyAndKeepsTheBestRounds) {
  using T = TypeParam;
  auto data = make<T>(400, 4, 2, 8);
  const Random random(9, Purpose::test);
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    if (random.uniform(i) < 0.3) data.target[i] = T{1} - data.target[i];
  }
  GradientBoostingOptions options;
  options.rounds = 300;
  options.patience = 5;
  options.validation_fraction = 0.25;
  const auto model = train(data, options);
  const auto& losses = model.log.history.at("validation_loss");
  const auto best = std::min_element(losses.begin(), losses.end()) - losses.begin() + 1;
  EXPECT_LT(losses.size(), 300U);
  EXPECT_EQ(static_cast<std::ptrdiff_t>(losses.size()), best + 5);
  EXPECT_EQ(static_cast<std::ptrdiff_t>(model.trees.trees.size()), best);
  EXPECT_THAT(model.log.stopped_because, HasSubstr("has not improved for 5 rounds"));
}

TYPED_TEST(Boosting, KeepsToMonotoneConstraints) {
  using T = TypeParam;
  auto data = make<T>(2000, 2, 0, 10);
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    data.target[i] = std::sin(5 * data.features(static_cast<Index>(i), 0)) +
                     data.features(static_cast<Index>(i), 1);
  }
  GradientBoostingOptions options;
  options.rounds = 40;
  options.max_depth = 4;
  for (const std::int64_t direction : {1, -1}) {
    options.monotone_constraints = {direction, 0};
    const auto model = train(data, options);
    Matrix<T> grid(200, 2);
    for (Index k = 0; k < 200; ++k) {
      grid(k, 0) = static_cast<T>(static_cast<double>(k) / 100 - 1);
      grid(k, 1) = static_cast<T>(0.3);
    }
    const auto values = model.predict(*engine_of(Device::cpu), grid.view()).values;
    for (std::size_t k = 1; k < values.size(); ++k) {
      const double step = static_cast<double>(values[k] - values[k - 1]);
      EXPECT_GE(static_cast<double>(direction) * step, -1e-6);
    }
    EXPECT_NE(values.front(), values.back());
  }
}

TYPED_TEST(Boosting, RespectsLimits) {
  using T = TypeParam;
  const auto data = make<T>(2000, 5, 0, 11);
  GradientBoostingOptions options;
  options.rounds = 3;
  options.max_depth = 0;
  options.max_leaves = 17;
  for (const GrowPolicy policy : {GrowPolicy::depthwise, GrowPolicy::lossguide}) {
    options.grow_policy = policy;
    for (const auto& tree : train(data, options).trees.trees) EXPECT_EQ(tree.leaves(), 17);
  }
  options.max_leaves = 0;
  options.grow_policy = GrowPolicy::depthwise;
  options.max_depth = 3;
  options.min_child_weight = 150;
  options.max_delta_step = 0.05;
  options.learning_rate = 1;
  for (const auto& tree : train(data, options).trees.trees) {
    EXPECT_LE(tree.depth(), 3);
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      EXPECT_GE(tree.cover[i], 150);
      EXPECT_LE(std::abs(tree.value[i]), static_cast<T>(0.05));
    }
  }
  options = {};
  options.rounds = 1;
  options.min_split_loss = 1e9;
  EXPECT_EQ(train(data, options).trees.trees[0].size(), 1);
}

// A weight of 2 does what the row twice does.
TYPED_TEST(Boosting, WeightsAreCopies) {
  using T = TypeParam;
  auto data = make<T>(300, 3, 0, 12);
  Dataset<T> copied = data;
  std::vector<Index> rows;
  for (Index i = 0; i < data.rows(); ++i) {
    const auto copies = i % 3;
    data.weights.push_back(static_cast<T>(copies));
    for (Index c = 0; c < copies; ++c) rows.push_back(i);
  }
  copied = select_rows(copied.view(), rows);
  GradientBoostingOptions options;
  options.rounds = 5;
  const auto weighted = train(data, options);
  const auto repeated = train(copied, options);
  const auto engine = engine_of(Device::cpu);
  const auto a = weighted.predict(*engine, data.features.view()).values;
  const auto b = repeated.predict(*engine, data.features.view()).values;
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-3);
}

TYPED_TEST(Boosting, StartsFromBaseMargins) {
  using T = TypeParam;
  const auto data = make<T>(600, 4, 0, 13);
  GradientBoostingOptions options;
  options.rounds = 3;
  const auto first = train(data, options);
  const auto engine = engine_of(Device::cpu);
  const auto margin = first.trees.raw_scores(*engine, data.features.view());
  DatasetView<T> view = data.view();
  view.base_margin = margin.values();
  const auto second = fit(*engine, view, options);
  EXPECT_EQ(second.trees.base[0], T{0});
  EXPECT_LT(second.trees.trees[0].gain[0], first.trees.trees[0].gain[0]);
  view.base_margin = view.base_margin.first(5);
  EXPECT_THROW((void)fit(*engine, view, options), InputError);
}

TYPED_TEST(Boosting, APredictorGivesTheModelsBits) {
  using T = TypeParam;
  for (const Index classes : {0, 3}) {
    GradientBoostingOptions options;
    options.rounds = 4;
    const auto data = make<T>(300, 3, classes, 18, 0.1);
    const auto model = train(data, options);
    const auto engine = engine_of(Device::cpu);
    const auto expected = model.predict(*engine, data.features.view());
    const Predictor<T> predictor = model.on(*engine);
    for (int call = 0; call < 2; ++call) {
      const auto got = predictor.predict(data.features.view());
      EXPECT_EQ(got.values, expected.values);
      EXPECT_EQ(got.labels, expected.labels);
      EXPECT_EQ(got.probabilities, expected.probabilities);
    }
    const Matrix<T> narrow(1, 2);
    EXPECT_THROW((void)predictor.predict(narrow.view()), InputError);
  }
}

TYPED_TEST(Boosting, SavesAndLoads) {
  using T = TypeParam;
  for (const Index classes : {0, 3}) {
    GradientBoostingOptions options;
    options.rounds = 3;
    const auto model = train(make<T>(200, 3, classes, 14), options);
    Archive archive;
    model.save(archive);
    const auto loaded = GradientBoostingModel<T>::load(archive);
    expect_same(loaded, model);
    EXPECT_EQ(loaded.objective, model.objective);
    archive.set("objective", classes == 0 ? "softmax" : "poisson");
    EXPECT_THROW((void)GradientBoostingModel<T>::load(archive), InputError);
    EXPECT_THAT(model.to_text({"a", "b", "c"}), HasSubstr("importances"));
    EXPECT_EQ(nlohmann::json::parse(model.to_json({"a", "b", "c"}))["trees"].size(),
              model.trees.trees.size());
  }
}

TYPED_TEST(Boosting, RefusesWhatCannotBeTrainedOn) {
  using T = TypeParam;
  const auto good = make<T>(50, 2, 0, 15);
  struct Case {
    std::function<void(Dataset<T>&, GradientBoostingOptions&)> spoil;
    std::string message;
  };
  using Data = Dataset<T>;
  using Options = GradientBoostingOptions;
  const std::vector<Case> cases{
      {[](Data& d, Options&) { d.target[3] = static_cast<T>(nan); }, "row 4"},
      {[](Data& d, Options&) { d.features(2, 1) = std::numeric_limits<T>::infinity(); }, "row 3"},
      {[](Data& d, Options& o) {
         o.objective = BoostingObjective::poisson;
         d.target[0] = -1;
       },
       "poisson needs values of 0 or more"},
      {[](Data& d, Options& o) {
         o.objective = BoostingObjective::gamma;
         for (T& y : d.target) y = T{1} + std::abs(y);
         d.target[1] = 0;
       },
       "gamma needs values above 0"},
      {[](Data& d, Options&) { d.weights.assign(50, T{0}); }, "every row has weight 0"},
      {[](Data& d, Options&) {
         d.weights.assign(50, T{1});
         d.weights[7] = -1;
       },
       "row 8: the sample weight"},
      {[](Data&, Options& o) { o.monotone_constraints = {1}; }, "has 1 entries for 2 features"},
      {[](Data&, Options& o) { o.patience = 3; }, "needs validation rows"},
      {[](Data&, Options& o) { o.class_weight.rule = ClassWeights::Rule::balanced; },
       "is for classification"},
      {[](Data& d, Options& o) {
         o.objective = BoostingObjective::logistic;
         for (std::size_t i = 0; i < d.target.size(); ++i) d.target[i] = static_cast<T>(i % 3);
       },
       "use softmax"},
      {[](Data&, Options& o) {
         o.grow_policy = GrowPolicy::lossguide;
         o.max_depth = 0;
       },
       "lossguide needs"},
      {[](Data&, Options& o) { o.max_bins = 4097; }, "max_bins"},
      {[](Data&, Options& o) {
         o.task = TaskChoice::classification;
         o.objective = BoostingObjective::huber;
       },
       "huber"},
      {[](Data& d, Options&) {
         d.features = Matrix<T>(0, 2);
         d.target.clear();
       },
       "no rows"},
  };
  for (const auto& one : cases) {
    auto data = good;
    GradientBoostingOptions options;
    options.task = TaskChoice::automatic;
    options.rounds = 2;
    one.spoil(data, options);
    try {
      (void)train(data, options);
      ADD_FAILURE() << "accepted: " << one.message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(one.message));
    }
  }
  // Too large a step for the exponential.
  auto counts = make<T>(200, 2, 0, 16);
  for (T& y : counts.target) y = std::floor(std::abs(y) * 1000);
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.objective = BoostingObjective::poisson;
  options.learning_rate = 1e8;
  EXPECT_THROW((void)train(counts, options), NumericalError);
}

TYPED_TEST(Boosting, TakesAwkwardTables) {
  using T = TypeParam;
  GradientBoostingOptions options;
  options.rounds = 2;
  options.task = TaskChoice::regression;
  // One row; one distinct value; an all-missing column.
  EXPECT_EQ(train(dataset<T>(1, {3}, {5}), options).trees.trees[0].size(), 1);
  EXPECT_EQ(train(dataset<T>(1, {3, 3, 3}, {5, 6, 7}), options).trees.trees[0].size(), 1);
  EXPECT_EQ(train(dataset<T>(1, {nan, nan, nan}, {5, 6, 7}), options).trees.trees[0].size(), 1);
  const auto one_class = dataset<T>(1, {1, 2, 3}, {1, 1, 1});
  options.task = TaskChoice::classification;
  const auto model = train(one_class, options);
  EXPECT_EQ(model.predict(*engine_of(Device::cpu), one_class.features.view()).probabilities(0, 0),
            T{1});
  // Gradients of very different size are packed wide, among more rows than are packed so always.
  auto data = make<T>(5000, 3, 0, 17);
  data.target[5] = static_cast<T>(1e6);
  options.task = TaskChoice::regression;
  data.weights.assign(5000, static_cast<T>(0.5));
  const auto wide = train(data, options);
  EXPECT_GT(wide.trees.trees[0].size(), 3);
  expect_same(train(data, options, Device::cpu, 7), wide);
}

// A row of weight 2 is two rows, also beside a row whose gradient is far larger than all others.
TYPED_TEST(Boosting, WeightsAreRepeatedRows) {
  using T = TypeParam;
  GradientBoostingOptions options;
  options.rounds = 5;
  options.task = TaskChoice::regression;
  options.min_child_weight = 0;
  for (const double far : {3.0, 1e4}) {
    auto weighted = make<T>(200, 3, 0, 18);
    weighted.target[7] = static_cast<T>(far);
    std::vector<Index> rows;
    for (Index i = 0; i < 200; ++i) {
      weighted.weights.push_back(static_cast<T>(i % 3 + 1));
      rows.insert(rows.end(), static_cast<std::size_t>(i % 3 + 1), i);
    }
    auto repeated = select_rows(weighted, rows);
    repeated.weights.clear();
    const auto x = weighted.features.view();
    const auto expected = train(repeated, options).predict(*engine_of(Device::cpu), x).values;
    const auto values = train(weighted, options).predict(*engine_of(Device::cpu), x).values;
    // Gradients themselves are of T, and as exact as their size.
    const double bound = (std::is_same_v<T, float> ? 1e-6 : 1e-10) * std::max(1.0, far);
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_NEAR(values[i], expected[i], bound) << far;
  }
}

TEST(BoostingByName, KnowsOtherLibrariesNames) {
  const auto algorithm = make_algorithm("gradient-boosting");
  algorithm->set("n_estimators", 7).set("eta", 0.3).set("num_leaves", 31).set("lambda_l2", 2.0);
  algorithm->set("gamma", 0.5).set("min_sum_hessian_in_leaf", 3.0).set("max_bin", 63);
  algorithm->set("early_stopping_rounds", 4);
  const Archive options = algorithm->options();
  EXPECT_EQ(options.get_int("rounds"), 7);
  EXPECT_EQ(options.get_double("learning_rate"), 0.3);
  EXPECT_EQ(options.get_int("max_leaves"), 31);
  EXPECT_EQ(options.get_double("reg_lambda"), 2.0);
}

TEST(BoostingAgreement, Agrees) { test::expect_agreement("gradient-boosting", Device::reference); }

}  // namespace
}  // namespace tandem

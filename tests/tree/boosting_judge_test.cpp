// Objectives and metrics of the caller's own, and early stopping by any metric.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using test::dataset;
using test::engine_of;
using test::expect_same;
using test::logistic_by_hand;
using test::make;
using test::train;
using ::testing::HasSubstr;

template <class T>
class BoostingJudges : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BoostingJudges, Precisions);

// What each round is judged by is what evaluate() says of the model of those rounds, and the model
// that is kept is that of the best one.
TYPED_TEST(BoostingJudges, StopByAnyMetric) {
  using T = TypeParam;
  struct Case {
    Index classes;
    const char* metric;
  };
  for (const Case& one :
       {Case{2, "roc_auc"}, Case{2, "log_loss"}, Case{2, "f1_macro"}, Case{3, "average_precision"},
        Case{3, "brier"}, Case{0, "mae"}, Case{0, "r2"}}) {
    auto data = make<T>(300, 4, one.classes, 8);
    auto other = make<T>(200, 4, one.classes, 9);
    for (auto* noisy : {&data, &other}) {
      noisy->weights.assign(static_cast<std::size_t>(noisy->rows()), T{1});
      for (std::size_t i = 0; i < noisy->target.size(); i += 4) {
        noisy->weights[i] = T{2};
        noisy->target[i] = noisy->target[noisy->target.size() - 1 - i];
      }
    }
    GradientBoostingOptions options;
    options.rounds = 60;
    options.learning_rate = 0.3;
    options.patience = 4;
    options.eval_metric = one.metric;
    FitContext<T> context;
    const DatasetView<T> view = other.view();
    context.validation = view;
    const auto engine = engine_of(Device::cpu, 2);
    const auto model = fit(*engine, data, options, context);
    const auto& history = model.log.history.at("validation_" + std::string(one.metric));
    EXPECT_EQ(model.log.history.at("validation_loss").size(), history.size());
    const bool higher = better_direction(one.metric, model.task()) == Direction::higher;
    const auto best = (higher ? std::max_element(history.begin(), history.end())
                              : std::min_element(history.begin(), history.end())) -
                      history.begin();
    ASSERT_LT(history.size(), 60U) << one.metric;
    EXPECT_EQ(static_cast<std::ptrdiff_t>(history.size()), best + 1 + 4);
    EXPECT_EQ(static_cast<Index>(model.trees.trees.size()), (best + 1) * model.trees.outputs);
    EXPECT_EQ(evaluate(model, *engine, other).metrics.at(one.metric),
              history[static_cast<std::size_t>(best)])
        << one.metric;
    EXPECT_THAT(model.log.stopped_because, HasSubstr(one.metric));
    expect_same(fit(*engine_of(Device::cpu, 7), data, options, context), model);
  }
}

TYPED_TEST(BoostingJudges, RankingsStopByTheirMetrics) {
  using T = TypeParam;
  auto data = make<T>(600, 3, 0, 21);
  for (Index i = 0; i < data.rows(); ++i) {
    auto& y = data.target[static_cast<std::size_t>(i)];
    y = std::clamp(std::floor(y + T{1}), T{0}, T{3});
    data.groups.push_back(i / 15);
  }
  for (const auto objective : {BoostingObjective::rank_ndcg, BoostingObjective::squared_error}) {
    GradientBoostingOptions options;
    options.task = TaskChoice::regression;
    options.objective = objective;
    options.rounds = 5;
    options.validation_fraction = 0.3;
    options.eval_metric = "ndcg_at_5";
    const auto model = train(data, options);
    const auto& history = model.log.history.at("validation_ndcg_at_5");
    ASSERT_EQ(history.size(), 5U);
    for (const double value : history) {
      EXPECT_GT(value, 0.5);
      EXPECT_LE(value, 1);
    }
  }
  data.groups.clear();
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.validation_fraction = 0.3;
  options.eval_metric = "map";
  EXPECT_THROW((void)train(data, options), InputError);
}

// The derivatives of softmax, by the caller.
template <Real T>
CustomObjective<T> softmax_by_hand() {
  return {[](const ScoredRows<T>& rows, MatrixView<T> gradients, MatrixView<T> hessians) {
    for (Index i = 0; i < rows.scores.rows; ++i) {
      const auto s = rows.scores.row(i);
      const T largest = *std::max_element(s.begin(), s.end());
      T sum = 0;
      for (const T score : s) sum += math::exp(score - largest);
      for (Index k = 0; k < rows.scores.cols; ++k) {
        const T p = math::exp(rows.scores(i, k) - largest) / sum;
        const bool own = rows.target[static_cast<std::size_t>(i)] == static_cast<T>(k);
        gradients(i, k) = p - (own ? T{1} : T{0});
        hessians(i, k) = std::max(2 * (p * (1 - p)), static_cast<T>(1e-16));
      }
    }
  }};
}

TYPED_TEST(BoostingJudges, AnObjectiveOfOnesOwnGrowsTheTreesOfItsDerivatives) {
  using T = TypeParam;
  for (const Index classes : {2, 3}) {
    auto data = make<T>(700, 5, classes, 30, 0.1);
    data.weights.assign(700, static_cast<T>(1));
    for (std::size_t i = 0; i < 700; i += 3) data.weights[i] = static_cast<T>(i % 2 == 0 ? 0 : 2.5);
    GradientBoostingOptions options;
    options.rounds = 4;
    options.subsample = 0.8;
    const auto expected = train(data, options);
    FitContext<T> context;
    context.objective = classes == 2 ? logistic_by_hand<T>() : softmax_by_hand<T>();
    for (const int threads : {1, 3}) {
      const auto model = train(data, options, Device::cpu, threads, context);
      EXPECT_EQ(model.trees, expected.trees);
      EXPECT_EQ(model.objective, expected.objective);
    }
  }
}

// What a function is told: rows of weight 0 are not there, the others have their numbers.
TYPED_TEST(BoostingJudges, AnObjectiveOfOnesOwnKnowsItsRows) {
  using T = TypeParam;
  auto data = dataset<T>(1, {1, 2, 10, 11, 12}, {1, 1, 4, 4, 9});
  data.weights = {1, 1, 0, 2, 2};
  const std::vector<T> wanted{5, 5, 100, 7, 7};  // by the number of the row
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.rounds = 60;
  options.learning_rate = 0.5;
  FitContext<T> context;
  context.objective = CustomObjective<T>{
      [&](const ScoredRows<T>& rows, MatrixView<T> gradients, MatrixView<T> hessians) {
        EXPECT_EQ(std::vector<Index>(rows.numbers.begin(), rows.numbers.end()),
                  (std::vector<Index>{0, 1, 3, 4}));
        EXPECT_EQ(std::vector<T>(rows.weights.begin(), rows.weights.end()),
                  (std::vector<T>{1, 1, 2, 2}));
        for (Index i = 0; i < rows.scores.rows; ++i) {
          const auto number = static_cast<std::size_t>(rows.numbers[static_cast<std::size_t>(i)]);
          gradients(i, 0) = rows.scores(i, 0) - wanted[number];
          hessians(i, 0) = T{1};
        }
      }};
  const auto model = train(data, options, Device::cpu, 1, context);
  const auto values = model.predict(*engine_of(Device::cpu), data.features.view()).values;
  EXPECT_NEAR(values[0], 5, 1e-3);
  EXPECT_NEAR(values[4], 7, 1e-3);
}

TYPED_TEST(BoostingJudges, AMetricOfOnesOwnStops) {
  using T = TypeParam;
  const auto data = make<T>(400, 3, 0, 31);
  GradientBoostingOptions options;
  options.rounds = 50;
  options.patience = 3;
  options.validation_fraction = 0.25;
  FitContext<T> context;
  // Its values are best at the seventh round.
  for (const Direction better : {Direction::higher, Direction::lower}) {
    int round = 0;
    context.metric = CustomMetric<T>{"closeness_to_seven", better, [&](const ScoredRows<T>& rows) {
                                       EXPECT_EQ(rows.scores.rows, 100);
                                       const double off = std::abs(++round - 7);
                                       return better == Direction::higher ? -off : off;
                                     }};
    const auto model = train(data, options, Device::cpu, 1, context);
    EXPECT_EQ(model.trees.trees.size(), 7U);
    EXPECT_EQ(model.log.history.at("validation_closeness_to_seven").size(), 10U);
  }
}

TYPED_TEST(BoostingJudges, RefuseWhatCannotBe) {
  using T = TypeParam;
  using Options = GradientBoostingOptions;
  using Context = FitContext<T>;
  const CustomMetric<T> metric{"mine", Direction::lower, [](const ScoredRows<T>&) { return 1.0; }};
  const auto objective = [](T gradient, T hessian) {
    return CustomObjective<T>{
        [=](const ScoredRows<T>& rows, MatrixView<T> gradients, MatrixView<T> hessians) {
          for (Index i = 0; i < rows.scores.rows; ++i) {
            gradients(i, 0) = i == 6 ? gradient : T{1};
            hessians(i, 0) = i == 6 ? hessian : T{1};
          }
        }};
  };
  const T nan = std::numeric_limits<T>::quiet_NaN();
  struct Refusal {
    std::function<void(Options&, Context&)> spoil;
    std::string message;
  };
  const std::vector<Refusal> refusals{
      {[](Options& o, Context&) { o.eval_metric = "mae"; }, "eval_metric needs validation rows"},
      {[&](Options&, Context& c) { c.metric = metric; }, "the metric mine needs validation rows"},
      {[](Options& o, Context&) { o.eval_metric = "roc_auc"; },
       "eval_metric: 'roc_auc' is no metric of regression; expected one of"},
      {[&](Options& o, Context& c) {
         o.eval_metric = "mae";
         c.metric = metric;
       },
       "give one of them"},
      {[](Options& o, Context& c) {
         o.validation_fraction = 0.2;
         c.metric = CustomMetric<T>{"", Direction::lower, {}};
       },
       "needs a function and a name"},
      {[&](Options& o, Context& c) {
         o.validation_fraction = 0.2;
         o.patience = 2;
         c.objective = objective(1, 1);
       },
       "needs a metric to go by"},
      {[](Options&, Context& c) { c.objective = CustomObjective<T>{}; }, "has no function"},
      {[&](Options&, Context& c) { c.objective = objective(nan, 1); },
       "round 1: the objective of the fit's own gives row 7 a first derivative of nan"},
      {[&](Options&, Context& c) { c.objective = objective(1, -2); },
       "gives row 7 a second derivative of -2, expected a finite number, 0 or more"},
      {[](Options&, Context& c) {
         c.objective = CustomObjective<T>{
             [](const ScoredRows<T>&, MatrixView<T>, MatrixView<T>) {}};  // fills nothing
       },
       "gives row 1 a first derivative of nan"},
  };
  const auto data = make<T>(50, 2, 0, 15);
  for (const Refusal& refusal : refusals) {
    Options options;
    options.task = TaskChoice::regression;
    options.rounds = 3;
    Context context;
    refusal.spoil(options, context);
    try {
      (void)train(data, options, Device::cpu, 1, context);
      ADD_FAILURE() << "accepted: " << refusal.message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(refusal.message));
    }
  }
  // A metric that is not defined on the rows: one class only.
  auto classes = make<T>(60, 2, 2, 15);
  auto one_class = classes;
  one_class.target.assign(60, T{1});
  Options options;
  options.eval_metric = "roc_auc";
  Context context;
  const DatasetView<T> view = one_class.view();
  context.validation = view;
  try {
    (void)train(classes, options, Device::cpu, 1, context);
    ADD_FAILURE();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("roc_auc is not defined on the validation rows"));
  }
  context = {};
  context.objective = objective(1, 1);
  EXPECT_THROW((void)fit(*engine_of(Device::cpu), classes, DecisionTreeOptions{}, context),
               InputError);
  context = {};
  options = {};
  options.task = TaskChoice::regression;
  options.validation_fraction = 0.2;
  context.metric =
      CustomMetric<T>{"mine", Direction::lower, [](const ScoredRows<T>&) { return std::nan(""); }};
  EXPECT_THROW((void)train(data, options, Device::cpu, 1, context), NumericalError);
}

// Second derivatives of rankings count: of one pair of equal scores, without normalisation, they
// are ¼ each, and gradients ∓½.
TYPED_TEST(BoostingJudges, RankingLeafByHand) {
  using T = TypeParam;
  auto data = dataset<T>(1, {1, 2}, {0, 1});
  data.groups = {0, 0};
  GradientBoostingOptions options;
  options.objective = BoostingObjective::rank_pairwise;
  options.task = TaskChoice::regression;
  options.rank_normalization = false;
  options.rounds = 1;
  options.learning_rate = 1;
  options.min_child_weight = 0;
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto model = train(data, options, device);
    ASSERT_EQ(model.trees.trees.at(0).size(), 3);
    EXPECT_NEAR(model.trees.trees[0].value[1], -0.5 / (0.25 + 1), 1e-5);
    EXPECT_NEAR(model.trees.trees[0].value[2], 0.5 / (0.25 + 1), 1e-5);
  }
}

}  // namespace
}  // namespace tandem

#include "tandem/model/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.hpp"
#include "tandem/core/error.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tandem/tree/tree_model.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

// y = 4·a + b, c is noise; a in [0, 1), b is 0 or 1.
Dataset<double> made(Index rows) {
  const Random random(3, Purpose::test);
  Dataset<double> data;
  data.source = "made";
  data.features = Matrix<double>(rows, 3);
  data.columns = {{"a", {}}, {"b", {}}, {"c", {}}};
  data.target_column = {"y", {}};
  for (Index i = 0; i < rows; ++i) {
    const auto n = static_cast<std::uint64_t>(3 * i);
    const double a = random.uniform(n);
    const double b = random.uniform(n + 1) < 0.5 ? 0 : 1;
    data.features(i, 0) = a;
    data.features(i, 1) = b;
    data.features(i, 2) = random.uniform(n + 2);
    data.target.push_back(4 * a + b);
  }
  return data;
}

Pipeline<double> trained(Engine& engine, const Dataset<double>& data, const std::string& name) {
  PipelineOptions options(name);
  options.set("task", "regression");
  return fit_pipeline(engine, data, options);
}

TEST(PermutationImportance, TellsWhatHelpsFromNoise) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 2});
  const Dataset<double> data = made(400);
  const auto model = trained(*engine, data, "gradient-boosting");
  PermutationOptions options;
  options.repeats = 4;
  options.seed = 9;
  const auto found = permutation_importance(*engine, model, data, options);
  EXPECT_EQ(found.metric, "r2");
  EXPECT_GT(found.baseline, 0.98);
  // var(4a) = 16/12, var(b) = 1/4: shuffled, each costs twice its share of the variance.
  EXPECT_NEAR(found.mean[0], 2 * (16.0 / 12) / (16.0 / 12 + 0.25), 0.15);
  EXPECT_NEAR(found.mean[1], 2 * 0.25 / (16.0 / 12 + 0.25), 0.05);
  EXPECT_NEAR(found.mean[2], 0, 0.01);
  // Mean and spread are those of the drops.
  double sum = 0;
  for (const double drop : found.drops.row(0)) sum += drop;
  EXPECT_DOUBLE_EQ(found.mean[0], sum / 4);
  double squares = 0;
  for (const double drop : found.drops.row(0)) {
    squares += (drop - found.mean[0]) * (drop - found.mean[0]);
  }
  EXPECT_DOUBLE_EQ(found.deviation[0], std::sqrt(squares / 3));
  EXPECT_GT(found.deviation[0], 0);
  // A function of the seed, whatever the engine.
  const auto one = Engine::create({.device = Device::cpu, .threads = 1});
  EXPECT_EQ(permutation_importance(*one, model, data, options).drops, found.drops);
  options.seed = 10;
  EXPECT_NE(permutation_importance(*engine, model, data, options).drops, found.drops);
  // A metric that is better where it is lower drops to the same side.
  options.metric = "rmse";
  EXPECT_GT(permutation_importance(*engine, model, data, options).mean[0], 0.5);
}

// A row of weight 2 is two rows, one of weight 0 none.
TEST(PartialDependence, WeighsItsGridAndItsMeans) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  Dataset<double> weighted = made(300);
  const auto model = trained(*engine, weighted, "decision-tree");
  std::vector<Index> repeated;
  std::vector<Index> counting;
  for (Index i = 0; i < weighted.rows(); ++i) {
    const Index weight = i % 7 == 0 ? 0 : 1 + i % 3;
    weighted.weights.push_back(static_cast<double>(weight));
    repeated.insert(repeated.end(), static_cast<std::size_t>(weight), i);
    if (weight > 0) counting.push_back(i);
  }
  Dataset<double> rows = select_rows(weighted, repeated);
  rows.weights.clear();
  PartialDependenceOptions options;
  options.points = 11;
  const auto by_weights = partial_dependence(*engine, model, weighted, 0, options);
  const auto by_rows = partial_dependence(*engine, model, rows, 0, options);
  EXPECT_EQ(by_weights.grid, by_rows.grid);
  ASSERT_EQ(by_weights.grid.size(), 11U);
  for (std::size_t p = 0; p < by_weights.grid.size(); ++p) {
    EXPECT_NEAR(by_weights.mean(static_cast<Index>(p), 0), by_rows.mean(static_cast<Index>(p), 0),
                1e-12);
  }
  PermutationOptions shuffles;
  shuffles.repeats = 2;
  EXPECT_EQ(
      permutation_importance(*engine, model, weighted, shuffles).drops,
      permutation_importance(*engine, model, select_rows(weighted, counting), shuffles).drops);
}

TEST(PermutationImportance, RefusesMetricsThatThereAreNot) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Dataset<double> data = made(60);
  const auto model = trained(*engine, data, "decision-tree");
  PermutationOptions options;
  options.metric = "accuracy";
  EXPECT_THROW((void)permutation_importance(*engine, model, data, options), InputError);
  options.metric = "r2";
  const Dataset<double> one = select_rows(data, {0});
  try {
    (void)permutation_importance(*engine, model, one, options);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("r2 is not defined on these rows"));
  }
}

TEST(PartialDependence, IsTheMeanPredictionAtEachValue) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Dataset<double> data = made(300);
  const auto model = trained(*engine, data, "gradient-boosting");
  const auto binary = partial_dependence(*engine, model, data, 1);
  EXPECT_EQ(binary.grid, (std::vector<double>{0, 1}));
  EXPECT_NEAR(binary.mean(1, 0) - binary.mean(0, 0), 1, 0.05);
  const auto curve = partial_dependence(*engine, model, data, 0, {.points = 11});
  ASSERT_EQ(curve.grid.size(), 11U);
  EXPECT_NEAR(curve.grid[5], 0.5, 0.1);
  for (std::size_t p = 1; p < 11; ++p) EXPECT_LT(curve.grid[p - 1], curve.grid[p]);
  // Against the definition at one point.
  Dataset<double> changed = data;
  for (Index i = 0; i < data.rows(); ++i) changed.features(i, 0) = curve.grid[3];
  const auto predicted = model.predict(*engine, changed).values;
  double sum = 0;
  for (const double value : predicted) sum += value;
  EXPECT_NEAR(curve.mean(3, 0), sum / 300, 1e-12);
  // Weights count: of one row there is its value, and what is predicted of it.
  Dataset<double> weighted = data;
  weighted.weights.assign(300, 0);
  weighted.weights[7] = 2;
  const auto of_one = partial_dependence(*engine, model, weighted, 0, {.points = 11});
  EXPECT_EQ(of_one.grid, std::vector<double>{data.features(7, 0)});
  EXPECT_DOUBLE_EQ(of_one.mean(0, 0), model.predict(*engine, data).values[7]);
  EXPECT_THROW((void)partial_dependence(*engine, model, data, 3), InputError);
}

// Base and Shapley values of trained models add up to what they predict.
TEST(TreeModels, AreExplainedToTheLastUnit) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Dataset<double> data = made(200);
  for (const std::string name : {"gradient-boosting", "decision-tree"}) {
    const auto model = trained(*engine, data, name);
    const auto trees = tree_ensemble_of(*model.model);
    ASSERT_TRUE(trees);
    trees->check("test");
    const ShapValues shap = shap_values(*engine, *trees, data.features.view());
    const auto predicted = model.model->predict(*engine, data.features.view()).values;
    for (Index i = 0; i < data.rows(); ++i) {
      double sum = shap.expected[0];
      for (Index f = 0; f < 3; ++f) sum += shap(i, 0, f);
      EXPECT_NEAR(sum, predicted[static_cast<std::size_t>(i)], 1e-12);
    }
  }
}

TEST(TreeModels, HaveASharePerClassAndTheGainsOfTheirSplits) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  Dataset<double> data = made(150);
  for (double& y : data.target) y = y < 1.5 ? 0 : y < 3 ? 1 : 2;
  DecisionTreeOptions options;
  options.task = TaskChoice::classification;
  options.max_depth = 3;
  const auto tree = fit(*engine, data.view(), options);
  const auto ensemble = tree_ensemble_of<double>(tree);
  ASSERT_TRUE(ensemble);
  EXPECT_EQ(ensemble->raw_scores(*engine, data.features.view()),
            tree.predict(*engine, data.features.view()).probabilities);
  auto shares = ensemble->importances(ImportanceKind::total_gain);
  double total = 0;
  for (const double gain : shares) total += gain;
  for (std::size_t f = 0; f < 3; ++f) EXPECT_NEAR(shares[f] / total, tree.importances()[f], 1e-12);
}

}  // namespace
}  // namespace tandem

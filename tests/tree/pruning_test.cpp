#include "tandem/tree/pruning.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/tree/pruning_choice.hpp"

namespace tandem {
namespace {

// Eight rows, four of each class:
//   0: 4 a, 4 b, gini 1/2          R = 1/2
//   ├─ 1: 4 a, 1 b, gini 8/25      R = 5/8 · 8/25 = 1/5
//   │  ├─ 2: 4 a                   R = 0
//   │  └─ 3: 1 b                   R = 0
//   └─ 4: 3 b                      R = 0
DecisionTreeModel<double> small_tree() {
  DecisionTreeModel<double> tree;
  tree.feature_count = 1;
  tree.class_names = {"a", "b"};
  tree.nodes.feature = {0, 0, -1, -1, -1};
  tree.nodes.threshold = {5.5, 4.5, 0, 0, 0};
  tree.nodes.left = {1, 2, -1, -1, -1};
  tree.nodes.right = {4, 3, -1, -1, -1};
  tree.nodes.missing_left = {1, 1, 0, 0, 0};
  tree.nodes.rows = {8, 5, 4, 1, 3};
  tree.nodes.weight = {8, 5, 4, 1, 3};
  tree.nodes.impurity = {0.5, 0.32, 0, 0, 0};
  tree.values = Matrix<double>(5, 2, std::vector<double>{4, 4, 4, 1, 4, 0, 0, 1, 0, 3});
  tree.log.stopped_because = "every leaf is pure";
  return tree;
}

TEST(Pruning, ThePathIsTheOneDerivedByHand) {
  // Node 1 is worth (1/5 − 0) / (2 − 1) = 1/5 per leaf, the root (1/2 − 0) / (3 − 1) = 1/4: node 1
  // goes first. Without it the root is worth (1/2 − 1/5) / (2 − 1) = 3/10.
  const PruningPath path = pruning_path(small_tree());
  ASSERT_EQ(path.size(), 3U);
  EXPECT_EQ(path.leaves, (std::vector<Index>{3, 2, 1}));
  EXPECT_EQ(path.alphas[0], 0);
  EXPECT_DOUBLE_EQ(path.alphas[1], 0.2);
  EXPECT_DOUBLE_EQ(path.alphas[2], 0.3);
  EXPECT_EQ(path.impurities[0], 0);
  EXPECT_DOUBLE_EQ(path.impurities[1], 0.2);
  EXPECT_DOUBLE_EQ(path.impurities[2], 0.5);
}

TEST(Pruning, ANodeThatIsCutIsALeafWithItsOwnValue) {
  const auto two = pruned(small_tree(), 0.25);
  EXPECT_EQ(two.nodes.feature, (std::vector<std::int32_t>{0, -1, -1}));
  EXPECT_EQ(two.nodes.left, (std::vector<std::int64_t>{1, -1, -1}));
  EXPECT_EQ(two.nodes.right, (std::vector<std::int64_t>{2, -1, -1}));
  EXPECT_EQ(two.nodes.rows, (std::vector<std::int64_t>{8, 5, 3}));
  EXPECT_EQ(two.values.values(), (std::vector<double>{4, 4, 4, 1, 0, 3}));
  EXPECT_EQ(two.nodes.threshold, (std::vector<double>{5.5, 0, 0}));
  EXPECT_EQ(two.log.iterations, 1);
  EXPECT_EQ(two.log.history.at("nodes"), (std::vector<double>{1, 2}));
  EXPECT_EQ(two.log.stopped_because, "every leaf is pure; pruned from 3 to 2 leaves");
  EXPECT_EQ(pruned(small_tree(), 0.3).nodes.size(), 1);
  EXPECT_EQ(pruned(small_tree(), 0), small_tree());
  EXPECT_THROW((void)pruned(small_tree(), -0.1), InputError);
  EXPECT_THROW((void)pruned(small_tree(), NAN), InputError);
}

TEST(Pruning, SplitsThatLowerNothingGoFirst) {
  auto tree = small_tree();
  // Both halves as mixed as the whole.
  tree.nodes.impurity = {0.5, 0.32, 0.32, 0.32, 0};
  const PruningPath path = pruning_path(tree);
  EXPECT_EQ(path.leaves, (std::vector<Index>{3, 2, 1}));
  EXPECT_EQ(path.alphas[1], std::numeric_limits<double>::denorm_min());
  EXPECT_EQ(pruned(tree, path.alphas[1]).leaves(), 2);
  // A tree of one leaf is all of its path.
  EXPECT_EQ(pruning_path(pruned(tree, 1)).size(), 1U);
}

Dataset<double> noisy_rows(Index rows, bool classes) {
  Dataset<double> data;
  data.source = "rows";
  data.features = Matrix<double>(rows, 3);
  data.columns = numbered_columns(3);
  std::mt19937_64 generator(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < 3; ++j) {
      data.features(i, j) = uniform(generator);
    }
    const double noise = uniform(generator);
    const double signal = data.features(i, 0) + 0.5 * data.features(i, 1) + 0.6 * noise;
    data.target.push_back(classes ? (signal > 1 ? 1.0 : 0.0) : signal);
  }
  data.target_column.name = "y";
  return data;
}

// The least cost of a subtree below `node` and its leaves, the smaller tree among equals: by
// recursion over both choices, another way than the weakest links.
template <Real T>
std::pair<double, Index> least_cost(const DecisionTreeModel<T>& tree, Index node, double alpha) {
  const auto i = static_cast<std::size_t>(node);
  const double as_leaf =
      tree.nodes.impurity[i] * (tree.nodes.weight[i] / tree.nodes.weight[0]) + alpha;
  if (tree.nodes.feature[i] < 0) return {as_leaf, 1};
  const auto left = least_cost(tree, tree.nodes.left[i], alpha);
  const auto right = least_cost(tree, tree.nodes.right[i], alpha);
  const double split = left.first + right.first;
  if (as_leaf <= split + 1e-14) return {as_leaf, 1};
  return {split, left.second + right.second};
}

TEST(Pruning, EveryTreeOfThePathHasTheLeastCost) {
  const auto engine = Engine::create();
  for (const bool classes : {true, false}) {
    const auto data = noisy_rows(300, classes);
    const auto tree = fit(*engine, data.view(), DecisionTreeOptions{});
    const PruningPath path = pruning_path(tree);
    ASSERT_GT(path.size(), 10U);
    EXPECT_EQ(path.leaves.front(), tree.leaves());
    EXPECT_EQ(path.leaves.back(), 1);
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
      EXPECT_LT(path.alphas[i], path.alphas[i + 1]);
      EXPECT_GT(path.leaves[i], path.leaves[i + 1]);
      if (path.alphas[i + 1] - path.alphas[i] < 1e-12) continue;  // equal but for rounding
      const double alpha = (path.alphas[i] + path.alphas[i + 1]) / 2;
      const auto smaller = pruned(tree, alpha);
      EXPECT_EQ(smaller.leaves(), path.leaves[i]);
      const auto [cost, leaves] = least_cost(tree, 0, alpha);
      EXPECT_EQ(leaves, path.leaves[i]);
      EXPECT_NEAR(cost, path.impurities[i] + alpha * static_cast<double>(leaves), 1e-12);
      // As the option does it.
      DecisionTreeOptions options;
      options.ccp_alpha = alpha;
      EXPECT_EQ(fit(*engine, data.view(), options), smaller);
    }
  }
}

TEST(Pruning, EnginesPruneToTheSameBits) {
  const auto data = noisy_rows(400, true);
  DecisionTreeOptions options;
  options.ccp_alpha = 0.004;
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 3});
  const auto one = Engine::create({.device = Device::cpu, .threads = 1});
  const auto model = fit(*cpu, data.view(), options);
  EXPECT_EQ(model, fit(*one, data.view(), options));
  EXPECT_LT(model.leaves(), fit(*cpu, data.view(), DecisionTreeOptions{}).leaves());
}

TEST(PruningChoice, FindsATreeThatIsSmallerAndNoWorse) {
  const auto engine = Engine::create();
  const auto data = noisy_rows(600, true);
  RunControl control;
  PruningOptions options;
  const PruningChoice choice =
      choose_pruning(PipelineOptions("decision-tree"), data, options, *engine, control);
  EXPECT_EQ(choice.metric, "accuracy");
  ASSERT_EQ(choice.scores.size(), choice.tried.size());
  EXPECT_EQ(choice.tried.front(), 0U);
  EXPECT_EQ(choice.tried.back(), choice.path.size() - 1);
  EXPECT_GE(choice.chosen, choice.best);
  EXPECT_GE(choice.scores[choice.best].mean, choice.scores.front().mean);
  EXPECT_LT(choice.path.leaves[choice.tried[choice.chosen]], choice.path.leaves.front() / 3);
  // The whole tree's scores are those of cross-validation without pruning.
  const auto whole =
      cross_validate(PipelineOptions("decision-tree"), data, options.validation, *engine, control);
  EXPECT_EQ(choice.scores.front().mean, whole.summary.at("accuracy").mean);
  // What is told to train by is the tree that was chosen.
  DecisionTreeOptions train;
  train.ccp_alpha = choice.alpha();
  EXPECT_EQ(fit(*engine, data.view(), train).leaves(),
            choice.path.leaves[choice.tried[choice.chosen]]);
  options.rule = PruningRule::best;
  const auto best =
      choose_pruning(PipelineOptions("decision-tree"), data, options, *engine, control);
  EXPECT_EQ(best.chosen, best.best);
  options.most = 5;
  EXPECT_LE(choose_pruning(PipelineOptions("decision-tree"), data, options, *engine, control)
                .tried.size(),
            6U);
  EXPECT_THROW((void)choose_pruning(PipelineOptions("kmeans"), data, options, *engine, control),
               InputError);
}

}  // namespace
}  // namespace tandem

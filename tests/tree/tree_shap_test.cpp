#include "tandem/tree/tree_shap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "core/tree/tree_shap_steps.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "tandem/core/error.hpp"
#include "tandem/tree/tree_explainer.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

// What a tree expects of a row of which the features in `known` (a bit each) are known.
double expectation(const EnsembleTree<double>& tree, std::span<const double> row,
                   std::uint32_t known, std::size_t node = 0) {
  if (tree.feature[node] < 0) return tree.value[node];
  const auto left = static_cast<std::size_t>(tree.left[node]);
  const auto right = static_cast<std::size_t>(tree.right[node]);
  const auto feature = static_cast<std::size_t>(tree.feature[node]);
  if (((known >> feature) & 1) != 0) {
    const double x = row[feature];
    const bool goes_left =
        std::isnan(x) ? (tree.flags[node] & tree_missing_left) != 0 : x <= tree.threshold[node];
    return expectation(tree, row, known, goes_left ? left : right);
  }
  return (tree.cover[left] * expectation(tree, row, known, left) +
          tree.cover[right] * expectation(tree, row, known, right)) /
         (tree.cover[left] + tree.cover[right]);
}

double factorial(int n) { return n <= 1 ? 1 : n * factorial(n - 1); }

// The definition: over all sets of the other features.
double shapley(const TreeEnsemble<double>& trees, std::span<const double> row, int feature) {
  const int n = static_cast<int>(trees.features);
  double sum = 0;
  for (std::uint32_t set = 0; set < (1U << n); ++set) {
    if (((set >> feature) & 1) != 0) continue;
    const int k = std::popcount(set);
    const double weight = factorial(k) * factorial(n - 1 - k) / factorial(n);
    for (const auto& tree : trees.trees) {
      sum += weight * (expectation(tree, row, set | (1U << feature)) - expectation(tree, row, set));
    }
  }
  return sum;
}

double shapley_of_pair(const TreeEnsemble<double>& trees, std::span<const double> row, int a,
                       int b) {
  const int n = static_cast<int>(trees.features);
  double sum = 0;
  for (std::uint32_t set = 0; set < (1U << n); ++set) {
    if (((set >> a) & 1) != 0 || ((set >> b) & 1) != 0) continue;
    const int k = std::popcount(set);
    const double weight = factorial(k) * factorial(n - 2 - k) / (2 * factorial(n - 1));
    const std::uint32_t with_a = set | (1U << a);
    const std::uint32_t with_b = set | (1U << b);
    for (const auto& tree : trees.trees) {
      sum += weight * (expectation(tree, row, with_a | with_b) - expectation(tree, row, with_a) -
                       expectation(tree, row, with_b) + expectation(tree, row, set));
    }
  }
  return sum;
}

// Features repeat along paths; covers are uneven, some of them 0.
TreeEnsemble<double> random_trees(Index features, Index depth, Index count) {
  const Random random(5, Purpose::test, static_cast<std::uint32_t>(depth));
  std::uint64_t next = 0;
  TreeEnsemble<double> ensemble;
  ensemble.features = features;
  ensemble.base = {0.25};
  for (Index t = 0; t < count; ++t) {
    EnsembleTree<double> tree;
    tree.add_leaf(random.normal(next++), 100);
    std::vector<std::pair<Index, Index>> open{{0, 0}};
    while (!open.empty()) {
      const auto [node, at] = open.back();
      open.pop_back();
      if (at == depth || (at > 1 && random.below(5, next++) == 0)) continue;
      const double cover = tree.cover[static_cast<std::size_t>(node)];
      const double share = random.uniform(next++);
      const Index left = tree.add_leaf(random.normal(next++), cover * share);
      const Index right = tree.add_leaf(random.normal(next++), cover - cover * share);
      const auto feature = static_cast<std::int32_t>(random.below(features, next++));
      const double threshold = random.normal(next++);
      tree.split(node, feature, threshold, left, right, random.below(2, next++) == 0);
      open.emplace_back(left, at + 1);
      open.emplace_back(right, at + 1);
    }
    ensemble.trees.push_back(std::move(tree));
  }
  return ensemble;
}

Matrix<double> random_rows(Index rows, Index features) {
  const Random random(6, Purpose::test);
  Matrix<double> x(rows, features);
  for (Index e = 0; e < x.size(); ++e) {
    x.values()[static_cast<std::size_t>(e)] =
        random.below(7, static_cast<std::uint64_t>(3 * e)) == 0
            ? NAN
            : random.normal(static_cast<std::uint64_t>(e));
  }
  return x;
}

TEST(TreeShap, IsTheDefinitionOverAllSets) {
  for (const Index depth : {1, 2, 5, 9}) {
    const auto trees = random_trees(6, depth, 3);
    const auto x = random_rows(11, 6);
    for (const Device device : {Device::reference, Device::cpu}) {
      const auto engine = engine_of(device);
      const ShapValues found = shap_values(*engine, trees, x.view());
      const ShapInteractions pairs = shap_interactions(*engine, trees, x.view());
      ASSERT_EQ(found.outputs(), 1);
      for (Index i = 0; i < x.rows(); ++i) {
        for (Index f = 0; f < 6; ++f) {
          EXPECT_NEAR(found(i, 0, f), shapley(trees, x.row(i), static_cast<int>(f)), 1e-13);
          double sum = 0;
          for (Index g = 0; g < 6; ++g) {
            sum += pairs(i, 0, f, g);
            if (g == f) continue;
            EXPECT_NEAR(pairs(i, 0, f, g),
                        shapley_of_pair(trees, x.row(i), static_cast<int>(f), static_cast<int>(g)),
                        1e-13);
            EXPECT_EQ(pairs(i, 0, f, g), pairs(i, 0, g, f));
          }
          EXPECT_NEAR(sum, found(i, 0, f), 1e-13);
        }
      }
    }
  }
}

// Deep trees over many features: where recurrences that divide lose digits.
TEST(TreeShap, AddsUpToTheScoreAtAnyDepth) {
  for (const Index depth : {1, 8, 13}) {
    const auto trees = random_trees(60, depth, 4);
    const auto x = random_rows(70, 60);
    const auto engine = engine_of(Device::cpu);
    const ShapValues found = shap_values(*engine, trees, x.view());
    const Matrix<double> scores = trees.raw_scores(*engine, x.view());
    for (Index i = 0; i < x.rows(); ++i) {
      double sum = found.expected[0];
      double magnitudes = std::abs(sum);
      for (Index f = 0; f < 60; ++f) {
        sum += found(i, 0, f);
        magnitudes += std::abs(found(i, 0, f));
      }
      EXPECT_NEAR(sum, scores(i, 0), 1e-13 * magnitudes);
    }
  }
}

TEST(TreeShap, OneRowAfterAnotherHasTheSameBits) {
  const auto trees = random_trees(20, 6, 7);
  const auto x = random_rows(40, 20);
  const ShapValues together = shap_values(*engine_of(Device::cpu), trees, x.view());
  const TreeExplainer<double> explainer(trees);
  EXPECT_EQ(explainer.features(), 20);
  EXPECT_EQ(explainer.outputs(), 1);
  EXPECT_EQ(explainer.expected()[0], together.expected[0]);
  std::vector<double> values(20);
  for (Index i = 0; i < x.rows(); ++i) {
    explainer.explain(x.row(i), values);
    for (Index f = 0; f < 20; ++f) {
      EXPECT_EQ(values[static_cast<std::size_t>(f)], together(i, 0, f));
    }
  }
}

// A path of 200 features, each of which sends nearly all rows elsewhere.
TEST(TreeShap, TakesLongPaths) {
  constexpr Index features = 200;
  TreeEnsemble<double> trees;
  trees.features = features;
  trees.base = {0};
  EnsembleTree<double> tree;
  tree.add_leaf(1.0, 1);
  Index node = 0;
  for (std::int32_t f = 0; f < features; ++f) {
    const double cover = tree.cover[static_cast<std::size_t>(node)];
    const Index left = tree.add_leaf(static_cast<double>(f), cover / 2);
    const Index right = tree.add_leaf(-1.0, cover / 2);
    tree.split(node, f, 0, left, right, true);
    node = left;
  }
  trees.trees = {tree};
  const Matrix<double> x(3, features, -1.0);
  const ShapValues found = shap_values(*engine_of(Device::cpu), trees, x.view());
  const ShapValues expected = shap_values(*engine_of(Device::reference), trees, x.view());
  double sum = found.expected[0];
  for (Index f = 0; f < features; ++f) {
    sum += found(1, 0, f);
    EXPECT_NEAR(found(1, 0, f), expected(1, 0, f), 1e-12);
  }
  EXPECT_NEAR(sum, 199.0, 1e-11);
}

TEST(TreeShap, HasAValueForEachOutput) {
  TreeEnsemble<float> trees;
  trees.features = 2;
  trees.outputs = 2;
  trees.base = {1, 2};
  EnsembleTree<float> both;
  both.output = all_outputs;
  both.add_leaf(std::vector<float>{0, 0}, 4);
  both.add_leaf(std::vector<float>{1, -2}, 1);
  both.add_leaf(std::vector<float>{5, 6}, 3);
  both.split(0, 1, 0, 1, 2, false);
  EnsembleTree<float> second;
  second.output = 1;
  second.add_leaf(100.0F, 4);
  trees.trees = {both, second};
  const Matrix<float> x(1, 2, std::vector<float>{0, 1});
  for (const Device device : {Device::reference, Device::cpu}) {
    const ShapValues found = shap_values(*engine_of(device), trees, x.view());
    // The means of the leaves are 4 and 4.
    EXPECT_EQ(found.expected, (std::vector<double>{5, 106}));
    EXPECT_EQ(found.values.values(), (std::vector<double>{0, 1, 0, 2}));
    const ShapInteractions pairs = shap_interactions(*engine_of(device), trees, x.view());
    EXPECT_EQ(pairs.values.values(), (std::vector<double>{0, 0, 0, 1, 0, 0, 0, 2}));
  }
}

TEST(TreeShap, HasTheSameBitsForAnyThreadsPiecesAndInstructionSets) {
  const auto trees = random_trees(20, 7, 6);
  const auto x = random_rows(150, 20);
  const auto one = shap_values(*engine_of(Device::cpu), trees, x.view()).values;
  const auto pairs = shap_interactions(*engine_of(Device::cpu), trees, x.view()).values;
  for (const char* set : {"baseline", "avx2", "avx512"}) {
    try {
      cpu::limit_simd(set);
    } catch (const InputError&) {
      continue;  // a processor without it
    }
    for (const int threads : {1, 3}) {
      EXPECT_EQ(shap_values(*engine_of(Device::cpu, threads), trees, x.view()).values, one);
      EXPECT_EQ(shap_interactions(*engine_of(Device::cpu, threads), trees, x.view()).values, pairs);
    }
  }
  cpu::limit_simd("avx512");
  for (const std::size_t elements : {std::size_t{1}, std::size_t{500}}) {
    EXPECT_EQ(
        tree::shap_values_by_pieces(*engine_of(Device::cpu), trees, x.view(), elements).values,
        one);
  }
}

TEST(TreeShap, RefusesTreesWithoutCovers) {
  auto trees = random_trees(3, 2, 2);
  trees.trees[1].cover.assign(trees.trees[1].cover.size(), 0);
  const auto x = random_rows(2, 3);
  try {
    (void)shap_values(*engine_of(Device::cpu), trees, x.view());
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("tree 1 does not know its covers"));
  }
  EXPECT_THROW((void)shap_values(*engine_of(Device::cpu), trees, random_rows(2, 4).view()),
               InputError);
}

TEST(TreeShap, Agrees) { test::expect_agreement("tree-shap", Device::cpu); }

}  // namespace
}  // namespace tandem

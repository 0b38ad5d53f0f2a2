#include "tandem/tree/random_forest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/random.hpp"
#include "core/tree/random_forest_steps.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/tree/binned_table.hpp"
#include "tree/tree_rows.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

// classes: 0 regression, else classes.
template <Real T>
Dataset<T> make(Index rows, Index cols, Index classes, std::uint64_t seed, double missing = 0) {
  return test::rows_of_trees<T>(rows, cols, classes, seed, missing, 0.5);
}

template <Real T, ForestKind kind>
ForestModel<T, kind> train(const Dataset<T>& data, const ForestOptions<kind>& options,
                           Device device = Device::cpu, int threads = 1,
                           const FitContext<T>& context = {}) {
  return fit(*engine_of(device, threads), data, options, context);
}

template <Real T, ForestKind kind>
void expect_same(const ForestModel<T, kind>& a, const ForestModel<T, kind>& b) {
  EXPECT_EQ(a.trees, b.trees);
  EXPECT_EQ(a.log, b.log);
  EXPECT_EQ(a.class_names, b.class_names);
  EXPECT_EQ(a.oob_score, b.oob_score);
  ASSERT_EQ(a.oob_predictions.size(), b.oob_predictions.size());
  for (Index i = 0; i < a.oob_predictions.size(); ++i) {
    const T p = a.oob_predictions.values()[static_cast<std::size_t>(i)];
    const T q = b.oob_predictions.values()[static_cast<std::size_t>(i)];
    EXPECT_TRUE(p == q || (p != p && q != q));
  }
}

// A tree of a forest whose leaves are divided by `trees`, against one that was grown by itself.
template <Real T>
void expect_same_tree(const EnsembleTree<T>& tree, const DecisionTreeModel<T>& alone,
                      double trees) {
  ASSERT_EQ(tree.size(), alone.nodes.size());
  for (std::size_t i = 0; i < tree.feature.size(); ++i) {
    EXPECT_EQ(tree.feature[i], alone.nodes.feature[i]);
    EXPECT_EQ(tree.threshold[i], alone.nodes.threshold[i]);
    EXPECT_EQ(tree.left[i], alone.nodes.left[i]);
    EXPECT_EQ(tree.right[i], alone.nodes.right[i]);
    EXPECT_EQ(tree.cover[i], alone.nodes.weight[i]);
    const auto values = alone.values.row(static_cast<Index>(i));
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double expected =
          alone.class_names.empty() ? values[k] : values[k] / alone.nodes.weight[i];
      EXPECT_NEAR(static_cast<double>(tree.value[i * values.size() + k]), expected / trees,
                  std::abs(expected) * 1e-6);
    }
  }
}

template <class T>
class Forest : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Forest, Precisions);

TYPED_TEST(Forest, OfOneTreeOnAllRowsIsTheDecisionTree) {
  using T = TypeParam;
  for (const Index classes : {0, 2, 5}) {
    auto data = make<T>(700, 5, classes, 1, 0.1);
    for (Index i = 0; i < data.rows(); ++i) data.weights.push_back(static_cast<T>(i % 4) / 2);
    for (const auto criterion : {TreeCriterion::automatic, TreeCriterion::entropy}) {
      if (classes == 0 && criterion == TreeCriterion::entropy) continue;
      RandomForestOptions options;
      options.trees = 1;
      options.bootstrap = false;
      options.criterion = criterion;
      options.max_features = {};
      options.min_samples_leaf = 2;
      DecisionTreeOptions of_tree;
      of_tree.criterion = criterion;
      of_tree.min_samples_leaf = 2;
      options.task = of_tree.task =
          classes == 0 ? TaskChoice::regression : TaskChoice::classification;
      const auto forest = train(data, options);
      const auto alone = fit(*engine_of(Device::cpu), data, of_tree);
      EXPECT_GT(forest.trees.trees.at(0).size(), 20);
      expect_same_tree(forest.trees.trees.at(0), alone, 1);
    }
  }
}

// A tree on rows that were drawn is a tree on rows weighted by the number of their draws.
TYPED_TEST(Forest, DrawsAreWeights) {
  using T = TypeParam;
  for (const Index classes : {0, 2, 3}) {
    const auto data = make<T>(300, 4, classes, 2);
    for (const bool replace : {true, false}) {
      RandomForestOptions options;
      options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
      options.trees = 3;
      options.max_features = {};
      options.bootstrap = replace;
      options.max_samples = MaxSamples::parse("0.5");
      options.seed = 5;
      const auto forest = train(data, options);
      ASSERT_EQ(forest.trees.trees.size(), 3U);
      for (std::uint64_t t = 0; t < 3; ++t) {
        auto weighted = data;
        weighted.weights.assign(300, T{0});
        const tree::RowsOfTree rows({300, 150, replace, 5}, t);
        for (Index i = 0; i < 150; ++i) weighted.weights[static_cast<std::size_t>(rows(i))] += 1;
        const T most = *std::max_element(weighted.weights.begin(), weighted.weights.end());
        EXPECT_EQ(most > T{1}, replace);
        DecisionTreeOptions of_tree;
        of_tree.task = options.task;
        const auto alone = fit(*engine_of(Device::cpu), weighted, of_tree);
        expect_same_tree(forest.trees.trees[t], alone, 3);
      }
    }
  }
}

template <class Change>
void expect_same_everywhere(Change&& change) {
  using T = float;
  for (const Index classes : {0, 2, 7}) {
    auto data = make<T>(1500, 9, classes, 3, 0.05);
    RandomForestOptions options;
    options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
    options.trees = 7;
    options.oob_score = true;
    change(data, options);
    const auto one = train(data, options);
    for (const int threads : {2, 7}) expect_same(train(data, options, Device::cpu, threads), one);
    ExtraTreesOptions extra;
    extra.task = options.task;
    extra.trees = 7;
    const auto random = train(data, extra);
    for (const int threads : {2, 7}) expect_same(train(data, extra, Device::cpu, threads), random);
  }
}
TEST(ForestThreads, GiveTheSameBits) {
  expect_same_everywhere([](auto&, auto&) {});
}
TEST(ForestThreads, GiveTheSameBitsWithWeights) {
  expect_same_everywhere([](auto& data, auto&) {
    for (Index i = 0; i < data.rows(); ++i) {
      data.weights.push_back(0.1F * static_cast<float>(i % 7));
    }
  });
}
TEST(ForestThreads, GiveTheSameBitsByEntropy) {
  expect_same_everywhere([](auto&, auto& options) {
    if (options.task == TaskChoice::classification) options.criterion = TreeCriterion::entropy;
  });
}

// Sums over the trees that have not drawn a row, from the trees and the draws.
TYPED_TEST(Forest, OutOfBagPredictionsAreThoseOfTheOtherTrees) {
  using T = TypeParam;
  for (const Index classes : {0, 3}) {
    auto data = make<T>(200, 4, classes, 4);
    data.weights.assign(200, T{1});
    data.weights[17] = 0;  // row 17 is left out, so that later rows move up
    RandomForestOptions options;
    options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
    options.trees = 10;
    options.oob_score = true;
    options.seed = 3;
    const auto forest = train(data, options);
    const auto engine = engine_of(Device::cpu);
    const auto leaves = forest.trees.leaves(*engine, data.features.view());
    std::vector<std::set<Index>> drawn(10);
    for (std::uint64_t t = 0; t < 10; ++t) {
      const tree::RowsOfTree rows({199, 199, true, 3}, t);
      for (Index i = 0; i < 199; ++i) drawn[t].insert(rows(i) < 17 ? rows(i) : rows(i) + 1);
    }
    const Index outputs = forest.trees.outputs;
    double judged = 0;
    double right = 0;
    double error = 0;
    std::vector<double> targets;
    for (Index i = 0; i < 200; ++i) {
      std::vector<double> sums(static_cast<std::size_t>(outputs), 0.0);
      double votes = 0;
      for (std::size_t t = 0; t < 10 && i != 17; ++t) {
        if (drawn[t].count(i) != 0) continue;
        votes += 1;
        for (Index k = 0; k < outputs; ++k) {
          sums[static_cast<std::size_t>(k)] += static_cast<double>(
              forest.trees.trees[t]
                  .value[static_cast<std::size_t>(leaves(i, static_cast<Index>(t)) * outputs + k)]);
        }
      }
      if (votes == 0) {
        EXPECT_TRUE(std::isnan(forest.oob_predictions(i, 0)));
        continue;
      }
      judged += 1;
      for (Index k = 0; k < outputs; ++k) {
        EXPECT_NEAR(static_cast<double>(forest.oob_predictions(i, k)),
                    sums[static_cast<std::size_t>(k)] * 10 / votes, 1e-5);
      }
      const auto y = static_cast<double>(data.target[static_cast<std::size_t>(i)]);
      const auto row = forest.oob_predictions.row(i);
      right += static_cast<double>(std::max_element(row.begin(), row.end()) - row.begin()) == y;
      error += std::pow(y - static_cast<double>(row[0]), 2);
      targets.push_back(y);
    }
    ASSERT_TRUE(forest.oob_score.has_value());
    EXPECT_GT(judged, 150);
    if (classes > 0) {
      EXPECT_DOUBLE_EQ(*forest.oob_score, right / judged);
    } else {
      double mean = 0;
      for (const double y : targets) mean += y / judged;
      double spread = 0;
      for (const double y : targets) spread += (y - mean) * (y - mean);
      EXPECT_NEAR(*forest.oob_score, 1 - error / spread, 1e-9);
    }
  }
}

TYPED_TEST(Forest, PredictsBetterThanATree) {
  using T = TypeParam;
  const auto data = make<T>(3000, 8, 2, 6);
  const auto test = make<T>(3000, 8, 2, 7);
  const auto engine = engine_of(Device::cpu, 2);
  const auto accuracy = [&](const Model<T>& model) {
    const auto predicted = model.predict(*engine, test.features.view());
    double right = 0;
    for (std::size_t i = 0; i < predicted.labels.size(); ++i) {
      right += predicted.labels[i] == static_cast<std::int32_t>(test.target[i]) ? 1 : 0;
      const auto p = predicted.probabilities.row(static_cast<Index>(i));
      EXPECT_NEAR(static_cast<double>(p[0] + p[1]), 1.0, 1e-6);
    }
    return right / static_cast<double>(predicted.labels.size());
  };
  const double alone = accuracy(fit(*engine, data, DecisionTreeOptions{}));
  RandomForestOptions options;
  options.oob_score = true;
  const auto forest = train(data, options);
  const auto extra = train(data, ExtraTreesOptions{.max_features = {}});
  EXPECT_GT(accuracy(forest), alone + 0.02);
  EXPECT_GT(accuracy(extra), alone + 0.02);
  EXPECT_NEAR(*forest.oob_score, accuracy(forest), 0.03);
  // The features that make the target are the ones that matter.
  for (const auto& shares : {forest.importances(), extra.importances()}) {
    double total = 0;
    for (const double share : shares) total += share;
    EXPECT_NEAR(total, 1, 1e-9);
    for (std::size_t j = 3; j < shares.size(); ++j) EXPECT_GT(shares[0], 1.5 * shares[j]);
  }
}

// Where every distinct value has a bin of its own, both splitters part a node's rows alike; their
// thresholds are between the same values, but the exact one's nearer to those of the node.
TYPED_TEST(Forest, HistogramsOfAllValuesPartRowsAsExactCutsDo) {
  using T = TypeParam;
  for (const Index classes : {1, 0, 2, 3, 9}) {
    for (const int weighted : {0, 1, 2}) {
      auto data = make<T>(1500, 4, classes, 21, weighted == 1 ? 0.15 : 0.0);
      for (T& value : data.features.values()) {
        value = std::floor(value * T{90}) * (value > 0 ? T{3} : T{1});
      }
      for (Index i = 0; i < data.rows() && weighted > 0; ++i) {
        // Whole numbers, and ones that do not fit beside a class.
        data.weights.push_back(weighted == 1 ? static_cast<T>(i % 3)
                                             : static_cast<T>(1) / static_cast<T>(3 + i % 5));
      }
      for (const auto criterion : {TreeCriterion::automatic, TreeCriterion::entropy}) {
        if (classes == 0 && criterion == TreeCriterion::entropy) continue;
        RandomForestOptions options;
        options.trees = 4;
        options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
        options.criterion = criterion;
        options.max_features = MaxFeatures::parse("2");
        options.min_samples_leaf = weighted == 0 ? 1 : 7;
        options.bootstrap = weighted != 2;
        const auto exact = train(data, options);
        options.splitter = TreeSplitter::histogram;
        const auto binned = train(data, options);
        for (const int threads : {2, 7}) {
          expect_same(train(data, options, Device::cpu, threads), binned);
        }
        for (std::size_t t = 0; t < 4; ++t) {
          const auto& a = exact.trees.trees.at(t);
          const auto& b = binned.trees.trees.at(t);
          EXPECT_EQ(a.feature, b.feature);
          EXPECT_EQ(a.left, b.left);
          EXPECT_EQ(a.right, b.right);
          EXPECT_EQ(a.flags, b.flags);
          EXPECT_EQ(a.cover, b.cover);
          EXPECT_EQ(a.gain, b.gain);
          EXPECT_EQ(a.value, b.value);
          EXPECT_TRUE(classes == 1 || a.size() > 50);
        }
      }
    }
  }
}

// Few bins: thresholds are those of the bins, each rows' side is that of its bin, and little is
// lost.
TYPED_TEST(Forest, HistogramsCutBetweenBins) {
  using T = TypeParam;
  const auto all = make<T>(4000, 5, 2, 22, 0.05);
  RandomForestOptions options;
  options.trees = 30;
  options.oob_score = true;
  const double exact = *train(all, options).oob_score;
  options.splitter = TreeSplitter::histogram;
  for (const Index bins : {255, 20}) {
    options.max_bins = bins;
    const auto forest = train(all, options);
    EXPECT_NEAR(*forest.oob_score, exact, bins == 255 ? 0.01 : 0.02);
    const auto cuts = make_bin_cuts(all.features.view(), std::span<const T>{}, bins, 1);
    for (const auto& tree : forest.trees.trees) {
      for (std::size_t i = 0; i < tree.feature.size(); ++i) {
        if (tree.feature[i] < 0) continue;
        const auto of_feature = cuts.of(tree.feature[i]);
        EXPECT_TRUE(tree.threshold[i] == std::numeric_limits<T>::max() ||
                    std::binary_search(of_feature.begin(), of_feature.end(), tree.threshold[i]));
      }
    }
  }
  options.max_bins = 2;
  EXPECT_EQ(train(all, options).trees, train(all, options, Device::cpu, 2).trees);
}

TYPED_TEST(Forest, BalancesTheClassesOfEachTree) {
  using T = TypeParam;
  auto data = make<T>(250, 4, 2, 23);
  // Factors that are whole numbers of units: 250 / (2 · 50) and 250 / (2 · 200).
  for (std::size_t i = 0; i < 250; ++i) data.target[i] = i % 5 == 0 ? T{1} : T{0};
  RandomForestOptions options;
  options.trees = 5;
  options.bootstrap = false;
  options.class_weight = ClassWeights::parse("balanced");
  const auto by_all_rows = train(data, options);
  options.class_weight = ClassWeights::parse("balanced_subsample");
  EXPECT_EQ(train(data, options).trees, by_all_rows.trees);
  // Of the rows that a tree has drawn both classes weigh as much, and all of them as many as drawn.
  options.bootstrap = true;
  for (const int weighted : {0, 1, 2}) {
    data.weights.clear();
    for (Index i = 0; i < 250 && weighted > 0; ++i) {
      data.weights.push_back(weighted == 1 ? T{3} : static_cast<T>(0.1) * static_cast<T>(3));
    }
    const auto forest = train(data, options);
    for (const auto& tree : forest.trees.trees) {
      EXPECT_NEAR(static_cast<double>(tree.value[0]) * 5, 0.5, 1e-3);
      const double each = weighted == 0 ? 1.0 : static_cast<double>(data.weights[0]);
      EXPECT_NEAR(tree.cover[0] / (250 * each), 1, 1e-3);
    }
    for (const int threads : {2, 7}) {
      expect_same(train(data, options, Device::cpu, threads), forest);
    }
    options.splitter = TreeSplitter::histogram;
    EXPECT_NEAR(static_cast<double>(train(data, options).trees.trees[0].value[0]) * 5, 0.5, 1e-3);
    options.splitter = TreeSplitter::exact;
  }
}

TYPED_TEST(Forest, RandomThresholdsLieBetweenTheValues) {
  using T = TypeParam;
  const auto data = make<T>(200, 3, 0, 8);
  ExtraTreesOptions options;
  options.trees = 20;
  options.max_features = MaxFeatures::parse("1");
  const auto forest = train(data, options);
  std::set<T> thresholds;
  for (const auto& tree : forest.trees.trees) {
    if (tree.feature[0] < 0) continue;
    thresholds.insert(tree.threshold[0]);
    EXPECT_GT(tree.threshold[0], T{-1});
    EXPECT_LT(tree.threshold[0], T{1});
    EXPECT_LT(tree.cover[static_cast<std::size_t>(tree.left[0])], 200);
  }
  EXPECT_GT(thresholds.size(), 15U);
  // Not midpoints between two values of the data.
  EXPECT_EQ(train(data, options).trees, forest.trees);
  options.seed = 1;
  EXPECT_NE(train(data, options).trees, forest.trees);
}

TYPED_TEST(Forest, IsReadFromWhatItWrites) {
  using T = TypeParam;
  for (const Index classes : {0, 3}) {
    RandomForestOptions options;
    options.task = classes == 0 ? TaskChoice::regression : TaskChoice::classification;
    options.trees = 5;
    options.oob_score = true;
    const auto forest = train(make<T>(150, 3, classes, 9), options);
    Archive archive;
    forest.save(archive);
    expect_same(RandomForestModel<T>::load(archive), forest);
    const std::vector<std::string> names{"a", "b", "c"};
    const auto json = nlohmann::json::parse(forest.to_json(names));
    EXPECT_EQ(json.at("trees").size(), 5U);
    EXPECT_EQ(json.at("importances").size(), 3U);
    EXPECT_THAT(forest.to_text(names), HasSubstr("5 trees"));
    EXPECT_THAT(forest.to_text(names), HasSubstr("out of bag"));
    Archive broken = archive;
    broken.set("criterion", classes == 0 ? "gini" : "squared-error");
    EXPECT_THROW((void)RandomForestModel<T>::load(broken), InputError);
    if (classes == 0) continue;
    auto without = forest;
    for (T& share : without.trees.trees[2].value) share = 0;
    Archive of_nothing;
    without.save(of_nothing);
    EXPECT_THROW((void)RandomForestModel<T>::load(of_nothing), InputError);
  }
}

class StopAtOnce final : public RunControl {
 public:
  explicit StopAtOnce(std::optional<Archive>& state) : state_(state) {
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

TYPED_TEST(Forest, ResumesToTheSameBits) {
  using T = TypeParam;
  const auto data = make<T>(200, 4, 3, 10);
  RandomForestOptions options;
  options.trees = 70;
  options.oob_score = true;
  const auto whole = train(data, options);
  std::optional<Archive> state;
  for (const int threads : {1, 2}) {
    StopAtOnce control(state);
    FitContext<T> context;
    context.control = &control;
    EXPECT_THROW((void)train(data, options, Device::cpu, threads, context), Interrupted);
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
  const auto other = make<T>(201, 4, 3, 10);
  EXPECT_THROW((void)train(other, options, Device::cpu, 1, context), InputError);
}

TYPED_TEST(Forest, TakesAwkwardData) {
  using T = TypeParam;
  for (const Device device : {Device::reference, Device::cpu}) {
    RandomForestOptions options;
    options.trees = 4;
    options.task = TaskChoice::classification;
    const auto engine = engine_of(device);
    // One class.
    auto data = make<T>(30, 3, 2, 11);
    data.target.assign(30, T{1});
    const auto one_class = train(data, options, device);
    EXPECT_EQ(one_class.class_names.size(), 1U);
    EXPECT_EQ(one_class.predict(*engine, data.features.view()).probabilities(4, 0), T{1});
    // One row.
    const auto one_row = train(make<T>(1, 3, 2, 12), options, device);
    EXPECT_EQ(one_row.trees.trees.at(3).size(), 1);
    // A column without a value, and one of a single value: neither is split.
    data = make<T>(60, 4, 2, 13);
    for (Index i = 0; i < 60; ++i) {
      data.features(i, 0) = std::numeric_limits<T>::quiet_NaN();
      data.features(i, 3) = 5;
    }
    ExtraTreesOptions extra;
    extra.task = options.task;
    extra.trees = 4;
    const auto check = [&](const auto& model) {
      Index splits = 0;
      for (const auto& tree : model.trees.trees) {
        for (const std::int32_t feature : tree.feature) {
          EXPECT_NE(feature, 0);
          EXPECT_NE(feature, 3);
          splits += feature >= 0 ? 1 : 0;
        }
      }
      EXPECT_GT(splits, 4);
    };
    check(train(data, options, device));
    check(train(data, extra, device));
    // Known against missing is a split too, though all known values are equal.
    for (Index i = 0; i < 60; ++i) {
      data.features(i, 1) =
          data.target[static_cast<std::size_t>(i)] > 0 ? T{2} : std::numeric_limits<T>::quiet_NaN();
      data.features(i, 2) = 1;
    }
    extra.max_features = {};
    const auto known = train(data, extra, device);
    for (const auto& tree : known.trees.trees) {
      ASSERT_EQ(tree.size(), 3);
      EXPECT_EQ(tree.feature[0], 1);
    }
    EXPECT_EQ(known.predict(*engine, data.features.view()).labels.at(0),
              static_cast<std::int32_t>(data.target[0]));
    // Nothing varies.
    for (T& value : data.features.values()) value = 1;
    const auto flat = train(data, extra, device);
    EXPECT_EQ(flat.trees.trees.at(0).size(), 1);
  }
}

// What explains models reads the trees without knowing of forests.
TEST(ForestTrees, AddUpToThePredictions) {
  const auto data = make<double>(150, 3, 3, 16);
  const auto forest = train(data, RandomForestOptions{.trees = 6});
  const auto trees = tree_ensemble_of<double>(forest);
  ASSERT_TRUE(trees.has_value());
  const auto engine = engine_of(Device::cpu);
  const auto scores = trees->raw_scores(*engine, data.features.view());
  const auto predicted = forest.predict(*engine, data.features.view());
  ASSERT_EQ(predicted.probabilities.size(), scores.size());
  for (Index i = 0; i < data.rows(); ++i) {
    for (Index k = 0; k < 3; ++k) {
      EXPECT_NEAR(scores(i, k), predicted.probabilities(i, k), 1e-12);
    }
  }
}

TEST(ForestErrors, SayWhatToDo) {
  using Data = Dataset<double>;
  const auto message = [](const std::function<void(RandomForestOptions&, Data&)>& change) {
    RandomForestOptions options;
    Data data = make<double>(20, 3, 2, 14);
    change(options, data);
    try {
      (void)train(data, options);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message([](auto& o, Data&) { o.trees = 0; }), HasSubstr("trees"));
  EXPECT_THAT(message([](auto& o, Data&) { o.trees = -3; }), HasSubstr("trees"));
  EXPECT_THAT(message([](auto& o, Data&) { o.max_samples = MaxSamples::parse("21"); }),
              HasSubstr("number of rows of weight above 0, 20"));
  EXPECT_THAT(message([](auto& o, Data&) {
                o.bootstrap = false;
                o.oob_score = true;
              }),
              HasSubstr("oob_score"));
  EXPECT_THAT(message([](auto& o, Data&) { o.max_features = MaxFeatures::parse("4"); }),
              HasSubstr("max_features"));
  EXPECT_THAT(message([](auto&, Data& d) { d.weights.assign(20, 0.0); }),
              HasSubstr("every row has weight 0"));
  EXPECT_THAT(message([](auto&, Data& d) { d.weights.assign(20, -1.0); }), HasSubstr("weight"));
  EXPECT_THAT(message([](auto&, Data& d) { d.features(3, 1) = INFINITY; }), HasSubstr("row 4"));
  EXPECT_THAT(message([](auto&, Data& d) { d.target[5] = NAN; }), HasSubstr("row 6"));
  EXPECT_THAT(message([](auto& o, Data&) {
                o.task = TaskChoice::regression;
                o.criterion = TreeCriterion::gini;
              }),
              HasSubstr("criterion"));
  EXPECT_THAT(message([](auto& o, Data&) {
                o.task = TaskChoice::regression;
                o.class_weight.rule = ClassWeights::Rule::balanced;
              }),
              HasSubstr("class_weight"));
  EXPECT_THAT(message([](auto& o, Data&) {
                o.splitter = TreeSplitter::histogram;
                o.max_bins = 1;
              }),
              HasSubstr("max_bins"));
  EXPECT_THAT(message([](auto& o, Data&) { o.max_bins = 256; }), HasSubstr("max_bins"));
  const auto subsample = ClassWeights::parse("balanced-subsample");
  EXPECT_EQ(subsample.to_string(), "balanced_subsample");
  EXPECT_THAT(message([&](auto& o, Data&) {
                o.task = TaskChoice::regression;
                o.class_weight = subsample;
              }),
              HasSubstr("class_weight"));
  EXPECT_THROW((void)fit(*engine_of(Device::cpu), make<double>(20, 3, 2, 14),
                         DecisionTreeOptions{.class_weight = subsample}),
               InputError);
  ExtraTreesOptions extra;
  extra.splitter = TreeSplitter::histogram;
  EXPECT_THROW((void)train(make<double>(20, 3, 2, 14), extra), InputError);
  EXPECT_THROW((void)MaxSamples::parse("0"), InputError);
  EXPECT_THROW((void)MaxSamples::parse("1.5"), InputError);
  EXPECT_THROW((void)MaxSamples::parse("some"), InputError);
  EXPECT_EQ(MaxSamples::parse("0.25").of(10, 10), 2);
  EXPECT_EQ(MaxSamples::parse("0.25").to_string(), "0.25");
  EXPECT_EQ(MaxSamples::parse("1.0").to_string(), "1.0");
  EXPECT_EQ(MaxSamples::parse("auto").of(10, 256), 10);
}

TEST(ForestByName, KnowsOtherLibrariesNames) {
  for (const char* name : {"random-forest", "extra-trees"}) {
    const auto algorithm = make_algorithm(name);
    algorithm->set("n_estimators", 3);
    algorithm->set("max_features", "sqrt");
    algorithm->set("bootstrap", true);
    const auto data = make<double>(80, 3, 2, 15);
    const auto engine = engine_of(Device::cpu);
    const auto model = algorithm->fit(*engine, data.view(), {});
    EXPECT_EQ(model->algorithm(), name);
    EXPECT_EQ(model->training().iterations, 3);
    const auto ready = model->ready_on(*engine);
    EXPECT_EQ(ready->predict(data.features.view()).labels,
              model->predict(*engine, data.features.view()).labels);
  }
}

TEST(ForestAgreement, RandomForestAgrees) {
  test::expect_agreement("random-forest", Device::reference);
}
TEST(ForestAgreement, ExtraTreesAgree) { test::expect_agreement("extra-trees", Device::reference); }

}  // namespace
}  // namespace tandem

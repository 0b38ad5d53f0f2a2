// The decision tree on the GPU: every step, and whole fits, against the CPU's bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/random.hpp"
#include "core/steps.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "cuda/tree/decision_tree_cost.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {
namespace {

std::unique_ptr<Engine> cpu_engine() {
  return Engine::create({.device = Device::cpu, .threads = 2});
}

// A table with the things that trouble split search.
struct Recipe {
  Index rows = 100;
  Index cols = 4;
  Index classes = 2;   // 0: regression
  Index distinct = 0;  // values per feature; 0: continuous
  double missing = 0;
  int weights = 0;           // 0: none, 1: whole numbers, 2: real numbers
  bool odd_columns = false;  // column 0 is constant, 1 is missing throughout
  double scale = 1;
};

std::string to_string(const Recipe& recipe) {
  return std::to_string(recipe.rows) + " rows, " + std::to_string(recipe.cols) + " columns, " +
         std::to_string(recipe.classes) + " classes, " + std::to_string(recipe.distinct) +
         " values, missing " + std::to_string(recipe.missing) + ", weights " +
         std::to_string(recipe.weights);
}

template <Real T>
Dataset<T> make(const Recipe& recipe, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(recipe.rows, recipe.cols);
  data.columns = numbered_columns(recipe.cols);
  data.target_column.name = "y";
  for (Index i = 0; i < recipe.rows; ++i) {
    double signal = 0;
    for (Index j = 0; j < recipe.cols; ++j) {
      const double u = random.uniform(next++);
      double value =
          recipe.distinct > 0 ? std::floor(u * static_cast<double>(recipe.distinct)) : u * 2 - 1;
      if (recipe.odd_columns && j == 0) value = 3;
      signal += value * (j % 2 == 0 ? 1 : -0.5);
      if (random.uniform(next++) < recipe.missing || (recipe.odd_columns && j == 1)) {
        value = std::numeric_limits<double>::quiet_NaN();
      }
      data.features(i, j) = static_cast<T>(value * recipe.scale);
    }
    const double noise = random.uniform(next++);
    data.target.push_back(static_cast<T>(
        recipe.classes == 0 ? signal + noise
                            : std::fmod(std::floor(std::fabs(signal) * 3 + noise * 2),
                                        static_cast<double>(recipe.classes))));
    const double weight = random.uniform(next++);
    if (recipe.weights == 1) data.weights.push_back(static_cast<T>(std::floor(weight * 4)));
    if (recipe.weights == 2) data.weights.push_back(static_cast<T>(weight + 0.1));
  }
  if (recipe.weights == 1) data.weights[0] = 1;
  return data;
}

std::vector<TreeCriterion> criteria_of(const Recipe& recipe) {
  if (recipe.classes == 0) return {TreeCriterion::squared_error};
  return {TreeCriterion::entropy, TreeCriterion::gini};
}

DecisionTreeOptions options_for(const Recipe& recipe, TreeCriterion criterion) {
  DecisionTreeOptions options;
  options.task = recipe.classes == 0 ? TaskChoice::regression : TaskChoice::classification;
  options.criterion = criterion;
  return options;
}

template <Real T>
void expect_same_bits(const DecisionTreeModel<T>& a, const DecisionTreeModel<T>& b) {
  EXPECT_EQ(a.nodes.feature, b.nodes.feature);
  EXPECT_TRUE(test::same_bits(a.nodes.threshold, b.nodes.threshold));
  EXPECT_EQ(a.nodes.right, b.nodes.right);
  EXPECT_EQ(a.nodes.missing_left, b.nodes.missing_left);
  EXPECT_EQ(a.nodes.rows, b.nodes.rows);
  EXPECT_TRUE(test::same_bits(a.nodes.weight, b.nodes.weight));
  EXPECT_TRUE(test::same_bits(a.nodes.impurity, b.nodes.impurity));
  EXPECT_TRUE(test::same_bits(a.values.values(), b.values.values()));
  EXPECT_TRUE(a == b);
}

// The same tree, and the same leaf for every row.
template <Real T>
void expect_the_cpus_tree(Engine& gpu, const Dataset<T>& data, const DecisionTreeOptions& options) {
  const auto cpu = cpu_engine();
  const auto expected = fit(*cpu, data, options);
  expect_same_bits(expected, fit(gpu, data, options));
  EXPECT_EQ(expected.apply(*cpu, data.features.view()), expected.apply(gpu, data.features.view()));
}

template <Real T>
void expect_the_cpus_trees(Engine& gpu, const Recipe& recipe, std::uint64_t seed,
                           void (*change)(DecisionTreeOptions&) = nullptr) {
  const auto data = make<T>(recipe, seed);
  for (const TreeCriterion criterion : criteria_of(recipe)) {
    SCOPED_TRACE(to_string(recipe) + ", seed " + std::to_string(seed) + ", " +
                 std::string(to_string(criterion)));
    auto options = options_for(recipe, criterion);
    if (change != nullptr) change(options);
    expect_the_cpus_tree(gpu, data, options);
  }
}

TEST(DecisionTreeCuda, AwkwardSizes) {
  for (const int threads : {64, 256}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    std::uint64_t seed = 0;
    for (const Index rows : test::awkward_sizes()) {
      if (rows == 0) continue;
      for (const Index classes : {0, 2, 3}) {
        Recipe recipe{.rows = rows, .cols = 3, .classes = classes};
        if (rows > 100) recipe.distinct = 9;
        if (seed % 2 == 0) {
          expect_the_cpus_trees<float>(*gpu, recipe, ++seed);
        } else {
          expect_the_cpus_trees<double>(*gpu, recipe, ++seed);
        }
      }
    }
  }
}

TEST(DecisionTreeCuda, DuplicatesMissingWeightsConstants) {
  const auto gpu = test::cuda_engine({});
  std::uint64_t seed = 100;
  for (const Index distinct : {0, 1, 4}) {
    for (const double missing : {0.0, 0.3}) {
      for (const int weights : {0, 1, 2}) {
        for (const Index classes : {0, 2, 5}) {
          expect_the_cpus_trees<float>(*gpu,
                                       {.rows = 201,
                                        .cols = 5,
                                        .classes = classes,
                                        .distinct = distinct,
                                        .missing = missing,
                                        .weights = weights,
                                        .odd_columns = true},
                                       ++seed);
        }
      }
    }
  }
}

// Several tiles to a node: sums of tiles, scans over them, partition by way of scratch.
TEST(DecisionTreeCuda, NodesOfSeveralTiles) {
  const auto gpu = test::cuda_engine({});
  std::uint64_t seed = 200;
  for (const double missing : {0.0, 0.2}) {
    for (const int weights : {0, 1, 2}) {
      for (const Index classes : {0, 2, 4}) {
        expect_the_cpus_trees<double>(*gpu,
                                      {.rows = 1537,
                                       .cols = 3,
                                       .classes = classes,
                                       .distinct = weights == 1 ? 50 : 0,
                                       .missing = missing,
                                       .weights = weights},
                                      ++seed,
                                      [](DecisionTreeOptions& options) { options.max_depth = 3; });
      }
    }
  }
  // More than 32 tiles.
  expect_the_cpus_trees<float>(*gpu, {.rows = 20000, .cols = 2, .classes = 2, .missing = 0.1}, 1,
                               [](DecisionTreeOptions& options) { options.max_depth = 2; });
}

TEST(DecisionTreeCuda, OptionsAndDrawsOfFeatures) {
  const auto gpu = test::cuda_engine({});
  for (const Index classes : {0, 2, 4}) {
    const Recipe recipe{
        .rows = 700, .cols = 40, .classes = classes, .distinct = 40, .missing = 0.05};
    expect_the_cpus_trees<double>(*gpu, recipe, 5, [](DecisionTreeOptions& options) {
      options.max_features = MaxFeatures::parse("sqrt");
      options.min_samples_leaf = 4;
      options.min_samples_split = 11;
      options.seed = 99;
    });
    expect_the_cpus_trees<float>(*gpu, recipe, 6, [](DecisionTreeOptions& options) {
      options.max_features = MaxFeatures::parse("2");
      options.min_impurity_decrease = 0.002;
      options.max_depth = 6;
    });
  }
}

TEST(DecisionTreeCuda, ManyClasses) {
  const auto gpu = test::cuda_engine({});
  for (const int weights : {0, 2}) {
    Recipe recipe{.rows = 1100, .cols = 2, .classes = 1024, .weights = weights};
    auto data = make<float>(recipe, 3);
    for (std::size_t i = 0; i < data.target.size(); ++i) {
      data.target[i] = static_cast<float>(i * 7 % 1024);
    }
    for (const TreeCriterion criterion : criteria_of(recipe)) {
      auto options = options_for(recipe, criterion);
      options.max_depth = 3;
      expect_the_cpus_tree(*gpu, data, options);
    }
  }
}

TEST(DecisionTreeCuda, ValuesAtTheEdgeOfTheirType) {
  const auto gpu = test::cuda_engine({});
  const auto edges = [&]<Real T>(T) {
    constexpr T tiny = std::numeric_limits<T>::denorm_min();
    constexpr T huge = std::numeric_limits<T>::max();
    const std::vector<T> values{-huge, -huge / 2, -1,       -tiny, -T{0},
                                T{0},  tiny,      2 * tiny, 1,     std::nextafter(T{1}, T{2}),
                                huge,  huge};
    Dataset<T> data;
    data.source = "test";
    data.features = Matrix<T>(12, 1, values);
    data.columns = numbered_columns(1);
    data.target_column.name = "y";
    data.target = {0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 1};
    for (const TreeCriterion criterion :
         {TreeCriterion::entropy, TreeCriterion::gini, TreeCriterion::squared_error}) {
      DecisionTreeOptions options;
      options.criterion = criterion;
      expect_the_cpus_tree(*gpu, data, options);
    }
  };
  edges(1.0F);
  edges(1.0);
  expect_the_cpus_trees<double>(*gpu, {.rows = 90, .scale = 1e-310}, 9);
  expect_the_cpus_trees<double>(*gpu, {.rows = 90, .classes = 0, .scale = 1e300}, 9);
}

// Weights whose sum on one side is lost in the rounding of the other.
TEST(DecisionTreeCuda, WeightsOfVeryDifferentSize) {
  const auto gpu = test::cuda_engine({});
  for (const Index classes : {0, 2, 3}) {
    const Recipe recipe{.rows = 64, .cols = 2, .classes = classes};
    auto data = make<double>(recipe, 4);
    for (Index i = 0; i < recipe.rows; ++i) data.weights.push_back(std::ldexp(1.0, -int(i % 60)));
    for (const TreeCriterion criterion : criteria_of(recipe)) {
      expect_the_cpus_tree(*gpu, data, options_for(recipe, criterion));
    }
  }
}

TEST(DecisionTreeCuda, MirroredFeaturesAreNeverChosen) {
  const auto gpu = test::cuda_engine({});
  for (const Index classes : {0, 2, 3}) {
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      Recipe recipe{.rows = 2 + static_cast<Index>(seed % 7), .cols = 4, .classes = classes};
      recipe.weights = seed % 2 == 0 ? 2 : 0;
      auto data = make<double>(recipe, seed);
      for (Index i = 0; i < data.rows(); ++i) {
        for (Index j = 1; j < 4; j += 2) data.features(i, j) = 10 - 3 * data.features(i, j - 1);
      }
      for (const TreeCriterion criterion : criteria_of(recipe)) {
        const auto model = fit(*gpu, data, options_for(recipe, criterion));
        for (const auto feature : model.nodes.feature) {
          EXPECT_TRUE(feature < 0 || feature % 2 == 0) << "seed " << seed;
        }
      }
    }
  }
}

TEST(DecisionTreeCuda, Agrees) { test::expect_agreement("decision-tree", test::cuda_device()); }

// --- the steps -----------------------------------------------------------------------------------

// One engine's half of a comparison.
template <Real T>
struct Half {
  Half(Engine& e, const std::vector<T>& features, Index rows, Index cols,
       const std::vector<std::int32_t>& classes, const std::vector<std::int64_t>& row_weights,
       const tree::SplitRules& rules)
      : engine(e),
        x(to_engine(e, features)),
        labels(to_engine(e, classes)),
        weights(to_engine(e, row_weights)),
        steps(make_steps<tree::DecisionTreeSteps, T>(e)) {
    steps->prepare({rows, cols, &x, &labels, nullptr, &weights, nullptr, nullptr}, rules);
  }
  Engine& engine;
  Buffer<T> x;
  Buffer<std::int32_t> labels;
  Buffer<std::int64_t> weights;
  std::unique_ptr<tree::DecisionTreeSteps<T>> steps;
};

// Levels by the steps themselves, with guards around what they write; a node that is not split at
// once keeps its rows while others are.
TEST(DecisionTreeCudaSteps, LevelByLevelWithGuards) {
  using T = float;
  const Index rows = 1300;
  const Index cols = 3;
  const Random random(8, Purpose::test);
  std::vector<T> x;
  for (Index i = 0; i < rows * cols; ++i) {
    x.push_back(static_cast<T>(random.below(700, static_cast<std::uint64_t>(i))));
  }
  std::vector<std::int32_t> labels;
  tree::SplitRules rules;
  rules.criterion = TreeCriterion::gini;
  rules.classes = 3;
  rules.features_per_node = cols;
  std::vector<std::int64_t> weights;
  std::vector<std::int64_t> root(3, 0);
  for (Index i = 0; i < rows; ++i) {
    labels.push_back(static_cast<std::int32_t>(x[static_cast<std::size_t>(i * cols)]) % 3);
    weights.push_back(1 + i % 5);
    root[static_cast<std::size_t>(labels.back())] += weights.back();
    rules.total_weight += weights.back();
    rules.most_weight = rules.total_weight;
  }
  const auto cpu = cpu_engine();
  const auto gpu = test::cuda_engine({});
  Half<T> a(*cpu, x, rows, cols, labels, weights, rules);
  Half<T> b(*gpu, x, rows, cols, labels, weights, rules);

  struct Node {
    tree::OpenNode open;
    std::vector<std::int64_t> statistics;
  };
  std::vector<Node> waiting{{{0, rows, 0, tree::root_key, nullptr}, root}};
  for (int round = 0; round < 9 && !waiting.empty(); ++round) {
    // Every third node waits for a later round.
    std::vector<Node> now;
    std::vector<Node> later;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      (i % 3 == 2 ? later : now).push_back(waiting[i]);
    }
    std::vector<tree::OpenNode> open;
    for (Node& node : now) {
      node.open.statistics = node.statistics.data();
      open.push_back(node.open);
    }
    std::vector<tree::NodeSplit<T>> expected(open.size());
    std::vector<tree::NodeSplit<T>> found(open.size());
    std::vector<std::int64_t> expected_left(3 * open.size());
    test::Guarded<std::int64_t> left(3 * open.size());
    a.steps->find_splits(open, expected, expected_left);
    b.steps->find_splits(open, found, left.inner());
    EXPECT_TRUE(left.intact());
    EXPECT_TRUE(test::same_bits(std::span<const std::int64_t>(expected_left),
                                std::span<const std::int64_t>(left.inner())));
    std::vector<tree::SplitToApply> apply;
    for (std::size_t i = 0; i < open.size(); ++i) {
      EXPECT_EQ(expected[i].feature, found[i].feature);
      EXPECT_EQ(expected[i].threshold, found[i].threshold);
      EXPECT_EQ(expected[i].missing_left, found[i].missing_left);
      EXPECT_EQ(expected[i].left_known, found[i].left_known);
      EXPECT_EQ(expected[i].left_rows, found[i].left_rows);
      if (expected[i].feature < 0) continue;
      const auto& split = expected[i];
      apply.push_back({open[i].begin, open[i].rows, split.feature, split.left_known,
                       split.left_rows, false, true, true});
      Node child;
      child.statistics.assign(expected_left.begin() + static_cast<Index>(3 * i),
                              expected_left.begin() + static_cast<Index>(3 * i + 3));
      child.open = {open[i].begin, split.left_rows, round + 1, 5, nullptr};
      later.push_back(child);
      for (std::size_t k = 0; k < 3; ++k) {
        child.statistics[k] = now[i].statistics[k] - child.statistics[k];
      }
      child.open = {open[i].begin + split.left_rows, open[i].rows - split.left_rows, round + 1, 6,
                    nullptr};
      later.push_back(child);
    }
    a.steps->apply_splits(apply);
    b.steps->apply_splits(apply);
    waiting.clear();
    for (Node& node : later) {
      if (node.open.rows > 1) waiting.push_back(std::move(node));
    }
  }

  // The nodes that another engine would have left to be grown whole.
  std::vector<tree::OpenNode> open;
  for (Node& node : waiting) {
    node.open.statistics = node.statistics.data();
    open.push_back(node.open);
  }
  std::vector<tree::GrownSubtree<T>> expected(open.size());
  std::vector<tree::GrownSubtree<T>> grown(open.size());
  a.steps->grow_subtrees(open, expected);
  b.steps->grow_subtrees(open, grown);
  for (std::size_t i = 0; i < open.size(); ++i) {
    // The nodes come in another order.
    std::vector<std::pair<std::size_t, std::size_t>> pairs{{0, 0}};
    ASSERT_EQ(expected[i].nodes.size(), grown[i].nodes.size());
    while (!pairs.empty()) {
      const auto [e, g] = pairs.back();
      pairs.pop_back();
      const auto& left = expected[i].nodes[e];
      const auto& right = grown[i].nodes[g];
      EXPECT_EQ(left.feature, right.feature);
      EXPECT_EQ(left.threshold, right.threshold);
      EXPECT_EQ(left.rows, right.rows);
      EXPECT_EQ(left.depth, right.depth);
      for (std::size_t k = 0; k < 3; ++k) {
        EXPECT_EQ(expected[i].statistics[3 * e + k], grown[i].statistics[3 * g + k]);
      }
      ASSERT_EQ(left.feature < 0, right.feature < 0);
      if (left.feature < 0) continue;
      pairs.emplace_back(left.left, right.left);
      pairs.emplace_back(left.right, right.right);
    }
  }
}

// --- what the kernels move and compute -----------------------------------------------------------

// The counters (docs/softgpu.md) of the kernel whose name contains `part`.
struct Counted {
  Counted(const nlohmann::ordered_json& counters, const std::string& part) {
    for (const auto& kernel : counters.at("kernels")) {
      if (kernel.at("name").get<std::string>().find(part) == std::string::npos) continue;
      const auto number = [&](const char* group, const char* name) {
        return kernel.at(group).value(name, 0.0);
      };
      ++kernels;
      bytes += number("touched", "read_bytes") + number("touched", "written_bytes");
      flops += number("flops", "f64") + number("flops", "f32") + number("special", "f64");
      for (const char* access : {"load", "store"}) {
        const auto& global = kernel.at("global").at(access);
        const auto& shared = kernel.at("shared").at(access);
        sectors += global.at("sectors").get<double>();
        ideal_sectors += global.at("ideal_sectors").get<double>();
        wavefronts += shared.at("wavefronts").get<double>();
        ideal_wavefronts += shared.at("ideal_wavefronts").get<double>();
      }
    }
  }
  int kernels = 0;
  double bytes = 0;
  double flops = 0;
  double sectors = 0;
  double ideal_sectors = 0;
  double wavefronts = 0;
  double ideal_wavefronts = 0;
};

// One node of `rows` rows is searched and split, two classes by Gini's index, values that differ.
// Every kernel moves and computes what its cost function says, coalesced and without bank
// conflicts.
void expect_costs(Index rows) {
  using T = float;
  const Index cols = 8;
  const Random random(21, Purpose::test);
  std::vector<T> x;
  for (Index i = 0; i < rows * cols; ++i) {
    x.push_back(static_cast<T>(random.uniform<double>(static_cast<std::uint64_t>(i))));
  }
  std::vector<std::int32_t> labels;
  std::vector<std::int64_t> root(2, 0);
  for (Index i = 0; i < rows; ++i) {
    labels.push_back(x[static_cast<std::size_t>(i * cols + 3)] > 0.4F ? 1 : 0);
    ++root[static_cast<std::size_t>(labels.back())];
  }
  tree::SplitRules rules;
  rules.criterion = TreeCriterion::gini;
  rules.classes = 2;
  rules.features_per_node = cols;
  rules.total_weight = rows;
  rules.most_weight = rows;
  const auto gpu = test::cuda_engine({});
  if (!software_gpu::is_loaded()) GTEST_SKIP() << "a real GPU does not count";
  const software_gpu::Counting counting;
  Half<T> half(*gpu, x, rows, cols, labels, {}, rules);
  const std::vector<tree::OpenNode> nodes{{0, rows, 0, tree::root_key, root.data()}};
  std::vector<tree::NodeSplit<T>> splits(1);
  std::vector<std::int64_t> left(2);
  half.steps->find_splits(nodes, splits, left);
  ASSERT_EQ(splits[0].feature, 3);
  half.steps->apply_splits(std::vector<tree::SplitToApply>{
      {0, rows, 3, splits[0].left_known, splits[0].left_rows, false, true, true}});
  tree::TreeOnEngine<T> stump;
  stump.feature = to_engine(*gpu, std::vector<std::int32_t>{0, -1, -1});
  stump.threshold = to_engine(*gpu, std::vector<T>{0.5F, 0, 0});
  stump.right = to_engine(*gpu, std::vector<std::int64_t>{2, 0, 0});
  stump.missing_left = to_engine(*gpu, std::vector<std::uint8_t>{0, 0, 0});
  Buffer<std::int64_t> leaf(*gpu, rows);
  half.steps->find_leaves(stump, half.x, rows, cols, leaf);
  gpu->wait();

  const nlohmann::ordered_json counters = nlohmann::ordered_json::parse(counting.counters());
  // `by_row`: look-ups by row, or two runs of stores, are not coalesced.
  const auto expect = [&](const char* kernel, const Cost& cost, bool by_row = false) {
    const Counted counted(counters, kernel);
    EXPECT_EQ(counted.kernels, 1) << kernel;
    EXPECT_NEAR(counted.bytes, cost.bytes, 0.05 * cost.bytes) << kernel;
    EXPECT_NEAR(counted.flops, cost.flops, 0.05 * cost.flops) << kernel;
    if (!by_row) {
      EXPECT_LE(counted.sectors, 1.05 * counted.ideal_sectors) << kernel;
    }
    EXPECT_LE(counted.wavefronts, 1.05 * counted.ideal_wavefronts) << kernel;
  };
  const auto n = static_cast<double>(rows);
  const auto all = static_cast<double>(cols);
  const double moved = all - 1;  // not the feature that was split
  const double tiles = std::ceil(n / 512);
  expect("take_keys_kernel", cuda::take_keys_cost(n, all, sizeof(T)));
  expect("make_payloads_kernel", {all * cuda::make_payloads_cost(n, true).bytes, 0}, true);
  const double flops = rows <= (Index{1} << 18) ? cuda::light_gini_flops : cuda::gini_flops;
  expect("score_cuts_kernel",
         cuda::score_cuts_cost(n, all, tiles, tiles > 1 ? 1 : 0, flops, (n - 1) * all));
  expect("left_statistics_kernel",
         cuda::left_statistics_cost(static_cast<double>(splits[0].left_rows), tiles, 1));
  expect("mark_left_kernel", cuda::mark_left_cost(n), true);
  expect("find_leaves_kernel", cuda::find_leaves_cost(n, 3, n, sizeof(T)), true);
  if (tiles == 1) {
    expect("partition_short_kernel", cuda::partition_short_cost(n, moved), true);
    return;
  }
  expect("tally_tiles_kernel", cuda::tally_tiles_cost(n, all, tiles, 1));
  expect("scan_tiles_kernel", cuda::scan_tiles_cost(all, tiles, 1, 1));
  expect("count_left_kernel", cuda::count_left_cost(n, moved, tiles), true);
  expect("scan_left_kernel", cuda::scan_left_cost(all, tiles, 1));
  expect("scatter_kernel", cuda::scatter_cost(n, moved, tiles), true);
  expect("copy_back_kernel", cuda::copy_back_cost(n, moved, tiles));
}

TEST(DecisionTreeCudaCost, NodeOfSeveralTiles) { expect_costs(8192); }
TEST(DecisionTreeCudaCost, NodeOfOneTile) { expect_costs(512); }
TEST(LongDecisionTreeCudaCost, NodeWhoseFractionsAreLong) { expect_costs(300032); }

// So many rows and classes that a row and its class do not fit into 32 bits.
TEST(LongDecisionTreeCuda, ClassesBesideTheirRows) {
  const Index rows = (Index{1} << 22) + 5;
  const Random random(2, Purpose::test);
  Dataset<float> data;
  data.source = "generated";
  data.features = Matrix<float>(rows, 1);
  data.columns = numbered_columns(1);
  data.target_column.name = "y";
  for (Index i = 0; i < rows; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    data.features(i, 0) = static_cast<float>(u);
    data.target.push_back(static_cast<float>(i < 600 ? i : static_cast<Index>(u * u * 600)));
  }
  DecisionTreeOptions options;
  options.task = TaskChoice::classification;
  options.max_depth = 2;
  expect_the_cpus_tree(*test::cuda_engine({}), data, options);
}

// --- a run that goes on elsewhere ----------------------------------------------------------------

// Stops after one level, or batch of subtrees, and keeps the state.
class StopAfterOne final : public RunControl {
 public:
  explicit StopAfterOne(const Archive* state) : state_(state) {}
  [[nodiscard]] bool stop_requested() const noexcept override { return true; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { saved = state; }
  [[nodiscard]] const Archive* resume_state() const noexcept override { return state_; }
  Archive saved;

 private:
  const Archive* state_;
};

// Each level on the other engine than the one before.
TEST(DecisionTreeCuda, GoesOnWhereTheCpuStoppedAndBack) {
  const Recipe recipe{.rows = 2500, .cols = 60, .classes = 3, .missing = 0.02};
  auto options = options_for(recipe, TreeCriterion::gini);
  options.min_samples_leaf = 60;
  const auto data = make<float>(recipe, 12);
  const auto cpu = cpu_engine();
  const auto gpu = test::cuda_engine({});
  const auto whole = fit(*cpu, data, options);
  Archive state;
  int interruptions = 0;
  for (bool done = false; !done;) {
    StopAfterOne control(interruptions > 0 ? &state : nullptr);
    try {
      Engine& engine = interruptions % 2 == 0 ? *cpu : *gpu;
      expect_same_bits(whole, fit(engine, data, options, {.control = &control}));
      done = true;
    } catch (const Interrupted&) {
      state = control.saved;
      ASSERT_LT(++interruptions, 100);
    }
  }
  EXPECT_GE(interruptions, 3);
}

// --- data larger than the device -----------------------------------------------------------------

TEST(DecisionTreeCuda, DataLargerThanTheDevice) {
  for (const Index classes : {0, 2}) {
    const Recipe recipe{.rows = 6000, .cols = 12, .classes = classes, .missing = 0.05};
    const auto data = make<double>(recipe, 7);
    auto options =
        options_for(recipe, classes == 0 ? TreeCriterion::squared_error : TreeCriterion::entropy);
    // To the end, so that a level has more nodes than are searched at once.
    options.max_depth = classes == 0 ? 4 : 0;
    options.max_features = MaxFeatures::parse("7");
    // The table is 576 kB, and so are its orders.
    const auto gpu = test::cuda_engine({.device_memory = std::size_t{600} << 10});
    expect_the_cpus_tree(*gpu, data, options);
  }
}

}  // namespace
}  // namespace tandem

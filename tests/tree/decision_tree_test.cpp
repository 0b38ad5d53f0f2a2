#include "tandem/tree/decision_tree.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "core/random.hpp"
#include "support/agreement.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  EngineOptions options;
  options.device = device;
  options.threads = threads;
  return Engine::create(options);
}

template <Real T>
Dataset<T> dataset(Index cols, const std::vector<double>& features,
                   const std::vector<double>& target) {
  Dataset<T> data;
  data.source = "test";
  data.features = Matrix<T>(static_cast<Index>(target.size()), cols,
                            std::vector<T>(features.begin(), features.end()));
  data.columns = numbered_columns(cols);
  data.target.assign(target.begin(), target.end());
  data.target_column.name = "y";
  return data;
}

std::vector<std::string> names_of(Index count) {
  std::vector<std::string> names;
  for (const auto& column : numbered_columns(count)) names.push_back(column.name);
  return names;
}

// The last column is the target.
template <Real T>
Dataset<T> shipped(const std::string& name) {
  std::ifstream file(std::string(TANDEM_DATA_DIR) + "/" + name + ".csv");
  std::string line;
  std::getline(file, line);
  std::vector<double> features;
  std::vector<double> target;
  std::map<std::string, double> codes;
  Index cols = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::vector<std::string> texts;
    for (std::string text; std::getline(fields, text, ',');) texts.push_back(text);
    cols = static_cast<Index>(texts.size()) - 1;
    for (std::size_t j = 0; j + 1 < texts.size(); ++j) features.push_back(std::stod(texts[j]));
    char* end = nullptr;
    const double number = std::strtod(texts.back().c_str(), &end);
    target.push_back(
        *end == '\0' || *end == '\r'
            ? number
            : codes.emplace(texts.back(), static_cast<double>(codes.size())).first->second);
  }
  return dataset<T>(cols, features, target);
}

template <Real T>
DecisionTreeModel<T> fit(const Dataset<T>& data, const DecisionTreeOptions& options,
                         Device device = Device::cpu, int threads = 1) {
  return fit(*engine_of(device, threads), data, options, FitContext<T>{});
}

template <Real T>
double accuracy(const DecisionTreeModel<T>& model, const Dataset<T>& data) {
  const auto labels = model.predict(*engine_of(Device::cpu), data.features.view()).labels;
  const auto truth = encode_classes(data, model.classes()).labels;
  Index right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += labels[i] == truth[i] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

// Random tables with the things that trouble split search.
struct Recipe {
  Index rows = 100;
  Index cols = 5;
  Index classes = 2;   // 0: regression
  Index distinct = 0;  // values per feature; 0: continuous
  double missing = 0;
  bool weighted = false;
  bool constant_column = false;
};

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
      if (recipe.constant_column && j == 1) value = 3;
      signal += value * (j % 2 == 0 ? 1 : -0.5);
      if (random.uniform(next++) < recipe.missing) value = nan;
      data.features(i, j) = static_cast<T>(value);
    }
    const double noise = random.uniform(next++);
    if (recipe.classes == 0) {
      data.target.push_back(static_cast<T>(signal + noise));
    } else {
      const double label = std::floor(std::fabs(signal) * 2 + noise);
      data.target.push_back(static_cast<T>(std::fmod(label, static_cast<double>(recipe.classes))));
    }
    if (recipe.weighted) data.weights.push_back(static_cast<T>(random.uniform(next++) + 0.1));
  }
  return data;
}

DecisionTreeOptions options_for(const Recipe& recipe, TreeCriterion criterion) {
  DecisionTreeOptions options;
  options.task = recipe.classes == 0 ? TaskChoice::regression : TaskChoice::classification;
  options.criterion = criterion;
  return options;
}

std::vector<TreeCriterion> criteria_of(const Recipe& recipe) {
  if (recipe.classes == 0) return {TreeCriterion::squared_error};
  return {TreeCriterion::entropy, TreeCriterion::gini};
}

// --- tie-aware agreement -------------------------------------------------------------------------

// Weight times impurity of some rows, by the definition.
template <Real T>
long double textbook_impurity(const Dataset<T>& data, TreeCriterion criterion,
                              const std::vector<Index>& rows) {
  std::map<T, long double> by_value;
  long double total = 0;
  long double mean = 0;
  const auto weight = [&](Index i) {
    return data.weights.empty()
               ? 1.0L
               : static_cast<long double>(data.weights[static_cast<std::size_t>(i)]);
  };
  for (const Index i : rows) {
    const T y = data.target[static_cast<std::size_t>(i)];
    by_value[y] += weight(i);
    total += weight(i);
    mean += weight(i) * static_cast<long double>(y);
  }
  if (total == 0) return 0;
  mean /= total;
  long double sum = 0;
  for (const auto& [y, w] : by_value) {
    const long double share = w / total;
    if (criterion == TreeCriterion::entropy)
      sum -= share * std::log2(share);
    else if (criterion == TreeCriterion::gini)
      sum += share * (1 - share);
    else
      sum += share * (static_cast<long double>(y) - mean) * (static_cast<long double>(y) - mean);
  }
  return total * sum;
}

// Walks two trees from their roots. Where they cut a node's rows differently, the two cuts must be
// equally good to within the error of the scores: 64 roundings, and the fixed point's 2^-40, of the
// node's weight times its largest possible impurity. Below such a tie the trees are not compared.
template <Real T>
void expect_same_up_to_ties(const Dataset<T>& data, const DecisionTreeModel<T>& a,
                            const DecisionTreeModel<T>& b, Index& ties) {
  struct Pair {
    std::size_t a;
    std::size_t b;
    std::vector<Index> rows;
  };
  std::vector<Index> all(static_cast<std::size_t>(data.rows()));
  std::iota(all.begin(), all.end(), Index{0});
  std::vector<Pair> stack{{0, 0, all}};
  const auto side = [&](const DecisionTreeModel<T>& model, std::size_t node,
                        const std::vector<Index>& rows, bool left) {
    std::vector<Index> part;
    for (const Index i : rows) {
      const T v = data.features(i, model.nodes.feature[node]);
      const bool goes_left =
          std::isnan(v) ? model.nodes.missing_left[node] != 0 : v <= model.nodes.threshold[node];
      if (goes_left == left) part.push_back(i);
    }
    return part;
  };
  while (!stack.empty()) {
    const Pair at = std::move(stack.back());
    stack.pop_back();
    EXPECT_EQ(a.nodes.rows[at.a], b.nodes.rows[at.b]);
    const bool leaf_a = a.nodes.feature[at.a] < 0;
    const bool leaf_b = b.nodes.feature[at.b] < 0;
    ASSERT_EQ(leaf_a, leaf_b) << "node " << at.a << " of " << at.rows.size() << " rows";
    if (leaf_a) continue;
    const auto left_a = side(a, at.a, at.rows, true);
    const auto left_b = side(b, at.b, at.rows, true);
    const auto right_a = side(a, at.a, at.rows, false);
    if (left_a == left_b) {
      EXPECT_TRUE(a.nodes.feature[at.a] == b.nodes.feature[at.b]
                      ? a.nodes.threshold[at.a] == b.nodes.threshold[at.b]
                      : true);
      const auto child = [](std::int64_t i) { return static_cast<std::size_t>(i); };
      stack.push_back({child(a.nodes.left[at.a]), child(b.nodes.left[at.b]), left_a});
      stack.push_back({child(a.nodes.right[at.a]), child(b.nodes.right[at.b]), right_a});
      continue;
    }
    ++ties;
    const auto right_b = side(b, at.b, at.rows, false);
    const auto merit_a = textbook_impurity(data, a.criterion, left_a) +
                         textbook_impurity(data, a.criterion, right_a);
    const auto merit_b = textbook_impurity(data, a.criterion, left_b) +
                         textbook_impurity(data, a.criterion, right_b);
    const double largest = a.criterion == TreeCriterion::squared_error
                               ? a.nodes.impurity[0]
                               : std::log2(static_cast<double>(data.rows()) + 2);
    const double bound = (64 * unit_roundoff<double> + 0x1p-40) * a.nodes.weight[at.a] * largest;
    EXPECT_LE(std::fabs(static_cast<double>(merit_a - merit_b)), bound)
        << "node " << at.a << " of " << at.rows.size() << " rows";
  }
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

// --- small trees by hand, on both engines --------------------------------------------------------

class OnEngine : public ::testing::TestWithParam<Device> {};
INSTANTIATE_TEST_SUITE_P(Engines, OnEngine, ::testing::Values(Device::reference, Device::cpu),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST_P(OnEngine, SplitsTwoClassesAtTheMidpoint) {
  const auto data = dataset<float>(1, {1, 2, 4, 7}, {0, 0, 1, 1});
  for (const TreeCriterion criterion : {TreeCriterion::entropy, TreeCriterion::gini}) {
    DecisionTreeOptions options;
    options.criterion = criterion;
    const auto model = fit(data, options, GetParam());
    EXPECT_THAT(model.nodes.feature, ElementsAre(0, -1, -1));
    EXPECT_THAT(model.nodes.threshold, ElementsAre(3.0F, 0.0F, 0.0F));
    EXPECT_THAT(model.nodes.left, ElementsAre(1, -1, -1));
    EXPECT_THAT(model.nodes.right, ElementsAre(2, -1, -1));
    EXPECT_THAT(model.nodes.rows, ElementsAre(4, 2, 2));
    EXPECT_EQ(model.nodes.impurity[0], criterion == TreeCriterion::entropy ? 1.0 : 0.5);
    EXPECT_THAT(model.values.values(), ElementsAre(2, 2, 2, 0, 0, 2));
    EXPECT_THAT(model.importances(), ElementsAre(1.0));
    EXPECT_EQ(model.training().stopped_because, "every leaf is pure");
    EXPECT_EQ(model.depth(), 1);
  }
}

// Equal rows go the same way, the threshold itself goes left, and predict says so.
TEST_P(OnEngine, TheThresholdGoesLeft) {
  const auto data = dataset<double>(1, {1, 1, 3, 3}, {0, 0, 1, 1});
  const auto model = fit(data, {}, GetParam());
  EXPECT_EQ(model.nodes.threshold[0], 2.0);
  const Matrix<double> x(4, 1, std::vector<double>{2.0, std::nextafter(2.0, 3.0), -1e300, 1e300});
  const auto predicted = model.predict(*engine_of(GetParam()), x.view());
  EXPECT_THAT(predicted.labels, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(predicted.probabilities.values(), ElementsAre(1, 0, 0, 1, 1, 0, 0, 1));
}

// Exclusive or: no first cut lowers the impurity, and the tree still finds the classes.
TEST_P(OnEngine, SplitsWithoutGainWhereRowsDiffer) {
  const auto data = dataset<float>(2, {0, 0, 0, 1, 1, 0, 1, 1}, {0, 1, 1, 0});
  const auto model = fit(data, {}, GetParam());
  EXPECT_EQ(accuracy(model, data), 1.0);
  EXPECT_EQ(model.nodes.size(), 7);
  EXPECT_EQ(model.nodes.feature[0], 0);  // a tie: the lowest feature
  DecisionTreeOptions options;
  options.min_impurity_decrease = 1e-9;
  EXPECT_EQ(fit(data, options, GetParam()).nodes.size(), 1);
}

TEST_P(OnEngine, TiesGoToTheLowestFeatureThenTheLowestThreshold) {
  // Features 1 and 2 separate equally well; in feature 1, cuts at 0.5 and 2.5 are equally good.
  const auto data = dataset<float>(3, {5, 0, 3, 5, 1, 2, 5, 2, 1, 5, 3, 0}, {0, 1, 1, 0});
  DecisionTreeOptions options;
  options.max_depth = 1;
  const auto model = fit(data, options, GetParam());
  EXPECT_EQ(model.nodes.feature[0], 1);
  EXPECT_EQ(model.nodes.threshold[0], 0.5F);
}

// Both features separate the rows, the second with left and right in each other's place.
TEST_P(OnEngine, AMirroredPartitionIsATie) {
  auto data = dataset<double>(2, {0, 1, 1, 0}, {0.41, -0.117});
  data.weights = {0.625, 6.875};
  DecisionTreeOptions options;
  options.task = TaskChoice::regression;
  EXPECT_EQ(fit(data, options, GetParam()).nodes.feature[0], 0);
}

// Every second feature is the one before it mirrored, with values of another size: what it can
// separate the other can too, so that no tree uses it, and its own tree has the same importances.
TEST_P(OnEngine, MirroredFeaturesAreNeverChosen) {
  for (const Index classes : {0, 2, 3}) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      Recipe recipe{.rows = 2 + static_cast<Index>(seed % 13), .cols = 6, .classes = classes};
      recipe.distinct = seed % 3 == 0 ? 4 : 0;
      recipe.weighted = seed % 2 == 0;
      auto data = make<double>(recipe, seed);
      for (Index i = 0; i < data.rows(); ++i) {
        for (Index j = 1; j < 6; j += 2) data.features(i, j) = 10 - 3 * data.features(i, j - 1);
      }
      auto mirrored = data;
      for (double& value : mirrored.features.values()) value = -value;
      for (const TreeCriterion criterion : criteria_of(recipe)) {
        const auto options = options_for(recipe, criterion);
        const auto model = fit(data, options, GetParam());
        for (const auto feature : model.nodes.feature) {
          EXPECT_TRUE(feature < 0 || feature % 2 == 0) << "seed " << seed;
        }
        if (recipe.distinct > 0) continue;  // of two cuts in one feature the lower one wins
        DecisionTreeOptions stump = options;
        stump.max_depth = 1;
        const auto a = fit(data, stump, GetParam());
        const auto b = fit(mirrored, stump, GetParam());
        EXPECT_EQ(a.nodes.feature[0], b.nodes.feature[0]) << "seed " << seed;
      }
    }
  }
}

// Whole targets and weights, few values: the root's split is the first of those that are best by
// exact fractions.
TEST_P(OnEngine, TheFirstOfTheBestByExactFractions) {
  Index tied = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Random random(seed, Purpose::test);
    std::uint64_t next = 0;
    const auto whole = [&](int below) { return std::floor(random.uniform(next++) * below); };
    const auto n = static_cast<Index>(3 + whole(9));
    constexpr Index d = 4;
    std::vector<double> x;
    std::vector<double> y;
    for (Index i = 0; i < n * d; ++i) x.push_back(whole(4));
    for (Index i = 0; i < n; ++i) y.push_back(whole(5) * 3 - 1);
    auto data = dataset<double>(d, x, y);
    for (Index i = 0; i < n; ++i) data.weights.push_back(1 + whole(seed % 2 == 0 ? 1 : 6));
    long total = 0;
    long sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      total += static_cast<long>(data.weights[i]);
      sum += static_cast<long>(data.weights[i] * y[i]);
    }
    // (W·S_L − S·W_L)² / (W_L·W_R), cross-multiplied: all below 2^62.
    long best_square = -1;
    long best_weights = 1;
    Index best_feature = -1;
    double best_threshold = 0;
    for (Index f = 0; f < d; ++f) {
      for (const double threshold : {0.5, 1.0, 1.5, 2.0, 2.5}) {
        long weight = 0;
        long weighted = 0;
        double below = -1;
        double above = 9;
        for (std::size_t i = 0; i < y.size(); ++i) {
          const double value = x[i * d + static_cast<std::size_t>(f)];
          if (value > threshold) {
            above = std::min(above, value);
            continue;
          }
          below = std::max(below, value);
          weight += static_cast<long>(data.weights[i]);
          weighted += static_cast<long>(data.weights[i] * y[i]);
        }
        if (below < 0 || above > 8 || (below + above) / 2 != threshold) continue;
        const long apart = total * weighted - sum * weight;
        const long weights = weight * (total - weight);
        const long order = apart * apart * best_weights - best_square * weights;
        if (order == 0) ++tied;
        if (order <= 0) continue;
        best_square = apart * apart;
        best_weights = weights;
        best_feature = f;
        best_threshold = threshold;
      }
    }
    DecisionTreeOptions options;
    options.task = TaskChoice::regression;
    options.max_depth = 1;
    const auto model = fit(data, options, GetParam());
    if (model.nodes.size() == 1) continue;  // one value of the target
    EXPECT_EQ(model.nodes.feature[0], best_feature) << "seed " << seed;
    EXPECT_EQ(model.nodes.threshold[0], best_threshold) << "seed " << seed;
  }
  EXPECT_GT(tied, 50);
}

TEST_P(OnEngine, RegressionByHand) {
  // Best cut: {0, 1} against {5, 6}: means 0.5 and 5.5, variances 0.25.
  const auto data = dataset<double>(1, {1, 2, 3, 4}, {0, 1, 5, 6});
  DecisionTreeOptions options;
  options.task = TaskChoice::regression;
  options.max_depth = 1;
  const auto model = fit(data, options, GetParam());
  EXPECT_THAT(model.nodes.feature, ElementsAre(0, -1, -1));
  EXPECT_EQ(model.nodes.threshold[0], 2.5);
  EXPECT_THAT(model.values.values(), ElementsAre(3.0, 0.5, 5.5));
  EXPECT_THAT(model.nodes.impurity, ElementsAre(6.5, 0.25, 0.25));
  EXPECT_EQ(model.training().stopped_because, "the depth allowed was reached");
  EXPECT_THAT(model.predict(*engine_of(GetParam()), data.features.view()).values,
              ElementsAre(0.5, 0.5, 5.5, 5.5));
}

// --- missing values ------------------------------------------------------------------------------

TEST_P(OnEngine, MissingGoesToTheBetterSide) {
  // The missing rows are of the class on the right, then of the class on the left.
  for (const double missing_class : {1.0, 0.0}) {
    const auto data =
        dataset<float>(1, {1, 2, nan, 3, 4, nan}, {0, 0, missing_class, 1, 1, missing_class});
    const auto model = fit(data, {}, GetParam());
    EXPECT_EQ(model.nodes.size(), 3);
    EXPECT_EQ(model.nodes.threshold[0], 2.5F);
    EXPECT_EQ(model.nodes.missing_left[0], missing_class == 0 ? 1 : 0);
    EXPECT_EQ(accuracy(model, data), 1.0);
  }
}

TEST_P(OnEngine, KnownAgainstMissingIsASplit) {
  const auto data = dataset<float>(1, {1, 5, nan, 3, nan}, {0, 0, 1, 0, 1});
  const auto model = fit(data, {}, GetParam());
  EXPECT_EQ(model.nodes.size(), 3);
  EXPECT_EQ(model.nodes.threshold[0], std::numeric_limits<float>::max());
  EXPECT_EQ(model.nodes.missing_left[0], 0);
  EXPECT_EQ(accuracy(model, data), 1.0);
  EXPECT_THAT(model.tree_text({"a"}), HasSubstr("a is known"));
}

TEST_P(OnEngine, AMissingTieGoesLeft) {
  const auto data = dataset<float>(1, {1, 2, nan, nan}, {0, 1, 0, 1});
  DecisionTreeOptions options;
  options.max_depth = 1;
  options.min_samples_leaf = 1;
  const auto model = fit(data, options, GetParam());
  // Cutting at 1.5 gains the same with the missing rows on either side.
  EXPECT_EQ(model.nodes.threshold[0], 1.5F);
  EXPECT_EQ(model.nodes.missing_left[0], 1);
}

TEST_P(OnEngine, MissingThatTrainingNeverSawGoesWithMostRows) {
  const auto model = fit(dataset<float>(1, {1, 2, 3, 9}, {0, 0, 0, 1}), {}, GetParam());
  EXPECT_EQ(model.nodes.missing_left[0], 1);
  const auto other = fit(dataset<float>(1, {1, 7, 8, 9}, {0, 1, 1, 1}), {}, GetParam());
  EXPECT_EQ(other.nodes.missing_left[0], 0);
  const Matrix<float> x(1, 1, std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
  EXPECT_THAT(model.predict(*engine_of(GetParam()), x.view()).labels, ElementsAre(0));
  EXPECT_THAT(other.predict(*engine_of(GetParam()), x.view()).labels, ElementsAre(1));
}

TEST_P(OnEngine, AllMissingIsConstant) {
  const auto model = fit(dataset<float>(1, {nan, nan, nan}, {0, 1, 1}), {}, GetParam());
  EXPECT_EQ(model.nodes.size(), 1);
  EXPECT_EQ(model.training().stopped_because, "every feature is constant");
}

// --- options -------------------------------------------------------------------------------------

TEST_P(OnEngine, MinimumOfRowsPerLeafAndSplit) {
  const auto data = dataset<float>(1, {1, 2, 3, 4, 5, 6}, {1, 0, 0, 0, 0, 0});
  DecisionTreeOptions options;
  options.min_samples_leaf = 2;
  const auto model = fit(data, options, GetParam());
  EXPECT_EQ(model.nodes.threshold[0], 2.5F);
  EXPECT_EQ(*std::min_element(model.nodes.rows.begin(), model.nodes.rows.end()), 2);
  options.min_samples_leaf = 1;
  options.min_samples_split = 7;
  EXPECT_EQ(fit(data, options, GetParam()).nodes.size(), 1);
  options.min_samples_split = 2;
  options.min_samples_leaf = std::numeric_limits<Index>::max();
  EXPECT_EQ(fit(data, options, GetParam()).nodes.size(), 1);
}

TEST_P(OnEngine, MinimumOfRowsPerLeafCountsMissing) {
  const auto data = dataset<float>(1, {1, 2, 3, 4, nan, nan}, {1, 0, 0, 0, 1, 1});
  DecisionTreeOptions options;
  options.min_samples_leaf = 3;
  const auto model = fit(data, options, GetParam());
  ASSERT_EQ(model.nodes.size(), 3);
  EXPECT_THAT(model.nodes.rows, ElementsAre(6, 3, 3));
  EXPECT_EQ(model.nodes.threshold[0], 1.5F);
  EXPECT_EQ(model.nodes.missing_left[0], 1);
}

TEST_P(OnEngine, MinimumImpurityDecreaseIsAShareOfTheWhole) {
  // Gini, the class is the conjunction: the root's cut lowers 3/8 to 1/4, by 1/8; the second one
  // lowers 1/2 to 0 in half of the rows, by 1/4 of the whole.
  const auto data = dataset<double>(2, {0, 0, 0, 1, 1, 0, 1, 1}, {0, 0, 0, 1});
  DecisionTreeOptions options;
  options.min_impurity_decrease = 0.126;
  EXPECT_EQ(fit(data, options, GetParam()).nodes.size(), 1);
  options.min_impurity_decrease = 0.125;
  EXPECT_EQ(fit(data, options, GetParam()).nodes.size(), 5);
}

TEST_P(OnEngine, ClassWeights) {
  const auto data = dataset<float>(1, {1, 1, 1, 1}, {0, 0, 0, 1});
  DecisionTreeOptions options;
  options.class_weight = ClassWeights::parse("balanced");
  auto model = fit(data, options, GetParam());
  EXPECT_NEAR(model.values(0, 0), 2.0, 1e-12);  // 3 rows of 4 / (2·3)
  EXPECT_NEAR(model.values(0, 1), 2.0, 1e-12);
  options.class_weight = ClassWeights::parse("1=5");
  model = fit(data, options, GetParam());
  EXPECT_THAT(model.values.values(), ElementsAre(3, 5));
  EXPECT_THAT(model.predict(*engine_of(GetParam()), data.features.view()).labels,
              ElementsAre(1, 1, 1, 1));
  options.class_weight = ClassWeights::parse("1=0");
  model = fit(data, options, GetParam());
  EXPECT_THAT(model.nodes.rows, ElementsAre(3));
}

// --- against scikit-learn 1.9.1 ------------------------------------------------------------------

// DecisionTreeClassifier(criterion="entropy", max_depth=3 or None).fit(load_breast_cancer)
TEST_P(OnEngine, BreastCancer) {
  const auto data = shipped<float>("breast_cancer");
  ASSERT_EQ(data.rows(), 569);
  DecisionTreeOptions options;
  options.criterion = TreeCriterion::entropy;
  options.max_depth = 3;
  const auto model = fit(data, options, GetParam());
  EXPECT_DOUBLE_EQ(accuracy(model, data), 551.0 / 569);
  EXPECT_THAT(model.nodes.feature,
              ::testing::ElementsAreArray({22, 27, 13, -1, -1, 21, -1, -1, model.nodes.feature[8],
                                           model.nodes.feature[9], -1, -1, model.nodes.feature[12],
                                           -1, -1}));
  EXPECT_NEAR(model.nodes.threshold[0], 105.95, 1e-4);
  EXPECT_NEAR(model.nodes.threshold[1], 0.13505, 1e-6);
  options.max_depth = 0;
  const auto whole = fit(data, options, GetParam());
  EXPECT_EQ(accuracy(whole, data), 1.0);
  EXPECT_EQ(whole.nodes.size(), 39);
}

// DecisionTreeRegressor(max_depth=3).fit(load_diabetes(scaled=False))
TEST_P(OnEngine, Diabetes) {
  const auto data = shipped<double>("diabetes");
  ASSERT_EQ(data.rows(), 442);
  DecisionTreeOptions options;
  options.max_depth = 3;
  const auto model = fit(data, options, GetParam());
  EXPECT_EQ(model.task(), Task::regression);
  EXPECT_THAT(model.nodes.feature,
              ElementsAre(8, 2, 6, -1, -1, 0, -1, -1, 2, 2, -1, -1, 2, -1, -1));
  const std::vector<double> impurity{5929.884896910378,
                                     3240.820911539431,
                                     2143.9682637392725,
                                     2856.84687541287,
                                     1076.4709467120183,
                                     4075.083748302397,
                                     784.0,
                                     3615.377777777783,
                                     5135.610889668365,
                                     4095.837916171222,
                                     2869.499433106572,
                                     4236.2249817384945,
                                     4184.050325788761,
                                     3966.115027829306,
                                     2133.015608740883};
  for (std::size_t i = 0; i < impurity.size(); ++i) {
    EXPECT_NEAR(model.nodes.impurity[i], impurity[i], 1e-9 * impurity[0]);
  }
  const auto importances = model.importances();
  EXPECT_NEAR(importances[0], 0.02078003833653888, 1e-9);
  EXPECT_NEAR(importances[2], 0.37584937246690475, 1e-9);
  EXPECT_NEAR(importances[6], 0.021069918051207757, 1e-9);
  EXPECT_NEAR(importances[8], 0.5823006711253487, 1e-9);
  EXPECT_NEAR(std::accumulate(importances.begin(), importances.end(), 0.0), 1.0, 1e-12);
}

TEST(DecisionTree, UnlimitedRegressionFindsEveryTarget) {
  const auto data = shipped<double>("diabetes");
  const auto model = fit(data, {});
  const auto values = model.predict(*engine_of(Device::cpu), data.features.view()).values;
  // Fixed point keeps targets of up to 346, in 442 rows, to better than 2^-40.
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], data.target[i], 0x1p-40);
  EXPECT_EQ(model.training().stopped_because, "every leaf is pure");
}

// --- cpu against reference, threads --------------------------------------------------------------

template <Real T>
void compare_engines(const Recipe& recipe, std::uint64_t seed, DecisionTreeOptions options,
                     Index& ties) {
  const auto data = make<T>(recipe, seed);
  SCOPED_TRACE(std::to_string(recipe.rows) + " rows, " + std::to_string(recipe.cols) +
               " columns, " + std::to_string(recipe.classes) + " classes, " +
               std::to_string(recipe.distinct) + " values, seed " + std::to_string(seed) + ", " +
               std::string(to_string(options.criterion)));
  const auto reference = fit(data, options, Device::reference);
  const auto cpu = fit(data, options, Device::cpu, 1);
  expect_same_up_to_ties(data, cpu, reference, ties);
  for (const int threads : {2, 7}) {
    SCOPED_TRACE(threads);
    expect_same_bits(cpu, fit(data, options, Device::cpu, threads));
  }
}

TEST(DecisionTreeEngines, AwkwardSizes) {
  Index ties = 0;
  for (const Index rows : test::awkward_sizes()) {
    if (rows == 0) continue;
    for (const Index classes : {0, 2, 3}) {
      Recipe recipe{.rows = rows, .classes = classes};
      for (const TreeCriterion criterion : criteria_of(recipe)) {
        compare_engines<float>(recipe, 1, options_for(recipe, criterion), ties);
        compare_engines<double>(recipe, 2, options_for(recipe, criterion), ties);
      }
    }
  }
}

TEST(DecisionTreeEngines, DuplicatesMissingWeightsConstants) {
  Index ties = 0;
  std::uint64_t seed = 0;
  for (const Index distinct : {0, 1, 2, 5}) {
    for (const double missing : {0.0, 0.2, 0.9}) {
      for (const bool weighted : {false, true}) {
        for (const Index classes : {0, 2, 5}) {
          const Recipe recipe{.rows = 301,
                              .cols = 6,
                              .classes = classes,
                              .distinct = distinct,
                              .missing = missing,
                              .weighted = weighted,
                              .constant_column = true};
          for (const TreeCriterion criterion : criteria_of(recipe)) {
            compare_engines<float>(recipe, ++seed, options_for(recipe, criterion), ties);
          }
        }
      }
    }
  }
}

TEST(DecisionTreeEngines, OptionsAndDrawsOfFeatures) {
  Index ties = 0;
  for (const Index classes : {0, 2, 4}) {
    const Recipe recipe{
        .rows = 700, .cols = 9, .classes = classes, .distinct = 40, .missing = 0.05};
    for (const TreeCriterion criterion : criteria_of(recipe)) {
      auto options = options_for(recipe, criterion);
      options.max_features = MaxFeatures::parse("sqrt");
      options.min_samples_leaf = 4;
      options.min_samples_split = 11;
      options.seed = 99;
      compare_engines<double>(recipe, 5, options, ties);
      options.max_features = MaxFeatures::parse("2");
      options.min_impurity_decrease = 0.002;
      options.max_depth = 6;
      compare_engines<float>(recipe, 6, options, ties);
    }
  }
}

// More rows than a subtree that is grown whole, so that levels, subtrees and their seam all occur.
TEST(DecisionTreeEngines, LevelsAndSubtrees) {
  Index ties = 0;
  Recipe recipe{.rows = 9001, .cols = 60, .classes = 2, .missing = 0.01};
  auto options = options_for(recipe, TreeCriterion::entropy);
  options.max_depth = 12;
  compare_engines<float>(recipe, 3, options, ties);
  recipe.classes = 0;
  compare_engines<float>(recipe, 4, options_for(recipe, TreeCriterion::squared_error), ties);
}

TEST(DecisionTreeEngines, ValuesAtTheEdgeOfTheirType) {
  const double tiny = std::numeric_limits<double>::denorm_min();
  const double huge = std::numeric_limits<double>::max();
  const std::vector<double> values{-huge, -huge / 2, -1, -tiny, -0.0, 0.0, tiny, 2 * tiny, 1, huge};
  const std::vector<double> target{0, 1, 0, 1, 0, 0, 1, 0, 1, 0};
  const auto data = dataset<double>(1, values, target);
  for (const auto device : {Device::reference, Device::cpu}) {
    const auto model = fit(data, {}, device);
    EXPECT_EQ(accuracy(model, data), 1.0);
    for (const double threshold : model.nodes.threshold) EXPECT_TRUE(std::isfinite(threshold));
  }
  // −0 and +0 are one value.
  const auto zeros = dataset<float>(1, {-0.0, 0.0}, {0, 1});
  EXPECT_EQ(fit(zeros, {}).nodes.size(), 1);
}

// --- weights mean duplicates ---------------------------------------------------------------------

TEST(DecisionTreeWeights, WholeWeightsAreDuplicatedRows) {
  for (const Index classes : {0, 2, 5}) {
    Recipe recipe{.rows = 200, .cols = 4, .classes = classes, .distinct = 12, .missing = 0.1};
    auto data = make<double>(recipe, 8);
    // Regression on whole numbers, so that no order of rounding enters.
    for (auto& y : data.target) y = std::round(8 * y);
    const Random random(3, Purpose::test);
    std::vector<Index> duplicated;
    for (Index i = 0; i < data.rows(); ++i) {
      const Index times = random.below(4, static_cast<std::uint64_t>(i));
      data.weights.push_back(static_cast<double>(times));
      for (Index k = 0; k < times; ++k) duplicated.push_back(i);
    }
    auto plain = select_rows(data, duplicated);
    plain.weights.clear();
    for (const TreeCriterion criterion : criteria_of(recipe)) {
      const auto options = options_for(recipe, criterion);
      for (const auto device : {Device::reference, Device::cpu}) {
        // The reference's sums of doubles break ties of whole targets either way.
        if (device == Device::reference && classes == 0) continue;
        const auto weighted = fit(data, options, device);
        const auto repeated = fit(plain, options, device);
        EXPECT_EQ(weighted.nodes.feature, repeated.nodes.feature) << to_string(criterion);
        EXPECT_EQ(weighted.nodes.threshold, repeated.nodes.threshold);
        EXPECT_EQ(weighted.nodes.weight, repeated.nodes.weight);
        EXPECT_TRUE(test::elementwise(weighted.values.values(), repeated.values.values(), 4));
      }
    }
  }
}

TEST(DecisionTreeWeights, OneScaleOfWeightsIsAsGoodAsAnother) {
  auto data = make<float>({.rows = 300, .classes = 3}, 4);
  const auto plain = fit(data, {});
  data.weights.assign(300, 0.25F);
  const auto scaled = fit(data, {});
  EXPECT_EQ(plain.nodes.feature, scaled.nodes.feature);
  EXPECT_EQ(plain.nodes.threshold, scaled.nodes.threshold);
  EXPECT_EQ(plain.nodes.impurity, scaled.nodes.impurity);
  EXPECT_EQ(scaled.nodes.weight[0], 75.0);
}

// --- models --------------------------------------------------------------------------------------

TEST(DecisionTreeModelFile, KeepsEveryBit) {
  for (const Index classes : {0, 3}) {
    const Recipe recipe{.rows = 300, .classes = classes, .missing = 0.1};
    const auto model =
        fit(make<float>(recipe, 1),
            options_for(recipe, classes == 0 ? TreeCriterion::automatic : TreeCriterion::gini));
    Archive archive;
    model.save(archive);
    expect_same_bits(model, DecisionTreeModel<float>::load(archive));
  }
}

TEST(DecisionTreeModelFile, RefusesWhatNoFitCouldHaveSaved) {
  const auto model = fit(make<double>({.rows = 60, .classes = 2}, 1), {});
  ASSERT_GT(model.nodes.size(), 8);
  Archive good;
  model.save(good);
  const auto refused = [&](auto&& spoil) {
    Archive bad = good;
    spoil(bad);
    EXPECT_THROW((void)DecisionTreeModel<double>::load(bad), InputError);
  };
  const auto changed = [&](std::string_view name, std::size_t at, auto value) {
    refused([&](Archive& archive) {
      auto values = archive.get_tensor<decltype(value)>(name);
      ASSERT_NE(values[at], value);
      values[at] = value;
      archive.set_tensor(name, values);
    });
  };
  changed("feature", 0, std::int32_t{5});
  changed("feature", 0, std::int32_t{-1});
  changed("feature", 0, std::int32_t{-2});
  changed("left", 0, std::int64_t{0});
  changed("left", 0, std::int64_t{2});
  changed("right", 0, std::int64_t{0});
  changed("right", 0, std::int64_t{1});
  changed("right", 0, std::int64_t{model.nodes.size()});
  changed("right", 0, std::numeric_limits<std::int64_t>::max());
  changed("right", 0, std::int64_t{-1});
  for (std::size_t i = 0; i < static_cast<std::size_t>(model.nodes.size()); ++i) {
    const std::int64_t right = model.nodes.right[i];
    changed("right", i, right + 1);
    changed("right", i, std::int64_t{0});
    if (model.nodes.feature[i] >= 0)
      changed("feature", i, std::int32_t{-1});
    else
      changed("feature", i, std::int32_t{0});
  }
  changed("threshold", 0, std::numeric_limits<double>::infinity());
  changed("weight", 1, 0.0);
  changed("impurity", 1, -1.0);
  changed("rows", 1, std::int64_t{0});
  changed("missing_left", 1, std::uint8_t{2});
  refused([](Archive& archive) { archive.set("task", "clustering"); });
  refused([](Archive& archive) { archive.set("criterion", "squared-error"); });
  refused([](Archive& archive) { archive.set("features", std::int64_t{0}); });
  refused([](Archive& archive) { archive.set("classes", std::vector<std::string>{"a"}); });
  refused([](Archive& archive) { archive.set_tensor("rows", std::vector<std::int64_t>{1}); });
  refused([&](Archive& archive) {
    auto values = archive.get_matrix<double>("values");
    values(3, 0) = -1;
    archive.set_matrix("values", values);
  });
  refused([&](Archive& archive) {
    auto values = archive.get_matrix<double>("values");
    values(3, 0) = values(3, 1) = 0;
    archive.set_matrix("values", values);
  });
}

// A tree as deep as it has rows: nothing may recurse.
TEST(DecisionTreeModelFile, VeryDeepTrees) {
  constexpr Index depth = 60000;
  std::vector<std::int32_t> feature;
  std::vector<double> threshold;
  std::vector<std::int64_t> left;
  std::vector<std::int64_t> right;
  // Node i splits off its right child; the right children come last, the nearest first.
  for (Index i = 0; i < depth; ++i) {
    feature.push_back(0);
    threshold.push_back(static_cast<double>(depth - i));
    left.push_back(i + 1);
    right.push_back(2 * depth - i);
  }
  for (Index i = 0; i <= depth; ++i) {
    feature.push_back(-1);
    threshold.push_back(0);
    left.push_back(-1);
    right.push_back(-1);
  }
  const auto count = feature.size();
  Archive archive;
  archive.set("task", "regression");
  archive.set("criterion", "squared-error");
  archive.set("features", std::int64_t{1});
  archive.set("classes", std::vector<std::string>{});
  archive.set_tensor("feature", feature);
  archive.set_tensor("threshold", threshold);
  archive.set_tensor("left", left);
  archive.set_tensor("right", right);
  archive.set_tensor("missing_left", std::vector<std::uint8_t>(count, 0));
  archive.set_tensor("rows", std::vector<std::int64_t>(count, 1));
  archive.set_tensor("weight", std::vector<double>(count, 1));
  archive.set_tensor("impurity", std::vector<double>(count, 0));
  archive.set_matrix("values", Matrix<double>(static_cast<Index>(count), 1, 2.0));
  TrainingLog().save(archive);
  const auto model = DecisionTreeModel<double>::load(archive);
  EXPECT_EQ(model.depth(), depth);
  EXPECT_LT(model.tree_text({"x"}).size(), std::size_t{60} << 20);
  EXPECT_FALSE(model.graphviz({"x"}).empty());
  EXPECT_FALSE(model.to_text({"x"}).empty());
  const Matrix<double> x(2, 1, std::vector<double>{-5, 1e9});
  EXPECT_THAT(model.apply(*engine_of(Device::cpu), x.view()), ElementsAre(depth, 2 * depth));
}

TEST(DecisionTreeModelText, TextAndGraphvizOfIris) {
  auto data = shipped<float>("iris");
  data.target_column.categories = {"setosa", "versicolor", "virginica"};
  DecisionTreeOptions options;
  options.criterion = TreeCriterion::entropy;
  options.max_depth = 2;
  const auto model = fit(data, options);
  const std::vector<std::string> names{"sepal length", "sepal width", "petal \"length\"",
                                       "petal width"};
  EXPECT_EQ(model.tree_text(names),
            "petal \"length\" <= 2.45  (150 rows, entropy 1.585, missing: no)\n"
            "├─ yes: setosa  (50 rows, entropy 0)\n"
            "└─ no:  petal width <= 1.75  (100 rows, entropy 1, missing: yes)\n"
            "   ├─ yes: versicolor  (54 rows, entropy 0.4451)\n"
            "   └─ no:  virginica  (46 rows, entropy 0.1511)\n");
  EXPECT_EQ(model.tree_text(names, 1),
            "petal \"length\" <= 2.45  (150 rows, entropy 1.585, missing: no)\n"
            "├─ yes: setosa  (50 rows, entropy 0)\n"
            "└─ no:  petal width <= 1.75  (100 rows, entropy 1, missing: yes)\n"
            "   └─ ...\n");
  EXPECT_EQ(model.graphviz(names),
            "digraph decision_tree {\n"
            "  node [shape=box, style=\"rounded\", fontname=\"Helvetica\"];\n"
            "  edge [fontname=\"Helvetica\"];\n"
            "  0 [label=\"petal \\\"length\\\" <= 2.45\\nentropy 1.585\\n150 rows\\nsetosa\"];\n"
            "  0 -> 1 [label=\"yes\"];\n"
            "  0 -> 2 [label=\"no, missing\"];\n"
            "  1 [label=\"entropy 0\\n50 rows\\nsetosa\", style=\"rounded,filled\", "
            "fillcolor=\"#e8eef7\"];\n"
            "  2 [label=\"petal width <= 1.75\\nentropy 1\\n100 rows\\nversicolor\"];\n"
            "  2 -> 3 [label=\"yes, missing\"];\n"
            "  2 -> 4 [label=\"no\"];\n"
            "  3 [label=\"entropy 0.4451\\n54 rows\\nversicolor\", style=\"rounded,filled\", "
            "fillcolor=\"#e8eef7\"];\n"
            "  4 [label=\"entropy 0.1511\\n46 rows\\nvirginica\", style=\"rounded,filled\", "
            "fillcolor=\"#e8eef7\"];\n"
            "}\n");
  const auto json = nlohmann::json::parse(model.to_json(names));
  EXPECT_EQ(json["nodes"].size(), 5U);
  EXPECT_EQ(json["nodes"][2]["feature"], "petal width");
  EXPECT_THROW((void)model.tree_text({"too", "few"}), InputError);
}

// --- interruption --------------------------------------------------------------------------------

// Stops after a number of iterations and keeps the state.
class StopAfter final : public RunControl {
 public:
  StopAfter(Index iterations, const Archive* state) : left_(iterations), state_(state) {}
  void report(const Progress&) override { --left_; }
  [[nodiscard]] bool stop_requested() const noexcept override { return left_ <= 0; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { saved = state; }
  [[nodiscard]] const Archive* resume_state() const noexcept override { return state_; }
  Archive saved;

 private:
  Index left_;
  const Archive* state_;
};

TEST(DecisionTreeResume, GivesTheBitsOfAnUninterruptedRun) {
  for (const auto device : {Device::reference, Device::cpu}) {
    for (const Index classes : {0, 3}) {
      const Recipe recipe{
          .rows = 6000, .cols = 100, .classes = classes, .distinct = 50, .missing = 0.02};
      auto options = options_for(recipe, TreeCriterion::automatic);
      options.max_features = MaxFeatures::parse("9");
      options.min_samples_leaf = 30;
      const auto data = make<float>(recipe, 12);
      const auto whole = fit(data, options, device);
      Archive state;
      Index interruptions = 0;
      for (bool done = false; !done;) {
        StopAfter control(1, interruptions > 0 ? &state : nullptr);
        try {
          const auto model = fit(*engine_of(device), data, options, {.control = &control});
          expect_same_bits(whole, model);
          done = true;
        } catch (const Interrupted&) {
          // Through the bytes of a file, as a program would.
          state = decode_archive(encode_archive(control.saved, "checkpoint"), "checkpoint", "test");
          ASSERT_LT(++interruptions, 100);
        }
      }
      EXPECT_GE(interruptions, 3);
    }
  }
}

TEST(DecisionTreeResume, RefusesTheStateOfOtherData) {
  const auto data = make<float>({.rows = 500, .cols = 40}, 1);
  StopAfter control(1, nullptr);
  EXPECT_THROW(
      (void)fit(*engine_of(Device::reference), data, DecisionTreeOptions{}, {.control = &control}),
      Interrupted);
  const auto other = make<float>({.rows = 501, .cols = 40}, 1);
  StopAfter resumed(1000, &control.saved);
  EXPECT_THROW(
      (void)fit(*engine_of(Device::reference), other, DecisionTreeOptions{}, {.control = &resumed}),
      InputError);
}

TEST(DecisionTreeResume, RefusesAForgedState) {
  const auto data = make<float>({.rows = 500, .cols = 40}, 1);
  StopAfter control(3, nullptr);
  EXPECT_THROW(
      (void)fit(*engine_of(Device::reference), data, DecisionTreeOptions{}, {.control = &control}),
      Interrupted);
  const auto& numbers = control.saved.get_tensor<std::int64_t>("numbers");
  const auto resume = [&](const Archive& state) {
    for (const auto device : {Device::reference, Device::cpu}) {
      StopAfter resumed(1000, &state);
      (void)fit(*engine_of(device), data, DecisionTreeOptions{}, {.control = &resumed});
    }
  };
  EXPECT_NO_THROW(resume(control.saved));
  // left, right, rows, begin, left_known, left_rows of every node; depth and key stay.
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i % 8 == 3 || i % 8 == 7) continue;
    auto changed = numbers;
    if (changed[i] == -1) continue;
    // left_known and left_rows mean nothing in a leaf.
    if ((i % 8 == 5 || i % 8 == 6) && numbers[i - i % 8] == -1) continue;
    changed[i] += 1;
    Archive state = control.saved;
    state.set_tensor("numbers", changed, {static_cast<Index>(changed.size() / 8), 8});
    EXPECT_THROW(resume(state), InputError) << i;
  }
  auto statistics = control.saved.get_tensor<std::int64_t>("statistics");
  for (std::size_t i = 0; i < statistics.size(); ++i) {
    auto changed = statistics;
    changed[i] += 1;
    Archive state = control.saved;
    state.set_tensor("statistics", changed);
    EXPECT_THROW(resume(state), InputError) << i;
  }
  // The same shape, other rows.
  const auto other = make<float>({.rows = 500, .cols = 40}, 2);
  StopAfter resumed(1000, &control.saved);
  EXPECT_THROW(
      (void)fit(*engine_of(Device::cpu), other, DecisionTreeOptions{}, {.control = &resumed}),
      InputError);
}

// --- refusals ------------------------------------------------------------------------------------

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(DecisionTreeInput, SaysWhatIsWrong) {
  const auto data = dataset<float>(1, {1, 2}, {0, 1});
  const auto message = [&](auto&& change) {
    DecisionTreeOptions options;
    auto changed = data;
    return message_of([&] {
      change(options, changed);
      (void)fit(changed, options);
    });
  };
  using Data = Dataset<float>;
  using Options = DecisionTreeOptions;
  EXPECT_THAT(message([](Options&, Data& d) { d = dataset<float>(1, {}, {}); }),
              HasSubstr("no rows"));
  EXPECT_THAT(message([](Options&, Data& d) { d.target.clear(); }), HasSubstr("no target"));
  EXPECT_THAT(
      message([](Options&, Data& d) { d.features(1, 0) = std::numeric_limits<float>::infinity(); }),
      HasSubstr("row 2, column x0: the value is infinite"));
  EXPECT_THAT(message([](Options&, Data& d) { d.target[1] = static_cast<float>(nan); }),
              HasSubstr("row 2: the target y is missing"));
  EXPECT_THAT(message([](Options&, Data& d) {
                d.weights = {1, -1};
              }),
              HasSubstr("row 2: the sample weight"));
  EXPECT_THAT(message([](Options&, Data& d) {
                d.weights = {0, 0};
              }),
              HasSubstr("every row has weight 0"));
  EXPECT_THAT(message([](Options& o, Data&) {
                o.task = TaskChoice::regression;
                o.criterion = TreeCriterion::gini;
              }),
              HasSubstr("is for classification"));
  EXPECT_THAT(message([](Options& o, Data&) {
                o.task = TaskChoice::classification;
                o.criterion = TreeCriterion::squared_error;
              }),
              HasSubstr("is for regression"));
  EXPECT_THAT(message([](Options& o, Data&) { o.max_features = MaxFeatures::parse("2"); }),
              HasSubstr("max_features 2"));
  // Members that are set without parse() are looked at as well.
  EXPECT_THAT(message([](Options& o, Data&) {
                o.max_features = {.rule = MaxFeatures::Rule::fraction, .fraction = 1.5};
              }),
              HasSubstr("max_features 1.5: expected a fraction above 0 and up to 1"));
  EXPECT_THAT(message([](Options& o, Data&) {
                o.class_weight = {.rule = ClassWeights::Rule::listed, .weights = {{"1", -2.0}}};
              }),
              HasSubstr("the weight of class '1' is -2"));
  for (const char* text : {"1.5", "", "0", "-1", "half"}) {
    Options options;
    EXPECT_THAT(message_of([&] { set_option(options, "max_features", text); }),
                HasSubstr("max_features: "))
        << text;
  }
  EXPECT_THAT(message([](Options& o, Data&) { o.min_samples_split = 1; }),
              HasSubstr("min_samples_split: 1"));
  EXPECT_THAT(message([](Options& o, Data&) { o.min_samples_leaf = 0; }),
              HasSubstr("min_samples_leaf: 0"));
  EXPECT_THAT(message([](Options& o, Data&) { o.max_depth = -1; }), HasSubstr("max_depth: -1"));
  EXPECT_THAT(message([](Options& o, Data&) { o.min_impurity_decrease = nan; }),
              HasSubstr("min_impurity_decrease: nan"));
  EXPECT_THAT(message([](Options& o, Data&) { o.class_weight = ClassWeights::parse("2=1"); }),
              HasSubstr("no class '2'"));
  EXPECT_THAT(message([](Options& o, Data&) { o.class_weight = ClassWeights::parse("1=x"); }),
              HasSubstr("'1=x'"));
  EXPECT_THAT(message([](Options& o, Data&) { o.class_weight = ClassWeights::parse("1=1,1=2"); }),
              HasSubstr("twice"));
  EXPECT_THAT(message([](Options& o, Data& d) {
                o.task = TaskChoice::regression;
                d.target = {-3e38F, 3e38F};
              }),
              HasSubstr("nothing was thrown"));
  const auto huge = dataset<double>(1, {1, 2}, {-1e300, 1e300});
  DecisionTreeOptions regression;
  regression.task = TaskChoice::regression;
  EXPECT_THAT(message_of([&] { (void)fit(huge, regression); }), HasSubstr("divide the target"));
  const auto model = fit(data, {});
  const Matrix<float> wide(1, 2);
  EXPECT_THAT(message_of([&] { (void)model.predict(*engine_of(Device::cpu), wide.view()); }),
              HasSubstr("trained on 1 features"));
}

TEST(DecisionTreeInput, DegenerateDataGivesOneLeaf) {
  const auto one_class = fit(dataset<float>(1, {1, 2, 3}, {7, 7, 7}), {});
  EXPECT_EQ(one_class.nodes.size(), 1);
  EXPECT_EQ(one_class.training().stopped_because, "the target has a single value");
  EXPECT_THAT(one_class.importances(), ElementsAre(0.0));
  EXPECT_THAT(one_class.classes(), ElementsAre("7"));
  const auto constant = fit(dataset<float>(2, {1, 2, 1, 2, 1, 2}, {0, 1, 1}), {});
  EXPECT_EQ(constant.nodes.size(), 1);
  EXPECT_EQ(constant.training().stopped_because, "every feature is constant");
  const auto one_row = fit(dataset<float>(1, {1}, {4}), {});
  EXPECT_EQ(one_row.nodes.size(), 1);
  DecisionTreeOptions options;
  options.task = TaskChoice::regression;
  const auto level = fit(dataset<double>(1, {1, 2, 3}, {0.1, 0.1, 0.1}), options);
  EXPECT_EQ(level.nodes.size(), 1);
  EXPECT_EQ(level.values(0, 0), 0.1);
  EXPECT_EQ(level.nodes.impurity[0], 0.0);
}

TEST(DecisionTreeInput, TheTaskFollowsTheTarget) {
  DecisionTreeOptions options;
  EXPECT_EQ(options.task_for(dataset<float>(1, {1, 2}, {0, 1}).view()), Task::classification);
  EXPECT_EQ(options.task_for(dataset<float>(1, {1, 2}, {0, 1.5}).view()), Task::regression);
  EXPECT_EQ(options.task_for(shipped<float>("diabetes").view()), Task::regression);
  EXPECT_EQ(options.task_for(shipped<float>("digits").view()), Task::classification);
  options.criterion = TreeCriterion::squared_error;
  EXPECT_EQ(options.task_for(dataset<float>(1, {1, 2}, {0, 1}).view()), Task::regression);
}

// --- draws of features ---------------------------------------------------------------------------

TEST(DecisionTreeDraws, DependOnTheSeedAlone) {
  const auto data = make<float>({.rows = 400, .cols = 12}, 21);
  DecisionTreeOptions options;
  options.max_features = MaxFeatures::parse("3");
  const auto first = fit(data, options);
  expect_same_bits(first, fit(data, options, Device::cpu, 2));
  options.seed = 1;
  EXPECT_FALSE(first == fit(data, options));
  // A fraction of 12 features is a count.
  options.seed = 0;
  options.max_features = MaxFeatures::parse("0.25");
  expect_same_bits(first, fit(data, options));
}

TEST(DecisionTreeDraws, LeaveOutConstantFeatures) {
  // One column of twelve varies: it is drawn wherever a draw is made.
  std::vector<double> x(12 * 8, 1.0);
  for (std::size_t i = 0; i < 8; ++i) x[12 * i + 7] = static_cast<double>(i);
  const auto data = dataset<float>(12, x, {0, 1, 0, 1, 0, 1, 0, 1});
  DecisionTreeOptions options;
  options.max_features = MaxFeatures::parse("1");
  for (const auto device : {Device::reference, Device::cpu}) {
    EXPECT_EQ(accuracy(fit(data, options, device), data), 1.0);
  }
}

TEST(DecisionTreeAlgorithm, IsRegistered) {
  const auto algorithm = make_algorithm("decision-tree");
  EXPECT_TRUE(algorithm->accepts_missing());
  const auto data = dataset<float>(1, {1, 2, 3, 4}, {0, 0, 1, 1});
  const auto engine = engine_of(Device::cpu);
  const auto model = algorithm->fit(*engine, data);
  Archive archive;
  model->save(archive);
  const auto loaded = algorithm->load(archive, std::type_identity<float>{});
  EXPECT_EQ(loaded->to_text(names_of(1)), model->to_text(names_of(1)));
}

}  // namespace
}  // namespace tandem

// Forests of decision trees for classification and regression: random forests and extremely
// randomized trees.
//
// Breiman, "Random Forests", Machine Learning 45 (2001); Geurts, Ernst and Wehenkel, "Extremely
// randomized trees", Machine Learning 63 (2006). docs/algorithms/random-forest.md and
// extra-trees.md state what is drawn, how trees vote, and the numerics.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/class_weights.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/model.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tandem/tree/max_features.hpp"
#include "tandem/tree/max_samples.hpp"
#include "tandem/tree/tree_ensemble.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem {

// random_forest: a node takes the best cut of the features that it looks at. extra_trees: each of
// these features has one candidate, at a random threshold, and the node takes the best of them.
enum class ForestKind { random_forest, extra_trees };

// The cuts that a node of a random forest chooses from. exact: those between any two of its values.
// histogram: those between bins, which are made once for all trees (make_bin_cuts()); a node adds
// up its rows by bin in place of sorting them.
enum class TreeSplitter { exact, histogram };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<TreeSplitter>{"exact", "histogram"};

template <ForestKind kind>
struct TANDEM_API ForestOptions {
  TaskChoice task = TaskChoice::automatic;
  std::int64_t trees = 100;
  TreeCriterion criterion = TreeCriterion::automatic;
  // As the decision tree's.
  std::int64_t max_depth = 0;
  std::int64_t min_samples_split = 2;
  std::int64_t min_samples_leaf = 1;
  double min_impurity_decrease = 0;
  MaxFeatures max_features{.rule = MaxFeatures::Rule::automatic};
  // Whether a tree draws its rows with replacement; else each at most once.
  bool bootstrap = kind == ForestKind::random_forest;
  // Rows that a tree draws, of those of weight > 0.
  MaxSamples max_samples{};
  // Classification. Multiplies the sample weights.
  ClassWeights class_weight{};
  // Whether to judge the forest by the rows that its trees have not drawn.
  bool oob_score = false;
  // Of random forests; extra-trees know only exact.
  TreeSplitter splitter = TreeSplitter::exact;
  std::int64_t max_bins = 255;  // histogram: bins of a feature's known values, at most
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  // As DecisionTreeOptions::task_for().
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& data) const;
};
using RandomForestOptions = ForestOptions<ForestKind::random_forest>;
using ExtraTreesOptions = ForestOptions<ForestKind::extra_trees>;

template <Real T, ForestKind kind>
class TANDEM_API ForestModel final : public Model<T>, public TreeModel<T> {
 public:
  TreeCriterion criterion = TreeCriterion::gini;  // squared_error: a regression; never automatic
  std::vector<std::string> class_names;           // empty for a regression
  // Every leaf adds its part of the average: classification, each class's share of the leaf's
  // weight; regression, the mean; divided by the number of trees. So raw scores are the shares of
  // the classes, or the value. Gains are decreases of impurity, as a share of the tree's weight;
  // covers are weights.
  TreeEnsemble<T> trees;
  // With oob_score, from the trees that have not drawn a row: rows of the training data × outputs,
  // NaN where every tree has drawn it or its weight is 0; and the accuracy, or R², over the others.
  Matrix<T> oob_predictions;
  std::optional<double> oob_score;
  TrainingLog log;  // leaves: of each tree

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<ForestModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override {
    return kind == ForestKind::random_forest ? "random-forest" : "extra-trees";
  }
  [[nodiscard]] Task task() const override {
    return class_names.empty() ? Task::regression : Task::classification;
  }
  [[nodiscard]] Index features() const override { return trees.features; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  // A probability is the mean of the trees' shares. Sums run in the order of the trees.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  // Shares of each class, or a value.
  [[nodiscard]] TreeEnsemble<T> tree_ensemble() const override { return trees; }
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static ForestModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

  // Per feature, the mean over the trees of its share of the tree's decrease of impurity; trees
  // without a split count as 0.
  [[nodiscard]] std::vector<double> importances() const;
  // The predictions that raw scores (rows × outputs) stand for.
  [[nodiscard]] Predictions<T> predictions_of(const Matrix<T>& scores, int threads) const;
};
template <Real T>
using RandomForestModel = ForestModel<T, ForestKind::random_forest>;
template <Real T>
using ExtraTreesModel = ForestModel<T, ForestKind::extra_trees>;

// Missing features (NaN) are allowed. Rows of weight 0 are left out. Throws InputError for no rows,
// infinite features, a missing or infinite target, options that do not fit the data; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API RandomForestModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const RandomForestOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});
template <Real T>
[[nodiscard]] TANDEM_API ExtraTreesModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const ExtraTreesOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

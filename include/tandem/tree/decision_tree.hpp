// Decision trees for classification and regression: exact split search, greedy, top down.
//
// Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees" (1984); Quinlan,
// "Induction of Decision Trees", Machine Learning 1 (1986). docs/algorithms/decision-tree.md states
// the criteria, the treatment of missing values, of weights and of ties, and the numerics.
#pragma once

#include <array>
#include <cstdint>
#include <span>
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
#include "tandem/tree/max_features.hpp"

namespace tandem {

// automatic, as an option: gini for classification, squared_error for regression.
enum class TreeCriterion { entropy, gini, squared_error, automatic };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<TreeCriterion>{"entropy", "gini",
                                                                           "squared-error", "auto"};

struct TANDEM_API DecisionTreeOptions {
  TaskChoice task = TaskChoice::automatic;
  TreeCriterion criterion = TreeCriterion::automatic;
  // Splits between the root and a leaf, at most; 0 is no limit.
  std::int64_t max_depth = 0;
  // A node of fewer rows becomes a leaf; >= 2.
  std::int64_t min_samples_split = 2;
  // A split that leaves fewer rows on a side is not considered; >= 1.
  std::int64_t min_samples_leaf = 1;
  // A node whose split lowers the weighted impurity, as a share of the whole weight, by less
  // becomes a leaf; >= 0.
  double min_impurity_decrease = 0;
  // The tree is pruned to the one of least impurity + ccp_alpha · leaves; >= 0, 0: it is not. See
  // tandem/tree/pruning.hpp.
  double ccp_alpha = 0;
  // Features looked at in each node. They are drawn, per node, among the features that are not
  // constant in the node.
  MaxFeatures max_features{};
  // Classification. Multiplies the sample weights.
  ClassWeights class_weight{};
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  // `task`, or what `criterion` and then the target ask for: see task_of_target(). Throws
  // InputError where there is no target.
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& data) const;
};

// A node of the tree as a reader of the model sees it. Nodes are numbered from the root, depth
// first, left before right: the left child of node i is i + 1.
template <Real T>
struct DecisionTreeNodes {
  std::vector<std::int32_t> feature;       // −1 in a leaf
  std::vector<T> threshold;                // x <= threshold goes left; 0 in a leaf
  std::vector<std::int64_t> left;          // −1 in a leaf
  std::vector<std::int64_t> right;         // −1 in a leaf
  std::vector<std::uint8_t> missing_left;  // 1 where a missing value goes left
  std::vector<std::int64_t> rows;          // training rows of weight > 0
  std::vector<double> weight;              // their total weight
  std::vector<double> impurity;            // of the criterion; entropy in bits

  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(feature.size()); }
  [[nodiscard]] bool operator==(const DecisionTreeNodes&) const = default;
};

template <Real T>
class TANDEM_API DecisionTreeModel final : public Model<T> {
 public:
  DecisionTreeNodes<T> nodes;
  // Classification: nodes × classes, the weight of each class in each node. Regression: nodes × 1,
  // the mean.
  Matrix<double> values;
  TreeCriterion criterion = TreeCriterion::gini;  // squared_error: a regression; never automatic
  Index feature_count = 0;
  std::vector<std::string> class_names;  // empty for a regression
  TrainingLog log;                       // nodes: how many there are at each depth

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<DecisionTreeModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "decision-tree"; }
  [[nodiscard]] Task task() const override {
    return criterion == TreeCriterion::squared_error ? Task::regression : Task::classification;
  }
  [[nodiscard]] Index features() const override { return feature_count; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static DecisionTreeModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

  // Splits between the root and the deepest leaf.
  [[nodiscard]] Index depth() const;
  [[nodiscard]] Index leaves() const;
  // The leaf that each row of x ends in.
  [[nodiscard]] std::vector<std::int64_t> apply(Engine& engine, MatrixView<const T> x) const;
  // Per feature, the share of the impurity decrease of all its splits; sums to 1, or is 0
  // throughout where no split lowers the impurity.
  [[nodiscard]] std::vector<double> importances() const;
  // One line per node, down to max_depth splits (0: all).
  [[nodiscard]] std::string tree_text(const std::vector<std::string>& feature_names,
                                      Index max_depth = 0) const;
  // The tree in the language of Graphviz's `dot`, down to max_depth splits (0: all).
  [[nodiscard]] std::string graphviz(const std::vector<std::string>& feature_names,
                                     Index max_depth = 0) const;
  // Same bits in everything that predicts.
  [[nodiscard]] bool operator==(const DecisionTreeModel& other) const {
    return criterion == other.criterion && feature_count == other.feature_count &&
           class_names == other.class_names && nodes == other.nodes && values == other.values;
  }

 private:
  [[nodiscard]] Predictions<T> predictions_at(const std::vector<std::int64_t>& leaf) const;
  [[nodiscard]] std::string leaf_label(Index node) const;
};

// Missing features (NaN) are allowed. Rows of weight 0 are left out. Throws InputError for no rows,
// infinite features, a missing or infinite target, options that do not fit the data; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API DecisionTreeModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const DecisionTreeOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

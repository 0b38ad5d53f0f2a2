// A grown tree: what it says of rows, and its file.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/model/ready_by.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "core/tree/training_rows.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {

using tree::DecisionTreeSteps;
using tree::most_classes;
using tree::TreeOnEngine;

template <Real T>
Index DecisionTreeModel<T>::depth() const {
  std::vector<Index> depth_of(nodes.feature.size(), 0);
  Index deepest = 0;
  for (std::size_t i = 0; i < depth_of.size(); ++i) {
    deepest = std::max(deepest, depth_of[i]);
    if (nodes.feature[i] < 0) continue;
    depth_of[static_cast<std::size_t>(nodes.left[i])] = depth_of[i] + 1;
    depth_of[static_cast<std::size_t>(nodes.right[i])] = depth_of[i] + 1;
  }
  return deepest;
}

template <Real T>
Index DecisionTreeModel<T>::leaves() const {
  return std::count(nodes.feature.begin(), nodes.feature.end(), -1);
}

namespace {

// The nodes of a tree on an engine, which must outlive it.
template <Real T>
class NodesOnEngine {
 public:
  NodesOnEngine(Engine& engine, const DecisionTreeNodes<T>& nodes, Index features)
      : engine_(&engine), features_(features), steps_(make_steps<DecisionTreeSteps, T>(engine)) {
    nodes_.feature = to_engine(engine, nodes.feature);
    nodes_.threshold = to_engine(engine, nodes.threshold);
    std::vector<std::int64_t> right = nodes.right;
    for (auto& child : right) child = std::max<std::int64_t>(child, 0);
    nodes_.right = to_engine(engine, right);
    nodes_.missing_left = to_engine(engine, nodes.missing_left);
  }

  [[nodiscard]] std::vector<std::int64_t> leaves_of(MatrixView<const T> x) {
    if (x.cols != features_) {
      throw InputError("the decision tree was trained on " + std::to_string(features_) +
                       " features, and the data has " + std::to_string(x.cols) +
                       "; give the columns that it was trained on");
    }
    if (x.rows == 0) return {};
    const Buffer<T> rows = rows_on_engine(*engine_, x, Placement::rows);
    Buffer<std::int64_t> leaf(*engine_, x.rows);
    steps_->find_leaves(nodes_, rows, x.rows, x.cols, leaf);
    return leaf.to_host();
  }

 private:
  Engine* engine_;
  Index features_;
  std::unique_ptr<DecisionTreeSteps<T>> steps_;
  TreeOnEngine<T> nodes_;
};

}  // namespace

template <Real T>
std::vector<std::int64_t> DecisionTreeModel<T>::apply(Engine& engine, MatrixView<const T> x) const {
  return NodesOnEngine<T>(engine, nodes, feature_count).leaves_of(x);
}

template <Real T>
Predictions<T> DecisionTreeModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return predictions_at(apply(engine, x));
}

template <Real T>
std::unique_ptr<ReadyModel<T>> DecisionTreeModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>(
      [this, there = NodesOnEngine<T>(engine, nodes, feature_count)](
          MatrixView<const T> x) mutable { return predictions_at(there.leaves_of(x)); });
}

template <Real T>
Predictions<T> DecisionTreeModel<T>::predictions_at(const std::vector<std::int64_t>& leaf) const {
  Predictions<T> predictions;
  if (task() == Task::regression) {
    predictions.values.reserve(leaf.size());
    for (const auto node : leaf) predictions.values.push_back(static_cast<T>(values(node, 0)));
    return predictions;
  }
  const Index count = values.cols();
  predictions.labels.reserve(leaf.size());
  predictions.probabilities = Matrix<T>(static_cast<Index>(leaf.size()), count);
  Index i = 0;
  for (const auto node : leaf) {
    const auto weights = values.row(node);
    predictions.labels.push_back(static_cast<std::int32_t>(
        std::max_element(weights.begin(), weights.end()) - weights.begin()));
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (Index c = 0; c < count; ++c) {
      predictions.probabilities(i, c) =
          static_cast<T>(weights[static_cast<std::size_t>(c)] / total);
    }
    ++i;
  }
  return predictions;
}

template <Real T>
std::vector<double> DecisionTreeModel<T>::importances() const {
  std::vector<double> importances(static_cast<std::size_t>(feature_count), 0.0);
  for (std::size_t i = 0; i < nodes.feature.size(); ++i) {
    if (nodes.feature[i] < 0) continue;
    const auto left = static_cast<std::size_t>(nodes.left[i]);
    const auto right = static_cast<std::size_t>(nodes.right[i]);
    const double decrease = nodes.weight[i] * nodes.impurity[i] -
                            nodes.weight[left] * nodes.impurity[left] -
                            nodes.weight[right] * nodes.impurity[right];
    importances[static_cast<std::size_t>(nodes.feature[i])] += std::max(decrease, 0.0);
  }
  const double total = std::accumulate(importances.begin(), importances.end(), 0.0);
  if (total > 0) {
    for (auto& importance : importances) importance /= total;
  }
  return importances;
}

template <Real T>
void DecisionTreeModel<T>::save(Archive& archive) const {
  archive.set("task", to_string(task()));
  archive.set("criterion", to_string(criterion));
  archive.set("features", feature_count);
  archive.set("classes", class_names);
  archive.set_tensor("feature", nodes.feature);
  archive.set_tensor("threshold", nodes.threshold);
  archive.set_tensor("left", nodes.left);
  archive.set_tensor("right", nodes.right);
  archive.set_tensor("missing_left", nodes.missing_left);
  archive.set_tensor("rows", nodes.rows);
  archive.set_tensor("weight", nodes.weight);
  archive.set_tensor("impurity", nodes.impurity);
  archive.set_matrix("values", values);
  log.save(archive);
}

template <Real T>
DecisionTreeModel<T> DecisionTreeModel<T>::load(const Archive& archive) {
  DecisionTreeModel model;
  const std::string& task_name = archive.get_string("task");
  if (task_name != to_string(Task::classification) && task_name != to_string(Task::regression)) {
    archive.fail("task", "is '" + task_name + "', expected classification or regression");
  }
  const std::string& criterion_name = archive.get_string("criterion");
  bool fits = false;
  for (const auto candidate :
       {TreeCriterion::entropy, TreeCriterion::gini, TreeCriterion::squared_error}) {
    if (criterion_name != to_string(candidate)) continue;
    model.criterion = candidate;
    fits = task_name == to_string(model.task());
  }
  if (!fits) {
    archive.fail("criterion", "is '" + criterion_name + "', which does not fit " + task_name);
  }
  model.feature_count = archive.get_int("features", 1, std::numeric_limits<std::int32_t>::max());
  model.class_names = archive.get_strings("classes");
  const auto class_count = static_cast<Index>(model.class_names.size());
  if (model.task() == Task::classification ? class_count < 1 || class_count > most_classes
                                           : class_count != 0) {
    archive.fail("classes",
                 "has " + std::to_string(class_count) + " names, which does not fit " + task_name);
  }
  auto& nodes = model.nodes;
  nodes.feature = archive.get_tensor<std::int32_t>("feature");
  const Index count = nodes.size();
  if (count < 1) archive.fail("feature", "is empty; a tree has at least one node");
  nodes.threshold = archive.get_tensor<T>("threshold", count);
  nodes.left = archive.get_tensor<std::int64_t>("left", count);
  nodes.right = archive.get_tensor<std::int64_t>("right", count);
  nodes.missing_left = archive.get_tensor<std::uint8_t>("missing_left", count);
  nodes.rows = archive.get_tensor<std::int64_t>("rows", count);
  nodes.weight = archive.get_tensor<double>("weight", count);
  nodes.impurity = archive.get_tensor<double>("impurity", count);
  model.values = archive.get_matrix<double>("values", count, std::max<Index>(class_count, 1));

  // Depth first, left child next: what remains to be checked is that right children nest.
  // `pending` holds the right children that are yet to come, the nearest last.
  std::vector<std::int64_t> pending;
  const auto bad = [&](std::string_view name, Index node, std::string_view what) {
    archive.fail(name, "node " + std::to_string(node) + " " + std::string(what));
  };
  for (Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool positive = std::isfinite(nodes.weight[at]) && nodes.weight[at] > 0;
    if (!positive) bad("weight", i, "has no positive finite weight");
    if (nodes.rows[at] < 1) bad("rows", i, "has no rows");
    if (!std::isfinite(nodes.impurity[at]) || nodes.impurity[at] < 0) {
      bad("impurity", i, "has an impurity that is negative or not finite");
    }
    if (nodes.missing_left[at] > 1) bad("missing_left", i, "has a flag other than 0 and 1");
    double total = 0;
    for (const double value : model.values.row(i)) {
      const bool valid = std::isfinite(value) && (model.task() == Task::regression || value >= 0);
      if (!valid) bad("values", i, "has a value that is not finite or a negative weight");
      total += value;
    }
    if (model.task() == Task::classification && !(total > 0 && std::isfinite(total))) {
      bad("values", i, "has classes without weight");
    }
    if (nodes.feature[at] < 0) {
      if (nodes.feature[at] != -1 || nodes.left[at] != -1 || nodes.right[at] != -1) {
        bad("left", i, "is a leaf with children");
      }
      if (pending.empty()) {
        if (i + 1 != count) bad("right", i, "ends the tree before its last node");
      } else {
        if (pending.back() != i + 1) bad("right", i, "is followed by a node of no parent");
        pending.pop_back();
      }
      continue;
    }
    if (nodes.feature[at] >= model.feature_count)
      bad("feature", i, "splits a feature that is not there");
    if (!std::isfinite(nodes.threshold[at]))
      bad("threshold", i, "has a threshold that is not finite");
    const std::int64_t limit = pending.empty() ? count : pending.back();
    if (nodes.left[at] != i + 1 || nodes.right[at] <= i + 1 || nodes.right[at] >= limit) {
      bad("right", i, "has children out of order");
    }
    pending.push_back(nodes.right[at]);
  }
  if (!pending.empty()) archive.fail("right", "names children that are not there");
  model.log = TrainingLog::load(archive);
  return model;
}

template class DecisionTreeModel<float>;
template class DecisionTreeModel<double>;

}  // namespace tandem

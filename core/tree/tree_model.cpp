#include "tandem/tree/tree_model.hpp"

#include <algorithm>
#include <vector>

#include "tandem/tree/decision_tree.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem {
namespace {

template <Real T>
TreeEnsemble<T> ensemble_of(const DecisionTreeModel<T>& model) {
  const DecisionTreeNodes<T>& nodes = model.nodes;
  const bool classes = model.task() == Task::classification;
  TreeEnsemble<T> ensemble;
  ensemble.features = model.feature_count;
  ensemble.outputs = classes ? static_cast<Index>(model.class_names.size()) : 1;
  ensemble.base.assign(static_cast<std::size_t>(ensemble.outputs), T{0});
  EnsembleTree<T> tree;
  tree.output = classes ? all_outputs : 0;
  std::vector<T> values(static_cast<std::size_t>(ensemble.outputs));
  for (Index node = 0; node < nodes.size(); ++node) {
    const auto row = model.values.row(node);
    double whole = 1;
    if (classes) {
      whole = 0;
      for (const double weight : row) whole += weight;
    }
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = static_cast<T>(row[k] / whole);
    tree.add_leaf(values, nodes.weight[static_cast<std::size_t>(node)]);
  }
  for (Index node = 0; node < nodes.size(); ++node) {
    const auto i = static_cast<std::size_t>(node);
    if (nodes.feature[i] < 0) continue;
    const auto impurity = [&](std::int64_t of) {
      return nodes.weight[static_cast<std::size_t>(of)] *
             nodes.impurity[static_cast<std::size_t>(of)];
    };
    const double gain = impurity(node) - impurity(nodes.left[i]) - impurity(nodes.right[i]);
    tree.split(node, nodes.feature[i], nodes.threshold[i], nodes.left[i], nodes.right[i],
               nodes.missing_left[i] != 0, std::max(0.0, gain));
  }
  ensemble.trees.push_back(std::move(tree));
  return ensemble;
}

}  // namespace

template <Real T>
std::optional<TreeEnsemble<T>> tree_ensemble_of(const Model<T>& model) {
  if (const auto* trees = dynamic_cast<const TreeModel<T>*>(&model)) return trees->tree_ensemble();
  if (const auto* tree = dynamic_cast<const DecisionTreeModel<T>*>(&model)) {
    return ensemble_of(*tree);
  }
  return std::nullopt;
}

template <Real T>
std::vector<double> importances_of(const Model<T>& model) {
  if (const auto* tree = dynamic_cast<const DecisionTreeModel<T>*>(&model)) {
    return tree->importances();
  }
  if (const auto* boosted = dynamic_cast<const GradientBoostingModel<T>*>(&model)) {
    return boosted->importances();
  }
  if (const auto* forest = dynamic_cast<const RandomForestModel<T>*>(&model)) {
    return forest->importances();
  }
  if (const auto* forest = dynamic_cast<const ExtraTreesModel<T>*>(&model)) {
    return forest->importances();
  }
  return {};
}

template std::vector<double> importances_of(const Model<float>&);
template std::vector<double> importances_of(const Model<double>&);
template std::optional<TreeEnsemble<float>> tree_ensemble_of(const Model<float>&);
template std::optional<TreeEnsemble<double>> tree_ensemble_of(const Model<double>&);

}  // namespace tandem

// Minimal cost-complexity pruning of decision trees.
//
// Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees" (1984), chapters 3 and
// 11. A tree T costs R(T) + α·leaves(T), R the sum over its leaves of impurity times share of the
// weight. For each α there is one smallest tree of least cost below the whole one, and with growing
// α these trees are nested: the path. docs/algorithms/decision-tree.md says how α is chosen.
//
// All of it is arithmetic on the host's model in one order, so that a model with the same bits
// gives the same path and the same trees, whatever engine grew it.
#pragma once

#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {

// Entry i is the tree for alphas[i] <= α < alphas[i + 1]; the last is the root alone. Splits that
// lower nothing go with the least number above 0.
struct PruningPath {
  std::vector<double> alphas;      // ascending from 0, the whole tree; all different
  std::vector<double> impurities;  // R of each tree
  std::vector<Index> leaves;       // of each tree, descending

  [[nodiscard]] std::size_t size() const noexcept { return alphas.size(); }
};

// O(nodes · (depth + log nodes)).
template <Real T>
[[nodiscard]] TANDEM_API PruningPath pruning_path(const DecisionTreeModel<T>& tree);

// The tree of the path for α >= 0: nodes whose split lowers R by at most α per leaf it adds are
// leaves. For α = 0 the tree itself, splits that lower nothing included. Throws InputError for a
// negative α and NaN.
template <Real T>
[[nodiscard]] TANDEM_API DecisionTreeModel<T> pruned(const DecisionTreeModel<T>& tree,
                                                     double alpha);

}  // namespace tandem

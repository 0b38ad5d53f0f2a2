// From trees as they are grown to trees of an ensemble.
#pragma once

#include <span>
#include <vector>

#include "core/tree/decision_tree_steps.hpp"
#include "core/tree/split_gain.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::tree {

// The tree with its nodes numbered depth first, left before right: engines make them in orders of
// their own. values(statistics, node, out) writes the `width` values of a node; gains are decreases
// of impurity by `rules`, or 0 without a target; covers are weights.
template <Real T, class Values>
[[nodiscard]] EnsembleTree<T> ensemble_tree_of(const GrownSubtree<T>& grown,
                                               const SplitRules& rules, Index outputs,
                                               Values&& values) {
  EnsembleTree<T> tree;
  tree.output = outputs > 1 ? all_outputs : 0;
  const auto size = grown.nodes.size();
  for (auto* numbers : {&tree.feature, &tree.left, &tree.right}) numbers->reserve(size);
  tree.threshold.reserve(size);
  tree.flags.reserve(size);
  tree.gain.reserve(size);
  tree.cover.reserve(size);
  tree.value.reserve(size * static_cast<std::size_t>(outputs));
  const Index width = rules.width();
  std::vector<T> value(static_cast<std::size_t>(outputs));
  struct Open {
    Index node;
    std::int32_t parent;  // −1 of the root
    bool right;
  };
  std::vector<Open> stack{{0, -1, false}};
  while (!stack.empty()) {
    const Open at = stack.back();
    stack.pop_back();
    const GrownNode<T>& node = grown.nodes[static_cast<std::size_t>(at.node)];
    const std::int64_t* statistics = grown.statistics.data() + at.node * width;
    values(statistics, node, std::span<T>(value));
    const double weight = static_cast<double>(node_weight(rules, statistics)) * rules.weight_unit;
    const auto number = static_cast<std::int32_t>(tree.add_leaf(value, weight));
    if (at.parent >= 0) {
      (at.right ? tree.right : tree.left)[static_cast<std::size_t>(at.parent)] = number;
    }
    if (node.feature < 0) continue;
    const double gain =
        rules.without_target
            ? 0.0
            : impurity_decrease(rules, statistics, grown.statistics.data() + node.left * width,
                                grown.statistics.data() + node.right * width);
    tree.split(number, node.feature, node.threshold, number + 1, -1, node.missing_left, gain);
    stack.push_back({node.right, number, true});
    stack.push_back({node.left, number, false});
  }
  return tree;
}

}  // namespace tandem::tree

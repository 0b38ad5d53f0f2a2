// All of a tree below one node, on one thread.
#pragma once

#include <algorithm>
#include <vector>

#include "core/tree/decision_tree_steps.hpp"

namespace tandem::tree {

// Grows the subtree below `root`, depth first, left before right. search(node, left_statistics)
// returns the best split of a node and writes the statistics of its left child; apply(split) sends
// the rows of the node that was searched last to its children, where one of these is open.
template <Real T, class Search, class Apply>
void grow_depth_first(const SplitRules& rules, const OpenNode& root, GrownSubtree<T>& subtree,
                      Search&& search, Apply&& apply) {
  struct Open {
    Index node;
    Index begin;
    std::uint64_t key;
  };
  const Index width = rules.width();
  auto& nodes = subtree.nodes;
  auto& statistics = subtree.statistics;
  nodes.assign(1, {});
  nodes[0].rows = root.rows;
  nodes[0].depth = root.depth;
  statistics.assign(root.statistics, root.statistics + width);
  std::vector<Open> open{{0, root.begin, root.key}};
  std::vector<std::int64_t> left(static_cast<std::size_t>(width));
  std::vector<std::int64_t> right(static_cast<std::size_t>(width));
  std::vector<std::int64_t> whole(static_cast<std::size_t>(width));
  while (!open.empty()) {
    const Open at = open.back();
    open.pop_back();
    std::copy_n(statistics.begin() + at.node * width, width, whole.begin());
    const Index rows = nodes[static_cast<std::size_t>(at.node)].rows;
    const Index depth = nodes[static_cast<std::size_t>(at.node)].depth;
    const NodeSplit<T> split =
        search(OpenNode{at.begin, rows, depth, at.key, whole.data()}, left.data());
    if (split.feature < 0) continue;
    for (std::size_t k = 0; k < whole.size(); ++k) right[k] = whole[k] - left[k];
    if (rules.min_impurity_decrease > 0 &&
        impurity_decrease(rules, whole.data(), left.data(), right.data()) <
            rules.min_impurity_decrease) {
      continue;
    }
    const auto first_child = static_cast<Index>(nodes.size());
    {
      GrownNode<T>& grown = nodes[static_cast<std::size_t>(at.node)];
      grown.feature = split.feature;
      grown.threshold = split.threshold;
      grown.missing_left = split.missing_left;
      grown.left = first_child;
      grown.right = first_child + 1;
    }
    GrownNode<T> child;
    child.depth = depth + 1;
    child.rows = split.left_rows;
    nodes.push_back(child);
    child.rows = rows - split.left_rows;
    nodes.push_back(child);
    statistics.insert(statistics.end(), left.begin(), left.end());
    statistics.insert(statistics.end(), right.begin(), right.end());
    const SplitToApply to_apply{at.begin,
                                rows,
                                split.feature,
                                split.left_known,
                                split.left_rows,
                                split.missing_left,
                                may_split(rules, split.left_rows, depth + 1, left.data()),
                                may_split(rules, rows - split.left_rows, depth + 1, right.data())};
    if (!to_apply.left_open && !to_apply.right_open) continue;
    apply(to_apply);
    if (to_apply.right_open) {
      open.push_back({first_child + 1, at.begin + split.left_rows, child_key(at.key, true)});
    }
    if (to_apply.left_open) open.push_back({first_child, at.begin, child_key(at.key, false)});
  }
}

}  // namespace tandem::tree

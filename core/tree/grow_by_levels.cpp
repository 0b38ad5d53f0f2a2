#include "core/tree/grow_by_levels.hpp"

#include <cstddef>
#include <utility>
#include <vector>

namespace tandem::tree {

template <Real T>
void grow_by_levels(DecisionTreeSteps<T>& steps, const SplitRules& rules,
                    std::span<const OpenNode> nodes, std::span<GrownSubtree<T>> subtrees) {
  struct Open {
    std::size_t subtree;
    Index node;
    Index begin;
    std::uint64_t key;
  };
  const Index width = rules.width();
  std::vector<Open> level;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    GrownNode<T> root;
    root.rows = nodes[i].rows;
    root.depth = nodes[i].depth;
    subtrees[i].nodes.assign(1, root);
    subtrees[i].statistics.assign(nodes[i].statistics, nodes[i].statistics + width);
    level.push_back({i, 0, nodes[i].begin, nodes[i].key});
  }
  while (!level.empty()) {
    std::vector<OpenNode> open;
    for (const Open& at : level) {
      const GrownSubtree<T>& subtree = subtrees[at.subtree];
      const GrownNode<T>& node = subtree.nodes[static_cast<std::size_t>(at.node)];
      open.push_back(
          {at.begin, node.rows, node.depth, at.key, subtree.statistics.data() + at.node * width});
    }
    std::vector<NodeSplit<T>> splits(level.size());
    std::vector<std::int64_t> left(level.size() * static_cast<std::size_t>(width));
    steps.find_splits(open, splits, left);
    std::vector<Open> next;
    std::vector<SplitToApply> apply;
    for (std::size_t i = 0; i < level.size(); ++i) {
      const Open at = level[i];
      const NodeSplit<T>& split = splits[i];
      if (split.feature < 0) continue;
      GrownSubtree<T>& subtree = subtrees[at.subtree];
      const std::int64_t* left_sums = left.data() + static_cast<Index>(i) * width;
      const std::int64_t* whole = subtree.statistics.data() + at.node * width;
      std::vector<std::int64_t> right(static_cast<std::size_t>(width));
      for (Index k = 0; k < width; ++k) {
        right[static_cast<std::size_t>(k)] = whole[k] - left_sums[k];
      }
      if (rules.min_impurity_decrease > 0 &&
          impurity_decrease(rules, whole, left_sums, right.data()) < rules.min_impurity_decrease) {
        continue;
      }
      const auto first_child = static_cast<Index>(subtree.nodes.size());
      GrownNode<T>& node = subtree.nodes[static_cast<std::size_t>(at.node)];
      node.feature = split.feature;
      node.threshold = split.threshold;
      node.missing_left = split.missing_left;
      node.left = first_child;
      node.right = first_child + 1;
      const Index rows = node.rows;
      GrownNode<T> child;
      child.depth = node.depth + 1;
      child.rows = split.left_rows;
      subtree.nodes.push_back(child);
      child.rows = rows - split.left_rows;
      subtree.nodes.push_back(child);
      subtree.statistics.insert(subtree.statistics.end(), left_sums, left_sums + width);
      subtree.statistics.insert(subtree.statistics.end(), right.begin(), right.end());
      const bool left_open = may_split(rules, split.left_rows, child.depth, left_sums);
      const bool right_open = may_split(rules, child.rows, child.depth, right.data());
      apply.push_back({at.begin, rows, split.feature, split.left_known, split.left_rows,
                       split.missing_left && split.left_rows > split.left_known, left_open,
                       right_open});
      if (left_open) {
        next.push_back({at.subtree, first_child, at.begin, child_key(at.key, false)});
      }
      if (right_open) {
        next.push_back(
            {at.subtree, first_child + 1, at.begin + split.left_rows, child_key(at.key, true)});
      }
    }
    steps.apply_splits(apply);
    level = std::move(next);
  }
}

template void grow_by_levels(DecisionTreeSteps<float>&, const SplitRules&,
                             std::span<const OpenNode>, std::span<GrownSubtree<float>>);
template void grow_by_levels(DecisionTreeSteps<double>&, const SplitRules&,
                             std::span<const OpenNode>, std::span<GrownSubtree<double>>);

}  // namespace tandem::tree

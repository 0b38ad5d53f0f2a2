// Growing a tree, whatever it is grown by.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tree/decision_tree_steps.hpp"
#include "tandem/core/archive.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::tree {

// The criterion that a tree is grown by: a node's statistics, when a node may be split, which split
// is the best, and how the rows follow it. A classification tree is grown by the weights of its
// classes (grow_by_impurity.hpp); a boosted one would be by sums of gradients and Hessians, a
// forest by the former over rows drawn for each tree.
//
// The statistics of a node are width() integers that add up: a parent's are the sums of its
// children's.
template <Real T>
class GrowBy {
 public:
  virtual ~GrowBy() = default;

  [[nodiscard]] virtual Index rows() const = 0;
  [[nodiscard]] virtual Index cols() const = 0;
  [[nodiscard]] virtual Index width() const = 0;

  // Whether a node is looked at at all.
  [[nodiscard]] virtual bool may_split(Index rows, Index depth,
                                       const std::int64_t* statistics) const = 0;
  // Whether the best split of a node is made, given the statistics before and after it.
  [[nodiscard]] virtual bool is_worth(const std::int64_t* parent, const std::int64_t* left,
                                      const std::int64_t* right) const = 0;

  // As the functions of DecisionTreeSteps.
  virtual void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                           std::span<std::int64_t> left_statistics) = 0;
  virtual void apply_splits(std::span<const SplitToApply> splits) = 0;
  [[nodiscard]] virtual Index subtree_rows() const = 0;
  virtual void grow_subtrees(std::span<const OpenNode> nodes,
                             std::span<GrownSubtree<T>> subtrees) = 0;

  // For the check of a resumed state: adds what a training row contributes to the statistics of a
  // node that it is in; and the value of a feature, NaN where it is missing.
  virtual void add_row(Index row, std::int64_t* statistics) const = 0;
  [[nodiscard]] virtual T value(Index row, Index feature) const = 0;
};

// A node in the order in which nodes are made: level by level, then subtree by subtree.
template <Real T>
struct BuiltNode {
  std::int32_t feature = -1;
  T threshold = 0;
  bool missing_left = false;
  Index left = -1;
  Index right = -1;
  Index rows = 0;
  Index depth = 0;
  // Set for nodes that are made level by level; begin is −1 elsewhere.
  Index begin = -1;
  Index left_known = 0;
  Index left_rows = 0;
  std::uint64_t key = root_key;
};

// The growing tree, and what is left to do. Nodes are split level by level until they are small
// enough for the engine to grow what is below them at one go; then subtree by subtree. The tree
// does not depend on which of its nodes were made in which way.
template <Real T>
class Growth {
 public:
  // Starts with the root, which has all rows. `by` must outlive this.
  Growth(GrowBy<T>& by, std::span<const std::int64_t> root_statistics);

  // Grows until nothing is left to split. Reports each level and each batch of subtrees to
  // `control`, stops there when asked to, saves checkpoints there, and goes on from a
  // resume_state(): throws InputError where that is not of the same rows.
  void grow(RunControl& control);

  [[nodiscard]] const std::vector<BuiltNode<T>>& nodes() const { return nodes_; }
  [[nodiscard]] const std::int64_t* statistics(Index node) const {
    return statistics_.data() + node * width_;
  }

 private:
  BuiltNode<T>& node(Index i) { return nodes_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] bool may_split_node(Index i);
  [[nodiscard]] Index rows_below(std::span<const Index> nodes);
  void enlist(Index i);
  [[nodiscard]] std::vector<OpenNode> open_nodes(std::span<const Index> indices);
  [[nodiscard]] SplitToApply split_to_apply(Index i);
  void split_level();
  bool make_children(Index parent, const NodeSplit<T>& split, const std::int64_t* left);
  void grow_some_subtrees();
  void append(Index root, const GrownSubtree<T>& subtree);
  [[nodiscard]] Archive state_of() const;
  void restore(const Archive& state);
  [[nodiscard]] bool fits_the_rows();
  void reapply();

  GrowBy<T>& by_;
  Index width_;
  Index cols_;
  std::vector<BuiltNode<T>> nodes_;
  std::vector<std::int64_t> statistics_;  // nodes × width
  std::vector<Index> level_;              // nodes to split next
  std::vector<Index> subtrees_;           // nodes to hand to grow_subtrees
  Index subtrees_done_ = 0;
  Index levels_ = 0;
};

// Indices of the nodes, depth first, left before right.
template <Real T>
[[nodiscard]] std::vector<Index> depth_first(const std::vector<BuiltNode<T>>& nodes);

}  // namespace tandem::tree

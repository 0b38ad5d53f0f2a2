// The hot operations of growing and applying a decision tree.
//
// Steps keep, per feature, the rows in the order of that feature (or whatever serves them); a node
// is a range [begin, begin + rows) that is the same in every such order. Splitting a node makes two
// adjacent ranges, left before right, and keeps the order inside each.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/cost.hpp"
#include "core/steps.hpp"
#include "core/tree/split_gain.hpp"
#include "core/tree/target_code.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::tree {

// The training set on the engine. n rows.
template <Real T>
struct TreeData {
  Index rows = 0;
  Index cols = 0;
  const Buffer<T>* x = nullptr;                  // n × cols, row-major; NaN where missing
  const Buffer<std::int32_t>* labels = nullptr;  // n, classification
  const Buffer<T>* target = nullptr;             // n, regression
  // n, in units of SplitRules: w > 0, empty where all are 1; and in regression w·y and w·y², where
  // y is the target less a constant.
  const Buffer<std::int64_t>* weights = nullptr;
  const Buffer<std::int64_t>* sums = nullptr;
  const Buffer<std::int64_t>* squares = nullptr;
  // Of several trees that are grown side by side, each from rows of its own: where in the rows the
  // second and each later one begins. A tree's root is the range of its rows in every order.
  std::span<const Index> more_trees{};
};

// A node that may be split.
struct OpenNode {
  Index begin = 0;
  Index rows = 0;
  Index depth = 0;
  std::uint64_t key = root_key;
  const std::int64_t* statistics = nullptr;  // SplitRules::width() integers, host
};

// The best split of a node: the highest score; among equal scores the lowest feature, then the
// lowest threshold, then missing values to the left.
template <Real T>
struct NodeSplit {
  std::int32_t feature = -1;  // −1: no admissible split
  T threshold = 0;            // of a split into known and missing, the largest finite T
  bool missing_left = false;
  Index left_known = 0;  // rows whose value is known and <= threshold
  Index left_rows = 0;   // with the missing ones where they go left
};

// A split to carry out. An order of the rows of a child that is not open need not be kept.
struct SplitToApply {
  Index begin = 0;
  Index rows = 0;
  std::int32_t feature = 0;
  Index left_known = 0;
  Index left_rows = 0;
  bool missing_left = false;
  bool left_open = true;
  bool right_open = true;
};

// A node of a subtree that was grown whole. Children are indices into the same subtree, −1 in a
// leaf; a parent comes before its children.
template <Real T>
struct GrownNode {
  std::int32_t feature = -1;
  T threshold = 0;
  bool missing_left = false;
  Index left = -1;
  Index right = -1;
  Index rows = 0;
  Index depth = 0;
};
template <Real T>
struct GrownSubtree {
  std::vector<GrownNode<T>> nodes;
  std::vector<std::int64_t> statistics;  // nodes.size() × width()
};

// A tree laid out for prediction. Node i is a leaf where right[i] == 0, else its left child is
// i + 1 and its right child right[i].
template <Real T>
struct TreeOnEngine {
  Buffer<std::int32_t> feature;
  Buffer<T> threshold;
  Buffer<std::int64_t> right;
  Buffer<std::uint8_t> missing_left;
};

// Costs of the steps, bytes and operations per feature and row of the given nodes, for benchmarks
// and for tests of the kernels. An entry of an order is a rank and a row of 4 bytes each.
// Read each entry; count its class, and score the cut after it (entropy of two classes: 2 for the
// counts, 4 differences, 6 terms added, 2 comparisons).
[[nodiscard]] constexpr Cost find_splits_cost(double rows, double features) {
  return {8 * rows * features, 14 * rows * features};
}
// Read each entry and the side of its row; write the entry.
[[nodiscard]] constexpr Cost apply_splits_cost(double rows, double features) {
  return {17 * rows * features, 4 * rows * features};
}
// Keys of sizeof(T) and rows of 4 bytes: taken out of the table, then read and written once per
// digit of 11 bits, then made into entries.
template <Real T>
[[nodiscard]] constexpr Cost prepare_cost(double rows, double features) {
  constexpr double keyed = sizeof(T) == 4 ? 8 : 16;
  constexpr double digits = sizeof(T) == 4 ? 3 : 6;
  return {(sizeof(T) + 2 * keyed * (digits + 1) + 8) * rows * features,
          (6 * digits + 6) * rows * features};
}

template <Real T>
class DecisionTreeSteps {
 public:
  virtual ~DecisionTreeSteps() = default;
  static constexpr std::string_view name = "decision_tree";
  [[nodiscard]] static std::unique_ptr<DecisionTreeSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<DecisionTreeSteps> make_cpu(Engine& engine);

  // sums[i] and squares[i] = what row i of a regression adds to them (TargetCode). weights: of each
  // row, or empty for 1 each. Only enqueued.
  virtual void encode_target(const TargetCode& code, const Buffer<T>& target,
                             const Buffer<double>& weights, Buffer<std::int64_t>& sums,
                             Buffer<std::int64_t>& squares) = 0;

  // Sorts the rows of each tree by every feature. `data` must outlive the steps' use. Only
  // enqueued.
  virtual void prepare(const TreeData<T>& data, const SplitRules& rules) = 0;

  // The best split of each node, and the statistics of the left child it makes: nodes.size() ×
  // width() integers. Waits.
  virtual void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                           std::span<std::int64_t> left_statistics) = 0;

  // Only enqueued. The nodes are disjoint.
  virtual void apply_splits(std::span<const SplitToApply> splits) = 0;

  // Nodes of up to this many rows are handed to grow_subtrees; 0 where the engine would rather see
  // them level by level. The tree does not depend on it.
  [[nodiscard]] virtual Index subtree_rows() const = 0;

  // All of the tree below each node, by the same rules (may_split, impurity_decrease). Waits.
  virtual void grow_subtrees(std::span<const OpenNode> nodes,
                             std::span<GrownSubtree<T>> subtrees) = 0;

  // leaf[i] = the leaf that row i of x (rows × cols, row-major) ends in. Only enqueued.
  virtual void find_leaves(const TreeOnEngine<T>& nodes, const Buffer<T>& x, Index rows, Index cols,
                           Buffer<std::int64_t>& leaf) = 0;
};

}  // namespace tandem::tree

// A tree grown by the impurity of its target, as docs/algorithms/decision-tree.md has it.
#pragma once

#include "core/tree/growth.hpp"
#include "core/tree/training_rows.hpp"

namespace tandem::tree {

// Requires: `steps` are prepared for `training`; both outlive this.
template <Real T>
class GrowByImpurity final : public GrowBy<T> {
 public:
  GrowByImpurity(DecisionTreeSteps<T>& steps, const TrainingRows<T>& training, Index cols)
      : steps_(steps), training_(training), rules_(training.rules), cols_(cols) {}

  [[nodiscard]] Index rows() const override { return training_.rows; }
  [[nodiscard]] Index cols() const override { return cols_; }
  [[nodiscard]] Index width() const override { return rules_.width(); }

  [[nodiscard]] bool may_split(Index rows, Index depth,
                               const std::int64_t* statistics) const override {
    return tree::may_split(rules_, rows, depth, statistics);
  }
  [[nodiscard]] bool is_worth(const std::int64_t* parent, const std::int64_t* left,
                              const std::int64_t* right) const override {
    return !(rules_.min_impurity_decrease > 0 &&
             impurity_decrease(rules_, parent, left, right) < rules_.min_impurity_decrease);
  }

  void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                   std::span<std::int64_t> left_statistics) override {
    steps_.find_splits(nodes, splits, left_statistics);
  }
  void apply_splits(std::span<const SplitToApply> splits) override { steps_.apply_splits(splits); }
  [[nodiscard]] Index subtree_rows() const override { return steps_.subtree_rows(); }
  void grow_subtrees(std::span<const OpenNode> nodes,
                     std::span<GrownSubtree<T>> subtrees) override {
    steps_.grow_subtrees(nodes, subtrees);
  }

  void add_row(Index row, std::int64_t* statistics) const override {
    const auto at = static_cast<std::size_t>(row);
    const std::int64_t weight = training_.weights.empty() ? 1 : training_.weights[at];
    if (rules_.classes > 0) {
      statistics[training_.labels[at]] += weight;
    } else {
      statistics[0] += weight;
      const double w = training_.row_weights.empty() ? 1.0 : training_.row_weights[at];
      const double y = static_cast<double>(training_.target[at]);
      statistics[1] += training_.code.sum(w, y);
      statistics[2] += training_.code.square(w, y);
    }
  }
  [[nodiscard]] T value(Index row, Index feature) const override {
    return training_.x[row * cols_ + feature];
  }

 private:
  DecisionTreeSteps<T>& steps_;
  const TrainingRows<T>& training_;
  const SplitRules& rules_;
  Index cols_;
};

}  // namespace tandem::tree

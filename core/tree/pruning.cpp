#include "tandem/tree/pruning.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

// The weakest links of a tree, one after the other.
template <Real T>
class Links {
 public:
  explicit Links(const DecisionTreeModel<T>& tree) : nodes_(tree.nodes) {
    const auto count = nodes_.feature.size();
    const double total = nodes_.weight.front();
    parent_.assign(count, -1);
    cost_.resize(count);
    branch_cost_.resize(count);
    leaves_.assign(count, 1);
    leaf_.assign(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
      cost_[i] = nodes_.impurity[i] * (nodes_.weight[i] / total);
      leaf_[i] = nodes_.feature[i] < 0 ? 1 : 0;
      if (leaf_[i] != 0) continue;
      parent_[at(nodes_.left[i])] = static_cast<Index>(i);
      parent_[at(nodes_.right[i])] = static_cast<Index>(i);
    }
    // Children are numbered after their parents.
    for (std::size_t i = count; i-- > 0;) {
      refresh(i);
      if (leaf_[i] == 0) queue_.push({strength(i), static_cast<Index>(i)});
    }
  }

  [[nodiscard]] bool is_leaf(Index node) const { return leaf_[at(node)] != 0; }
  [[nodiscard]] Index leaves() const { return leaves_.front(); }
  [[nodiscard]] double cost() const { return branch_cost_.front(); }

  // The least α at which a node is worth no more than a leaf; infinite where only leaves are left.
  [[nodiscard]] double weakest() {
    drop_outdated();
    return queue_.empty() ? INFINITY : queue_.top().first;
  }

  // Makes leaves of all nodes that are worth no more than α, and of those that become so.
  void cut(double alpha) {
    for (drop_outdated(); !queue_.empty() && queue_.top().first <= alpha; drop_outdated()) {
      const Index node = queue_.top().second;
      queue_.pop();
      remove_below(node);
      for (Index up = parent_[at(node)]; up >= 0; up = parent_[at(up)]) {
        refresh(at(up));
        queue_.push({strength(at(up)), up});
      }
    }
  }

 private:
  void refresh(std::size_t i) {
    if (leaf_[i] != 0) {
      branch_cost_[i] = cost_[i];
      leaves_[i] = 1;
      return;
    }
    branch_cost_[i] = branch_cost_[at(nodes_.left[i])] + branch_cost_[at(nodes_.right[i])];
    leaves_[i] = leaves_[at(nodes_.left[i])] + leaves_[at(nodes_.right[i])];
  }

  // What the node's splits lower R by, per leaf that they add. Never below 0 but by rounding.
  [[nodiscard]] double strength(std::size_t i) const {
    return std::max(0.0, (cost_[i] - branch_cost_[i]) / static_cast<double>(leaves_[i] - 1));
  }

  // A node's entry counts where it has the node's present strength.
  void drop_outdated() {
    while (!queue_.empty()) {
      const auto& [alpha, node] = queue_.top();
      if (leaf_[at(node)] == 0 && alpha == strength(at(node))) return;
      queue_.pop();
    }
  }

  void remove_below(Index node) {
    std::vector<Index> stack{node};
    while (!stack.empty()) {
      const std::size_t i = at(stack.back());
      stack.pop_back();
      if (leaf_[i] == 0) {
        stack.push_back(nodes_.left[i]);
        stack.push_back(nodes_.right[i]);
      }
      leaf_[i] = 1;
    }
    refresh(at(node));
  }

  using Entry = std::pair<double, Index>;  // ties: the lower node, nearer to the root, first
  const DecisionTreeNodes<T>& nodes_;
  std::vector<Index> parent_;
  std::vector<double> cost_;         // R of the node as a leaf
  std::vector<double> branch_cost_;  // R of what stands below it
  std::vector<Index> leaves_;
  std::vector<std::uint8_t> leaf_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
};

// The model without what lies below its leaves.
template <Real T>
DecisionTreeModel<T> without(const DecisionTreeModel<T>& tree, const Links<T>& links) {
  DecisionTreeModel<T> model;
  model.criterion = tree.criterion;
  model.feature_count = tree.feature_count;
  model.class_names = tree.class_names;
  model.log = tree.log;
  struct Place {
    Index node;
    Index parent;  // in the new tree; −1 for the root
    bool right;
    Index depth;
  };
  std::vector<Place> stack{{0, -1, false, 0}};
  std::vector<double> values;
  std::vector<double> per_level;
  auto& nodes = model.nodes;
  while (!stack.empty()) {
    const Place place = stack.back();
    stack.pop_back();
    const std::size_t i = at(place.node);
    const Index number = nodes.size();
    if (place.parent >= 0) {
      (place.right ? nodes.right : nodes.left)[at(place.parent)] = number;
    }
    const bool leaf = links.is_leaf(place.node);
    nodes.feature.push_back(leaf ? -1 : tree.nodes.feature[i]);
    nodes.threshold.push_back(leaf ? T{0} : tree.nodes.threshold[i]);
    nodes.left.push_back(-1);
    nodes.right.push_back(-1);
    nodes.missing_left.push_back(leaf ? std::uint8_t{0} : tree.nodes.missing_left[i]);
    nodes.rows.push_back(tree.nodes.rows[i]);
    nodes.weight.push_back(tree.nodes.weight[i]);
    nodes.impurity.push_back(tree.nodes.impurity[i]);
    const auto value = tree.values.row(place.node);
    values.insert(values.end(), value.begin(), value.end());
    if (at(place.depth) >= per_level.size()) per_level.resize(at(place.depth) + 1, 0);
    per_level[at(place.depth)] += 1;
    if (leaf) continue;
    stack.push_back({tree.nodes.right[i], number, true, place.depth + 1});
    stack.push_back({tree.nodes.left[i], number, false, place.depth + 1});
  }
  model.values = Matrix<double>(nodes.size(), tree.values.cols(), std::move(values));
  model.log.iterations = static_cast<Index>(per_level.size()) - 1;
  model.log.history["nodes"] = std::move(per_level);
  return model;
}

}  // namespace

template <Real T>
PruningPath pruning_path(const DecisionTreeModel<T>& tree) {
  Links<T> links(tree);
  PruningPath path{{0.0}, {links.cost()}, {links.leaves()}};
  for (double alpha = links.weakest(); std::isfinite(alpha); alpha = links.weakest()) {
    links.cut(alpha);
    // Splits that lower nothing go with the first α above 0.
    path.alphas.push_back(alpha > 0 ? alpha : std::numeric_limits<double>::denorm_min());
    path.impurities.push_back(links.cost());
    path.leaves.push_back(links.leaves());
  }
  return path;
}

template <Real T>
DecisionTreeModel<T> pruned(const DecisionTreeModel<T>& tree, double alpha) {
  if (!(alpha >= 0)) {
    throw InputError(option("ccp_alpha") + " is " + std::to_string(alpha) + ", expected 0 or more");
  }
  if (alpha == 0) return tree;
  Links<T> links(tree);
  const Index before = links.leaves();
  links.cut(alpha);
  DecisionTreeModel<T> model = without(tree, links);
  if (links.leaves() < before) {
    model.log.stopped_because += "; pruned from " + std::to_string(before) + " to " +
                                 std::to_string(links.leaves()) +
                                 (links.leaves() == 1 ? " leaf" : " leaves");
  }
  return model;
}

template PruningPath pruning_path(const DecisionTreeModel<float>&);
template PruningPath pruning_path(const DecisionTreeModel<double>&);
template DecisionTreeModel<float> pruned(const DecisionTreeModel<float>&, double);
template DecisionTreeModel<double> pruned(const DecisionTreeModel<double>&, double);

}  // namespace tandem

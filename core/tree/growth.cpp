#include "core/tree/growth.hpp"

#include <bit>
#include <cmath>
#include <utility>

namespace tandem::tree {

template <Real T>
Growth<T>::Growth(GrowBy<T>& by, std::span<const std::int64_t> root_statistics)
    : by_(by),
      width_(by.width()),
      cols_(by.cols()),
      statistics_(root_statistics.begin(), root_statistics.end()) {
  BuiltNode<T> root;
  root.rows = by.rows();
  root.begin = 0;
  nodes_.push_back(root);
  enlist(0);
}

template <Real T>
void Growth<T>::grow(RunControl& control) {
  if (const Archive* state = control.resume_state()) restore(*state);
  while (!level_.empty()) {
    split_level();
    ++levels_;
    end_iteration(control, Progress{"level", levels_, 0, {}, 0}, [&] { return state_of(); });
  }
  // Subtrees differ in size, and their rows tell better than their number how much is left.
  const Index rows = rows_below(subtrees_);
  while (subtrees_done_ < static_cast<Index>(subtrees_.size())) {
    grow_some_subtrees();
    const std::span<const Index> done(subtrees_.data(), static_cast<std::size_t>(subtrees_done_));
    end_iteration(control, Progress{"row", rows_below(done), rows, {}, 0},
                  [&] { return state_of(); });
  }
}

template <Real T>
Index Growth<T>::rows_below(std::span<const Index> nodes) {
  Index rows = 0;
  for (const Index i : nodes) rows += node(i).rows;
  return rows;
}

template <Real T>
bool Growth<T>::may_split_node(Index i) {
  return by_.may_split(node(i).rows, node(i).depth, statistics(i));
}

template <Real T>
void Growth<T>::enlist(Index i) {
  if (!may_split_node(i)) return;
  (node(i).rows <= by_.subtree_rows() ? subtrees_ : level_).push_back(i);
}

template <Real T>
std::vector<OpenNode> Growth<T>::open_nodes(std::span<const Index> indices) {
  std::vector<OpenNode> open;
  for (const Index i : indices) {
    const BuiltNode<T>& built = node(i);
    open.push_back({built.begin, built.rows, built.depth, built.key, statistics(i)});
  }
  return open;
}

template <Real T>
SplitToApply Growth<T>::split_to_apply(Index i) {
  const BuiltNode<T>& built = node(i);
  return {built.begin,
          built.rows,
          built.feature,
          built.left_known,
          built.left_rows,
          built.missing_left && built.left_rows > built.left_known,
          may_split_node(built.left),
          may_split_node(built.right)};
}

// Splits all nodes of the current level; their children become the next one.
template <Real T>
void Growth<T>::split_level() {
  const std::vector<Index> level = std::exchange(level_, {});
  std::vector<NodeSplit<T>> splits(level.size());
  std::vector<std::int64_t> left(level.size() * static_cast<std::size_t>(width_));
  by_.find_splits(open_nodes(level), splits, left);
  std::vector<SplitToApply> apply;
  for (std::size_t k = 0; k < level.size(); ++k) {
    if (make_children(level[k], splits[k], left.data() + k * static_cast<std::size_t>(width_))) {
      apply.push_back(split_to_apply(level[k]));
    }
  }
  by_.apply_splits(apply);
}

// False where the node stays a leaf.
template <Real T>
bool Growth<T>::make_children(Index parent, const NodeSplit<T>& split, const std::int64_t* left) {
  if (split.feature < 0) return false;
  std::vector<std::int64_t> right(static_cast<std::size_t>(width_));
  for (Index k = 0; k < width_; ++k) {
    right[static_cast<std::size_t>(k)] = statistics(parent)[k] - left[k];
  }
  if (!by_.is_worth(statistics(parent), left, right.data())) return false;
  const auto first = static_cast<Index>(nodes_.size());
  BuiltNode<T> child;
  {
    BuiltNode<T>& built = node(parent);
    built.feature = split.feature;
    built.threshold = split.threshold;
    built.missing_left = split.missing_left;
    built.left_known = split.left_known;
    built.left_rows = split.left_rows;
    built.left = first;
    built.right = first + 1;
    child.depth = built.depth + 1;
  }
  const BuiltNode<T> built = node(parent);
  child.begin = built.begin;
  child.rows = built.left_rows;
  child.key = child_key(built.key, false);
  nodes_.push_back(child);
  child.begin = built.begin + built.left_rows;
  child.rows = built.rows - built.left_rows;
  child.key = child_key(built.key, true);
  nodes_.push_back(child);
  statistics_.insert(statistics_.end(), left, left + width_);
  statistics_.insert(statistics_.end(), right.begin(), right.end());
  enlist(first);
  enlist(first + 1);
  return true;
}

// As many subtrees as make a batch of useful size: what an interruption has to wait for.
template <Real T>
void Growth<T>::grow_some_subtrees() {
  constexpr Index batch_cells = Index{1} << 23;
  Index cells = 0;
  auto end = static_cast<std::size_t>(subtrees_done_);
  const auto begin = end;
  while (end < subtrees_.size() && cells < batch_cells)
    cells += node(subtrees_[end++]).rows * cols_;
  const std::span<const Index> batch(subtrees_.data() + begin, end - begin);
  std::vector<GrownSubtree<T>> grown(batch.size());
  by_.grow_subtrees(open_nodes(batch), grown);
  for (std::size_t k = 0; k < batch.size(); ++k) append(batch[k], grown[k]);
  subtrees_done_ = static_cast<Index>(end);
}

// Puts a subtree under the node that is its root.
template <Real T>
void Growth<T>::append(Index root, const GrownSubtree<T>& subtree) {
  const Index offset = static_cast<Index>(nodes_.size()) - 1;  // of its node 1
  const auto place = [&](Index local) { return local <= 0 ? local : local + offset; };
  for (std::size_t k = 0; k < subtree.nodes.size(); ++k) {
    const GrownNode<T>& grown = subtree.nodes[k];
    BuiltNode<T> built;
    if (k == 0) built = node(root);
    built.feature = grown.feature;
    built.threshold = grown.threshold;
    built.missing_left = grown.missing_left;
    built.left = place(grown.left);
    built.right = place(grown.right);
    built.rows = grown.rows;
    built.depth = grown.depth;
    if (k == 0) {
      // Its children lie in no range of the orders any more.
      built.begin = -1;
      node(root) = built;
    } else {
      nodes_.push_back(built);
    }
  }
  statistics_.insert(statistics_.end(), subtree.statistics.begin() + width_,
                     subtree.statistics.end());
}

// --- checkpoints: the nodes so far. The orders of the rows are made again by applying the
// splits.

template <Real T>
Archive Growth<T>::state_of() const {
  Archive state;
  state.set("levels", levels_);
  state.set("subtrees_done", subtrees_done_);
  state.set("rows", nodes_.front().rows);
  state.set("cols", cols_);
  state.set("width", width_);
  state.set_tensor("level", level_);
  state.set_tensor("subtrees", subtrees_);
  state.set_tensor("statistics", statistics_);
  std::vector<std::int32_t> feature;
  std::vector<T> threshold;
  std::vector<std::uint8_t> missing_left;
  std::vector<std::int64_t> numbers;
  for (const auto& built : nodes_) {
    feature.push_back(built.feature);
    threshold.push_back(built.threshold);
    missing_left.push_back(built.missing_left ? 1 : 0);
    numbers.insert(numbers.end(),
                   {built.left, built.right, built.rows, built.depth, built.begin, built.left_known,
                    built.left_rows, std::bit_cast<std::int64_t>(built.key)});
  }
  state.set_tensor("feature", std::move(feature));
  state.set_tensor("threshold", std::move(threshold));
  state.set_tensor("missing_left", std::move(missing_left));
  state.set_tensor("numbers", std::move(numbers), {static_cast<Index>(nodes_.size()), 8});
  return state;
}

template <Real T>
void Growth<T>::restore(const Archive& state) {
  const Index rows = nodes_.front().rows;
  (void)state.get_int("rows", rows, rows);
  (void)state.get_int("cols", cols_, cols_);
  (void)state.get_int("width", width_, width_);
  const auto& feature = state.get_tensor<std::int32_t>("feature");
  const auto count = static_cast<Index>(feature.size());
  const auto& threshold = state.get_tensor<T>("threshold", count);
  const auto& missing_left = state.get_tensor<std::uint8_t>("missing_left", count);
  const auto& numbers = state.get_tensor<std::int64_t>("numbers", 8 * count);
  const auto& statistics = state.get_tensor<std::int64_t>("statistics", width_ * count);
  if (count < 1) state.fail("feature", "is empty");
  levels_ = state.get_int("levels", 0, rows);
  level_ = state.get_tensor<std::int64_t>("level");
  subtrees_ = state.get_tensor<std::int64_t>("subtrees");
  subtrees_done_ = state.get_int("subtrees_done", 0, static_cast<Index>(subtrees_.size()));
  nodes_.clear();
  for (std::size_t i = 0; i < feature.size(); ++i) {
    const std::int64_t* of_node = numbers.data() + 8 * i;
    BuiltNode<T> built{feature[i],
                       threshold[i],
                       missing_left[i] != 0,
                       of_node[0],
                       of_node[1],
                       of_node[2],
                       of_node[3],
                       of_node[4],
                       of_node[5],
                       of_node[6],
                       std::bit_cast<std::uint64_t>(of_node[7])};
    const auto at = static_cast<Index>(i);
    const bool leaf = built.feature < 0;
    const bool inside = built.rows >= 1 && built.rows <= rows && built.begin >= -1 &&
                        built.begin <= rows - built.rows && built.left_known >= 0 &&
                        built.left_known <= built.left_rows && built.left_rows <= built.rows;
    const bool children = leaf ? built.left == -1 && built.right == -1
                               : built.feature < cols_ && built.left > at && built.left < count &&
                                     built.right > at && built.right < count;
    if (!inside || !children) state.fail("numbers", "is not a tree that is being grown");
    nodes_.push_back(built);
  }
  for (const auto* list : {&level_, &subtrees_}) {
    for (std::size_t k = 0; k < list->size(); ++k) {
      const Index i = (*list)[k];
      const bool done = list == &subtrees_ && static_cast<Index>(k) < subtrees_done_;
      if (i < 0 || i >= count || (!done && (node(i).feature >= 0 || node(i).begin < 0))) {
        state.fail("level", "names a node that is not open");
      }
    }
  }
  statistics_ = statistics;
  if (!fits_the_rows()) {
    state.fail("statistics", "are not those of this training set; start again without it");
  }
  reapply();
}

// Sends every training row down the nodes made level by level, and checks all that the state says
// of them, so that a state of other data, or a forged one, cannot mislead the steps.
template <Real T>
bool Growth<T>::fits_the_rows() {
  struct Seen {
    Index rows = 0;
    Index left_known = 0;
  };
  std::vector<Seen> seen(nodes_.size());
  std::vector<std::int64_t> statistics(statistics_.size(), 0);
  for (Index row = 0; row < by_.rows(); ++row) {
    for (Index i = 0;;) {
      const BuiltNode<T>& built = node(i);
      Seen& of_node = seen[static_cast<std::size_t>(i)];
      ++of_node.rows;
      by_.add_row(row, statistics.data() + i * width_);
      if (built.begin < 0 || built.feature < 0) break;
      const T value = by_.value(row, built.feature);
      const bool left = std::isnan(value) ? built.missing_left : value <= built.threshold;
      if (left && !std::isnan(value)) ++of_node.left_known;
      i = left ? built.left : built.right;
    }
  }
  if (node(0).begin > 0) return false;
  for (Index i = 0; i < static_cast<Index>(nodes_.size()); ++i) {
    const BuiltNode<T>& built = node(i);
    const Seen& of_node = seen[static_cast<std::size_t>(i)];
    if (of_node.rows == 0) {
      if (built.begin >= 0) return false;
      continue;
    }
    if (built.rows != of_node.rows) return false;
    for (Index k = 0; k < width_; ++k) {
      if (statistics[static_cast<std::size_t>(i * width_ + k)] != this->statistics(i)[k]) {
        return false;
      }
    }
    if (built.begin < 0 || built.feature < 0) continue;
    const Index left_rows = seen[static_cast<std::size_t>(built.left)].rows;
    const auto stands_at = [&](Index child, Index begin) {
      return node(child).begin == begin || node(child).begin == -1;
    };
    if (built.left_known != of_node.left_known || built.left_rows != left_rows ||
        !stands_at(built.left, built.begin) ||
        !stands_at(built.right, built.begin + built.left_rows)) {
      return false;
    }
  }
  return true;
}

// Nodes made level by level are in order of depth.
template <Real T>
void Growth<T>::reapply() {
  std::vector<SplitToApply> apply;
  Index depth = 0;
  for (Index i = 0; i < static_cast<Index>(nodes_.size()); ++i) {
    if (node(i).begin < 0 || node(i).feature < 0) continue;
    if (node(i).depth != depth) {
      by_.apply_splits(apply);
      apply.clear();
      depth = node(i).depth;
    }
    apply.push_back(split_to_apply(i));
  }
  by_.apply_splits(apply);
}

template <Real T>
std::vector<Index> depth_first(const std::vector<BuiltNode<T>>& nodes) {
  std::vector<Index> order;
  std::vector<Index> stack{0};
  while (!stack.empty()) {
    const Index i = stack.back();
    stack.pop_back();
    order.push_back(i);
    const auto& node = nodes[static_cast<std::size_t>(i)];
    if (node.feature < 0) continue;
    stack.push_back(node.right);
    stack.push_back(node.left);
  }
  return order;
}

template class Growth<float>;
template class Growth<double>;
template std::vector<Index> depth_first(const std::vector<BuiltNode<float>>&);
template std::vector<Index> depth_first(const std::vector<BuiltNode<double>>&);

}  // namespace tandem::tree

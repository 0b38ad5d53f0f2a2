#include "core/tree/boosted_growth.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/random.hpp"

namespace tandem::tree {
namespace {

// Draws for features; rows are drawn by the stream 4·tree (RowSample).
std::uint32_t tree_stream(std::uint32_t tree) { return 4 * tree + 1; }
std::uint32_t level_stream(std::uint32_t tree) { return 4 * tree + 2; }
std::uint32_t node_stream(std::uint32_t tree) { return 4 * tree + 3; }

// Keeps a share of the features in `from`, at least one: those with the smallest numbers, which are
// drawn at first, first + 1, ...; the lower index among equals.
std::vector<std::uint8_t> drawn(const std::vector<std::uint8_t>& from, double share,
                                const Random& random, std::uint64_t first) {
  if (share >= 1) return from;
  std::vector<std::pair<std::uint64_t, std::size_t>> draws;
  for (std::size_t j = 0; j < from.size(); ++j) {
    if (from[j] != 0) draws.emplace_back(random.bits(first + j), j);
  }
  if (draws.empty()) return from;
  const auto kept = std::max<std::size_t>(
      1, static_cast<std::size_t>(std::ceil(share * static_cast<double>(draws.size()))));
  std::nth_element(draws.begin(), draws.begin() + static_cast<std::ptrdiff_t>(kept) - 1,
                   draws.end());
  std::vector<std::uint8_t> result(from.size(), 0);
  for (std::size_t k = 0; k < kept; ++k) result[draws[k].second] = 1;
  return result;
}

}  // namespace

std::vector<Index> histogram_places(std::span<const std::int32_t> bins,
                                    std::span<const std::uint8_t> missing, int bin_bytes) {
  std::vector<Index> places{0};
  Index most = 1;
  for (std::size_t j = 0; j < bins.size(); ++j) most = std::max<Index>(most, bins[j] + missing[j]);
  for (std::size_t j = 0; j < bins.size(); ++j) {
    const Index room =
        bin_bytes == 1 ? histogram_stride(most) : ceil_div<Index>(bins[j] + missing[j], 64) * 64;
    places.push_back(places.back() + room);
  }
  return places;
}

template <Real T>
std::int32_t BoostedGrowth<T>::slots_for(const GradientBoostingOptions& options,
                                         Index histogram_bytes) {
  constexpr Index budget = Index{512} << 20;
  Index useful = 1 << 20;
  if (options.max_leaves > 0) useful = std::min<Index>(useful, options.max_leaves + 1);
  if (options.max_depth > 0 && options.max_depth < 20) {
    // A level needs the histograms of its nodes and of their children, half of which reuse the
    // nodes' own places.
    useful = std::min<Index>(useful, (Index{1} << options.max_depth) + 1);
  }
  return static_cast<std::int32_t>(
      std::max<Index>(3, std::min<Index>(useful, budget / std::max<Index>(1, histogram_bytes))));
}

template <Real T>
bool BoostedGrowth<T>::may_split(const Node& node) const {
  if (options_.max_depth > 0 && node.depth >= options_.max_depth) return false;
  return node.rows >= 2 && node.h / 2 >= rules_.min_hessian;
}

template <Real T>
std::int32_t BoostedGrowth<T>::put_set(const Node& node, std::vector<std::uint32_t>& sets) const {
  if (!categories_.has(node.split.feature)) return -1;
  const std::size_t begin = sets.size();
  sets.resize(begin + static_cast<std::size_t>(set_words_), 0);
  for (const std::int32_t bin : node.set) add_bin(sets.data() + begin, bin);
  return static_cast<std::int32_t>(begin / static_cast<std::size_t>(set_words_));
}

template <Real T>
std::int32_t BoostedGrowth<T>::take_slot() {
  if (free_slots_.empty()) {
    // Some node's histogram is given up; its children will be made from their rows. Whose does not
    // matter to the tree.
    for (const std::int32_t i : open_) {
      Node& node = nodes_[static_cast<std::size_t>(i)];
      if (node.slot < 0) continue;
      release_slot(node);
      break;
    }
  }
  const std::int32_t slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

template <Real T>
void BoostedGrowth<T>::release_slot(Node& node) {
  if (node.slot >= 0) free_slots_.push_back(node.slot);
  node.slot = -1;
}

// Leaves out what may not stand on a path with the splits above the node.
template <Real T>
std::vector<std::uint8_t> BoostedGrowth<T>::may_join(std::vector<std::uint8_t> features,
                                                     const Node& node) const {
  if (groups_.empty()) return features;
  for (std::size_t j = 0; j < features.size(); ++j) {
    bool together = false;
    for (std::size_t k = 0; k < groups_.size() && !together; ++k) {
      together = node.groups[k] != 0 && groups_[k][j] != 0;
    }
    if (!together) features[j] = 0;
  }
  return features;
}

template <Real T>
void BoostedGrowth<T>::draw_features(const std::vector<std::int32_t>& nodes) {
  allowed_.clear();
  if (options_.colsample_bytree >= 1 && options_.colsample_bylevel >= 1 &&
      options_.colsample_bynode >= 1 && groups_.empty()) {
    return;
  }
  const auto features = static_cast<std::uint64_t>(cuts_.features());
  for (const std::int32_t i : nodes) {
    const auto depth = static_cast<std::size_t>(nodes_[static_cast<std::size_t>(i)].depth);
    while (level_features_.size() <= depth) {
      level_features_.push_back(drawn(tree_features_, options_.colsample_bylevel,
                                      Random(options_.seed, Purpose::sampling, level_stream(tree_)),
                                      level_features_.size() * features));
    }
    const Node& node = nodes_[static_cast<std::size_t>(i)];
    const auto of_node = drawn(may_join(level_features_[depth], node), options_.colsample_bynode,
                               Random(options_.seed, Purpose::sampling, node_stream(tree_)),
                               static_cast<std::uint64_t>(i) * features);
    allowed_.insert(allowed_.end(), of_node.begin(), of_node.end());
  }
}

// Finds the best splits of nodes whose histograms stand in their slots, and opens those that are
// worth splitting.
template <Real T>
void BoostedGrowth<T>::search(const std::vector<std::int32_t>& nodes) {
  if (nodes.empty()) return;
  std::vector<SplitQuery> queries;
  for (const std::int32_t i : nodes) {
    const Node& node = nodes_[static_cast<std::size_t>(i)];
    queries.push_back({node.slot, node.g, node.h, node.bounds});
  }
  draw_features(nodes);
  std::vector<HistogramSplit> splits(nodes.size());
  std::vector<std::uint32_t> sets(nodes.size() * static_cast<std::size_t>(set_words_));
  steps_.find_splits(rules_, queries, allowed_, splits, sets);
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    Node& node = nodes_[static_cast<std::size_t>(nodes[k])];
    node.split = splits[k];
    node.set.clear();
    if (node.split.feature >= 0 && categories_.has(node.split.feature)) {
      const std::uint32_t* set = sets.data() + static_cast<Index>(k) * set_words_;
      for (Index word = 0; word < set_words_; ++word) {
        for (std::uint32_t rest = set[word]; rest != 0; rest &= rest - 1) {
          node.set.push_back(static_cast<std::int32_t>(32 * word) + std::countr_zero(rest));
        }
      }
    }
    if (node.split.feature >= 0) {
      node.gain = node.split.sum - node_score(rules_, node.g, node.h, node.bounds);
    }
    // Less than the roundings of the scores is no gain.
    const bool worth = node.split.feature >= 0 && node.gain > options_.min_split_loss &&
                       node.gain > node.split.sum * 0x1p-40;
    if (worth)
      open_.push_back(nodes[k]);
    else
      release_slot(node);
  }
}

// The nodes to split next. Their number keeps within max_leaves.
template <Real T>
std::vector<std::int32_t> BoostedGrowth<T>::next_batch() {
  const Index most = options_.max_leaves > 0 ? options_.max_leaves - leaf_count_
                                             : static_cast<Index>(open_.size());
  if (open_.empty() || most <= 0) return {};
  const auto more_gain = [&](std::int32_t a, std::int32_t b) {
    const Node& left = nodes_[static_cast<std::size_t>(a)];
    const Node& right = nodes_[static_cast<std::size_t>(b)];
    return left.gain != right.gain ? left.gain > right.gain : a < b;
  };
  std::vector<std::int32_t> batch;
  if (options_.grow_policy == GrowPolicy::lossguide) {
    batch.push_back(*std::min_element(open_.begin(), open_.end(), more_gain));
  } else {
    Index depth = nodes_[static_cast<std::size_t>(open_.front())].depth;
    for (const std::int32_t i : open_) {
      depth = std::min(depth, nodes_[static_cast<std::size_t>(i)].depth);
    }
    for (const std::int32_t i : open_) {
      if (nodes_[static_cast<std::size_t>(i)].depth == depth) batch.push_back(i);
    }
    if (static_cast<Index>(batch.size()) > most) {
      std::sort(batch.begin(), batch.end(), more_gain);
      batch.resize(static_cast<std::size_t>(most));
    }
    // Histograms of a batch stand side by side: at most those of both children of each node.
    std::sort(batch.begin(), batch.end());
    constexpr std::size_t most_at_once = 16384;
    const auto at_once =
        std::clamp<std::size_t>(static_cast<std::size_t>(slots_) / 2, 1, most_at_once);
    if (batch.size() > at_once) batch.resize(at_once);
  }
  std::erase_if(open_, [&](std::int32_t i) {
    return std::find(batch.begin(), batch.end(), i) != batch.end();
  });
  return batch;
}

template <Real T>
void BoostedGrowth<T>::split_nodes(const std::vector<std::int32_t>& batch) {
  std::vector<SplitTask> tasks;
  std::vector<std::uint32_t> sets;
  for (const std::int32_t i : batch) {
    const Node& node = nodes_[static_cast<std::size_t>(i)];
    const bool missing_left = node.split.missing_left != 0;
    tasks.push_back({node.begin, node.rows, node.side, node.split.feature, node.split.bin,
                     missing_left ? static_cast<std::int32_t>(cuts_.bins(node.split.feature)) : -1,
                     put_set(node, sets)});
  }
  std::vector<Index> left_rows(tasks.size());
  steps_.apply_splits(tasks, sets, left_rows);
  std::vector<HistogramTask> builds;
  std::vector<std::int32_t> searched;
  for (std::size_t k = 0; k < batch.size(); ++k) {
    const std::int32_t parent_number = batch[k];
    const auto first = static_cast<std::int32_t>(nodes_.size());
    Node parent = nodes_[static_cast<std::size_t>(parent_number)];
    parent.left = first;
    parent.right = first + 1;
    Node left;
    left.begin = parent.begin;
    left.rows = left_rows[k];
    left.depth = parent.depth + 1;
    left.side = 1 - parent.side;
    left.g = parent.split.left_g;
    left.h = parent.split.left_h;
    left.bounds = parent.bounds;
    left.groups = parent.groups;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      left.groups[g] &= groups_[g][static_cast<std::size_t>(parent.split.feature)];
    }
    Node right = left;
    right.begin = parent.begin + left.rows;
    right.rows = parent.rows - left.rows;
    right.g = parent.g - left.g;
    right.h = parent.h - left.h;
    const std::int64_t direction =
        options_.monotone_constraints.empty()
            ? 0
            : options_.monotone_constraints[static_cast<std::size_t>(parent.split.feature)];
    if (direction != 0) {
      const auto weight = [&](const Node& node) {
        return leaf_weight(rules_, static_cast<double>(node.g) * rules_.gradient_unit,
                           static_cast<double>(node.h) * rules_.hessian_unit, parent.bounds);
      };
      const double middle = (weight(left) + weight(right)) / 2;
      (direction > 0 ? left.bounds.upper : left.bounds.lower) = middle;
      (direction > 0 ? right.bounds.lower : right.bounds.upper) = middle;
    }
    ++leaf_count_;
    const bool full = options_.max_leaves > 0 && leaf_count_ >= options_.max_leaves;
    const bool left_open = !full && may_split(left);
    const bool right_open = !full && may_split(right);
    Node& smaller = left.rows <= right.rows ? left : right;
    Node& larger = left.rows <= right.rows ? right : left;
    const bool smaller_open = left.rows <= right.rows ? left_open : right_open;
    const bool larger_open = left.rows <= right.rows ? right_open : left_open;
    if (!larger_open) release_slot(parent);
    const auto build = [&](Node& node, std::int32_t from_parent) {
      node.slot = take_slot();
      builds.push_back({node.begin, node.rows, node.side, node.slot, from_parent});
    };
    if (larger_open && parent.slot >= 0) {
      const std::int32_t taken_over = std::exchange(parent.slot, -1);
      build(smaller, taken_over);
      larger.slot = taken_over;
    } else {
      if (larger_open) build(larger, -1);
      if (smaller_open) build(smaller, -1);
    }
    nodes_[static_cast<std::size_t>(parent_number)] = parent;
    nodes_.push_back(left);
    nodes_.push_back(right);
    // A sibling that was built for its parent's sake alone.
    const std::int32_t small_number = left.rows <= right.rows ? first : first + 1;
    for (const std::int32_t child : {first, first + 1}) {
      if (child == first ? left_open : right_open) searched.push_back(child);
    }
    if (!smaller_open && nodes_[static_cast<std::size_t>(small_number)].slot >= 0) {
      to_release_.push_back(small_number);
    }
  }
  if (!builds.empty()) steps_.build_histograms(builds);
  for (const std::int32_t i : to_release_) release_slot(nodes_[static_cast<std::size_t>(i)]);
  to_release_.clear();
  search(searched);
}

template <Real T>
BoostedTree<T> BoostedGrowth<T>::grow(const GradientPacking& packing, const PackedSums& sums,
                                      std::uint32_t tree) {
  tree_ = tree;
  rules_ = {};
  rules_.lambda = options_.reg_lambda;
  rules_.alpha = options_.reg_alpha;
  rules_.max_delta_step = options_.max_delta_step;
  rules_.monotone =
      std::any_of(options_.monotone_constraints.begin(), options_.monotone_constraints.end(),
                  [](std::int64_t direction) { return direction != 0; });
  rules_.gradient_unit = 1 / packing.gradient_scale;
  rules_.hessian_unit = 1 / packing.hessian_scale;
  rules_.categories = {static_cast<std::int32_t>(options_.max_cat_to_onehot),
                       static_cast<std::int32_t>(options_.max_cat_threshold), options_.cat_smooth,
                       options_.cat_l2};
  const double least = options_.min_child_weight * packing.hessian_scale;
  rules_.min_hessian = least < 0x1p62
                           ? std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(least)))
                           : std::int64_t{1} << 62;
  nodes_.clear();
  open_.clear();
  leaf_count_ = 1;
  free_slots_.resize(static_cast<std::size_t>(slots_));
  std::iota(free_slots_.rbegin(), free_slots_.rend(), 0);
  level_features_.clear();
  tree_features_ = drawn(std::vector<std::uint8_t>(static_cast<std::size_t>(cuts_.features()), 1),
                         options_.colsample_bytree,
                         Random(options_.seed, Purpose::sampling, tree_stream(tree)), 0);
  Node root;
  root.rows = sums.rows;
  root.g = sums.g;
  root.h = sums.h;
  root.groups.assign(groups_.size(), 1);
  nodes_.push_back(root);
  if ((options_.max_leaves == 0 || options_.max_leaves > 1) && may_split(root)) {
    nodes_[0].slot = take_slot();
    const HistogramTask task{0, root.rows, 0, nodes_[0].slot, -1};
    steps_.build_histograms({&task, 1});
    search({0});
  }
  for (auto batch = next_batch(); !batch.empty(); batch = next_batch()) split_nodes(batch);
  return finished();
}

template <Real T>
BoostedTree<T> BoostedGrowth<T>::finished() const {
  BoostedTree<T> result;
  result.binned.resize(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const double g = static_cast<double>(node.g) * rules_.gradient_unit;
    const double h = static_cast<double>(node.h) * rules_.hessian_unit;
    const T value =
        node.h > 0 ? static_cast<T>(leaf_weight(rules_, g, h, node.bounds) * options_.learning_rate)
                   : T{0};
    result.tree.add_leaf(value, h);
    BinnedNode<T>& binned = result.binned[i];
    binned.left = static_cast<std::int32_t>(i);
    binned.value = value;
    if (node.left < 0) result.leaves.push_back({node.begin, node.rows, node.side, value});
  }
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.left < 0) continue;
    const HistogramSplit& split = node.split;
    if (categories_.has(split.feature)) {
      const auto& codes = categories_.codes[static_cast<std::size_t>(split.feature)];
      std::vector<std::int32_t> go_left;
      for (const std::int32_t bin : node.set)
        go_left.push_back(codes[static_cast<std::size_t>(bin)]);
      result.tree.split_by_category(static_cast<Index>(i), split.feature, go_left, node.left,
                                    node.right, false, node.gain);
      result.binned[i] = {node.left, split.feature, 0, -1, T{0}, put_set(node, result.sets)};
      continue;
    }
    const auto thresholds = cuts_.of(split.feature);
    const auto bin = static_cast<std::size_t>(split.bin);
    // Behind the last bin of known values only missing ones are on the right.
    const T threshold = bin < thresholds.size() ? thresholds[bin] : std::numeric_limits<T>::max();
    result.tree.split(static_cast<Index>(i), split.feature, threshold, node.left, node.right,
                      split.missing_left != 0, node.gain);
    result.binned[i] = {
        node.left,
        split.feature,
        split.bin,
        split.missing_left != 0 ? static_cast<std::int32_t>(cuts_.bins(split.feature)) : -1,
        T{0},
        -1};
  }
  return result;
}

template class BoostedGrowth<float>;
template class BoostedGrowth<double>;

}  // namespace tandem::tree

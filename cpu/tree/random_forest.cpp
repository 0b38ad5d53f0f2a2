// Steps of forests on CPU cores.
//
// A thread grows a tree, whole. The values of every feature are numbered once, by sorting all rows;
// a tree then has a list of its rows, a node a range of it. Of a node's rows only the features that
// it looks at are sorted, by their numbers: with few features a node that is less than keeping an
// order of every feature (cpu/tree/decision_tree.cpp does that for single trees), and the list is
// all that a split has to partition.
//
// The numbers stand twice, by feature for nodes that have a good part of all rows, and by row for
// small ones, whose rows are far apart: all features of a row are then two or three lines of cache.
//
// Bytes moved per row of a node and feature that it looks at: 4 to gather, 8 per pass of the sort
// and for scoring; per row of a node: 4 to 36 to partition.
//
// With bins their numbers, bytes, stand in place of the ranks. A large node adds its rows up by bin
// and makes a key of what a class, or the node, has in a bin; the cuts of these few keys are judged
// as if they were sorted rows. Small nodes sort: a sorting network of up to 128 keys takes less
// time than going over all bins. A sibling's histogram would seldom serve, as it is of other
// features.
#include <algorithm>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "core/tree/random_forest_steps.hpp"
#include "cpu/tree/feature_order.hpp"
#include "cpu/tree/forest_kernels.hpp"
#include "cpu/tree/grow_depth_first.hpp"
#include "cpu/tree/split_scorers.hpp"

namespace tandem::tree {
namespace {

// The rows of a node by one feature: rank · 2^32 + payload.
struct KeyOrder {
  const std::uint64_t* at;
  [[nodiscard]] std::uint32_t rank(Index i) const {
    return static_cast<std::uint32_t>(at[i] >> 32);
  }
  [[nodiscard]] std::uint32_t payload(Index i) const { return static_cast<std::uint32_t>(at[i]); }
};

// What all trees have in common.
template <Real T>
struct NumberedRows {
  TreeData<T> data;
  SplitRules rules;
  std::vector<std::uint32_t> by_feature;  // cols × rows
  std::vector<std::uint32_t> by_row;      // rows × cols
  std::vector<T> values;                  // of feature f from first_value[f] on, ascending
  std::vector<Index> first_value;
  std::vector<std::int64_t> entropy_terms;  // empty: compute them
  // Of a classification: of a payload, the lowest bits are the class; above it is the weight, or,
  // where weights are too large, the row's place in the node.
  int class_bits = 0;
  bool weight_in_payload = false;
  // Whether the ranks are the values' keys (ordered_key), which need not be looked up.
  bool by_key = false;
  // Where by_row is not null, the ranks are numbers of bins, and so are the values.
  BinnedFeatures bins;

  [[nodiscard]] bool binned() const { return bins.by_row != nullptr; }
  // The rank of missing values.
  [[nodiscard]] std::uint32_t missing(Index feature) const {
    return binned() ? bins.known_bins->data()[feature] : missing_rank;
  }
  [[nodiscard]] T value(Index feature, std::uint32_t rank) const {
    if (binned()) return static_cast<T>(rank);
    if constexpr (sizeof(T) == 4) {
      if (by_key) return value_of_key(rank);
    }
    return values[static_cast<std::size_t>(first_value[static_cast<std::size_t>(feature)] + rank)];
  }
  // The greatest rank of a value that is not above the threshold, of the ranks from `least` on and
  // below `greatest`; by key, at least as great.
  [[nodiscard]] std::uint32_t last_rank(Index feature, T threshold, std::uint32_t least,
                                        std::uint32_t greatest) const {
    if constexpr (sizeof(T) == 4) {
      if (by_key) return ordered_key(threshold);
    }
    const T* of_feature = values.data() + first_value[static_cast<std::size_t>(feature)];
    return static_cast<std::uint32_t>(
        std::upper_bound(of_feature + least, of_feature + greatest, threshold) - of_feature - 1);
  }
};

// A tree that is being grown, and its working memory. One thread's.
template <Real T>
class GrowingTree {
 public:
  void prepare(const NumberedRows<T>& rows, const RowDraws& draws) {
    shared_ = &rows;
    row_draws_ = &draws;
    scorer_.prepare(rows.rules);
    if (!rows.binned()) return;
    const auto classes = static_cast<std::size_t>(rows.rules.classes);
    constexpr auto bins = static_cast<std::size_t>(cpu::most_ranks);
    class_weights_.assign(classes * bins, 0);
    bin_weights_.resize(classes > 0 ? 0 : bins);
    bin_sums_.resize(bin_weights_.size());
    bin_rows_.resize(bins);
    rows_of_keys_.resize((classes + 1) * bins);
  }

  void grow(std::uint64_t key, const std::uint32_t* counts, GrownSubtree<T>& tree) {
    take_rows(counts);
    const SplitRules& rules = shared_->rules;
    std::vector<std::int64_t> statistics(static_cast<std::size_t>(rules.width()), 0);
    add_to(statistics.data(), 0, size(), [](Index) { return std::int64_t{1}; });
    const OpenNode root{0, size(), 0, key, statistics.data()};
    if (!may_split(rules, root.rows, 0, root.statistics)) {
      GrownNode<T> leaf;
      leaf.rows = root.rows;
      tree.nodes.assign(1, leaf);
      tree.statistics = std::move(statistics);
      return;
    }
    // Into memory that is kept from tree to tree.
    grow_depth_first<T>(
        rules, root, grown_,
        [&](const OpenNode& node, std::int64_t* left) { return search(node, left); },
        [&](const SplitToApply& split) { partition(split); });
    tree = grown_;
  }

 private:
  [[nodiscard]] Index size() const { return static_cast<Index>(rows_.size()); }
  [[nodiscard]] bool by_place() const { return !shared_->weight_in_payload; }

  void take_rows(const std::uint32_t* counts);
  [[nodiscard]] NodeSplit<T> search(const OpenNode& node, std::int64_t* left_statistics);
  [[nodiscard]] bool of_one_value(const OpenNode& node) const;
  void list_features(const OpenNode& node);
  void look_at(const OpenNode& node, Index feature, const RowData& row_data);
  [[nodiscard]] cpu::RanksOfRows<std::uint32_t> ranks_of(const OpenNode& node, Index feature) const;
  [[nodiscard]] cpu::RanksOfRows<std::uint8_t> bins_of(const OpenNode& node, Index feature) const;
  void gather(const OpenNode& node, Index feature);
  [[nodiscard]] bool adds_up(const OpenNode& node, Index feature) const;
  void add_up(const OpenNode& node, Index feature);
  Index put_cut_in_order(const OpenNode& node, std::uint32_t last_rank);
  [[nodiscard]] Candidate best_cut_of(const CutsOfNode& cuts, const RowData& row_data,
                                      const std::uint64_t* keys);
  void partition(const SplitToApply& split);
  template <class Times>
  void add_to(std::int64_t* statistics, Index begin, Index end, Times&& times) const;
  template <class V>
  void partition(std::vector<V>& values, Index begin, Index rows);

  const NumberedRows<T>* shared_ = nullptr;
  const RowDraws* row_draws_ = nullptr;
  GrownSubtree<T> grown_;
  // Of the tree's rows, in one order; a node is a range.
  std::vector<std::uint32_t> rows_;
  std::vector<std::uint32_t> payloads_;  // of a classification: the class, or with the weight
  std::vector<std::int64_t> weights_;    // where they are not in the payloads and not all 1
  std::vector<std::int64_t> sums_;       // of a regression
  std::vector<std::int64_t> squares_;

  // Of the node in hand.
  struct Gathered {
    std::uint32_t least = 0;
    std::uint32_t greatest = 0;  // of the known ones
    Index known = 0;             // keys of known values
    Index keys = 0;
    bool added_up = false;  // whether keys are of several rows each, and in order
  } gathered_;
  const std::uint32_t* node_payloads_ = nullptr;
  std::vector<std::uint32_t> places_;  // payloads, where they hold the rows' places in the node
  std::vector<std::uint64_t> keys_;
  std::vector<std::uint64_t> other_keys_;
  // By bin: of classes, zeros between calls; of a regression; rows, where these matter; and of
  // keys.
  std::vector<std::uint32_t> class_weights_;
  std::vector<std::int64_t> bin_weights_;
  std::vector<std::int64_t> bin_sums_;
  std::vector<std::uint32_t> bin_rows_;
  std::vector<std::uint32_t> rows_of_keys_;
  std::vector<std::uint64_t> draws_;
  std::vector<std::pair<std::uint64_t, std::int32_t>> features_;  // by draw
  struct Best {
    Candidate candidate;
    std::int32_t feature = -1;
    bool missing = false;          // whether rows miss the feature
    bool from_missing = false;     // whether all known ones go left, and no others
    std::uint32_t last_rank = 0;   // of the known rows on the left
    std::uint32_t first_rank = 0;  // of those on the right
  } best_;
  cpu::RankRange best_range_{};  // of the known rows
  std::vector<std::uint8_t> goes_left_;
  std::vector<std::uint8_t> right_;  // a partition's right side, of any type
  ScorerScratch scorer_;
};

template <Real T>
void GrowingTree<T>::take_rows(const std::uint32_t* counts) {
  const TreeData<T>& data = shared_->data;
  const auto filled = [](const auto* buffer) { return buffer != nullptr && !buffer->empty(); };
  const bool classifies = shared_->rules.classes > 0;
  const std::int64_t* units = filled(data.weights) ? data.weights->data() : nullptr;
  rows_.clear();
  bool all_one = true;
  for (Index i = 0; i < data.rows; ++i) {
    if (counts[i] == 0) continue;
    rows_.push_back(static_cast<std::uint32_t>(i));
    all_one = all_one && counts[i] == 1;
  }
  payloads_.clear();
  weights_.clear();
  sums_.clear();
  squares_.clear();
  const bool balances = row_draws_->balance_bits > 0;
  std::vector<std::int64_t> factors;
  if (balances) {
    std::vector<std::int64_t> drawn(static_cast<std::size_t>(shared_->rules.classes), 0);
    for (const std::uint32_t row : rows_) {
      drawn[static_cast<std::size_t>(data.labels->data()[row])] += counts[row];
    }
    factors = balancing_factors(*row_draws_, drawn);
  }
  const bool weighs = by_place() && (units != nullptr || !all_one || balances);
  for (const std::uint32_t row : rows_) {
    const std::int64_t count = counts[row];
    std::int64_t weight = units != nullptr ? units[row] * count : count;
    if (classifies) {
      const auto label = static_cast<std::uint32_t>(data.labels->data()[row]);
      if (balances) weight *= factors[label];
      payloads_.push_back(
          by_place() ? label : static_cast<std::uint32_t>(weight) << shared_->class_bits | label);
    } else {
      sums_.push_back(data.sums->data()[row] * count);
      squares_.push_back(data.squares->data()[row] * count);
    }
    if (weighs) weights_.push_back(weight);
  }
  const std::size_t most = rows_.size() + 1;
  if (by_place()) places_.resize(most);
  keys_.resize(most + cpu::key_padding);
  other_keys_.resize(most + cpu::key_padding);
  goes_left_.resize(most);
  right_.resize(most * sizeof(std::int64_t));
}

// Adds the rows begin .. end − 1, each as often as times(i) says, 0 or 1.
template <Real T>
template <class Times>
void GrowingTree<T>::add_to(std::int64_t* statistics, Index begin, Index end, Times&& times) const {
  const int class_bits = shared_->class_bits;
  const std::uint32_t mask = (1U << class_bits) - 1;
  if (!by_place()) {
    const std::uint32_t* payloads = payloads_.data();
    for (Index i = begin; i < end; ++i) {
      statistics[payloads[i] & mask] += (payloads[i] >> class_bits) * times(i);
    }
    return;
  }
  for (Index i = begin; i < end; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t count = times(i);
    const std::int64_t weight = weights_.empty() ? count : weights_[at] * count;
    if (shared_->rules.classes > 0) {
      statistics[payloads_[at]] += weight;
    } else {
      statistics[0] += weight;
      statistics[1] += sums_[at] * count;
      statistics[2] += squares_[at] * count;
    }
  }
}

template <Real T>
bool GrowingTree<T>::of_one_value(const OpenNode& node) const {
  const T* target = shared_->data.target->data();
  const std::uint32_t* rows = rows_.data() + node.begin;
  const T first = target[rows[0]];
  for (Index i = 1; i < node.rows; ++i) {
    if (target[rows[i]] != first) return false;
  }
  return true;
}

// All features, in the order in which they are looked at until enough of them vary.
template <Real T>
void GrowingTree<T>::list_features(const OpenNode& node) {
  const Index cols = shared_->data.cols;
  const SplitRules& rules = shared_->rules;
  features_.resize(static_cast<std::size_t>(cols));
  const bool draws = rules.features_per_node < cols;
  if (draws) {
    draws_.resize(static_cast<std::size_t>(cols) + 16);
    cpu::draw_features(rules, node.key, cols, draws_.data());
  }
  for (Index f = 0; f < cols; ++f) {
    features_[static_cast<std::size_t>(f)] = {draws ? draws_[static_cast<std::size_t>(f)] : 0,
                                              static_cast<std::int32_t>(f)};
  }
  if (!draws) return;
  // Mostly the first few are enough.
  const auto first = features_.begin() + rules.features_per_node;
  std::nth_element(features_.begin(), first, features_.end());
}

// The ranks of the node's rows: by feature, or, where they are few of all, by row.
template <Real T>
cpu::RanksOfRows<std::uint32_t> GrowingTree<T>::ranks_of(const OpenNode& node,
                                                         Index feature) const {
  const Index n = shared_->data.rows;
  const Index cols = shared_->data.cols;
  const std::uint32_t* rows = rows_.data() + node.begin;
  if (node.rows * 16 > n) return {shared_->by_feature.data() + feature * n, 1, rows, node.rows};
  return {shared_->by_row.data() + feature, cols, rows, node.rows};
}
template <Real T>
cpu::RanksOfRows<std::uint8_t> GrowingTree<T>::bins_of(const OpenNode& node, Index feature) const {
  const Index n = shared_->data.rows;
  const BinnedFeatures& bins = shared_->bins;
  const std::uint32_t* rows = rows_.data() + node.begin;
  if (node.rows * 16 > n) return {bins.by_column->data() + feature * n, 1, rows, node.rows};
  return {bins.by_row->data() + feature, bins.stride, rows, node.rows};
}

// Whether the node's rows are added up by bin: where sorting them would take longer.
template <Real T>
bool GrowingTree<T>::adds_up(const OpenNode& node, Index feature) const {
  constexpr Index sorted_by_network = 128;
  if (!shared_->binned() || node.rows <= sorted_by_network) return false;
  const Index classes = shared_->rules.classes;
  if (classes == 0) return true;
  const Index bins = static_cast<Index>(shared_->missing(feature)) + 1;
  return shared_->weight_in_payload && bins * classes <= 8 * node.rows;
}

// The keys of what the node has in each bin. Those of a regression are payloads of a bin's number.
template <Real T>
void GrowingTree<T>::add_up(const OpenNode& node, Index feature) {
  const SplitRules& rules = shared_->rules;
  const std::uint32_t known = shared_->missing(feature);
  const Index bins = static_cast<Index>(known) + 1;
  const cpu::RanksOfRows<std::uint8_t> ranks = bins_of(node, feature);
  std::uint32_t* rows = nullptr;
  if (rules.min_samples_leaf > 1) {
    rows = bin_rows_.data();
    std::fill_n(rows, bins, 0U);
  }
  cpu::KeyCount count{0, 0};
  if (rules.classes > 0) {
    const cpu::ClassesByBin to{rules.classes, shared_->class_bits, class_weights_.data(), rows};
    cpu::add_by_bin(ranks, node_payloads_, to);
    count = cpu::take_keys(to, bins, known, keys_.data());
  } else {
    std::fill_n(bin_weights_.data(), bins, 0);
    std::fill_n(bin_sums_.data(), bins, 0);
    cpu::add_by_bin(ranks, weights_.empty() ? nullptr : weights_.data() + node.begin,
                    sums_.data() + node.begin, {bin_weights_.data(), bin_sums_.data(), rows});
    for (Index bin = 0; bin < bins; ++bin) {
      if (bin == static_cast<Index>(known)) count.known = count.keys;
      if (bin_weights_[static_cast<std::size_t>(bin)] == 0) continue;
      keys_[static_cast<std::size_t>(count.keys++)] =
          static_cast<std::uint64_t>(bin) << 32 | static_cast<std::uint64_t>(bin);
    }
  }
  const auto rank = [&](Index i) {
    return static_cast<std::uint32_t>(keys_[static_cast<std::size_t>(i)] >> 32);
  };
  gathered_ = {rank(0), rank(std::max<Index>(count.known, 1) - 1), count.known, count.keys, true};
  if (rows == nullptr) return;
  // A bin's rows stand at the first of its keys.
  for (Index i = 0; i < count.keys; ++i) {
    const bool first = i == 0 || rank(i) != rank(i - 1);
    rows_of_keys_[static_cast<std::size_t>(i)] = first ? rows[rank(i)] : 0;
  }
}

// The keys of the node's rows.
template <Real T>
void GrowingTree<T>::gather(const OpenNode& node, Index feature) {
  if (adds_up(node, feature)) {
    add_up(node, feature);
    return;
  }
  const auto [least, greatest] =
      shared_->binned() ? cpu::gather_keys(bins_of(node, feature), node_payloads_, keys_.data())
                        : cpu::gather_keys(ranks_of(node, feature), node_payloads_, keys_.data());
  gathered_ = {least, greatest, node.rows, node.rows, false};
  const std::uint32_t missing = shared_->missing(feature);
  if (greatest != missing || least == missing) return;
  gathered_.greatest = least;
  gathered_.known = 0;
  for (Index i = 0; i < node.rows; ++i) {
    const auto rank = static_cast<std::uint32_t>(keys_[static_cast<std::size_t>(i)] >> 32);
    if (rank == missing) continue;
    ++gathered_.known;
    gathered_.greatest = std::max(gathered_.greatest, rank);
  }
}

// Puts the keys up to last_rank before the others, and missing ones last; in no order otherwise.
// Returns how many they are. The result is in other_keys_.
template <Real T>
Index GrowingTree<T>::put_cut_in_order(const OpenNode& node, std::uint32_t last_rank) {
  const std::uint64_t* keys = keys_.data();
  std::uint64_t* to = other_keys_.data();
  const std::uint64_t end = (static_cast<std::uint64_t>(last_rank) + 1) << 32;
  const auto place = [&](auto&& belongs, Index at) {
    for (Index i = 0; i < node.rows; ++i) {
      to[at] = keys[i];
      at += belongs(keys[i]) ? 1 : 0;
    }
    return at;
  };
  constexpr std::uint64_t missing = static_cast<std::uint64_t>(missing_rank) << 32;
  const Index left = place([&](std::uint64_t key) { return key < end; }, 0);
  if (gathered_.known == node.rows) {
    place([&](std::uint64_t key) { return key >= end; }, left);
  } else {
    const Index known = place([&](std::uint64_t key) { return key >= end && key < missing; }, left);
    place([&](std::uint64_t key) { return key >= missing; }, known);
  }
  return left;
}

template <Real T>
Candidate GrowingTree<T>::best_cut_of(const CutsOfNode& cuts, const RowData& row_data,
                                      const std::uint64_t* keys) {
  const SplitRules& rules = shared_->rules;
  const bool two_counted = rules.classes == 2 && rules.criterion == TreeCriterion::gini &&
                           shared_->weight_in_payload && cuts.known == cuts.entries &&
                           cuts.only < 0 && cuts.rows_of_entries == nullptr;
  if (!two_counted || cuts.statistics[0] + cuts.statistics[1] > cpu::most_weight_of_two) {
    return best_cut(row_data, cuts, KeyOrder{keys}, scorer_);
  }
  const Index least = rules.min_samples_leaf;
  Candidate best;
  best.known = cpu::best_gini_of_two(keys, least, std::min(cuts.known - 1, cuts.entries - least),
                                     cuts.statistics[0], cuts.statistics[1], 0, 0, best.score);
  return best;
}

// The best cut of a feature that varies, whose keys are gathered; kept where it is the best of the
// node.
template <Real T>
void GrowingTree<T>::look_at(const OpenNode& node, Index feature, const RowData& row_data) {
  const SplitRules& rules = shared_->rules;
  CutsOfNode cuts{gathered_.keys, gathered_.known, node.statistics};
  // A cut that scores as much counts where its feature is the lower one.
  if (best_.candidate.score != no_score) cuts.above = best_.candidate.score - 1;
  std::uint32_t last_rank = gathered_.greatest;
  const std::uint64_t* keys = keys_.data();
  if (gathered_.added_up) {
    if (rules.min_samples_leaf > 1) cuts.rows_of_entries = rows_of_keys_.data();
  } else if (rules.random_thresholds && gathered_.least < gathered_.greatest) {
    const T threshold =
        random_threshold(rules, node.key, feature, shared_->value(feature, gathered_.least),
                         shared_->value(feature, gathered_.greatest));
    last_rank = shared_->last_rank(feature, threshold, gathered_.least, gathered_.greatest);
    cuts.only = put_cut_in_order(node, last_rank);
    keys = other_keys_.data();
  } else {
    if (rules.random_thresholds) cuts.only = gathered_.known;
    // Missing values sort last: by bin they have the number after the known ones'.
    const std::uint32_t greatest =
        shared_->binned() ? shared_->missing(feature) : gathered_.greatest;
    keys = cpu::sort_keys(keys_.data(), other_keys_.data(), node.rows, greatest);
  }
  const KeyOrder order{keys};
  const Candidate candidate = best_cut_of(cuts, row_data, keys);
  if (candidate.score == no_score || candidate.score < best_.candidate.score ||
      (candidate.score == best_.candidate.score && feature > best_.feature)) {
    return;
  }
  std::uint32_t first_rank = missing_rank;
  if (candidate.known < gathered_.known) {
    if (!rules.random_thresholds) last_rank = order.rank(candidate.known - 1);
    first_rank = order.rank(candidate.known);
  }
  const bool missing = gathered_.known < gathered_.keys;
  best_ = {candidate, static_cast<std::int32_t>(feature),
           missing,   candidate.known == gathered_.known,
           last_rank, first_rank};
  if (rules.random_thresholds) best_range_ = {gathered_.least, gathered_.greatest};
}

template <Real T>
NodeSplit<T> GrowingTree<T>::search(const OpenNode& node, std::int64_t* left_statistics) {
  const SplitRules& rules = shared_->rules;
  NodeSplit<T> split;
  if (rules.classes == 0 && of_one_value(node)) return split;
  const auto from = [&](const auto& values) {
    return values.empty() ? nullptr : values.data() + node.begin;
  };
  const int class_bits = shared_->class_bits;
  RowData row_data{&rules,
                   shared_->entropy_terms.empty() ? nullptr : shared_->entropy_terms.data(),
                   nullptr,
                   reinterpret_cast<const std::int32_t*>(from(payloads_)),
                   from(weights_),
                   from(sums_),
                   from(squares_),
                   class_bits,
                   (1U << class_bits) - 1,
                   shared_->weight_in_payload};
  RowData of_bins = row_data;
  of_bins.weights = bin_weights_.data();
  of_bins.sums = bin_sums_.data();
  of_bins.squares = nullptr;
  best_ = {};
  if (by_place()) {
    // The places, above the classes where both fit.
    const bool with_class = rules.classes > 0 && class_bits > 0;
    for (Index i = 0; i < node.rows; ++i) {
      const auto place = static_cast<std::uint32_t>(i);
      places_[static_cast<std::size_t>(i)] =
          with_class ? place << class_bits | payloads_[static_cast<std::size_t>(node.begin + i)]
                     : place;
    }
    node_payloads_ = places_.data();
  } else {
    node_payloads_ = payloads_.data() + node.begin;
  }
  list_features(node);
  Index looked_at = 0;
  for (std::size_t k = 0; k < features_.size() && looked_at < rules.features_per_node; ++k) {
    if (static_cast<Index>(k) == rules.features_per_node) {
      // Some of the first were constant: the next ones in order.
      std::sort(features_.begin() + static_cast<std::ptrdiff_t>(k), features_.end());
    }
    const Index feature = features_[k].second;
    gather(node, feature);
    if (gathered_.least == gathered_.greatest && gathered_.known == gathered_.keys) continue;
    ++looked_at;
    look_at(node, feature, gathered_.added_up && rules.classes == 0 ? of_bins : row_data);
  }
  if (best_.feature < 0) return split;
  const Candidate& candidate = best_.candidate;
  split.feature = best_.feature;
  if (best_.from_missing) {
    split.threshold = std::numeric_limits<T>::max();
  } else if (rules.random_thresholds) {
    split.threshold = random_threshold(rules, node.key, best_.feature,
                                       shared_->value(best_.feature, best_range_.least),
                                       shared_->value(best_.feature, best_range_.greatest));
  } else {
    split.threshold = threshold_between(shared_->value(best_.feature, best_.last_rank),
                                        shared_->value(best_.feature, best_.first_rank));
  }
  // Where missing rows go right, only ranks up to last_rank go left. How many of the left rows are
  // known is not asked for: the rows are sent by these marks.
  const std::uint32_t also =
      candidate.missing_left ? shared_->missing(best_.feature) : best_.last_rank;
  split.left_rows =
      shared_->binned()
          ? cpu::mark_left(bins_of(node, best_.feature), best_.last_rank, also, goes_left_.data())
          : cpu::mark_left(ranks_of(node, best_.feature), best_.last_rank, also, goes_left_.data());
  split.missing_left = best_.missing ? candidate.missing_left : 2 * split.left_rows >= node.rows;
  std::fill_n(left_statistics, rules.width(), 0);
  add_to(left_statistics, node.begin, node.begin + node.rows, [&](Index i) {
    return static_cast<std::int64_t>(goes_left_[static_cast<std::size_t>(i - node.begin)]);
  });
  return split;
}

// Stable. What goes left is written in place behind the reading position.
template <Real T>
template <class V>
void GrowingTree<T>::partition(std::vector<V>& values, Index begin, Index rows) {
  if (values.empty()) return;
  V* left = values.data() + begin;
  const V* from = left;
  V* const rights = reinterpret_cast<V*>(right_.data());
  V* right = rights;
  for (Index i = 0; i < rows; ++i) {
    const V value = from[i];
    const std::size_t goes = goes_left_[static_cast<std::size_t>(i)];
    *left = value;
    *right = value;
    left += goes;
    right += 1 - goes;
  }
  std::copy(rights, right, left);
}

template <Real T>
void GrowingTree<T>::partition(const SplitToApply& split) {
  partition(rows_, split.begin, split.rows);
  partition(payloads_, split.begin, split.rows);
  partition(weights_, split.begin, split.rows);
  partition(sums_, split.begin, split.rows);
  partition(squares_, split.begin, split.rows);
}

template <Real T>
class CpuForest final : public RandomForestSteps<T> {
 public:
  explicit CpuForest(Engine& engine) : threads_(engine.threads()) {}

  void prepare(const TreeData<T>& data, const SplitRules& rules, const RowDraws& draws,
               const BinnedFeatures* bins) override;
  // Enough for every thread, and so many that threads seldom wait for the last one.
  [[nodiscard]] Index trees_at_once() const override {
    return std::clamp<Index>((Index{1} << 22) / std::max<Index>(shared_.data.rows, 1), threads_,
                             16 * static_cast<Index>(threads_));
  }
  void draw(Index first, Index trees, Buffer<std::uint32_t>& counts) override;
  void grow(Index first, const Buffer<std::uint32_t>& counts,
            std::span<GrownSubtree<T>> trees) override;
  void add_out_of_bag(const EnsembleOnEngine<T>& trees, const Buffer<std::uint32_t>& counts,
                      const Buffer<T>& x, Index rows, Buffer<T>& sums,
                      Buffer<std::uint32_t>& votes) override;

 private:
  void number_values();

  int threads_;
  NumberedRows<T> shared_;
  RowDraws draws_;
  std::vector<GrowingTree<T>> growing_;  // one per thread
};

template <Real T>
void CpuForest<T>::number_values() {
  const TreeData<T>& data = shared_.data;
  const Index n = data.rows;
  const Index cols = data.cols;
  shared_.by_feature.resize(static_cast<std::size_t>(n * cols));
  shared_.by_row.resize(static_cast<std::size_t>(n * cols));
  std::vector<std::vector<T>> values(static_cast<std::size_t>(cols));
  // Random thresholds are compared with values, whose numbers nobody needs where their keys are as
  // short.
  shared_.by_key = shared_.rules.random_thresholds && sizeof(T) == 4;
  struct Scratch {
    std::vector<KeyedRow<T>> keyed;
    std::vector<std::uint32_t> counts;
  };
  std::vector<Scratch> scratch(static_cast<std::size_t>(threads_));
  const T* x = data.x->data();
  const auto missing_key = ordered_key(std::numeric_limits<T>::quiet_NaN());
  parallel_for(threads_, cols, [&](Index f) {
    if constexpr (sizeof(T) == 4) {
      if (shared_.by_key) {
        for (Index i = 0; i < n; ++i) {
          shared_.by_feature[static_cast<std::size_t>(f * n + i)] = ordered_key(x[i * cols + f]);
        }
        return;
      }
    }
    Scratch& own = scratch[static_cast<std::size_t>(place_in_team()) % scratch.size()];
    own.keyed.resize(static_cast<std::size_t>(2 * n));
    for (Index i = 0; i < n; ++i) {
      own.keyed[static_cast<std::size_t>(i)] = {ordered_key(x[i * cols + f]),
                                                static_cast<std::uint32_t>(i)};
    }
    const KeyedRow<T>* sorted =
        radix_sort<T>(own.keyed.data(), own.keyed.data() + n, n, own.counts);
    std::vector<T>& distinct = values[static_cast<std::size_t>(f)];
    std::uint32_t* ranks = shared_.by_feature.data() + f * n;
    for (Index i = 0; i < n; ++i) {
      if (sorted[i].key == missing_key) {
        ranks[sorted[i].row] = missing_rank;
        continue;
      }
      if (i == 0 || sorted[i].key != sorted[i - 1].key) {
        distinct.push_back(x[static_cast<Index>(sorted[i].row) * cols + f]);
      }
      ranks[sorted[i].row] = static_cast<std::uint32_t>(distinct.size() - 1);
    }
  });
  shared_.values.clear();
  shared_.first_value.clear();
  for (const std::vector<T>& distinct : values) {
    shared_.first_value.push_back(static_cast<Index>(shared_.values.size()));
    shared_.values.insert(shared_.values.end(), distinct.begin(), distinct.end());
  }
  parallel_pieces(threads_, n, 256, [&](Piece piece) {
    for (Index f = 0; f < cols; ++f) {
      const std::uint32_t* ranks = shared_.by_feature.data() + f * n;
      for (Index i = piece.begin; i < piece.end; ++i) {
        shared_.by_row[static_cast<std::size_t>(i * cols + f)] = ranks[i];
      }
    }
  });
}

template <Real T>
void CpuForest<T>::prepare(const TreeData<T>& data, const SplitRules& rules, const RowDraws& draws,
                           const BinnedFeatures* bins) {
  shared_.data = data;
  shared_.bins = bins != nullptr ? *bins : BinnedFeatures{};
  shared_.rules = rules;
  draws_ = draws;
  shared_.class_bits = 0;
  shared_.weight_in_payload = false;
  if (rules.classes > 0) {
    const auto bits_of = [](std::int64_t value) {
      return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value)));
    };
    const int class_bits = bits_of(std::max(rules.classes, 2) - 1);
    if (class_bits + bits_of(rules.most_weight) <= 32) {
      shared_.weight_in_payload = true;
      shared_.class_bits = class_bits;
    } else if (class_bits + bits_of(data.rows) <= 32) {
      shared_.class_bits = class_bits;
    }
  }
  shared_.entropy_terms.clear();
  const Index longest_table = std::max(8 * data.rows, Index{1} << 16);
  if (rules.criterion == TreeCriterion::entropy && rules.most_weight <= longest_table) {
    shared_.entropy_terms.resize(static_cast<std::size_t>(rules.most_weight + 1));
    parallel_pieces(threads_, rules.most_weight + 1, 4096, [&](Piece piece) {
      for (Index w = piece.begin; w < piece.end; ++w) {
        shared_.entropy_terms[static_cast<std::size_t>(w)] = entropy_term(shared_.rules, w);
      }
    });
  }
  if (!shared_.binned()) number_values();
  growing_ = std::vector<GrowingTree<T>>(static_cast<std::size_t>(threads_));
  for (auto& tree : growing_) tree.prepare(shared_, draws_);
}

template <Real T>
void CpuForest<T>::draw(Index first, Index trees, Buffer<std::uint32_t>& counts) {
  const Index n = draws_.rows;
  parallel_for(threads_, trees, [&](Index t) {
    std::uint32_t* of_tree = counts.data() + t * n;
    if (!draws_.drawn()) {
      std::fill_n(of_tree, n, 1U);
      return;
    }
    std::fill_n(of_tree, n, 0U);
    const RowsOfTree rows(draws_, static_cast<std::uint64_t>(first + t));
    for (Index i = 0; i < draws_.draws; ++i) ++of_tree[rows(i)];
  });
}

template <Real T>
void CpuForest<T>::grow(Index first, const Buffer<std::uint32_t>& counts,
                        std::span<GrownSubtree<T>> trees) {
  parallel_for(threads_, static_cast<Index>(trees.size()), [&](Index t) {
    GrowingTree<T>& own = growing_[static_cast<std::size_t>(place_in_team()) % growing_.size()];
    own.grow(root_key_of(static_cast<std::uint64_t>(first + t)), counts.data() + t * draws_.rows,
             trees[static_cast<std::size_t>(t)]);
  });
}

template <Real T>
void CpuForest<T>::add_out_of_bag(const EnsembleOnEngine<T>& trees,
                                  const Buffer<std::uint32_t>& counts, const Buffer<T>& x,
                                  Index rows, Buffer<T>& sums, Buffer<std::uint32_t>& votes) {
  const PackedNode<T>* nodes = trees.nodes.data();
  parallel_pieces(threads_, rows, 64, [&](Piece piece) {
    for (Index t = 0; t < trees.trees; ++t) {
      const PackedTree& tree = trees.heads.data()[t];
      for (Index i = piece.begin; i < piece.end; ++i) {
        if (counts.data()[t * rows + i] != 0) continue;
        const T* row = x.data() + i * trees.features;
        std::int32_t node = tree.root;
        for (std::int32_t d = 0; d < tree.depth; ++d) {
          const PackedNode<T>& at = nodes[node];
          node = child_of(at, row[at.asks & packed_feature], trees.sets.data());
        }
        const T* leaf = trees.values.data() + nodes[node].payload;
        for (Index k = 0; k < trees.outputs; ++k) sums.data()[i * trees.outputs + k] += leaf[k];
        ++votes.data()[i];
      }
    }
  });
}

}  // namespace

template <Real T>
std::unique_ptr<RandomForestSteps<T>> RandomForestSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuForest<T>>(engine);
}

template std::unique_ptr<RandomForestSteps<float>> RandomForestSteps<float>::make_cpu(Engine&);
template std::unique_ptr<RandomForestSteps<double>> RandomForestSteps<double>::make_cpu(Engine&);

}  // namespace tandem::tree

// The textbook decision tree: every node sorts its rows by every feature and judges each threshold
// by the children's impurity, in double precision.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "core/tree/decision_tree_steps.hpp"
#include "core/tree/grow_by_levels.hpp"

namespace tandem::tree {
namespace {

// Rows on one side of a split.
struct Side {
  double weight = 0;
  std::vector<double> classes;  // classification: weight of each class
  double sum = 0;               // regression: Σ w·(y − mean of the node), and of its square
  double squares = 0;
};

template <Real T>
class ReferenceSteps final : public DecisionTreeSteps<T> {
 public:
  void prepare(const TreeData<T>& data, const SplitRules& rules) override {
    data_ = data;
    rules_ = rules;
    rows_.resize(static_cast<std::size_t>(data.rows));
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i] = static_cast<Index>(i);
  }

  void find_splits(std::span<const OpenNode> nodes, std::span<NodeSplit<T>> splits,
                   std::span<std::int64_t> left_statistics) override {
    const auto width = static_cast<std::size_t>(rules_.width());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      splits[i] = best_split(nodes[i]);
      std::int64_t* left = left_statistics.data() + i * width;
      std::fill_n(left, width, 0);
      if (splits[i].feature < 0) continue;
      for (Index k = 0; k < nodes[i].rows; ++k) {
        const Index row = row_at(nodes[i].begin + k);
        if (goes_left(splits[i], row)) add_to_statistics(row, left);
      }
    }
  }

  void apply_splits(std::span<const SplitToApply> splits) override {
    for (const auto& split : splits) {
      const auto begin = rows_.begin() + split.begin;
      // By value, missing last; the first left_known, and the missing ones if so asked, go left.
      std::vector<Index> ordered(begin, begin + split.rows);
      sort_by(split.feature, ordered);
      std::vector<Index> left;
      std::vector<Index> right;
      for (std::size_t k = 0; k < ordered.size(); ++k) {
        const bool missing = std::isnan(value(ordered[k], split.feature));
        const bool to_left =
            missing ? split.missing_left : static_cast<Index>(k) < split.left_known;
        (to_left ? left : right).push_back(ordered[k]);
      }
      std::sort(left.begin(), left.end());
      std::sort(right.begin(), right.end());
      std::copy(right.begin(), right.end(), std::copy(left.begin(), left.end(), begin));
    }
  }

  [[nodiscard]] Index subtree_rows() const override { return 0; }
  void grow_subtrees(std::span<const OpenNode> nodes,
                     std::span<GrownSubtree<T>> subtrees) override {
    grow_by_levels(*this, rules_, nodes, subtrees);
  }

  void encode_target(const TargetCode& code, const Buffer<T>& target, const Buffer<double>& weights,
                     Buffer<std::int64_t>& sums, Buffer<std::int64_t>& squares) override {
    for (Index i = 0; i < target.size(); ++i) {
      const double w = weights.empty() ? 1.0 : weights.data()[i];
      const double y = static_cast<double>(target.data()[i]) - code.centre;
      sums.data()[i] = std::llrint(w * y * code.sum_scale);
      squares.data()[i] = std::llrint(w * y * y * code.square_scale);
    }
  }

  void find_leaves(const TreeOnEngine<T>& nodes, const Buffer<T>& x, Index rows, Index cols,
                   Buffer<std::int64_t>& leaf) override {
    for (Index i = 0; i < rows; ++i) {
      std::int64_t node = 0;
      while (nodes.right.data()[node] != 0) {
        const T v = x.data()[i * cols + nodes.feature.data()[node]];
        const bool left = std::isnan(v) ? nodes.missing_left.data()[node] != 0
                                        : v <= nodes.threshold.data()[node];
        node = left ? node + 1 : nodes.right.data()[node];
      }
      leaf.data()[i] = node;
    }
  }

 private:
  [[nodiscard]] Index row_at(Index i) const { return rows_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] T value(Index row, Index feature) const {
    return data_.x->data()[row * data_.cols + feature];
  }
  [[nodiscard]] std::int64_t units(Index row) const {
    return data_.weights->empty() ? 1 : data_.weights->data()[row];
  }
  [[nodiscard]] double weight(Index row) const {
    return static_cast<double>(units(row)) * rules_.weight_unit;
  }
  [[nodiscard]] bool goes_left(const NodeSplit<T>& split, Index row) const {
    const T v = value(row, split.feature);
    return std::isnan(v) ? split.missing_left : v <= split.threshold;
  }

  void add_to_statistics(Index row, std::int64_t* statistics) const {
    if (rules_.classes > 0) {
      statistics[data_.labels->data()[row]] += units(row);
    } else {
      statistics[0] += units(row);
      statistics[1] += data_.sums->data()[row];
      statistics[2] += data_.squares->data()[row];
    }
  }

  void sort_by(Index feature, std::vector<Index>& rows) const {
    std::stable_sort(rows.begin(), rows.end(), [&](Index a, Index b) {
      const T va = value(a, feature);
      const T vb = value(b, feature);
      return std::isnan(vb) ? !std::isnan(va) : va < vb;
    });
  }

  void add(Side& side, Index row, double mean, double sign) const {
    const double w = sign * weight(row);
    side.weight += w;
    if (rules_.classes > 0) {
      side.classes[static_cast<std::size_t>(data_.labels->data()[row])] += w;
    } else {
      const double y = static_cast<double>(data_.target->data()[row]) - mean;
      side.sum += w * y;
      side.squares += w * y * y;
    }
  }

  // Weight times impurity.
  [[nodiscard]] double weighted_impurity(const Side& side) const {
    if (side.weight <= 0) return 0;
    if (rules_.classes == 0) return side.squares - side.sum * side.sum / side.weight;
    double total = 0;
    for (const double class_weight : side.classes) {
      if (class_weight <= 0) continue;
      const double share = class_weight / side.weight;
      total += rules_.criterion == TreeCriterion::entropy ? -share * std::log2(share)
                                                          : share * (1 - share);
    }
    return side.weight * total;
  }

  // The features to look at: those that vary in the node, or the features_per_node of them with
  // the smallest draws.
  [[nodiscard]] std::vector<Index> features_of(const OpenNode& node) const {
    std::vector<std::pair<std::uint64_t, Index>> draws;
    for (Index f = 0; f < data_.cols; ++f) {
      const T first = value(row_at(node.begin), f);
      bool varies = false;
      for (Index k = 1; k < node.rows; ++k) {
        const T v = value(row_at(node.begin + k), f);
        varies = varies || (std::isnan(v) != std::isnan(first)) || v < first || v > first;
      }
      if (varies) draws.emplace_back(feature_draw(rules_, node.key, f), f);
    }
    std::sort(draws.begin(), draws.end());
    std::vector<Index> features;
    for (const auto& draw : draws) {
      if (static_cast<Index>(features.size()) < rules_.features_per_node) {
        features.push_back(draw.second);
      }
    }
    std::sort(features.begin(), features.end());
    return features;
  }

  // Impurities this near are equal, by this part of the node's: sums in different orders differ so.
  static constexpr double equal_within = 0x1p-44;

  [[nodiscard]] NodeSplit<T> best_split(const OpenNode& node) const {
    NodeSplit<T> best;
    double least = std::numeric_limits<double>::infinity();
    struct Judged {
      double impurity;
      NodeSplit<T> split;
    };
    std::vector<Judged> judged;  // the best so far, and what may be equal to them
    std::vector<Index> rows(rows_.begin() + node.begin, rows_.begin() + node.begin + node.rows);
    double mean = 0;
    if (rules_.classes == 0) {
      double total = 0;
      bool one_value = true;
      for (const Index row : rows) {
        const T y = data_.target->data()[row];
        one_value = one_value && y == data_.target->data()[rows.front()];
        mean += weight(row) * static_cast<double>(y);
        total += weight(row);
      }
      if (one_value) return best;
      mean /= total;
    }
    Side all;
    all.classes.resize(static_cast<std::size_t>(rules_.classes));
    for (const Index row : rows) add(all, row, mean, 1);
    const double slack = equal_within * weighted_impurity(all);
    for (const Index feature : features_of(node)) {
      sort_by(feature, rows);
      const auto known = static_cast<std::size_t>(
          std::find_if(rows.begin(), rows.end(),
                       [&](Index row) { return std::isnan(value(row, feature)); }) -
          rows.begin());
      const std::size_t missing = rows.size() - known;
      // Of random thresholds the one there is, and how many known rows are not above it; all of
      // them where they have one value.
      T drawn = std::numeric_limits<T>::max();
      std::size_t only = known;
      if (rules_.random_thresholds && value(rows[0], feature) < value(rows[known - 1], feature)) {
        drawn = random_threshold(rules_, node.key, feature, value(rows[0], feature),
                                 value(rows[known - 1], feature));
        only = 0;
        while (value(rows[only], feature) <= drawn) ++only;
      }
      // A cut after k known rows; all known against all missing counts as missing to the right.
      for (const bool missing_left : {true, false}) {
        if (missing_left && missing == 0) continue;
        Side left;
        Side right;
        left.classes.resize(static_cast<std::size_t>(rules_.classes));
        right.classes.resize(static_cast<std::size_t>(rules_.classes));
        for (std::size_t k = 0; k < rows.size(); ++k) {
          add(missing_left && k >= known ? left : right, rows[k], mean, 1);
        }
        for (std::size_t k = 1; k <= known; ++k) {
          add(left, rows[k - 1], mean, 1);
          add(right, rows[k - 1], mean, -1);
          if (rules_.random_thresholds && k != only) continue;
          const bool all_known = k == known;
          if (all_known && (missing == 0 || missing_left)) continue;
          if (!all_known && value(rows[k - 1], feature) == value(rows[k], feature)) continue;
          const Index left_rows = static_cast<Index>(k + (missing_left ? missing : 0));
          if (left_rows < rules_.min_samples_leaf ||
              node.rows - left_rows < rules_.min_samples_leaf) {
            continue;
          }
          NodeSplit<T> split;
          split.feature = static_cast<std::int32_t>(feature);
          split.threshold =
              all_known ? std::numeric_limits<T>::max()
              : rules_.random_thresholds
                  ? drawn
                  : threshold_between(value(rows[k - 1], feature), value(rows[k], feature));
          split.left_known = static_cast<Index>(k);
          split.left_rows = left_rows;
          split.missing_left = missing > 0 ? missing_left : 2 * left_rows >= node.rows;
          const double impurity = weighted_impurity(left) + weighted_impurity(right);
          if (impurity > least + slack) continue;
          least = std::min(least, impurity);
          judged.push_back({impurity, split});
        }
      }
    }
    // The lowest feature, then the lowest threshold, then missing values to the left.
    std::optional<std::tuple<std::int32_t, Index, bool>> first;
    for (const Judged& candidate : judged) {
      if (candidate.impurity > least + slack) continue;
      const NodeSplit<T>& split = candidate.split;
      const std::tuple order{split.feature, split.left_known, !split.missing_left};
      if (first.has_value() && *first <= order) continue;
      first = order;
      best = split;
    }
    return best;
  }

  TreeData<T> data_;
  SplitRules rules_;
  std::vector<Index> rows_;
};

}  // namespace

template <Real T>
std::unique_ptr<DecisionTreeSteps<T>> DecisionTreeSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceSteps<T>>();
}

template std::unique_ptr<DecisionTreeSteps<float>> DecisionTreeSteps<float>::make_reference(
    Engine&);
template std::unique_ptr<DecisionTreeSteps<double>> DecisionTreeSteps<double>::make_reference(
    Engine&);

}  // namespace tandem::tree

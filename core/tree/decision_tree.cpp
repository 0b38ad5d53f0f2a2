#include "tandem/tree/decision_tree.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "core/tree/split_gain.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {
namespace tree {
namespace {

constexpr std::int32_t most_classes = 1024;
constexpr Index most_rows = (Index{1} << 31) - 1;

// --- options -------------------------------------------------------------------------------------

TreeCriterion resolve_criterion(TreeCriterion criterion, Task task) {
  const bool classifies = task == Task::classification;
  if (criterion == TreeCriterion::automatic) {
    return classifies ? TreeCriterion::gini : TreeCriterion::squared_error;
  }
  const bool of_classes = criterion != TreeCriterion::squared_error;
  if (of_classes == classifies) return criterion;
  const std::string name = option("criterion") + " " + std::string(to_string(criterion));
  if (of_classes) {
    throw InputError(name +
                     " is for classification, and the target is a number to be regressed; "
                     "use " +
                     option("criterion") + " squared-error or " + option("task") +
                     " classification");
  }
  throw InputError(name + " is for regression, and the target is a class; use " +
                   option("criterion") + " gini or entropy, or " + option("task") + " regression");
}

// --- the training set in integers ----------------------------------------------------------------

// The least exponent e for which value · 2^e is whole. Requires: value finite and not 0.
int exact_exponent(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
  return 53 - exponent - std::countr_zero(mantissa);
}

// Fixed point for sums of these values: whole where they are multiples of one power of two and
// their sum allows it, so that weights 1 and 2 mean one row and two rows exactly.
FixedPoint fixed_point_for(const std::vector<double>& values) {
  double largest = 0;
  int exact = std::numeric_limits<int>::min();
  for (const double value : values) {
    if (value == 0) continue;
    largest = std::max(largest, std::fabs(value));
    exact = std::max(exact, exact_exponent(value));
  }
  if (largest == 0) return {};
  // Twice the count: the difference of two sums fits as well.
  FixedPoint scale = FixedPoint::for_sum(2 * static_cast<Index>(values.size()), largest);
  // 1000: the unit 2^-exponent stays a normal number.
  scale.exponent = std::min({scale.exponent, exact, 1000});
  return scale;
}

std::vector<std::int64_t> encode_all(const FixedPoint& scale, const std::vector<double>& values) {
  std::vector<std::int64_t> encoded(values.size());
  std::transform(values.begin(), values.end(), encoded.begin(),
                 [&](double value) { return scale.encode(value); });
  return encoded;
}

// What the driver trains on: rows of weight 0 left out, statistics in integers.
template <Real T>
struct TrainingRows {
  Task task = Task::classification;
  std::vector<std::string> classes;
  Index rows = 0;
  const T* x = nullptr;
  std::vector<T> selected_x;  // where rows were left out
  std::vector<std::int32_t> labels;
  std::vector<T> target;
  std::vector<std::int64_t> weights;  // empty where all are one unit
  std::vector<std::int64_t> sums;
  std::vector<std::int64_t> squares;
  double centre = 0;  // what was taken off the target
  SplitRules rules;
  std::vector<std::int64_t> statistics;  // of the root
};

template <Real T>
std::vector<double> row_weights(const DatasetView<T>& data, const DecisionTreeOptions& options,
                                const Classes& classes, bool classifies) {
  std::vector<double> weights(static_cast<std::size_t>(data.rows()), 1.0);
  for (std::size_t i = 0; i < data.weights.size(); ++i) {
    weights[i] = static_cast<double>(data.weights[i]);
    if (!(weights[i] >= 0) || !std::isfinite(weights[i])) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the sample weight must be a finite number, 0 or more");
    }
  }
  if (options.class_weight.rule == ClassWeights::Rule::none) return weights;
  if (!classifies) {
    throw InputError(option("class_weight") +
                     " is for classification, and this tree regresses; use none");
  }
  const std::vector<double> by_class = options.class_weight.of(classes.names, classes.labels);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    weights[i] *= by_class[static_cast<std::size_t>(classes.labels[i])];
  }
  return weights;
}

// Fills centre, sums, squares and their units. Requires: weights of the rows kept, all > 0.
template <Real T>
void encode_target(TrainingRows<T>& training, const std::vector<double>& weights,
                   const std::string& source) {
  const auto n = static_cast<Index>(training.target.size());
  const auto y = [&](Index i) {
    return static_cast<double>(training.target[static_cast<std::size_t>(i)]);
  };
  const auto w = [&](Index i) { return weights[static_cast<std::size_t>(i)]; };
  const double mean = long_sum(n, [&](Index i) { return w(i) * y(i); }) / long_sum(n, w);
  double largest = 0;
  for (Index i = 0; i < n; ++i) largest = std::max(largest, std::fabs(y(i) - mean));
  if (largest > 0 && std::isfinite(largest)) {
    // The centre on a coarse grid, so that targets that are multiples of a power of two stay so.
    int exponent = 0;
    (void)std::frexp(largest, &exponent);
    training.centre = std::ldexp(std::nearbyint(std::ldexp(mean, 24 - exponent)), exponent - 24);
  } else {
    training.centre = mean;
  }
  std::vector<double> sums(training.target.size());
  std::vector<double> squares(training.target.size());
  bool finite = std::isfinite(mean) && std::isfinite(training.centre);
  for (Index i = 0; i < n; ++i) {
    const double from_centre = y(i) - training.centre;
    sums[static_cast<std::size_t>(i)] = w(i) * from_centre;
    squares[static_cast<std::size_t>(i)] = w(i) * from_centre * from_centre;
    finite = finite && std::isfinite(squares[static_cast<std::size_t>(i)]);
  }
  if (!finite) {
    throw InputError(source +
                     ": the squares of the target's values exceed the range of double precision; "
                     "divide the target by a constant");
  }
  const FixedPoint sum_scale = fixed_point_for(sums);
  const FixedPoint square_scale = fixed_point_for(squares);
  training.sums = encode_all(sum_scale, sums);
  training.squares = encode_all(square_scale, squares);
  training.rules.sum_unit = std::ldexp(1.0, -sum_scale.exponent);
  training.rules.square_unit = std::ldexp(1.0, -square_scale.exponent);
}

template <Real T>
TrainingRows<T> prepare_rows(const DatasetView<T>& data, const DecisionTreeOptions& options) {
  TrainingRows<T> training;
  if (data.rows() == 0) throw InputError(data.source + ": has no rows to train on");
  if (data.cols() == 0) throw InputError(data.source + ": has no feature columns to train on");
  if (data.rows() > most_rows) {
    throw InputError(data.source + ": " + std::to_string(data.rows()) +
                     " rows; a decision tree takes at most " + std::to_string(most_rows));
  }
  training.task = options.task_for(data);
  const bool classifies = training.task == Task::classification;
  require_finite(data, true, true);
  Classes classes;
  if (classifies) {
    classes = encode_classes(data);
    if (classes.names.size() > static_cast<std::size_t>(most_classes)) {
      throw InputError(data.source + ": the target " + data.target_column().name + " has " +
                       std::to_string(classes.names.size()) +
                       " classes; a decision tree takes at most " + std::to_string(most_classes) +
                       ": is it an identifier, or a number for " + option("task") + " regression?");
    }
  }
  const std::vector<double> all_weights = row_weights(data, options, classes, classifies);
  const FixedPoint weight_scale = fixed_point_for(all_weights);
  const std::vector<std::int64_t> all_units = encode_all(weight_scale, all_weights);

  std::vector<Index> kept;
  for (Index i = 0; i < data.rows(); ++i) {
    if (all_units[static_cast<std::size_t>(i)] > 0) kept.push_back(i);
  }
  if (kept.empty()) throw InputError(data.source + ": every row has weight 0");
  training.rows = static_cast<Index>(kept.size());
  training.x = data.features.data;
  if (training.rows < data.rows() || !data.features.contiguous()) {
    training.selected_x.reserve(kept.size() * static_cast<std::size_t>(data.cols()));
    for (const Index row : kept) {
      const auto from = data.features.row(row);
      training.selected_x.insert(training.selected_x.end(), from.begin(), from.end());
    }
    training.x = training.selected_x.data();
  }
  std::vector<double> weights;
  SplitRules& rules = training.rules;
  for (const Index row : kept) {
    const auto at = static_cast<std::size_t>(row);
    weights.push_back(all_weights[at]);
    training.weights.push_back(all_units[at]);
    rules.total_weight += all_units[at];
    if (classifies)
      training.labels.push_back(classes.labels[at]);
    else
      training.target.push_back(data.target[at]);
  }
  rules.criterion = resolve_criterion(options.criterion, training.task);
  rules.classes = static_cast<std::int32_t>(classes.names.size());
  rules.weight_unit = std::ldexp(1.0, -weight_scale.exponent);
  if (classifies) {
    training.statistics.assign(classes.names.size(), 0);
    for (std::size_t i = 0; i < kept.size(); ++i) {
      training.statistics[static_cast<std::size_t>(training.labels[i])] += training.weights[i];
    }
    rules.entropy_scale = entropy_scale_for(
        static_cast<double>(rules.total_weight) * rules.weight_unit, rules.classes);
    training.classes = std::move(classes.names);
  } else {
    encode_target(training, weights, data.source);
    training.statistics = {
        rules.total_weight,
        std::accumulate(training.sums.begin(), training.sums.end(), std::int64_t{0}),
        std::accumulate(training.squares.begin(), training.squares.end(), std::int64_t{0})};
  }
  if (std::all_of(training.weights.begin(), training.weights.end(),
                  [](std::int64_t units) { return units == 1; })) {
    training.weights.clear();
  }
  rules.max_depth = options.max_depth;
  rules.min_samples_split = options.min_samples_split;
  rules.min_samples_leaf = options.min_samples_leaf;
  rules.min_impurity_decrease = options.min_impurity_decrease;
  rules.features_per_node = options.max_features.of(data.cols());
  rules.seed = options.seed;
  return training;
}

// --- growing -------------------------------------------------------------------------------------

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
  // Of nodes made level by level; begin is −1 elsewhere.
  Index begin = -1;
  Index left_known = 0;
  Index left_rows = 0;
  std::uint64_t key = root_key;
};

// The growing tree, and what is left to do.
template <Real T>
class Growth {
 public:
  Growth(DecisionTreeSteps<T>& steps, const TrainingRows<T>& training, Index cols)
      : steps_(steps),
        training_(training),
        rules_(training.rules),
        width_(rules_.width()),
        cols_(cols) {
    BuiltNode<T> root;
    root.rows = training.rows;
    root.begin = 0;
    nodes_.push_back(root);
    statistics_ = training.statistics;
    enlist(0);
  }

  void grow(RunControl& control) {
    if (const Archive* state = control.resume_state()) restore(*state);
    while (!level_.empty()) {
      split_level();
      ++levels_;
      end_iteration(control, Progress{"level", levels_, 0, {}, 0}, [&] { return state_of(); });
    }
    while (subtrees_done_ < static_cast<Index>(subtrees_.size())) {
      grow_some_subtrees();
      end_iteration(
          control, Progress{"subtree", subtrees_done_, static_cast<Index>(subtrees_.size()), {}, 0},
          [&] { return state_of(); });
    }
  }

  [[nodiscard]] const std::vector<BuiltNode<T>>& nodes() const { return nodes_; }
  [[nodiscard]] const std::int64_t* statistics(Index node) const {
    return statistics_.data() + node * width_;
  }

 private:
  BuiltNode<T>& node(Index i) { return nodes_[static_cast<std::size_t>(i)]; }

  [[nodiscard]] bool may_split_node(Index i) {
    return may_split(rules_, node(i).rows, node(i).depth, statistics(i));
  }

  void enlist(Index i) {
    if (!may_split_node(i)) return;
    (node(i).rows <= steps_.subtree_rows() ? subtrees_ : level_).push_back(i);
  }

  [[nodiscard]] std::vector<OpenNode> open_nodes(std::span<const Index> indices) {
    std::vector<OpenNode> open;
    for (const Index i : indices) {
      const BuiltNode<T>& built = node(i);
      open.push_back({built.begin, built.rows, built.depth, built.key, statistics(i)});
    }
    return open;
  }

  [[nodiscard]] SplitToApply split_to_apply(Index i) {
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
  void split_level() {
    const std::vector<Index> level = std::exchange(level_, {});
    std::vector<NodeSplit<T>> splits(level.size());
    std::vector<std::int64_t> left(level.size() * static_cast<std::size_t>(width_));
    steps_.find_splits(open_nodes(level), splits, left);
    std::vector<SplitToApply> apply;
    for (std::size_t k = 0; k < level.size(); ++k) {
      if (make_children(level[k], splits[k], left.data() + k * static_cast<std::size_t>(width_))) {
        apply.push_back(split_to_apply(level[k]));
      }
    }
    steps_.apply_splits(apply);
  }

  // False where the node stays a leaf.
  bool make_children(Index parent, const NodeSplit<T>& split, const std::int64_t* left) {
    if (split.feature < 0) return false;
    std::vector<std::int64_t> right(static_cast<std::size_t>(width_));
    for (Index k = 0; k < width_; ++k) {
      right[static_cast<std::size_t>(k)] = statistics(parent)[k] - left[k];
    }
    if (rules_.min_impurity_decrease > 0 &&
        impurity_decrease(rules_, statistics(parent), left, right.data()) <
            rules_.min_impurity_decrease) {
      return false;
    }
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
  void grow_some_subtrees() {
    constexpr Index batch_cells = Index{1} << 23;
    Index cells = 0;
    auto end = static_cast<std::size_t>(subtrees_done_);
    const auto begin = end;
    while (end < subtrees_.size() && cells < batch_cells)
      cells += node(subtrees_[end++]).rows * cols_;
    const std::span<const Index> batch(subtrees_.data() + begin, end - begin);
    std::vector<GrownSubtree<T>> grown(batch.size());
    steps_.grow_subtrees(open_nodes(batch), grown);
    for (std::size_t k = 0; k < batch.size(); ++k) append(batch[k], grown[k]);
    subtrees_done_ = static_cast<Index>(end);
  }

  // Puts a subtree under the node that is its root.
  void append(Index root, const GrownSubtree<T>& subtree) {
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

  [[nodiscard]] Archive state_of() const {
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
                     {built.left, built.right, built.rows, built.depth, built.begin,
                      built.left_known, built.left_rows, std::bit_cast<std::int64_t>(built.key)});
    }
    state.set_tensor("feature", std::move(feature));
    state.set_tensor("threshold", std::move(threshold));
    state.set_tensor("missing_left", std::move(missing_left));
    state.set_tensor("numbers", std::move(numbers), {static_cast<Index>(nodes_.size()), 8});
    return state;
  }

  void restore(const Archive& state) {
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
  [[nodiscard]] bool fits_the_rows() {
    struct Seen {
      Index rows = 0;
      Index left_known = 0;
    };
    std::vector<Seen> seen(nodes_.size());
    std::vector<std::int64_t> statistics(statistics_.size(), 0);
    for (Index row = 0; row < training_.rows; ++row) {
      const auto at = static_cast<std::size_t>(row);
      const std::int64_t weight = training_.weights.empty() ? 1 : training_.weights[at];
      for (Index i = 0;;) {
        const BuiltNode<T>& built = node(i);
        Seen& of_node = seen[static_cast<std::size_t>(i)];
        ++of_node.rows;
        std::int64_t* sums = statistics.data() + i * width_;
        if (rules_.classes > 0) {
          sums[training_.labels[at]] += weight;
        } else {
          sums[0] += weight;
          sums[1] += training_.sums[at];
          sums[2] += training_.squares[at];
        }
        if (built.begin < 0 || built.feature < 0) break;
        const T value = training_.x[row * cols_ + built.feature];
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
  void reapply() {
    std::vector<SplitToApply> apply;
    Index depth = 0;
    for (Index i = 0; i < static_cast<Index>(nodes_.size()); ++i) {
      if (node(i).begin < 0 || node(i).feature < 0) continue;
      if (node(i).depth != depth) {
        steps_.apply_splits(apply);
        apply.clear();
        depth = node(i).depth;
      }
      apply.push_back(split_to_apply(i));
    }
    steps_.apply_splits(apply);
  }

  DecisionTreeSteps<T>& steps_;
  const TrainingRows<T>& training_;
  const SplitRules& rules_;
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

std::string why_it_stopped(const DecisionTreeOptions& options, Index nodes, bool all_pure,
                           bool at_max_depth) {
  if (nodes == 1 && all_pure) return "the target has a single value";
  if (all_pure) return "every leaf is pure";
  if (at_max_depth) return "max-depth was reached";
  const bool limited = options.min_samples_split > 2 || options.min_samples_leaf > 1 ||
                       options.min_impurity_decrease > 0;
  if (limited) return "no leaf can be split within the options";
  if (nodes == 1) return "every feature is constant";
  return "rows that still differ in target are equal in every feature";
}

}  // namespace
}  // namespace tree

using namespace tree;  // NOLINT(google-build-using-namespace): the file's own parts

void DecisionTreeOptions::visit(OptionVisitor& visitor) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  visitor.choice("task", task,
                 "what to predict; auto classifies texts and whole numbers of at most 20 values");
  visitor.choice("criterion", criterion,
                 "impurity that splits lower; auto is gini or squared-error, by task");
  visitor.integer("max_depth", max_depth, "most splits between the root and a leaf; 0 is no limit",
                  0, no_limit);
  visitor.integer("min_samples_split", min_samples_split, "fewest rows that a node is split with",
                  2, no_limit);
  visitor.integer("min_samples_leaf", min_samples_leaf, "fewest rows of a leaf", 1, no_limit);
  visitor.real("min_impurity_decrease", min_impurity_decrease,
               "least decrease of the whole tree's impurity that is worth a split", 0,
               std::numeric_limits<double>::max());
  visitor.written(
      "max_features", max_features,
      "features looked at per node: all, sqrt, log2, a count, or a fraction such as 0.3",
      "all|sqrt|N");
  visitor.written("class_weight", class_weight,
                  "none, balanced, or weights by class such as yes=2,no=1", "TEXT");
  visitor.seed(seed);
}

void DecisionTreeOptions::check() const {
  if (task == TaskChoice::automatic) return;
  (void)tree::resolve_criterion(
      criterion, task == TaskChoice::classification ? Task::classification : Task::regression);
}

template <Real T>
Task DecisionTreeOptions::task_for(const DatasetView<T>& data) const {
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
  if (task == TaskChoice::classification) return Task::classification;
  if (task == TaskChoice::regression) {
    require_numeric_target(data);
    return Task::regression;
  }
  if (data.target_column().categorical()) return Task::classification;
  if (criterion == TreeCriterion::squared_error) return Task::regression;
  if (criterion != TreeCriterion::automatic) return Task::classification;
  return task_of_target(data);
}

template <Real T>
DecisionTreeModel<T> fit(Engine& engine, const DatasetView<T>& data,
                         const DecisionTreeOptions& options,
                         const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const DatasetView<T>& train = setting.data();
  RunControl& control = setting.control();
  require_dense(train, "a decision tree");
  check_options(options);
  const TrainingRows<T> training = prepare_rows(train, options);
  const SplitRules& rules = training.rules;

  // One upload.
  Buffer<T> x(engine, training.rows * train.cols(), Placement::rows);
  x.upload({training.x, static_cast<std::size_t>(x.size())});
  const auto labels = to_engine(engine, training.labels);
  const auto target = to_engine(engine, training.target);
  const auto weights = to_engine(engine, training.weights);
  const auto sums = to_engine(engine, training.sums);
  const auto squares = to_engine(engine, training.squares);
  const auto steps = make_steps<DecisionTreeSteps, T>(engine);
  steps->prepare({training.rows, train.cols(), &x, &labels, &target, &weights, &sums, &squares},
                 rules);

  Growth<T> growth(*steps, training, train.cols());
  growth.grow(control);

  // Number the nodes depth first and read their statistics as numbers.
  const auto& built = growth.nodes();
  const std::vector<Index> order = depth_first(built);
  std::vector<Index> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    position[static_cast<std::size_t>(order[i])] = static_cast<Index>(i);
  }
  DecisionTreeModel<T> model;
  model.task_ = training.task;
  model.criterion_ = rules.criterion;
  model.features_ = train.cols();
  model.classes_ = training.classes;
  const Index value_cols = rules.classes > 0 ? rules.classes : 1;
  model.values_ = Matrix<double>(static_cast<Index>(order.size()), value_cols);
  auto& nodes = model.nodes_;
  bool all_pure = true;
  bool at_max_depth = false;
  Index deepest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const BuiltNode<T>& node = built[static_cast<std::size_t>(order[i])];
    const std::int64_t* statistics = growth.statistics(order[i]);
    const bool leaf = node.feature < 0;
    nodes.feature.push_back(node.feature);
    nodes.threshold.push_back(leaf ? T{0} : node.threshold);
    nodes.left.push_back(leaf ? -1 : position[static_cast<std::size_t>(node.left)]);
    nodes.right.push_back(leaf ? -1 : position[static_cast<std::size_t>(node.right)]);
    nodes.missing_left.push_back(!leaf && node.missing_left ? 1 : 0);
    nodes.rows.push_back(node.rows);
    const double weight = static_cast<double>(node_weight(rules, statistics)) * rules.weight_unit;
    nodes.weight.push_back(weight);
    const double node_impurity = node.rows == 1 ? 0.0 : impurity(rules, statistics);
    nodes.impurity.push_back(node_impurity);
    const auto row = static_cast<Index>(i);
    if (rules.classes > 0) {
      for (std::int32_t c = 0; c < rules.classes; ++c) {
        model.values_(row, c) = static_cast<double>(statistics[c]) * rules.weight_unit;
      }
    } else {
      model.values_(row, 0) =
          training.centre + static_cast<double>(statistics[1]) * rules.sum_unit / weight;
    }
    if (leaf && node.rows > 1 && node_impurity > 0) {
      all_pure = false;
      at_max_depth = at_max_depth || (rules.max_depth > 0 && node.depth >= rules.max_depth);
    }
    deepest = std::max(deepest, node.depth);
  }
  auto& nodes_per_level = model.training_.history["nodes"];
  nodes_per_level.assign(static_cast<std::size_t>(deepest) + 1, 0);
  for (const auto& node : built) nodes_per_level[static_cast<std::size_t>(node.depth)] += 1;
  model.training_.iterations = deepest;
  model.training_.converged = true;
  model.training_.stopped_because = why_it_stopped(options, nodes.size(), all_pure, at_max_depth);
  return model;
}

// --- the model -----------------------------------------------------------------------------------

template <Real T>
Index DecisionTreeModel<T>::depth() const {
  std::vector<Index> depth_of(nodes_.feature.size(), 0);
  Index deepest = 0;
  for (std::size_t i = 0; i < depth_of.size(); ++i) {
    deepest = std::max(deepest, depth_of[i]);
    if (nodes_.feature[i] < 0) continue;
    depth_of[static_cast<std::size_t>(nodes_.left[i])] = depth_of[i] + 1;
    depth_of[static_cast<std::size_t>(nodes_.right[i])] = depth_of[i] + 1;
  }
  return deepest;
}

template <Real T>
Index DecisionTreeModel<T>::leaves() const {
  return std::count(nodes_.feature.begin(), nodes_.feature.end(), -1);
}

template <Real T>
std::vector<std::int64_t> DecisionTreeModel<T>::apply(Engine& engine, MatrixView<const T> x) const {
  if (x.cols != features_) {
    throw InputError("the decision tree was trained on " + std::to_string(features_) +
                     " features, and the data has " + std::to_string(x.cols));
  }
  if (x.rows == 0) return {};
  TreeOnEngine<T> on_engine;
  on_engine.feature = to_engine(engine, nodes_.feature);
  on_engine.threshold = to_engine(engine, nodes_.threshold);
  std::vector<std::int64_t> right = nodes_.right;
  for (auto& child : right) child = std::max<std::int64_t>(child, 0);
  on_engine.right = to_engine(engine, right);
  on_engine.missing_left = to_engine(engine, nodes_.missing_left);
  const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
  Buffer<std::int64_t> leaf(engine, x.rows);
  make_steps<DecisionTreeSteps, T>(engine)->find_leaves(on_engine, rows, x.rows, x.cols, leaf);
  return leaf.to_host();
}

template <Real T>
Predictions<T> DecisionTreeModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  const std::vector<std::int64_t> leaf = apply(engine, x);
  Predictions<T> predictions;
  if (task_ == Task::regression) {
    predictions.values.reserve(leaf.size());
    for (const auto node : leaf) predictions.values.push_back(static_cast<T>(values_(node, 0)));
    return predictions;
  }
  const Index count = values_.cols();
  predictions.labels.reserve(leaf.size());
  predictions.probabilities = Matrix<T>(x.rows, count);
  Index i = 0;
  for (const auto node : leaf) {
    const auto weights = values_.row(node);
    predictions.labels.push_back(static_cast<std::int32_t>(
        std::max_element(weights.begin(), weights.end()) - weights.begin()));
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (Index c = 0; c < count; ++c) {
      predictions.probabilities(i, c) =
          static_cast<T>(weights[static_cast<std::size_t>(c)] / total);
    }
    ++i;
  }
  return predictions;
}

template <Real T>
std::vector<double> DecisionTreeModel<T>::importances() const {
  std::vector<double> importances(static_cast<std::size_t>(features_), 0.0);
  for (std::size_t i = 0; i < nodes_.feature.size(); ++i) {
    if (nodes_.feature[i] < 0) continue;
    const auto left = static_cast<std::size_t>(nodes_.left[i]);
    const auto right = static_cast<std::size_t>(nodes_.right[i]);
    const double decrease = nodes_.weight[i] * nodes_.impurity[i] -
                            nodes_.weight[left] * nodes_.impurity[left] -
                            nodes_.weight[right] * nodes_.impurity[right];
    importances[static_cast<std::size_t>(nodes_.feature[i])] += std::max(decrease, 0.0);
  }
  const double total = std::accumulate(importances.begin(), importances.end(), 0.0);
  if (total > 0) {
    for (auto& importance : importances) importance /= total;
  }
  return importances;
}

template <Real T>
void DecisionTreeModel<T>::save(Archive& archive) const {
  archive.set("task", to_string(task_));
  archive.set("criterion", to_string(criterion_));
  archive.set("features", features_);
  archive.set("classes", classes_);
  archive.set_tensor("feature", nodes_.feature);
  archive.set_tensor("threshold", nodes_.threshold);
  archive.set_tensor("left", nodes_.left);
  archive.set_tensor("right", nodes_.right);
  archive.set_tensor("missing_left", nodes_.missing_left);
  archive.set_tensor("rows", nodes_.rows);
  archive.set_tensor("weight", nodes_.weight);
  archive.set_tensor("impurity", nodes_.impurity);
  archive.set_matrix("values", values_);
  training_.save(archive);
}

template <Real T>
DecisionTreeModel<T> DecisionTreeModel<T>::load(const Archive& archive) {
  DecisionTreeModel model;
  const std::string& task = archive.get_string("task");
  if (task == to_string(Task::classification))
    model.task_ = Task::classification;
  else if (task == to_string(Task::regression))
    model.task_ = Task::regression;
  else
    archive.fail("task", "is '" + task + "', expected classification or regression");
  const std::string& criterion = archive.get_string("criterion");
  bool known_criterion = false;
  for (const auto candidate :
       {TreeCriterion::entropy, TreeCriterion::gini, TreeCriterion::squared_error}) {
    const bool for_task =
        (candidate == TreeCriterion::squared_error) == (model.task_ == Task::regression);
    if (criterion != to_string(candidate) || !for_task) continue;
    model.criterion_ = candidate;
    known_criterion = true;
  }
  if (!known_criterion)
    archive.fail("criterion", "is '" + criterion + "', which does not fit " + task);
  model.features_ = archive.get_int("features", 1, std::numeric_limits<std::int32_t>::max());
  model.classes_ = archive.get_strings("classes");
  const auto class_count = static_cast<Index>(model.classes_.size());
  if (model.task_ == Task::classification ? class_count < 1 || class_count > most_classes
                                          : class_count != 0) {
    archive.fail("classes",
                 "has " + std::to_string(class_count) + " names, which does not fit " + task);
  }
  auto& nodes = model.nodes_;
  nodes.feature = archive.get_tensor<std::int32_t>("feature");
  const Index count = nodes.size();
  if (count < 1) archive.fail("feature", "is empty; a tree has at least one node");
  nodes.threshold = archive.get_tensor<T>("threshold", count);
  nodes.left = archive.get_tensor<std::int64_t>("left", count);
  nodes.right = archive.get_tensor<std::int64_t>("right", count);
  nodes.missing_left = archive.get_tensor<std::uint8_t>("missing_left", count);
  nodes.rows = archive.get_tensor<std::int64_t>("rows", count);
  nodes.weight = archive.get_tensor<double>("weight", count);
  nodes.impurity = archive.get_tensor<double>("impurity", count);
  model.values_ = archive.get_matrix<double>("values", count, std::max<Index>(class_count, 1));

  // Depth first, left child next: what remains to be checked is that right children nest.
  // `pending` holds the right children that are yet to come, the nearest last.
  std::vector<std::int64_t> pending;
  const auto bad = [&](std::string_view name, Index node, std::string_view what) {
    archive.fail(name, "node " + std::to_string(node) + " " + std::string(what));
  };
  for (Index i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const bool positive = std::isfinite(nodes.weight[at]) && nodes.weight[at] > 0;
    if (!positive) bad("weight", i, "has no positive finite weight");
    if (nodes.rows[at] < 1) bad("rows", i, "has no rows");
    if (!std::isfinite(nodes.impurity[at]) || nodes.impurity[at] < 0) {
      bad("impurity", i, "has an impurity that is negative or not finite");
    }
    if (nodes.missing_left[at] > 1) bad("missing_left", i, "has a flag other than 0 and 1");
    double total = 0;
    for (const double value : model.values_.row(i)) {
      const bool valid = std::isfinite(value) && (model.task_ == Task::regression || value >= 0);
      if (!valid) bad("values", i, "has a value that is not finite or a negative weight");
      total += value;
    }
    if (model.task_ == Task::classification && !(total > 0 && std::isfinite(total))) {
      bad("values", i, "has classes without weight");
    }
    if (nodes.feature[at] < 0) {
      if (nodes.feature[at] != -1 || nodes.left[at] != -1 || nodes.right[at] != -1) {
        bad("left", i, "is a leaf with children");
      }
      if (pending.empty()) {
        if (i + 1 != count) bad("right", i, "ends the tree before its last node");
      } else {
        if (pending.back() != i + 1) bad("right", i, "is followed by a node of no parent");
        pending.pop_back();
      }
      continue;
    }
    if (nodes.feature[at] >= model.features_)
      bad("feature", i, "splits a feature that is not there");
    if (!std::isfinite(nodes.threshold[at]))
      bad("threshold", i, "has a threshold that is not finite");
    const std::int64_t limit = pending.empty() ? count : pending.back();
    if (nodes.left[at] != i + 1 || nodes.right[at] <= i + 1 || nodes.right[at] >= limit) {
      bad("right", i, "has children out of order");
    }
    pending.push_back(nodes.right[at]);
  }
  if (!pending.empty()) archive.fail("right", "names children that are not there");
  model.training_ = TrainingLog::load(archive);
  return model;
}

// --- the tree on paper ---------------------------------------------------------------------------

namespace tree {
namespace {

template <Real T>
std::string shortest(T value) {
  std::array<char, 64> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), result.ptr};
}

std::string digits(double value, int count) {
  std::array<char, 64> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value,
                                    std::chars_format::general, count);
  return {text.data(), result.ptr};
}

std::string counted(Index count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

template <Real T>
std::string question(const DecisionTreeNodes<T>& nodes, std::size_t node,
                     const std::vector<std::string>& feature_names) {
  const std::string& name = feature_names[static_cast<std::size_t>(nodes.feature[node])];
  if (nodes.threshold[node] == std::numeric_limits<T>::max()) return name + " is known";
  return name + " <= " + shortest(nodes.threshold[node]);
}

// Inside a double-quoted string of Graphviz.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n' || c == '\r')
      result += ' ';
    else
      result += c;
  }
  return result;
}

void check_names(const std::vector<std::string>& names, Index features) {
  if (static_cast<Index>(names.size()) != features) {
    throw InputError(std::to_string(names.size()) + " feature names given for a tree of " +
                     std::to_string(features) + " features");
  }
}

}  // namespace
}  // namespace tree

template <Real T>
std::string DecisionTreeModel<T>::leaf_label(Index node) const {
  if (task_ == Task::regression) return digits(values_(node, 0), 6);
  const auto weights = values_.row(node);
  return classes_[static_cast<std::size_t>(std::max_element(weights.begin(), weights.end()) -
                                           weights.begin())];
}

template <Real T>
std::string DecisionTreeModel<T>::tree_text(const std::vector<std::string>& feature_names,
                                            Index max_depth) const {
  check_names(feature_names, features_);
  // Beyond this depth lines are not indented further, so that a tree as deep as it has rows still
  // prints in linear space.
  constexpr Index deepest_indent = 48;
  struct Line {
    Index node;
    Index depth;
    int side;  // −1: the root, 0: left, 1: right
    std::string prefix;
  };
  std::string text;
  std::vector<Line> stack{{0, 0, -1, ""}};
  while (!stack.empty()) {
    const Line line = std::move(stack.back());
    stack.pop_back();
    const auto at = static_cast<std::size_t>(line.node);
    const bool leaf = nodes_.feature[at] < 0;
    std::string below = line.prefix;
    if (line.side >= 0) {
      text += line.prefix;
      if (line.depth > deepest_indent) text += "[" + std::to_string(line.depth) + "] ";
      text += line.side == 0 ? "├─ yes: " : "└─ no:  ";
      if (line.depth <= deepest_indent) below += line.side == 0 ? "│  " : "   ";
    }
    text += leaf ? leaf_label(line.node) : question(nodes_, at, feature_names);
    text += "  (" + counted(nodes_.rows[at], "row") + ", " + std::string(to_string(criterion_)) +
            " " + digits(nodes_.impurity[at], 4);
    if (!leaf) text += nodes_.missing_left[at] != 0 ? ", missing: yes" : ", missing: no";
    text += ")\n";
    if (leaf) continue;
    if (max_depth > 0 && line.depth >= max_depth) {
      text += below + "└─ ...\n";
      continue;
    }
    stack.push_back({nodes_.right[at], line.depth + 1, 1, below});
    stack.push_back({nodes_.left[at], line.depth + 1, 0, below});
  }
  return text;
}

template <Real T>
std::string DecisionTreeModel<T>::graphviz(const std::vector<std::string>& feature_names,
                                           Index max_depth) const {
  check_names(feature_names, features_);
  std::string text =
      "digraph decision_tree {\n"
      "  node [shape=box, style=\"rounded\", fontname=\"Helvetica\"];\n"
      "  edge [fontname=\"Helvetica\"];\n";
  std::vector<Index> depth_of(nodes_.feature.size(), 0);
  for (std::size_t i = 0; i < nodes_.feature.size(); ++i) {
    if (max_depth > 0 && depth_of[i] > max_depth) continue;
    const auto node = static_cast<Index>(i);
    const std::string id = std::to_string(i);
    const bool leaf = nodes_.feature[i] < 0;
    text += "  " + id + " [label=\"";
    if (!leaf) text += escaped(question(nodes_, i, feature_names)) + "\\n";
    text += std::string(to_string(criterion_)) + " " + digits(nodes_.impurity[i], 4) + "\\n" +
            counted(nodes_.rows[i], "row") + "\\n" + escaped(leaf_label(node)) + "\"";
    if (leaf) text += ", style=\"rounded,filled\", fillcolor=\"#e8eef7\"";
    text += "];\n";
    if (leaf) continue;
    const auto left = static_cast<std::size_t>(nodes_.left[i]);
    const auto right = static_cast<std::size_t>(nodes_.right[i]);
    depth_of[left] = depth_of[i] + 1;
    depth_of[right] = depth_of[i] + 1;
    if (max_depth > 0 && depth_of[left] > max_depth) {
      text += "  " + id + "m [label=\"...\", shape=plaintext];\n  " + id + " -> " + id + "m;\n";
      continue;
    }
    const bool missing_left = nodes_.missing_left[i] != 0;
    text += "  " + id + " -> " + std::to_string(left) + " [label=\"yes" +
            (missing_left ? ", missing" : "") + "\"];\n";
    text += "  " + id + " -> " + std::to_string(right) + " [label=\"no" +
            (missing_left ? "" : ", missing") + "\"];\n";
  }
  return text + "}\n";
}

template <Real T>
std::string DecisionTreeModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  check_names(feature_names, features_);
  constexpr Index printed_depth = 10;
  constexpr std::size_t printed_features = 20;
  std::string text = "decision tree, " + std::string(to_string(task_)) + " by " +
                     std::string(to_string(criterion_)) + ": " + counted(nodes_.size(), "node") +
                     ", " + std::to_string(leaves()) + (leaves() == 1 ? " leaf" : " leaves") +
                     ", depth " + std::to_string(depth()) + "\nstopped because " +
                     training_.stopped_because + "\n";
  const std::vector<double> shares = importances();
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  text += "\nimportances\n";
  for (std::size_t k = 0; k < std::min(order.size(), printed_features); ++k) {
    if (shares[order[k]] == 0) break;
    text += "  " + digits(shares[order[k]], 4) + "  " + feature_names[order[k]] + "\n";
  }
  text += "\n" + tree_text(feature_names, depth() > printed_depth ? printed_depth : 0);
  return text;
}

template <Real T>
nlohmann::json DecisionTreeModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  check_names(feature_names, features_);
  nlohmann::json json;
  json["task"] = to_string(task_);
  json["criterion"] = to_string(criterion_);
  json["depth"] = depth();
  json["leaves"] = leaves();
  json["classes"] = classes_;
  const std::vector<double> shares = importances();
  for (std::size_t f = 0; f < shares.size(); ++f) {
    json["importances"].push_back({{"feature", feature_names[f]}, {"share", shares[f]}});
  }
  auto& list = json["nodes"];
  list = nlohmann::json::array();
  for (std::size_t i = 0; i < nodes_.feature.size(); ++i) {
    nlohmann::json node{
        {"rows", nodes_.rows[i]}, {"weight", nodes_.weight[i]}, {"impurity", nodes_.impurity[i]}};
    const auto value = values_.row(static_cast<Index>(i));
    node["value"] = std::vector<double>(value.begin(), value.end());
    if (nodes_.feature[i] >= 0) {
      node["feature"] = feature_names[static_cast<std::size_t>(nodes_.feature[i])];
      node["threshold"] = nodes_.threshold[i];
      node["left"] = nodes_.left[i];
      node["right"] = nodes_.right[i];
      node["missing"] = nodes_.missing_left[i] != 0 ? "left" : "right";
    }
    list.push_back(std::move(node));
  }
  json["graphviz"] = graphviz(feature_names);
  return json;
}

template class DecisionTreeModel<float>;
template class DecisionTreeModel<double>;
template Task DecisionTreeOptions::task_for(const DatasetView<float>&) const;
template Task DecisionTreeOptions::task_for(const DatasetView<double>&) const;
template DecisionTreeModel<float> fit(Engine&, const DatasetView<float>&,
                                      const DecisionTreeOptions&, const FitContext<float>&);
template DecisionTreeModel<double> fit(Engine&, const DatasetView<double>&,
                                       const DecisionTreeOptions&, const FitContext<double>&);

}  // namespace tandem

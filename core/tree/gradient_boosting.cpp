#include "tandem/tree/gradient_boosting.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "core/tree/boosted_growth.hpp"
#include "core/tree/boosting_loss.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "core/tree/ranking_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/split.hpp"

namespace tandem {
namespace tree {

GradientPacking packing_for(const GradientRange& range, Index rows, bool unit, bool wide) {
  int row_bits = 0;
  while (row_bits < 40 && (Index{1} << row_bits) < rows) ++row_bits;
  // Sums over all rows stay below 2^61; what a word has room for is less.
  const int whole = 61 - row_bits;
  const auto bits_of = [&](int narrow) { return std::min(wide ? 50 : narrow, whole); };
  const auto scale_of = [](double most, int bits) {
    if (!(most > 0)) return 1.0;
    int exponent = 0;
    (void)std::frexp(most, &exponent);  // most < 2^exponent
    return std::ldexp(1.0, std::clamp(bits - exponent, -1000, 1000));
  };
  GradientPacking packing;
  packing.unit = unit;
  packing.wide = wide;
  packing.shift = unit ? 13 : 32;
  const int gradient_bits = bits_of(unit ? 38 : 19);
  packing.gradient_scale = scale_of(range.most_gradient, gradient_bits);
  packing.most_gradient = std::ldexp(1.0, gradient_bits) - 1;
  if (!unit) {
    const int hessian_bits = bits_of(20);
    packing.hessian_scale = scale_of(range.most_hessian, hessian_bits);
    packing.most_hessian = std::ldexp(1.0, hessian_bits) - 1;
  }
  return packing;
}

namespace {

constexpr Index most_rows = (Index{1} << 31) - 1;
// A narrow packing is good enough where gradients are, on average, this many units at least.
constexpr Index least_mean_units = 512;

BoostingLoss loss_kind(BoostingObjective objective) {
  switch (objective) {
    case BoostingObjective::huber: return BoostingLoss::huber;
    case BoostingObjective::logistic: return BoostingLoss::logistic;
    case BoostingObjective::softmax: return BoostingLoss::softmax;
    case BoostingObjective::poisson: return BoostingLoss::poisson;
    case BoostingObjective::gamma: return BoostingLoss::gamma;
    case BoostingObjective::tweedie: return BoostingLoss::tweedie;
    case BoostingObjective::absolute_error: return BoostingLoss::absolute_error;
    case BoostingObjective::quantile: return BoostingLoss::quantile;
    case BoostingObjective::rank_ndcg:
    case BoostingObjective::rank_map:
    case BoostingObjective::rank_pairwise:  // have gradients of their own
    case BoostingObjective::squared_error:
    case BoostingObjective::automatic: break;
  }
  return BoostingLoss::squared_error;
}

bool classifies(BoostingObjective objective) {
  return objective == BoostingObjective::logistic || objective == BoostingObjective::softmax;
}

bool ranks(BoostingObjective objective) {
  return objective == BoostingObjective::rank_ndcg || objective == BoostingObjective::rank_map ||
         objective == BoostingObjective::rank_pairwise;
}

// A set of rows on the host: those of weight > 0.
template <Real T>
struct Rows {
  Index count = 0;
  MatrixView<const T> x;
  Matrix<T> selected;         // where rows were left out
  std::vector<T> target;      // labels as numbers in a classification
  std::vector<T> weights;     // empty: 1 each
  std::vector<T> margin;      // count × outputs, or empty
  std::vector<Index> starts;  // ranking: the first row of each query, and `count`
};

// The unit of weights as whole numbers, whose sum stays below 2^61.
template <Real T>
double weight_scale(const std::vector<T>& weights) {
  if (weights.empty()) return 1;
  int row_bits = 0;
  while ((std::size_t{1} << row_bits) < weights.size()) ++row_bits;
  int exponent = 0;
  (void)std::frexp(static_cast<double>(*std::ranges::max_element(weights)), &exponent);
  return std::ldexp(1.0, std::clamp(60 - row_bits - exponent, -1000, 1000));
}

// The quantile of the target, of the same kind as those of leaves.
template <Real T>
T target_quantile(const Rows<T>& rows, double share) {
  const QuantileRule rule{share, weight_scale(rows.weights)};
  std::vector<std::pair<T, std::int64_t>> sorted;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < rows.target.size(); ++i) {
    const std::int64_t weight =
        rows.weights.empty() ? 1 : whole_weight(rows.weights[i], rule.weight_scale);
    sorted.emplace_back(rows.target[i], weight);
    total += weight;
  }
  std::ranges::sort(sorted);
  const auto reached = [&](std::int64_t needed) {
    std::int64_t sum = 0;
    for (const auto& [value, weight] : sorted) {
      sum += weight;
      if (sum >= needed) return value;
    }
    return sorted.back().first;
  };
  return middle_of(reached(lower_need(rule, total)), reached(upper_need(rule, total)));
}

template <Real T>
void check_target(const DatasetView<T>& data, BoostingObjective objective) {
  for (std::size_t i = 0; ranks(objective) && i < data.target.size(); ++i) {
    const T y = data.target[i];
    const bool map = objective == BoostingObjective::rank_map;
    const int most = map ? 1 : most_relevance;
    if (y >= 0 && y <= static_cast<T>(most) && y == std::floor(y)) continue;
    throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the relevance " +
                     data.target_column().name + " is " + shortest(static_cast<double>(y)) +
                     ", and " + option("objective") + " " + std::string(to_string(objective)) +
                     (map ? " needs 0 or 1" : " needs whole numbers from 0 to 31"));
  }
  for (std::size_t i = 0; !ranks(objective) && i < data.target.size(); ++i) {
    const T y = data.target[i];
    const bool positive = objective == BoostingObjective::gamma;
    const bool counts =
        objective == BoostingObjective::poisson || objective == BoostingObjective::tweedie;
    if ((positive && !(y > 0)) || (counts && !(y >= 0))) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) + ": the target " +
                       data.target_column().name + " is " + shortest(static_cast<double>(y)) +
                       ", and " + option("objective") + " " + std::string(to_string(objective)) +
                       (positive ? " needs values above 0" : " needs values of 0 or more"));
    }
  }
}

// The rows `chosen` (empty: all) of a table, less those of weight 0.
template <Real T>
Rows<T> take_rows(const DatasetView<T>& data, const std::vector<Index>* chosen,
                  const std::vector<std::int32_t>& labels, const std::vector<double>& class_weights,
                  Index outputs, bool ranking) {
  Rows<T> rows;
  std::vector<Index> kept;
  const Index count = chosen != nullptr ? static_cast<Index>(chosen->size()) : data.rows();
  bool weighted = false;
  std::vector<T> weights;
  for (Index k = 0; k < count; ++k) {
    const Index i = chosen != nullptr ? (*chosen)[static_cast<std::size_t>(k)] : k;
    const auto at = static_cast<std::size_t>(i);
    double w = data.weights.empty() ? 1.0 : static_cast<double>(data.weights[at]);
    if (!(w >= 0) || !std::isfinite(w)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the sample weight must be a finite number, 0 or more");
    }
    if (!class_weights.empty()) w *= class_weights[static_cast<std::size_t>(labels[at])];
    const T rounded = static_cast<T>(w);
    if (!std::isfinite(rounded)) {
      throw InputError(data.source + ": row " + std::to_string(i + 1) +
                       ": the weight of the row exceeds the range of its precision");
    }
    if (!(rounded > 0)) continue;
    if (ranking &&
        (kept.empty() || data.groups[at] != data.groups[static_cast<std::size_t>(kept.back())])) {
      rows.starts.push_back(static_cast<Index>(kept.size()));
    }
    kept.push_back(i);
    weights.push_back(rounded);
    weighted = weighted || rounded != T{1};
    rows.target.push_back(labels.empty() ? data.target[at] : static_cast<T>(labels[at]));
    if (!data.base_margin.empty()) {
      const auto from = data.base_margin.begin() + i * outputs;
      rows.margin.insert(rows.margin.end(), from, from + outputs);
    }
  }
  if (kept.empty()) throw InputError(data.source + ": every row has weight 0");
  rows.count = static_cast<Index>(kept.size());
  if (ranking) rows.starts.push_back(rows.count);
  if (weighted) rows.weights = std::move(weights);
  rows.x = data.features;
  if (rows.count < data.rows() || !data.features.contiguous()) {
    rows.selected = Matrix<T>(rows.count, data.cols());
    for (Index k = 0; k < rows.count; ++k) {
      const auto from = data.features.row(kept[static_cast<std::size_t>(k)]);
      std::copy(from.begin(), from.end(), rows.selected.row(k).begin());
    }
    rows.x = std::as_const(rows.selected).view();
  }
  return rows;
}

// The constant scores that a fit starts from: those of the weighted mean, or of the shares of the
// classes.
template <Real T>
std::vector<T> base_scores(const Rows<T>& rows, BoostingObjective objective, Index outputs,
                           double quantile) {
  if (ranks(objective)) return {T{0}};  // only differences of scores count
  if (objective == BoostingObjective::absolute_error) return {target_quantile(rows, 0.5)};
  if (objective == BoostingObjective::quantile) return {target_quantile(rows, quantile)};
  const auto w = [&](Index i) {
    return rows.weights.empty() ? 1.0
                                : static_cast<double>(rows.weights[static_cast<std::size_t>(i)]);
  };
  const auto y = [&](Index i) {
    return static_cast<double>(rows.target[static_cast<std::size_t>(i)]);
  };
  const double weight = long_sum(rows.count, w);
  if (objective == BoostingObjective::softmax) {
    std::vector<T> scores;
    for (Index k = 0; k < outputs; ++k) {
      const double share =
          long_sum(rows.count,
                   [&](Index i) { return y(i) == static_cast<double>(k) ? w(i) : 0.0; }) /
          weight;
      // A class that no row of weight has gets less than any that a row has.
      scores.push_back(static_cast<T>(math::log(std::max(share, 1e-10))));
    }
    return scores;
  }
  const double mean = long_sum(rows.count, [&](Index i) { return w(i) * y(i); }) / weight;
  switch (objective) {
    case BoostingObjective::logistic: {
      const double p = std::clamp(mean, 1e-10, 1 - 1e-10);
      return {static_cast<T>(math::log(p / (1 - p)))};
    }
    case BoostingObjective::poisson:
    case BoostingObjective::gamma:
    case BoostingObjective::tweedie: return {static_cast<T>(math::log(std::max(mean, 1e-30)))};
    default: return {static_cast<T>(mean)};
  }
}

// Validation rows on the engine.
template <Real T>
struct Validation {
  Index rows = 0;
  double weight = 0;
  Buffer<std::uint8_t> by_row;
  Buffer<T> target;
  Buffer<T> weights;
  Buffer<T> scores;
  RankingQueries queries;  // ranking
};

template <Real T>
Buffer<T> starting_scores(Engine& engine, const Rows<T>& rows, const TreeEnsemble<T>& trees) {
  const Index outputs = trees.outputs;
  MatrixView<const T> margin;
  if (!rows.margin.empty()) margin = {rows.margin.data(), rows.count, outputs, outputs};
  return to_engine(engine, trees.raw_scores(engine, rows.x, margin).values());
}

template <Real T>
double total_weight(const std::vector<T>& weights, Index rows) {
  if (weights.empty()) return static_cast<double>(rows);
  return long_sum(rows, [&](Index i) { return weights[static_cast<std::size_t>(i)]; });
}

[[noreturn]] void diverged(const std::string& what, Index round) {
  throw NumericalError("the " + what + " of round " + std::to_string(round + 1) +
                       " is not finite; lower " + option("learning_rate") +
                       ", or divide the target by a constant");
}

template <Real T>
void check_table(const DatasetView<T>& data) {
  require_dense(data, "gradient boosting");
  if (data.rows() == 0) throw InputError(data.source + ": has no rows to train on");
  if (data.cols() == 0) throw InputError(data.source + ": has no feature columns to train on");
  if (data.rows() > most_rows) {
    throw InputError(data.source + ": " + std::to_string(data.rows()) +
                     " rows; gradient boosting takes at most " + std::to_string(most_rows));
  }
  require_finite(data, true, true);
}

}  // namespace
}  // namespace tree

using namespace tree;  // NOLINT(google-build-using-namespace): the file's own parts

void GradientBoostingOptions::visit(OptionVisitor& visitor) {
  constexpr double largest = std::numeric_limits<double>::max();
  constexpr std::int64_t no_limit = std::numeric_limits<std::int32_t>::max();
  visitor.choice("task", task,
                 "what to predict; auto classifies texts and whole numbers of at most 20 values");
  visitor.choice("objective", objective,
                 "what is minimised; auto is squared-error for values, logistic for two classes, "
                 "softmax for more");
  visitor.integer({"rounds", {"n_estimators", "num_boost_round", "num_iterations", "max_iter"}},
                  rounds, "trees per output, at most", 0, 1000000);
  visitor.real({"learning_rate", {"eta", "shrinkage_rate"}}, learning_rate,
               "factor of every leaf's value", 1e-9, 1e9);
  visitor.integer("max_depth", max_depth, "most splits between the root and a leaf; 0 is no limit",
                  0, no_limit);
  visitor.integer({"max_leaves", {"num_leaves", "max_leaf_nodes"}}, max_leaves,
                  "most leaves of a tree; 0 is no limit", 0, no_limit);
  visitor.choice("grow_policy", grow_policy,
                 "depthwise splits level by level, lossguide the leaf that gains most");
  visitor.integer({"max_bins", {"max_bin"}}, max_bins, "bins of a feature's known values, at most",
                  2, most_bins);
  visitor.real({"reg_lambda", {"lambda", "lambda_l2", "l2_regularization"}}, reg_lambda,
               "penalty on the squares of the leaves' values", 0, largest);
  visitor.real({"reg_alpha", {"alpha", "lambda_l1"}}, reg_alpha,
               "penalty on the magnitudes of the leaves' values", 0, largest);
  visitor.real({"min_split_loss", {"gamma", "min_split_gain", "min_gain_to_split"}}, min_split_loss,
               "a split must gain more than this", 0, largest);
  visitor.real({"min_child_weight", {"min_sum_hessian_in_leaf"}}, min_child_weight,
               "least sum of second derivatives of a leaf", 0, largest);
  visitor.real({"max_delta_step", {"max_tree_output"}}, max_delta_step,
               "largest value of a leaf before the learning rate; 0 is no limit", 0, largest);
  visitor.real({"subsample", {"bagging_fraction"}}, subsample,
               "share of the rows that a tree is grown on", 1e-9, 1);
  visitor.real({"colsample_bytree", {"feature_fraction"}}, colsample_bytree,
               "share of the features drawn for a tree", 1e-9, 1);
  visitor.real("colsample_bylevel", colsample_bylevel,
               "share of a tree's features drawn for each depth", 1e-9, 1);
  visitor.real({"colsample_bynode", {"feature_fraction_bynode"}}, colsample_bynode,
               "share of a depth's features drawn for each node", 1e-9, 1);
  visitor.integers({"monotone_constraints", {"monotonic_cst"}}, monotone_constraints,
                   "per feature 1, -1 or 0: the prediction must not fall, not rise, or either", -1,
                   1);
  visitor.real({"huber_delta", {"huber_slope"}}, huber_delta,
               "distance from which the huber objective is a line", 1e-30, largest);
  visitor.real("tweedie_variance_power", tweedie_variance_power,
               "power of the mean that the variance is under the tweedie objective", 1.001, 1.999);
  visitor.real({"quantile_alpha", {"quantile"}}, quantile_alpha,
               "the share of rows that the quantile objective puts below the prediction", 1e-6,
               1 - 1e-6);
  visitor.integer(
      {"rank_truncation", {"lambdarank_truncation_level", "lambdarank_num_pair_per_sample"}},
      rank_truncation, "ranking: pairs have a row among so many first ranks", 1, no_limit);
  visitor.flag({"rank_normalization", {"lambdarank_norm", "lambdarank_normalization"}},
               rank_normalization,
               "ranking: pairs of far scores and queries of many pairs count less");
  visitor.real("validation_fraction", validation_fraction,
               "share of the training rows kept for validation", 0, 0.9);
  visitor.integer({"patience", {"early_stopping_rounds", "n_iter_no_change"}}, patience,
                  "stop after this many rounds without a better validation loss; 0 is never", 0,
                  no_limit);
  visitor.written("class_weight", class_weight,
                  "none, balanced, or weights by class such as yes=2,no=1", "TEXT");
  visitor.seed(seed);
}

void GradientBoostingOptions::check() const {
  if (max_depth == 0 && max_leaves == 0 && grow_policy == GrowPolicy::lossguide) {
    throw InputError(option("grow_policy") + " lossguide needs " + option("max_leaves") + " or " +
                     option("max_depth"));
  }
  const bool renewed =
      objective == BoostingObjective::absolute_error || objective == BoostingObjective::quantile;
  if (renewed && !monotone_constraints.empty()) {
    throw InputError(option("monotone_constraints") + " cannot be kept with " +
                     option("objective") + " " + std::string(to_string(objective)) +
                     ", whose leaves get a quantile of their rows");
  }
  if (objective == BoostingObjective::automatic || task == TaskChoice::automatic) return;
  if (tree::classifies(objective) != (task == TaskChoice::classification)) {
    throw InputError(option("objective") + " " + std::string(to_string(objective)) + " is for " +
                     (tree::classifies(objective) ? "classification" : "regression") + ", and " +
                     option("task") + " is " + std::string(to_string(task)));
  }
}

template <Real T>
Task GradientBoostingOptions::task_for(const DatasetView<T>& data) const {
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
  if (task == TaskChoice::classification) return Task::classification;
  if (task == TaskChoice::automatic) {
    if (objective != BoostingObjective::automatic) {
      if (tree::classifies(objective)) return Task::classification;
    } else {
      return task_of_target(data);
    }
  }
  require_numeric_target(data);
  return Task::regression;
}

namespace tree {
namespace {

template <Real T>
class Boosting {
 public:
  Boosting(Engine& engine, const DatasetView<T>& train, const GradientBoostingOptions& options,
           const FitContext<T>& context, RunControl& control, const GradientBoostingModel<T>* start)
      : engine_(engine), options_(options), control_(control) {
    check_table(train);
    const bool of_classes = options.task_for(train) == Task::classification;
    std::vector<std::int32_t> labels;
    if (of_classes) {
      Classes classes =
          start != nullptr ? encode_classes(train, start->class_names) : encode_classes(train);
      labels = std::move(classes.labels);
      model_.class_names = std::move(classes.names);
      for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0) {
          throw InputError(train.source + ": row " + std::to_string(i + 1) +
                           ": its class is not among those of the model to go on from");
        }
      }
    }
    settle_objective(of_classes);
    const Index outputs = model_.objective == BoostingObjective::softmax
                              ? static_cast<Index>(model_.class_names.size())
                              : 1;
    if (!of_classes) check_target(train, model_.objective);
    const bool ranking = ranks(model_.objective);
    if (ranking) check_groups(train);
    std::vector<double> class_weights;
    if (options.class_weight.rule != ClassWeights::Rule::none) {
      if (!of_classes) {
        throw InputError(option("class_weight") +
                         " is for classification, and this fit regresses; "
                         "use none");
      }
      class_weights = options.class_weight.of(model_.class_names, labels);
    }
    const auto features = static_cast<std::size_t>(train.cols());
    if (!options.monotone_constraints.empty() && options.monotone_constraints.size() != features) {
      throw InputError(option("monotone_constraints") + " has " +
                       std::to_string(options.monotone_constraints.size()) + " entries for " +
                       std::to_string(features) + " features");
    }
    check_margin(train, outputs);

    // The rows: of training, and for validation.
    std::optional<Rows<T>> validation;
    if (context.validation) {
      const DatasetView<T>& data = *context.validation;
      check_table(data);
      if (data.cols() != train.cols()) {
        throw InputError(data.source + ": has " + std::to_string(data.cols()) +
                         " features, and the training set " + std::to_string(train.cols()));
      }
      check_margin(data, outputs);
      if (data.base_margin.empty() != train.base_margin.empty()) {
        throw InputError(data.source +
                         ": the training and the validation set must both have base "
                         "margins, or neither");
      }
      std::vector<std::int32_t> validation_labels;
      if (of_classes) {
        validation_labels = encode_classes(data, model_.class_names).labels;
        for (std::size_t i = 0; i < validation_labels.size(); ++i) {
          if (validation_labels[i] < 0) {
            throw InputError(data.source + ": row " + std::to_string(i + 1) +
                             ": the training set has no row of this class, which is in the "
                             "validation set");
          }
        }
      } else {
        check_target(data, model_.objective);
        if (ranking) check_groups(data);
      }
      validation = take_rows(data, nullptr, validation_labels, class_weights, outputs, ranking);
      rows_ = take_rows(train, nullptr, labels, class_weights, outputs, ranking);
    } else if (options.validation_fraction > 0) {
      const Split split =
          ranking ? group_train_test_split(train.groups, options.validation_fraction, options.seed)
          : of_classes
              ? stratified_train_test_split(labels, options.validation_fraction, options.seed)
              : train_test_split(train.rows(), options.validation_fraction, options.seed);
      rows_ = take_rows(train, &split.train, labels, class_weights, outputs, ranking);
      validation = take_rows(train, &split.test, labels, class_weights, outputs, ranking);
    } else {
      rows_ = take_rows(train, nullptr, labels, class_weights, outputs, ranking);
    }
    if (options.patience > 0 && !validation) {
      throw InputError(option("patience") + " needs validation rows: give " + option("validation") +
                       " or " + option("validation_fraction"));
    }

    if (start != nullptr) {
      if (start->objective != model_.objective || start->trees.features != train.cols() ||
          start->trees.outputs != outputs) {
        throw InputError("the model to go on from has objective " +
                         std::string(to_string(start->objective)) + " and " +
                         std::to_string(start->trees.features) +
                         " features, which is not what is to be fitted");
      }
      model_.trees = start->trees;
      model_.log = start->log;
    } else {
      model_.trees.features = train.cols();
      model_.trees.outputs = outputs;
      model_.trees.base =
          rows_.margin.empty()
              ? base_scores(rows_, model_.objective, outputs, options.quantile_alpha)
              : std::vector<T>(static_cast<std::size_t>(outputs), T{0});
    }
    first_tree_ = static_cast<Index>(model_.trees.trees.size());
    best_rounds_ = 0;
    resume();
    upload(validation);
  }

  GradientBoostingModel<T> run() {
    const Index outputs = model_.trees.outputs;
    std::vector<GradientRange> ranges(static_cast<std::size_t>(outputs));
    for (; round_ < options_.rounds; ++round_) {
      if (waited_too_long()) break;
      if (ranking_) {
        ranking_->compute_gradients(ranking_rules_, queries_, scores_, target_, rank_gradients_,
                                    rank_hessians_);
        steps_->take_gradients(rank_gradients_, rank_hessians_, ranges);
      } else {
        steps_->compute_gradients(loss_, scores_, ranges);
      }
      double leaves = 0;
      for (Index k = 0; k < outputs; ++k) {
        grow_tree(k, ranges[static_cast<std::size_t>(k)]);
        leaves += static_cast<double>(model_.trees.trees.back().leaves());
      }
      model_.log.history["leaves"].push_back(leaves);
      Progress progress{"round", round_ + 1, options_.rounds, "", 0};
      if (validation_) {
        const double value =
            ranking_ ? ranking_loss(*validation_)
                     : steps_->total_loss(loss_, validation_->scores, validation_->target,
                                          validation_->weights, validation_->rows) /
                           validation_->weight;
        if (!std::isfinite(value)) diverged("validation loss", round_);
        model_.log.history["validation_loss"].push_back(value);
        if (best_rounds_ == 0 || value < best_loss_) {
          best_loss_ = value;
          best_rounds_ = round_ + 1;
        }
        progress.objective_name = "validation loss";
        progress.objective = value;
      }
      ++round_;  // what a state holds is whole rounds
      end_iteration(control_, progress, [&] { return state(); });
      --round_;
    }
    return finished();
  }

 private:
  void settle_objective(bool of_classes) {
    BoostingObjective objective = options_.objective;
    if (objective == BoostingObjective::automatic) {
      objective = !of_classes                      ? BoostingObjective::squared_error
                  : model_.class_names.size() <= 2 ? BoostingObjective::logistic
                                                   : BoostingObjective::softmax;
    }
    if (objective == BoostingObjective::logistic && model_.class_names.size() > 2) {
      throw InputError(option("objective") + " logistic is for two classes, and the target has " +
                       std::to_string(model_.class_names.size()) + "; use softmax");
    }
    model_.objective = objective;
    loss_.kind = loss_kind(objective);
    loss_.outputs =
        objective == BoostingObjective::softmax ? static_cast<Index>(model_.class_names.size()) : 1;
    if (objective == BoostingObjective::huber)
      loss_.parameter = static_cast<T>(options_.huber_delta);
    if (objective == BoostingObjective::poisson) loss_.parameter = static_cast<T>(math::exp(0.7));
    if (objective == BoostingObjective::quantile) {
      loss_.parameter = static_cast<T>(options_.quantile_alpha);
    }
    ranking_rules_ = {objective == BoostingObjective::rank_map        ? RankingLoss::map
                      : objective == BoostingObjective::rank_pairwise ? RankingLoss::pairwise
                                                                      : RankingLoss::ndcg,
                      options_.rank_truncation, options_.rank_normalization};
    if (objective == BoostingObjective::tweedie) {
      loss_.parameter = static_cast<T>(options_.tweedie_variance_power);
    }
  }

  // Throws where a ranking has no queries, or the rows of one do not stand together.
  void check_groups(const DatasetView<T>& data) const {
    if (!data.has_groups()) {
      throw InputError(data.source + ": " + option("objective") + " " +
                       std::string(to_string(model_.objective)) +
                       " ranks the rows of each query, and the data says of no row which query it "
                       "belongs to; libsvm files say so by qid:N, or a file of that name and "
                       ".query beside the data by the number of rows of each query");
    }
    (void)group_starts(data);
  }

  static void check_margin(const DatasetView<T>& data, Index outputs) {
    if (data.base_margin.empty()) return;
    if (static_cast<Index>(data.base_margin.size()) != data.rows() * outputs) {
      throw InputError(data.source + ": has " + std::to_string(data.base_margin.size()) +
                       " base margins, expected " + std::to_string(data.rows() * outputs) +
                       ", one for each row and output");
    }
    for (std::size_t i = 0; i < data.base_margin.size(); ++i) {
      if (!std::isfinite(data.base_margin[i])) {
        throw InputError(data.source + ": row " +
                         std::to_string(static_cast<Index>(i) / outputs + 1) +
                         ": the base margin is not finite");
      }
    }
  }

  void upload(const std::optional<Rows<T>>& validation) {
    const Index features = model_.trees.features;
    cuts_ = make_bin_cuts(rows_.x, std::span<const T>(rows_.weights), options_.max_bins,
                          engine_.threads());
    const Index stride = binned_stride(features);
    const auto on_engine = to_engine(engine_, cuts_);
    const auto binning = make_steps<BinningSteps, T>(engine_);
    by_row_ = Buffer<std::uint8_t>(engine_, rows_.count * stride);
    by_column_ = Buffer<std::uint8_t>(engine_, features * rows_.count + column_padding);
    {
      const Buffer<T> x = rows_on_engine(engine_, rows_.x, Placement::rows);
      binning->bin_rows(on_engine, x, rows_.count, by_row_, by_column_);
      engine_.wait();
    }
    target_ = to_engine(engine_, rows_.target);
    weights_ = to_engine(engine_, rows_.weights);
    scores_ = starting_scores(engine_, rows_, model_.trees);
    if (validation) {
      Validation<T>& part = validation_.emplace();
      part.rows = validation->count;
      part.weight = total_weight(validation->weights, validation->count);
      part.by_row = Buffer<std::uint8_t>(engine_, validation->count * stride);
      const Buffer<T> x = rows_on_engine(engine_, validation->x, Placement::rows);
      Buffer<std::uint8_t> none;
      binning->bin_rows(on_engine, x, validation->count, part.by_row, none);
      part.target = to_engine(engine_, validation->target);
      part.weights = to_engine(engine_, validation->weights);
      part.scores = starting_scores(engine_, *validation, model_.trees);
      if (!validation->starts.empty()) {
        part.queries = ranking_queries(engine_, std::span<const Index>(validation->starts),
                                       std::span<const T>(validation->target), ranking_rules_);
      }
      engine_.wait();
    }
    for (Index j = 0; j < features; ++j) bins_.push_back(static_cast<std::int32_t>(cuts_.bins(j)));
    for (const std::int64_t direction : options_.monotone_constraints) {
      directions_.push_back(static_cast<std::int8_t>(direction));
    }
    Index most = 1;
    for (std::size_t j = 0; j < bins_.size(); ++j) {
      most = std::max<Index>(most, bins_[j] + cuts_.missing[j]);
    }
    const std::int32_t slots =
        BoostedGrowth<T>::slots_for(options_, 16 * features * histogram_stride(most));
    steps_ = make_steps<GradientBoostingSteps, T>(engine_);
    steps_->prepare({rows_.count, features, stride, &by_row_, &by_column_, &target_, &weights_,
                     bins_, cuts_.missing, directions_},
                    model_.trees.outputs, slots);
    growth_.emplace(*steps_, options_, cuts_, slots);
    quantile_ = {model_.objective == BoostingObjective::quantile ? options_.quantile_alpha : 0.5,
                 weight_scale(rows_.weights)};
    if (rows_.starts.empty()) return;
    ranking_ = make_steps<RankingSteps, T>(engine_);
    queries_ = ranking_queries(engine_, std::span<const Index>(rows_.starts),
                               std::span<const T>(rows_.target), ranking_rules_);
    rank_gradients_ = Buffer<T>(engine_, rows_.count);
    rank_hessians_ = Buffer<T>(engine_, rows_.count);
  }

  // One less the mean over the queries of the quality of their ranking.
  [[nodiscard]] double ranking_loss(Validation<T>& part) {
    Buffer<double> quality(engine_, part.queries.queries);
    ranking_->measure(ranking_rules_, part.queries, part.scores, part.target, quality);
    const std::vector<double> of_query = quality.to_host();
    const double sum = long_sum(part.queries.queries,
                                [&](Index q) { return of_query[static_cast<std::size_t>(q)]; });
    return 1 - sum / static_cast<double>(part.queries.queries);
  }

  // Gives the leaves the quantiles of what is left to explain of their rows, times the rate.
  void renew_leaves(BoostedTree<T>& grown, Index output) {
    std::vector<T> quantiles(grown.leaves.size());
    steps_->leaf_quantiles(grown.leaves, quantile_, output, scores_, quantiles);
    std::size_t leaf = 0;  // they are listed in the order of their nodes
    for (std::size_t i = 0; i < grown.binned.size(); ++i) {
      T value = 0;
      if (grown.tree.feature[i] < 0) {
        value = static_cast<T>(static_cast<double>(quantiles[leaf]) * options_.learning_rate);
        grown.leaves[leaf++].value = value;
        grown.binned[i].value = value;
      }
      grown.tree.value[i] = value;
    }
  }

  void grow_tree(Index output, const GradientRange& range) {
    // Squares of sums of gradients must stay in the range of double precision.
    if (!(range.most_gradient < 1e140) || !std::isfinite(range.most_hessian)) {
      diverged("gradient", round_);
    }
    const bool unit = unit_hessian(loss_.kind) && weights_.empty();
    const auto number = static_cast<std::uint32_t>(model_.trees.trees.size());
    const RowSample sample{options_.subsample, options_.seed, 4 * number};
    GradientPacking packing = packing_for(range, rows_.count, unit, false);
    PackedSums sums = steps_->pack(output, packing, sample);
    if (sums.magnitudes < sums.rows * least_mean_units && sums.magnitudes > 0) {
      packing = packing_for(range, rows_.count, unit, true);
      sums = steps_->pack(output, packing, sample);
    }
    BoostedTree<T> grown = growth_->grow(packing, sums, number);
    grown.tree.output = static_cast<std::int32_t>(output);
    if (renews_leaves(loss_.kind)) renew_leaves(grown, output);
    if (options_.subsample < 1) {
      steps_->add_tree(grown.binned, by_row_, rows_.count, output, scores_);
    } else {
      steps_->add_leaves(grown.leaves, output, scores_);
    }
    if (validation_) {
      steps_->add_tree(grown.binned, validation_->by_row, validation_->rows, output,
                       validation_->scores);
    }
    model_.trees.trees.push_back(std::move(grown.tree));
  }

  [[nodiscard]] bool waited_too_long() const {
    return options_.patience > 0 && round_ - best_rounds_ >= options_.patience;
  }

  [[nodiscard]] Archive state() const {
    Archive archive;
    archive.set("round", round_);
    archive.set("best_rounds", best_rounds_);
    archive.set("best_loss", best_loss_);
    archive.set("rows", rows_.count);
    model_.trees.save(archive);
    model_.log.save(archive);
    return archive;
  }

  void resume() {
    const Archive* state = control_.resume_state();
    if (state == nullptr) return;
    TreeEnsemble<T> trees = TreeEnsemble<T>::load(*state);
    const auto count = static_cast<Index>(trees.trees.size());
    round_ = state->get_int("round", 0, options_.rounds);
    if (trees.features != model_.trees.features || trees.outputs != model_.trees.outputs ||
        trees.base != model_.trees.base || state->get_int("rows") != rows_.count ||
        count != first_tree_ + round_ * trees.outputs) {
      state->fail("round", "is of a fit of other data or options");
    }
    best_rounds_ = state->get_int("best_rounds", 0, round_);
    best_loss_ = state->get_double("best_loss");
    model_.trees = std::move(trees);
    model_.log = TrainingLog::load(*state);
  }

  GradientBoostingModel<T> finished() {
    const Index outputs = model_.trees.outputs;
    TrainingLog& log = model_.log;
    log.iterations = round_;
    if (waited_too_long()) {
      log.converged = true;
      log.stopped_because = "the validation loss has not improved for " +
                            std::to_string(options_.patience) + " rounds; the best was round " +
                            std::to_string(best_rounds_);
    } else {
      log.converged = true;
      log.stopped_because = "all rounds were done";
    }
    if (options_.patience > 0 && best_rounds_ < round_) {
      model_.trees.trees.resize(static_cast<std::size_t>(first_tree_ + best_rounds_ * outputs));
    }
    return std::move(model_);
  }

  Engine& engine_;
  const GradientBoostingOptions& options_;
  RunControl& control_;
  GradientBoostingModel<T> model_;
  LossRules<T> loss_;
  Rows<T> rows_;
  BinCuts<T> cuts_;
  std::vector<std::int32_t> bins_;
  std::vector<std::int8_t> directions_;
  Buffer<std::uint8_t> by_row_;
  Buffer<std::uint8_t> by_column_;
  Buffer<T> target_;
  Buffer<T> weights_;
  Buffer<T> scores_;
  std::optional<Validation<T>> validation_;
  QuantileRule quantile_;
  RankingRules ranking_rules_;
  std::unique_ptr<RankingSteps<T>> ranking_;  // null where the objective does not rank
  RankingQueries queries_;
  Buffer<T> rank_gradients_;
  Buffer<T> rank_hessians_;
  std::unique_ptr<GradientBoostingSteps<T>> steps_;
  std::optional<BoostedGrowth<T>> growth_;
  Index round_ = 0;
  Index first_tree_ = 0;
  Index best_rounds_ = 0;
  double best_loss_ = std::numeric_limits<double>::infinity();
};

}  // namespace
}  // namespace tree

template <Real T>
GradientBoostingModel<T> fit(Engine& engine, const DatasetView<T>& data,
                             const GradientBoostingOptions& options,
                             const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  check_options(options);
  return Boosting<T>(engine, setting.data(), options, context, setting.control(), nullptr).run();
}

template <Real T>
GradientBoostingModel<T> fit_further(Engine& engine, const GradientBoostingModel<T>& model,
                                     const DatasetView<T>& data,
                                     const GradientBoostingOptions& options,
                                     const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  check_options(options);
  return Boosting<T>(engine, setting.data(), options, context, setting.control(), &model).run();
}

template Task GradientBoostingOptions::task_for(const DatasetView<float>&) const;
template Task GradientBoostingOptions::task_for(const DatasetView<double>&) const;
template GradientBoostingModel<float> fit(Engine&, const DatasetView<float>&,
                                          const GradientBoostingOptions&, const FitContext<float>&);
template GradientBoostingModel<double> fit(Engine&, const DatasetView<double>&,
                                           const GradientBoostingOptions&,
                                           const FitContext<double>&);
template GradientBoostingModel<float> fit_further(Engine&, const GradientBoostingModel<float>&,
                                                  const DatasetView<float>&,
                                                  const GradientBoostingOptions&,
                                                  const FitContext<float>&);
template GradientBoostingModel<double> fit_further(Engine&, const GradientBoostingModel<double>&,
                                                   const DatasetView<double>&,
                                                   const GradientBoostingOptions&,
                                                   const FitContext<double>&);

}  // namespace tandem

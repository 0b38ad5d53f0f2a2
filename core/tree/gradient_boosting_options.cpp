// The options of gradient boosting: names, ranges, what two of them say together.
#include <cstdint>
#include <limits>
#include <string>

#include "core/tree/boosting_rows.hpp"
#include "tandem/core/error.hpp"
#include "tandem/tree/binned_table.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {

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
  visitor.real({"learning_rate", {"learning_rate", "eta", "shrinkage_rate"}}, learning_rate,
               "factor of every leaf's value", 1e-9, 1e9);
  visitor.integer("max_depth", max_depth, "most splits between the root and a leaf; 0 is no limit",
                  0, no_limit);
  visitor.integer({"max_leaves", {"max_leaf_nodes", "num_leaves"}}, max_leaves,
                  "most leaves of a tree; 0 is no limit", 0, no_limit);
  visitor.choice("grow_policy", grow_policy,
                 "depthwise splits level by level, lossguide the leaf that gains most");
  visitor.integer({"max_bins", {"max_bins", "max_bin"}}, max_bins,
                  "bins of the known values of a column of numbers, at most; above 255 they are "
                  "kept as 16 bits",
                  2, most_number_bins);
  visitor.real({"reg_lambda", {"l2_regularization", "lambda", "lambda_l2"}}, reg_lambda,
               "penalty on the squares of the leaves' values", 0, largest);
  visitor.real({"reg_alpha", {"reg_alpha", "alpha", "lambda_l1"}}, reg_alpha,
               "penalty on the magnitudes of the leaves' values", 0, largest);
  visitor.real(
      {"min_split_loss", {"min_split_loss", "gamma", "min_split_gain", "min_gain_to_split"}},
      min_split_loss, "a split must gain more than this", 0, largest);
  visitor.real({"min_child_weight", {"min_child_weight", "min_sum_hessian_in_leaf"}},
               min_child_weight, "least sum of second derivatives of a leaf", 0, largest);
  visitor.real({"max_delta_step", {"max_delta_step", "max_tree_output"}}, max_delta_step,
               "largest value of a leaf before the learning rate; 0 is no limit", 0, largest);
  visitor.real({"subsample", {"subsample", "bagging_fraction"}}, subsample,
               "share of the rows that a tree is grown on", 1e-9, 1);
  visitor.choice({"sampling_method", {"sampling_method", "data_sample_strategy"}}, sampling_method,
                 "goss keeps the rows of the largest gradients and some of the others, uniform a "
                 "share of all");
  visitor.real("top_rate", top_rate, "goss: share of the rows kept for their gradients", 0, 1);
  visitor.real("other_rate", other_rate, "goss: share of the rows drawn from the others", 1e-9, 1);
  visitor.real({"colsample_bytree", {"colsample_bytree", "feature_fraction"}}, colsample_bytree,
               "share of the features drawn for a tree", 1e-9, 1);
  visitor.real("colsample_bylevel", colsample_bylevel,
               "share of a tree's features drawn for each depth", 1e-9, 1);
  visitor.real({"colsample_bynode", {"colsample_bynode", "feature_fraction_bynode"}},
               colsample_bynode, "share of a depth's features drawn for each node", 1e-9, 1);
  visitor.integers({"monotone_constraints", {"monotonic_cst"}}, monotone_constraints,
                   "per feature 1, -1 or 0: the prediction must not fall, not rise, or either", -1,
                   1);
  visitor.text({"interaction_constraints", {"interaction_cst"}}, interaction_constraints,
               "groups of features that may stand on one path of a tree, such as a,b;c,d; those of "
               "no group stand alone");
  visitor.integer("max_cat_bins", max_cat_bins,
                  "bins of a column of categories, at most; the rarest of more categories share "
                  "one, and above 255 bins are kept as 16 bits",
                  2, most_bins);
  visitor.integer("max_cat_to_onehot", max_cat_to_onehot,
                  "columns of at most so many categories are split one category against the others",
                  0, most_bins);
  visitor.integer("max_cat_threshold", max_cat_threshold,
                  "categories on one side of a split by several, at most", 1, most_bins);
  visitor.real("cat_smooth", cat_smooth,
               "added to the second derivatives by which categories are ordered", 0, largest);
  visitor.real("cat_l2", cat_l2, "added to reg_lambda where several categories are split off", 0,
               largest);
  visitor.real({"huber_delta", {"huber_delta", "huber_slope"}}, huber_delta,
               "distance from which the huber objective is a line", 1e-30, largest);
  visitor.real("tweedie_variance_power", tweedie_variance_power,
               "power of the mean that the variance is under the tweedie objective", 1.001, 1.999);
  visitor.real({"quantile_alpha", {"quantile"}}, quantile_alpha,
               "the share of rows that the quantile objective puts below the prediction", 1e-6,
               1 - 1e-6);
  visitor.integer(
      {"rank_truncation",
       {"rank_truncation", "lambdarank_truncation_level", "lambdarank_num_pair_per_sample"}},
      rank_truncation, "ranking: pairs have a row among so many first ranks", 1, no_limit);
  visitor.flag(
      {"rank_normalization", {"rank_normalization", "lambdarank_norm", "lambdarank_normalization"}},
      rank_normalization, "ranking: pairs of far scores and queries of many pairs count less");
  visitor.real("validation_fraction", validation_fraction,
               "share of the training rows kept for validation", 0, 0.9);
  visitor.text("eval_metric", eval_metric,
               "what rounds are judged by on the validation rows, such as roc_auc or mae; the loss "
               "of the objective where none is named");
  visitor.integer({"patience", {"early_stopping_rounds", "n_iter_no_change"}}, patience,
                  "stop after this many rounds without a better validation loss, or eval metric; 0 "
                  "is never",
                  0, no_limit);
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
  if (sampling_method == SamplingMethod::goss) {
    if (subsample < 1) {
      throw InputError(option("subsample") + " is for " + option("sampling_method") +
                       " uniform; with goss " + option("top_rate") + " and " +
                       option("other_rate") + " say how many rows there are");
    }
    if (top_rate + other_rate > 1) {
      throw InputError(option("top_rate") + " and " + option("other_rate") +
                       " add up to more than all rows");
    }
    if (renewed) {
      throw InputError(option("sampling_method") + " goss goes by the size of gradients, which " +
                       option("objective") + " " + std::string(to_string(objective)) +
                       " does not have");
    }
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

template Task GradientBoostingOptions::task_for(const DatasetView<float>&) const;
template Task GradientBoostingOptions::task_for(const DatasetView<double>&) const;

}  // namespace tandem

// Gradient boosting of decision trees over histograms, for values, classes and counts.
//
// Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 29
// (2001); Chen and Guestrin, "XGBoost: A Scalable Tree Boosting System", KDD 2016; Ke et al.,
// "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS 2017.
// docs/algorithms/gradient-boosting.md states formulas, ties, missing values and numerics.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/class_weights.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/margins.hpp"
#include "tandem/model/model.hpp"
#include "tandem/tree/tree_ensemble.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem {

// The loss that is minimised, by the raw score s of a row with target y.
//   squared_error  (s − y)²/2
//   huber          the square up to huber_delta of distance, a line beyond
//   logistic       −log p of the row's class, p = 1 / (1 + e^−s) that of the second class
//   softmax        −log p of the row's class, one score per class
//   poisson        counts y >= 0 of mean e^s
//   gamma          y > 0 of mean e^s, whose deviation is proportional to the mean
//   tweedie        y >= 0 of mean e^s and variance mean^tweedie_variance_power: many zeros
//   absolute_error |s − y|
//   quantile       (1 − a)(s − y) above y, a(y − s) below, a = quantile_alpha
//   rank_ndcg, rank_map, rank_pairwise
//                  the order of the rows of each query (DatasetView::groups) by their scores,
//                  against relevances y = 0, 1, ... 31 (rank_map: 0 and 1)
//   automatic      as an option: squared_error for values, logistic for two classes, else softmax
enum class BoostingObjective {
  squared_error,
  huber,
  logistic,
  softmax,
  poisson,
  gamma,
  tweedie,
  absolute_error,
  quantile,
  rank_ndcg,
  rank_map,
  rank_pairwise,
  automatic
};
template <>
inline constexpr std::array<std::string_view, 13> enum_names<BoostingObjective>{
    "squared-error",  "huber",    "logistic",  "softmax",  "poisson",       "gamma", "tweedie",
    "absolute-error", "quantile", "rank-ndcg", "rank-map", "rank-pairwise", "auto"};

// depthwise: level by level. lossguide: always the leaf whose split gains most.
enum class GrowPolicy { depthwise, lossguide };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<GrowPolicy>{"depthwise", "lossguide"};

// Which rows a tree is grown on. uniform: each with the probability `subsample`. goss:
// gradient-based one-side sampling (Ke et al. 2017): those of the largest gradients, and some of
// the others, which count more in return.
enum class SamplingMethod { uniform, goss };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<SamplingMethod>{"uniform", "goss"};

struct TANDEM_API GradientBoostingOptions {
  TaskChoice task = TaskChoice::automatic;
  BoostingObjective objective = BoostingObjective::automatic;
  std::int64_t rounds = 100;  // trees per output, at most
  double learning_rate = 0.1;
  std::int64_t max_depth = 6;   // splits between the root and a leaf; 0: no limit
  std::int64_t max_leaves = 0;  // 0: no limit
  GrowPolicy grow_policy = GrowPolicy::depthwise;
  std::int64_t max_bins = 255;  // of known values of a feature of numbers
  double reg_lambda = 1;
  double reg_alpha = 0;
  double min_split_loss = 0;    // a split must gain more
  double min_child_weight = 1;  // least sum of Hessians of a leaf
  double max_delta_step = 0;    // largest weight of a leaf before the learning rate; 0: no limit
  double subsample = 1;         // share of the rows that a tree is grown on
  SamplingMethod sampling_method = SamplingMethod::uniform;
  double top_rate = 0.2;         // goss: share of the rows, those of the largest gradients,
  double other_rate = 0.1;       // and of all rows the share that is drawn from the others
  double colsample_bytree = 1;   // shares of the features: drawn for each tree,
  double colsample_bylevel = 1;  // of those for each depth,
  double colsample_bynode = 1;   // and of those for each node
  // Per feature 1, −1 or 0: the prediction must not fall, or not rise, with it. Empty: no
  // constraints.
  std::vector<std::int64_t> monotone_constraints;
  // Groups of features as "a,b;c" or "[[0,1],[2]]", by name or position; all that a path splits by
  // are of one group, and a feature of no group stands alone. Empty: any may stand with any.
  std::string interaction_constraints;
  // Splits by sets of categories: features of at most max_cat_to_onehot categories are tried one
  // category against the others; else categories are ordered by their gradients, smoothed by
  // cat_smooth, and the first or last max_cat_threshold of them at most go left, scored with
  // cat_l2 added to reg_lambda.
  std::int64_t max_cat_bins = 65535;  // of a column; the rarest of more categories share one
  std::int64_t max_cat_to_onehot = 4;
  std::int64_t max_cat_threshold = 32;
  double cat_smooth = 10;
  double cat_l2 = 10;
  double huber_delta = 1;
  double tweedie_variance_power = 1.5;  // above 1, below 2
  double quantile_alpha = 0.5;          // above 0, below 1
  // Ranking: pairs have one of their rows among so many first ranks; and whether queries of many
  // pairs and pairs of far scores count less, see docs/algorithms/gradient-boosting.md.
  std::int64_t rank_truncation = 30;
  bool rank_normalization = true;
  // Share of the training rows kept for validation where no validation set is given.
  double validation_fraction = 0;
  // What rounds are judged by on the validation rows: a metric that evaluate() knows for the task,
  // or, where it is empty, the loss of the objective.
  std::string eval_metric;
  // Stops after this many rounds without an improvement of that and keeps the trees up to the best
  // round; 0: never.
  std::int64_t patience = 0;
  ClassWeights class_weight{};  // classification; multiplies the sample weights
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& data) const;
};

template <Real T>
class TANDEM_API GradientBoostingModel final : public Model<T>,
                                               public Margins<T>,
                                               public TreeModel<T> {
 public:
  BoostingObjective objective = BoostingObjective::squared_error;
  std::vector<std::string> class_names;  // empty for a regression
  TreeEnsemble<T> trees;                 // rounds × outputs, one output after the other
  TrainingLog log;                       // leaves, validation_loss, validation_<eval_metric>

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<GradientBoostingModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "gradient-boosting"; }
  [[nodiscard]] Task task() const override {
    return class_names.empty() ? Task::regression : Task::classification;
  }
  [[nodiscard]] Index features() const override { return trees.features; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  // The margins of a classification; see Model.
  [[nodiscard]] Matrix<double> margins(Engine& engine, MatrixView<const T> x) const override;
  // Log-odds of the second class, or of each class; the logarithm of a count; or a value.
  [[nodiscard]] TreeEnsemble<T> tree_ensemble() const override { return trees; }
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static GradientBoostingModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

  // Per feature, its share of the gains of all splits; 0 throughout where there are none.
  [[nodiscard]] std::vector<double> importances() const;
  // The predictions that raw scores (rows × outputs) stand for.
  [[nodiscard]] Predictions<T> predictions_of(const Matrix<T>& scores, int threads) const;
  // The margins that raw scores stand for.
  [[nodiscard]] Matrix<double> margins_of(const Matrix<T>& scores) const;
};

// Columns that have categories (Column::categorical) are split by sets of their codes; others by
// thresholds. Missing features (NaN) are allowed. Rows of weight 0 are left out. Throws InputError
// for no rows, infinite features, a target outside what the objective is for, a ranking without
// queries or with queries whose rows do not stand together, options that do not fit the data;
// Interrupted.
//
// context.objective takes the place of the derivatives of options.objective, which still says what
// scores a fit starts from (unless the data has base margins) and what predictions are made of
// them: with logistic they are log-odds, with squared_error values. context.metric is in place of
// options.eval_metric. With context.objective and context.validation one of the two metrics must
// be given where options.patience is, because the loss that is minimised is not known.
template <Real T>
[[nodiscard]] TANDEM_API GradientBoostingModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const GradientBoostingOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

// The same, going on from a model: its trees stay, and options.rounds more are grown. Objective,
// classes and features must be those of the model; the data may be other data.
template <Real T>
[[nodiscard]] TANDEM_API GradientBoostingModel<T> fit_further(
    Engine& engine, const GradientBoostingModel<T>& model, const DatasetView<T>& data,
    const GradientBoostingOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

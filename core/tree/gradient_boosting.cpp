#include "tandem/tree/gradient_boosting.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/memory.hpp"
#include "core/steps.hpp"
#include "core/tree/boosted_growth.hpp"
#include "core/tree/boosting_bins.hpp"
#include "core/tree/boosting_judge.hpp"
#include "core/tree/boosting_loss.hpp"
#include "core/tree/boosting_rows.hpp"
#include "core/tree/category_bins.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "core/tree/ranking_steps.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/split.hpp"
#include "tandem/tree/binned_dataset.hpp"

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

// A narrow packing is good enough where gradients are, on average, this many units at least.
constexpr Index least_mean_units = 512;
// Of so few rows one alone, of the largest gradient, may make up that average.
constexpr Index few_rows = (Index{1} << 19) / least_mean_units;

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

// Validation rows on the engine.
template <Real T>
struct Validation {
  BoostingRows<T> on_host;  // without features
  Index rows = 0;
  double weight = 0;
  Buffer<std::uint8_t> by_row;
  Buffer<T> target;
  Buffer<T> weights;
  Buffer<T> scores;
  RankingQueries queries;  // ranking
};

[[noreturn]] void diverged(const std::string& what, Index round) {
  throw NumericalError("the " + what + " of round " + std::to_string(round + 1) +
                       " is not finite; lower " + option("learning_rate") +
                       ", or divide the target by a constant");
}

template <Real T>
Task checked_task(const DatasetView<T>& data, const BinnedDataset<T>* bins,
                  const GradientBoostingOptions& options) {
  check_training_table(data, bins);
  return options.task_for(data);
}

}  // namespace
}  // namespace tree

using namespace tree;  // NOLINT(google-build-using-namespace): the file's own parts

namespace tree {
namespace {

template <Real T>
class Boosting {
 public:
  // bins: what holds the features of `train`, or null.
  Boosting(Engine& engine, const DatasetView<T>& train, const BinnedDataset<T>* bins,
           const GradientBoostingOptions& options, const FitContext<T>& context,
           RunControl& control, const GradientBoostingModel<T>* start)
      : engine_(engine),
        options_(options),
        control_(control),
        judge_(options, context, checked_task(train, bins, options)),
        custom_(context.objective) {
    const bool of_classes = options.task_for(train) == Task::classification;
    if (custom_ && !custom_->derivatives) {
      throw InputError("the objective of the fit's own has no function that gives derivatives");
    }
    std::vector<std::int32_t> labels;
    if (of_classes) {
      Classes classes =
          start != nullptr ? encode_classes(train, start->class_names) : encode_classes(train);
      labels = std::move(classes.labels);
      model_.class_names = std::move(classes.names);
      for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] < 0) {
          throw InputError(train.source + ": row " + std::to_string(i + 1) +
                           ": its class is not among those of the model to go on from; leave the "
                           "row out, or train anew");
        }
      }
    }
    settle_objective(of_classes);
    const Index outputs = model_.objective == BoostingObjective::softmax
                              ? static_cast<Index>(model_.class_names.size())
                              : 1;
    // A margin, a gradient and a curvature of each row for each class are there at once.
    require_memory(train.source + ": boosting " + std::to_string(outputs) + " scores of " +
                       std::to_string(train.rows()) + " rows",
                   saturating_product(saturating_product(train.rows(), outputs),
                                      3 * static_cast<Index>(sizeof(T))),
                   "take fewer rows or classes");
    if (!of_classes) check_target(train, model_.objective);
    const bool ranking = ranks(model_.objective);
    // Metrics of rankings need queries too, whose rows are never parted.
    const bool by_query = ranking || judge_.needs_queries();
    if (by_query && (ranking || !context.validation)) check_groups(train);
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
    if (!options.interaction_constraints.empty()) {
      std::vector<std::string> names;
      for (Index j = 0; j < train.cols(); ++j) names.push_back(train.feature_name(j));
      groups_ = interaction_groups(options.interaction_constraints, names);
    }

    // The rows: of training, and for validation.
    std::optional<BoostingRows<T>> validation;
    if (context.validation) {
      const DatasetView<T>& data = *context.validation;
      check_training_table(data);
      if (data.cols() != train.cols()) {
        throw InputError(data.source + ": has " + std::to_string(data.cols()) +
                         " features, and the training set " + std::to_string(train.cols()) +
                         "; give both the same columns");
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
                             "validation set; leave the row out of it");
          }
        }
      } else {
        check_target(data, model_.objective);
        if (by_query) check_groups(data);
      }
      validation = take_rows(data, nullptr, validation_labels, class_weights, outputs);
      rows_ = take_rows(train, nullptr, labels, class_weights, outputs, bins);
    } else if (options.validation_fraction > 0) {
      const Split split =
          by_query ? group_train_test_split(train.groups, options.validation_fraction, options.seed)
          : of_classes
              ? stratified_train_test_split(labels, options.validation_fraction, options.seed)
              : train_test_split(train.rows(), options.validation_fraction, options.seed);
      rows_ = take_rows(train, &split.train, labels, class_weights, outputs, bins);
      validation = take_rows(train, &split.test, labels, class_weights, outputs, bins);
    } else {
      rows_ = take_rows(train, nullptr, labels, class_weights, outputs, bins);
    }
    const bool metric = !judge_.by_loss();
    if ((options.patience > 0 || metric) && !validation) {
      throw InputError((!metric          ? option("patience")
                        : context.metric ? "the metric " + judge_.name()
                                         : option("eval_metric")) +
                       " needs validation rows: give " + option("validation") + " or " +
                       option("validation_fraction"));
    }
    if (options.patience > 0 && custom_ && judge_.by_loss()) {
      throw InputError(option("patience") +
                       " with an objective of one's own needs a metric to go by: give " +
                       option("eval_metric") + ", or a metric of one's own");
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
    sort_out_categories(train, validation ? &*validation : nullptr, context);
    first_tree_ = static_cast<Index>(model_.trees.trees.size());
    best_rounds_ = 0;
    resume();
    upload(validation);
    if (!custom_) rows_.numbers = {};
  }

  GradientBoostingModel<T> run() {
    const Index outputs = model_.trees.outputs;
    std::vector<GradientRange> ranges(static_cast<std::size_t>(outputs));
    const Index before = round_ * outputs;  // trees
    WatchedFit watched(static_cast<double>(options_.rounds * outputs - before), true);
    for (; round_ < options_.rounds; ++round_) {
      if (waited_too_long()) break;
      if (custom_) {
        ask_for_gradients();
        steps_->take_gradients(other_gradients_, other_hessians_, ranges);
      } else if (ranking_) {
        ranking_->compute_gradients(ranking_rules_, queries_, scores_, target_, other_gradients_,
                                    other_hessians_);
        steps_->take_gradients(other_gradients_, other_hessians_, ranges);
      } else {
        steps_->compute_gradients(loss_, scores_, ranges);
      }
      double leaves = 0;
      for (Index k = 0; k < outputs; ++k) {
        grow_tree(k, ranges[static_cast<std::size_t>(k)]);
        leaves += static_cast<double>(model_.trees.trees.back().leaves());
        watched.done_at(static_cast<double>(round_ * outputs + k + 1 - before));
      }
      model_.log.history["leaves"].push_back(leaves);
      Progress progress{"round", round_ + 1, options_.rounds, "", 0};
      if (validation_) judge_round(progress);
      ++round_;  // what a state holds is whole rounds
      end_iteration(control_, progress, [&] { return state(); });
      --round_;
    }
    return finished();
  }

 private:
  // The derivatives of an objective of the caller's own, by scores that come to the host for it.
  void ask_for_gradients() {
    const Index outputs = model_.trees.outputs;
    Matrix<T> scores(rows_.count, outputs);
    scores_.download(scores.values());
    Matrix<T> gradients(rows_.count, outputs, std::numeric_limits<T>::quiet_NaN());
    Matrix<T> hessians = gradients;
    custom_->derivatives(rows_.with_scores(scores), gradients.view(), hessians.view());
    std::vector<T> by_output(gradients.values().size());
    const auto hand_over = [&](const Matrix<T>& derivatives, std::string_view which, bool positive,
                               Buffer<T>& to) {
      for (Index i = 0; i < rows_.count; ++i) {
        for (Index k = 0; k < outputs; ++k) {
          const T value = derivatives(i, k);
          if (!std::isfinite(value) || (positive && value < 0)) {
            throw InputError("round " + std::to_string(round_ + 1) +
                             ": the objective of the fit's own gives row " +
                             std::to_string(rows_.numbers[static_cast<std::size_t>(i)] + 1) +
                             " a " + std::string(which) + " derivative of " + shortest(value) +
                             ", expected " +
                             (positive ? "a finite number, 0 or more" : "a finite number"));
          }
          by_output[static_cast<std::size_t>(k * rows_.count + i)] = value;
        }
      }
      to.upload(by_output);
    };
    hand_over(gradients, "first", false, other_gradients_);
    hand_over(hessians, "second", true, other_hessians_);
  }

  // Records the validation rows' loss, where it is known, and metric, and whether this round is the
  // best so far.
  void judge_round(Progress& progress) {
    double value = 0;
    if (!custom_) {
      value = ranking_ ? ranking_loss(*validation_)
                       : steps_->total_loss(loss_, validation_->scores, validation_->target,
                                            validation_->weights, validation_->rows) /
                             validation_->weight;
      if (!std::isfinite(value)) diverged("validation loss", round_);
      model_.log.history["validation_loss"].push_back(value);
    } else if (judge_.by_loss()) {
      return;
    }
    if (!judge_.by_loss()) {
      Matrix<T> scores(validation_->rows, model_.trees.outputs);
      validation_->scores.download(scores.values());
      value = judge_.measure(model_, validation_->on_host, scores, engine_.threads());
      model_.log.history["validation_" + judge_.name()].push_back(value);
    }
    if (best_rounds_ == 0 || judge_.better(value, best_value_)) {
      best_value_ = value;
      best_rounds_ = round_ + 1;
    }
    progress.objective_name = "validation " + judge_.name();
    progress.objective = value;
  }

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

  // Which columns are split by sets of categories, and in which bins these are.
  void sort_out_categories(const DatasetView<T>& train, const BoostingRows<T>* validation,
                           const FitContext<T>& context) {
    categories_ = rows_.bins != nullptr ? categories_of(*rows_.bins)
                                        : categories_of_rows(rows_, train.columns,
                                                             options_.max_cat_bins, train.source);
    if (!categories_.any()) return;
    model_.trees.categories.clear();
    for (const Column& column : train.columns) model_.trees.categories.push_back(column.categories);
    for (std::size_t j = 0; j < options_.monotone_constraints.size(); ++j) {
      if (!categories_.has(static_cast<Index>(j)) || options_.monotone_constraints[j] == 0)
        continue;
      throw InputError(option("monotone_constraints") + ": column " + train.columns[j].name +
                       " has categories, which have no order to be monotone in; expected 0");
    }
    if (validation == nullptr) return;
    const std::span<const Column> columns =
        context.validation ? context.validation->columns : train.columns;
    for (std::size_t j = 0; j < columns.size(); ++j) {
      if (columns[j].categories == train.columns[j].categories) continue;
      throw InputError(context.validation->source + ": the categories of column " +
                       columns[j].name +
                       " are not those of the training rows in their order, so that equal codes "
                       "do not mean the same");
    }
    if (validation->elsewhere()) return;
    categories_.check(validation->x, train.columns, std::span<const Index>(validation->numbers),
                      context.validation ? context.validation->source : train.source);
  }

  void upload(std::optional<BoostingRows<T>>& validation) {
    const Index features = model_.trees.features;
    cuts_ = rows_.bins != nullptr
                ? rows_.bins->table.cuts
                : cuts_of_rows(rows_, BinnableRows<T>(rows_.x, categories_).view(), categories_,
                               options_.max_bins, engine_.threads());
    const Index stride = binned_stride(features);
    const int bin_bytes = cuts_.bin_bytes();
    bins_there_ = bins_of_rows(engine_, rows_, cuts_, categories_, true);
    target_ = to_engine(engine_, rows_.target);
    weights_ = to_engine(engine_, rows_.weights);
    scores_ = starting_scores(engine_, rows_, model_.trees);
    if (validation) {
      Validation<T>& part = validation_.emplace();
      part.rows = validation->count;
      part.weight = total_weight(validation->weights, validation->count);
      part.by_row = bins_of_rows(engine_, *validation, cuts_, categories_, false).by_row;
      part.target = to_engine(engine_, validation->target);
      part.weights = to_engine(engine_, validation->weights);
      part.scores = starting_scores(engine_, *validation, model_.trees);
      if (ranks(model_.objective)) {
        part.queries = ranking_queries(engine_, std::span<const Index>(validation->starts),
                                       std::span<const T>(validation->target), ranking_rules_);
      }
      engine_.wait();
      part.on_host = std::move(*validation);
      part.on_host.selected = {};
      part.on_host.x = {};
    }
    for (Index j = 0; j < features; ++j) bins_.push_back(static_cast<std::int32_t>(cuts_.bins(j)));
    for (const std::int64_t direction : options_.monotone_constraints) {
      directions_.push_back(static_cast<std::int8_t>(direction));
    }
    const std::int32_t slots = BoostedGrowth<T>::slots_for(
        options_, 16 * histogram_places(bins_, cuts_.missing, bin_bytes).back());
    const BoostingData<T> binned_data{
        rows_.count,       features,  stride, &bins_there_.by_row, &bins_there_.by_column,
        &target_,          &weights_, bins_,  cuts_.missing,       directions_,
        categories_.kinds, bin_bytes};
    steps_ = make_steps<GradientBoostingSteps, T>(engine_);
    steps_->prepare(binned_data, model_.trees.outputs, slots);
    growth_.emplace(*steps_, options_, cuts_, categories_, groups_, slots, binned_data.set_words());
    quantile_ = {model_.objective == BoostingObjective::quantile ? options_.quantile_alpha : 0.5,
                 weight_scale(rows_.weights)};
    if (custom_ || ranks(model_.objective)) {
      other_gradients_ = Buffer<T>(engine_, rows_.count * model_.trees.outputs);
      other_hessians_ = Buffer<T>(engine_, rows_.count * model_.trees.outputs);
    }
    if (custom_ || !ranks(model_.objective)) return;
    ranking_ = make_steps<RankingSteps, T>(engine_);
    queries_ = ranking_queries(engine_, std::span<const Index>(rows_.starts),
                               std::span<const T>(rows_.target), ranking_rules_);
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

  // The rows that a tree is grown on, and the range of what they count for.
  RowSample draw_rows(Index output, std::uint32_t number, GradientRange& range) {
    RowSample sample{.share = options_.subsample, .seed = options_.seed, .stream = 4 * number};
    const double rounds =
        std::floor(static_cast<double>(number) / static_cast<double>(model_.trees.outputs));
    // Before there is a model, gradients say little of which rows are hard.
    if (options_.sampling_method != SamplingMethod::goss ||
        rounds < std::floor(1 / options_.learning_rate)) {
      return sample;
    }
    const auto all = static_cast<double>(rows_.count);
    const auto top = static_cast<Index>(std::ceil(options_.top_rate * all));
    // Those above the largest that is not among so many.
    const GradientRank rank = steps_->rank_gradients(output, std::min(top + 1, rows_.count));
    sample.kept_above = rank.magnitude;
    // Of rows at the bound itself, as of those below, some are drawn: on average so many in all as
    // the rates say, also where rows of equal gradients make those above fewer.
    const double wanted =
        static_cast<double>(top) + options_.other_rate * all - static_cast<double>(rank.above);
    sample.share = std::min(1.0, wanted / static_cast<double>(rows_.count - rank.above));
    if (sample.all()) return sample;
    sample.weight = 1 / sample.share;
    range.most_gradient = std::max(range.most_gradient, rank.magnitude * sample.weight);
    range.most_hessian *= sample.weight;
    return sample;
  }

  void grow_tree(Index output, const GradientRange& range) {
    // Squares of sums of gradients must stay in the range of double precision.
    if (!(range.most_gradient < 1e140) || !std::isfinite(range.most_hessian)) {
      diverged("gradient", round_);
    }
    const auto number = static_cast<std::uint32_t>(model_.trees.trees.size());
    GradientRange of_sample = range;
    const RowSample sample = draw_rows(output, number, of_sample);
    const bool unit = !custom_ && ranking_ == nullptr && unit_hessian(loss_.kind) &&
                      weights_.empty() && sample.weight == 1;
    const bool wide = !unit && rows_.count <= few_rows;
    GradientPacking packing = packing_for(of_sample, rows_.count, unit, wide);
    PackedSums sums = steps_->pack(output, packing, sample);
    if (!wide && sums.magnitudes < sums.rows * least_mean_units && sums.magnitudes > 0) {
      packing = packing_for(of_sample, rows_.count, unit, true);
      sums = steps_->pack(output, packing, sample);
    }
    BoostedTree<T> grown = growth_->grow(packing, sums, number);
    grown.tree.output = static_cast<std::int32_t>(output);
    if (!custom_ && renews_leaves(loss_.kind)) renew_leaves(grown, output);
    if (!sample.all()) {
      steps_->add_tree(grown.binned, grown.sets, bins_there_.by_row, rows_.count, output, scores_);
    } else {
      steps_->add_leaves(grown.leaves, output, scores_);
    }
    if (validation_) {
      steps_->add_tree(grown.binned, grown.sets, validation_->by_row, validation_->rows, output,
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
    archive.set("best_value", best_value_);
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
    best_value_ = state->get_double("best_value");
    model_.trees = std::move(trees);
    model_.log = TrainingLog::load(*state);
  }

  GradientBoostingModel<T> finished() {
    const Index outputs = model_.trees.outputs;
    TrainingLog& log = model_.log;
    log.iterations = round_;
    if (waited_too_long()) {
      log.converged = true;
      log.stopped_because = "the validation " + judge_.name() + " has not improved for " +
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
  BoostingJudge<T> judge_;
  std::optional<CustomObjective<T>> custom_;
  GradientBoostingModel<T> model_;
  LossRules<T> loss_;
  BoostingRows<T> rows_;
  CategoryBins categories_;
  InteractionGroups groups_;
  BinCuts<T> cuts_;
  std::vector<std::int32_t> bins_;
  std::vector<std::int8_t> directions_;
  BinsOnEngine bins_there_;
  Buffer<T> target_;
  Buffer<T> weights_;
  Buffer<T> scores_;
  std::optional<Validation<T>> validation_;
  QuantileRule quantile_;
  RankingRules ranking_rules_;
  std::unique_ptr<RankingSteps<T>> ranking_;  // null where the objective does not rank
  RankingQueries queries_;
  // Of objectives that the steps do not compute: outputs × n.
  Buffer<T> other_gradients_;
  Buffer<T> other_hessians_;
  std::unique_ptr<GradientBoostingSteps<T>> steps_;
  std::optional<BoostedGrowth<T>> growth_;
  Index round_ = 0;
  Index first_tree_ = 0;
  Index best_rounds_ = 0;
  double best_value_ = 0;  // once there is a best round
};

}  // namespace
}  // namespace tree

template <Real T>
GradientBoostingModel<T> fit(Engine& engine, const DatasetView<T>& data,
                             const GradientBoostingOptions& options,
                             const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context, TakesCustom::yes);
  const StopScope stop(context.control);
  check_options(options);
  return Boosting<T>(engine, setting.data(), nullptr, options, context, setting.control(), nullptr)
      .run();
}

template <Real T>
GradientBoostingModel<T> fit(Engine& engine, const BinnedDataset<T>& data,
                             const GradientBoostingOptions& options,
                             const FitContext<std::type_identity_t<T>>& context) {
  const Dataset<T> rest = data.without_features();
  DatasetView<T> view = rest.view();
  view.features = {nullptr, data.rows(), data.cols(), data.cols()};
  view.columns = data.columns;
  const FitSetting<T> setting(view, context, TakesCustom::yes);
  const StopScope stop(context.control);
  check_options(options);
  return Boosting<T>(engine, setting.data(), &data, options, context, setting.control(), nullptr)
      .run();
}

template <Real T>
GradientBoostingModel<T> fit_further(Engine& engine, const GradientBoostingModel<T>& model,
                                     const DatasetView<T>& data,
                                     const GradientBoostingOptions& options,
                                     const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context, TakesCustom::yes);
  const StopScope stop(context.control);
  check_options(options);
  return Boosting<T>(engine, setting.data(), nullptr, options, context, setting.control(), &model)
      .run();
}

template GradientBoostingModel<float> fit(Engine&, const DatasetView<float>&,
                                          const GradientBoostingOptions&, const FitContext<float>&);
template GradientBoostingModel<double> fit(Engine&, const DatasetView<double>&,
                                           const GradientBoostingOptions&,
                                           const FitContext<double>&);
template GradientBoostingModel<float> fit(Engine&, const BinnedDataset<float>&,
                                          const GradientBoostingOptions&, const FitContext<float>&);
template GradientBoostingModel<double> fit(Engine&, const BinnedDataset<double>&,
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

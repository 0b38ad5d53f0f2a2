#include "tandem/model/validation.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/json_text.hpp"
#include "core/memory.hpp"
#include "core/model/stop_only.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/data/split.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/baseline.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/sparse_training.hpp"

namespace tandem {
namespace {

constexpr double no_score = std::numeric_limits<double>::quiet_NaN();

// The arc tangent of x >= 0, of operations that are the same everywhere: the half-angle formula
// three times brings the angle below π/16, where the power series ends soon.
double arc_tangent(double x) {
  for (int i = 0; i < 3; ++i) x = x / (1 + std::sqrt(1 + x * x));
  const double square = x * x;
  double sum = 0;
  for (int k = 27; k >= 1; k -= 2) sum = 1.0 / k - square * sum;
  return 8 * x * sum;
}

// P(|X| <= t) of Student's distribution: Abramowitz and Stegun, 26.7.3 (odd) and 26.7.4 (even).
double student_t_probability(double t, Index degrees) {
  const auto v = static_cast<double>(degrees);
  const double squared_cosine = v / (v + t * t);
  const double sine = t / std::sqrt(v + t * t);
  constexpr double two_over_pi = 0.63661977236758134308;
  if (degrees % 2 == 0) {
    double term = 1;
    double sum = 1;
    for (Index k = 2; k < degrees; k += 2) {
      term *= squared_cosine * static_cast<double>(k - 1) / static_cast<double>(k);
      sum += term;
    }
    return sine * sum;
  }
  double term = std::sqrt(squared_cosine);
  double sum = degrees > 1 ? term : 0.0;
  for (Index k = 3; k < degrees; k += 2) {
    term *= squared_cosine * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  return two_over_pi * (arc_tangent(t / std::sqrt(v)) + sine * sum);
}

struct Moments {
  double mean = no_score;
  double deviation = no_score;
  Index count = 0;
};

// Moments of the values that are not NaN. The deviation divides by count − 1 and is NaN for one
// value.
Moments moments(const std::vector<double>& values) {
  Moments result;
  double sum = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++result.count;
  }
  if (result.count == 0) return result;
  result.mean = sum / static_cast<double>(result.count);
  double squares = 0;
  for (const double value : values) {
    if (!std::isnan(value)) squares += (value - result.mean) * (value - result.mean);
  }
  result.deviation =
      result.count > 1 ? std::sqrt(squares / static_cast<double>(result.count - 1)) : no_score;
  return result;
}

void check(const ValidationOptions& options) {
  if (!(options.confidence > 0 && options.confidence <= 0.9999)) {
    throw InputError("the confidence is " + std::to_string(options.confidence) +
                     ", expected a number above 0 and up to 0.9999");
  }
}

// The parts of all repeats, one after the other.
template <Real T>
struct Partition {
  Task task;
  bool stratified = false;
  std::vector<std::int32_t> labels;  // where stratified
  std::vector<Folds> repeats;
};

template <Real T>
Partition<T> partition_of(const Algorithm& algorithm, const Dataset<T>& data,
                          const ValidationOptions& options) {
  check(options);
  if (data.rows() == 0)
    throw InputError(data.source + ": has no rows to validate on; is it the file that was meant?");
  // The rows of both parts of a fold, and what the steps before the algorithm make of them.
  require_memory(data.source + ": a fold's copies of its rows",
                 saturating_product(saturating_product(data.rows(), data.cols() + 2),
                                    2 * static_cast<Index>(sizeof(T))),
                 "take fewer rows, or " + option("precision") + " float32");
  Partition<T> partition{algorithm.task(data), false, {}, {}};
  // Each part should have some outliers, too.
  const bool of_classes = partition.task == Task::classification ||
                          (partition.task == Task::detection && tells_outliers(data));
  partition.stratified = options.stratified && of_classes && !data.has_groups();
  if (data.has_groups()) {
    partition.repeats =
        repeated_group_k_fold(data.groups, options.folds, options.repeats, options.seed);
  } else if (partition.stratified) {
    partition.labels = encode_classes(data).labels;
    partition.repeats =
        repeated_stratified_k_fold(partition.labels, options.folds, options.repeats, options.seed);
  } else {
    partition.repeats = repeated_k_fold(data.rows(), options.folds, options.repeats, options.seed);
  }
  return partition;
}

// A fold's rows might ask for another task than all rows do.
PipelineOptions of_one_task(const PipelineOptions& asked, Task task) {
  PipelineOptions pipeline = asked;
  if (pipeline.algorithm().kind() == ModelKind::predictor) pipeline.decide_task(task);
  return pipeline;
}

struct Scores {
  std::map<std::string, double> train;
  std::map<std::string, double> test;
  double seconds = 0;
};

// Fits a pipeline on the training rows and scores both parts.
template <Real T>
Scores score_split(const PipelineOptions& pipeline, const Dataset<T>& data,
                   const std::vector<Index>& train_rows, const std::vector<Index>& test_rows,
                   const EvaluateOptions& evaluation, Engine& engine, RunControl& control) {
  StopOnly fold(control);
  const auto begin = std::chrono::steady_clock::now();
  Dataset<T> train = select_rows(data, train_rows);
  if (trains_on_sparse_rows(pipeline, train.view())) {
    const Pipeline<T> fitted = fit_pipeline(engine, train, pipeline, {.control = &fold});
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    return {fitted.evaluate(engine, std::move(train), evaluation).metrics,
            fitted.evaluate(engine, select_rows(data, test_rows), evaluation).metrics,
            seconds.count()};
  }
  Dataset<T> prepared;
  std::unique_ptr<EngineTable<T>> rows_on_engine;
  const Pipeline<T> fitted =
      fit_pipeline(engine, std::move(train), pipeline,
                   {.prepared = &prepared, .table = &rows_on_engine, .control = &fold});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const bool supervised = pipeline.algorithm().kind() == ModelKind::predictor;
  const Dataset<T> test =
      fitted.transforms.transform(select_rows(data, test_rows), engine.threads());
  require_finite(test, supervised, pipeline.algorithm().accepts_missing());
  return {fitted.evaluate_prepared(engine, prepared, evaluation).metrics,
          fitted.evaluate_prepared(engine, test, evaluation).metrics, seconds.count()};
}

// One value per entry; NaN where a metric is missing or not defined.
std::vector<double> values_of(const std::vector<std::map<std::string, double>>& all,
                              const std::string& metric) {
  std::vector<double> values;
  for (const auto& metrics : all) {
    const auto found = metrics.find(metric);
    values.push_back(found == metrics.end() ? no_score : found->second);
  }
  return values;
}

std::set<std::string> names_of(const std::vector<std::map<std::string, double>>& all) {
  std::set<std::string> names;
  for (const auto& metrics : all) {
    for (const auto& [name, value] : metrics) names.insert(name);
  }
  return names;
}

void save_metrics(Archive& archive, const std::string& prefix,
                  const std::map<std::string, double>& metrics) {
  for (const auto& [name, value] : metrics) archive.set(prefix + "/" + name, value);
}

std::map<std::string, double> load_metrics(const Archive& archive, const std::string& prefix) {
  const Archive part = archive.part(prefix);
  std::map<std::string, double> metrics;
  for (const auto& [name, value] : part.entries()) metrics.emplace(name, part.get_double(name));
  return metrics;
}

Archive state_of(const CrossValidation& result) {
  Archive state;
  state.set("kind", "cross-validation");
  state.set("rows", result.rows);
  state.set("folds", result.options.folds);
  state.set("repeats", result.options.repeats);
  state.set("seed", std::to_string(result.options.seed));
  state.set("done", static_cast<std::int64_t>(result.test.size()));
  state.set("seconds", result.seconds);
  for (std::size_t f = 0; f < result.test.size(); ++f) {
    save_metrics(state, "train/" + std::to_string(f), result.train[f]);
    save_metrics(state, "test/" + std::to_string(f), result.test[f]);
  }
  return state;
}

void resume(CrossValidation& result, const Archive& state) {
  const auto same = [&](std::string_view name, bool equal) {
    if (!equal) state.fail(name, "is not that of this run; a checkpoint continues the same run");
  };
  same("kind", state.get_string("kind") == "cross-validation");
  same("rows", state.get_int("rows") == result.rows);
  same("folds", state.get_int("folds") == result.options.folds);
  same("repeats", state.get_int("repeats") == result.options.repeats);
  same("seed", state.get_string("seed") == std::to_string(result.options.seed));
  const Index done = state.get_int("done", 0, result.options.folds * result.options.repeats);
  result.seconds = state.get_doubles("seconds");
  if (static_cast<Index>(result.seconds.size()) != done)
    state.fail("seconds", "is not one per fold");
  for (Index f = 0; f < done; ++f) {
    result.train.push_back(load_metrics(state, "train/" + std::to_string(f)));
    result.test.push_back(load_metrics(state, "test/" + std::to_string(f)));
  }
}

// Any first part of the order has each class in proportion, to within one row: row k of the n of
// its class stands at (k + ½) / n of the whole.
std::vector<Index> stratified_order(const std::vector<Index>& rows,
                                    const std::vector<std::int32_t>& labels, std::uint64_t seed,
                                    std::uint32_t stream) {
  struct Place {
    double at;
    std::int32_t label;
    Index row;
  };
  std::map<std::int32_t, Index> sizes;
  for (const Index row : rows) ++sizes[labels[static_cast<std::size_t>(row)]];
  std::map<std::int32_t, Index> next;
  std::vector<Place> places;
  for (const Index position : random_order(static_cast<Index>(rows.size()), seed, stream)) {
    const Index row = rows[static_cast<std::size_t>(position)];
    const std::int32_t label = labels[static_cast<std::size_t>(row)];
    places.push_back(
        {(static_cast<double>(next[label]++) + 0.5) / static_cast<double>(sizes[label]), label,
         row});
  }
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) {
    return a.at != b.at ? a.at < b.at : a.label < b.label;
  });
  std::vector<Index> order;
  for (const Place& place : places) order.push_back(place.row);
  return order;
}

// Whole groups in random order, the rows of each as they stand in the data: the last of a first
// part of the order may be cut, no other.
std::vector<Index> group_order(const std::vector<Index>& rows, const std::vector<Index>& groups,
                               std::uint64_t seed, std::uint32_t stream) {
  std::vector<std::vector<Index>> members;
  std::map<Index, std::size_t> numbers;
  for (const Index row : rows) {
    const auto [found, added] =
        numbers.try_emplace(groups[static_cast<std::size_t>(row)], members.size());
    if (added) members.emplace_back();
    members[found->second].push_back(row);
  }
  std::vector<Index> order;
  for (const Index group : random_order(static_cast<Index>(members.size()), seed, stream)) {
    const auto& whole = members[static_cast<std::size_t>(group)];
    order.insert(order.end(), whole.begin(), whole.end());
  }
  return order;
}

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

nlohmann::json numbers(const std::vector<double>& values) {
  nlohmann::json list = nlohmann::json::array();
  for (const double value : values) list.push_back(number(value));
  return list;
}

nlohmann::json numbers(const std::map<std::string, double>& values) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& [name, value] : values) object[name] = number(value);
  return object;
}

nlohmann::json json_of(const Estimate& estimate) {
  return {{"mean", number(estimate.mean)},
          {"deviation", number(estimate.deviation)},
          {"low", number(estimate.low)},
          {"high", number(estimate.high)},
          {"count", estimate.count}};
}

}  // namespace

double student_t_interval(double probability, Index degrees) {
  if (!(probability >= 0 && probability <= 0.9999)) {
    throw InputError("Student's t: the probability is " + std::to_string(probability) +
                     ", expected 0 to 0.9999");
  }
  if (degrees < 1) throw InputError("Student's t: at least 1 degree of freedom is needed");
  double low = 0;
  double high = 1;
  while (student_t_probability(high, degrees) < probability) high *= 2;
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) return middle;
    (student_t_probability(middle, degrees) < probability ? low : high) = middle;
  }
}

Estimate estimate(const std::vector<double>& values, double confidence, double overlap,
                  const MetricBounds& bounds) {
  const Moments found = moments(values);
  Estimate result{found.mean, found.deviation, bounds.lowest, bounds.highest, found.count};
  if (found.count < 2) return result;
  const double half = student_t_interval(confidence, found.count - 1) * found.deviation *
                      std::sqrt(1.0 / static_cast<double>(found.count) + overlap);
  result.low = found.mean - half;
  result.high = found.mean + half;
  const double above = found.mean - bounds.lowest;
  const double below = bounds.highest - found.mean;
  // At a bound all values are equal, up to rounding of their mean.
  if (!(above > 0) || !(below > 0)) return result;
  if (std::isfinite(above) && std::isfinite(below)) {
    const double step = half * (above + below) / (above * below);  // of log(above / below)
    const auto at = [&](double move) {
      const double ratio = above / below * std::exp(move);
      return std::isinf(ratio) ? bounds.highest
                               : bounds.lowest + (above + below) * (ratio / (1 + ratio));
    };
    result.low = at(-step);
    result.high = at(step);
  } else if (std::isfinite(above)) {
    result.low = bounds.lowest + above * std::exp(-half / above);
    result.high = bounds.lowest + above * std::exp(half / above);
  } else if (std::isfinite(below)) {
    result.low = bounds.highest - below * std::exp(half / below);
    result.high = bounds.highest - below * std::exp(-half / below);
  }
  return result;
}

template <Real T>
CrossValidation cross_validate(const PipelineOptions& asked, const Dataset<T>& data,
                               const ValidationOptions& options, Engine& engine,
                               RunControl& control) {
  const StopScope stop(&control);
  const Partition<T> partition = partition_of(asked.algorithm(), data, options);
  const PipelineOptions pipeline = of_one_task(asked, partition.task);
  CrossValidation result;
  result.task = partition.task;
  result.rows = data.rows();
  result.options = options;
  result.stratified = partition.stratified;
  if (control.resume_state() != nullptr) resume(result, *control.resume_state());

  const EvaluateOptions evaluation{
      .silhouette = options.silhouette, .curves = false, .outlier_class = options.outlier_class};
  const std::string objective =
      result.task == Task::clustering ? "inertia" : std::string(usual_metric(result.task));
  const Index total = options.folds * options.repeats;
  const auto before = static_cast<Index>(result.test.size());
  WatchedFit watched(static_cast<double>(total - before));
  for (Index done = before; done < total; ++done) {
    watched.begin_fit(1);
    const Folds& folds = partition.repeats[static_cast<std::size_t>(done / options.folds)];
    const Split split = folds.split(done % options.folds);
    Scores scores;
    try {
      scores = score_split(pipeline, data, split.train, split.test, evaluation, engine, control);
    } catch (const Interrupted&) {
      // Stopped inside a fold: that fold is lost, those before it are not.
      if (control.keeps_checkpoints()) control.save_checkpoint(state_of(result));
      throw;
    }
    watched.done_at(static_cast<double>(done + 1 - before));
    const auto found = scores.test.find(objective);
    Progress progress{"fold", done + 1, total, "", 0};
    if (found != scores.test.end() && !std::isnan(found->second)) {
      progress.objective_name = objective;
      progress.objective = found->second;
    }
    result.train.push_back(std::move(scores.train));
    result.test.push_back(std::move(scores.test));
    result.seconds.push_back(scores.seconds);
    end_iteration(control, progress, [&] { return state_of(result); });
  }
  for (const std::string& metric : names_of(result.test)) {
    result.summary.emplace(
        metric, estimate(values_of(result.test, metric), options.confidence,
                         1.0 / static_cast<double>(options.folds - 1), metric_bounds(metric)));
  }
  return result;
}

template <Real T>
LearningCurve learning_curve(const PipelineOptions& asked, const Dataset<T>& data,
                             std::vector<Index> sizes, const ValidationOptions& options,
                             Engine& engine, RunControl& control) {
  const StopScope stop(&control);
  const Partition<T> partition = partition_of(asked.algorithm(), data, options);
  const PipelineOptions pipeline = of_one_task(asked, partition.task);
  std::vector<Split> splits;
  Index largest = data.rows();
  for (const Folds& folds : partition.repeats) {
    for (Index f = 0; f < folds.count; ++f) {
      splits.push_back(folds.split(f));
      largest = std::min(largest, static_cast<Index>(splits.back().train.size()));
    }
  }
  if (sizes.empty()) {
    // Two rows of each class, at the least, and one of each cluster.
    Index least = 2;
    if (pipeline.algorithm().kind() == ModelKind::clusterer &&
        pipeline.algorithm().has_option("clusters")) {
      least = std::max<Index>(least, pipeline.algorithm().options().get_int("clusters"));
    }
    if (partition.stratified) {
      least =
          2 * static_cast<Index>(
                  std::set<std::int32_t>(partition.labels.begin(), partition.labels.end()).size());
    }
    for (int i = 0; i < 5; ++i) {
      const double share = 0.1 + 0.225 * i;
      const auto size = static_cast<Index>(std::floor(share * static_cast<double>(largest) + 0.5));
      sizes.push_back(std::min(std::max(size, least), largest));
    }
  }
  std::sort(sizes.begin(), sizes.end());
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  if (sizes.front() < 1 || sizes.back() > largest) {
    throw InputError("learning curve: sizes of " + std::to_string(sizes.front()) + " to " +
                     std::to_string(sizes.back()) +
                     " training rows were asked for, expected 1 to " + std::to_string(largest) +
                     ", the smallest training part of the folds");
  }

  const EvaluateOptions evaluation{
      .silhouette = options.silhouette, .curves = false, .outlier_class = options.outlier_class};
  // [size][split]
  std::vector<std::vector<std::map<std::string, double>>> train(sizes.size());
  std::vector<std::vector<std::map<std::string, double>>> test(sizes.size());
  // Progress is counted in training rows, since a fit takes longer the more it has of them.
  const Index total =
      static_cast<Index>(splits.size()) * std::accumulate(sizes.begin(), sizes.end(), Index{0});
  Index done = 0;
  WatchedFit watched(static_cast<double>(total));
  for (std::size_t s = 0; s < splits.size(); ++s) {
    // Streams above those of the partitions.
    const auto stream = static_cast<std::uint32_t>(0x80000000U + s);
    std::vector<Index> order;
    if (partition.stratified) {
      order = stratified_order(splits[s].train, partition.labels, options.seed, stream);
    } else if (data.has_groups()) {
      order = group_order(splits[s].train, data.groups, options.seed, stream);
    } else {
      for (const Index at :
           random_order(static_cast<Index>(splits[s].train.size()), options.seed, stream)) {
        order.push_back(splits[s].train[static_cast<std::size_t>(at)]);
      }
    }
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      std::vector<Index> rows(order.begin(), order.begin() + sizes[i]);
      std::sort(rows.begin(), rows.end());
      watched.begin_fit(static_cast<double>(sizes[i]));
      Scores scores =
          score_split(pipeline, data, rows, splits[s].test, evaluation, engine, control);
      train[i].push_back(std::move(scores.train));
      test[i].push_back(std::move(scores.test));
      done += sizes[i];
      watched.done_at(static_cast<double>(done));
      control.report({"training row", done, total, "", 0});
    }
  }

  LearningCurve curve;
  curve.task = partition.task;
  curve.sizes = sizes;
  std::set<std::string> metrics;
  for (std::size_t i = 0; i < sizes.size(); ++i) metrics.merge(names_of(test[i]));
  for (const std::string& metric : metrics) {
    LearningCurve::Series& series = curve.metrics[metric];
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const Moments on_train = moments(values_of(train[i], metric));
      const Moments on_test = moments(values_of(test[i], metric));
      series.train_mean.push_back(on_train.mean);
      series.train_deviation.push_back(on_train.deviation);
      series.validation_mean.push_back(on_test.mean);
      series.validation_deviation.push_back(on_test.deviation);
    }
  }
  return curve;
}

template <Real T>
std::map<std::string, double> cross_validate_baseline(const PipelineOptions& pipeline,
                                                      const Dataset<T>& data,
                                                      const ValidationOptions& options) {
  std::map<std::string, double> means;
  if (pipeline.algorithm().kind() != ModelKind::predictor) return means;
  const Partition<T> partition = partition_of(pipeline.algorithm(), data, options);
  // The same classes for all folds: those that a training part lacks have a share of 0.
  std::vector<std::string> classes;
  if (partition.task == Task::classification) classes = encode_classes(data).names;
  // No feature is looked at: none is copied.
  DatasetView<T> targets = data.view();
  targets.features.cols = 0;
  targets.columns = {};
  targets.base_margin = {};
  std::vector<std::map<std::string, double>> all;
  for (const Folds& folds : partition.repeats) {
    for (Index f = 0; f < folds.count; ++f) {
      const Split split = folds.split(f);
      const auto baseline =
          fit_baseline(select_rows(targets, split.train).view(), partition.task, classes);
      all.push_back(baseline_metrics(baseline, select_rows(targets, split.test).view()));
    }
  }
  for (const std::string& metric : names_of(all)) {
    means.emplace(metric, moments(values_of(all, metric)).mean);
  }
  return means;
}

std::string to_json(const Estimate& estimate) { return json_text(json_of(estimate)); }

std::string to_json(const CrossValidation& result) {
  nlohmann::json json;
  json["task"] = to_string(result.task);
  json["rows"] = result.rows;
  json["folds"] = result.options.folds;
  json["repeats"] = result.options.repeats;
  json["stratified"] = result.stratified;
  json["seed"] = result.options.seed;
  json["confidence"] = result.options.confidence;
  json["interval"] =
      "corrected resampled t (Nadeau and Bengio 2003), on a log scale between the metric's bounds";
  json["summary"] = nlohmann::json::object();
  for (const auto& [metric, estimate] : result.summary) json["summary"][metric] = json_of(estimate);
  json["folds_detail"] = nlohmann::json::array();
  for (std::size_t f = 0; f < result.test.size(); ++f) {
    json["folds_detail"].push_back({{"repeat", static_cast<Index>(f) / result.options.folds},
                                    {"fold", static_cast<Index>(f) % result.options.folds},
                                    {"train", numbers(result.train[f])},
                                    {"test", numbers(result.test[f])},
                                    {"seconds", result.seconds[f]}});
  }
  return json_text(json);
}

std::string to_json(const LearningCurve& curve) {
  nlohmann::json json;
  json["task"] = to_string(curve.task);
  json["sizes"] = curve.sizes;
  json["metrics"] = nlohmann::json::object();
  for (const auto& [metric, series] : curve.metrics) {
    json["metrics"][metric] = {{"train_mean", numbers(series.train_mean)},
                               {"train_deviation", numbers(series.train_deviation)},
                               {"validation_mean", numbers(series.validation_mean)},
                               {"validation_deviation", numbers(series.validation_deviation)}};
  }
  return json_text(json);
}

#define TANDEM_INSTANTIATE(T)                                                                  \
  template CrossValidation cross_validate(const PipelineOptions&, const Dataset<T>&,           \
                                          const ValidationOptions&, Engine&, RunControl&);     \
  template LearningCurve learning_curve(const PipelineOptions&, const Dataset<T>&,             \
                                        std::vector<Index>, const ValidationOptions&, Engine&, \
                                        RunControl&);                                          \
  template std::map<std::string, double> cross_validate_baseline(                              \
      const PipelineOptions&, const Dataset<T>&, const ValidationOptions&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

#include "tandem/model/explain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "core/random_permutation.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/metrics/evaluate.hpp"

namespace tandem {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

double metric_of(const Evaluation& evaluation, const std::string& metric) {
  const auto found = evaluation.metrics.find(metric);
  return found == evaluation.metrics.end() ? std::numeric_limits<double>::quiet_NaN()
                                           : found->second;
}

// Rows of weight 0 count for nothing: without them, where there are some. `kept` holds the others.
template <Real T>
const Dataset<T>& rows_that_count(const Dataset<T>& raw, std::optional<Dataset<T>>& kept) {
  std::vector<Index> counting;
  for (Index i = 0; raw.has_weights() && i < raw.rows(); ++i) {
    if (raw.weights[at(i)] > T{0}) counting.push_back(i);
  }
  if (!raw.has_weights() || static_cast<Index>(counting.size()) == raw.rows()) return raw;
  if (counting.empty()) {
    throw InputError(raw.source + ": all rows have weight 0; give some row a positive weight");
  }
  return kept.emplace(select_rows(raw, counting));
}

// The grid of a numeric column: its distinct values, or quantiles of its rows as they weigh: those
// of as many equal rows, where weights are whole numbers from 1 on.
template <Real T>
std::vector<double> grid_of(const Dataset<T>& raw, Index column, Index points) {
  std::vector<std::pair<double, double>> weighted;
  double least = std::numeric_limits<double>::infinity();
  for (Index i = 0; i < raw.rows(); ++i) {
    const auto value = static_cast<double>(raw.features(i, column));
    if (std::isnan(value)) continue;
    const double weight = raw.has_weights() ? static_cast<double>(raw.weights[at(i)]) : 1;
    weighted.emplace_back(value, weight);
    least = std::min(least, weight);
  }
  if (weighted.empty()) {
    throw InputError("column '" + raw.columns[at(column)].name +
                     "' has missing values only, so that no prediction can depend on it");
  }
  std::ranges::sort(weighted);
  std::vector<double> distinct;
  std::vector<double> until;  // the weight of the rows up to this value, it included
  double whole = 0;
  for (const auto& [value, weight] : weighted) {
    whole += weight;
    if (distinct.empty() || distinct.back() != value) {
      distinct.push_back(value);
      until.push_back(whole);
    }
    until.back() = whole;
  }
  if (static_cast<Index>(distinct.size()) <= points) return distinct;
  std::vector<double> grid;
  for (Index p = 0; p < points; ++p) {
    // The value of row (rows − 1)·p / (points − 1), rounded down, where rows weigh 1.
    const double before =
        (whole - least) * static_cast<double>(p) / static_cast<double>(points - 1);
    const auto found = std::ranges::upper_bound(until, before);
    grid.push_back(found == until.end() ? distinct.back() : distinct[at(found - until.begin())]);
  }
  grid.erase(std::unique(grid.begin(), grid.end()), grid.end());
  return grid;
}

}  // namespace

void PermutationOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"repeats", {"n_repeats"}}, repeats,
                  "times that each column is shuffled to see how much worse the model gets", 1,
                  1000);
  visitor.text({"metric", {"scoring"}}, metric,
               "what gets worse: a metric that tandem evaluate shows; if left out, accuracy or r2");
  visitor.seed(seed);
}

template <Real T>
PermutationImportance permutation_importance(Engine& engine, const Pipeline<T>& model,
                                             const Dataset<T>& all_rows,
                                             const PermutationOptions& options,
                                             RunControl* control) {
  const StopScope stop(control);
  std::optional<Dataset<T>> kept;
  const Dataset<T>& raw = rows_that_count(all_rows, kept);
  const Task task = model.model->task();
  PermutationImportance result;
  // A ranking is judged by the order within queries.
  const std::string_view usual =
      raw.has_groups() && task == Task::regression ? "ndcg" : usual_metric(task);
  result.metric = std::string(options.metric.empty() ? usual : options.metric);
  const bool higher = better_direction(result.metric, task) == Direction::higher;
  EvaluateOptions what;
  what.curves = false;
  what.silhouette = result.metric == "silhouette";
  result.baseline = metric_of(model.evaluate(engine, raw, what), result.metric);
  if (std::isnan(result.baseline)) {
    throw InputError(raw.source + ": " + result.metric +
                     " is not defined on these rows; choose another with " + option("metric"));
  }
  const Index columns = raw.cols();
  const Index rows = raw.rows();
  result.drops = Matrix<double>(columns, options.repeats);
  Dataset<T> shuffled = raw;
  RunControl silent;
  RunControl& told = control != nullptr ? *control : silent;
  for (Index j = 0; j < columns; ++j) {
    // A stream for each column; the keys of a repeat follow those of the one before.
    const Random random(options.seed, Purpose::shuffle, static_cast<std::uint32_t>(j));
    for (Index repeat = 0; repeat < options.repeats; ++repeat) {
      const RandomPermutation order(rows, random,
                                    static_cast<std::uint64_t>(repeat * RandomPermutation::keys));
      for (Index i = 0; i < rows; ++i) shuffled.features(i, j) = raw.features(order(i), j);
      const double score = metric_of(model.evaluate(engine, shuffled, what), result.metric);
      result.drops(j, repeat) = higher ? result.baseline - score : score - result.baseline;
      told.report({"shuffle", j * options.repeats + repeat + 1, columns * options.repeats, "", 0});
      if (told.stop_requested()) {
        throw Interrupted("stopped after " + std::to_string(j * options.repeats + repeat + 1) +
                          " shuffles because an interrupt was received");
      }
    }
    for (Index i = 0; i < rows; ++i) shuffled.features(i, j) = raw.features(i, j);
    double sum = 0;
    for (const double drop : result.drops.row(j)) sum += drop;
    const double mean = sum / static_cast<double>(options.repeats);
    double squares = 0;
    for (const double drop : result.drops.row(j)) squares += (drop - mean) * (drop - mean);
    result.mean.push_back(mean);
    result.deviation.push_back(
        options.repeats > 1 ? std::sqrt(squares / static_cast<double>(options.repeats - 1)) : 0);
  }
  return result;
}

template <Real T>
PartialDependence partial_dependence(Engine& engine, const Pipeline<T>& model,
                                     const Dataset<T>& all_rows, Index column,
                                     const PartialDependenceOptions& options) {
  std::optional<Dataset<T>> kept;
  const Dataset<T>& raw = rows_that_count(all_rows, kept);
  if (column < 0 || column >= raw.cols()) {
    throw InputError("there is no column " + std::to_string(column) + " among " +
                     std::to_string(raw.cols()));
  }
  if (options.points < 2) throw InputError("a grid has 2 points at least");
  PartialDependence result;
  const auto& categories = raw.columns[at(column)].categories;
  if (categories.empty()) {
    result.grid = grid_of(raw, column, options.points);
  } else {
    for (std::size_t c = 0; c < categories.size(); ++c) {
      result.grid.push_back(static_cast<double>(c));
    }
  }
  Dataset<T> changed = raw;
  for (std::size_t p = 0; p < result.grid.size(); ++p) {
    for (Index i = 0; i < raw.rows(); ++i) {
      changed.features(i, column) = static_cast<T>(result.grid[p]);
    }
    const Predictions<T> predicted = model.predict(engine, changed);
    const bool values = !predicted.values.empty();
    if (!values && predicted.probabilities.empty()) {
      throw InputError("partial dependence is of predicted values or probabilities, which " +
                       model.provenance.algorithm +
                       " has not; choose an algorithm that predicts values or probabilities");
    }
    const Index outputs = values ? 1 : predicted.probabilities.cols();
    if (p == 0) result.mean = Matrix<double>(static_cast<Index>(result.grid.size()), outputs);
    double whole = 0;
    for (Index i = 0; i < raw.rows(); ++i) {
      const double weight = raw.has_weights() ? static_cast<double>(raw.weights[at(i)]) : 1;
      whole += weight;
      for (Index k = 0; k < outputs; ++k) {
        result.mean(static_cast<Index>(p), k) +=
            weight *
            static_cast<double>(values ? predicted.values[at(i)] : predicted.probabilities(i, k));
      }
    }
    for (double& mean : result.mean.row(static_cast<Index>(p))) mean /= whole;
  }
  return result;
}

template PermutationImportance permutation_importance(Engine&, const Pipeline<float>&,
                                                      const Dataset<float>&,
                                                      const PermutationOptions&, RunControl*);
template PermutationImportance permutation_importance(Engine&, const Pipeline<double>&,
                                                      const Dataset<double>&,
                                                      const PermutationOptions&, RunControl*);
template PartialDependence partial_dependence(Engine&, const Pipeline<float>&,
                                              const Dataset<float>&, Index,
                                              const PartialDependenceOptions&);
template PartialDependence partial_dependence(Engine&, const Pipeline<double>&,
                                              const Dataset<double>&, Index,
                                              const PartialDependenceOptions&);

}  // namespace tandem

// How well an algorithm will do on rows that it has not seen: cross-validation and learning curves.
// The whole pipeline is fitted inside each fold, on its training part.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/pipeline_options.hpp"

namespace tandem {

struct ValidationOptions {
  Index folds = 5;
  Index repeats = 1;
  // For classification; other tasks use plain folds. Data with groups is parted by whole groups,
  // whatever this says.
  bool stratified = true;
  std::uint64_t seed = 0;  // of the partition; the pipeline has its own
  double confidence = 0.95;
  bool silhouette = false;         // clustering
  std::string outlier_class = {};  // detection: see EvaluateOptions
};

// Mean over folds and repeats, with an interval for it. The values are not independent, because
// training parts overlap; `low` and `high` are the corrected resampled t interval
//   mean ± t · s · √(1/J + 1/(folds − 1)),   t with J − 1 degrees of freedom,
// J = folds · repeats, 1/(folds − 1) the ratio of test to training rows (Nadeau and Bengio,
// "Inference for the generalization error", Machine Learning 52 (2003); for repeated k-fold
// Bouckaert and Frank, PAKDD 2004). The plain interval, √(1/J), is known to be too narrow.
//
// The interval of a metric with bounds stays inside them: it is made on the scale of
// log((x − lowest) / (highest − x)), or of log(x − lowest), log(highest − x) where there is one
// bound, with the deviation carried over by the delta method, and brought back.
struct Estimate {
  double mean = 0;
  double deviation = 0;  // of the values, divided by J − 1; NaN for one value
  double low = 0;
  double high = 0;
  Index count = 0;  // folds on which the metric is defined: J
};

// values: one per fold and repeat; NaN where the metric is not defined there. `overlap` is the
// ratio of test to training rows. With fewer than two values the interval is (−inf, inf).
[[nodiscard]] TANDEM_API Estimate estimate(const std::vector<double>& values, double confidence,
                                           double overlap, const MetricBounds& bounds = {});

// The t with P(|X| <= t) = probability, X of Student's distribution with `degrees` >= 1 degrees of
// freedom: bisection on the finite series for whole degrees of freedom (Abramowitz and Stegun,
// Handbook of Mathematical Functions, 26.7.3 and 26.7.4). 0 <= probability < 1.
[[nodiscard]] TANDEM_API double student_t_interval(double probability, Index degrees);

struct CrossValidation {
  Task task = Task::classification;
  Index rows = 0;
  ValidationOptions options;
  bool stratified = false;  // whether the folds were
  // One per fold and repeat (repeat · folds + fold).
  std::vector<std::map<std::string, double>> train;
  std::vector<std::map<std::string, double>> test;
  std::vector<double> seconds;              // of training
  std::map<std::string, Estimate> summary;  // of the test metrics
};

// A state saved through `control` holds the folds that are done; resuming does not repeat them.
// Throws InputError for options out of range and for data that cannot be split or trained on.
template <Real T>
[[nodiscard]] TANDEM_API CrossValidation cross_validate(const PipelineOptions& pipeline,
                                                        const Dataset<T>& data,
                                                        const ValidationOptions& options,
                                                        Engine& engine, RunControl& control);

// Scores against the number of training rows.
struct LearningCurve {
  Task task = Task::classification;
  std::vector<Index> sizes;  // training rows, ascending
  struct Series {            // one entry per size
    std::vector<double> train_mean;
    std::vector<double> train_deviation;
    std::vector<double> validation_mean;
    std::vector<double> validation_deviation;
  };
  std::map<std::string, Series> metrics;
};

// For each fold and each size the algorithm is trained on that many rows of the fold's training
// part (the larger sets contain the smaller) and scored on them and on the fold's test part. An
// empty `sizes` means 10, 32.5, 55, 77.5 and 100 % of the smallest training part; sizes beyond it
// are an InputError.
template <Real T>
[[nodiscard]] TANDEM_API LearningCurve learning_curve(const PipelineOptions& pipeline,
                                                      const Dataset<T>& data,
                                                      std::vector<Index> sizes,
                                                      const ValidationOptions& options,
                                                      Engine& engine, RunControl& control);

// The same metrics of a BaselineModel (tandem/model/baseline.hpp) fitted on the training part of
// each fold: their means over the folds on which they are defined. None for clusters. Throws as
// cross_validate() does.
template <Real T>
[[nodiscard]] TANDEM_API std::map<std::string, double> cross_validate_baseline(
    const PipelineOptions& pipeline, const Dataset<T>& data, const ValidationOptions& options);

// JSON objects; null for what is not finite.
[[nodiscard]] TANDEM_API std::string to_json(const Estimate& estimate);
[[nodiscard]] TANDEM_API std::string to_json(const CrossValidation& result);
[[nodiscard]] TANDEM_API std::string to_json(const LearningCurve& curve);

}  // namespace tandem

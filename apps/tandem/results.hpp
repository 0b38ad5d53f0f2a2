// How a training or an evaluation is told, as text and as JSON.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/metrics/evaluate.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/model/validation.hpp"
#include "tandem/option_set.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {

// The answer that looks at no feature, and how it does on the rows that the model is judged by: the
// test part where there is one.
struct Baseline {
  std::string answer;  // "always benign, the most frequent class (62.7 %)"
  std::map<std::string, double> metrics;
};

// Metrics of the training part, the test part, or both.
struct Scores {
  std::optional<Evaluation> train;
  std::optional<Evaluation> test;
  std::optional<Baseline> baseline;  // of predictors
};

// A baseline that is fitted on the first rows and judged by the second, with the model's classes.
// None but for predictors, and where there is no target.
template <Real T>
[[nodiscard]] std::optional<Baseline> baseline_of(const Model<T>& model, const Dataset<T>& train,
                                                  const Dataset<T>& judged);
// What the same answer does in each fold of a validation, as means over the folds; empty but for
// predictors.
template <Real T>
[[nodiscard]] std::map<std::string, double> baseline_of_folds(const PipelineOptions& pipeline,
                                                              const Dataset<T>& data,
                                                              const ValidationOptions& options);

// --outlier-class.
inline constexpr std::string_view outlier_class_help =
    "detectors: the class of the target whose rows should be outliers; if left out the one called "
    "outlier, or the rarer of two";
// Which it was, where scores were compared with it.
void add_outlier_class(nlohmann::json& json, const Scores& scores);

// --metric: what is shown.
class ShownMetrics {
 public:
  void add_option(OptionSet& options);
  // Throws InputError for a name that is no metric of the task.
  void check(Task task) const;
  // Named, or one of all.
  [[nodiscard]] bool asks_for(std::string_view metric) const;
  // Whether it stands in text and reports. Where none is named: all but those that are equal to the
  // accuracy where each row has one class, and the number of iterations, which is told elsewhere.
  [[nodiscard]] bool in_text(std::string_view metric) const;
  // Whether it stands in JSON. Where none is named: all.
  [[nodiscard]] bool in_json(std::string_view metric) const;
  [[nodiscard]] bool chosen() const { return !names_.list.empty(); }
  // The metrics named, in the order given.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_.list; }
  // Without those that are not to be shown.
  [[nodiscard]] nlohmann::json json_of(const std::map<std::string, double>& metrics) const;

 private:
  Words names_;
};

// {"answer": ..., "metrics": {...}}
[[nodiscard]] nlohmann::json baseline_to_json(const Baseline& baseline, const ShownMetrics& shown);
// {"train": {...}, "test": {...}} where both exist, else the metrics of the one that does.
[[nodiscard]] nlohmann::json metrics_to_json(const Scores& scores, const ShownMetrics& shown);
// A table: a row per metric, a column per part and one of the baseline; for classes, a second table
// per class.
[[nodiscard]] std::string metrics_to_text(const Scores& scores, const ShownMetrics& shown);
// What the model's training has counted: "iteration", "epoch", "round", "level", "tree"; empty for
// a closed form.
template <Real T>
[[nodiscard]] std::string training_unit(const Model<T>& model);
// The out-of-bag score of a forest that was asked for one.
template <Real T>
[[nodiscard]] std::optional<double> oob_score_of(const Model<T>& model);
// "(9 iterations)", "(12 epochs)"; nothing where `unit` is empty: a closed form has no iterations.
[[nodiscard]] std::string iterations_to_text(Index iterations, std::string_view unit);

inline constexpr std::string_view software_gpu_time =
    "time of the CPU that plays the GPU, not of a GPU";

struct Seconds {
  double load = 0;
  double train = 0;
  double evaluate = 0;
  // Processor time of all threads together, which other work on the machine distorts least.
  double train_processor = 0;
  // On the software GPU: time of the host, which says nothing about a GPU.
  bool software_gpu = false;
};
[[nodiscard]] nlohmann::json seconds_to_json(const Seconds& seconds);

// Adds "transfers" to a command's JSON where the engine's memory is not the host's: bytes and
// copies in both directions since the engine was made.
void add_transfers(nlohmann::json& json, const Engine& engine);
[[nodiscard]] std::string seconds_to_text(const Seconds& seconds, bool trained);

// What a validation or a search runs on, as the head of its text: the algorithm, the data, the
// engine, the target.
template <Real T>
[[nodiscard]] std::string run_to_text(const PipelineOptions& pipeline, const Engine& engine,
                                      const RunSettings& run, const DataSettings& data,
                                      const LoadedData<T>& loaded);
// The same added to its JSON, with what is remarked about the data.
template <Real T>
void add_run(nlohmann::json& json, const PipelineOptions& pipeline, const Engine& engine,
             const RunSettings& run, const DataSettings& data, const LoadedData<T>& loaded);

// "150 rows, 4 features"
[[nodiscard]] std::string shape_to_text(Index rows, Index features);

}  // namespace tandem::program

#include "tandem/results.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "tandem/core/log.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/model/baseline.hpp"
#include "tandem/nn/mlp.hpp"
#include "tandem/output.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tandem/tree/random_forest.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {
namespace {

// While one lives, the log is silent: what there is to say of the rows is said when the model is
// scored on them.
class QuietLog {
 public:
  QuietLog() { log::set_level(log::Level::off); }
  ~QuietLog() { log::set_level(before_); }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
  log::Level before_ = log::level();
};

// What a detector's scores were compared with.
std::string outlier_class_text(const Evaluation& evaluation) {
  if (evaluation.outlier_class.empty()) return "";
  return "\n  outliers are the rows of class " + evaluation.outlier_class +
         "; --outlier-class names another\n";
}

// Said beside the scores, which count these rows as wrong.
std::string unknown_classes(const Evaluation& evaluation) {
  const double unknown = evaluation.confusion.unknown_total();
  if (!(unknown > 0)) return "";
  return "\n" + readable(unknown) + " of " + readable(static_cast<double>(evaluation.rows)) +
         " rows (by weight) have a label that is no class of the model and count as wrong; see the "
         "warning for them\n";
}

std::string class_table(const Evaluation& evaluation) {
  // Beyond a screenful the JSON form has them.
  constexpr std::size_t most = 30;
  if (evaluation.classes.empty() || evaluation.classes.size() > most) return "";
  std::vector<std::vector<std::string>> rows{{"class", "precision", "recall", "f1", "rows"}};
  for (std::size_t c = 0; c < evaluation.classes.size(); ++c) {
    const ClassScore& score = evaluation.classes[c];
    rows.push_back({evaluation.class_names[c], readable(score.precision), readable(score.recall),
                    readable(score.f1), readable(score.support)});
  }
  return "\n" + table(rows);
}

}  // namespace

template <Real T>
std::optional<Baseline> baseline_of(const Model<T>& model, const Dataset<T>& train,
                                    const Dataset<T>& judged) {
  const bool predicts = model.task() == Task::classification || model.task() == Task::regression;
  if (!predicts || !train.has_target() || !judged.has_target()) return std::nullopt;
  const QuietLog quiet;
  const auto baseline = fit_baseline(train.view(), model.task(), model.classes());
  return Baseline{baseline.to_text({}), baseline_metrics(baseline, judged.view())};
}

template <Real T>
std::map<std::string, double> baseline_of_folds(const PipelineOptions& pipeline,
                                                const Dataset<T>& data,
                                                const ValidationOptions& options) {
  const QuietLog quiet;
  return cross_validate_baseline(pipeline, data, options);
}

nlohmann::json baseline_to_json(const Baseline& baseline, const ShownMetrics& shown) {
  return {{"answer", baseline.answer}, {"metrics", shown.json_of(baseline.metrics)}};
}

void ShownMetrics::add_option(OptionSet& options) {
  options.written("metric", names_,
                  "what is shown, such as accuracy,log_loss; all shows the copies of accuracy too, "
                  "which are left out otherwise",
                  "NAME,...");
}

void ShownMetrics::check(Task task) const {
  for (const std::string& name : names_.list) {
    // Counts that are neither good nor bad: k-means has its iterations among its metrics, detectors
    // the rows that they call outliers.
    if (name == "all" || (task == Task::clustering && name == "iterations") ||
        (task == Task::detection && name == "outlier_share")) {
      continue;
    }
    (void)better_direction(name, task);
  }
}

bool ShownMetrics::asks_for(std::string_view metric) const {
  return std::ranges::any_of(
      names_.list, [&](const std::string& name) { return name == "all" || name == metric; });
}

bool ShownMetrics::in_text(std::string_view metric) const {
  if (chosen()) return asks_for(metric);
  constexpr std::array<std::string_view, 5> told{"precision_micro", "recall_micro", "f1_micro",
                                                 "recall_weighted", "iterations"};
  return std::ranges::find(told, metric) == told.end();
}

bool ShownMetrics::in_json(std::string_view metric) const { return !chosen() || asks_for(metric); }

nlohmann::json ShownMetrics::json_of(const std::map<std::string, double>& metrics) const {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : metrics) {
    if (in_json(name)) json[name] = value;
  }
  return json;
}

nlohmann::json metrics_to_json(const Scores& scores, const ShownMetrics& shown) {
  if (scores.train && scores.test) {
    return {{"train", shown.json_of(scores.train->metrics)},
            {"test", shown.json_of(scores.test->metrics)}};
  }
  if (scores.train) return shown.json_of(scores.train->metrics);
  if (scores.test) return shown.json_of(scores.test->metrics);
  return nlohmann::json::object();
}

std::string metrics_to_text(const Scores& scores, const ShownMetrics& shown) {
  std::vector<std::pair<std::string, const std::map<std::string, double>*>> columns;
  if (scores.train) columns.emplace_back("train", &scores.train->metrics);
  if (scores.test) columns.emplace_back("test", &scores.test->metrics);
  // A model's answers on the rows that it learned from say little about others, which a reader who
  // sees one column only has to be told.
  const bool of_training_rows = !scores.test && scores.baseline.has_value();
  if (columns.size() == 1 && !of_training_rows) columns.front().first = "model";
  if (scores.baseline) columns.emplace_back("baseline", &scores.baseline->metrics);
  std::set<std::string> names;
  for (const auto& [head, metrics] : columns) {
    for (const auto& [name, value] : *metrics) {
      if (shown.in_text(name)) names.insert(name);
    }
  }
  std::vector<std::vector<std::string>> rows{{""}};
  for (const auto& [head, metrics] : columns) rows.front().push_back(head);
  for (const std::string& name : names) {
    rows.push_back({name});
    for (const auto& [head, metrics] : columns) {
      const auto found = metrics->find(name);
      rows.back().push_back(found == metrics->end() ? "-" : readable(found->second));
    }
  }
  if (columns.size() == 1) rows.erase(rows.begin());
  const Evaluation& last = scores.test ? *scores.test : *scores.train;
  std::string text = table(rows);
  if (scores.baseline) text += "\n  baseline: " + scores.baseline->answer + "\n";
  if (of_training_rows) {
    text +=
        "  train: the rows it was trained on; --test-fraction 0.25 keeps others to test it on\n";
  }
  text += outlier_class_text(last);
  text += unknown_classes(last);
  return shown.chosen() ? text : text + class_table(last);
}

void add_outlier_class(nlohmann::json& json, const Scores& scores) {
  const Evaluation& last = scores.test ? *scores.test : *scores.train;
  if (!last.outlier_class.empty()) json["outlier_class"] = last.outlier_class;
}

template <Real T>
std::string training_unit(const Model<T>& model) {
  if (const auto* line = dynamic_cast<const LinearRegressionModel<T>*>(&model)) {
    return line->solver == LinearSolver::gradient ? "epoch" : "";
  }
  if (const auto* odds = dynamic_cast<const LogisticRegressionModel<T>*>(&model)) {
    return odds->solver == LogisticSolver::gradient ? "epoch" : "iteration";
  }
  if (dynamic_cast<const MlpModel<T>*>(&model) != nullptr) return "epoch";
  if (dynamic_cast<const DecisionTreeModel<T>*>(&model) != nullptr) return "level";
  if (dynamic_cast<const GradientBoostingModel<T>*>(&model) != nullptr) return "round";
  if (dynamic_cast<const TreeModel<T>*>(&model) != nullptr) return "tree";
  return "iteration";
}

template <Real T>
std::optional<double> oob_score_of(const Model<T>& model) {
  if (const auto* forest = dynamic_cast<const RandomForestModel<T>*>(&model)) {
    return forest->oob_score;
  }
  if (const auto* forest = dynamic_cast<const ExtraTreesModel<T>*>(&model)) {
    return forest->oob_score;
  }
  return std::nullopt;
}

std::string iterations_to_text(Index iterations, std::string_view unit) {
  return unit.empty() ? "" : " (" + counted(iterations, unit) + ")";
}

nlohmann::json seconds_to_json(const Seconds& seconds) {
  nlohmann::json json{
      {"load", seconds.load}, {"train", seconds.train}, {"evaluate", seconds.evaluate}};
  if (seconds.software_gpu) json["measured"] = software_gpu_time;
  return json;
}

void add_transfers(nlohmann::json& json, const Engine& engine) {
  if (engine.device() != Device::cuda && engine.device() != Device::softgpu) return;
  const Transfers transfers = engine.transfers();
  json["transfers"] = {{"to_device_bytes", transfers.to_device_bytes},
                       {"to_host_bytes", transfers.to_host_bytes},
                       {"to_device_copies", transfers.to_device_copies},
                       {"to_host_copies", transfers.to_host_copies}};
}

std::string seconds_to_text(const Seconds& seconds, bool trained) {
  std::string text = "load " + readable_seconds(seconds.load);
  if (trained) text += ", train " + readable_seconds(seconds.train);
  text += ", evaluate " + readable_seconds(seconds.evaluate);
  return seconds.software_gpu ? text + " (" + std::string(software_gpu_time) + ")" : text;
}

template <Real T>
std::string run_to_text(const PipelineOptions& pipeline, const Engine& engine,
                        const RunSettings& run, const DataSettings& data,
                        const LoadedData<T>& loaded) {
  std::string text = std::string(pipeline.algorithm().name()) + " on " + data.data.path + ": " +
                     shape_to_text(loaded.train.rows(), loaded.train.cols()) + "\n\n  run       " +
                     describe(engine, run) + "\n";
  if (loaded.train.has_target()) {
    text += "  target    " + loaded.train.target_column.name + " (" + loaded.target_rule + ")\n";
  }
  return text;
}

template <Real T>
void add_run(nlohmann::json& json, const PipelineOptions& pipeline, const Engine& engine,
             const RunSettings& run, const DataSettings& data, const LoadedData<T>& loaded) {
  json["algorithm"] = pipeline.algorithm().name();
  json["device"] = to_string(engine.device());
  json["numerics"] = to_string(engine.numerics());
  json["precision"] = to_string(precision_of<T>);
  json["threads"] = engine.threads();
  json["seed"] = run.seed;
  json["data"] = data.data.path;
  json["rows"] = loaded.train.rows();
  json["features"] = loaded.train.cols();
  json["warnings"] = loaded.remarks;
  if (loaded.train.has_target()) {
    json["target"] = loaded.train.target_column.name;
    json["target_rule"] = loaded.target_rule;
  }
}

std::string shape_to_text(Index rows, Index features) {
  return counted(rows, "row") + ", " + counted(features, "feature");
}

#define TANDEM_INSTANTIATE(T)                                                                 \
  template std::string training_unit(const Model<T>&);                                        \
  template std::optional<double> oob_score_of(const Model<T>&);                               \
                                                                                              \
  template std::optional<Baseline> baseline_of(const Model<T>&, const Dataset<T>&,            \
                                               const Dataset<T>&);                            \
  template std::map<std::string, double> baseline_of_folds(                                   \
      const PipelineOptions&, const Dataset<T>&, const ValidationOptions&);                   \
  template std::string run_to_text(const PipelineOptions&, const Engine&, const RunSettings&, \
                                   const DataSettings&, const LoadedData<T>&);                \
  template void add_run(nlohmann::json&, const PipelineOptions&, const Engine&,               \
                        const RunSettings&, const DataSettings&, const LoadedData<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::program

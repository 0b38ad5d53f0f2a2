#include "tandem/metrics/evaluate.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/cluster/weighted_inertia.hpp"
#include "core/json_text.hpp"
#include "core/metrics/cluster_indices.hpp"
#include "core/metrics/one_metric.hpp"
#include "core/metrics/ranking_scores.hpp"
#include "core/metrics/weights.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/engine_table.hpp"
#include "tandem/metrics/clustering.hpp"
#include "tandem/metrics/regression.hpp"
#include "tandem/model/margins.hpp"

namespace tandem {
namespace {

template <Real T>
void require_target(const Dataset<T>& data) {
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column to evaluate against; name one with " +
                     option("target"));
  }
}

void put(Evaluation& evaluation, std::string_view name, double value) {
  evaluation.metrics.emplace(name, value);
}

// The metrics of the order, and their curves. scores: rows × classes.
template <Real S>
void rank(Evaluation& evaluation, std::span<const std::int32_t> truth, MatrixView<const S> scores,
          Engine& engine, const EvaluateOptions& options, std::span<const double> weights) {
  const RankingScores areas = ranking_scores(truth, scores, weights, engine.threads());
  put(evaluation, "roc_auc", areas.roc_auc);
  put(evaluation, "average_precision", areas.average_precision);
  if (!options.curves) return;
  const auto classes = static_cast<std::int32_t>(scores.cols);
  for (std::int32_t c = classes == 2 ? 1 : 0; c < classes; ++c) {
    std::vector<S> ranking(truth.size());
    std::vector<std::uint8_t> positive(truth.size());
    bool positives = false;
    bool negatives = false;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      ranking[i] = scores(static_cast<Index>(i), c);
      positive[i] = truth[i] == c ? 1 : 0;
      const bool counts = weight_of(weights, static_cast<Index>(i)) > 0;
      positives = positives || (counts && positive[i] == 1);
      negatives = negatives || (counts && positive[i] == 0);
    }
    if (!positives || !negatives) continue;
    const RankingCurves curves = ranking_curves(std::span<const S>(ranking), positive, weights);
    evaluation.curves.push_back({c, thinned(curves.roc, options.curve_points),
                                 thinned(curves.precision_recall, options.curve_points)});
  }
}

template <Real T>
void evaluate_classification(Evaluation& evaluation, const Model<T>& model, Engine& engine,
                             const Dataset<T>& data, const Predictions<T>& predictions,
                             const EvaluateOptions& options, std::span<const double> weights) {
  require_target(data);
  const std::vector<std::int32_t> truth = encode_classes(data, model.classes()).labels;
  evaluation.class_names = model.classes();
  evaluation.confusion = confusion_matrix(truth, predictions.labels,
                                          static_cast<Index>(model.classes().size()), weights);
  const ClassificationScores scores = classification_scores(evaluation.confusion);
  evaluation.classes = scores.classes;
  evaluation.metrics.merge(named_metrics(scores));
  if (predictions.probabilities.empty()) return;

  const MatrixView<const T> probabilities = predictions.probabilities.view();
  put(evaluation, "log_loss", log_loss(truth, probabilities, weights));
  put(evaluation, "brier", brier(truth, probabilities, weights));
  // Ranked by margins where there are some: probabilities of rows far from the border are all 1.
  const auto* by_margins = dynamic_cast<const Margins<T>*>(&model);
  if (by_margins != nullptr) {
    const Matrix<double> margins = by_margins->margins(engine, data.features.view());
    rank(evaluation, truth, MatrixView<const double>(margins.view()), engine, options, weights);
  } else {
    rank(evaluation, truth, probabilities, engine, options, weights);
  }
}

template <Real T>
void evaluate_ranking(Evaluation& evaluation, const Dataset<T>& data,
                      const Predictions<T>& predictions) {
  // A target that is no relevance has no metrics of ranking.
  for (const T y : data.target) {
    if (!(y >= 0 && y <= 1000)) return;
  }
  const std::vector<Index> starts = group_starts(data);
  evaluation.metrics.merge(ranking_metrics_by_name<T>(starts, data.target, predictions.values));
}

template <Real T>
void evaluate_regression(Evaluation& evaluation, Engine& engine, const Dataset<T>& data,
                         const Predictions<T>& predictions, std::span<const double> weights) {
  require_target(data);
  const RegressionScores scores =
      regression_scores(std::span<const T>(data.target), std::span<const T>(predictions.values),
                        weights, engine.threads());
  evaluation.metrics.merge(named_metrics(scores));
  if (data.has_groups()) evaluate_ranking(evaluation, data, predictions);
}

template <Real T>
void evaluate_clustering(Evaluation& evaluation, Engine& engine, const Dataset<T>& data,
                         const Predictions<T>& predictions, const EvaluateOptions& options) {
  const std::set<std::int32_t> found(predictions.labels.begin(), predictions.labels.end());
  const auto clusters = static_cast<Index>(found.size());
  if (clusters >= 2 && clusters < data.rows()) {
    const ClusterIndices indices =
        cluster_indices(engine, data.features.view(), predictions.labels, options.silhouette);
    put(evaluation, "davies_bouldin", indices.davies_bouldin);
    put(evaluation, "calinski_harabasz", indices.calinski_harabasz);
    if (options.silhouette) put(evaluation, "silhouette", indices.silhouette);
  }
  if (!data.has_target()) return;
  // A target of many fractional values, or with missing ones, says nothing of clusters.
  std::vector<std::int32_t> truth;
  try {
    truth = encode_classes(data).labels;
  } catch (const InputError&) {
    return;
  }
  put(evaluation, "adjusted_rand", adjusted_rand(truth, predictions.labels));
  put(evaluation, "nmi", normalized_mutual_information(truth, predictions.labels));
}

// The class of the target whose rows should be outliers: the one that is asked for, or called
// "outlier"; else the rarer one, the second of two that are as frequent. Labels, 1 for its rows;
// empty where the target has not two classes.
template <Real T>
std::vector<std::int32_t> outliers_of(const Dataset<T>& data, const std::string& asked,
                                      std::string& name) {
  Classes truth;
  try {
    truth = encode_classes(data);
  } catch (const InputError&) {
    if (!asked.empty()) throw;
    return {};
  }
  const auto found = [&](const std::string& wanted) {
    return std::find(truth.names.begin(), truth.names.end(), wanted) - truth.names.begin();
  };
  const auto classes = static_cast<std::ptrdiff_t>(truth.names.size());
  std::ptrdiff_t outlier = found(asked.empty() ? "outlier" : asked);
  if (!asked.empty() && outlier == classes) {
    throw InputError(data.source + ": the target " + data.target_column.name + " has no class '" +
                     asked + "', which " + option("outlier_class") + " names");
  }
  if (classes != 2) {
    if (asked.empty()) return {};
  } else if (outlier == classes) {
    const auto second = std::count(truth.labels.begin(), truth.labels.end(), 1);
    outlier = 2 * second <= static_cast<std::ptrdiff_t>(truth.labels.size()) ? 1 : 0;
  }
  for (std::int32_t& label : truth.labels) label = label == outlier ? 1 : 0;
  name = truth.names[static_cast<std::size_t>(outlier)];
  return std::move(truth.labels);
}

template <Real T>
void evaluate_detection(Evaluation& evaluation, Engine& engine, const Dataset<T>& data,
                        const Predictions<T>& predictions, const EvaluateOptions& options,
                        std::span<const double> weights) {
  const auto called = std::count(predictions.labels.begin(), predictions.labels.end(), 1);
  put(evaluation, "outlier_share",
      static_cast<double>(called) / static_cast<double>(predictions.labels.size()));
  if (!data.has_target()) return;
  const std::vector<std::int32_t> truth =
      outliers_of(data, options.outlier_class, evaluation.outlier_class);
  if (truth.empty()) return;
  const ClassScore outliers =
      classification_scores(confusion_matrix(truth, predictions.labels, 2, weights)).classes[1];
  put(evaluation, "precision", outliers.precision);
  put(evaluation, "recall", outliers.recall);
  put(evaluation, "f1", outliers.f1);
  Matrix<T> scores(data.rows(), 2);
  for (Index i = 0; i < data.rows(); ++i) {
    const T score = predictions.values[static_cast<std::size_t>(i)];
    scores(i, 0) = -score;
    scores(i, 1) = score;
  }
  const RankingScores areas = ranking_scores<T>(truth, scores.view(), weights, engine.threads());
  put(evaluation, "roc_auc", areas.roc_auc);
  put(evaluation, "average_precision", areas.average_precision);
}

}  // namespace

template <Real T>
bool tells_outliers(const Dataset<T>& data) {
  if (!data.has_target()) return false;
  try {
    return encode_classes(data).names.size() == 2;
  } catch (const InputError&) {
    return false;
  }
}

template <Real T>
Evaluation evaluate(const Model<T>& model, Engine& engine, const Dataset<T>& data,
                    const Predictions<T>& predictions, const EvaluateOptions& options) {
  if (data.rows() == 0)
    throw InputError(data.source + ": has no rows to evaluate; is it the file that was meant?");
  // The metrics of clusters and the model's own both read the rows.
  const EngineTable<T> table(engine, data);
  const std::vector<double> weights(data.weights.begin(), data.weights.end());
  Evaluation evaluation;
  evaluation.task = model.task();
  evaluation.rows = data.rows();
  switch (model.task()) {
    case Task::classification:
      evaluate_classification(evaluation, model, engine, data, predictions, options, weights);
      break;
    case Task::regression:
      evaluate_regression(evaluation, engine, data, predictions, weights);
      break;
    case Task::clustering:
      evaluate_clustering(evaluation, engine, data, predictions, options);
      break;
    case Task::detection:
      evaluate_detection(evaluation, engine, data, predictions, options, weights);
      break;
  }
  for (const auto& [name, value] : model.own_metrics(engine, data.features.view())) {
    if (std::isfinite(value)) put(evaluation, name, value);
  }
  const auto* const clusters = dynamic_cast<const KMeansModel<T>*>(&model);
  const bool weighted =
      std::any_of(weights.begin(), weights.end(), [](double weight) { return weight > 0; });
  if (clusters != nullptr && weighted) {
    evaluation.metrics["inertia"] =
        weighted_inertia<T>(engine, *clusters, data.features.view(), data.weights);
  }
  return evaluation;
}

template <Real T>
Evaluation evaluate(const Model<T>& model, Engine& engine, const Dataset<T>& data,
                    const EvaluateOptions& options) {
  if (data.rows() == 0)
    throw InputError(data.source + ": has no rows to evaluate; is it the file that was meant?");
  // So do predictions.
  const EngineTable<T> table(engine, data);
  return evaluate(model, engine, data, model.predict(engine, data.features.view()), options);
}

std::string to_json(const Evaluation& evaluation, bool with_curves) {
  nlohmann::json json;
  json["rows"] = evaluation.rows;
  json["metrics"] = evaluation.metrics;
  if (!evaluation.outlier_class.empty()) json["outlier_class"] = evaluation.outlier_class;
  if (evaluation.task != Task::classification) return json_text(json);
  json["classes"] = nlohmann::json::array();
  for (std::size_t c = 0; c < evaluation.classes.size(); ++c) {
    const ClassScore& score = evaluation.classes[c];
    json["classes"].push_back({{"name", evaluation.class_names[c]},
                               {"precision", score.precision},
                               {"recall", score.recall},
                               {"f1", score.f1},
                               {"support", score.support}});
  }
  nlohmann::json& counts = json["confusion"]["counts"] = nlohmann::json::array();
  for (Index c = 0; c < evaluation.confusion.classes(); ++c) {
    const auto row = evaluation.confusion.counts.row(c);
    counts.push_back(std::vector<double>(row.begin(), row.end()));
  }
  if (evaluation.confusion.unknown_total() > 0) {
    json["confusion"]["unknown"] = evaluation.confusion.unknown;
  }
  if (!with_curves) return json_text(json);
  json["curves"] = nlohmann::json::array();
  for (const auto& curves : evaluation.curves) {
    json["curves"].push_back(
        {{"class", evaluation.class_names[static_cast<std::size_t>(curves.label)]},
         {"roc", nlohmann::json::parse(to_json(curves.roc))},
         {"precision_recall", nlohmann::json::parse(to_json(curves.precision_recall))}});
  }
  return json_text(json);
}

#define TANDEM_INSTANTIATE(T)                                                                      \
  template Evaluation evaluate(const Model<T>&, Engine&, const Dataset<T>&,                        \
                               const EvaluateOptions&);                                            \
  template Evaluation evaluate(const Model<T>&, Engine&, const Dataset<T>&, const Predictions<T>&, \
                               const EvaluateOptions&);                                            \
  template bool tells_outliers(const Dataset<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

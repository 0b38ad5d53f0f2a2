#include "core/metrics/one_metric.hpp"

#include "core/metrics/ranking_scores.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/ranking.hpp"

namespace tandem {

NamedMetrics named_metrics(const ClassificationScores& scores) {
  NamedMetrics metrics{{"accuracy", scores.accuracy},
                       {"balanced_accuracy", scores.balanced_accuracy}};
  const auto average = [&](const std::string& suffix, const ClassAverage& value) {
    metrics.emplace("precision_" + suffix, value.precision);
    metrics.emplace("recall_" + suffix, value.recall);
    metrics.emplace("f1_" + suffix, value.f1);
  };
  average("macro", scores.macro);
  average("micro", scores.micro);
  average("weighted", scores.weighted);
  return metrics;
}

NamedMetrics named_metrics(const RegressionScores& scores) {
  return {{"r2", scores.r2}, {"mse", scores.mse}, {"rmse", scores.rmse}, {"mae", scores.mae}};
}

template <Real T>
NamedMetrics ranking_metrics_by_name(std::span<const Index> starts, std::span<const T> relevance,
                                     std::span<const T> scores) {
  NamedMetrics metrics;
  for (const Index k : {1, 5, 10}) {
    const RankingMetrics found = ranking_metrics<T>(starts, relevance, scores, k);
    metrics.emplace("ndcg_at_" + std::to_string(k), found.ndcg);
    metrics.emplace("precision_at_" + std::to_string(k), found.precision);
  }
  const RankingMetrics all = ranking_metrics<T>(starts, relevance, scores, 0);
  metrics.emplace("ndcg", all.ndcg);
  metrics.emplace("map", all.map);
  metrics.emplace("mrr", all.mrr);
  metrics.emplace("err", all.err);
  return metrics;
}

bool is_ranking_metric(std::string_view metric) {
  return metric.starts_with("ndcg") || metric.starts_with("precision_at_") || metric == "map" ||
         metric == "mrr" || metric == "err";
}

template <Real T>
double one_metric(std::string_view metric, Task task, const Truth<T>& truth,
                  const Predictions<T>& predictions, const std::function<Matrix<double>()>& margins,
                  int threads) {
  const auto of = [&](const NamedMetrics& metrics) {
    const auto found = metrics.find(std::string(metric));
    if (found == metrics.end()) {
      throw InputError("'" + std::string(metric) + "' is no metric of " +
                       std::string(to_string(task)) + "; docs/evaluation.md lists them");
    }
    return found->second;
  };
  if (task == Task::regression) {
    if (is_ranking_metric(metric)) {
      return of(ranking_metrics_by_name<T>(truth.starts, truth.values, predictions.values));
    }
    return of(named_metrics(regression_scores(truth.values, std::span<const T>(predictions.values),
                                              truth.weights, threads)));
  }
  const MatrixView<const T> probabilities = predictions.probabilities.view();
  if (metric == "log_loss") return log_loss(truth.labels, probabilities, truth.weights);
  if (metric == "brier") return brier(truth.labels, probabilities, truth.weights);
  if (metric == "roc_auc" || metric == "average_precision") {
    const Matrix<double> order = margins();
    const RankingScores areas = ranking_scores(truth.labels, MatrixView<const double>(order.view()),
                                               truth.weights, threads);
    return metric == "roc_auc" ? areas.roc_auc : areas.average_precision;
  }
  return of(named_metrics(classification_scores(
      confusion_matrix(truth.labels, predictions.labels, probabilities.cols, truth.weights))));
}

#define TANDEM_INSTANTIATE(T)                                                                \
  template NamedMetrics ranking_metrics_by_name(std::span<const Index>, std::span<const T>,  \
                                                std::span<const T>);                         \
  template double one_metric(std::string_view, Task, const Truth<T>&, const Predictions<T>&, \
                             const std::function<Matrix<double>()>&, int);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

#include "tandem/metrics/direction.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

struct Known {
  std::string_view name;
  Direction better;
};

constexpr Direction higher = Direction::higher;
constexpr Direction lower = Direction::lower;

constexpr std::array of_classes{Known{"accuracy", higher},
                                Known{"average_precision", higher},
                                Known{"balanced_accuracy", higher},
                                Known{"brier", lower},
                                Known{"f1_macro", higher},
                                Known{"f1_micro", higher},
                                Known{"f1_weighted", higher},
                                Known{"log_loss", lower},
                                Known{"precision_macro", higher},
                                Known{"precision_micro", higher},
                                Known{"precision_weighted", higher},
                                Known{"recall_macro", higher},
                                Known{"recall_micro", higher},
                                Known{"recall_weighted", higher},
                                Known{"roc_auc", higher}};
constexpr std::array of_numbers{
    Known{"mae", lower}, Known{"mse", lower}, Known{"r2", higher}, Known{"rmse", lower},
    // Where the data has queries:
    Known{"err", higher}, Known{"map", higher}, Known{"mrr", higher}, Known{"ndcg", higher},
    Known{"ndcg_at_1", higher}, Known{"ndcg_at_10", higher}, Known{"ndcg_at_5", higher},
    Known{"precision_at_1", higher}, Known{"precision_at_10", higher},
    Known{"precision_at_5", higher}};
constexpr std::array of_clusters{Known{"adjusted_rand", higher}, Known{"calinski_harabasz", higher},
                                 Known{"davies_bouldin", lower}, Known{"inertia", lower},
                                 Known{"nmi", higher},           Known{"silhouette", higher}};

constexpr std::array of_detections{Known{"average_precision", higher}, Known{"f1", higher},
                                   Known{"precision", higher}, Known{"recall", higher},
                                   Known{"roc_auc", higher}};

std::span<const Known> known_for(Task task) {
  switch (task) {
    case Task::classification: return of_classes;
    case Task::regression: return of_numbers;
    case Task::clustering: return of_clusters;
    case Task::detection: return of_detections;
  }
  return {};
}

}  // namespace

Direction better_direction(std::string_view metric, Task task) {
  const auto known = known_for(task);
  const auto found = std::ranges::find(known, metric, &Known::name);
  if (found != known.end()) return found->better;
  std::vector<std::string> all;
  std::string names;
  for (const Known& one : known) {
    all.emplace_back(one.name);
    names += (names.empty() ? "" : ", ") + all.back();
  }
  const std::string meant = nearest_name(metric, all);
  throw InputError("'" + std::string(metric) + "' is no metric of " + std::string(to_string(task)) +
                   "; expected one of " + names +
                   (meant.empty() ? "" : "; did you mean " + meant + "?"));
}

MetricBounds metric_bounds(std::string_view metric) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const std::string_view at_least_zero :
       {"log_loss", "mae", "mse", "rmse", "inertia", "davies_bouldin", "calinski_harabasz"}) {
    if (metric == at_least_zero) return {0, infinity};
  }
  if (metric == "r2") return {-infinity, 1};
  if (metric == "adjusted_rand" || metric == "silhouette") return {-1, 1};
  if (metric == "brier") return {0, 2};  // the sum over the classes of one row
  if (metric == "nmi" || metric == "outlier_share") return {0, 1};
  if (std::ranges::find(of_detections, metric, &Known::name) != of_detections.end()) return {0, 1};
  for (const std::string_view of_rankings : {"err", "map", "mrr", "ndcg", "precision_at_"}) {
    if (metric.starts_with(of_rankings)) return {0, 1};
  }
  if (std::ranges::find(of_classes, metric, &Known::name) != of_classes.end()) return {0, 1};
  return {};
}

std::string_view usual_metric(Task task) {
  switch (task) {
    case Task::classification: return "accuracy";
    case Task::regression: return "r2";
    case Task::clustering: return "silhouette";
    case Task::detection: return "roc_auc";
  }
  return {};
}

}  // namespace tandem

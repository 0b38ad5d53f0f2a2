// Which way a metric is better, and the values that it can take.
#pragma once

#include <limits>
#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

enum class Direction { higher, lower };

// Throws InputError for a name that is no metric, with those that there are for the task.
[[nodiscard]] TANDEM_API Direction better_direction(std::string_view metric, Task task);

// The least and the greatest value that the metric can take; infinite where there is none, and for
// a name that is no metric.
struct MetricBounds {
  double lowest = -std::numeric_limits<double>::infinity();
  double highest = std::numeric_limits<double>::infinity();
};
[[nodiscard]] TANDEM_API MetricBounds metric_bounds(std::string_view metric);

// The metric that candidates are compared by unless another is named: accuracy for classes, r2 for
// values, silhouette for clusters, roc_auc for outliers.
[[nodiscard]] TANDEM_API std::string_view usual_metric(Task task);

}  // namespace tandem

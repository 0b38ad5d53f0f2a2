// One metric by its name, of predictions that are at hand; and the names that scores have.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "tandem/core/matrix.hpp"
#include "tandem/metrics/classification.hpp"
#include "tandem/metrics/regression.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

using NamedMetrics = std::map<std::string, double>;

// Scores under the names that evaluate() has for them.
[[nodiscard]] NamedMetrics named_metrics(const ClassificationScores& scores);
[[nodiscard]] NamedMetrics named_metrics(const RegressionScores& scores);
// Those of rankings. starts: the first row of each query and the number of rows.
template <Real T>
[[nodiscard]] NamedMetrics ranking_metrics_by_name(std::span<const Index> starts,
                                                   std::span<const T> relevance,
                                                   std::span<const T> scores);

// Whether the metric is one of rankings, which need queries.
[[nodiscard]] bool is_ranking_metric(std::string_view metric);

// What rows truly are.
template <Real T>
struct Truth {
  std::span<const std::int32_t> labels{};  // classification
  std::span<const T> values{};             // regression
  std::span<const Index> starts{};         // of queries, for metrics of rankings
  std::span<const double> weights{};       // or empty
};

// The metric, computed as evaluate() does and with the same bits; its name is one that
// better_direction() knows for the task. `margins` gives what the order of a classification is
// judged by, rows × classes, and is called only where that is asked for.
template <Real T>
[[nodiscard]] double one_metric(std::string_view metric, Task task, const Truth<T>& truth,
                                const Predictions<T>& predictions,
                                const std::function<Matrix<double>()>& margins, int threads);

}  // namespace tandem

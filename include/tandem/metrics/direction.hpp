// Which way a metric is better.
#pragma once

#include <string_view>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

enum class Direction { higher, lower };

// Throws InputError for a name that is no metric, with those that there are for the task.
[[nodiscard]] TANDEM_API Direction better_direction(std::string_view metric, Task task);

// What candidates are compared by unless told: accuracy, r2, and silhouette for clusters.
[[nodiscard]] TANDEM_API std::string_view usual_metric(Task task);

}  // namespace tandem

// Rows weighted by their class.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/data/class_weights.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// The weight of each class; rows of weight 0, which are as if they were not there, do not count.
template <Real T>
[[nodiscard]] std::vector<double> weights_of_classes(const DatasetView<T>& data,
                                                     const Classes& classes,
                                                     const ClassWeights& rule) {
  if (!data.has_weights()) return rule.of(classes.names, classes.labels);
  std::vector<std::int32_t> counting;
  for (std::size_t i = 0; i < classes.labels.size(); ++i) {
    if (data.weights[i] > T{0}) counting.push_back(classes.labels[i]);
  }
  return rule.of(classes.names, counting);
}

// The rows' own weights (1 where they have none) times those of their classes, rounded to T: what a
// fit takes as the rows' weights, so that weighting a class by 2 is having each of its rows twice.
// Empty where the data has no weights and the rule is none. labels: one per row, an index into
// by_class. Throws InputError where no row is left with a weight.
template <Real T>
[[nodiscard]] std::vector<T> class_weighted(const DatasetView<T>& data,
                                            const std::vector<std::int32_t>& labels,
                                            const std::vector<double>& by_class) {
  std::vector<T> weights(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double own = data.has_weights() ? static_cast<double>(data.weights[i]) : 1.0;
    weights[i] = static_cast<T>(own * by_class[static_cast<std::size_t>(labels[i])]);
  }
  if (std::none_of(weights.begin(), weights.end(), [](T weight) { return weight > T{0}; })) {
    throw InputError(data.source +
                     ": no row of weight above 0 is of a class of weight above 0; "
                     "see " +
                     option("class_weight"));
  }
  return weights;
}

}  // namespace tandem

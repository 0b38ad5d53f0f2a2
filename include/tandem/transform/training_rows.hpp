// The training part as a transform sees it while it is fitted: the rows as the transforms before it
// leave them, although those may not have been carried out yet.
#pragma once

#include <cmath>
#include <vector>

#include "tandem/data/dataset.hpp"
#include "tandem/transform/column_plan.hpp"
#include "tandem/transform/transform.hpp"

namespace tandem {

template <Real T>
struct TrainingRows {
  const Dataset<T>& data;  // with the features before `plan`
  const ColumnPlan<T>& plan;
  const std::vector<Feature>& features;  // after `plan`: what is to be transformed
  Task task = Task::regression;
  CategoryNeeds needs;  // of the steps that follow
  int threads = 1;

  [[nodiscard]] Index rows() const noexcept { return data.rows(); }
  [[nodiscard]] Index cols() const noexcept { return static_cast<Index>(features.size()); }
  // Feature j of row i.
  [[nodiscard]] T value(Index i, Index j) const {
    return plan.value(data.features.data() + i * data.cols(), j);
  }
  [[nodiscard]] double weight(Index i) const {
    return data.weights.empty() ? 1.0
                                : static_cast<double>(data.weights[static_cast<std::size_t>(i)]);
  }
  // Rows of weight 0 count for nothing that is learned.
  [[nodiscard]] bool counts(Index i) const { return weight(i) > 0; }
  [[nodiscard]] Index counting_rows() const {
    if (data.weights.empty()) return rows();
    Index count = 0;
    for (const T weight : data.weights) count += weight > 0 ? 1 : 0;
    return count;
  }
  [[nodiscard]] const ValueRange& range(Index j) const { return plan.range(j); }
  // Features of one kind, ascending.
  [[nodiscard]] std::vector<Index> of_kind(FeatureKind kind) const {
    std::vector<Index> all;
    for (std::size_t j = 0; j < features.size(); ++j) {
      if (features[j].kind == kind) all.push_back(static_cast<Index>(j));
    }
    return all;
  }
};

}  // namespace tandem

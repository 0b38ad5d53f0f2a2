// Objectives and metrics of the caller's own, for fits that take them: FitContext::objective and
// FitContext::metric. Gradient boosting does; docs/algorithms/gradient-boosting.md has an example.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"
#include "tandem/metrics/direction.hpp"

namespace tandem {

// Rows as a custom objective or metric sees them: in the order of their table, without those of
// weight 0 and, among training rows, those that validation_fraction kept back.
template <Real T>
struct ScoredRows {
  MatrixView<const T> scores;  // rows × outputs: sums of leaves, before they become predictions
  std::span<const T> target;   // one per row: its value, or the position of its class
  std::span<const T> weights;  // one per row, > 0; or empty: 1 each
  std::span<const Index> numbers;  // of each row in its table, from 0, for what else is known of it
};

// What is minimised, by its derivatives. Called once for each round on the host, by one thread,
// whatever the engine; the scores come to the host for it and the derivatives go back.
template <Real T>
struct CustomObjective {
  // Fills rows × outputs first and second derivatives of each row's loss by its scores, before
  // weights, which are multiplied in afterwards. Second derivatives are 0 or more; where they are
  // not known, 1 gives steps of plain gradient descent.
  std::function<void(const ScoredRows<T>& rows, MatrixView<T> gradients, MatrixView<T> hessians)>
      derivatives;
};

// What early stopping goes by. Called once for each round with the validation rows.
template <Real T>
struct CustomMetric {
  std::string name;
  Direction better = Direction::lower;
  std::function<double(const ScoredRows<T>& rows)> value;
};

}  // namespace tandem

// Training of a linear model by a first-order optimiser, on all rows or on batches.
#pragma once

#include <span>
#include <vector>

#include "core/linear/linear_steps.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/linear/linear_regression.hpp"

namespace tandem {

struct GradientProblem {
  LinearLoss loss = LinearLoss::squared;
  Index outputs = 1;
  bool intercept = true;
  double l1 = 0;
  double l2 = 0;
  bool standardise = false;  // features, and for the squared loss the target
  std::uint64_t seed = 0;    // order of the rows in batches
};

struct GradientSolution {
  std::vector<double> parameters;  // outputs × features weights, outputs intercepts
  TrainingLog log;
};

// Targets as LinearLoss wants them stand in for those of the data sets. `validation` may be null.
template <Real T>
[[nodiscard]] GradientSolution fit_by_gradients(
    Engine& engine, const GradientProblem& problem, const GradientOptions& options,
    const Dataset<T>& train, std::span<const T> train_target, const Dataset<T>* validation,
    std::span<const T> validation_target, RunControl& control);

}  // namespace tandem

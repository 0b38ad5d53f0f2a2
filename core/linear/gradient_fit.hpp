// Training of a linear model by a first-order optimiser, on all rows or on batches.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/linear/linear_steps.hpp"
#include "core/linear/rows.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/data/split.hpp"
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

// The rows that a gradient fit trains on and those that it watches: the validation rows it is
// given, else a part of the training rows, else none.
template <Real T>
struct GradientParts {
  GradientParts(const DatasetView<T>& data, const std::optional<DatasetView<T>>& given,
                double validation_fraction, std::uint64_t seed)
      : train(&data) {
    if (given) {
      require_dense(*given, "a linear model");
      validation = &*given;
      check_rows(*validation);
    } else if (validation_fraction > 0) {
      split = train_test_split(data.rows(), validation_fraction, seed);
      kept = select_rows(data, split.train);
      watched = select_rows(data, split.test);
      kept_view.emplace(kept.view());
      watched_view.emplace(watched.view());
      train = &*kept_view;
      validation = &*watched_view;
      check_rows(*train);
      check_rows(*validation);
    }
  }
  GradientParts(const GradientParts&) = delete;
  GradientParts& operator=(const GradientParts&) = delete;

  const DatasetView<T>* train;
  const DatasetView<T>* validation = nullptr;
  Split split;  // where training rows were parted; else empty

 private:
  Dataset<T> kept;
  Dataset<T> watched;
  std::optional<DatasetView<T>> kept_view;
  std::optional<DatasetView<T>> watched_view;
};

// Targets as LinearLoss wants them stand in for those of the data sets. `validation` may be null.
template <Real T>
[[nodiscard]] GradientSolution fit_by_gradients(
    Engine& engine, const GradientProblem& problem, const GradientOptions& options,
    const DatasetView<T>& train, std::span<const T> train_target, const DatasetView<T>* validation,
    std::span<const T> validation_target, RunControl& control);

}  // namespace tandem

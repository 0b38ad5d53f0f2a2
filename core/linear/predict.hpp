// Predictions of the linear models, chunk by chunk.
#pragma once

#include <cmath>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/linear/linear_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/text.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// A linear model on an engine, which must outlive it.
template <Real T>
class LinearPredictor {
 public:
  // `model` names the model for messages.
  LinearPredictor(Engine& engine, LinearLoss loss, Index outputs, Index features,
                  const std::vector<double>& parameters, std::string_view model);

  // Row-major x.rows × columns results as LinearSteps::predict gives them. Throws InputError where
  // x has another number of columns than `features`.
  [[nodiscard]] std::vector<T> predict(MatrixView<const T> x);

 private:
  Engine* engine_;
  LinearLoss loss_;
  Index outputs_;
  Index features_;
  std::string model_;
  std::unique_ptr<LinearSteps<T>> steps_;
  Buffer<double> parameters_;
};

// Throws NumericalError that names the column where a weight is beyond what predictions, which
// compute in T, can use. weights: one per feature.
template <Real T>
void require_range(const DatasetView<T>& data, std::span<const double> weights) {
  constexpr auto largest = static_cast<double>(std::numeric_limits<T>::max());
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (std::abs(weights[j]) <= largest) continue;
    throw NumericalError(data.source + ": the weight of column " +
                         data.feature_name(static_cast<Index>(j)) + ", " + shortest(weights[j]) +
                         ", is beyond the range of " + std::string(to_string(precision_of<T>)) +
                         "; scale the features or the target (" + option("scale") + " standard, " +
                         option("scale_target") + "), or take " + option("precision") + " float64");
  }
}

}  // namespace tandem

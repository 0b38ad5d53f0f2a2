// Predictions of the linear models, chunk by chunk.
#pragma once

#include <vector>

#include "core/linear/linear_steps.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

// Row-major x.rows × columns results as LinearSteps::predict gives them. Throws InputError where x
// has another number of columns than `features`; `model` names the model for the message.
template <Real T>
[[nodiscard]] std::vector<T> predict_linear(Engine& engine, LinearLoss loss, Index outputs,
                                            Index features, const std::vector<double>& parameters,
                                            MatrixView<const T> x, std::string_view model);

}  // namespace tandem

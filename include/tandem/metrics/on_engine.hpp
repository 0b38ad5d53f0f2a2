// Metrics of predictions that are in an engine's memory, computed there: only the result crosses to
// the host. The same numbers, bit for bit, as regression.hpp and classification.hpp give for the
// same values on the host, and the same errors; docs/evaluation.md has the formulas.
//
// Weights are in double, one per row, or an empty buffer for 1 each.
#pragma once

#include "tandem/core/buffer.hpp"
#include "tandem/core/export.hpp"
#include "tandem/metrics/classification.hpp"
#include "tandem/metrics/regression.hpp"

namespace tandem {

template <Real T>
[[nodiscard]] TANDEM_API RegressionScores regression_scores_on(Engine& engine,
                                                               const Buffer<T>& truth,
                                                               const Buffer<T>& predicted,
                                                               const Buffer<double>& weights = {});

// Unweighted.
[[nodiscard]] TANDEM_API Confusion confusion_matrix_on(Engine& engine,
                                                       const Buffer<std::int32_t>& truth,
                                                       const Buffer<std::int32_t>& predicted,
                                                       Index classes);
[[nodiscard]] TANDEM_API double accuracy_on(Engine& engine, const Buffer<std::int32_t>& truth,
                                            const Buffer<std::int32_t>& predicted,
                                            const Buffer<double>& weights = {});

// probabilities: rows × classes.
template <Real T>
[[nodiscard]] TANDEM_API double log_loss_on(Engine& engine, const Buffer<std::int32_t>& truth,
                                            const Buffer<T>& probabilities, Index classes,
                                            const Buffer<double>& weights = {});
template <Real T>
[[nodiscard]] TANDEM_API double brier_on(Engine& engine, const Buffer<std::int32_t>& truth,
                                         const Buffer<T>& probabilities, Index classes,
                                         const Buffer<double>& weights = {});

}  // namespace tandem

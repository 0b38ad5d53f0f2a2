// How well predicted numbers fit the true ones. docs/evaluation.md has the formulas.
//
// Weights are >= 0, one per row, or empty for 1 each; they must not all be 0. Throws InputError for
// sizes that differ, no rows, and values that are NaN or infinite. Sums are in double precision in
// the shape of long_sum.
#pragma once

#include <span>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct RegressionScores {
  double mse = 0;   // mean of (truth − prediction)²
  double rmse = 0;  // its square root, in the unit of the target
  double mae = 0;   // mean of |truth − prediction|
  // 1 − Σ (truth − prediction)² / Σ (truth − mean truth)². Where the truth is constant it is 1 for
  // a perfect prediction and 0 for any other. NaN, not defined, where a single row has weight.
  double r2 = 0;
};

[[nodiscard]] TANDEM_API RegressionScores regression_scores(std::span<const float> truth,
                                                            std::span<const float> predicted,
                                                            std::span<const double> weights = {},
                                                            int threads = 1);
[[nodiscard]] TANDEM_API RegressionScores regression_scores(std::span<const double> truth,
                                                            std::span<const double> predicted,
                                                            std::span<const double> weights = {},
                                                            int threads = 1);

}  // namespace tandem

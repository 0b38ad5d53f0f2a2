// The closed form of linear regression: factor on the engine, solve a small triangle on the host.
#pragma once

#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

struct LeastSquaresProblem {
  bool intercept = true;
  double l2 = 0;            // as in LinearRegressionOptions
  bool standardise = true;  // the penalty and the choice among minimisers see v_j = w_j·s_j
};

struct LeastSquaresSolution {
  std::vector<double> weights;
  double intercept = 0;
  Index rank = 0;          // of the centred features, penalty rows included
  double mean_square = 0;  // Σ ω·residual² / Σ ω at the solution
  double cost = 0;         // ½·mean_square + the penalty
};

// Requires: data is finite, has rows and a target, and weights (where any) that are not all zero.
template <Real T>
[[nodiscard]] LeastSquaresSolution solve_least_squares(Engine& engine,
                                                       const LeastSquaresProblem& problem,
                                                       const DatasetView<T>& data);

// The solution of T·w ≈ c, T upper triangular n × n row-major, that minimises Σ (w_j·scale_j)²
// among the minimisers of the residual. Column j counts as zero where `zero[j]`; a column that lies
// in the span of others up to `tolerance` of its own length adds nothing to the rank. Column
// pivoting by length (Businger and Golub 1965), then the orthogonal factor of the rows that are
// left (Golub and Van Loan, §5.5.6). Returns the rank. residual2 gets the squared length of the
// residual.
Index solve_triangle(Index n, std::vector<double> triangle, std::vector<double> c,
                     const std::vector<double>& scale, const std::vector<bool>& zero,
                     double tolerance, std::vector<double>& w, double& residual2);

}  // namespace tandem

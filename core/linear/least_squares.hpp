// The closed form of linear regression: factor on the engine, solve a small triangle on the host.
#pragma once

#include <functional>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

struct LeastSquaresProblem {
  bool intercept = true;
  double l2 = 0;                  // as in LinearRegressionOptions
  bool standardise = true;        // the penalty and the choice among minimisers see v_j = w_j·s_j
  RunControl* control = nullptr;  // told how much is done
};

struct LeastSquaresSolution {
  std::vector<double> weights;
  double intercept = 0;
  Index rank = 0;          // of the centred features, penalty rows included
  double mean_square = 0;  // Σ ω·residual² / Σ ω at the solution
  double cost = 0;         // ½·mean_square + the penalty
};

// The values of a column are known to about this part of the largest of them: those that were
// computed from others, or written with few digits, are off by a rounding or two.
template <Real T>
inline constexpr double known_to = 4 * unit_roundoff<T>;
// A column whose deviation is below this part of its mean is constant: its values differ by
// roundings of a double.
inline constexpr double constant_below = 4 * unit_roundoff<double>;

// With an intercept, the data less a centre near the mean of each column are factored, so that a
// column of which only the last digits vary (seconds since 1970) keeps all of them.
// Requires: data is finite, has rows and a target, and weights (where any) that are not all zero.
template <Real T>
[[nodiscard]] LeastSquaresSolution solve_least_squares(Engine& engine,
                                                       const LeastSquaresProblem& problem,
                                                       const DatasetView<T>& data);

// Scales and errors of the columns of a triangle.
struct TriangleColumns {
  std::vector<double> scale;
  std::vector<bool> zero;         // counts as zero
  std::vector<double> uncertain;  // length of what its values may be off by
  Index most = 0;                 // the rank is not larger
};

// The solution of T·w ≈ c, T upper triangular n × n row-major, that minimises Σ (w_j·scale_j)²
// among the minimisers of the residual. A column adds nothing to the rank where a combination of
// others comes as near to it as the two are known: within 10⁻¹² of its own length, or within its
// uncertainty and that of the others times their weights in the combination. Column pivoting by
// length (Businger and Golub 1965), then the orthogonal factor of the rows that are left (Golub and
// Van Loan, §5.5.6). Returns the rank. residual2 gets the squared length of the residual.
// after_pivot is told how many columns have been pivots.
Index solve_triangle(Index n, std::vector<double> triangle, std::vector<double> c,
                     const TriangleColumns& columns, const std::function<void(Index)>& after_pivot,
                     std::vector<double>& w, double& residual2);

}  // namespace tandem

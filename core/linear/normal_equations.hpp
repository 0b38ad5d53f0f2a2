// Linear regression by the normal equations: the products of the columns on the engine, a Cholesky
// factorisation on the host, and an estimate of what that costs in accuracy.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/linear/least_squares.hpp"

namespace tandem {

struct NormalEquationsSolution {
  LeastSquaresSolution solution;  // meaningful where `refusal` is empty
  // A bound, to first order, on the error of a weight times its feature's deviation, relative to
  // the target's deviation.
  double error = 0;
  // Why the equations do not determine the weights well enough, naming columns; empty otherwise.
  std::string refusal;
};

// The largest `error` with which a solution is given out: half of the digits of double precision.
inline constexpr double normal_equations_tolerance = 0x1p-26;

// Requires what solve_least_squares() requires, and throws what it throws.
template <Real T>
[[nodiscard]] NormalEquationsSolution solve_normal_equations(Engine& engine,
                                                             const LeastSquaresProblem& problem,
                                                             const DatasetView<T>& data);

// A value inside each column, the features' and then the target's, to be taken from it so that
// little cancels where means are large: the mean of up to 1024 rows spread over all of them, and
// the value itself of a column that is constant. 0 without an intercept.
template <Real T>
[[nodiscard]] std::vector<double> centre_of(const DatasetView<T>& data, bool intercept);

// Sums of products of columns, from which solve_normal_equations() solves on the host.
struct ColumnProducts {
  Index rows = 0;
  Index features = 0;
  double total_weight = 0;       // W
  std::vector<double> centre;    // features + 1
  std::vector<double> products;  // as NormalEquationsSteps::products() has them, finite
  // Features that have the centre's value in every row that has a weight. Products cannot tell: the
  // squares of small numbers are 0 too.
  std::vector<bool> constant;
  double known_to = ::tandem::known_to<double>;  // the values, relative to their size
};
// The sums of `data`, whose target is one of the columns, on the engine, piece by piece. after_rows
// is told how many rows are done. Throws InputError for a value that is not finite, NumericalError
// where squares leave the range of double.
template <Real T>
[[nodiscard]] ColumnProducts column_products(Engine& engine, const DatasetView<T>& data,
                                             bool intercept,
                                             const std::function<void(Index)>& after_rows);
// after_row is told which part of the factorisation and the inverse is done.
[[nodiscard]] NormalEquationsSolution solve_products(
    const LeastSquaresProblem& problem, const ColumnProducts& columns,
    const std::function<std::string(Index)>& feature_name,
    const std::function<void(double)>& after_row);

}  // namespace tandem

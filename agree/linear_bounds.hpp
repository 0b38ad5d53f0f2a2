// How far an engine's output, residual and loss of one row of a linear model may be from the
// reference's: docs/algorithms/linear-models.md, "Numerics".
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "core/linear/linear_steps.hpp"

namespace tandem::agree {

template <Real T>
struct LinearRow {
  LinearLoss loss;
  std::span<const T> x;
  Index outputs;
  const std::vector<double>& parameters;  // outputs × features, then the intercepts
  double target;
};

struct LinearRowBound {
  double loss = 0, loss_error = 0;
  std::vector<double> residual, residual_error, prediction_error;  // per output; residual: |r|
};

// An output z is a chain of d fmas in T that starts with the intercept: e = γ_{d+1}(|b| + Σ|w·x|),
// and half a denormal each. The residual of squared loss is z − y with one more rounding; those of
// the others change by no more than the outputs do (by twice the largest of them for softmax), lie
// in [−1, 1], and have at most 16 roundings of numbers up to 1, as has each probability. The loss
// changes by at most |residual| (at most 1; softmax: 2) times e; it adds up to 16 roundings of
// numbers up to 1 + |z|.
template <Real T>
[[nodiscard]] LinearRowBound linear_row_bound(const LinearRow<T>& row) {
  const double u = unit_roundoff<T>;
  const double smallest = static_cast<double>(std::numeric_limits<T>::denorm_min());
  const double infinity = std::numeric_limits<double>::infinity();
  const std::size_t d = row.x.size();
  LinearRowBound bound;
  std::vector<double> z, error;
  double largest = 0, most_error = 0;
  for (Index o = 0; o < row.outputs; ++o) {
    const double b =
        row.parameters[static_cast<std::size_t>(row.outputs) * d + static_cast<std::size_t>(o)];
    double value = b;
    double magnitude = std::abs(b);
    for (std::size_t j = 0; j < d; ++j) {
      const double term =
          row.parameters[static_cast<std::size_t>(o) * d + j] * static_cast<double>(row.x[j]);
      value += term;
      magnitude += std::abs(term);
    }
    // In double, the reference rounds as often.
    double e = (sizeof(T) == 4 ? 1 : 2) * (gamma_bound<T>(static_cast<Index>(d) + 2) * magnitude +
                                           static_cast<double>(d + 1) * smallest);
    if (magnitude >= static_cast<double>(std::numeric_limits<T>::max()) / 4) e = infinity;
    z.push_back(value);
    error.push_back(e);
    largest = std::max(largest, std::abs(value));
    most_error = std::max(most_error, e);
  }
  const double both = sizeof(T) == 4 ? 1 : 2;
  if (row.loss == LinearLoss::squared) {
    const double r = std::abs(z[0] - row.target);
    const double e = error[0] + both * u * (r + error[0]);
    bound.residual = {r};
    bound.residual_error = {e};
    bound.prediction_error = {error[0] + u * std::abs(z[0]) + smallest};
    bound.loss = 0.5 * r * r;
    bound.loss_error = (r + e) * e + both * 2 * (u * 0.5 * (r + e) * (r + e) + smallest);
    if ((r + e) * (r + e) >= static_cast<double>(std::numeric_limits<T>::max()) / 4) {
      bound.loss_error = infinity;
    }
    return bound;
  }
  const double classes = static_cast<double>(row.outputs);
  const double roundings = both * (16 + classes) * u;
  for (std::size_t o = 0; o < z.size(); ++o) {
    bound.residual.push_back(1);
    bound.residual_error.push_back(std::min(2.0, 2 * most_error + roundings + 16 * smallest));
    bound.prediction_error.push_back(bound.residual_error.back());
  }
  bound.loss = 2 * largest + 1;
  bound.loss_error = 2 * most_error + both * (16 + classes) * u * (1 + 2 * largest);
  return bound;
}

}  // namespace tandem::agree

// Log-odds of classes from the arguments of a sigmoid or a softmax.
#pragma once

#include <cmath>
#include <span>

#include "tandem/core/math.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

// rows × 2 from the argument of the sigmoid that gives the second class's probability.
template <Real T>
[[nodiscard]] Matrix<double> log_odds_of_sigmoid(std::span<const T> z) {
  Matrix<double> odds(static_cast<Index>(z.size()), 2);
  for (std::size_t i = 0; i < z.size(); ++i) {
    odds(static_cast<Index>(i), 0) = -static_cast<double>(z[i]);
    odds(static_cast<Index>(i), 1) = static_cast<double>(z[i]);
  }
  return odds;
}

// In place, from the arguments of a softmax: z_c − ln Σ_{k≠c} exp(z_k). The largest argument's sum
// is added up without it, so that nothing cancels.
inline void log_odds_of_softmax(std::span<double> z) {
  std::size_t top = 0;
  for (std::size_t c = 1; c < z.size(); ++c) {
    if (z[c] > z[top]) top = c;
  }
  const double largest = z[top];
  if (!std::isfinite(largest)) {
    // An overflow: what reached infinity is certain, whatever else may be said of it.
    for (double& value : z) value = value == largest ? largest : -std::fabs(largest);
    return;
  }
  double others = 0;
  for (std::size_t c = 0; c < z.size(); ++c) {
    if (c != top) others += math::exp(z[c] - largest);
  }
  for (std::size_t c = 0; c < z.size(); ++c) {
    if (c == top) continue;
    z[c] = z[c] - largest - math::log(1 + (others - math::exp(z[c] - largest)));
  }
  z[top] = -math::log(others);
}

}  // namespace tandem

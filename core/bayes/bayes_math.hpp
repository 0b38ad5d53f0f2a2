// What naive Bayes computes of single values, with the same bits on every device.
#pragma once

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::bayes {

// Whether a value counts as present for the Bernoulli likelihood; a NaN does not.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline double presence(T value, double threshold) {
  return static_cast<double>(value) > threshold ? 1.0 : 0.0;
}

// The code that a value stands for where there are `count` of them, −1 where it is none: negative,
// not whole, beyond the last one or NaN.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline Index code_of(T value, Index count) {
  if (!(value >= T{0} && static_cast<double>(value) < static_cast<double>(count))) return -1;
  const auto code = static_cast<Index>(value);
  return static_cast<T>(code) == value ? code : -1;
}

// A row's weight as a whole number of units: w·2^e rounded to nearest even. The power comes in two
// factors, because 2^e alone may leave the range of double where the product does not.
[[nodiscard]] TANDEM_HOST_DEVICE inline Index units_of(double weight, double scale, double again) {
  return static_cast<Index>(std::nearbyint(weight * scale * again));
}

// acc − (x − mean)²·scale, scale = 1 / (2·variance).
[[nodiscard]] TANDEM_HOST_DEVICE inline double add_normal(double x, double mean, double scale,
                                                          double acc) {
  const double t = x - mean;
  return math::fma(-(t * scale), t, acc);
}

}  // namespace tandem::bayes

// Arithmetic of distances that every engine shares.
#pragma once

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// What is compared, one chain in T over ascending features:
//   squared    acc = fma(t, t, acc), t = x_j − y_j, from 0
//   absolute   acc = acc + |x_j − y_j|, from 0
//   complement acc = fma(−x_j, y_j, acc), from 1; what falls below 0 by rounding is 0
enum class Separation { squared, absolute, complement };

}  // namespace tandem

namespace tandem::neighbours {

template <Separation separation, Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T begin() {
  return separation == Separation::complement ? T{1} : T{0};
}

template <Separation separation, Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T add(T x, T y, T sum) {
  const T t = x - y;
  if constexpr (separation == Separation::complement) {
    return math::fma(-x, y, sum);
  } else if constexpr (separation == Separation::squared) {
    return math::fma(t, t, sum);
  } else {
    return sum + (t < T{0} ? -t : t);
  }
}

template <Separation separation, Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T end(T sum) {
  return separation == Separation::complement && sum < T{0} ? T{0} : sum;
}

}  // namespace tandem::neighbours

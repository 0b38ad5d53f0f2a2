// The vector versions of tandem/core/math.hpp over arrays: what tests and benchmarks compare with
// the scalar ones. Steps include cpu/math-inl.hpp and fuse the functions into their own loops.
#pragma once

#include <span>

#include "tandem/core/types.hpp"

namespace tandem::cpu {

enum class ElementaryFunction {
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  softplus,
  erf,
  sin_pi,
  cos_pi,
  sqrt,
};

// out[i] = f(in[i]); the spans have one size and do not overlap partially.
template <Real T>
void map(ElementaryFunction f, std::span<const T> in, std::span<T> out);

}  // namespace tandem::cpu

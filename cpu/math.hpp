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
void map(ElementaryFunction f, std::span<const float> in, std::span<float> out);
void map(ElementaryFunction f, std::span<const double> in, std::span<double> out);

}  // namespace tandem::cpu

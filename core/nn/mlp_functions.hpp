// Activations and losses of a perceptron for one number, with the same bits on every device; as
// vectors in cpu/nn.
#pragma once

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem::nn {

#define TANDEM_NN_FUNCTION TANDEM_HOST_DEVICE inline
#include "core/nn/mlp_functions.inc"
#undef TANDEM_NN_FUNCTION

template <Real T>
using Scalar = math::detail::ScalarOperations<T>;

// The derivative of a softmax's loss by its sum u_j, from its probability p and the factor of the
// row (MlpSteps::loss).
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T difference(T p, bool is_label) {
  return is_label ? p - T{1} : p;
}
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T cross_entropy_gradient(T p, bool is_label, T factor) {
  return difference(p, is_label) * factor;
}
// `dot` is the chain of difference·p over the classes.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T squared_error_gradient(T p, bool is_label, T dot,
                                                                 T factor) {
  return p * (difference(p, is_label) - dot) * factor;
}

// A running average after a batch, in double, rounded once.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T running_average(double momentum, T before, double batch) {
  return static_cast<T>(momentum * static_cast<double>(before) + (1 - momentum) * batch);
}

// A column's scale and shift for prediction (MlpSteps::running_affine).
template <Real T>
struct Affine {
  T scale;
  T shift;
};
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline Affine<T> running_affine(double epsilon, T scale, T shift,
                                                                 T mean, T variance) {
  const double factor =
      static_cast<double>(scale) / math::sqrt(static_cast<double>(variance) + epsilon);
  return {static_cast<T>(factor),
          static_cast<T>(static_cast<double>(shift) - static_cast<double>(mean) * factor)};
}

}  // namespace tandem::nn

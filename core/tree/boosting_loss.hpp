// The objectives of boosting for one row, with the same bits on every device; as vectors of rows in
// cpu/tree/boosting_gradients.cpp.
#pragma once

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

enum class BoostingLoss {
  squared_error,
  huber,
  logistic,
  softmax,
  poisson,
  gamma,
  tweedie,
  absolute_error,
  quantile
};

template <Real T>
struct LossRules {
  BoostingLoss kind = BoostingLoss::squared_error;
  T parameter = 0;    // huber: delta; poisson: factor of the second derivative; tweedie: power;
                      // quantile: its share
  Index outputs = 1;  // softmax: classes; else 1
};

// Whether the second derivative of a row of weight 1 is 1.
[[nodiscard]] constexpr bool unit_hessian(BoostingLoss loss) {
  return loss == BoostingLoss::squared_error || loss == BoostingLoss::huber ||
         loss == BoostingLoss::absolute_error || loss == BoostingLoss::quantile;
}

// Whether a leaf gets a quantile of what is left to explain of its rows: second derivatives are 0,
// and the 1 in their place says nothing of how far to go.
[[nodiscard]] constexpr bool renews_leaves(BoostingLoss loss) {
  return loss == BoostingLoss::absolute_error || loss == BoostingLoss::quantile;
}

namespace loss {
using math::detail::exp_of;
using math::detail::log_of;
using math::detail::sigmoid_of;
using math::detail::softplus_of;
#define TANDEM_LOSS_FUNCTION TANDEM_HOST_DEVICE inline
#include "core/tree/boosting_loss.inc"
#undef TANDEM_LOSS_FUNCTION
template <Real T>
using Scalar = math::detail::ScalarOperations<T>;
}  // namespace loss

// Gradient and Hessian of a row of weight 1 by its one score.
template <Real T>
TANDEM_HOST_DEVICE inline loss::GradientTerms<loss::Scalar<T>> gradient_of(
    const LossRules<T>& rules, T s, T y) {
  const loss::Scalar<T> o;
  switch (rules.kind) {
    case BoostingLoss::huber: return loss::huber_terms(o, s, y, rules.parameter);
    case BoostingLoss::logistic: return loss::logistic_gradient_terms(o, s, y);
    case BoostingLoss::poisson: return loss::poisson_terms(o, s, y, rules.parameter);
    case BoostingLoss::gamma: return loss::gamma_terms(o, s, y);
    case BoostingLoss::tweedie: return loss::tweedie_terms(o, s, y, rules.parameter);
    case BoostingLoss::absolute_error: return loss::absolute_error_terms(o, s, y);
    case BoostingLoss::quantile: return loss::quantile_terms(o, s, y, rules.parameter);
    case BoostingLoss::squared_error:
    case BoostingLoss::softmax: break;
  }
  return loss::squared_error_terms(o, s, y);
}

// With M the largest of the row's scores: e^(s − M), whose sum over the classes in their order is
// what probabilities are quotients by. A NaN is kept.
template <Real T>
TANDEM_HOST_DEVICE inline T largest_score(const T* scores, Index outputs) {
  T largest = scores[0];
  for (Index k = 1; k < outputs; ++k) {
    if (!(scores[k] < largest)) largest = scores[k];
  }
  return largest;
}

// The loss of a row of weight 1.
template <Real T>
TANDEM_HOST_DEVICE inline T loss_of(const LossRules<T>& rules, const T* scores, T y) {
  const loss::Scalar<T> o;
  switch (rules.kind) {
    case BoostingLoss::huber: return loss::huber_loss(o, scores[0], y, rules.parameter);
    case BoostingLoss::logistic: return loss::logistic_loss(o, scores[0], y);
    case BoostingLoss::poisson: return loss::poisson_loss(o, scores[0], y);
    case BoostingLoss::gamma: return loss::gamma_loss(o, scores[0], y);
    case BoostingLoss::tweedie: return loss::tweedie_loss(o, scores[0], y, rules.parameter);
    case BoostingLoss::absolute_error: return loss::absolute_error_loss(o, scores[0], y);
    case BoostingLoss::quantile: return loss::quantile_loss(o, scores[0], y, rules.parameter);
    case BoostingLoss::softmax: {
      const T largest = largest_score(scores, rules.outputs);
      T sum = 0;
      for (Index k = 0; k < rules.outputs; ++k) sum += math::exp(scores[k] - largest);
      return math::log(sum) - (scores[static_cast<Index>(y)] - largest);
    }
    case BoostingLoss::squared_error: break;
  }
  return loss::squared_error_loss(o, scores[0], y);
}

}  // namespace tandem::tree

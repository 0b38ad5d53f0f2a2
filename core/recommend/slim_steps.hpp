// The steps of SLIM: coordinate descent for some of the items, and the order of its operations.
//
// G is XᵀX, items × items in double, symmetric and >= 0. Of item j the candidates are the items
// k != j with G_jk > λ, ascending: others' weights are 0 at the optimum, since r_k below never
// exceeds G_jk. From w = 0 and r_k = G_jk over the candidates, sweep after sweep, for k ascending:
//
//   v   = max(0, (fma(w_k, G_kk, r_k) − λ) / (G_kk + β))
//   d   = v − w_k;  where d is not 0: r_m = fma(−d, G_km, r_m) for all candidates m, and w_k = v
//
// until a sweep's largest |d| is at most tolerance times the largest weight, or there were as many
// sweeps as there may be. Friedman, Hastie and Tibshirani, "Regularization Paths for Generalized
// Linear Models via Coordinate Descent", JSS 33 (2010): covariance updates.
#pragma once

#include <memory>
#include <string_view>

#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

struct SlimProblem {
  Index items = 0;
  const double* gram = nullptr;  // items × items
  double l1 = 0;
  double l2 = 0;
  double tolerance = 0;
  Index sweeps = 1;
};

// The new weight of a candidate.
[[nodiscard]] TANDEM_HOST_DEVICE inline double slim_weight(double rest, double l1, double square,
                                                           double l2) {
  const double above = rest - l1;
  return above > 0 ? above / (square + l2) : 0.0;
}

class SlimSteps {
 public:
  virtual ~SlimSteps() = default;

  // weights (count × items) ← those of the items first .. first + count − 1, one row each. sweeps:
  // count, how many each took; negative where it did not converge. Enqueues.
  virtual void solve(const SlimProblem& problem, Index first, Index count, Buffer<double>& weights,
                     Buffer<std::int32_t>& sweeps) = 0;
};

// By precision only so that engines find it like others.
template <Real T>
class SlimStepsOf : public SlimSteps {
 public:
  static constexpr std::string_view name = "slim";
  [[nodiscard]] static std::unique_ptr<SlimStepsOf> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<SlimStepsOf> make_cpu(Engine& engine);
};

}  // namespace tandem

// The steps of tandem/optim/optimizer.hpp.
#pragma once

#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/optim/optimizer.hpp"

namespace tandem {

// The scalars of one update, computed by the driver in double. cpu and cuda round each of them to
// T once and then compute, for each parameter, in T:
//   g  ← fma(l2, w, g)                                     on the penalised range, where l2 ≠ 0
//   gradient_descent:  w' = fma(−rate, g, w)
//   momentum:          v ← fma(μ, v, g);  w' = fma(−rate, v, w)
//   nesterov:          v ← fma(μ, v, g);  w' = fma(−rate, fma(μ, v, g), w)
//   rmsprop:           s ← fma(β₂, s, (1 − β₂)·(g·g));  d = √s + ε;  w' = fma(−rate, g / d, w)
//   adam, adamw:       m ← fma(β₁, m, (1 − β₁)·g);  s ← fma(β₂, s, (1 − β₂)·(g·g));
//                      d = fma(√s, second_scale, ε);
//                      w₀ = fma(−decay, w, w) on the penalised range, where decay ≠ 0, else w;
//                      w' = fma(−first_rate, m / d, w₀)
//   and last           τ = threshold, divided by d where there is one;
//                      a = |w'| − τ;  w ← a <= 0 ? 0 : copysign(a, w')
//                                                          on the penalised range, where l1 ≠ 0
struct OptimizerUpdate {
  OptimizerMethod method = OptimizerMethod::gradient_descent;
  double rate = 0;
  double momentum = 0;
  double beta1 = 0;
  double one_minus_beta1 = 0;
  double beta2 = 0;
  double one_minus_beta2 = 0;
  double epsilon = 0;
  double first_rate = 0;    // rate / (1 − β₁ᵗ)
  double second_scale = 0;  // 1 / √(1 − β₂ᵗ)
  double decay = 0;         // rate·weight_decay
  double l2 = 0;
  double threshold = 0;
  Index penalised_begin = 0;
  Index penalised_end = 0;
};

// Bytes that one update must move and operations it does, for benchmarks. Reads w, g and the
// state, writes w and the state; a division and a square root count as one operation each.
[[nodiscard]] constexpr Cost optimizer_cost(OptimizerMethod method, Index size,
                                            std::size_t element) {
  double buffers = 3;
  double flops = 2;
  switch (method) {
    case OptimizerMethod::gradient_descent: break;
    case OptimizerMethod::momentum: buffers = 5, flops = 4; break;
    case OptimizerMethod::nesterov: buffers = 5, flops = 6; break;
    case OptimizerMethod::rmsprop: buffers = 5, flops = 9; break;
    case OptimizerMethod::adam:
    case OptimizerMethod::adamw: buffers = 7, flops = 13; break;
  }
  const auto n = static_cast<double>(size);
  return {buffers * n * static_cast<double>(element), flops * n};
}

template <Real T>
class OptimizerSteps {
 public:
  virtual ~OptimizerSteps() = default;
  static constexpr std::string_view name = "optimizer";
  [[nodiscard]] static std::unique_ptr<OptimizerSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<OptimizerSteps> make_cpu(Engine& engine);

  // One update as above, in one pass. first (velocity or first moment) and second are empty where
  // the method has none. Enqueues.
  virtual void update(const OptimizerUpdate& update, const Buffer<T>& gradient,
                      Buffer<T>& parameters, Buffer<T>& first, Buffer<T>& second) = 0;
};

}  // namespace tandem

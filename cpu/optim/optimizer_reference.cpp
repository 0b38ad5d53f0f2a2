// The optimisers as their papers write them, in double precision; state and parameters are rounded
// to T when they are stored.
#include <algorithm>
#include <cmath>

#include "core/optim/optimizer_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceOptimizer final : public OptimizerSteps<T> {
 public:
  void update(const OptimizerUpdate& u, const Buffer<T>& gradient, Buffer<T>& parameters,
              Buffer<T>& first, Buffer<T>& second) override {
    for (Index i = 0; i < parameters.size(); ++i) {
      const bool penalised = i >= u.penalised_begin && i < u.penalised_end;
      double w = static_cast<double>(parameters.data()[i]);
      double g = static_cast<double>(gradient.data()[i]);
      if (penalised) g += u.l2 * w;
      double divisor = 1;
      switch (u.method) {
        case OptimizerMethod::gradient_descent: w -= u.rate * g; break;
        case OptimizerMethod::momentum:
        case OptimizerMethod::nesterov: {
          const double v = u.momentum * static_cast<double>(first.data()[i]) + g;
          first.data()[i] = static_cast<T>(v);
          w -= u.rate * (u.method == OptimizerMethod::momentum ? v : u.momentum * v + g);
          break;
        }
        case OptimizerMethod::rmsprop: {
          const double s =
              u.beta2 * static_cast<double>(second.data()[i]) + u.one_minus_beta2 * g * g;
          second.data()[i] = static_cast<T>(s);
          divisor = std::sqrt(s) + u.epsilon;
          w -= u.rate * g / divisor;
          break;
        }
        case OptimizerMethod::adam:
        case OptimizerMethod::adamw: {
          const double m = u.beta1 * static_cast<double>(first.data()[i]) + u.one_minus_beta1 * g;
          const double s =
              u.beta2 * static_cast<double>(second.data()[i]) + u.one_minus_beta2 * g * g;
          first.data()[i] = static_cast<T>(m);
          second.data()[i] = static_cast<T>(s);
          divisor = std::sqrt(s) * u.second_scale + u.epsilon;
          if (penalised) w -= u.decay * w;
          w -= u.first_rate * m / divisor;
          break;
        }
      }
      if (penalised && u.threshold != 0) {
        const double shrunk = std::abs(w) - u.threshold / divisor;
        w = shrunk <= 0 ? 0.0 : std::copysign(shrunk, w);
      }
      parameters.data()[i] = static_cast<T>(w);
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<OptimizerSteps<T>> OptimizerSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceOptimizer<T>>();
}
template std::unique_ptr<OptimizerSteps<float>> OptimizerSteps<float>::make_reference(Engine&);
template std::unique_ptr<OptimizerSteps<double>> OptimizerSteps<double>::make_reference(Engine&);

}  // namespace tandem

// Agreement of the optimisers: a few updates of many parameters.
#include "agree/case.hpp"
#include "agree/running_error.hpp"
#include "core/engine_backend.hpp"
#include "core/optim/optimizer_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class UpdateCase final : public Case {
 public:
  explicit UpdateCase(const Key& key) {
    Draw draw(key.seed, 2);
    const Index size = key.kind == DataKind::one_row ? 1 : key.rows;
    method_ = draw.of({OptimizerMethod::gradient_descent, OptimizerMethod::momentum,
                       OptimizerMethod::nesterov, OptimizerMethod::rmsprop, OptimizerMethod::adam,
                       OptimizerMethod::adamw});
    const double rate = draw.uniform(0.001, 0.5);
    const bool penalty = draw.flip();
    for (int t = 1; t <= 3; ++t) {
      OptimizerUpdate u;
      u.method = method_;
      u.rate = rate / t;
      u.momentum = 0.9;
      u.beta1 = 0.9;
      u.one_minus_beta1 = 1 - u.beta1;
      u.beta2 = 0.999;
      u.one_minus_beta2 = 1 - u.beta2;
      u.epsilon = 1e-8;
      u.first_rate = u.rate / (1 - std::pow(u.beta1, t));
      u.second_scale = 1 / std::sqrt(1 - std::pow(u.beta2, t));
      if (method_ == OptimizerMethod::adamw) u.decay = u.rate * 0.01;
      if (penalty) {
        u.l2 = 0.03;
        u.threshold = 0.002 * u.rate;
        u.penalised_begin = size / 7;
        u.penalised_end = size - size / 5;
      }
      updates_.push_back(u);
      gradients_.push_back(make_values<T>(key.kind, size, draw));
    }
    parameters_ = make_values<T>(draw.flip() ? key.kind : DataKind::random, size, draw);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<OptimizerSteps, T>(engine);
    const auto zeros = std::vector<T>(parameters_.size());
    Buffer<T> w = to_engine(engine, parameters_);
    Buffer<T> m = to_engine(engine, zeros);
    Buffer<T> s = to_engine(engine, zeros);
    for (std::size_t t = 0; t < updates_.size(); ++t) {
      const Buffer<T> gradient = to_engine(engine, gradients_[t]);
      const Repeated repeated(engine, steps.get(), 0);
      steps->update(updates_[t], gradient, w, m, s);
    }
    backend(engine).forget_repeated(steps.get());
    out.add("w", w);
    out.add("first", m);
    out.add("second", s);
  }

  void judge(Judge& judge) const override {
    std::vector<double> w, m, s;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const State state = traced(i);
      w.push_back(state.w.error());
      m.push_back(state.m.error());
      s.push_back(state.s.error());
    }
    judge.within("w", Tolerance::elementwise, [&](std::size_t i) { return w[i]; });
    judge.within("first", Tolerance::elementwise, [&](std::size_t i) { return m[i]; });
    judge.within("second", Tolerance::elementwise, [&](std::size_t i) { return s[i]; });
  }

 private:
  using Number = Traced<T>;
  struct State {
    Number w, m, s;
  };

  // The reference multiplies by the rate before it divides; its product may be denormal in double.
  static Number quotient(const Number& a, const Number& b, double rate) {
    const Number q = a / b;
    return {q.value(), q.error() + std::numeric_limits<double>::denorm_min() / (b.value() * rate)};
  }

  // The formulas of core/optim/optimizer_steps.hpp with their errors.
  State traced(std::size_t i) const {
    State state{static_cast<double>(parameters_[i]), 0.0, 0.0};
    Number &w = state.w, &m = state.m, &s = state.s;
    const auto scalar = [](double value) { return Number::rounded(value); };
    for (std::size_t t = 0; t < updates_.size(); ++t) {
      const OptimizerUpdate& u = updates_[t];
      const bool penalised =
          static_cast<Index>(i) >= u.penalised_begin && static_cast<Index>(i) < u.penalised_end;
      Number g = static_cast<double>(gradients_[t][i]);
      if (penalised && u.l2 != 0) g = fma(scalar(u.l2), w, g);
      Number divisor = 1.0;
      switch (u.method) {
        case OptimizerMethod::gradient_descent: w = fma(scalar(-u.rate), g, w); break;
        case OptimizerMethod::momentum:
          m = fma(scalar(u.momentum), m, g);
          w = fma(scalar(-u.rate), m, w);
          break;
        case OptimizerMethod::nesterov:
          m = fma(scalar(u.momentum), m, g);
          w = fma(scalar(-u.rate), fma(scalar(u.momentum), m, g), w);
          break;
        case OptimizerMethod::rmsprop:
          s = fma(scalar(u.beta2), s, scalar(u.one_minus_beta2) * (g * g));
          divisor = sqrt(s) + scalar(u.epsilon);
          w = fma(scalar(-u.rate), quotient(g, divisor, u.rate), w);
          break;
        case OptimizerMethod::adam:
        case OptimizerMethod::adamw:
          m = fma(scalar(u.beta1), m, scalar(u.one_minus_beta1) * g);
          s = fma(scalar(u.beta2), s, scalar(u.one_minus_beta2) * (g * g));
          divisor = fma(sqrt(s), scalar(u.second_scale), scalar(u.epsilon));
          if (penalised && u.decay != 0) w = fma(scalar(-u.decay), w, w);
          w = fma(scalar(-u.first_rate), quotient(m, divisor, u.first_rate), w);
          break;
      }
      if (penalised && u.threshold != 0) {
        // Shrinking is a contraction in w and in the threshold, so that errors add.
        const Number left = abs(w) - scalar(u.threshold) / divisor;
        w = {left.value() <= 0 ? 0.0 : std::copysign(left.value(), w.value()), left.error()};
      }
      // The reference rounds what it keeps.
      w = w.round(1);
      m = m.round(1);
      s = s.round(1);
    }
    return state;
  }

  OptimizerMethod method_;
  std::vector<OptimizerUpdate> updates_;
  std::vector<std::vector<T>> gradients_;
  std::vector<T> parameters_;
};

}  // namespace

Agreement make_optimizer_agreement() {
  return {part<UpdateCase>("update", "three updates by one of the six methods", {"optimizer"},
                           "elementwise: running error of each operation")};
}

}  // namespace tandem::agree

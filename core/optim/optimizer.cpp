#include "tandem/optim/optimizer.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/optim/optimizer_steps.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

bool has_first_moment(OptimizerMethod method) {
  return method != OptimizerMethod::gradient_descent && method != OptimizerMethod::rmsprop;
}
bool has_second_moment(OptimizerMethod method) {
  return method == OptimizerMethod::rmsprop || method == OptimizerMethod::adam ||
         method == OptimizerMethod::adamw;
}

// base^exponent by squaring; exponent >= 0.
double power(double base, Index exponent) {
  double result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result *= base;
    base *= base;
  }
  return result;
}

// The k-th root of d in (0, 1], by bisection: power() is non-decreasing in its base.
double root(double d, Index k) {
  double low = 0;
  double high = 1;
  for (int step = 0; step < 64; ++step) {
    const double middle = (low + high) / 2;
    (power(middle, k) < d ? low : high) = middle;
  }
  return high;
}

// cos(π·x) for x in [0, 1], by the Taylor series of the sine about the nearest multiple of π/2;
// the first neglected term is below 1e-17.
double cosine_of_half_turns(double x) {
  const double y = 3.14159265358979323846 * (0.5 - x);  // cos(πx) = sin(π/2 − πx), |y| <= π/2
  double term = y;
  double sum = y;
  for (int k = 2; k < 26; k += 2) {
    term = term * (-(y * y) / static_cast<double>(k * (k + 1)));
    sum += term;
  }
  return sum;
}

}  // namespace

void OptimizerOptions::visit(OptionVisitor& visitor) {
  visitor.choice("optimizer", method, "how parameters follow the gradient");
  visitor.real({"learning_rate", {"learning_rate_init", "eta0"}}, learning_rate,
               "size of the optimizer's steps", 1e-12, 1e6);
  visitor.real("momentum", momentum, "decay of the velocity (momentum, nesterov)", 0, 0.999999);
  visitor.real("beta1", beta1, "decay of the first moment (adam, adamw)", 0, 0.999999);
  visitor.real("beta2", beta2, "decay of the second moment (rmsprop, adam, adamw)", 0, 0.9999999);
  visitor.real("epsilon", epsilon, "added to the root of the second moment (rmsprop, adam, adamw)",
               1e-30, 1);
  visitor.real("weight_decay", weight_decay, "decoupled weight decay (adamw)", 0, 1e6);
  visitor.choice("schedule", schedule, "how the learning rate changes from epoch to epoch");
  visitor.real("decay", decay,
               "factor that the learning rate reaches after decay_every epochs (step, "
               "exponential, inverse-time)",
               1e-12, 1);
  visitor.integer("decay_every", decay_every,
                  "epochs in which the learning rate falls by the factor decay", 1,
                  std::int64_t{1} << 40);
  visitor.real("final_fraction", final_fraction,
               "part of the learning rate that is left in the end (cosine)", 0, 1);
  visitor.integer("warm_up", warm_up, "epochs during which the learning rate rises from near zero",
                  0, std::int64_t{1} << 40);
}

double learning_rate_at(const OptimizerOptions& options, Index epoch, Index epochs) {
  const double d = options.decay;
  const Index k = options.decay_every;
  double factor = 1;
  if (options.schedule == LearningRateSchedule::step) {
    factor = power(d, epoch / k);
  } else if (options.schedule == LearningRateSchedule::exponential) {
    factor = power(d, epoch / k) * power(root(d, k), epoch % k);
  } else if (options.schedule == LearningRateSchedule::inverse_time) {
    factor = 1 / (1 + (1 / d - 1) * (static_cast<double>(epoch) / static_cast<double>(k)));
  } else if (options.schedule == LearningRateSchedule::cosine) {
    const Index last = std::max<Index>(epochs, 1);
    const double x = static_cast<double>(std::min(epoch, last)) / static_cast<double>(last);
    factor =
        options.final_fraction + (1 - options.final_fraction) * ((1 + cosine_of_half_turns(x)) / 2);
  }
  if (epoch < options.warm_up) {
    factor *= static_cast<double>(epoch + 1) / static_cast<double>(options.warm_up + 1);
  }
  return options.learning_rate * factor;
}

template <Real T>
struct Optimizer<T>::Kernels {
  std::unique_ptr<OptimizerSteps<T>> steps;
};

template <Real T>
Optimizer<T>::Optimizer(Engine& engine, const OptimizerOptions& options, Index size, Index epochs,
                        const Penalty& penalty)
    : options_(options), penalty_(penalty), size_(size), epochs_(epochs) {
  check_options(options);
  if (!(penalty.l1 >= 0) || !(penalty.l2 >= 0) || !std::isfinite(penalty.l1) ||
      !std::isfinite(penalty.l2)) {
    throw InputError(option("l1") + " and " + option("l2") + " must be finite and not negative");
  }
  if (penalty.begin < 0 || penalty.end < penalty.begin || penalty.end > size) {
    throw std::logic_error("the penalised range is not part of the parameters");
  }
  rate_ = learning_rate_at(options_, 0, epochs_);
  if (has_first_moment(options_.method)) {
    first_ = Buffer<T>(engine, size);
    first_.fill_zero();
  }
  if (has_second_moment(options_.method)) {
    second_ = Buffer<T>(engine, size);
    second_.fill_zero();
  }
  kernels_ = std::make_unique<Kernels>(Kernels{make_steps<OptimizerSteps, T>(engine)});
}

template <Real T>
Optimizer<T>::~Optimizer() = default;
template <Real T>
Optimizer<T>::Optimizer(Optimizer&&) noexcept = default;
template <Real T>
Optimizer<T>& Optimizer<T>::operator=(Optimizer&&) noexcept = default;

template <Real T>
void Optimizer<T>::begin_epoch(Index epoch) {
  rate_ = learning_rate_at(options_, epoch, epochs_);
}

template <Real T>
void Optimizer<T>::step(Buffer<T>& parameters, const Buffer<T>& gradient) {
  if (parameters.size() != size_ || gradient.size() != size_) {
    throw std::logic_error("an optimiser of " + std::to_string(size_) + " parameters was given " +
                           std::to_string(parameters.size()) + " and a gradient of " +
                           std::to_string(gradient.size()));
  }
  ++steps_;
  beta1_power_ *= options_.beta1;
  beta2_power_ *= options_.beta2;
  OptimizerUpdate u;
  u.method = options_.method;
  u.rate = rate_;
  u.momentum = options_.momentum;
  u.beta1 = options_.beta1;
  u.one_minus_beta1 = 1 - options_.beta1;
  u.beta2 = options_.beta2;
  u.one_minus_beta2 = 1 - options_.beta2;
  u.epsilon = options_.epsilon;
  u.first_rate = rate_ / (1 - beta1_power_);
  u.second_scale = 1 / std::sqrt(1 - beta2_power_);
  u.decay = options_.method == OptimizerMethod::adamw ? rate_ * options_.weight_decay : 0;
  u.l2 = penalty_.l2;
  const bool accumulates =
      options_.method == OptimizerMethod::momentum || options_.method == OptimizerMethod::nesterov;
  u.threshold = penalty_.l1 * (accumulates ? rate_ / (1 - options_.momentum) : rate_);
  u.penalised_begin = penalty_.begin;
  u.penalised_end = penalty_.end;
  kernels_->steps->update(u, gradient, parameters, first_, second_);
}

template <Real T>
void Optimizer<T>::save(Archive& archive, std::string_view prefix) const {
  Archive state;
  state.set("method", to_string(options_.method));
  state.set("steps", steps_);
  state.set("beta1_power", beta1_power_);
  state.set("beta2_power", beta2_power_);
  state.set("learning_rate", rate_);
  state.set_tensor("first", first_.to_host());
  state.set_tensor("second", second_.to_host());
  archive.set_part(prefix, state);
}

template <Real T>
void Optimizer<T>::load(const Archive& archive, std::string_view prefix) {
  const Archive state = archive.part(prefix);
  if (state.get_string("method") != to_string(options_.method)) {
    state.fail("method", "expected " + std::string(to_string(options_.method)) +
                             ", the optimizer of this run");
  }
  const auto& first = state.template get_tensor<T>("first", first_.size());
  const auto& second = state.template get_tensor<T>("second", second_.size());
  steps_ = state.get_int("steps", 0, std::numeric_limits<std::int64_t>::max());
  beta1_power_ = state.get_double("beta1_power");
  beta2_power_ = state.get_double("beta2_power");
  rate_ = state.get_double("learning_rate");
  first_.upload(first);
  second_.upload(second);
}

template class Optimizer<float>;
template class Optimizer<double>;

}  // namespace tandem

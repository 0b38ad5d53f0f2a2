// First-order optimisers: one interface for every model that is trained by gradients.
//
// Sources of the methods, in this notation: w parameters, g gradient, η learning rate.
//   gradient-descent  w −= η·g. Cauchy, "Méthode générale pour la résolution des systèmes
//                     d'équations simultanées", 1847.
//   momentum          v = μ·v + g; w −= η·v. Polyak, "Some methods of speeding up the convergence
//                     of iteration methods", 1964.
//   nesterov          v = μ·v + g; w −= η·(g + μ·v). Nesterov 1983, in the form of Sutskever,
//                     Martens, Dahl and Hinton, "On the importance of initialization and momentum
//                     in deep learning", ICML 2013.
//   rmsprop           s = β₂·s + (1 − β₂)·g²; w −= η·g / (√s + ε). Tieleman and Hinton,
//   lecture 6.5,
//                     2012.
//   adam              m = β₁·m + (1 − β₁)·g; s = β₂·s + (1 − β₂)·g²;
//                     w −= η·m̂ / (√ŝ + ε), m̂ = m / (1 − β₁ᵗ), ŝ = s / (1 − β₂ᵗ). Kingma and Ba,
//                     "Adam: A Method for Stochastic Optimization", ICLR 2015.
//   adamw             w −= η·λ·w, then adam. Loshchilov and Hutter, "Decoupled Weight Decay
//                     Regularization", ICLR 2019.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "tandem/core/archive.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"

namespace tandem {

enum class OptimizerMethod { gradient_descent, momentum, nesterov, rmsprop, adam, adamw };
template <>
inline constexpr std::array<std::string_view, 6> enum_names<OptimizerMethod>{
    "gradient-descent", "momentum", "nesterov", "rmsprop", "adam", "adamw"};

// How the learning rate changes from epoch to epoch: see OptimizerOptions::schedule.
enum class LearningRateSchedule { constant, step, exponential, inverse_time, cosine };
template <>
inline constexpr std::array<std::string_view, 5> enum_names<LearningRateSchedule>{
    "constant", "step", "exponential", "inverse-time", "cosine"};

struct TANDEM_API OptimizerOptions {
  OptimizerMethod method = OptimizerMethod::adam;
  double learning_rate = 0.001;
  double momentum = 0.9;       // momentum, nesterov
  double beta1 = 0.9;          // adam, adamw
  double beta2 = 0.999;        // rmsprop, adam, adamw
  double epsilon = 1e-8;       // rmsprop, adam, adamw
  double weight_decay = 0.01;  // adamw

  // The schedule multiplies the learning rate by a factor that depends on the epoch e = 0, 1, ...
  // (an iteration where the whole data is one batch). With d = decay and K = decay_every:
  //   constant      1
  //   step          d^⌊e/K⌋
  //   exponential   d^(e/K)
  //   inverse-time  1 / (1 + (1/d − 1)·e/K)
  //   cosine        d' + (1 − d')·(1 + cos(π·e/E))/2, E the number of epochs, d' = final_fraction
  //                 (Loshchilov and Hutter, "SGDR", ICLR 2017, one cycle)
  // so that the middle three all reach η·d after K epochs. During the first `warm_up` epochs the
  // result is further multiplied by (e + 1) / (warm_up + 1) (Goyal et al., "Accurate, Large
  // Minibatch SGD", 2017).
  LearningRateSchedule schedule = LearningRateSchedule::constant;
  double decay = 0.5;
  std::int64_t decay_every = 10;
  double final_fraction = 0.0;
  std::int64_t warm_up = 0;

  // The option of `method` is called optimizer, the others as the members are.
  void visit(OptionVisitor& visitor);
  void check() const {}
};

// The learning rate of epoch e, in double, from exact operations only: the same everywhere.
// Requires: check_options(options) passes; 0 <= epoch; epochs >= 1 is the total planned.
[[nodiscard]] TANDEM_API double learning_rate_at(const OptimizerOptions& options, Index epoch,
                                                 Index epochs);

// A penalty on the parameters [begin, end): l2/2·Σw² + l1·Σ|w| is added to the cost. Parameters
// outside, such as intercepts, are free; a model with several blocks of weights places them first
// and its intercepts last.
struct Penalty {
  double l1 = 0;
  double l2 = 0;
  Index begin = 0;
  Index end = 0;
};

// The optimiser of one flat vector of parameters. Its state lives on the engine; step() only
// enqueues work.
//
// l2 enters through the gradient (g + l2·w), decoupled weight decay (adamw) through the step, both
// on the penalised range only. l1 is applied by its proximal operator after the step, the soft
// threshold w ← sign(w)·max(|w| − τ, 0) (Parikh and Boyd, "Proximal Algorithms", 2014, §6.5.2), so
// that weights become exactly zero. τ is l1 times the effective step size of the parameter: η for
// gradient descent, η/(1 − μ) for momentum and nesterov, η/(√s + ε) for rmsprop and with ŝ for
// adam, which makes the fixed points of every method the minimisers of cost + l1·Σ|w|.
template <Real T>
class TANDEM_API Optimizer {
 public:
  // Throws InputError where check_options(options) does.
  Optimizer(Engine& engine, const OptimizerOptions& options, Index size, Index epochs,
            const Penalty& penalty = {});
  ~Optimizer();
  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;

  // From now on steps use the learning rate of this epoch; 0 at first.
  void begin_epoch(Index epoch);
  // One update of parameters, both of `size` elements. The gradient is that of the cost without
  // the penalty.
  void step(Buffer<T>& parameters, const Buffer<T>& gradient);

  [[nodiscard]] double learning_rate() const noexcept { return rate_; }
  [[nodiscard]] Index steps() const noexcept { return steps_; }

  // Everything that the next step depends on, apart from the parameters: for checkpoints. load
  // throws InputError for a state of another method or size.
  void save(Archive& archive, std::string_view prefix = "optimizer") const;
  void load(const Archive& archive, std::string_view prefix = "optimizer");

 private:
  OptimizerOptions options_;
  Penalty penalty_;
  Index size_;
  Index epochs_;
  double rate_;
  Index steps_ = 0;
  double beta1_power_ = 1;  // β₁ᵗ, β₂ᵗ by repeated multiplication
  double beta2_power_ = 1;
  Buffer<T> first_;   // velocity or first moment
  Buffer<T> second_;  // second moment
  struct Kernels;     // the engine's part of a step
  std::unique_ptr<Kernels> kernels_;
};

}  // namespace tandem

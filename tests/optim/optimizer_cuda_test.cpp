#include <gtest/gtest.h>

#include "core/engine_backend.hpp"
#include "core/optim/optimizer_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

template <class T>
struct State {
  std::vector<T> w, m, s;
};

// Three updates of `size` parameters, as one repeated part.
template <class T>
State<T> updated(Engine& engine, OptimizerMethod method, Index size) {
  const Random random(11, Purpose::test);
  const auto values = [&](std::uint64_t stream, double scale) {
    std::vector<T> all(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = static_cast<T>(scale * random.normal(stream * 1000003 + i));
    }
    return all;
  };
  Buffer<T> w = to_engine(engine, values(1, 1));
  Buffer<T> m = to_engine(engine, std::vector<T>(static_cast<std::size_t>(size)));
  Buffer<T> s = to_engine(engine, std::vector<T>(static_cast<std::size_t>(size)));
  const auto steps = make_steps<OptimizerSteps, T>(engine);
  for (int t = 1; t <= 3; ++t) {
    OptimizerUpdate u;
    u.method = method;
    u.rate = 0.1 / t;
    u.momentum = 0.9;
    u.beta1 = 0.9;
    u.one_minus_beta1 = 0.1;
    u.beta2 = 0.999;
    u.one_minus_beta2 = 0.001;
    u.epsilon = 1e-8;
    u.first_rate = 0.1 / (1 - std::pow(0.9, t));
    u.second_scale = 1 / std::sqrt(1 - std::pow(0.999, t));
    u.decay = 0.01;
    u.l2 = 0.03;
    u.threshold = 0.002;
    u.penalised_begin = size / 7;
    u.penalised_end = size - size / 5;
    const Buffer<T> gradient = to_engine(engine, values(static_cast<std::uint64_t>(1 + t), 2));
    const Repeated repeated(engine, steps.get(), 0);
    steps->update(u, gradient, w, m, s);
  }
  backend(engine).forget_repeated(steps.get());
  return {w.to_host(), m.to_host(), s.to_host()};
}

template <class T>
void expect_the_cpus_bits() {
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  for (const int threads : {0, 64}) {
    const auto gpu = test::cuda_engine({.block_threads = threads});
    for (const OptimizerMethod method :
         {OptimizerMethod::gradient_descent, OptimizerMethod::momentum, OptimizerMethod::nesterov,
          OptimizerMethod::rmsprop, OptimizerMethod::adam, OptimizerMethod::adamw}) {
      for (const Index size : test::awkward_sizes()) {
        const State<T> a = updated<T>(*cpu, method, size);
        const State<T> b = updated<T>(*gpu, method, size);
        const std::string what = std::string(to_string(method)) + ", " + std::to_string(size);
        EXPECT_TRUE(test::same_bits(a.w, b.w)) << what;
        EXPECT_TRUE(test::same_bits(a.m, b.m)) << what;
        EXPECT_TRUE(test::same_bits(a.s, b.s)) << what;
      }
    }
  }
}

TEST(OptimizerCuda, GivesTheBitsOfTheCpuInFloat) { expect_the_cpus_bits<float>(); }
TEST(OptimizerCuda, GivesTheBitsOfTheCpuInDouble) { expect_the_cpus_bits<double>(); }

}  // namespace
}  // namespace tandem

#include "tandem/optim/optimizer.hpp"

#include <gtest/gtest.h>

#include "core/optim/optimizer_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"

namespace tandem {
namespace {

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .numerics = Numerics::exact, .threads = threads});
}

std::vector<OptimizerMethod> all_methods() {
  return {OptimizerMethod::gradient_descent, OptimizerMethod::momentum, OptimizerMethod::nesterov,
          OptimizerMethod::rmsprop,          OptimizerMethod::adam,     OptimizerMethod::adamw};
}

// Two steps from w = 1 with the gradients 0.5 and −0.25, by hand.
std::vector<double> two_steps(OptimizerMethod method, Device device) {
  const auto engine = engine_on(device);
  OptimizerOptions options;
  options.method = method;
  options.learning_rate = 0.1;
  Optimizer<double> optimizer(*engine, options, 1, 1, {.l1 = 0, .l2 = 0, .begin = 0, .end = 1});
  auto w = to_engine(*engine, std::vector<double>{1.0});
  std::vector<double> path;
  for (const double g : {0.5, -0.25}) {
    optimizer.step(w, to_engine(*engine, std::vector<double>{g}));
    path.push_back(w.to_host()[0]);
  }
  return path;
}

TEST(Optimizer, TwoStepsByHand) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto near = [&](OptimizerMethod method, double first, double second) {
      const auto path = two_steps(method, device);
      EXPECT_NEAR(path[0], first, 1e-12) << to_string(method);
      EXPECT_NEAR(path[1], second, 1e-12) << to_string(method);
    };
    near(OptimizerMethod::gradient_descent, 0.95, 0.975);
    // v = 0.5, then 0.45 − 0.25 = 0.2.
    near(OptimizerMethod::momentum, 0.95, 0.93);
    // The first step is 0.5 + 0.9·0.5 = 0.95, the second −0.25 + 0.9·0.2 = −0.07.
    near(OptimizerMethod::nesterov, 0.905, 0.912);
    // s = 0.00025, then 0.00031225.
    near(OptimizerMethod::rmsprop, 1 - 0.1 * 0.5 / (std::sqrt(0.00025) + 1e-8),
         1 - 0.1 * 0.5 / (std::sqrt(0.00025) + 1e-8) + 0.1 * 0.25 / (std::sqrt(0.00031225) + 1e-8));
    // m̂ = 0.5, ŝ = 0.25; then m̂ = (0.045 − 0.025) / 0.19, ŝ = 0.00031225 / 0.001999.
    const double adam1 = 1 - 0.1 * 0.5 / (0.5 + 1e-8);
    const double step2 = 0.1 * (0.02 / 0.19) / (std::sqrt(0.00031225 / 0.001999) + 1e-8);
    near(OptimizerMethod::adam, adam1, adam1 - step2);
    // Decay first: factor 1 − 0.1·0.01 on what the step started from.
    const double adamw1 = 0.999 - 0.1 * 0.5 / (0.5 + 1e-8);
    near(OptimizerMethod::adamw, adamw1, 0.999 * adamw1 - step2);
  }
}

TEST(Optimizer, PenaltiesActOnTheirRangeOnly) {
  const auto engine = engine_on(Device::cpu);
  OptimizerOptions options;
  options.method = OptimizerMethod::gradient_descent;
  options.learning_rate = 0.5;
  Optimizer<double> optimizer(*engine, options, 4, 1, {.l1 = 0.2, .l2 = 0.1, .begin = 0, .end = 3});
  auto w = to_engine(*engine, std::vector<double>{1.0, 0.1, -1.0, 1.0});
  optimizer.step(w, to_engine(*engine, std::vector<double>{0, 0, 0, 0}));
  const auto after = w.to_host();
  EXPECT_NEAR(after[0], 0.95 - 0.1, 1e-15);  // 1 − 0.5·0.1·1, then τ = 0.5·0.2
  EXPECT_EQ(after[1], 0.0);
  EXPECT_NEAR(after[2], -0.85, 1e-15);
  EXPECT_EQ(after[3], 1.0);
}

// min (w − 3)²/2 + l1·|w| + l2·w²/2 has its minimum at (3 − l1)/(1 + l2), and at 0 for l1 >= 3.
// Every method must come to rest there: the proximal step uses the effective step size.
TEST(Optimizer, FixedPointsAreMinimisersOfThePenalisedCost) {
  const auto engine = engine_on(Device::cpu);
  for (const OptimizerMethod method : all_methods()) {
    for (const double l1 : {0.0, 0.7, 4.0}) {
      OptimizerOptions options;
      options.method = method;
      options.learning_rate = 0.02;
      options.weight_decay = 0;
      options.schedule = LearningRateSchedule::inverse_time;
      options.decay_every = 200;
      Optimizer<double> optimizer(*engine, options, 1, 1,
                                  {.l1 = l1, .l2 = 0.5, .begin = 0, .end = 1});
      auto w = to_engine(*engine, std::vector<double>{-1.0});
      for (int t = 0; t < 4000; ++t) {
        optimizer.begin_epoch(t);
        optimizer.step(w, to_engine(*engine, std::vector<double>{w.to_host()[0] - 3}));
      }
      const double expected = l1 < 3 ? (3 - l1) / 1.5 : 0.0;
      // The steps of rmsprop and adam do not vanish with the gradient: they end within the last
      // learning rate of the minimum.
      EXPECT_NEAR(w.to_host()[0], expected, optimizer.learning_rate())
          << to_string(method) << " " << l1;
      if (l1 > 3) {
        EXPECT_EQ(w.to_host()[0], 0.0) << to_string(method);
      }
    }
  }
}

template <class T>
struct OnePass {
  std::vector<T> w, m, s;
};

template <class T>
OnePass<T> one_pass(Engine& engine, OptimizerMethod method, Index size, int steps) {
  const Random random(5, Purpose::test);
  // Magnitudes from 0.25 to 1: after l2 is added a gradient still is at least 0.15 away from zero,
  // so that no division enlarges a rounding.
  const auto values = [&](std::uint64_t at) {
    std::vector<T> v(static_cast<std::size_t>(size));
    for (std::size_t i = 0; i < v.size(); ++i) {
      const double u = 2 * random.uniform(at + i) - 1;
      v[i] = static_cast<T>(std::copysign(0.25 + 0.75 * std::abs(u), u));
    }
    return v;
  };
  OptimizerOptions options;
  options.method = method;
  options.learning_rate = 0.01;
  const Penalty penalty{.l1 = 0.01, .l2 = 0.1, .begin = size / 3, .end = size - size / 4};
  Optimizer<T> optimizer(engine, options, size, 1, penalty);
  auto w = to_engine(engine, values(0));
  for (int t = 0; t < steps; ++t) {
    optimizer.step(
        w, to_engine(engine, values(std::uint64_t{1000000} * static_cast<std::uint64_t>(t + 1))));
  }
  Archive archive;
  optimizer.save(archive);
  return {w.to_host(), archive.get_tensor<T>("optimizer/first"),
          archive.get_tensor<T>("optimizer/second")};
}

template <class T>
class OptimizerStep : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(OptimizerStep, Reals);

// One step: |w| <= 1.1, with at most 6 roundings of its own on either side and a step η·m/d of at
// most 0.1 whose roundings are worth less than one of w.
TYPED_TEST(OptimizerStep, AgreesWithTheReferenceAtAwkwardSizes) {
  const auto reference = engine_on(Device::reference);
  const auto cpu = engine_on(Device::cpu);
  for (const OptimizerMethod method : all_methods()) {
    for (const Index size : test::awkward_sizes()) {
      const auto expected = one_pass<TypeParam>(*reference, method, size, 1);
      const auto got = one_pass<TypeParam>(*cpu, method, size, 1);
      const double bound = 14 * unit_roundoff<TypeParam>;
      EXPECT_TRUE(test::within(got.w, expected.w, [&](std::size_t) { return bound; }))
          << to_string(method) << " " << size;
      EXPECT_TRUE(test::within(got.m, expected.m, [&](std::size_t) { return bound; }));
      EXPECT_TRUE(test::within(got.s, expected.s, [&](std::size_t) { return bound; }));
    }
  }
}

TYPED_TEST(OptimizerStep, SameBitsForAllThreadsAndInstructionSets) {
  const auto one = engine_on(Device::cpu, 1);
  for (const OptimizerMethod method : all_methods()) {
    cpu::limit_simd("baseline");
    const auto expected = one_pass<TypeParam>(*one, method, 70001, 3);
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;
      }
      for (const int threads : {1, 2, 7}) {
        const auto engine = engine_on(Device::cpu, threads);
        const auto got = one_pass<TypeParam>(*engine, method, 70001, 3);
        EXPECT_TRUE(test::same_bits(got.w, expected.w)) << simd << " " << threads;
        EXPECT_TRUE(test::same_bits(got.m, expected.m)) << simd << " " << threads;
        EXPECT_TRUE(test::same_bits(got.s, expected.s)) << simd << " " << threads;
      }
    }
  }
}

TYPED_TEST(OptimizerStep, WritesNothingOutsideItsBuffers) {
  const auto engine = engine_on(Device::cpu);
  const auto steps = make_steps<OptimizerSteps, TypeParam>(*engine);
  constexpr Index size = 37;
  constexpr Index guard = 16;
  // A buffer of size + guard elements, of which the penalised range ends before the guard.
  OptimizerUpdate u;
  u.method = OptimizerMethod::gradient_descent;
  u.penalised_begin = 5;
  u.penalised_end = size;
  u.l2 = 1;
  u.rate = 1;
  std::vector<TypeParam> w(size + guard, TypeParam{3});
  auto parameters = to_engine(*engine, w);
  Buffer<TypeParam> gradient(*engine, size + guard);
  gradient.fill_zero();
  Buffer<TypeParam> none;
  Buffer<TypeParam> none2;
  steps->update(u, gradient, parameters, none, none2);
  const auto after = parameters.to_host();
  for (Index i = 0; i < size + guard; ++i) {
    EXPECT_EQ(after[static_cast<std::size_t>(i)], i >= 5 && i < size ? TypeParam{0} : TypeParam{3});
  }
}

TEST(Optimizer, DivergenceStaysVisibleThroughTheSoftThreshold) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    OptimizerOptions options;
    options.method = OptimizerMethod::gradient_descent;
    Optimizer<float> optimizer(*engine, options, 1, 1, {.l1 = 1, .l2 = 0, .begin = 0, .end = 1});
    auto w = to_engine(*engine, std::vector<float>{1});
    optimizer.step(w,
                   to_engine(*engine, std::vector<float>{std::numeric_limits<float>::quiet_NaN()}));
    EXPECT_TRUE(std::isnan(w.to_host()[0]));
  }
}

TEST(Optimizer, ResumesWithTheSameBits) {
  const auto engine = engine_on(Device::cpu);
  const Random random(3, Purpose::test);
  for (const OptimizerMethod method : all_methods()) {
    OptimizerOptions options;
    options.method = method;
    options.schedule = LearningRateSchedule::cosine;
    const auto gradient = [&](int t) {
      std::vector<float> g(10);
      for (std::size_t i = 0; i < g.size(); ++i) {
        g[i] = random.uniform<float>(static_cast<std::uint64_t>(t) * 10 + i) - 0.5F;
      }
      return to_engine(*engine, g);
    };
    const auto run = [&](Optimizer<float>& optimizer, Buffer<float>& w, int from, int to) {
      for (int t = from; t < to; ++t) {
        optimizer.begin_epoch(t);
        optimizer.step(w, gradient(t));
      }
    };
    Optimizer<float> whole(*engine, options, 10, 20);
    Buffer<float> w(*engine, 10);
    w.fill_zero();
    run(whole, w, 0, 20);

    Optimizer<float> before(*engine, options, 10, 20);
    Buffer<float> part(*engine, 10);
    part.fill_zero();
    run(before, part, 0, 7);
    Archive archive;
    before.save(archive);
    Optimizer<float> after(*engine, options, 10, 20);
    after.load(archive);
    EXPECT_EQ(after.steps(), 7);
    run(after, part, 7, 20);
    EXPECT_TRUE(test::same_bits(part.to_host(), w.to_host())) << to_string(method);

    OptimizerOptions other = options;
    other.method =
        method == OptimizerMethod::adam ? OptimizerMethod::momentum : OptimizerMethod::adam;
    Optimizer<float> wrong(*engine, other, 10, 20);
    EXPECT_THROW(wrong.load(archive), InputError);
    if (method != OptimizerMethod::gradient_descent) {
      Optimizer<float> longer(*engine, options, 11, 20);
      EXPECT_THROW(longer.load(archive), InputError);
    }
  }
}

TEST(LearningRate, FollowsTheFormulas) {
  OptimizerOptions options;
  options.learning_rate = 2;
  options.decay = 0.25;
  options.decay_every = 4;
  const auto at = [&](LearningRateSchedule schedule, Index epoch) {
    options.schedule = schedule;
    return learning_rate_at(options, epoch, 8);
  };
  EXPECT_EQ(at(LearningRateSchedule::constant, 100), 2);
  EXPECT_EQ(at(LearningRateSchedule::step, 3), 2);
  EXPECT_EQ(at(LearningRateSchedule::step, 4), 0.5);
  EXPECT_EQ(at(LearningRateSchedule::step, 8), 0.125);
  EXPECT_NEAR(at(LearningRateSchedule::exponential, 2), 1.0, 1e-15);
  EXPECT_EQ(at(LearningRateSchedule::exponential, 4), 0.5);
  EXPECT_NEAR(at(LearningRateSchedule::exponential, 7), 2 * std::pow(0.25, 7.0 / 4), 1e-15);
  EXPECT_EQ(at(LearningRateSchedule::inverse_time, 4), 0.5);
  EXPECT_EQ(at(LearningRateSchedule::inverse_time, 0), 2);
  EXPECT_EQ(at(LearningRateSchedule::cosine, 0), 2);
  EXPECT_NEAR(at(LearningRateSchedule::cosine, 4), 1, 1e-15);
  EXPECT_NEAR(at(LearningRateSchedule::cosine, 3), 1 + std::cos(3 * std::acos(-1.0) / 8), 1e-15);
  EXPECT_NEAR(at(LearningRateSchedule::cosine, 8), 0, 1e-15);
  options.final_fraction = 0.5;
  EXPECT_NEAR(at(LearningRateSchedule::cosine, 8), 1, 1e-15);
  options.warm_up = 3;
  EXPECT_EQ(at(LearningRateSchedule::constant, 0), 0.5);
  EXPECT_EQ(at(LearningRateSchedule::constant, 2), 1.5);
  EXPECT_EQ(at(LearningRateSchedule::constant, 3), 2);
}

TEST(OptimizerOptions, RejectsWhatNoRunCanWorkWith) {
  const auto refuses = [](auto change, const std::string& word) {
    OptimizerOptions options;
    change(options);
    try {
      check_options(options);
      ADD_FAILURE() << "accepted " << word;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refuses([](auto& o) { o.learning_rate = 0; }, "learning_rate: ");
  refuses([](auto& o) { o.learning_rate = std::nan(""); }, "learning_rate: ");
  refuses([](auto& o) { o.momentum = 1; }, "momentum: ");
  refuses([](auto& o) { o.beta2 = 1; }, "beta2: ");
  refuses([](auto& o) { o.decay = 0; }, "decay: ");
  refuses([](auto& o) { o.warm_up = -1; }, "warm_up: ");
}

}  // namespace
}  // namespace tandem

#include "core/linear/linear_steps.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/linear/least_squares_steps.hpp"
#include "core/steps.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .numerics = Numerics::exact, .threads = threads});
}

double draw(std::uint64_t at) { return 2 * Random(77, Purpose::test).uniform(at) - 1; }

// Rows of one scenario, on the host.
template <class T>
struct Scenario {
  LinearLoss loss = LinearLoss::squared;
  Index rows = 0;
  Index features = 0;
  Index outputs = 1;
  std::vector<T> x, target, weights;
  std::vector<double> parameters;  // exactly representable in T, so that both engines use the same

  Scenario(LinearLoss which, Index n, Index d, bool weighted)
      : loss(which), rows(n), features(d), outputs(which == LinearLoss::softmax ? 3 : 1) {
    for (Index i = 0; i < n * d; ++i) {
      x.push_back(static_cast<T>(draw(static_cast<std::uint64_t>(i))));
    }
    for (Index i = 0; i < n; ++i) {
      const double y = draw(1U << 30U | static_cast<std::uint64_t>(i));
      target.push_back(which == LinearLoss::squared    ? static_cast<T>(y)
                       : which == LinearLoss::logistic ? static_cast<T>(y > 0)
                                                       : static_cast<T>(i % 3));
      if (weighted) weights.push_back(static_cast<T>(i % 4) / 2);
    }
    for (Index p = 0; p < outputs * (d + 1); ++p) {
      parameters.push_back(
          static_cast<double>(static_cast<T>(draw(1U << 31U | static_cast<std::uint64_t>(p)))));
    }
  }

  RowMajorRows<T> upload(Engine& engine) const {
    return {rows, features, to_engine(engine, x), to_engine(engine, target),
            to_engine(engine, weights)};
  }
  PackedRows<T> pack(Engine& engine, LinearSteps<T>& steps) const {
    PackedRows<T> packed(engine, rows, features, !weights.empty());
    steps.pack(upload(engine), rows, 0, packed);
    return packed;
  }
  double weight(Index i) const {
    return weights.empty() ? 1.0 : static_cast<double>(weights[static_cast<std::size_t>(i)]);
  }
};

struct PassResult {
  std::vector<double> gradient;
  double cost = 0;
};

template <class T>
PassResult pass(Engine& engine, const Scenario<T>& scenario, bool intercept = true,
                std::vector<double> parameters = {}) {
  const auto steps = make_steps<LinearSteps, T>(engine);
  const auto rows = scenario.pack(engine, *steps);
  const auto at = to_engine(engine, parameters.empty() ? scenario.parameters : parameters);
  Buffer<double> gradient(engine, at.size());
  gradient.upload(std::vector<double>(scenario.parameters.size(), std::nan("")));
  auto cost = to_engine(engine, std::vector<double>{1000});  // the pass adds to it
  steps->pass(scenario.loss, rows, scenario.outputs, intercept, at, 0.5, gradient, cost);
  return {gradient.to_host(), cost.to_host()[0]};
}

constexpr LinearLoss losses[] = {LinearLoss::squared, LinearLoss::logistic, LinearLoss::softmax};

template <class T>
class LinearStep : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LinearStep, Reals);

// An output is a chain of d fmas; its error is at most γ_{d+1}·(|b| + Σ |w·x|) =: e. Residuals of
// all three losses change by no more than the outputs do (by twice that for softmax), and add at
// most 16 roundings of numbers up to 1 (up to |z| + |y| for squared). Losses change by at most
// max(1, |residual|) times the outputs' change. Sums in double add nothing that counts.
TYPED_TEST(LinearStep, PassAgreesWithTheReferenceAtAwkwardSizes) {
  const auto reference = engine_on(Device::reference);
  const auto cpu = engine_on(Device::cpu);
  for (const LinearLoss loss : losses) {
    for (const Index n : test::awkward_sizes()) {
      if (n == 0) continue;
      for (const Index d : {Index{1}, Index{4}, Index{7}}) {
        const Scenario<TypeParam> scenario(loss, n, d, n % 2 == 0);
        const auto expected = pass(*reference, scenario);
        const auto got = pass(*cpu, scenario);
        const double reach = static_cast<double>(d + 1);  // |b| + Σ |w·x| with magnitudes below 1
        const double error =
            2 * gamma_bound<TypeParam>(d + 1) * reach + 16 * unit_roundoff<TypeParam> * (reach + 1);
        double total = 0;
        for (Index i = 0; i < n; ++i) total += scenario.weight(i);
        EXPECT_TRUE(test::within(got.gradient, expected.gradient,
                                 [&](std::size_t) { return 0.5 * total * error; }))
            << n << " " << d;
        EXPECT_NEAR(got.cost, expected.cost, total * error * (reach + 1) + 1e-12);
      }
    }
  }
}

// Central differences of the cost in double: the error is h²/6 times the third derivative, below
// 1e-8 per row, plus the rounding of costs over h, below 1e-9 per row.
TEST(LinearGradient, IsTheDerivativeOfTheCost) {
  constexpr double h = 1e-4;
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    for (const LinearLoss loss : losses) {
      const Scenario<double> scenario(loss, 100, 4, true);
      const auto analytic = pass(*engine, scenario);
      for (std::size_t p = 0; p < scenario.parameters.size(); ++p) {
        auto moved = scenario.parameters;
        moved[p] += h;
        const double above = pass(*engine, scenario, true, moved).cost;
        moved[p] -= 2 * h;
        const double below = pass(*engine, scenario, true, moved).cost;
        EXPECT_NEAR(analytic.gradient[p], 0.5 * (above - below) / (2 * h), 1e-6);
      }
      const auto fixed = pass(*engine, scenario, false);
      for (std::size_t p = 0; p < fixed.gradient.size(); ++p) {
        const bool weight = p < static_cast<std::size_t>(scenario.outputs * 4);
        EXPECT_EQ(fixed.gradient[p], weight ? analytic.gradient[p] : 0.0);
      }
    }
  }
}

// One row by hand: x = 2, w = 0.5, b = 0.25, so z = 1.25.
TEST(LinearGradient, OfOneRowByHand) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    Scenario<double> row(LinearLoss::squared, 1, 1, false);
    row.x = {2};
    row.parameters = {0.5, 0.25};
    row.target = {1};
    auto result = pass(*engine, row);
    EXPECT_EQ(result.cost, 1000 + 0.5 * 0.25 * 0.25);
    EXPECT_EQ(result.gradient, (std::vector<double>{0.5 * 0.25 * 2, 0.5 * 0.25}));
    row.loss = LinearLoss::logistic;
    result = pass(*engine, row);
    EXPECT_NEAR(result.cost, 1000 + std::log1p(std::exp(-1.25)), 1e-12);
    EXPECT_NEAR(result.gradient[0], -1 / (1 + std::exp(1.25)), 1e-15);
  }
}

TYPED_TEST(LinearStep, SameBitsForAllThreadsAndInstructionSets) {
  for (const LinearLoss loss : losses) {
    // Enough elements that several threads are used.
    const Scenario<TypeParam> scenario(loss, 60001, 18, true);
    const auto one = engine_on(Device::cpu, 1);
    cpu::limit_simd("avx2");
    const auto expected = pass(*one, scenario);
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;
      }
      for (const int threads : {1, 2, 7}) {
        if (threads == 1 && std::string(simd) != "baseline") continue;
        const auto engine = engine_on(Device::cpu, threads);
        const auto got = pass(*engine, scenario);
        EXPECT_TRUE(test::same_bits(got.gradient, expected.gradient)) << simd << " " << threads;
        EXPECT_EQ(test::bits_of(got.cost), test::bits_of(expected.cost)) << simd << " " << threads;
      }
    }
    cpu::limit_simd("baseline");
  }
  try {
    cpu::limit_simd("avx512");
  } catch (const InputError&) {
  }
}

// The sums of a pass have the documented shape: recomputed here by long_sum from the residuals.
TEST(LinearStepShape, GradientsAreLongSums) {
  const auto engine = engine_on(Device::cpu);
  Scenario<double> scenario(LinearLoss::squared, 2500, 3, true);
  const auto got = pass(*engine, scenario);
  std::vector<double> residual(2500);
  for (Index i = 0; i < 2500; ++i) {
    double z = scenario.parameters[3];
    for (Index j = 0; j < 3; ++j) {
      z = std::fma(scenario.x[static_cast<std::size_t>(i * 3 + j)],
                   scenario.parameters[static_cast<std::size_t>(j)], z);
    }
    residual[static_cast<std::size_t>(i)] =
        scenario.weight(i) * (z - scenario.target[static_cast<std::size_t>(i)]);
  }
  const double intercept =
      0.5 * long_sum(2500, [&](Index i) { return residual[static_cast<std::size_t>(i)]; });
  EXPECT_EQ(test::bits_of(got.gradient[3]), test::bits_of(intercept));
}

TYPED_TEST(LinearStep, PacksWithZerosBehindTheRows) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto steps = make_steps<LinearSteps, TypeParam>(*engine);
    for (const Index n : {Index{1}, Index{1023}, Index{1024}, Index{1025}, Index{2100}}) {
      const Scenario<TypeParam> scenario(LinearLoss::squared, n, 3, true);
      PackedRows<TypeParam> packed(*engine, n, 3, true);
      const TypeParam poison = std::numeric_limits<TypeParam>::quiet_NaN();
      for (auto* buffer : {&packed.x, &packed.target, &packed.weights}) {
        buffer->upload(std::vector<TypeParam>(static_cast<std::size_t>(buffer->size()), poison));
      }
      steps->pack(scenario.upload(*engine), n, 0, packed);
      const auto x = packed.x.to_host();
      const auto target = packed.target.to_host();
      const auto weights = packed.weights.to_host();
      for (Index i = 0; i < PackedRows<TypeParam>::blocks(n) * sum_block; ++i) {
        const auto at = static_cast<std::size_t>(i);
        for (Index j = 0; j < 3; ++j) {
          const auto place =
              static_cast<std::size_t>(((i / sum_block) * 3 + j) * packed_stride + i % sum_block);
          EXPECT_EQ(x[place], i < n ? scenario.x[static_cast<std::size_t>(i * 3 + j)] : 0);
        }
        EXPECT_EQ(target[at], i < n ? scenario.target[at] : 0);
        EXPECT_EQ(weights[at], i < n ? scenario.weights[at] : 0);
      }
    }
  }
}

TYPED_TEST(LinearStep, GathersEveryRowOncePerEpoch) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto steps = make_steps<LinearSteps, TypeParam>(*engine);
    Scenario<TypeParam> scenario(LinearLoss::squared, 1300, 2, false);
    std::iota(scenario.target.begin(), scenario.target.end(), TypeParam{0});
    const auto source = scenario.upload(*engine);
    const RandomPermutation order(1300, Random(5, Purpose::shuffle, 1));
    PackedRows<TypeParam> batch(*engine, 1100, 2, false);
    std::vector<int> seen(1300, 0);
    for (const auto& [first, count] : {std::pair<Index, Index>{0, 1100}, {1100, 200}}) {
      steps->gather(source, order, first, count, batch);
      EXPECT_EQ(batch.rows, count);
      const auto target = batch.target.to_host();
      const auto x = batch.x.to_host();
      for (Index i = 0; i < count; ++i) {
        const auto row = static_cast<std::size_t>(target[static_cast<std::size_t>(i)]);
        EXPECT_EQ(static_cast<Index>(row), order(first + i));
        ++seen[row];
        EXPECT_EQ(
            x[static_cast<std::size_t>((i / sum_block * 2 + 1) * packed_stride + i % sum_block)],
            scenario.x[row * 2 + 1]);
      }
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), 1300);
  }
}

TYPED_TEST(LinearStep, MomentsAgreeWithTheReference) {
  const auto reference = engine_on(Device::reference);
  for (const Index n : {Index{1}, Index{33}, Index{1025}, Index{3000}}) {
    const Scenario<TypeParam> scenario(LinearLoss::squared, n, 3, n > 1);
    const auto moments = [&](Engine& engine) {
      const auto steps = make_steps<LinearSteps, TypeParam>(engine);
      Buffer<double> result(engine, 9);
      steps->moments(scenario.pack(engine, *steps), result);
      return result.to_host();
    };
    const auto expected = moments(*reference);
    cpu::limit_simd("baseline");
    const auto baseline = moments(*engine_on(Device::cpu));
    try {
      cpu::limit_simd("avx512");
    } catch (const InputError&) {
    }
    const auto got = moments(*engine_on(Device::cpu, 7));
    EXPECT_TRUE(test::same_bits(got, baseline));
    // Means of numbers below 1: n roundings of double at most on either side.
    EXPECT_TRUE(test::within(got, expected, [&](std::size_t k) {
      return (k == 8 ? expected[8] : 4.0) * 2 * gamma_bound<double>(n + 4);
    })) << n;
  }
}

// RᵀR = AᵀA for both engines, by definition of the factor.
TYPED_TEST(LinearStep, FactorsHaveTheProductsOfTheColumns) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device, 2);
    const auto steps = make_steps<LeastSquaresSteps, TypeParam>(*engine);
    for (const Index n : {Index{1}, Index{5}, Index{1024}, Index{1025}, Index{9000}}) {
      constexpr Index d = 6;
      const Scenario<TypeParam> scenario(LinearLoss::squared, n, d, n % 2 == 0);
      const Index p = least_squares_columns(d, true);
      const Index groups = (n + least_squares_group(p) - 1) / least_squares_group(p);
      Buffer<double> factors(*engine, groups * p * p);
      steps->factor(scenario.upload(*engine), n, true, 0, factors);
      steps->merge(0, groups, p, factors);
      const auto r = factors.to_host();
      const auto value = [&](Index i, Index j) {
        return std::sqrt(scenario.weight(i)) *
               (j == 0 ? 1.0
                : j == p - 1
                    ? static_cast<double>(scenario.target[static_cast<std::size_t>(i)])
                    : static_cast<double>(scenario.x[static_cast<std::size_t>(i * d + j - 1)]));
      };
      for (Index a = 0; a < p; ++a) {
        for (Index b = a; b < p; ++b) {
          double expected = 0;
          double got = 0;
          for (Index i = 0; i < n; ++i) expected += value(i, a) * value(i, b);
          for (Index i = 0; i <= a; ++i) {
            got += r[static_cast<std::size_t>(i * p + a)] * r[static_cast<std::size_t>(i * p + b)];
          }
          // Columns are at most √(1.5·n) long; Higham, theorem 19.4: relative to the lengths, p
          // reflections of sums of n terms each.
          EXPECT_NEAR(got, expected, 1.5 * static_cast<double>(n) * 4 * gamma_bound<double>(n + p));
          if (b > a) {
            EXPECT_EQ(r[static_cast<std::size_t>(b * p + a)], 0.0);
          }
        }
      }
    }
  }
}

TEST(RandomPermutation, IsAPermutationThatDependsOnItsSeed) {
  for (const Index size :
       {Index{1}, Index{2}, Index{3}, Index{4}, Index{5}, Index{17}, Index{1000}, Index{4097}}) {
    const RandomPermutation order(size, Random(3, Purpose::shuffle));
    std::vector<bool> seen(static_cast<std::size_t>(size), false);
    for (Index i = 0; i < size; ++i) {
      const Index at = order(i);
      ASSERT_GE(at, 0);
      ASSERT_LT(at, size);
      EXPECT_FALSE(seen[static_cast<std::size_t>(at)]);
      seen[static_cast<std::size_t>(at)] = true;
    }
  }
  const RandomPermutation a(1000, Random(3, Purpose::shuffle, 0));
  const RandomPermutation b(1000, Random(3, Purpose::shuffle, 1));
  Index same = 0;
  Index inversions = 0;
  for (Index i = 0; i < 1000; ++i) {
    if (a(i) == b(i)) ++same;
    if (i > 0 && a(i) < a(i - 1)) ++inversions;
  }
  // Two independent random orders share 1 place on average, and invert half of all neighbours.
  EXPECT_LT(same, 10);
  EXPECT_NEAR(static_cast<double>(inversions), 500, 60);
  const Index huge = Index{1} << 40;
  EXPECT_LT(RandomPermutation(huge, Random(1, Purpose::shuffle))(huge - 1), huge);
}

}  // namespace
}  // namespace tandem

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/linear/least_squares_steps.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "support/agreement.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

enum class Scale { usual, huge, tiny, dependent, broken };

template <class T>
struct Scenario {
  Index rows;
  Index features;
  bool intercept;
  std::vector<T> x, target, weights;

  Scenario(Index n, Index d, bool with_intercept, bool weighted, Scale scale)
      : rows(n), features(d), intercept(with_intercept) {
    const Random random(79, Purpose::test);
    const auto draw = [&](std::uint64_t at) { return static_cast<T>(2 * random.uniform(at) - 1); };
    for (Index i = 0; i < n * d; ++i) {
      T value = draw(static_cast<std::uint64_t>(i));
      if (scale == Scale::huge) value *= std::numeric_limits<T>::max() / 2;
      if (scale == Scale::tiny) value *= 8 * std::numeric_limits<T>::denorm_min();
      // Columns of zeros, of ones and of the first column again.
      if (scale == Scale::dependent && i % d % 4 == 1) value = T{0};
      if (scale == Scale::dependent && i % d % 4 == 2) value = T{1};
      if (scale == Scale::dependent && i % d % 4 == 3)
        value = x[static_cast<std::size_t>(i / d * d)];
      if (scale == Scale::broken && i == n * d / 2) value = std::numeric_limits<T>::infinity();
      x.push_back(value);
    }
    for (Index i = 0; i < n; ++i) {
      target.push_back(draw(1U << 30U | static_cast<std::uint64_t>(i)));
      if (weighted) weights.push_back(static_cast<T>(i % 4) / 3);
    }
  }

  // The merged factor and what is behind the groups' factors.
  [[nodiscard]] std::vector<double> factor(Engine& engine) const {
    const auto steps = make_steps<LeastSquaresSteps, T>(engine);
    const Index p = least_squares_columns(features, intercept);
    const Index groups = (rows + least_squares_group(p) - 1) / least_squares_group(p);
    const Index size = groups * p * p;
    auto factors = to_engine(
        engine, std::vector<double>(static_cast<std::size_t>(size + p * p + 64), -12345.678));
    const RowMajorRows<T> all{rows, features, to_engine(engine, x), to_engine(engine, target),
                              to_engine(engine, weights)};
    // Behind one factor of room, which stays as it is.
    steps->factor(all, rows, intercept, 1, factors);
    auto result = factors.to_host();
    Buffer<double> only(engine, size);
    only.upload(std::span<const double>(result).subspan(static_cast<std::size_t>(p * p),
                                                        static_cast<std::size_t>(size)));
    steps->merge(0, groups, p, only);
    auto merged = only.to_host();
    merged.resize(static_cast<std::size_t>(p * p));  // the others are free to be anything
    result.insert(result.end(), merged.begin(), merged.end());
    return result;
  }
};

template <class T>
class LeastSquaresCuda : public ::testing::Test {
 protected:
  static void expect_the_cpus_bits(const std::vector<Scenario<T>>& scenarios) {
    const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
    for (const int threads : {0, 64}) {
      const auto gpu = test::cuda_engine({.block_threads = threads});
      for (const Scenario<T>& scenario : scenarios) {
        EXPECT_TRUE(test::same_bits(scenario.factor(*cpu), scenario.factor(*gpu)))
            << scenario.rows << " × " << scenario.features << ", " << threads << " threads";
      }
    }
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LeastSquaresCuda, Reals);

TYPED_TEST(LeastSquaresCuda, FactorsHaveTheBitsOfTheCpuForAllNumbersOfRows) {
  std::vector<Scenario<TypeParam>> scenarios;
  for (const Index n : {1, 2, 31, 32, 33, 1023, 1024, 1025, 4097, 9000}) {
    scenarios.emplace_back(n, 4, n % 2 == 0, n % 3 == 0, Scale::usual);
  }
  this->expect_the_cpus_bits(scenarios);
}

// Up to 12 columns fit the least shared memory that a device has, 20 its own default; 70 columns
// stand in the workspace.
TYPED_TEST(LeastSquaresCuda, FactorsHaveTheBitsOfTheCpuForAllNumbersOfFeatures) {
  std::vector<Scenario<TypeParam>> scenarios;
  for (const Index d : {1, 2, 3, 6, 7, 8, 9, 16, 19, 33, 70}) {
    scenarios.emplace_back(70, d, d % 2 == 1, d % 3 == 0, Scale::usual);
  }
  this->expect_the_cpus_bits(scenarios);
}

TYPED_TEST(LeastSquaresCuda, FactorsHaveTheBitsOfTheCpuForExtremeValues) {
  std::vector<Scenario<TypeParam>> scenarios;
  for (const Scale scale : {Scale::huge, Scale::tiny, Scale::dependent, Scale::broken}) {
    for (const Index n : {3, 100, 5000}) {
      scenarios.emplace_back(n, 5, true, n == 100, scale);
    }
  }
  this->expect_the_cpus_bits(scenarios);
}

// Factors with more rows than a block of rows has: merged in two parts, the second not triangular.
TEST(LeastSquaresCudaMerge, FactorsOfManyColumnsHaveTheBitsOfTheCpu) {
  constexpr Index p = 1030;
  const Random random(80, Purpose::test);
  std::vector<double> factors(2 * p * p, 0.0);
  for (Index r = 0; r < 2 * p; ++r) {
    for (Index j = r % p; j < p; ++j) {
      const auto at = static_cast<std::size_t>(r * p + j);
      // Few columns far from the diagonal, so that most reflections have little to do.
      if (j == r % p || j % 64 == 0 || j + 8 > p) factors[at] = random.uniform(at) - 0.5;
    }
  }
  const auto merged = [&](Engine& engine) {
    auto buffer = to_engine(engine, factors);
    make_steps<LeastSquaresSteps, double>(engine)->merge(0, 2, p, buffer);
    auto all = buffer.to_host();
    all.resize(p * p);
    return all;
  };
  const auto cpu = Engine::create({.device = Device::cpu, .threads = 2});
  EXPECT_TRUE(test::same_bits(merged(*cpu), merged(*test::cuda_engine())));
}

}  // namespace
}  // namespace tandem

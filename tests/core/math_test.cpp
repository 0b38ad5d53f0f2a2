// Accuracy of the scalar functions against the C library one precision up, and equality of the
// vector ones with the scalar ones on every instruction set.
#include "tandem/core/math.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>
#include <string>
#include <vector>

#include "core/parallel.hpp"
#include "core/random.hpp"
#include "cpu/math.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using cpu::ElementaryFunction;
using test::bits_of;

template <class T>
using Wide = std::conditional_t<sizeof(T) == 4, double, long double>;

// The reference formulas, in a precision W with at least 11 bits more.
template <class W>
struct Exact {
  static W sigmoid(W x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
  static W softplus(W x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }
  static W sin_pi(W x) {
    const W r = std::remainder(x, W{2});
    const W a = std::abs(r);
    const W sine = std::sin(std::numbers::pi_v<W> * std::min(a, 1 - a));
    return std::copysign(sine, sine == 0 ? x : r);  // at integers: zero of the sign of x
  }
  static W cos_pi(W x) {
    const W a = std::abs(std::remainder(x, W{2}));
    return std::sin(std::numbers::pi_v<W> * (W{0.5} - a));
  }
};

template <class T>
struct Function {
  const char* name;
  ElementaryFunction id;
  T (*value)(T);
  Wide<T> (*exact)(Wide<T>);
  double ulps;  // as stated in tandem/core/math.hpp
};

template <class T>
std::vector<Function<T>> functions() {
  using W = Wide<T>;
  return {
      {"exp", ElementaryFunction::exp, math::exp<T>, [](W x) { return std::exp(x); }, 0.8},
      {"expm1", ElementaryFunction::expm1, math::expm1<T>, [](W x) { return std::expm1(x); }, 1.6},
      {"log", ElementaryFunction::log, math::log<T>, [](W x) { return std::log(x); }, 0.9},
      {"log1p", ElementaryFunction::log1p, math::log1p<T>, [](W x) { return std::log1p(x); }, 1.0},
      {"tanh", ElementaryFunction::tanh, math::tanh<T>, [](W x) { return std::tanh(x); }, 2.0},
      {"sigmoid", ElementaryFunction::sigmoid, math::sigmoid<T>, Exact<W>::sigmoid, 1.5},
      {"softplus", ElementaryFunction::softplus, math::softplus<T>, Exact<W>::softplus, 1.6},
      {"erf", ElementaryFunction::erf, math::erf<T>, [](W x) { return std::erf(x); }, 1.1},
      {"sin_pi", ElementaryFunction::sin_pi, math::sin_pi<T>, Exact<W>::sin_pi, 1.1},
      {"cos_pi", ElementaryFunction::cos_pi, math::cos_pi<T>, Exact<W>::cos_pi, 1.1},
      {"sqrt", ElementaryFunction::sqrt, math::sqrt<T>, [](W x) { return std::sqrt(x); }, 0.5},
  };
}

// The distance of the value from the exact one in places of the exact one. Infinite where one of
// them is infinite, NaN or zero and the other is not, once the exact one is rounded to T.
template <class T>
double ulps_between(T value, Wide<T> exact) {
  const T rounded = static_cast<T>(exact);
  if (std::isnan(rounded)) {
    // The one NaN.
    return bits_of(value) == bits_of(std::numeric_limits<T>::quiet_NaN())
               ? 0
               : std::numeric_limits<double>::infinity();
  }
  if (value == rounded) {
    if (value == 0 && std::signbit(value) != std::signbit(rounded)) {
      return std::numeric_limits<double>::infinity();
    }
  }
  if (std::isinf(rounded) || std::isinf(value)) {
    if (value == rounded) return 0;
    // Values on either side of the overflow threshold are neighbours.
    const T largest = std::numeric_limits<T>::max();
    return std::abs(value) >= largest && std::abs(rounded) >= largest &&
                   std::signbit(value) == std::signbit(rounded)
               ? 1
               : std::numeric_limits<double>::infinity();
  }
  int exponent = 0;
  (void)std::frexp(exact, &exponent);
  const int place = std::max(exponent - std::numeric_limits<T>::digits,
                             std::numeric_limits<T>::min_exponent - std::numeric_limits<T>::digits);
  return static_cast<double>(std::ldexp(std::abs(static_cast<Wide<T>>(value) - exact), -place));
}

// The special values, the neighbourhoods of powers of two and of the functions' own thresholds, and
// random bit patterns and magnitudes.
template <class T>
std::vector<T> arguments(Index random_count) {
  using U = decltype(bits_of(T{}));
  std::vector<T> list;
  const auto around = [&](T centre) {
    T below = centre;
    T above = centre;
    for (int i = 0; i < 4; ++i) {
      for (const T v : {below, above}) {
        list.push_back(v);
        list.push_back(-v);
      }
      below = std::nextafter(below, -std::numeric_limits<T>::infinity());
      above = std::nextafter(above, std::numeric_limits<T>::infinity());
    }
  };
  using Limits = std::numeric_limits<T>;
  for (const T v : {T{0}, Limits::infinity(), Limits::quiet_NaN(), Limits::max(), Limits::min(),
                    Limits::denorm_min()}) {
    around(v);
  }
  list.push_back(std::bit_cast<T>(static_cast<U>(bits_of(Limits::infinity()) + 1)));  // signalling
  for (int e = Limits::min_exponent - Limits::digits; e < Limits::max_exponent; ++e) {
    around(std::ldexp(T{1}, e));
  }
  for (const double v :
       {88.7228, 88.0296, 103.28, 103.98, 104.0,      89.0,       709.78, 710.0, 745.13,
        746.0,   0.34657, 1.0397, 0.55,   0.70710678, 1.41421356, 3.92,   5.93,  0.25,
        0.75,    1.5,     2.5,    9.01,   19.06,      17.33,      36.74,  20.0,  40.0}) {
    around(static_cast<T>(v));
  }
  const Random random(11, Purpose::test);
  for (Index i = 0; i < random_count; ++i) {
    const std::uint64_t bits = random.bits(static_cast<std::uint64_t>(i));
    const double u = random.uniform<double>(static_cast<std::uint64_t>(i + random_count));
    switch (i % 4) {
      case 0: list.push_back(std::bit_cast<T>(static_cast<U>(bits))); break;
      case 1: list.push_back(static_cast<T>((u - 0.5) * 4)); break;
      case 2: list.push_back(static_cast<T>((u - 0.5) * 80)); break;
      default: list.push_back(static_cast<T>((u - 0.5) * (sizeof(T) == 4 ? 220 : 1520)));
    }
  }
  return list;
}

template <class T>
void expect_accurate(const std::vector<T>& list) {
  for (const Function<T>& f : functions<T>()) {
    double worst = -1;
    T at = 0;
    for (const T x : list) {
      const double error = ulps_between<T>(f.value(x), f.exact(static_cast<Wide<T>>(x)));
      if (!(error <= worst)) {
        worst = error;
        at = x;
      }
    }
    EXPECT_LE(worst, f.ulps) << f.name << " at " << std::hexfloat << at << ": " << f.value(at)
                             << " against " << f.exact(static_cast<Wide<T>>(at));
    ::testing::Test::RecordProperty(std::string(f.name) + (sizeof(T) == 4 ? "_float" : "_double"),
                                    std::to_string(worst));
  }
}

TEST(Math, FloatWithinStatedError) { expect_accurate(arguments<float>(400000)); }
TEST(Math, DoubleWithinStatedError) { expect_accurate(arguments<double>(400000)); }

TEST(LongMath, DoubleWithinStatedErrorOnMillions) { expect_accurate(arguments<double>(40000000)); }

TEST(LongMath, FloatWithinStatedErrorOnAllInputs) {
  for (const Function<float>& f : functions<float>()) {
    double worst = -1;
    float at = 0;
    std::mutex mutex;
    constexpr Index piece = Index{1} << 22;
    parallel_pieces(available_cores(), Index{1} << 32, piece, [&](Piece part) {
      double part_worst = -1;
      float part_at = 0;
      for (Index i = part.begin; i < part.end; ++i) {
        const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(i));
        const double error = ulps_between<float>(f.value(x), f.exact(static_cast<double>(x)));
        if (!(error <= part_worst)) {
          part_worst = error;
          part_at = x;
        }
      }
      const std::lock_guard<std::mutex> lock(mutex);
      if (part_worst > worst) {
        worst = part_worst;
        at = part_at;
      }
    });
    EXPECT_LE(worst, f.ulps) << f.name << " at " << std::hexfloat << at;
    RecordProperty(f.name, std::to_string(worst));
    std::printf("%-10s %.4f ulp at %a\n", f.name, worst, static_cast<double>(at));
  }
}

TEST(Math, KnownValues) {
  EXPECT_EQ(math::exp(0.0), 1.0);
  EXPECT_EQ(math::exp(1.0), std::numbers::e);
  EXPECT_EQ(math::log(1.0), 0.0);
  EXPECT_FALSE(std::signbit(math::log(1.0)));
  EXPECT_EQ(math::log(2.0f), std::numbers::ln2_v<float>);
  EXPECT_EQ(math::sigmoid(0.0f), 0.5f);
  EXPECT_EQ(math::softplus(0.0), std::numbers::ln2);
  EXPECT_EQ(math::tanh(100.0), 1.0);
  EXPECT_EQ(math::erf(-10.0f), -1.0f);
  EXPECT_EQ(math::sin_pi(0.5), 1.0);
  EXPECT_EQ(math::cos_pi(1.0), -1.0);
  EXPECT_EQ(math::cos_pi(0.5f), 0.0f);
}

template <class T>
void expect_vectors_equal_scalars(const std::vector<T>& list) {
  const test::RestoreSimd restore;
  for (const Function<T>& f : functions<T>()) {
    std::vector<T> expected(list.size());
    std::transform(list.begin(), list.end(), expected.begin(), f.value);
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;  // this processor lacks it
      }
      std::vector<T> value(list.size());
      cpu::map(f.id, std::span<const T>(list), std::span<T>(value));
      EXPECT_TRUE(test::same_bits(value, expected)) << f.name << " on " << simd;
    }
  }
}

TEST(Math, FloatVectorsEqualScalars) { expect_vectors_equal_scalars(arguments<float>(1000000)); }
TEST(Math, DoubleVectorsEqualScalars) { expect_vectors_equal_scalars(arguments<double>(1000000)); }

TEST(Math, VectorsOfAwkwardSizesWriteTheirOutputOnly) {
  for (const Index size : test::awkward_sizes()) {
    std::vector<float> in(static_cast<std::size_t>(size), 0.5f);
    test::Guarded<float> out(in.size());
    cpu::map(ElementaryFunction::exp, std::span<const float>(in), out.inner());
    EXPECT_TRUE(out.intact()) << size;
  }
}

TEST(Random, NormalHasTheMomentsOfANormal) {
  const Random random(3, Purpose::test);
  constexpr int count = 200000;
  double sum[5] = {};
  for (std::uint64_t i = 0; i < count; ++i) {
    const double v = random.normal(i);
    ASSERT_TRUE(std::isfinite(v));
    for (int p = 1; p <= 4; ++p) sum[p] += std::pow(v, p);
  }
  // Five standard errors of each sample moment: sqrt(Var v^p / count) with variances 1, 2, 15, 96.
  EXPECT_NEAR(sum[1] / count, 0, 5 * std::sqrt(1.0 / count));
  EXPECT_NEAR(sum[2] / count, 1, 5 * std::sqrt(2.0 / count));
  EXPECT_NEAR(sum[3] / count, 0, 5 * std::sqrt(15.0 / count));
  EXPECT_NEAR(sum[4] / count, 3, 5 * std::sqrt(96.0 / count));
}

}  // namespace
}  // namespace tandem

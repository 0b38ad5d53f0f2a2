// Products that sum over rows: the shape of the sum, for all threads and instruction sets, and
// their bound.
#include "linalg/row_products.hpp"

#include <memory>

#include "cpu/simd.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using test::RowProblem;
using test::RowShape;

std::unique_ptr<Engine> engine_of(Device device, int threads, Numerics numerics = Numerics::exact) {
  return Engine::create({.device = device, .numerics = numerics, .threads = threads});
}

// By hand: 33 rows of ones times 1, 2^-24, ... In one chain of floats the small terms would be
// lost one by one; in a micro-batch of their own they are not.
TEST(RowProducts, ByHand) {
  const std::vector<float> ones(64, 1.0F);
  std::vector<float> terms(64, 0.0F);
  terms[0] = 1.0F;
  for (std::size_t r = 32; r < 64; ++r) terms[r] = 0x1p-25F;
  const auto engine = engine_of(Device::cpu, 1);
  const auto steps = make_steps<GemmSteps, float>(*engine);
  float c = 0;
  steps->row_products(1, 1, 64, ones.data(), 1, terms.data(), 1, &c, 1);
  EXPECT_EQ(c, 1.0F + 0x1p-20F);
  // The order matters inside a micro-batch.
  std::swap(terms[0], terms[33]);
  steps->row_products(1, 1, 64, ones.data(), 1, terms.data(), 1, &c, 1);
  EXPECT_EQ(c, 1.0F);
  steps->row_products(1, 1, 0, ones.data(), 1, terms.data(), 1, &c, 1);
  EXPECT_EQ(c, 0.0F);
  EXPECT_FALSE(std::signbit(c));
}

TEST(RowProducts, FloatAreTreesOfChains) { test::expect_trees<float>(*engine_of(Device::cpu, 1)); }
TEST(RowProducts, DoubleAreTreesOfChains) {
  test::expect_trees<double>(*engine_of(Device::cpu, 1));
}

template <class T>
void expect_same_bits_everywhere() {
  const test::RestoreSimd restore;
  for (const RowShape& s : test::row_shapes()) {
    const RowProblem<T> p(s, 1);
    const std::vector<T> one = p.run(*engine_of(Device::cpu, 1));
    for (const int threads : {2, 7}) {
      EXPECT_TRUE(test::same_bits(p.run(*engine_of(Device::cpu, threads)), one))
          << p.name() << ", " << threads << " threads";
    }
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;  // this processor lacks it
      }
      EXPECT_TRUE(test::same_bits(p.run(*engine_of(Device::cpu, 1)), one)) << p.name() << simd;
    }
  }
}
TEST(RowProducts, FloatSameBitsForThreadsAndInstructionSets) {
  expect_same_bits_everywhere<float>();
}
TEST(RowProducts, DoubleSameBitsForThreadsAndInstructionSets) {
  expect_same_bits_everywhere<double>();
}

// reduction: micro_batch_bound of T, the reference's chain in double and its rounding; fast
// numerics add in any order.
template <class T>
void expect_reduction(Numerics numerics) {
  const auto engine = engine_of(Device::cpu, 2, numerics);
  const auto reference = engine_of(Device::reference, 1);
  for (const RowShape& s : test::row_shapes()) {
    const RowProblem<T> p(s, 0);
    const std::vector<T> c = p.run(*engine);
    const std::vector<T> expected = p.run(*reference);
    const double bound =
        (numerics == Numerics::exact ? micro_batch_bound<T>(s.rows) : gamma_bound<T>(s.rows + 2)) +
        gamma_bound<double>(s.rows + 2) + unit_roundoff<T>;
    for (Index i = 0; i < s.m; ++i) {
      for (Index j = 0; j < s.n; ++j) {
        double magnitude = 0;
        for (Index r = 0; r < s.rows; ++r) {
          magnitude +=
              std::abs(static_cast<double>(p.a_at(r, i)) * static_cast<double>(p.b_at(r, j)));
        }
        const auto at = static_cast<std::size_t>(i * p.ldc + j);
        EXPECT_LE(std::abs(static_cast<double>(c[at]) - static_cast<double>(expected[at])),
                  bound * magnitude)
            << p.name();
      }
    }
  }
}
TEST(RowProducts, FloatWithinTheBoundOfReference) { expect_reduction<float>(Numerics::exact); }
TEST(RowProducts, DoubleWithinTheBoundOfReference) { expect_reduction<double>(Numerics::exact); }
TEST(RowProducts, FloatFastWithinTheBoundOfReference) { expect_reduction<float>(Numerics::fast); }
TEST(RowProducts, DoubleFastWithinTheBoundOfReference) { expect_reduction<double>(Numerics::fast); }

}  // namespace
}  // namespace tandem

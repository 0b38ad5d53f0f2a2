#include "linear/linear_sums.hpp"

#include <vector>

#include "cpu/simd.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

template <class T>
class LinearSums : public ::testing::Test {
 protected:
  // On one thread and on several, with the widest vectors and without any.
  template <class Check>
  void on_engines(Check&& check) {
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;
      }
      const auto engine = Engine::create({.threads = std::string_view(simd) == "avx2" ? 1 : 3});
      check(*engine);
    }
    try {
      cpu::limit_simd("avx512");
    } catch (const InputError&) {
    }
  }
};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LinearSums, Reals);

TYPED_TEST(LinearSums, OfPassesAreTheTreesOfRandomParts) {
  this->on_engines([](Engine& engine) {
    for (const Index blocks : test::block_counts()) {
      test::expect_pass_sums<TypeParam>(engine, test::rows_of_blocks(blocks), 3);
    }
  });
}

TYPED_TEST(LinearSums, OfProductsAreTheTreesOfRandomParts) {
  this->on_engines([](Engine& engine) {
    for (const Index blocks : test::block_counts()) {
      test::expect_products<TypeParam>(engine, test::rows_of_blocks(blocks), 3);
    }
    for (const Index d : {1, 6, 7, 8, 14, 15, 16, 22, 40}) {
      test::expect_products<TypeParam>(engine, 1500, d);
    }
  });
}

TYPED_TEST(LinearSums, FactorsOfRandomPartsAreThoseOfAllRows) {
  const auto engine = Engine::create({.threads = 2});
  for (const Index blocks : {4, 5, 9, 17, 20, 33, 37, 70}) {
    test::expect_factors<TypeParam>(*engine, test::rows_of_blocks(blocks), 3);
  }
}

TEST(LeastSquaresPart, RefusesGroupsThatAreThereTwiceOrNotAtAll) {
  const auto engine = Engine::create({.threads = 1});
  const auto steps = make_steps<LeastSquaresSteps, double>(*engine);
  constexpr Index p = 4;
  Buffer<double> factors(*engine, 3 * p * p);
  factors.fill_zero();
  LeastSquaresPart part(p);
  part.add(*engine, *steps, 2, 3, factors);
  EXPECT_EQ(part.nodes().size(), 2U);
  EXPECT_THROW(part.add(*engine, *steps, 4, 1, factors), InputError);
  EXPECT_THROW((void)part.finish(*engine, *steps, 5), InputError);
  LeastSquaresPart other(p);
  EXPECT_THROW((void)other.finish(*engine, *steps, 1), InputError);
  other.add(*engine, *steps, 0, 3, factors);
  EXPECT_THROW(part.merge(*engine, *steps, other), InputError);
  EXPECT_EQ(part.nodes().size(), 2U);
}

}  // namespace
}  // namespace tandem

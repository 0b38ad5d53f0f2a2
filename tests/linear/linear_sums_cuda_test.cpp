#include "linear/linear_sums.hpp"

#include "support/cuda.hpp"

namespace tandem {
namespace {

template <class T>
class LinearSumsCuda : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LinearSumsCuda, Reals);

TYPED_TEST(LinearSumsCuda, OfPassesAreTheTreesOfRandomParts) {
  const auto engine = test::cuda_engine();
  for (const Index blocks : test::block_counts()) {
    test::expect_pass_sums<TypeParam>(*engine, test::rows_of_blocks(blocks), 3);
  }
  // With more features than the fused kernel's registers hold, outputs and sums are two kernels.
  test::expect_pass_sums<TypeParam>(*engine, test::rows_of_blocks(5), 300);
}

// So little memory that the rows stand on the host and come in pieces, whose borders lie anywhere
// in the tree.
TYPED_TEST(LinearSumsCuda, OfRowsInPiecesAreTheSame) {
  for (const std::size_t elements : {50000, 70000, 100000}) {
    const auto engine = test::cuda_engine({.device_memory = elements * sizeof(TypeParam)});
    for (const Index blocks : {17, 33}) {
      test::expect_pass_sums<TypeParam>(*engine, test::rows_of_blocks(blocks), 3);
    }
  }
}

TYPED_TEST(LinearSumsCuda, OfProductsAreTheTreesOfRandomParts) {
  for (const int threads : {0, 64}) {
    const auto engine = test::cuda_engine({.block_threads = threads});
    for (const Index blocks : test::block_counts()) {
      test::expect_products<TypeParam>(*engine, test::rows_of_blocks(blocks), 3);
    }
    for (const Index d : {1, 29, 30, 31, 32, 66}) {
      test::expect_products<TypeParam>(*engine, 1500, d);
    }
  }
}

TYPED_TEST(LinearSumsCuda, FactorsOfRandomPartsAreThoseOfAllRows) {
  const auto engine = test::cuda_engine();
  for (const Index blocks : {5, 17, 33}) {
    test::expect_factors<TypeParam>(*engine, test::rows_of_blocks(blocks), 3);
  }
}

}  // namespace
}  // namespace tandem

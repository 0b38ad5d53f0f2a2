#include "core/long_sum_sites.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

template <class T>
class LongSumSitesCuda : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LongSumSitesCuda, Reals);

TYPED_TEST(LongSumSitesCuda, AreTreesForAnyParts) {
  for (const int threads : {64, 256}) {
    test::expect_long_sums<TypeParam>(*test::cuda_engine({.block_threads = threads}));
  }
}

}  // namespace
}  // namespace tandem

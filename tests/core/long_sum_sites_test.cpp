#include "core/long_sum_sites.hpp"

namespace tandem {
namespace {

template <class T>
class LongSumSites : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LongSumSites, Reals);

TYPED_TEST(LongSumSites, OfTheCpuAreTreesForAnyParts) {
  for (const int threads : {1, 2, 7}) {
    test::expect_long_sums<TypeParam>(*Engine::create({.device = Device::cpu, .threads = threads}));
  }
}

}  // namespace
}  // namespace tandem

// Gradient boosting on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(GradientBoostingCuda, Agrees) {
  test::expect_agreement("gradient-boosting", test::cuda_device());
}

}  // namespace
}  // namespace tandem

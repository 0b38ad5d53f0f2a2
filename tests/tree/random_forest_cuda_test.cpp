// Forests on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(RandomForestCuda, Agrees) { test::expect_agreement("random-forest", test::cuda_device()); }
TEST(RandomForestCuda, ExtraTreesAgree) {
  test::expect_agreement("extra-trees", test::cuda_device());
}

}  // namespace
}  // namespace tandem

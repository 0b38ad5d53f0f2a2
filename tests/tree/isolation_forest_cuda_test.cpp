// Isolation forests on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(IsolationForestCuda, Agrees) {
  test::expect_agreement("isolation-forest", test::cuda_device());
}

}  // namespace
}  // namespace tandem

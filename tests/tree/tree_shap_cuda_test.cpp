// Shapley values on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(TreeShapCuda, Agrees) { test::expect_agreement("tree-shap", test::cuda_device()); }

}  // namespace
}  // namespace tandem

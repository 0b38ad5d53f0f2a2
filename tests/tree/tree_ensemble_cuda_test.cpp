// Predictions with trees on the GPU, against the CPU's bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(TreeEnsembleCuda, Agrees) { test::expect_agreement("tree-ensemble", test::cuda_device()); }

}  // namespace
}  // namespace tandem

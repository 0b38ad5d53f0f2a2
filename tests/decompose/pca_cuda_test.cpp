// Principal component analysis on the GPU: agreement at zero bits.
#include <gtest/gtest.h>

#include "support/agree.hpp"
#include "support/cuda.hpp"

namespace tandem {
namespace {

TEST(PcaCuda, Agrees) { test::expect_agreement("pca", test::cuda_device()); }

}  // namespace
}  // namespace tandem

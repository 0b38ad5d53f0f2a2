// What the software GPU offers beside CUDA.
#include "softgpu/runtime/control.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "softgpu/runtime/cuda_functions.hpp"
#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

class Control : public Cudart {
 protected:
  void TearDown() override {
    softgpu_set_seed(0);
    softgpu_set_threads(0);
    Cudart::TearDown();
  }

  // The blocks in the order in which they ran.
  std::vector<unsigned> order(unsigned blocks) {
    unsigned* data = allocate(blocks + 1);
    EXPECT_EQ(launch("order", blocks, 1, nullptr, data), cudaSuccess);
    const std::vector<unsigned> result = read(data + 1, blocks);
    EXPECT_EQ(cudaFree(data), cudaSuccess);
    return result;
  }
};

TEST_F(Control, TellsSoftwareByAName) {
  EXPECT_EQ(softgpu_version(), SOFTGPU_CONTROL_VERSION);
  EXPECT_NE(dlsym(RTLD_DEFAULT, "softgpu_version"), nullptr);
}

TEST_F(Control, TheScheduleSeedIsThatOfTheLastCall) {
  softgpu_set_threads(1);
  std::vector<unsigned> ascending(64);
  std::iota(ascending.begin(), ascending.end(), 0U);
  EXPECT_EQ(order(64), ascending);
  softgpu_set_seed(1);
  const auto first = order(64);
  EXPECT_NE(first, ascending);
  EXPECT_THAT(first, testing::UnorderedElementsAreArray(ascending));
  softgpu_set_seed(2);
  EXPECT_NE(order(64), first);
  softgpu_set_seed(1);
  EXPECT_EQ(order(64), first);
  softgpu_set_seed(0);
  EXPECT_EQ(order(64), ascending);
}

TEST_F(Control, AnyNumberOfThreadsIsTaken) {
  for (const int threads : {1, 3, 7, 5000, 0, -1, 2}) {
    softgpu_set_threads(threads);
    EXPECT_THAT(order(100), testing::Each(testing::Lt(100U))) << threads;
  }
}

}  // namespace
}  // namespace softgpu::cuda

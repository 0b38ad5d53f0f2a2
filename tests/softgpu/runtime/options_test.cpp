// Variables of the environment whose values make no sense are refused by the library.
#include <gtest/gtest.h>

#include <cstdlib>

#include "softgpu/runtime/cuda_functions.hpp"

namespace softgpu::cuda {
namespace {

TEST(CudartOptionsDeathTest, NonsenseEndsTheProgramWithStatus2) {
  // In a process of its own, in which nothing has been read yet.
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("SOFTGPU_MODEL", "v100", 1);
        int count = 0;
        static_cast<void>(cudaGetDeviceCount(&count));
        std::_Exit(0);
      },
      ::testing::ExitedWithCode(2), "SOFTGPU_MODEL=v100 .*a100, rtx4090, h100");
}

TEST(CudartOptionsDeathTest, TheModelIsChosenByName) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("SOFTGPU_MODEL", "h100", 1);
        cudaDeviceProp properties{};
        static_cast<void>(cudaGetDeviceProperties(&properties, 0));
        std::_Exit(properties.major * 10 + properties.minor);
      },
      ::testing::ExitedWithCode(90), "");
}

}  // namespace
}  // namespace softgpu::cuda

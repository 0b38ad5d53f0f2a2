// Launches, what they refuse, attributes of kernels, occupancy, symbols of libraries.
#include <algorithm>

#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

TEST_F(Cudart, KernelFillsItsMemory) {
  unsigned* data = allocate(1000);
  EXPECT_EQ(launch("fill", 4, 256, nullptr, data, 77U, 999U), cudaSuccess);
  const auto values = read(data, 1000);
  EXPECT_EQ(std::count(values.begin(), values.end(), 77U), 999);
  EXPECT_EQ(values[999], 0U);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
}

TEST_F(Cudart, ImpossibleConfigurationsAreRefused) {
  const auto refused = [&](dim3 grid, dim3 block, std::size_t shared, cudaError_t expected,
                           const char* name = "count") {
    EXPECT_EQ(cudaLaunchKernel(kernel(name), grid, block, nullptr, shared, nullptr), expected);
    forget_error(expected);
  };
  refused({0, 1, 1}, {1, 1, 1}, 0, cudaErrorInvalidConfiguration);
  refused({1, 65536, 1}, {1, 1, 1}, 0, cudaErrorInvalidConfiguration);
  refused({1, 1, 1}, {0, 1, 1}, 0, cudaErrorInvalidConfiguration);
  refused({1, 1, 1}, {1025, 1, 1}, 0, cudaErrorInvalidConfiguration);
  refused({1, 1, 1}, {1, 1, 65}, 0, cudaErrorInvalidConfiguration);
  refused({1, 1, 1}, {64, 32, 1}, 0, cudaErrorInvalidConfiguration);
  refused({1, 1, 1}, {1, 1, 1}, 48 * 1024 + 1, cudaErrorInvalidValue);
  refused({1, 1, 1}, {129, 1, 1}, 0, cudaErrorLaunchOutOfResources, "bounded");
  EXPECT_EQ(cudaLaunchKernel(&library_, {1, 1, 1}, {1, 1, 1}, nullptr, 0, nullptr),
            cudaErrorInvalidDeviceFunction);
  forget_error(cudaErrorInvalidDeviceFunction);
  EXPECT_EQ(cudaLaunchKernel(nullptr, {1, 1, 1}, {1, 1, 1}, nullptr, 0, nullptr),
            cudaErrorInvalidDeviceFunction);
  forget_error(cudaErrorInvalidDeviceFunction);
  refused({1, 1, 1}, {1, 1, 1}, 0, cudaErrorInvalidValue, "fill");  // no arguments
  EXPECT_EQ(cudaLaunchKernel(kernel("count"), {1, 1, 1}, {1, 1, 1}, nullptr, 0,
                             reinterpret_cast<cudaStream_t>(std::size_t{4096})),
            cudaErrorInvalidResourceHandle);
  forget_error(cudaErrorInvalidResourceHandle);
}

TEST_F(Cudart, MoreSharedMemoryAfterOptingIn) {
  const void* count = kernel("count");
  EXPECT_EQ(cudaFuncSetAttribute(count, cudaFuncAttributeMaxDynamicSharedMemorySize, 163 * 1024),
            cudaSuccess);
  EXPECT_EQ(cudaLaunchKernel(count, {1, 1, 1}, {1, 1, 1}, nullptr, 163 * 1024, nullptr),
            cudaSuccess);
  EXPECT_EQ(
      cudaFuncSetAttribute(count, cudaFuncAttributeMaxDynamicSharedMemorySize, 163 * 1024 + 1),
      cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
  cudaFuncAttributes attributes;
  ASSERT_EQ(cudaFuncGetAttributes(&attributes, kernel("uses_shared")), cudaSuccess);
  EXPECT_EQ(attributes.sharedSizeBytes, 40000U);
  EXPECT_EQ(attributes.maxDynamicSharedSizeBytes, 48 * 1024 - 40000);
  EXPECT_EQ(attributes.maxThreadsPerBlock, 1024);
  ASSERT_EQ(cudaFuncGetAttributes(&attributes, kernel("bounded")), cudaSuccess);
  EXPECT_EQ(attributes.maxThreadsPerBlock, 128);
}

TEST_F(Cudart, OccupancyFollowsTheLimitsOfTheModel) {
  const auto blocks = [&](const char* name, int threads, std::size_t shared) {
    int result = -1;
    EXPECT_EQ(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&result, kernel(name), threads, shared),
              cudaSuccess);
    return result;
  };
  // a100: 2048 threads, 32 blocks, 164 KiB of shared memory, 1 KiB of it reserved per block
  EXPECT_EQ(blocks("count", 1024, 0), 2);
  EXPECT_EQ(blocks("count", 32, 0), 32);
  EXPECT_EQ(blocks("uses_shared", 32, 0), 4);
  EXPECT_EQ(blocks("count", 32, 40 * 1024), 4);
  EXPECT_EQ(blocks("bounded", 256, 0), 0);
}

TEST_F(Cudart, CooperativeLaunchHasToFit) {
  EXPECT_EQ(
      cudaLaunchCooperativeKernel(kernel("count"), {216, 1, 1}, {1024, 1, 1}, nullptr, 0, nullptr),
      cudaSuccess);
  EXPECT_EQ(
      cudaLaunchCooperativeKernel(kernel("count"), {217, 1, 1}, {1024, 1, 1}, nullptr, 0, nullptr),
      cudaErrorCooperativeLaunchTooLarge);
  forget_error(cudaErrorCooperativeLaunchTooLarge);
}

TEST_F(Cudart, ExtendedLaunchTakesAttributes) {
  cudaLaunchAttribute attributes[3] = {};
  attributes[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[0].val.programmaticStreamSerializationAllowed = 1;
  attributes[1].id = cudaLaunchAttributePriority;
  attributes[1].val.priority = -1;
  attributes[2].id = cudaLaunchAttributeClusterDimension;
  attributes[2].val.clusterDim = {1, 1, 1};
  cudaLaunchConfig_t config{};
  config.attrs = attributes;
  config.numAttrs = 3;
  EXPECT_EQ(cudaLaunchKernelExC(&config, kernel("count"), nullptr), cudaSuccess);
  // The a100 has no clusters.
  config.gridDim = {2, 1, 1};
  attributes[2].val.clusterDim = {2, 1, 1};
  EXPECT_EQ(cudaLaunchKernelExC(&config, kernel("count"), nullptr), cudaErrorNotSupported);
  forget_error(cudaErrorNotSupported);
}

TEST_F(Cudart, LibraryVariablesKeepTheirValueBetweenLaunches) {
  void* address = nullptr;
  std::size_t bytes = 0;
  ASSERT_EQ(cudaLibraryGetGlobal(&address, &bytes, library_, "counter"), cudaSuccess);
  EXPECT_EQ(bytes, 4U);
  EXPECT_EQ(read(static_cast<unsigned*>(address), 1)[0], 41U);
  EXPECT_EQ(launch("count", 3, 10, nullptr), cudaSuccess);
  EXPECT_EQ(read(static_cast<unsigned*>(address), 1)[0], 71U);
  EXPECT_EQ(cudaLibraryGetGlobal(&address, &bytes, library_, "no_such"), cudaErrorSymbolNotFound);
  forget_error(cudaErrorSymbolNotFound);
  unsigned count = 0;
  EXPECT_EQ(cudaLibraryGetKernelCount(&count, library_), cudaSuccess);
  EXPECT_EQ(count, 8U);
  std::size_t offset = 0;
  std::size_t size = 0;
  EXPECT_EQ(cudaFuncGetParamInfo(kernel("fill"), 2, &offset, &size), cudaSuccess);
  EXPECT_EQ(offset, 12U);
  EXPECT_EQ(size, 4U);
  EXPECT_EQ(cudaFuncGetParamInfo(kernel("fill"), 3, &offset, &size), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

TEST_F(Cudart, DamagedLibrariesAreRefused) {
  cudaLibrary_t library = nullptr;
  const auto load = [&](const void* code) {
    return cudaLibraryLoadData(&library, code, nullptr, nullptr, 0, nullptr, nullptr, 0);
  };
  EXPECT_EQ(load("no such thing"), cudaErrorInvalidKernelImage);
  EXPECT_EQ(load(".version 8.0\n.target sm_80\n.address_size 64\n.entry {"), cudaErrorInvalidPtx);
  const unsigned header[4] = {0xba55ed50U, 0x00100001U, 0xffffffffU, 0xffffffffU};
  EXPECT_EQ(load(header), cudaErrorInvalidKernelImage);
  EXPECT_EQ(load(nullptr), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

}  // namespace
}  // namespace softgpu::cuda

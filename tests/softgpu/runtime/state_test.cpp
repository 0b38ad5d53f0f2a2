// Error state, devices, options and limits.
#include <gmock/gmock.h>

#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

TEST_F(Cudart, ErrorIsKeptUntilItIsAskedFor) {
  int value = 0;
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrWarpSize, 99), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrWarpSize, 0), cudaSuccess);
  EXPECT_EQ(value, 32);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Cudart, ErrorBelongsToItsThread) {
  std::thread([] {
    EXPECT_EQ(cudaFree(reinterpret_cast<void*>(64)), cudaErrorInvalidValue);
  }).join();
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Cudart, EveryErrorHasANameAndAText) {
  EXPECT_STREQ(cudaGetErrorName(cudaSuccess), "cudaSuccess");
  EXPECT_STREQ(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorInvalidValue), "invalid argument");
  EXPECT_STREQ(cudaGetErrorName(static_cast<cudaError_t>(123456)), "unrecognized error code");
}

TEST_F(Cudart, FaultIsDeliveredBySynchronisingAndStaysUntilReset) {
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  const void* count = kernel("count");
  const auto launch_count = [&] {
    return cudaLaunchKernel(count, {1, 1, 1}, {1, 1, 1}, nullptr, 0, nullptr);
  };
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(launch("wild", 1, 1, nullptr), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);  // not yet
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::HasSubstr("wild"));
  void* address = nullptr;
  EXPECT_EQ(cudaMalloc(&address, 4), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(launch_count(), cudaErrorIllegalAddress);
  // The other device is not concerned.
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(launch_count(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  static_cast<void>(cudaSetDevice(1));
  EXPECT_EQ(cudaDeviceReset(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(launch_count(), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Cudart, PropertiesAndAttributesAgree) {
  int count = 0;
  ASSERT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 2);
  cudaDeviceProp properties;
  ASSERT_EQ(cudaGetDeviceProperties(&properties, 1), cudaSuccess);
  const std::map<cudaDeviceAttr, long> expected = {
      {cudaDevAttrComputeCapabilityMajor, properties.major},
      {cudaDevAttrComputeCapabilityMinor, properties.minor},
      {cudaDevAttrMultiProcessorCount, properties.multiProcessorCount},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin,
       static_cast<long>(properties.sharedMemPerBlockOptin)},
      {cudaDevAttrMaxThreadsPerMultiProcessor, properties.maxThreadsPerMultiProcessor},
      {cudaDevAttrMaxGridDimX, properties.maxGridSize[0]},
      {cudaDevAttrL2CacheSize, properties.l2CacheSize},
      {cudaDevAttrPciBusId, properties.pciBusID},
  };
  for (const auto& [attribute, value] : expected) {
    int got = -1;
    EXPECT_EQ(cudaDeviceGetAttribute(&got, attribute, 1), cudaSuccess);
    EXPECT_EQ(got, value) << attribute;
  }
  // Every number that names an attribute has an answer; others are refused.
  int got = 0;
  EXPECT_EQ(cudaDeviceGetAttribute(&got, static_cast<cudaDeviceAttr>(0), 0), cudaErrorInvalidValue);
  EXPECT_EQ(cudaDeviceGetAttribute(&got, cudaDevAttrMax, 0), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

TEST_F(Cudart, PciNamesGoBackAndForth) {
  char name[16];
  ASSERT_EQ(cudaDeviceGetPCIBusId(name, sizeof name, 1), cudaSuccess);
  int index = -1;
  EXPECT_EQ(cudaDeviceGetByPCIBusId(&index, name), cudaSuccess);
  EXPECT_EQ(index, 1);
  EXPECT_EQ(cudaDeviceGetByPCIBusId(&index, "0000:77:00.0"), cudaErrorInvalidDevice);
  forget_error(cudaErrorInvalidDevice);
}

TEST_F(Cudart, LimitsAreKeptAndUnknownOnesRefused) {
  std::size_t value = 0;
  EXPECT_EQ(cudaDeviceSetLimit(cudaLimitPrintfFifoSize, 1 << 21), cudaSuccess);
  EXPECT_EQ(cudaDeviceGetLimit(&value, cudaLimitPrintfFifoSize), cudaSuccess);
  EXPECT_EQ(value, 1U << 21);
  EXPECT_EQ(cudaDeviceGetLimit(&value, static_cast<cudaLimit>(77)), cudaErrorUnsupportedLimit);
  forget_error(cudaErrorUnsupportedLimit);
}

TEST_F(Cudart, PeerAccessIsEnabledOnce) {
  int can = 0;
  EXPECT_EQ(cudaDeviceCanAccessPeer(&can, 0, 1), cudaSuccess);
  EXPECT_EQ(can, 1);
  EXPECT_EQ(cudaDeviceCanAccessPeer(&can, 1, 1), cudaSuccess);
  EXPECT_EQ(can, 0);
  EXPECT_EQ(cudaDeviceEnablePeerAccess(1, 0), cudaSuccess);
  EXPECT_EQ(cudaDeviceEnablePeerAccess(1, 0), cudaErrorPeerAccessAlreadyEnabled);
  EXPECT_EQ(cudaDeviceDisablePeerAccess(1), cudaSuccess);
  EXPECT_EQ(cudaDeviceDisablePeerAccess(1), cudaErrorPeerAccessNotEnabled);
  forget_error(cudaErrorPeerAccessNotEnabled);
}

TEST_F(Cudart, DriverEntryPointsAreNotFound) {
  void* function = &function;
  auto result = cudaDriverEntryPointSuccess;
  EXPECT_EQ(cudaGetDriverEntryPoint("cuInit", &function, 0, &result), cudaSuccess);
  EXPECT_EQ(result, cudaDriverEntryPointSymbolNotFound);
  EXPECT_EQ(function, nullptr);
}

extern "C" int cudaGraphicsEGLRegisterImage();

TEST_F(Cudart, WhatIsNotImplementedSaysSoOnce) {
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(cudaGraphicsEGLRegisterImage(), cudaErrorNotSupported);
  EXPECT_EQ(cudaGraphicsEGLRegisterImage(), cudaErrorNotSupported);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "softgpu: cudaGraphicsEGLRegisterImage is not supported; it returns "
            "cudaErrorNotSupported\n");
  forget_error(cudaErrorNotSupported);
}

}  // namespace
}  // namespace softgpu::cuda

// Allocation, copies, fills, pools, and what is known of an address.
#include <cstring>
#include <numeric>

#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

TEST_F(Cudart, AllocationsAreCheckedWhenFreed) {
  void* address = &address;
  EXPECT_EQ(cudaMalloc(&address, 0), cudaSuccess);
  EXPECT_EQ(address, nullptr);
  EXPECT_EQ(cudaFree(nullptr), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&address, 100), cudaSuccess);
  EXPECT_EQ(reinterpret_cast<std::size_t>(address) % 256, 0U);
  EXPECT_EQ(cudaFree(static_cast<char*>(address) + 1), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFreeHost(address), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(address), cudaSuccess);
  EXPECT_EQ(cudaFree(address), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMalloc(nullptr, 4), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
  EXPECT_EQ(cudaMalloc(&address, std::size_t{1} << 45), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaMalloc(&address, SIZE_MAX), cudaErrorMemoryAllocation);
  forget_error(cudaErrorMemoryAllocation);
}

TEST_F(Cudart, CopiesStayInsideTheirRanges) {
  unsigned* data = allocate(16);
  unsigned host[32] = {};
  EXPECT_EQ(cudaMemcpy(data, host, 17 * 4, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(data + 8, host, 9 * 4, cudaMemcpyDefault), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(host, host + 16, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(nullptr, data, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemset(data, 0, 65), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(data, host, 4, static_cast<cudaMemcpyKind>(9)),
            cudaErrorInvalidMemcpyDirection);
  forget_error(cudaErrorInvalidMemcpyDirection);
  EXPECT_EQ(cudaMemcpy(host, host + 16, 64, cudaMemcpyHostToHost), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(nullptr, nullptr, 0, cudaMemcpyDefault), cudaSuccess);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
  EXPECT_EQ(cudaMemcpy(host, data, 4, cudaMemcpyDeviceToHost), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

TEST_F(Cudart, PitchedRowsGoBackAndForth) {
  constexpr std::size_t width = 100;
  constexpr std::size_t height = 7;
  void* address = nullptr;
  std::size_t pitch = 0;
  ASSERT_EQ(cudaMallocPitch(&address, &pitch, width, height), cudaSuccess);
  EXPECT_GE(pitch, width);
  std::vector<unsigned char> from(width * height);
  std::iota(from.begin(), from.end(), static_cast<unsigned char>(3));
  std::vector<unsigned char> to(width * height);
  EXPECT_EQ(cudaMemcpy2D(address, pitch, from.data(), width, width, height, cudaMemcpyHostToDevice),
            cudaSuccess);
  EXPECT_EQ(cudaMemcpy2D(to.data(), width, address, pitch, width, height, cudaMemcpyDeviceToHost),
            cudaSuccess);
  EXPECT_EQ(from, to);
  EXPECT_EQ(cudaMemset2D(address, pitch, 9, width - 1, height), cudaSuccess);
  EXPECT_EQ(cudaMemcpy2D(to.data(), width, address, pitch, width, height, cudaMemcpyDeviceToHost),
            cudaSuccess);
  EXPECT_EQ(to[width - 2], 9);
  EXPECT_EQ(to[width - 1], from[width - 1]);
  EXPECT_EQ(
      cudaMemcpy2D(to.data(), width - 1, address, pitch, width, height, cudaMemcpyDeviceToHost),
      cudaErrorInvalidPitchValue);
  forget_error(cudaErrorInvalidPitchValue);
  EXPECT_EQ(cudaFree(address), cudaSuccess);
}

TEST_F(Cudart, BoxesAreCopiedOutOfVolumes) {
  cudaPitchedPtr volume{};
  ASSERT_EQ(cudaMalloc3D(&volume, {16, 5, 4}), cudaSuccess);
  EXPECT_EQ(cudaMemset3D(volume, 1, {16, 5, 4}), cudaSuccess);
  unsigned char box[3][2][4];
  std::memset(box, 7, sizeof box);
  cudaMemcpy3DParms copy{};
  copy.srcPtr = {box, 4, 4, 2};
  copy.dstPtr = volume;
  copy.dstPos = {2, 1, 1};
  copy.extent = {4, 2, 3};
  copy.kind = cudaMemcpyHostToDevice;
  EXPECT_EQ(cudaMemcpy3D(&copy), cudaSuccess);
  std::vector<unsigned char> all(16 * 5 * 4);
  cudaMemcpy3DParms back{};
  back.srcPtr = volume;
  back.dstPtr = {all.data(), 16, 16, 5};
  back.extent = {16, 5, 4};
  back.kind = cudaMemcpyDeviceToHost;
  EXPECT_EQ(cudaMemcpy3D(&back), cudaSuccess);
  for (std::size_t z = 0; z < 4; ++z) {
    for (std::size_t y = 0; y < 5; ++y) {
      for (std::size_t x = 0; x < 16; ++x) {
        const bool inside = x >= 2 && x < 6 && y >= 1 && y < 3 && z >= 1;
        EXPECT_EQ(all[(z * 5 + y) * 16 + x], inside ? 7 : 1) << x << ' ' << y << ' ' << z;
      }
    }
  }
  EXPECT_EQ(cudaFree(volume.ptr), cudaSuccess);
}

TEST_F(Cudart, AddressesSayWhatTheyAre) {
  cudaPointerAttributes is{};
  int plain = 0;
  EXPECT_EQ(cudaPointerGetAttributes(&is, &plain), cudaSuccess);
  EXPECT_EQ(is.type, cudaMemoryTypeUnregistered);
  EXPECT_EQ(cudaHostRegister(&plain, sizeof plain, cudaHostRegisterDefault), cudaSuccess);
  EXPECT_EQ(cudaHostRegister(&plain, sizeof plain, cudaHostRegisterDefault),
            cudaErrorHostMemoryAlreadyRegistered);
  forget_error(cudaErrorHostMemoryAlreadyRegistered);
  EXPECT_EQ(cudaPointerGetAttributes(&is, &plain), cudaSuccess);
  EXPECT_EQ(is.type, cudaMemoryTypeHost);
  EXPECT_EQ(is.devicePointer, &plain);
  EXPECT_EQ(cudaHostUnregister(&plain), cudaSuccess);
  EXPECT_EQ(cudaHostUnregister(&plain), cudaErrorHostMemoryNotRegistered);
  forget_error(cudaErrorHostMemoryNotRegistered);

  unsigned* data = allocate(4);
  EXPECT_EQ(cudaPointerGetAttributes(&is, data + 1), cudaSuccess);
  EXPECT_EQ(is.type, cudaMemoryTypeDevice);
  EXPECT_EQ(is.hostPointer, nullptr);
  EXPECT_EQ(is.device, 0);
  EXPECT_EQ(cudaFree(data), cudaSuccess);
  EXPECT_EQ(cudaPointerGetAttributes(&is, data), cudaSuccess);
  EXPECT_EQ(is.type, cudaMemoryTypeUnregistered);

  void* managed = nullptr;
  ASSERT_EQ(cudaMallocManaged(&managed, 64, cudaMemAttachGlobal), cudaSuccess);
  EXPECT_EQ(cudaPointerGetAttributes(&is, managed), cudaSuccess);
  EXPECT_EQ(is.type, cudaMemoryTypeManaged);
  const cudaMemLocation here{cudaMemLocationTypeDevice, 1};
  EXPECT_EQ(cudaMemAdvise(managed, 64, cudaMemAdviseSetPreferredLocation, here), cudaSuccess);
  int id = 0;
  EXPECT_EQ(
      cudaMemRangeGetAttribute(&id, sizeof id, cudaMemRangeAttributePreferredLocation, managed, 64),
      cudaSuccess);
  EXPECT_EQ(id, 1);
  EXPECT_EQ(cudaMemPrefetchAsync(managed, 64, here, 0, nullptr), cudaSuccess);
  EXPECT_EQ(cudaFree(managed), cudaSuccess);

  void* pinned = nullptr;
  ASSERT_EQ(cudaHostAlloc(&pinned, 64, cudaHostAllocPortable), cudaSuccess);
  unsigned flags = 0;
  EXPECT_EQ(cudaHostGetFlags(&flags, pinned), cudaSuccess);
  EXPECT_EQ(flags, cudaHostAllocPortable | cudaHostAllocMapped);
  void* seen = nullptr;
  EXPECT_EQ(cudaHostGetDevicePointer(&seen, pinned, 0), cudaSuccess);
  EXPECT_EQ(seen, pinned);
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

TEST_F(Cudart, UsedMemoryIsCounted) {
  std::size_t before = 0;
  std::size_t after = 0;
  std::size_t total = 0;
  void* address = nullptr;
  ASSERT_EQ(cudaMemGetInfo(&before, &total), cudaSuccess);
  EXPECT_LE(before, total);
  ASSERT_EQ(cudaMalloc(&address, 1 << 20), cudaSuccess);
  ASSERT_EQ(cudaMemGetInfo(&after, &total), cudaSuccess);
  EXPECT_EQ(cudaFree(address), cudaSuccess);
}

TEST_F(Cudart, PoolsKeepBooks) {
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location = {cudaMemLocationTypeDevice, 0};
  properties.maxSize = 4096;
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaMemPoolCreate(&pool, &properties), cudaSuccess);
  void* first = nullptr;
  void* second = nullptr;
  EXPECT_EQ(cudaMallocFromPoolAsync(&first, 3000, pool, nullptr), cudaSuccess);
  EXPECT_EQ(cudaMallocFromPoolAsync(&second, 3000, pool, nullptr), cudaErrorMemoryAllocation);
  forget_error(cudaErrorMemoryAllocation);
  unsigned long long used = 0;
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), cudaSuccess);
  EXPECT_EQ(used, 3000U);
  EXPECT_EQ(cudaFreeAsync(first, nullptr), cudaSuccess);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), cudaSuccess);
  EXPECT_EQ(used, 0U);
  EXPECT_EQ(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemHigh, &used), cudaSuccess);
  EXPECT_EQ(used, 3000U);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaSuccess);
  EXPECT_EQ(cudaMemPoolDestroy(pool), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
  EXPECT_EQ(cudaMallocAsync(&first, 100, nullptr), cudaSuccess);
  EXPECT_EQ(cudaFree(first), cudaSuccess);
}

TEST_F(Cudart, DevicesHaveTheirOwnMemory) {
  unsigned* here = allocate(4);
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  unsigned* there = allocate(4);
  EXPECT_EQ(launch("fill", 1, 32, nullptr, there, 5U, 4U), cudaSuccess);
  EXPECT_EQ(cudaMemcpyPeer(here, 0, there, 1, 16), cudaSuccess);
  EXPECT_EQ(read(here, 4), std::vector<unsigned>(4, 5));
  EXPECT_EQ(cudaFree(there), cudaSuccess);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaFree(here), cudaSuccess);
}

}  // namespace
}  // namespace softgpu::cuda

// Kernels as PTX text, so that the runtime can be tested where no nvcc is.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "softgpu/runtime/cuda_functions.hpp"

namespace softgpu::cuda {

inline constexpr const char* test_kernels = R"(
.version 8.0
.target sm_80
.address_size 64

.visible .global .align 4 .u32 counter = 41;
.visible .const .align 4 .u32 constant_seven = 7;

// fill(out, value, n): out[i] = value
.visible .entry fill(.param .u64 p_out, .param .u32 p_value, .param .u32 p_n)
{
  .reg .pred %p; .reg .b32 %r<8>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [p_out];
  ld.param.u32 %r1, [p_value];
  ld.param.u32 %r2, [p_n];
  mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x; mov.u32 %r5, %tid.x;
  mad.lo.u32 %r6, %r3, %r4, %r5;
  setp.ge.u32 %p, %r6, %r2;
  @%p ret;
  mul.wide.u32 %rd2, %r6, 4;
  add.u64 %rd3, %rd1, %rd2;
  st.global.u32 [%rd3], %r1;
  ret;
}

// twice(data, n): data[i] *= 2
.visible .entry twice(.param .u64 p_data, .param .u32 p_n)
{
  .reg .pred %p; .reg .b32 %r<8>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [p_data];
  ld.param.u32 %r2, [p_n];
  mov.u32 %r3, %ctaid.x; mov.u32 %r4, %ntid.x; mov.u32 %r5, %tid.x;
  mad.lo.u32 %r6, %r3, %r4, %r5;
  setp.ge.u32 %p, %r6, %r2;
  @%p ret;
  mul.wide.u32 %rd2, %r6, 4;
  add.u64 %rd3, %rd1, %rd2;
  ld.global.u32 %r1, [%rd3];
  add.u32 %r1, %r1, %r1;
  st.global.u32 [%rd3], %r1;
  ret;
}

// count(): counter += 1, by one thread
.visible .entry count()
{
  .reg .b32 %r<3>;
  atom.global.add.u32 %r1, [counter], 1;
  ret;
}

// order(data): data[1 + the number of blocks that came before] = block
.visible .entry order(.param .u64 p_data)
{
  .reg .b32 %r<4>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [p_data];
  atom.global.add.u32 %r1, [%rd1], 1;
  mul.wide.u32 %rd2, %r1, 4;
  add.u64 %rd3, %rd1, %rd2;
  mov.u32 %r2, %ctaid.x;
  st.global.u32 [%rd3+4], %r2;
  ret;
}

// wait_for(flag, value, out): waits until *flag is the value, then adds 1 to *out
.visible .entry wait_for(.param .u64 p_flag, .param .u32 p_value, .param .u64 p_out)
{
  .reg .pred %p; .reg .b32 %r<4>; .reg .b64 %rd<4>;
  ld.param.u64 %rd1, [p_flag];
  ld.param.u32 %r1, [p_value];
  ld.param.u64 %rd2, [p_out];
LOOP:
  ld.volatile.global.u32 %r2, [%rd1];
  setp.ne.u32 %p, %r2, %r1;
  @%p bra LOOP;
  atom.global.add.u32 %r3, [%rd2], 1;
  ret;
}

.visible .entry wild()
{
  .reg .b64 %rd<2>;
  mov.u64 %rd1, 64;
  st.global.u32 [%rd1], 1;
  ret;
}

.visible .entry bounded() .maxntid 128, 1, 1
{
  ret;
}

.visible .entry uses_shared()
{
  .shared .align 4 .b8 space[40000];
  .reg .b32 %r<2>;
  mov.u32 %r1, 1;
  st.shared.u32 [space], %r1;
  ret;
}
)";

class Cudart : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
    ASSERT_EQ(
        cudaLibraryLoadData(&library_, test_kernels, nullptr, nullptr, 0, nullptr, nullptr, 0),
        cudaSuccess);
  }
  void TearDown() override {
    EXPECT_EQ(cudaLibraryUnload(library_), cudaSuccess);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  }

  const void* kernel(const char* name) {
    cudaKernel_t found = nullptr;
    EXPECT_EQ(cudaLibraryGetKernel(&found, library_, name), cudaSuccess) << name;
    return found;
  }

  template <class... Arguments>
  cudaError_t launch(const char* name, unsigned blocks, unsigned threads, cudaStream_t stream,
                     Arguments... arguments) {
    void* list[] = {static_cast<void*>(&arguments)..., nullptr};
    return cudaLaunchKernel(kernel(name), dim3{blocks, 1, 1}, dim3{threads, 1, 1}, list, 0, stream);
  }

  static unsigned* allocate(std::size_t n) {
    void* address = nullptr;
    EXPECT_EQ(cudaMalloc(&address, n * sizeof(unsigned)), cudaSuccess);
    EXPECT_EQ(cudaMemset(address, 0, n * sizeof(unsigned)), cudaSuccess);
    return static_cast<unsigned*>(address);
  }

  static std::vector<unsigned> read(const unsigned* address, std::size_t n) {
    std::vector<unsigned> values(n);
    EXPECT_EQ(cudaMemcpy(values.data(), address, n * sizeof(unsigned), cudaMemcpyDeviceToHost),
              cudaSuccess);
    return values;
  }

  // An expected error, which would otherwise fail the test at its end.
  static void forget_error(cudaError_t expected) { EXPECT_EQ(cudaGetLastError(), expected); }

  cudaLibrary_t library_ = nullptr;
};

}  // namespace softgpu::cuda

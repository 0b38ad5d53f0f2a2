// Launches that are refused. The error is kept until the program asks for it, and does no harm to
// later work.
#include <cstring>

#include "check.cuh"

__global__ void __launch_bounds__(128) bounded(int* out) { out[threadIdx.x] = 1; }

__global__ void shared_user(int* out) {
  extern __shared__ int space[];
  space[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = space[blockDim.x - 1 - threadIdx.x];
}

template <class T>
__global__ void big_argument(T value, int* out) {
  *out = value.data[sizeof(value.data) / sizeof(int) - 1];
}

struct Big {
  int data[1000];
};

int main() {
  int* out;
  CUDA_OK(cudaMalloc(&out, 4096));

  bounded<<<1, 129>>>(out);
  CUDA_IS(cudaErrorLaunchOutOfResources, cudaPeekAtLastError());
  CUDA_IS(cudaErrorLaunchOutOfResources, cudaGetLastError());
  CUDA_IS(cudaSuccess, cudaGetLastError());
  bounded<<<0, 32>>>(out);
  CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
  bounded<<<1, 0>>>(out);
  CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
  shared_user<<<1, 2048>>>(out);
  CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
  shared_user<<<dim3(1, 70000), 32>>>(out);
  CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
  shared_user<<<1, 32, 100 * 1024>>>(out);
  CUDA_IS(cudaErrorInvalidValue, cudaGetLastError());
  CUDA_OK(cudaDeviceSynchronize());

  CUDA_OK(
      cudaFuncSetAttribute(shared_user, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 * 1024));
  shared_user<<<1, 32, 100 * 1024>>>(out);
  CUDA_OK(cudaGetLastError());
  int host[32];
  CUDA_OK(cudaMemcpy(host, out, sizeof host, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 32; ++i) CHECK_AT(host[i] == 31 - i, "%d", host[i]);
  CUDA_IS(cudaErrorInvalidValue,
          cudaFuncSetAttribute(shared_user, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20));
  (void)cudaGetLastError();

  cudaFuncAttributes attributes;
  CUDA_OK(cudaFuncGetAttributes(&attributes, bounded));
  CHECK(attributes.maxThreadsPerBlock == 128);
  CHECK(attributes.numRegs > 0 && attributes.numRegs <= 255);
  CHECK(attributes.ptxVersion == 80);
  int grid = 0, block = 0;
  CUDA_OK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, bounded));
  CHECK_AT(block == 128, "%d", block);
  CHECK(grid >= 108);

  Big big;
  std::memset(&big, 0, sizeof big);
  big.data[999] = 1234;
  big_argument<<<1, 1>>>(big, out);
  CUDA_OK(cudaMemcpy(host, out, sizeof(int), cudaMemcpyDeviceToHost));
  CHECK(host[0] == 1234);

  void* arguments[] = {&out};
  CUDA_IS(cudaErrorInvalidDeviceFunction,
          cudaLaunchKernel(host, dim3(1), dim3(1), arguments, 0, nullptr));
  (void)cudaGetLastError();
  CUDA_OK(cudaLaunchKernel((void*)bounded, dim3(1), dim3(64), arguments, 0, nullptr));
  const char* name = nullptr;
  CUDA_OK(cudaFuncGetName(&name, (void*)bounded));
  CHECK(std::strstr(name, "bounded") != nullptr);
  CUDA_OK(cudaDeviceSynchronize());
  return verdict();
}

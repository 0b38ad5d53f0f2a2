// A program without PTX, compiled for the machine only, gets a message that says how to compile it.
// nvcc: -gencode arch=compute_80,code=sm_80
#include "check.cuh"

__global__ void nothing() {}

int main() {
  CUDA_OK(cudaSetDevice(0));
  nothing<<<1, 1>>>();
  CUDA_IS(cudaErrorNoKernelImageForDevice, cudaGetLastError());
  cudaFuncAttributes attributes;
  CUDA_IS(cudaErrorNoKernelImageForDevice, cudaFuncGetAttributes(&attributes, nothing));
  (void)cudaGetLastError();
  CUDA_OK(cudaDeviceSynchronize());
  return verdict();
}

// Of several texts the best one that the device can run is taken; compressed, and beside machine
// code.
// nvcc: -gencode arch=compute_75,code=compute_75 -gencode arch=compute_80,code=sm_80
// nvcc: -gencode arch=compute_86,code=compute_86 -gencode arch=compute_90,code=compute_90
// nvcc: -Xfatbin=-compress-all
// run: a100
// run: rtx4090
// run: h100
#include "check.cuh"

__global__ void which(int* out) {
#ifdef __CUDA_ARCH__
  *out = __CUDA_ARCH__;
#endif
}

int main(int argc, char** argv) {
  // Before the first call, which reads it.
  if (argc > 1) setenv("SOFTGPU_MODEL", argv[1], 1);
  int* out;
  CUDA_OK(cudaMallocManaged(&out, sizeof(int)));
  which<<<1, 1>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  cudaDeviceProp properties;
  CUDA_OK(cudaGetDeviceProperties(&properties, 0));
  const int expected = properties.major == 9 ? 900 : properties.minor == 9 ? 860 : 750;
  CHECK_AT(*out == expected, "%d", *out);
  cudaFuncAttributes attributes;
  CUDA_OK(cudaFuncGetAttributes(&attributes, which));
  CHECK(attributes.ptxVersion == expected / 10);
  CHECK(attributes.binaryVersion == properties.major * 10 + properties.minor);
  return verdict();
}

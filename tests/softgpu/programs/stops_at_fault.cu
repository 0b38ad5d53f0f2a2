// env: SOFTGPU_STOP_AT_FAULT=1
// status: 86
// says: ^softgpu: kernel out_of_bounds\(int\*\), block
// says: ^begun$
// says: !^end$
//
// A program that would try for ever after a fault ends at it.
#include <cuda_runtime.h>

#include <cstdio>

__global__ void out_of_bounds(int* a) { a[threadIdx.x + 1000000] = 1; }

int main() {
  std::printf("begun\n");
  int* p;
  cudaMalloc(&p, 4);
  do {
    out_of_bounds<<<1, 32>>>(p);
  } while (cudaDeviceSynchronize() != cudaSuccess);
  std::printf("end\n");
  return 0;
}

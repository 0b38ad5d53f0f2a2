// env: SOFTGPU_FAULT_STATUS=86
// status: 3
// says: ^softgpu: kernel out_of_bounds
//
// A program that ends with a status of its own keeps it, whatever its kernels did.
#include <cuda_runtime.h>

__global__ void out_of_bounds(int* a) { a[threadIdx.x + 1000000] = 1; }

int main() {
  int* p;
  cudaMalloc(&p, 4);
  out_of_bounds<<<1, 32>>>(p);
  return cudaDeviceSynchronize() == cudaSuccess ? 0 : 3;
}

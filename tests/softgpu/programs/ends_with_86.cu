// env: SOFTGPU_FAULT_STATUS=86
// status: 86
// says: ^softgpu: kernel out_of_bounds\(int\*\), block
// says: ^softgpu: +cudaDeviceSynchronize returned cudaErrorIllegalAddress \(an illegal memory
// access was encountered\), called in main, at .*ends_with_86 says: ^softgpu: +cudaFree returned
// cudaErrorInvalidValue says: ^the destructor of a static has run$ says: !cudaMallocHost returned
// says: !cudaSetDevice returned
//
// A kernel faults and the program looks at no error: it ends with the status that `tandem gpu run`
// asks for, after everything that it wanted to do at its end, and is told what it has not looked
// at.
#include <cuda_runtime.h>

#include <cstdio>

__global__ void out_of_bounds(int* a) { a[threadIdx.x + 1000000] = 1; }

struct Last {
  ~Last() { std::printf("the destructor of a static has run\n"); }
};
static Last last;

int main() {
  int on_stack = 0;
  void* p = nullptr;
  // Received: by its name, and by asking for the last error.
  std::fprintf(stderr, "%s\n", cudaGetErrorName(cudaMallocHost(nullptr, 4)));
  cudaSetDevice(99);
  cudaGetLastError();
  // Not received.
  cudaFree(&on_stack);
  cudaMalloc(&p, 4);
  out_of_bounds<<<1, 32>>>(static_cast<int*>(p));
  cudaDeviceSynchronize();
  cudaDeviceSynchronize();
  return 0;
}

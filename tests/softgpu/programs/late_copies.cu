// With a schedule seed, asynchronous copies happen as late as the memory model lets them: a program
// that forgets to wait reads what was there before. (Without a seed, and on many a device, it gets
// away with it.)
// env: SOFTGPU_SEED=1
#include <cuda_pipeline.h>

#include "check.cuh"

__global__ void copy(const int* in, int* early, int* late) {
  __shared__ int buffer[64];
  buffer[threadIdx.x] = -1;
  __syncthreads();
  __pipeline_memcpy_async(&buffer[threadIdx.x], in + threadIdx.x, sizeof(int));
  __pipeline_commit();
  early[threadIdx.x] = buffer[threadIdx.x];
  __pipeline_wait_prior(0);
  late[threadIdx.x] = buffer[threadIdx.x];
}

int main() {
  int *in, *early, *late;
  CUDA_OK(cudaMallocManaged(&in, 64 * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&early, 64 * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&late, 64 * sizeof(int)));
  for (int i = 0; i < 64; ++i) in[i] = i;
  copy<<<1, 64>>>(in, early, late);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 64; ++i) {
    CHECK_AT(early[i] == -1, "i = %d: %d", i, early[i]);
    CHECK_AT(late[i] == i, "i = %d: %d", i, late[i]);
  }
  return verdict();
}

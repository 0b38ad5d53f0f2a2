// The other half of separate.cu.
#include "check.cuh"

extern __device__ int visible_here;

__device__ __noinline__ int triple(int x) { return 3 * x; }
__device__ int shared_counter;
__constant__ int weights[4] = {10, 20, 30, 40};

static __device__ int same_name = 2;

__device__ int up(int x) { return x + 1; }
__device__ int down(int x) { return x - 1; }
__device__ int (*function_table[2])(int) = {up, down};

// The sum of x over the threads of a block of 64.
__device__ __noinline__ int sum_of_block(int x) {
  __shared__ int box[64];
  box[threadIdx.x] = x;
  __syncthreads();
  int sum = 0;
  for (int i = 0; i < 64; ++i) sum += box[i];
  __syncthreads();
  return sum;
}
__device__ __noinline__ int most_of_block(int x) {
  __shared__ int box[64];
  box[threadIdx.x] = x;
  __syncthreads();
  int most = 0;
  for (int i = 0; i < 64; ++i) most = max(most, box[i]);
  __syncthreads();
  return most;
}
__device__ int (*block_functions[2])(int) = {sum_of_block, most_of_block};

__global__ void kernel_of_part(int* out, int n) {
  const int t = threadIdx.x;
  if (t < n) out[t] = visible_here + same_name + t;
}

void launch_from_part(int* out, int n) {
  kernel_of_part<<<1, n>>>(out, n);
  CUDA_OK(cudaGetLastError());
}

int counter_as_part_sees_it() {
  int value = -1;
  CUDA_OK(cudaMemcpyFromSymbol(&value, shared_counter, sizeof value));
  return value;
}

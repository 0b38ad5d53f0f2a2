// nvcc: -rdc=true
//
// Relocatable device code: kernels here call functions and use variables of another translation
// unit, which nvlink joins.
#include "check.cuh"

// Defined in separate/parts.cu.
extern __device__ int triple(int x);
extern __device__ int shared_counter;
extern __constant__ int weights[4];
extern __device__ int (*function_table[2])(int);
void launch_from_part(int* out, int n);
int counter_as_part_sees_it();

extern __device__ int sum_of_block(int x);
extern __device__ int (*block_functions[2])(int);

static __device__ int same_name = 1;  // there is one in the other part too
__device__ int visible_here = 17;

__global__ void calls_other_part(int* out) {
  const int t = threadIdx.x;
  out[t] = triple(t) + weights[t % 4] + function_table[t % 2](t) + same_name;
  atomicAdd(&shared_counter, 1);
}

// Shared variables of functions of the other part, called by name and by address, beside the
// kernel's own: none may lie on another.
__global__ void shares_with_other_part(int* out, bool by_address) {
  __shared__ int own[64];
  const int t = threadIdx.x;
  own[t] = 1000 + t;
  __syncthreads();
  const int sum = by_address ? block_functions[out[64] % 2](t) : sum_of_block(t);
  out[t] = own[63 - t] + sum;
}

int main() {
  int* out;
  CUDA_OK(cudaMallocManaged(&out, 64 * sizeof(int)));
  calls_other_part<<<1, 64>>>(out);
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaDeviceSynchronize());
  const int host_weights[4] = {10, 20, 30, 40};
  for (int t = 0; t < 64; ++t) {
    const int expected = 3 * t + host_weights[t % 4] + (t % 2 == 0 ? t + 1 : t - 1) + 1;
    CHECK_AT(out[t] == expected, "thread %d: %d, expected %d", t, out[t], expected);
  }
  CHECK_AT(counter_as_part_sees_it() == 64, "%d", counter_as_part_sees_it());
  launch_from_part(out, 64);
  CUDA_OK(cudaDeviceSynchronize());
  for (int t = 0; t < 64; ++t) CHECK_AT(out[t] == 17 + 2 + t, "thread %d: %d", t, out[t]);
  for (const bool by_address : {false, true}) {
    for (int function = 0; function < (by_address ? 2 : 1); ++function) {
      int* shared;
      CUDA_OK(cudaMallocManaged(&shared, 65 * sizeof(int)));
      shared[64] = function;
      shares_with_other_part<<<1, 64>>>(shared, by_address);
      CUDA_OK(cudaDeviceSynchronize());
      const int sum = function == 0 ? 64 * 63 / 2 : 63;
      for (int t = 0; t < 64; ++t) {
        CHECK_AT(shared[t] == 1063 - t + sum, "thread %d: %d, expected %d", t, shared[t],
                 1063 - t + sum);
      }
    }
  }
  cudaFuncAttributes attributes;
  CUDA_OK(cudaFuncGetAttributes(&attributes, shares_with_other_part));
  CHECK_AT(attributes.sharedSizeBytes >= 3 * 64 * sizeof(int), "%zu", attributes.sharedSizeBytes);
  CUDA_OK(cudaFuncGetAttributes(&attributes, calls_other_part));
  return verdict();
}

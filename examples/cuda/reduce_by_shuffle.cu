// The sum of n whole numbers: every thread adds up some, a warp folds its 32 sums by shuffles, a
// block adds the sums of its warps, and one atomic per block finishes it.
//
//   nvcc -cudart shared -arch=compute_80 -lineinfo reduce_by_shuffle.cu -o reduce_by_shuffle
//   tandem gpu run -- ./reduce_by_shuffle
#include <cstdio>
#include <vector>

constexpr int threads = 256;

// Sum over the warp, for lane 0. All 32 lanes take part: the mask says so.
__device__ unsigned long long warp_sum(unsigned long long value) {
  for (int distance = 16; distance > 0; distance /= 2) {
    value += __shfl_down_sync(0xffffffffu, value, distance);
  }
  return value;
}

// Blocks of 256 threads, as many as one likes: each thread goes through the data with the grid's
// stride. Reads 4 bytes per element.
__global__ void reduce(int n, const unsigned* values, unsigned long long* total) {
  __shared__ unsigned long long of_warp[threads / 32];
  unsigned long long sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    sum += values[i];
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  // The whole first warp takes part in its shuffles, with zeros where there is no warp.
  if (threadIdx.x < 32) {
    sum = warp_sum(threadIdx.x < threads / 32 ? of_warp[threadIdx.x] : 0);
    if (threadIdx.x == 0) atomicAdd(total, sum);
  }
}

int main() {
  const int n = 1000003;
  std::vector<unsigned> values(n);
  unsigned long long expected = 0, total = 0;
  for (int i = 0; i < n; ++i) expected += values[i] = static_cast<unsigned>(i) * 2654435761u;

  unsigned* device_values;
  unsigned long long* device_total;
  cudaMalloc(&device_values, n * sizeof(unsigned));
  cudaMalloc(&device_total, sizeof total);
  cudaMemcpy(device_values, values.data(), n * sizeof(unsigned), cudaMemcpyHostToDevice);
  cudaMemset(device_total, 0, sizeof total);
  reduce<<<64, threads>>>(n, device_values, device_total);
  const cudaError_t error = cudaMemcpy(&total, device_total, sizeof total, cudaMemcpyDeviceToHost);
  if (error != cudaSuccess || total != expected) {
    std::fprintf(stderr, "reduce_by_shuffle: %llu, expected %llu (%s)\n", total, expected,
                 cudaGetErrorString(error));
    return 1;
  }
  std::printf("reduce_by_shuffle: %llu, right\n", total);
  return 0;
}

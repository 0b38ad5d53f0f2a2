// Counts of bytes in 256 bins, by 32 blocks of 512 threads for each multiprocessor: atomics on
// global memory, on each block's own counts in shared memory, and the same with 16 bytes a load.
#include "published.cuh"

#include <algorithm>

namespace {

constexpr int block = 512;
constexpr int bins = 256;

__global__ void count_in_global(const unsigned char* data, int n, int* counts) {
  const int stride = gridDim.x * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    atomicAdd(&counts[data[i]], 1);
  }
}

__device__ void begin(int* own) {
  for (int bin = threadIdx.x; bin < bins; bin += blockDim.x) own[bin] = 0;
  __syncthreads();
}

__device__ void end(const int* own, int* counts) {
  __syncthreads();
  for (int bin = threadIdx.x; bin < bins; bin += blockDim.x) {
    if (own[bin] > 0) atomicAdd(&counts[bin], own[bin]);
  }
}

__global__ void count_in_shared(const unsigned char* data, int n, int* counts) {
  __shared__ int own[bins];
  begin(own);
  const int stride = gridDim.x * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += stride) {
    atomicAdd(&own[data[i]], 1);
  }
  end(own, counts);
}

__global__ void count_vectors_in_shared(const unsigned char* data, int n, int* counts) {
  __shared__ int own[bins];
  begin(own);
  const int stride = gridDim.x * blockDim.x;
  const uint4* const vectors = reinterpret_cast<const uint4*>(data);
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n / 16; i += stride) {
    const uint4 v = vectors[i];
    const unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int j = 0; j < 16; ++j) atomicAdd(&own[(words[j / 4] >> (8 * (j % 4))) & 255U], 1);
  }
  end(own, counts);
}

template <auto Kernel, int Elements>
double histogram() {
  const std::vector<unsigned char> host = numbers<unsigned char>(Elements, bins);
  const unsigned char* const data = device_copy(host);
  int* const counts = device_array<int>(bins);
  CUDA_OK(cudaMemset(counts, 0, bins * sizeof(int)));
  int multiprocessors = 0;
  CUDA_OK(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0));
  const unsigned blocks = std::min(blocks_for(Elements, block), 32U * multiprocessors);
  Kernel<<<blocks, block>>>(data, Elements, counts);
  CUDA_OK(cudaGetLastError());
  std::vector<int> expected(bins, 0);
  for (const unsigned char x : host) ++expected[x];
  require(host_copy(counts, bins) == expected, "histogram");
  return Elements;
}

}  // namespace

int main(int argc, char** argv) {
  return run_case(argc, argv,
                  {{"global", histogram<count_in_global, 4 << 20>},
                   {"shared", histogram<count_in_shared, 32 << 20>},
                   {"shared-vectors", histogram<count_vectors_in_shared, 64 << 20>}});
}

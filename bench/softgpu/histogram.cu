// 256 bins by atomics in shared memory, one histogram for each block, added by atomics.
#include "bench.cuh"

constexpr int n = 1 << 24;
constexpr int blocks = 128, threads = 256;

__global__ void count(const unsigned char* in, unsigned* bins) {
  __shared__ unsigned own[256];
  own[threadIdx.x] = 0;
  __syncthreads();
  const uchar4* in4 = reinterpret_cast<const uchar4*>(in);
  for (int i = blockIdx.x * threads + threadIdx.x; i < n / 4; i += blocks * threads) {
    const uchar4 v = in4[i];
    atomicAdd(&own[v.x], 1u);
    atomicAdd(&own[v.y], 1u);
    atomicAdd(&own[v.z], 1u);
    atomicAdd(&own[v.w], 1u);
  }
  __syncthreads();
  atomicAdd(&bins[threadIdx.x], own[threadIdx.x]);
}

int main() {
  std::vector<unsigned char> in(n);
  const std::vector<float> values = numbers(n);
  for (int i = 0; i < n; ++i) in[i] = static_cast<unsigned char>(values[i] * values[i] * 256);
  const unsigned char* device_in = device_copy(in);
  unsigned* bins = device_array<unsigned>(256);
  std::vector<unsigned> plain(256);
  return compare(
      [&] {
        CUDA_OK(cudaMemset(bins, 0, 256 * sizeof(unsigned)));
        count<<<blocks, threads>>>(device_in, bins);
      },
      [&] {
        std::fill(plain.begin(), plain.end(), 0u);
#pragma omp parallel
        {
          unsigned own[256] = {};
#pragma omp for nowait
          for (int i = 0; i < n; ++i) ++own[in[i]];
#pragma omp critical
          for (int b = 0; b < 256; ++b) plain[b] += own[b];
        }
      },
      [&] { return host_copy(bins, 256) == plain; });
}

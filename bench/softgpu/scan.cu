// An inclusive prefix sum in three kernels: tiles, the tiles' sums, and adding those.
#include "bench.cuh"

constexpr int n = 1 << 22;
constexpr int threads = 256, items = 4;
constexpr int tile = threads * items, tiles = n / tile;

__device__ unsigned scan_block(unsigned value, unsigned* warp_sums) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int offset = 1; offset < 32; offset *= 2) {
    const unsigned other = __shfl_up_sync(0xffffffffu, value, offset);
    if (lane >= offset) value += other;
  }
  if (lane == 31) warp_sums[warp] = value;
  __syncthreads();
  if (warp == 0) {
    unsigned sum = lane < static_cast<int>(blockDim.x) / 32 ? warp_sums[lane] : 0;
    for (int offset = 1; offset < 32; offset *= 2) {
      const unsigned other = __shfl_up_sync(0xffffffffu, sum, offset);
      if (lane >= offset) sum += other;
    }
    warp_sums[lane] = sum;
  }
  __syncthreads();
  return value + (warp > 0 ? warp_sums[warp - 1] : 0);
}

__global__ void scan_tiles(const unsigned* in, unsigned* out, unsigned* sums) {
  __shared__ unsigned warp_sums[32];
  const uint4 mine = reinterpret_cast<const uint4*>(in)[blockIdx.x * threads + threadIdx.x];
  uint4 with;
  with.x = mine.x;
  with.y = with.x + mine.y;
  with.z = with.y + mine.z;
  with.w = with.z + mine.w;
  const unsigned before = scan_block(with.w, warp_sums) - with.w;
  with.x += before;
  with.y += before;
  with.z += before;
  with.w += before;
  reinterpret_cast<uint4*>(out)[blockIdx.x * threads + threadIdx.x] = with;
  if (threadIdx.x == threads - 1) sums[blockIdx.x] = with.w;
}

__global__ void scan_sums(unsigned* sums) {
  __shared__ unsigned warp_sums[32];
  __shared__ unsigned carry;
  if (threadIdx.x == 0) carry = 0;
  __syncthreads();
  for (int first = 0; first < tiles; first += 1024) {
    const int i = first + static_cast<int>(threadIdx.x);
    const unsigned with = scan_block(sums[i], warp_sums) + carry;
    sums[i] = with;
    __syncthreads();
    if (threadIdx.x == 1023) carry = with;
    __syncthreads();
  }
}

__global__ void add_sums(unsigned* out, const unsigned* sums) {
  if (blockIdx.x == 0) return;
  const unsigned before = sums[blockIdx.x - 1];
  uint4* const mine = reinterpret_cast<uint4*>(out) + blockIdx.x * threads + threadIdx.x;
  uint4 value = *mine;
  value.x += before;
  value.y += before;
  value.z += before;
  value.w += before;
  *mine = value;
}

int main() {
  std::vector<unsigned> in(n), plain(n);
  for (int i = 0; i < n; ++i) in[i] = static_cast<unsigned>(i) * 2654435761u >> 20;
  const unsigned* device_in = device_copy(in);
  unsigned* out = device_array<unsigned>(n);
  unsigned* sums = device_array<unsigned>(tiles);
  return compare(
      [&] {
        scan_tiles<<<tiles, threads>>>(device_in, out, sums);
        scan_sums<<<1, 1024>>>(sums);
        add_sums<<<tiles, threads>>>(out, sums);
      },
      [&] {
        std::vector<unsigned> part_sums(omp_get_max_threads() + 1, 0);
#pragma omp parallel
        {
          const int parts = omp_get_num_threads(), part = omp_get_thread_num();
          const int begin = static_cast<int>(static_cast<long long>(n) * part / parts);
          const int end = static_cast<int>(static_cast<long long>(n) * (part + 1) / parts);
          unsigned sum = 0;
          for (int i = begin; i < end; ++i) plain[i] = sum += in[i];
          part_sums[part + 1] = sum;
#pragma omp barrier
          unsigned before = 0;
          for (int p = 0; p <= part; ++p) before += part_sums[p];
          for (int i = begin; i < end; ++i) plain[i] += before;
        }
      },
      [&] { return host_copy(out, n) == plain; });
}

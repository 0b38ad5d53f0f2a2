// Least significant digit first, 4 bits a pass: digits counted per tile, counts scanned, keys
// ranked within the tile by ballots and scattered.
#include "bench.cuh"

constexpr int n = 1 << 20;
constexpr int threads = 256, warps = threads / 32, items = 4;
constexpr int tile = threads * items, tiles = n / tile, digits = 16;

__global__ void count_digits(const unsigned* keys, unsigned* counts, int shift) {
  __shared__ unsigned own[digits];
  if (threadIdx.x < digits) own[threadIdx.x] = 0;
  __syncthreads();
  for (int item = 0; item < items; ++item) {
    const unsigned key = keys[blockIdx.x * tile + item * threads + threadIdx.x];
    atomicAdd(&own[key >> shift & (digits - 1)], 1u);
  }
  __syncthreads();
  if (threadIdx.x < digits) counts[threadIdx.x * tiles + blockIdx.x] = own[threadIdx.x];
}

// Exclusive, in place, by one block.
__global__ void scan_counts(unsigned* counts) {
  __shared__ unsigned sums[1024];
  constexpr int each = digits * tiles / 1024;
  unsigned* const mine = counts + threadIdx.x * each;
  unsigned sum = 0;
  for (int i = 0; i < each; ++i) sum += mine[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned offset = 1; offset < 1024; offset *= 2) {
    const unsigned other = threadIdx.x >= offset ? sums[threadIdx.x - offset] : 0;
    __syncthreads();
    sums[threadIdx.x] += other;
    __syncthreads();
  }
  unsigned before = sums[threadIdx.x] - sum;
  for (int i = 0; i < each; ++i) {
    const unsigned count = mine[i];
    mine[i] = before;
    before += count;
  }
}

__global__ void scatter(const unsigned* keys, unsigned* out, const unsigned* counts, int shift) {
  __shared__ unsigned next[digits];
  __shared__ unsigned warp_counts[warps][digits];
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  if (threadIdx.x < digits) next[threadIdx.x] = counts[threadIdx.x * tiles + blockIdx.x];
  for (int item = 0; item < items; ++item) {
    const unsigned key = keys[blockIdx.x * tile + item * threads + threadIdx.x];
    const unsigned digit = key >> shift & (digits - 1);
    unsigned same = 0xffffffffu;
    for (int bit = 0; bit < 4; ++bit) {
      const bool set = digit >> bit & 1;
      const unsigned votes = __ballot_sync(0xffffffffu, set);
      same &= set ? votes : ~votes;
    }
    const unsigned rank = __popc(same & ((1u << lane) - 1));
    if (lane < digits) warp_counts[warp][lane] = 0;
    __syncwarp();
    if (rank == 0) warp_counts[warp][digit] = __popc(same);
    __syncthreads();
    unsigned position = next[digit] + rank;
    for (unsigned w = 0; w < warp; ++w) position += warp_counts[w][digit];
    out[position] = key;
    __syncthreads();
    if (threadIdx.x < digits) {
      for (int w = 0; w < warps; ++w) next[threadIdx.x] += warp_counts[w][threadIdx.x];
    }
    __syncthreads();
  }
}

int main() {
  std::vector<unsigned> keys(n), plain, other(n);
  for (int i = 0; i < n; ++i)
    keys[i] = static_cast<unsigned>(i) * 2654435761u ^ static_cast<unsigned>(i);
  const unsigned* device_keys = device_copy(keys);
  unsigned* a = device_array<unsigned>(n);
  unsigned* b = device_array<unsigned>(n);
  unsigned* counts = device_array<unsigned>(digits * tiles);
  return compare(
      [&] {
        CUDA_OK(cudaMemcpy(a, device_keys, n * sizeof(unsigned), cudaMemcpyDeviceToDevice));
        for (int shift = 0; shift < 32; shift += 4) {
          count_digits<<<tiles, threads>>>(a, counts, shift);
          scan_counts<<<1, 1024>>>(counts);
          scatter<<<tiles, threads>>>(a, b, counts, shift);
          std::swap(a, b);
        }
      },
      [&] {
        plain = keys;
        std::vector<unsigned> starts(static_cast<std::size_t>(omp_get_max_threads()) * digits);
        for (int shift = 0; shift < 32; shift += 4) {
#pragma omp parallel
          {
            const int parts = omp_get_num_threads(), part = omp_get_thread_num();
            const int begin = static_cast<int>(static_cast<long long>(n) * part / parts);
            const int end = static_cast<int>(static_cast<long long>(n) * (part + 1) / parts);
            unsigned own[digits] = {};
            for (int i = begin; i < end; ++i) ++own[plain[i] >> shift & (digits - 1)];
            for (int d = 0; d < digits; ++d) starts[part * digits + d] = own[d];
#pragma omp barrier
#pragma omp single
            for (unsigned d = 0, sum = 0; d < digits; ++d) {
              for (int p = 0; p < parts; ++p) {
                const unsigned count = starts[p * digits + d];
                starts[p * digits + d] = sum;
                sum += count;
              }
            }
            for (int d = 0; d < digits; ++d) own[d] = starts[part * digits + d];
            for (int i = begin; i < end; ++i) {
              other[own[plain[i] >> shift & (digits - 1)]++] = plain[i];
            }
          }
          plain.swap(other);
        }
      },
      [&] { return host_copy(a, n) == plain && std::is_sorted(plain.begin(), plain.end()); });
}

// CUB's block- and warp-wide primitives, several per kernel, on blocks of one and of many warps.
#include <cub/block/block_histogram.cuh>
#include <cub/block/block_load.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/block/block_store.cuh>
#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>

#include <algorithm>
#include <vector>

#include "check.cuh"

template <int threads, int items>
__global__ void sort_tile(const int* in, int* out) {
  using Load = cub::BlockLoad<int, threads, items, cub::BLOCK_LOAD_TRANSPOSE>;
  using Sort = cub::BlockRadixSort<int, threads, items>;
  using Store = cub::BlockStore<int, threads, items, cub::BLOCK_STORE_WARP_TRANSPOSE>;
  __shared__ union {
    typename Load::TempStorage load;
    typename Sort::TempStorage sort;
    typename Store::TempStorage store;
  } shared;
  int values[items];
  const int first = blockIdx.x * threads * items;
  Load(shared.load).Load(in + first, values);
  __syncthreads();
  Sort(shared.sort).Sort(values);
  __syncthreads();
  Store(shared.store).Store(out + first, values);
}

template <int threads, cub::BlockReduceAlgorithm reduce_algorithm,
          cub::BlockScanAlgorithm scan_algorithm>
__global__ void reduce_and_scan(const int* in, int n, int* scanned, int* result) {
  using Reduce = cub::BlockReduce<int, threads, reduce_algorithm>;
  using Scan = cub::BlockScan<int, threads, scan_algorithm>;
  __shared__ typename Reduce::TempStorage reduce_storage;
  __shared__ typename Scan::TempStorage scan_storage;
  const int value = threadIdx.x < n ? in[threadIdx.x] : 0;
  const int sum = Reduce(reduce_storage).Sum(value, n);
  int with, total;
  Scan(scan_storage).InclusiveSum(value, with, total);
  scanned[threadIdx.x] = with;
  if (threadIdx.x == 0) {
    result[0] = sum;
    result[1] = total;
  }
}

template <int threads>
__global__ void histogram(const unsigned char* in, unsigned* sorted_bins, unsigned* atomic_bins) {
  using Sorted = cub::BlockHistogram<unsigned char, threads, 4, 64, cub::BLOCK_HISTO_SORT>;
  using Atomic = cub::BlockHistogram<unsigned char, threads, 4, 64, cub::BLOCK_HISTO_ATOMIC>;
  __shared__ typename Sorted::TempStorage storage;
  __shared__ unsigned bins[64];
  unsigned char values[4], copy[4];
  for (int i = 0; i < 4; ++i) copy[i] = values[i] = in[threadIdx.x * 4 + i];
  Sorted(storage).Histogram(values, bins);
  __syncthreads();
  if (threadIdx.x < 64) sorted_bins[threadIdx.x] = bins[threadIdx.x];
  __syncthreads();
  Atomic().Histogram(copy, bins);
  __syncthreads();
  if (threadIdx.x < 64) atomic_bins[threadIdx.x] = bins[threadIdx.x];
}

__global__ void warp_wide(const double* in, double* out) {
  using Reduce = cub::WarpReduce<double>;
  using Scan = cub::WarpScan<double, 8>;
  __shared__ typename Reduce::TempStorage reduce_storage[2];
  __shared__ typename Scan::TempStorage scan_storage[8];
  const double value = in[threadIdx.x];
  const double most = Reduce(reduce_storage[threadIdx.x / 32]).Reduce(value, ::cuda::maximum<>{});
  double sum;
  Scan(scan_storage[threadIdx.x / 8]).ExclusiveSum(value, sum);
  out[threadIdx.x] = sum;
  if (threadIdx.x % 32 == 0) out[64 + threadIdx.x / 32] = most;
}

template <int threads, int items>
void check_sort() {
  const int blocks = 3, n = blocks * threads * items;
  int *in, *out;
  CUDA_OK(cudaMallocManaged(&in, n * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&out, n * sizeof(int)));
  Random random;
  for (int i = 0; i < n; ++i) in[i] = static_cast<int>(random.next());
  sort_tile<threads, items><<<blocks, threads>>>(in, out);
  CUDA_OK(cudaDeviceSynchronize());
  for (int b = 0; b < blocks; ++b) {
    int* const tile = in + b * threads * items;
    std::sort(tile, tile + threads * items);
  }
  for (int i = 0; i < n; ++i) CHECK_AT(in[i] == out[i], "%d x %d, i = %d", threads, items, i);
  CUDA_OK(cudaFree(in));
  CUDA_OK(cudaFree(out));
}

template <int threads, cub::BlockReduceAlgorithm reduce_algorithm,
          cub::BlockScanAlgorithm scan_algorithm>
void check_reduce(int n) {
  int *in, *scanned, *result;
  CUDA_OK(cudaMallocManaged(&in, threads * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&scanned, threads * sizeof(int)));
  CUDA_OK(cudaMallocManaged(&result, 2 * sizeof(int)));
  for (int i = 0; i < threads; ++i) in[i] = i * 37 % 101 - 30;
  reduce_and_scan<threads, reduce_algorithm, scan_algorithm>
      <<<1, threads>>>(in, n, scanned, result);
  CUDA_OK(cudaDeviceSynchronize());
  int sum = 0;
  for (int i = 0; i < threads; ++i) {
    if (i < n) sum += in[i];
    CHECK_AT(scanned[i] == sum, "%d threads, i = %d", threads, i);
  }
  CHECK_AT(result[0] == sum && result[1] == sum, "%d threads, n = %d", threads, n);
  CUDA_OK(cudaFree(in));
  CUDA_OK(cudaFree(scanned));
  CUDA_OK(cudaFree(result));
}

int main() {
  check_sort<32, 5>();
  check_sort<128, 4>();
  check_sort<160, 3>();
  check_reduce<96, cub::BLOCK_REDUCE_WARP_REDUCTIONS, cub::BLOCK_SCAN_WARP_SCANS>(96);
  check_reduce<96, cub::BLOCK_REDUCE_WARP_REDUCTIONS, cub::BLOCK_SCAN_WARP_SCANS>(50);
  check_reduce<256, cub::BLOCK_REDUCE_RAKING, cub::BLOCK_SCAN_RAKING>(256);
  check_reduce<256, cub::BLOCK_REDUCE_RAKING, cub::BLOCK_SCAN_RAKING>(33);
  check_reduce<160, cub::BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY, cub::BLOCK_SCAN_RAKING_MEMOIZE>(101);
  {
    unsigned char* in;
    unsigned* bins;
    CUDA_OK(cudaMallocManaged(&in, 512));
    CUDA_OK(cudaMallocManaged(&bins, 128 * sizeof(unsigned)));
    unsigned expected[64] = {};
    Random random;
    for (int i = 0; i < 512; ++i) {
      in[i] = static_cast<unsigned char>(random.below(64) & random.below(64));
      ++expected[in[i]];
    }
    histogram<128><<<1, 128>>>(in, bins, bins + 64);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 64; ++i) CHECK_AT(bins[i] == expected[i], "bin %d: %u", i, bins[i]);
    for (int i = 0; i < 64; ++i)
      CHECK_AT(bins[64 + i] == expected[i], "bin %d: %u", i, bins[64 + i]);
    CUDA_OK(cudaFree(in));
    CUDA_OK(cudaFree(bins));
  }
  {
    double *in, *out;
    CUDA_OK(cudaMallocManaged(&in, 64 * sizeof(double)));
    CUDA_OK(cudaMallocManaged(&out, 66 * sizeof(double)));
    for (int i = 0; i < 64; ++i) in[i] = (i * 29 % 64) * 0.5;
    warp_wide<<<1, 64>>>(in, out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 64; ++i) {
      double sum = 0;
      for (int j = i / 8 * 8; j < i; ++j) sum += in[j];
      CHECK_AT(out[i] == sum, "i = %d: %g, expected %g", i, out[i], sum);
    }
    for (int w = 0; w < 2; ++w) {
      CHECK(out[64 + w] == *std::max_element(in + w * 32, in + w * 32 + 32));
    }
    CUDA_OK(cudaFree(in));
    CUDA_OK(cudaFree(out));
  }
  return verdict();
}

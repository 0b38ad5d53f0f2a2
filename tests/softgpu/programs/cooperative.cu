// Cooperative groups: tiles of a warp, coalesced and partitioned groups, their collectives, a tile
// larger than a warp's, and a grid that synchronises.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#include <vector>

#include "check.cuh"

namespace cg = cooperative_groups;

template <int size>
__global__ void tiles(int* out) {
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<size>(block);
  const int value = static_cast<int>(block.thread_rank()) * 3 % 17;
  const int sum = cg::reduce(tile, value, cg::plus<int>());
  const int most = cg::reduce(tile, value, cg::greater<int>());
  const int before = cg::exclusive_scan(tile, value);
  const int with = cg::inclusive_scan(tile, value);
  const int next = tile.shfl(value, (tile.thread_rank() + 1) % size);
  int* mine = out + block.thread_rank() * 6;
  mine[0] = sum;
  mine[1] = most;
  mine[2] = before;
  mine[3] = with;
  mine[4] = next;
  mine[5] = static_cast<int>(tile.meta_group_rank() * 100 + tile.thread_rank());
}

template <int size>
void check_tiles(int threads) {
  int* out;
  CUDA_OK(cudaMallocManaged(&out, threads * 6 * sizeof(int)));
  tiles<size><<<1, threads>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  for (int first = 0; first < threads; first += size) {
    int sum = 0, most = 0;
    for (int t = first; t < first + size; ++t) {
      sum += t * 3 % 17;
      most = std::max(most, t * 3 % 17);
    }
    int before = 0;
    for (int t = first; t < first + size; ++t) {
      const int value = t * 3 % 17;
      const int next = (first + (t - first + 1) % size) * 3 % 17;
      const int* mine = out + t * 6;
      CHECK_AT(mine[0] == sum, "size %d, thread %d: %d", size, t, mine[0]);
      CHECK_AT(mine[1] == most, "size %d, thread %d: %d", size, t, mine[1]);
      CHECK_AT(mine[2] == before, "size %d, thread %d: %d", size, t, mine[2]);
      CHECK_AT(mine[3] == before + value, "size %d, thread %d: %d", size, t, mine[3]);
      CHECK_AT(mine[4] == next, "size %d, thread %d: %d", size, t, mine[4]);
      CHECK(mine[5] == first / size * 100 + t - first);
      before += value;
    }
  }
  CUDA_OK(cudaFree(out));
}

// One atomic for all lanes that took the branch.
__device__ int aggregated_increment(int* counter) {
  const cg::coalesced_group active = cg::coalesced_threads();
  int first = 0;
  if (active.thread_rank() == 0) first = atomicAdd(counter, static_cast<int>(active.size()));
  return active.shfl(first, 0) + static_cast<int>(active.thread_rank());
}

__global__ void filter(const int* in, int* out, int* counter, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && in[i] % 3 == 0) out[aggregated_increment(counter)] = in[i];
}

__global__ void partitions(int* out) {
  const auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const int lane = static_cast<int>(warp.thread_rank());
  const cg::coalesced_group even = cg::binary_partition(warp, lane % 2 == 0);
  out[lane * 4] = cg::reduce(even, lane, cg::plus<int>());
  const cg::coalesced_group label = cg::labeled_partition(warp, lane % 5);
  out[lane * 4 + 1] = static_cast<int>(label.size());
  out[lane * 4 + 2] = cg::reduce(label, lane, cg::less<int>());
  out[lane * 4 + 3] = static_cast<int>(label.thread_rank());
}

__global__ void large_tile(int* out) {
  __shared__ cg::block_tile_memory<256> memory;
  const cg::thread_block block = cg::this_thread_block(memory);
  const auto tile = cg::tiled_partition<128>(block);
  const int rank = static_cast<int>(block.thread_rank());
  out[rank] = cg::reduce(tile, rank, cg::plus<int>());
}

__global__ void staged_copy(const int* in, int* out) {
  __shared__ alignas(16) int stage[256];
  const cg::thread_block block = cg::this_thread_block();
  for (int round = 0; round < 3; ++round) {
    cg::memcpy_async(block, stage, in + round * 256, sizeof stage);
    cg::wait(block);
    out[round * 256 + threadIdx.x] = stage[255 - threadIdx.x];
    block.sync();
  }
}

// Jacobi sweeps in one launch: every sweep reads what other blocks wrote in the sweep before.
__global__ void sweeps(float* a, float* b, int n, int rounds) {
  const cg::grid_group grid = cg::this_grid();
  for (int r = 0; r < rounds; ++r) {
    for (unsigned i = static_cast<unsigned>(grid.thread_rank()); i < static_cast<unsigned>(n);
         i += static_cast<unsigned>(grid.size())) {
      const float left = i > 0 ? a[i - 1] : 0.0f;
      const float right = i + 1 < static_cast<unsigned>(n) ? a[i + 1] : 1.0f;
      b[i] = 0.5f * (left + right);
    }
    grid.sync();
    float* const t = a;
    a = b;
    b = t;
  }
}

int main() {
  check_tiles<1>(32);
  check_tiles<2>(64);
  check_tiles<4>(96);
  check_tiles<8>(64);
  check_tiles<16>(128);
  check_tiles<32>(256);

  {
    const int n = 10007;
    int *in, *out, *counter;
    CUDA_OK(cudaMallocManaged(&in, n * sizeof(int)));
    CUDA_OK(cudaMallocManaged(&out, n * sizeof(int)));
    CUDA_OK(cudaMallocManaged(&counter, sizeof(int)));
    Random random;
    std::vector<int> seen(1000, 0);
    int expected = 0;
    for (int i = 0; i < n; ++i) {
      in[i] = static_cast<int>(random.below(1000));
      if (in[i] % 3 == 0) {
        ++expected;
        ++seen[in[i]];
      }
    }
    *counter = 0;
    filter<<<(n + 127) / 128, 128>>>(in, out, counter, n);
    CUDA_OK(cudaDeviceSynchronize());
    CHECK_AT(*counter == expected, "%d, expected %d", *counter, expected);
    for (int i = 0; i < expected; ++i) --seen[out[i]];
    for (const int s : seen) CHECK(s == 0);
    CUDA_OK(cudaFree(in));
    CUDA_OK(cudaFree(out));
    CUDA_OK(cudaFree(counter));
  }
  {
    int* out;
    CUDA_OK(cudaMallocManaged(&out, 768 * sizeof(int)));
    partitions<<<1, 32>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int lane = 0; lane < 32; ++lane) {
      CHECK(out[lane * 4] == (lane % 2 == 0 ? 240 : 256));
      CHECK(out[lane * 4 + 1] == (lane % 5 < 2 ? 7 : 6));
      CHECK(out[lane * 4 + 2] == lane % 5);
      CHECK(out[lane * 4 + 3] == lane / 5);
    }
    large_tile<<<1, 256>>>(out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 256; ++i) CHECK(out[i] == (i < 128 ? 8128 : 24512));
    int* in;
    CUDA_OK(cudaMallocManaged(&in, 768 * sizeof(int)));
    for (int i = 0; i < 768; ++i) in[i] = i * 7;
    staged_copy<<<1, 256>>>(in, out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int i = 0; i < 768; ++i) CHECK(out[i] == (i / 256 * 256 + 255 - i % 256) * 7);
    CUDA_OK(cudaFree(in));
    CUDA_OK(cudaFree(out));
  }
  {
    int supported = 0, blocks_per_processor = 0, processors = 0;
    CUDA_OK(cudaDeviceGetAttribute(&supported, cudaDevAttrCooperativeLaunch, 0));
    CHECK(supported == 1);
    CUDA_OK(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0));
    CUDA_OK(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks_per_processor, sweeps, 64, 0));
    CHECK(blocks_per_processor >= 1);
    for (const int blocks : {1, 2, 37}) {
      int n = 3001, rounds = 20;
      float *a, *b;
      CUDA_OK(cudaMallocManaged(&a, n * sizeof(float)));
      CUDA_OK(cudaMallocManaged(&b, n * sizeof(float)));
      std::vector<float> x(n), y(n);
      for (int i = 0; i < n; ++i) a[i] = x[i] = static_cast<float>(i % 13);
      for (int r = 0; r < rounds; ++r) {
        for (int i = 0; i < n; ++i) {
          y[i] = 0.5f * ((i > 0 ? x[i - 1] : 0.0f) + (i + 1 < n ? x[i + 1] : 1.0f));
        }
        x.swap(y);
      }
      void* arguments[] = {&a, &b, &n, &rounds};
      CUDA_OK(cudaLaunchCooperativeKernel(sweeps, dim3(blocks), dim3(64), arguments, 0, nullptr));
      CUDA_OK(cudaDeviceSynchronize());
      for (int i = 0; i < n; ++i) CHECK_AT(a[i] == x[i], "%d blocks, i = %d", blocks, i);
      CUDA_OK(cudaFree(a));
      CUDA_OK(cudaFree(b));
    }
    // More blocks than the device can hold at once would never meet: refused.
    float* none = nullptr;
    int zero = 0;
    void* arguments[] = {&none, &none, &zero, &zero};
    CUDA_IS(cudaErrorCooperativeLaunchTooLarge,
            cudaLaunchCooperativeKernel(sweeps, dim3(processors * blocks_per_processor + 1),
                                        dim3(64), arguments, 0, nullptr));
    (void)cudaGetLastError();
  }
  return verdict();
}

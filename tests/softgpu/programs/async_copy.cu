// Asynchronous copies as the CUDA C++ interfaces write them: cuda::memcpy_async with barriers and
// pipelines, cooperative groups, and the __pipeline primitives.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda_pipeline.h>
#include <cuda/barrier>
#include <cuda/pipeline>

#include <vector>

#include "check.cuh"

namespace cg = cooperative_groups;

// Each block sums tiles of its part, the next tile on its way while one is added up.
template <int stages>
__global__ void sum_by_pipeline(const int* in, long long* out, int tiles) {
  constexpr int tile = 256;
  __shared__ alignas(16) int buffer[stages][tile];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, stages> state;
  auto block = cg::this_thread_block();
  auto pipeline = cuda::make_pipeline(block, &state);
  long long sum = 0;
  int fetched = 0;
  for (int now = 0; now < tiles; ++now) {
    for (; fetched < tiles && fetched < now + stages; ++fetched) {
      pipeline.producer_acquire();
      cuda::memcpy_async(block, buffer[fetched % stages],
                         in + (blockIdx.x * tiles + fetched) * tile,
                         cuda::aligned_size_t<16>(tile * sizeof(int)), pipeline);
      pipeline.producer_commit();
    }
    pipeline.consumer_wait();
    // Another thread's element, so that the wait has to cover the whole block.
    sum += buffer[now % stages][tile - 1 - threadIdx.x];
    pipeline.consumer_release();
  }
  out[blockIdx.x * tile + threadIdx.x] = sum;
}

__global__ void sum_by_barrier(const int* in, long long* out, int tiles) {
  constexpr int tile = 256;
  __shared__ alignas(16) int buffer[2][tile];
#pragma nv_diag_suppress static_var_with_dynamic_init
  __shared__ cuda::barrier<cuda::thread_scope_block> ready[2];
  auto block = cg::this_thread_block();
  if (threadIdx.x == 0) {
    init(&ready[0], blockDim.x);
    init(&ready[1], blockDim.x);
  }
  block.sync();
  long long sum = 0;
  cuda::memcpy_async(block, buffer[0], in + blockIdx.x * tiles * tile,
                     cuda::aligned_size_t<16>(tile * sizeof(int)), ready[0]);
  for (int now = 0; now < tiles; ++now) {
    if (now + 1 < tiles) {
      cuda::memcpy_async(block, buffer[(now + 1) % 2], in + (blockIdx.x * tiles + now + 1) * tile,
                         cuda::aligned_size_t<16>(tile * sizeof(int)), ready[(now + 1) % 2]);
    }
    ready[now % 2].arrive_and_wait();
    sum += buffer[now % 2][tile - 1 - threadIdx.x];
    block.sync();
  }
  out[blockIdx.x * tile + threadIdx.x] = sum;
}

__global__ void sum_by_groups(const int* in, long long* out, int tiles) {
  constexpr int tile = 256;
  __shared__ alignas(16) int buffer[tile];
  auto block = cg::this_thread_block();
  long long sum = 0;
  for (int now = 0; now < tiles; ++now) {
    cg::memcpy_async(block, buffer, in + (blockIdx.x * tiles + now) * tile, tile * sizeof(int));
    cg::wait(block);
    sum += buffer[tile - 1 - threadIdx.x];
    block.sync();
  }
  out[blockIdx.x * tile + threadIdx.x] = sum;
}

__global__ void sum_by_primitives(const int* in, long long* out, int tiles) {
  constexpr int tile = 256;
  __shared__ alignas(16) int buffer[2][tile];
  long long sum = 0;
  const auto fetch = [&](int now) {
    if (now < tiles) {
      __pipeline_memcpy_async(&buffer[now % 2][threadIdx.x],
                              in + (blockIdx.x * tiles + now) * tile + threadIdx.x, sizeof(int));
    }
    __pipeline_commit();
  };
  fetch(0);
  for (int now = 0; now < tiles; ++now) {
    fetch(now + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += buffer[now % 2][tile - 1 - threadIdx.x];
    __syncthreads();
  }
  out[blockIdx.x * tile + threadIdx.x] = sum;
}

// Zeros beyond what is read.
__global__ void fill_with_zeros(const int* in, int* out) {
  __shared__ int4 buffer[32];
  __pipeline_memcpy_async(&buffer[threadIdx.x], in + 4 * threadIdx.x, 16, threadIdx.x % 4 * 4);
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  const int4 v = buffer[31 - threadIdx.x];
  int* to = out + 4 * (31 - threadIdx.x);
  to[0] = v.x;
  to[1] = v.y;
  to[2] = v.z;
  to[3] = v.w;
}

int main() {
  constexpr int tile = 256, blocks = 3, tiles = 9;
  std::vector<int> in(blocks * tiles * tile);
  Random random;
  for (int& x : in) x = static_cast<int>(random.below(1000000));
  int* device_in;
  long long* device_out;
  CUDA_OK(cudaMalloc(&device_in, in.size() * sizeof(int)));
  CUDA_OK(cudaMalloc(&device_out, blocks * tile * sizeof(long long)));
  CUDA_OK(cudaMemcpy(device_in, in.data(), in.size() * sizeof(int), cudaMemcpyHostToDevice));
  const auto check = [&](const char* name) {
    CUDA_OK(cudaGetLastError());
    std::vector<long long> out(blocks * tile);
    CUDA_OK(
        cudaMemcpy(out.data(), device_out, out.size() * sizeof(long long), cudaMemcpyDeviceToHost));
    for (int b = 0; b < blocks; ++b) {
      for (int t = 0; t < tile; ++t) {
        long long sum = 0;
        for (int i = 0; i < tiles; ++i) sum += in[(b * tiles + i) * tile + tile - 1 - t];
        CHECK_AT(out[b * tile + t] == sum, "%s, block %d, thread %d: %lld, expected %lld", name, b,
                 t, out[b * tile + t], sum);
      }
    }
    CUDA_OK(cudaMemset(device_out, 0xff, blocks * tile * sizeof(long long)));
  };
  sum_by_pipeline<1><<<blocks, tile>>>(device_in, device_out, tiles);
  check("pipeline of one stage");
  sum_by_pipeline<3><<<blocks, tile>>>(device_in, device_out, tiles);
  check("pipeline of three stages");
  sum_by_barrier<<<blocks, tile>>>(device_in, device_out, tiles);
  check("barrier");
  sum_by_groups<<<blocks, tile>>>(device_in, device_out, tiles);
  check("cooperative groups");
  sum_by_primitives<<<blocks, tile>>>(device_in, device_out, tiles);
  check("primitives");

  int* device_words;
  CUDA_OK(cudaMalloc(&device_words, 128 * sizeof(int)));
  fill_with_zeros<<<1, 32>>>(device_in, device_words);
  int words[128];
  CUDA_OK(cudaMemcpy(words, device_words, sizeof words, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 128; ++i) {
    const int zeros = i / 4 % 4;  // words at the end of each piece
    CHECK_AT(words[i] == (i % 4 < 4 - zeros ? in[i] : 0), "i = %d: %d", i, words[i]);
  }
  CUDA_OK(cudaFree(device_words));
  CUDA_OK(cudaFree(device_in));
  CUDA_OK(cudaFree(device_out));
  return verdict();
}

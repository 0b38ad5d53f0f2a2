// Mistakes with clusters, barrier objects, asynchronous copies and dependent launches, by libcu++
// and cooperative groups. Written without a look at the other files.
// nvcc: -arch=compute_90
// env: SOFTGPU_MODEL=h100
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda_awbarrier_primitives.h>
#include <cuda_pipeline.h>

#include <cuda/barrier>
#include <cuda/pipeline>

#include <utility>

#include "cases.cuh"

namespace cg = cooperative_groups;

#pragma nv_diag_suppress static_var_with_dynamic_init
using BlockBarrier = cuda::barrier<cuda::thread_scope_block>;

// --- clusters ------------------------------------------------------------------------------------

// The first block adds up what the others have left in their shared memory.
template <bool good>
__global__ void __cluster_dims__(4, 1, 1) cluster_total_kernel(const int* in, int* out) {
  __shared__ int sum;
  const cg::cluster_group cluster = cg::this_cluster();
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  atomicAdd(&sum, in[blockIdx.x * blockDim.x + threadIdx.x]);  // BUG
  if (good)
    cluster.sync();
  else
    __syncthreads();
  if (cluster.block_rank() == 0 && threadIdx.x < cluster.num_blocks()) {
    atomicAdd(out, *cluster.map_shared_rank(&sum, threadIdx.x));  // BUG
  }
  cluster.sync();
}
template <bool good>
void total_of_a_cluster() {
  Array<int> in(256, 1), out(1, 0);
  cluster_total_kernel<good><<<4, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 256);
}

// A neighbour's shared memory is read when that may have ended.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) halo_of_neighbour_kernel(const float* in, float* out) {
  __shared__ float tile[64];
  const cg::cluster_group cluster = cg::this_cluster();
  const int i = blockIdx.x * 64 + threadIdx.x;
  tile[threadIdx.x] = in[i];
  cluster.sync();
  float right = 0;
  if (threadIdx.x < 63) {
    right = tile[threadIdx.x + 1];
  } else if (cluster.block_rank() == 0) {
    right = *cluster.map_shared_rank(&tile[0], 1);  // BUG
  }
  if (good) cluster.sync();
  out[i] = tile[threadIdx.x] + right;
}
template <bool good>
void neighbour_that_has_ended() {
  Array<float> in(128, 1.0f), out(128);
  halo_of_neighbour_kernel<good><<<2, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 2);
}

// A remote write into a slot that its owner clears after the barrier.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) inbox_kernel(int* out) {
  __shared__ int inbox[32];
  const cg::cluster_group cluster = cg::this_cluster();
  if (good) inbox[threadIdx.x] = 0;
  cluster.sync();
  if (!good) inbox[threadIdx.x] = 0;  // BUG
  int* other = cluster.map_shared_rank(inbox, cluster.block_rank() ^ 1u);
  other[threadIdx.x] = static_cast<int>(cluster.block_rank()) + 1;  // BUG
  cluster.sync();
  out[blockIdx.x * 32 + threadIdx.x] = inbox[threadIdx.x];
}
template <bool good>
void inbox_cleared_late() {
  Array<int> out(64);
  inbox_kernel<good><<<2, 32>>>(out);
  KERNEL_OK();
  RESULT(out.host()[0] == 2);
}

// The index goes past the end of the neighbour's array.
template <bool good>
__global__ void __cluster_dims__(2, 1, 1) remote_index_kernel(int* out) {
  __shared__ int line[32];
  const cg::cluster_group cluster = cg::this_cluster();
  line[threadIdx.x] = threadIdx.x;
  cluster.sync();
  const int* other = cluster.map_shared_rank(line, cluster.block_rank() ^ 1u);
  out[blockIdx.x * 32 + threadIdx.x] = other[threadIdx.x + (good ? 0 : 1)];  // BUG
  cluster.sync();
}
template <bool good>
void remote_index_past_the_end() {
  Array<int> out(64);
  remote_index_kernel<good><<<2, 32>>>(out);
  KERNEL_OK();
}

// --- barrier objects -----------------------------------------------------------------------------

// Producers arrive before they write.
template <bool good>
__global__ void arrive_first_kernel(int* out) {
  __shared__ int data[64];
  __shared__ BlockBarrier barrier;
  if (threadIdx.x == 0) init(&barrier, blockDim.x);
  __syncthreads();
  if (good) data[threadIdx.x] = threadIdx.x;
  auto token = barrier.arrive();
  if (!good) data[threadIdx.x] = threadIdx.x;  // BUG
  barrier.wait(std::move(token));
  out[threadIdx.x] = data[63 - threadIdx.x];  // BUG
}
template <bool good>
void arrival_before_the_write() {
  Array<int> out(64);
  arrive_first_kernel<good><<<1, 64>>>(out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// The expected count is that of the block, and one warp leaves without dropping out.
template <bool good>
__global__ void left_without_a_word_kernel(int* out) {
  __shared__ BlockBarrier barrier;
  if (threadIdx.x == 0) init(&barrier, blockDim.x);
  __syncthreads();
  if (threadIdx.x >= 32) {
    if (good) barrier.arrive_and_drop();
    return;
  }
  barrier.arrive_and_wait();  // BUG
  out[threadIdx.x] = 1;
}
template <bool good>
void left_without_dropping_out() {
  Array<int> out(32, 0);
  left_without_a_word_kernel<good><<<1, 64>>>(out);
  KERNEL_OK();
}

// A copy for the whole block, of which each thread waits for nothing.
template <bool good>
__global__ void fetch_kernel(const int* in, int* out) {
  __shared__ alignas(16) int tile[128];
  __shared__ BlockBarrier barrier;
  auto block = cg::this_thread_block();
  if (threadIdx.x == 0) init(&barrier, blockDim.x);
  __syncthreads();
  cuda::memcpy_async(block, tile, in, cuda::aligned_size_t<16>(128 * sizeof(int)), barrier);  // BUG
  if (good)
    barrier.arrive_and_wait();
  else
    __syncthreads();
  out[threadIdx.x] = tile[127 - threadIdx.x];  // BUG
  if (!good) barrier.arrive_and_wait();
}
template <bool good>
void fetched_and_not_awaited() {
  Array<int> in(counting<int>(128)), out(128);
  fetch_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// Two stages of a pipeline: the consumer releases the stage, and reads it once more.
template <bool good>
__global__ void staged_kernel(const int* in, int* out, int tiles) {
  __shared__ alignas(16) int stage[2][64];
  auto block = cg::this_thread_block();
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  auto pipe = cuda::make_pipeline(block, &state);
  int sum = 0;
  pipe.producer_acquire();
  cuda::memcpy_async(block, stage[0], in, cuda::aligned_size_t<16>(64 * sizeof(int)), pipe);
  pipe.producer_commit();
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) {
      pipe.producer_acquire();
      cuda::memcpy_async(block, stage[(k + 1) % 2], in + (k + 1) * 64,
                         cuda::aligned_size_t<16>(64 * sizeof(int)), pipe);  // BUG
      pipe.producer_commit();
    }
    pipe.consumer_wait();
    if (good) sum += stage[k % 2][63 - threadIdx.x];
    pipe.consumer_release();
    if (!good) sum += stage[k % 2][63 - threadIdx.x];  // BUG
  }
  out[threadIdx.x] = sum;
}
template <bool good>
void read_after_the_release() {
  Array<int> in(counting<int>(64 * 6)), out(64);
  staged_kernel<good><<<1, 64>>>(in, out, 6);
  KERNEL_OK();
  RESULT(out.host()[63] == 64 * 15);
}

// Copies of one's own, and the elements of others.
template <bool good>
__global__ void own_pieces_kernel(const int4* in, int* out) {
  __shared__ int4 tile[64];
  __pipeline_memcpy_async(&tile[threadIdx.x], &in[threadIdx.x], sizeof(int4));  // BUG
  __pipeline_commit();
  __pipeline_wait_prior(0);
  if (good) __syncthreads();
  out[threadIdx.x] = tile[(threadIdx.x + 1) % 64].x;  // BUG
}
template <bool good>
void pieces_of_others() {
  Array<int4> in(64, int4{1, 2, 3, 4});
  Array<int> out(64);
  own_pieces_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 1);
}

// The copy begins at an address that is no multiple of its size.
template <bool good>
__global__ void shifted_piece_kernel(const float* in, float* out) {
  __shared__ float4 tile[32];
  const float* from = in + 4 * threadIdx.x + (good ? 0 : 1);
  __pipeline_memcpy_async(&tile[threadIdx.x], from, sizeof(float4));  // BUG
  __pipeline_commit();
  __pipeline_wait_prior(0);
  out[threadIdx.x] = tile[threadIdx.x].x;
}
template <bool good>
void shifted_piece() {
  Array<float> in(160, 1.0f), out(32);
  shifted_piece_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

// --- the whole grid ------------------------------------------------------------------------------

// The sum of all blocks is taken by each, before the grid has met.
template <bool good>
__global__ void mean_of_the_grid_kernel(float* x, float* sum) {
  auto grid = cg::this_grid();
  atomicAdd(sum, x[grid.thread_rank()]);  // BUG
  if (good)
    grid.sync();
  else
    __syncthreads();
  x[grid.thread_rank()] -= *sum / static_cast<float>(grid.size());  // BUG
}
template <bool good>
void mean_before_the_grid_has_met() {
  Array<float> x(128, 3.0f), sum(1, 0.0f);
  float* px = x;
  float* ps = sum;
  void* arguments[] = {&px, &ps};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(mean_of_the_grid_kernel<good>),
                                      dim3(4), dim3(32), arguments));
  KERNEL_OK();
  RESULT(x.host()[0] == 0);
}

// A block leaves the loop over steps, in which the grid meets, before the others.
template <bool good>
__global__ void steps_of_the_grid_kernel(int* x, int steps) {
  auto grid = cg::this_grid();
  const int mine = good ? steps : steps - (blockIdx.x == 1 ? 1 : 0);
  for (int s = 0; s < mine; ++s) {
    x[grid.thread_rank()] += 1;
    grid.sync();  // BUG
  }
}
template <bool good>
void one_step_less() {
  Array<int> x(64, 0);
  int* px = x;
  int steps = 3;
  void* arguments[] = {&px, &steps};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(steps_of_the_grid_kernel<good>),
                                      dim3(2), dim3(32), arguments));
  KERNEL_OK();
}

// --- dependent launches --------------------------------------------------------------------------

__global__ void first_part(int* data) {
  data[blockIdx.x * blockDim.x + threadIdx.x] = 7;  // BUG
  cudaTriggerProgrammaticLaunchCompletion();
}
template <bool good>
__global__ void second_part(const int* data, int* out) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (good) cudaGridDependencySynchronize();
  out[i] = data[i] + 1;  // BUG
}
template <bool good>
void second_part_begins_early() {
  Array<int> data(128, 0), out(128);
  first_part<<<2, 64>>>(data);
  cudaLaunchConfig_t how{};
  how.gridDim = dim3(2);
  how.blockDim = dim3(64);
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attribute.val.programmaticStreamSerializationAllowed = 1;
  how.attrs = &attribute;
  how.numAttrs = 1;
  const int* from = data;
  int* to = out;
  CUDA_OK(cudaLaunchKernelEx(&how, second_part<good>, from, to));
  KERNEL_OK();
  RESULT(out.host()[127] == 8);
}

int main(int argc, char** argv) {
  static constexpr Case cases[] = {
      CASE(total_of_a_cluster, "race"),
      CASE(neighbour_that_has_ended, "race|use-after-free|out-of-bounds"),
      CASE(inbox_cleared_late, "race"),
      CASE(remote_index_past_the_end, "out-of-bounds"),
      CASE(arrival_before_the_write, "race"),
      CASE(left_without_dropping_out, "deadlock"),
      CASE(fetched_and_not_awaited, "race"),
      CASE(read_after_the_release, "race"),
      CASE(pieces_of_others, "race"),
      CASE(shifted_piece, "misaligned"),
      CASE(mean_before_the_grid_has_met, "race"),
      CASE(one_step_less, "deadlock|barrier-divergence"),
      CASE(second_part_begins_early, "race"),
  };
  return run_cases(cases, argc, argv);
}

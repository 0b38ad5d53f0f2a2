// Races where the pieces are those of libraries: CUB's block and warp algorithms, libcu++'s
// barriers, semaphores and atomics, cooperative groups. Their own insides are right, and must not
// be reported.
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>

#include <cub/block/block_load.cuh>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_store.cuh>
#include <cub/warp/warp_exchange.cuh>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/latch>
#include <cuda/pipeline>
#include <cuda/semaphore>

#include "cases.cuh"

namespace cg = cooperative_groups;

#pragma nv_diag_suppress static_var_with_dynamic_init

// --- CUB ---

// Tiles are sorted one after the other: the next one is loaded through memory that the sort of the
// last one still reads.
template <bool good>
__global__ void sort_tiles_kernel(const int* in, int* out, int tiles) {
  using Load = cub::BlockLoad<int, 64, 4, cub::BLOCK_LOAD_TRANSPOSE>;
  using Sort = cub::BlockRadixSort<int, 64, 4>;
  __shared__ union {
    typename Load::TempStorage load;
    typename Sort::TempStorage sort;
  } storage;
  for (int tile = 0; tile < tiles; ++tile) {
    int keys[4];
    Load(storage.load).Load(in + 256 * tile, keys);  // BUG: write
    __syncthreads();
    Sort(storage.sort).Sort(keys);  // BUG: read
    cub::StoreDirectBlocked(threadIdx.x, out + 256 * tile, keys);
    if (good) __syncthreads();
  }
}

template <bool good>
void sort_tiles() {
  std::vector<int> keys;
  for (int i = 0; i < 512; ++i) keys.push_back((i * 101) % 256);
  Array<int> in(keys), out(512);
  sort_tiles_kernel<good><<<1, 64>>>(in, out, 2);
  KERNEL_OK();
  RESULT(out.host()[511] == 255);
}

// Each warp needs memory of its own, and all are given the same.
template <bool good>
__global__ void storage_of_warps_kernel(const int4* in, int4* out) {
  using Exchange = cub::WarpExchange<int, 4, 32>;
  __shared__ typename Exchange::TempStorage storage[good ? 4 : 1];
  const unsigned warp = threadIdx.x / 32;
  const int4 four = in[threadIdx.x];
  int items[4] = {four.x, four.y, four.z, four.w};
  Exchange(storage[good ? warp : 0]).BlockedToStriped(items, items);  // BUG: read and write
  out[threadIdx.x] = make_int4(items[0], items[1], items[2], items[3]);
}

template <bool good>
void storage_of_warps() {
  std::vector<int4> values;
  for (int i = 0; i < 128; ++i) values.push_back(make_int4(4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3));
  Array<int4> in(values), out(128, make_int4(0, 0, 0, 0));
  storage_of_warps_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[1].x == 1 && out.host()[1].y == 33);
}

// --- libcu++ ---

// Arriving says that one's part is written; it is written after that.
template <bool good>
__global__ void written_after_arriving_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __shared__ cuda::barrier<cuda::thread_scope_block> ready;
  if (threadIdx.x == 0) init(&ready, blockDim.x);
  __syncthreads();
  if (good) line[threadIdx.x] = in[threadIdx.x];
  auto token = ready.arrive();
  if (!good) line[threadIdx.x] = in[threadIdx.x];  // BUG: write
  const int own = in[threadIdx.x] * 2;
  ready.wait(std::move(token));
  out[threadIdx.x] = own + line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void written_after_arriving() {
  Array<int> in(counting<int>(64)), out(64);
  written_after_arriving_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A latch that is counted down and not waited for.
template <bool good>
__global__ void latch_not_awaited_kernel(const int* in, int* out) {
  __shared__ int line[64];
  using Latch = cuda::latch<cuda::thread_scope_block>;
  __shared__ alignas(Latch) unsigned char memory[sizeof(Latch)];
  Latch& written = *reinterpret_cast<Latch*>(memory);
  if (threadIdx.x == 0) new (&written) Latch(64);
  __syncthreads();
  line[threadIdx.x] = in[threadIdx.x];  // BUG: write
  written.count_down();
  if (good) written.wait();
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void latch_not_awaited() {
  Array<int> in(counting<int>(64)), out(64);
  latch_not_awaited_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A semaphore lets one block at a time change the account; one of them does not ask.
using Semaphore = cuda::binary_semaphore<cuda::thread_scope_device>;

__global__ void make_semaphore_kernel(Semaphore* semaphore) { new (semaphore) Semaphore(1); }

template <bool good>
__global__ void semaphore_kernel(Semaphore* semaphore, int* account) {
  if (threadIdx.x != 0) return;
  const bool ask = good || blockIdx.x != 1;
  if (ask) semaphore->acquire();
  account[0] += 1;  // BUG: read and write
  account[1] -= 1;  // BUG: read and write
  if (ask) semaphore->release();
}

template <bool good>
void semaphore_not_asked() {
  Semaphore* semaphore = nullptr;
  CUDA_OK(cudaMalloc(&semaphore, sizeof(Semaphore)));
  {
    Array<int> account(2);
    make_semaphore_kernel<<<1, 1>>>(semaphore);
    semaphore_kernel<good><<<4, 32>>>(semaphore, account);
    KERNEL_OK();
    RESULT(account.host()[0] == 4);
  }
  CUDA_OK(cudaFree(semaphore));
}

// An atomic that is waited for by its own function; the order of both sides is relaxed.
template <bool good>
__global__ void atomic_wait_kernel(int* flag, int* data, int* out) {
  if (threadIdx.x != 0) return;
  const cuda::atomic_ref<int, cuda::thread_scope_device> ready(*flag);
  if (blockIdx.x == 0) {
    for (int k = 0; k < 8; ++k) data[k] = k * k;  // BUG: write
    ready.store(1, good ? cuda::memory_order_release : cuda::memory_order_relaxed);
    ready.notify_all();
  } else {
    ready.wait(0, good ? cuda::memory_order_acquire : cuda::memory_order_relaxed);
    int sum = 0;
    for (int k = 0; k < 8; ++k) sum += data[k];  // BUG: read
    *out = sum;
  }
}

template <bool good>
void atomic_wait() {
  Array<int> flag(1), data(8), out(1);
  atomic_wait_kernel<good><<<2, 32>>>(flag, data, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 140);
}

// Fences of libcu++ around relaxed atomics are right; one of them is missing.
template <bool good>
__global__ void atomic_fence_kernel(int* flag, int* data, int* out) {
  if (threadIdx.x != 0) return;
  const cuda::atomic_ref<int, cuda::thread_scope_device> ready(*flag);
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    if (good) cuda::atomic_thread_fence(cuda::memory_order_release, cuda::thread_scope_device);
    ready.store(1, cuda::memory_order_relaxed);
  } else {
    while (ready.load(cuda::memory_order_relaxed) == 0) {
    }
    cuda::atomic_thread_fence(cuda::memory_order_acquire, cuda::thread_scope_device);
    *out = *data;  // BUG: read
  }
}

template <bool good>
void atomic_fence() {
  Array<int> flag(1), data(1), out(1);
  atomic_fence_kernel<good><<<2, 32>>>(flag, data, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// A pipeline of the thread waits for the thread's copies.
template <bool good>
__global__ void pipeline_of_a_thread_kernel(const int* in, int* out) {
  __shared__ int line[64];
  auto pipeline = cuda::make_pipeline();
  pipeline.producer_acquire();
  cuda::memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int), pipeline);  // BUG: write
  pipeline.producer_commit();
  pipeline.consumer_wait();
  if (good) __syncthreads();
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
  pipeline.consumer_release();
}

template <bool good>
void pipeline_of_a_thread() {
  Array<int> in(counting<int>(64)), out(64);
  pipeline_of_a_thread_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// --- Cooperative groups ---

// The lanes that took a branch exchange values through memory.
template <bool good>
__global__ void coalesced_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const int lane = threadIdx.x;
  if (in[lane] % 2 == 0) {
    const cg::coalesced_group group = cg::coalesced_threads();
    const unsigned rank = group.thread_rank(), size = group.size();
    line[rank] = in[lane];  // BUG: write
    if (good) group.sync();
    out[lane] = line[size - 1 - rank];  // BUG: read
  }
}

template <bool good>
void coalesced() {
  Array<int> in(counting<int>(32)), out(32);
  coalesced_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 30);
}

// Sums of tiles by the library, put together without a barrier.
template <bool good>
__global__ void tile_sums_kernel(const int* in, int* out) {
  __shared__ int sums[4];
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<32>(block);
  const int sum = cg::reduce(tile, in[block.thread_rank()], cg::plus<int>());
  if (tile.thread_rank() == 0) sums[tile.meta_group_rank()] = sum;  // BUG: write
  if (good) block.sync();
  if (block.thread_rank() == 0) *out = sums[0] + sums[1] + sums[2] + sums[3];  // BUG: read
}

template <bool good>
void tile_sums() {
  Array<int> in(128, 2), out(1);
  tile_sums_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 256);
}

// Two copies are on their way, and one of them is waited for; the second one is read as well.
template <bool good>
__global__ void one_of_two_copies_kernel(const int* in, int* out) {
  __shared__ alignas(16) int first[64], second[64];
  const cg::thread_block block = cg::this_thread_block();
  cg::memcpy_async(block, first, in, sizeof first);
  cg::memcpy_async(block, second, in + 64, sizeof second);  // BUG: write
  if (good) {
    cg::wait(block);
  } else {
    cg::wait_prior<1>(block);
  }
  const unsigned rank = block.thread_rank();
  out[rank] = first[63 - rank] + second[63 - rank];  // BUG: read
  if (!good) cg::wait(block);
}

template <bool good>
void one_of_two_copies() {
  Array<int> in(counting<int>(128)), out(64);
  one_of_two_copies_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63 + 127);
}

// A barrier of the grid in two parts; the work between them has to be other work.
template <bool good>
__global__ void grid_in_two_parts_kernel(int* values, int* out) {
  const cg::grid_group grid = cg::this_grid();
  const unsigned i = static_cast<unsigned>(grid.thread_rank()),
                 n = static_cast<unsigned>(grid.size());
  values[i] = static_cast<int>(i);  // BUG: write
  auto token = grid.barrier_arrive();
  int other = 0;
  if (!good) other = values[n - 1 - i];  // BUG: read
  grid.barrier_wait(std::move(token));
  if (good) other = values[n - 1 - i];
  out[i] = other;
}

template <bool good>
void grid_in_two_parts() {
  Array<int> values(128), out(128);
  int* a = values;
  int* b = out;
  void* arguments[] = {&a, &b};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_in_two_parts_kernel<good>),
                                      dim3(4), dim3(32), arguments, 0, nullptr));
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

const Case cases[] = {
    CASE(sort_tiles, "race"),
    CASE(storage_of_warps, "race"),
    CASE(written_after_arriving, "race"),
    CASE(latch_not_awaited, "race"),
    CASE(semaphore_not_asked, "race"),
    CASE(atomic_wait, "race"),
    CASE(atomic_fence, "race"),
    CASE(pipeline_of_a_thread, "race"),
    CASE(coalesced, "race"),
    CASE(tile_sums, "race"),
    CASE(one_of_two_copies, "race"),
    CASE(grid_in_two_parts, "race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

// Programs that are right for reasons that a checker may miss: run under the checker, none of them
// may be spoken of, not by a notice either.
// nvcc: -std=c++17 -arch=compute_90 -rdc=true -lineinfo -diag-suppress 20054
// env: SOFTGPU_CHECK=1
// env: SOFTGPU_MODEL=h100
// says: !softgpu check: (finding|notice)
// timeout: 120
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cuda_pipeline.h>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>

#include <thrust/device_vector.h>
#include <thrust/reduce.h>
#include <thrust/sort.h>
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_select.cuh>
#include <cub/warp/warp_scan.cuh>

#include <vector>

#include "check.cuh"

namespace cg = cooperative_groups;

template <typename T>
struct Array {
  T* data = nullptr;
  size_t size;
  explicit Array(size_t n, T value = T()) : size(n) {
    std::vector<T> host(n, value);
    CUDA_OK(cudaMalloc(&data, n * sizeof(T)));
    CUDA_OK(cudaMemcpy(data, host.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Array() { CUDA_OK(cudaFree(data)); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  operator T*() { return data; }
  T at(size_t i) const {
    T value;
    CUDA_OK(cudaMemcpy(&value, data + i, sizeof(T), cudaMemcpyDeviceToHost));
    return value;
  }
};

#define DONE()                        \
  do {                                \
    CUDA_OK(cudaGetLastError());      \
    CUDA_OK(cudaDeviceSynchronize()); \
  } while (false)

// --- warps and atomics ---------------------------------------------------------------------------

__global__ void aggregated(int* counter, int* slots) {
  if (threadIdx.x % 3 != 0) return;
  auto active = cg::coalesced_threads();
  int first = 0;
  if (active.thread_rank() == 0) first = atomicAdd(counter, static_cast<int>(active.size()));
  first = active.shfl(first, 0);
  slots[first + active.thread_rank()] = threadIdx.x;
}
void warp_aggregated_atomics() {
  Array<int> counter(1), slots(512);
  aggregated<<<4, 96>>>(counter, slots);
  DONE();
  CHECK(counter.at(0) == 128);
}

__global__ void labelled(const int* label, int* sums) {
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  auto mine = cg::labeled_partition(warp, label[threadIdx.x]);
  const int n = cg::reduce(mine, 1, cg::plus<int>());
  if (mine.thread_rank() == 0) sums[label[threadIdx.x]] = n;
}
void labelled_partition() {
  std::vector<int> host(32);
  for (int i = 0; i < 32; ++i) host[i] = i % 3;
  Array<int> label(32), sums(3);
  CUDA_OK(cudaMemcpy(label, host.data(), 128, cudaMemcpyHostToDevice));
  labelled<<<1, 32>>>(label, sums);
  DONE();
  CHECK(sums.at(0) == 11);
}

__global__ void exchange_by_votes(int* out) {
  // Lanes of a ballot write disjoint words; shuffles move the rest.
  const unsigned odd = __ballot_sync(~0u, threadIdx.x & 1);
  const int rank = __popc(odd & ((1u << threadIdx.x) - 1));
  if ((odd >> threadIdx.x & 1) != 0) out[rank] = threadIdx.x;
}
void ranks_by_ballot() {
  Array<int> out(32);
  exchange_by_votes<<<1, 32>>>(out);
  DONE();
  CHECK(out.at(15) == 31);
}

__global__ void warp_scratch(int* out) {
  __shared__ int scratch[4][32];
  const int warp = threadIdx.x / 32;
  const int lane = threadIdx.x % 32;
  int value = threadIdx.x;
  for (int step = 0; step < 3; ++step) {
    scratch[warp][lane] = value;
    __syncwarp();
    value = scratch[warp][(lane + 1) % 32];
    __syncwarp();
  }
  out[threadIdx.x] = value;
}
void scratch_of_each_warp() {
  Array<int> out(128);
  warp_scratch<<<1, 128>>>(out);
  DONE();
  CHECK(out.at(0) == 3);
}

// --- blocks --------------------------------------------------------------------------------------

__global__ void ping_pong(float* data) {
  __shared__ float buffer[2][128];
  int now = 0;
  buffer[0][threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  for (int step = 0; step < 5; ++step) {
    const int left = (threadIdx.x + 127) % 128;
    buffer[1 - now][threadIdx.x] = 0.5f * (buffer[now][threadIdx.x] + buffer[now][left]);
    now = 1 - now;
    __syncthreads();  // one barrier a step is enough with two buffers
  }
  data[threadIdx.x] = buffer[now][threadIdx.x];
}
void one_barrier_a_step() {
  Array<float> data(128, 1.f);
  ping_pong<<<1, 128>>>(data);
  DONE();
  CHECK(data.at(7) == 1.f);
}

__global__ void roles(const int* in, int* out) {
  // A producing warp and three that consume, by two named barriers.
  __shared__ int box[2][96];
  const bool producer = threadIdx.x < 32;
  for (int step = 0; step < 6; ++step) {
    const int slot = step % 2;
    if (producer) {
      if (step >= 2) asm volatile("barrier.sync %0, 128;" ::"r"(3 + slot) : "memory");
      for (int i = threadIdx.x; i < 96; i += 32) box[slot][i] = in[step * 96 + i];
      asm volatile("barrier.arrive %0, 128;" ::"r"(1 + slot) : "memory");
    } else {
      asm volatile("barrier.sync %0, 128;" ::"r"(1 + slot) : "memory");
      out[step * 96 + threadIdx.x - 32] = box[slot][127 - threadIdx.x];
      if (step < 4) asm volatile("barrier.arrive %0, 128;" ::"r"(3 + slot) : "memory");
    }
  }
}
void producer_and_consumers() {
  Array<int> in(576, 4), out(576);
  roles<<<1, 128>>>(in, out);
  DONE();
  CHECK(out.at(575) == 4);
}

__global__ void split_arrive_wait(int* out) {
  __shared__ cuda::barrier<cuda::thread_scope_block> bar;
  __shared__ int values[64];
  if (threadIdx.x == 0) init(&bar, blockDim.x);
  __syncthreads();
  for (int step = 0; step < 3; ++step) {
    values[threadIdx.x] = threadIdx.x + step;
    auto token = bar.arrive();
    const int own = threadIdx.x * 2;  // work that needs nobody
    bar.wait(std::move(token));
    out[threadIdx.x] = own + values[63 - threadIdx.x];
    bar.arrive_and_wait();
  }
}
void arrive_and_wait_apart() {
  Array<int> out(64);
  split_arrive_wait<<<1, 64>>>(out);
  DONE();
  CHECK(out.at(0) == 65);
}

__global__ void pipelined(const int4* in, int* out, int steps) {
  constexpr int stages = 3;
  __shared__ int4 buffer[stages][64];
  for (int i = 0; i < stages - 1; ++i) {
    __pipeline_memcpy_async(&buffer[i][threadIdx.x], &in[i * 64 + threadIdx.x], 16);
    __pipeline_commit();
  }
  int sum = 0;
  for (int i = 0; i < steps; ++i) {
    __pipeline_wait_prior(stages - 2);
    __syncthreads();
    sum += buffer[i % stages][63 - threadIdx.x].x;
    const int next = i + stages - 1;
    if (next < steps) {
      __pipeline_memcpy_async(&buffer[next % stages][threadIdx.x], &in[next * 64 + threadIdx.x],
                              16);
    }
    __pipeline_commit();
  }
  out[threadIdx.x] = sum;
}
void pipeline_of_three_stages() {
  Array<int4> in(64 * 8, make_int4(1, 2, 3, 4));
  Array<int> out(64);
  pipelined<<<1, 64>>>(in, out, 8);
  DONE();
  CHECK(out.at(5) == 8);
}

__global__ void shared_pipeline(const int* in, int* out) {
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
  __shared__ int buffer[2][128];
  auto block = cg::this_thread_block();
  auto pipe = cuda::make_pipeline(block, &state);
  int sum = 0;
  for (int compute = 0, fetch = 0; compute < 6; ++compute) {
    for (; fetch < 6 && fetch < compute + 2; ++fetch) {
      pipe.producer_acquire();
      cuda::memcpy_async(block, buffer[fetch % 2], in + fetch * 128, sizeof(int) * 128, pipe);
      pipe.producer_commit();
    }
    pipe.consumer_wait();
    block.sync();
    sum += buffer[compute % 2][127 - threadIdx.x];
    pipe.consumer_release();
  }
  out[threadIdx.x] = sum;
}
void pipeline_of_the_block() {
  Array<int> in(768, 2), out(128);
  shared_pipeline<<<1, 128>>>(in, out);
  DONE();
  CHECK(out.at(127) == 12);
}

__global__ void cub_blocks(const int* in, int* out) {
  using Scan = cub::BlockScan<int, 128>;
  using Sort = cub::BlockRadixSort<int, 128, 4>;
  using Reduce = cub::BlockReduce<int, 128>;
  // One piece of shared memory for all of them, one after the other.
  __shared__ union {
    Scan::TempStorage scan;
    Sort::TempStorage sort;
    Reduce::TempStorage reduce;
  } storage;
  int keys[4];
  for (int i = 0; i < 4; ++i) keys[i] = in[threadIdx.x * 4 + i];
  Sort(storage.sort).Sort(keys);
  __syncthreads();
  int before = 0;
  Scan(storage.scan).ExclusiveSum(keys[0], before);
  __syncthreads();
  const int total = Reduce(storage.reduce).Sum(keys[3]);
  out[threadIdx.x] = before;
  if (threadIdx.x == 0) out[128] = total;
}
void cub_in_one_storage() {
  Array<int> in(512, 3), out(129);
  cub_blocks<<<1, 128>>>(in, out);
  DONE();
  CHECK(out.at(128) == 384);
}

// --- the grid ------------------------------------------------------------------------------------

__global__ void look_back(const int* in, int* out, unsigned long long* tiles, unsigned* next) {
  // A chained scan: status and value in one word, so that one access has both.
  __shared__ unsigned tile;
  __shared__ int before;
  if (threadIdx.x == 0) tile = atomicAdd(next, 1u);
  __syncthreads();
  const int own = in[tile * 32 + threadIdx.x];
  int sum = own;
  for (int o = 1; o < 32; o *= 2) {
    const int other = __shfl_up_sync(~0u, sum, o);
    if (threadIdx.x >= o) sum += other;
  }
  if (threadIdx.x == 31) {
    int prefix = 0;
    if (tile > 0) {
      unsigned long long seen = 0;
      do {
        seen = atomicAdd(&tiles[tile - 1], 0ull);
      } while (seen >> 32 == 0);
      prefix = static_cast<int>(seen);
    }
    atomicExch(&tiles[tile], 1ull << 32 | static_cast<unsigned>(prefix + sum));
    before = prefix;
  }
  __syncthreads();
  out[tile * 32 + threadIdx.x] = before + sum;
}
void chained_scan() {
  Array<int> in(1024, 1), out(1024);
  Array<unsigned long long> tiles(32);
  Array<unsigned> next(1);
  look_back<<<32, 32>>>(in, out, tiles, next);
  DONE();
  CHECK(out.at(1023) == 1024);
}

__global__ void treiber_push(int* head, int* next, int per_thread) {
  for (int i = 0; i < per_thread; ++i) {
    const int node = (blockIdx.x * blockDim.x + threadIdx.x) * per_thread + i;
    cuda::atomic_ref<int, cuda::thread_scope_device> top(*head);
    int seen = top.load(cuda::memory_order_relaxed);
    do {
      next[node] = seen;
    } while (!top.compare_exchange_weak(seen, node, cuda::memory_order_release,
                                        cuda::memory_order_relaxed));
  }
}
__global__ void treiber_count(const int* head, const int* next, int* count) {
  int n = 0;
  for (int at = *head; at >= 0; at = next[at]) ++n;
  *count = n;
}
void lock_free_stack() {
  Array<int> head(1, -1), next(256), count(1);
  treiber_push<<<4, 32>>>(head, next, 2);
  treiber_count<<<1, 1>>>(head, next, count);
  DONE();
  CHECK(count.at(0) == 256);
}

__global__ void persistent(const int* work, int n, int* next, int* out) {
  __shared__ int mine;
  for (;;) {
    if (threadIdx.x == 0) mine = atomicAdd(next, 1);
    __syncthreads();
    const int item = mine;
    __syncthreads();
    if (item >= n) return;
    out[item * blockDim.x + threadIdx.x] = work[item] + threadIdx.x;
  }
}
void persistent_blocks() {
  Array<int> work(20, 1), next(1), out(20 * 64);
  persistent<<<3, 64>>>(work, 20, next, out);
  DONE();
  CHECK(out.at(19 * 64 + 63) == 64);
}

__global__ void grid_steps(float* a, float* b, int n, int steps) {
  auto grid = cg::this_grid();
  for (int s = 0; s < steps; ++s) {
    for (int i = grid.thread_rank(); i < n; i += grid.size()) b[i] = a[(i + 1) % n] + 1;
    grid.sync();
    float* t = a;
    a = b;
    b = t;
  }
}
void cooperative_grid() {
  int n = 500;
  int steps = 4;
  Array<float> a(n), b(n);
  float* pa = a;
  float* pb = b;
  void* arguments[] = {&pa, &pb, &n, &steps};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_steps), dim3(4), dim3(64),
                                      arguments));
  DONE();
  CHECK(a.at(3) == 4.f);
}

__global__ void __cluster_dims__(2, 1, 1) neighbours(int* out) {
  __shared__ int value[32];
  auto cluster = cg::this_cluster();
  value[threadIdx.x] = cluster.block_rank() * 100 + threadIdx.x;
  cluster.sync();
  const int* other = cluster.map_shared_rank(value, 1 - cluster.block_rank());
  out[blockIdx.x * 32 + threadIdx.x] = other[threadIdx.x];
  cluster.sync();  // the other's memory lives until both are through
}
void memory_of_a_cluster() {
  Array<int> out(128);
  neighbours<<<4, 32>>>(out);
  DONE();
  CHECK(out.at(0) == 100);
}

__global__ void ticket_lock(unsigned* lock, int* value) {
  if (threadIdx.x == 0) {
    cuda::atomic_ref<unsigned, cuda::thread_scope_device> next(lock[0]);
    cuda::atomic_ref<unsigned, cuda::thread_scope_device> serving(lock[1]);
    const unsigned mine = next.fetch_add(1, cuda::memory_order_relaxed);
    while (serving.load(cuda::memory_order_acquire) != mine) {
    }
    *value += 1;
    serving.store(mine + 1, cuda::memory_order_release);
  }
}
void lock_of_tickets() {
  Array<unsigned> lock(2);
  Array<int> value(1);
  ticket_lock<<<10, 32>>>(lock, value);
  DONE();
  CHECK(value.at(0) == 10);
}

// A flag by a volatile word with fences around, as before C++ atomics.
__global__ void old_flag(volatile int* flag, int* data, int* out) {
  if (blockIdx.x == 0) {
    data[threadIdx.x] = threadIdx.x;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) *flag = 1;
  } else {
    if (threadIdx.x == 0) {
      while (*flag == 0) {
      }
      __threadfence();
    }
    __syncthreads();
    out[threadIdx.x] = data[63 - threadIdx.x];
  }
}
void flag_of_a_volatile_word() {
  Array<int> flag(1), data(64), out(64);
  old_flag<<<2, 64>>>(flag, data, out);
  DONE();
  CHECK(out.at(0) == 63);
}

// --- values --------------------------------------------------------------------------------------

struct Padded {
  char c;
  double d;
};
__global__ void copy_padding(const Padded* from, Padded* to) {
  to[threadIdx.x] = from[threadIdx.x];
}
void padding_is_copied() {
  Array<Padded> from(32, Padded{'a', 1.0}), to(32);
  copy_padding<<<1, 32>>>(from, to);
  DONE();
  CHECK(to.at(3).d == 1.0);
}

__global__ void packed_flags(unsigned* out) {
  // Of a word nobody wrote only the bits that were set are used.
  __shared__ unsigned word[32];
  word[threadIdx.x] &= 0xff00ffffu & ~0xffffu;
  word[threadIdx.x] = (word[threadIdx.x] & 0u) | threadIdx.x;
  out[threadIdx.x] = word[threadIdx.x];
}
void bits_of_an_unwritten_word() {
  Array<unsigned> out(32);
  packed_flags<<<1, 32>>>(out);
  DONE();
  CHECK(out.at(9) == 9);
}

__global__ void tail_by_mask(const float* in, int n, float* out) {
  const int i = threadIdx.x;
  const unsigned mask = __ballot_sync(~0u, i < n);
  if (i < n) {
    float v = in[i];
    for (int o = 16; o > 0; o /= 2) {
      const float other = __shfl_down_sync(mask, v, o);
      if (i + o < n) v += other;
    }
    if (i == 0) *out = v;
  }
}
void reduction_of_a_tail() {
  Array<float> in(32, 1.f), out(1);
  tail_by_mask<<<1, 32>>>(in, 32, out);
  DONE();
  CHECK(out.at(0) == 32.f);
}

// --- the host's side -----------------------------------------------------------------------------

__global__ void fill(int* data, int value) { data[threadIdx.x] = value; }
__global__ void add(int* to, const int* from) { to[threadIdx.x] += from[threadIdx.x]; }

void events_in_a_diamond() {
  Array<int> a(64), b(64), c(64);
  cudaStream_t s1;
  cudaStream_t s2;
  cudaEvent_t begin;
  cudaEvent_t end;
  CUDA_OK(cudaStreamCreateWithFlags(&s1, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreateWithFlags(&s2, cudaStreamNonBlocking));
  CUDA_OK(cudaEventCreateWithFlags(&begin, cudaEventDisableTiming));
  CUDA_OK(cudaEventCreateWithFlags(&end, cudaEventDisableTiming));
  fill<<<1, 64, 0, s1>>>(a, 1);
  CUDA_OK(cudaEventRecord(begin, s1));
  CUDA_OK(cudaStreamWaitEvent(s2, begin));
  add<<<1, 64, 0, s1>>>(b, a);
  add<<<1, 64, 0, s2>>>(c, a);
  CUDA_OK(cudaEventRecord(end, s2));
  CUDA_OK(cudaStreamWaitEvent(s1, end));
  fill<<<1, 64, 0, s1>>>(a, 2);
  CUDA_OK(cudaStreamSynchronize(s1));
  CUDA_OK(cudaStreamDestroy(s1));
  CUDA_OK(cudaStreamDestroy(s2));
  CUDA_OK(cudaEventDestroy(begin));
  CUDA_OK(cudaEventDestroy(end));
  CHECK(c.at(5) == 1);
}

void graph_by_capture() {
  Array<int> a(64), b(64);
  cudaStream_t s;
  CUDA_OK(cudaStreamCreate(&s));
  cudaGraph_t graph;
  CUDA_OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal));
  fill<<<1, 64, 0, s>>>(a, 3);
  add<<<1, 64, 0, s>>>(b, a);
  CUDA_OK(cudaStreamEndCapture(s, &graph));
  cudaGraphExec_t exec;
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 3; ++i) CUDA_OK(cudaGraphLaunch(exec, s));
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(graph));
  CUDA_OK(cudaStreamDestroy(s));
  CHECK(b.at(0) == 9);
}

void pools_that_reuse() {
  cudaStream_t s;
  CUDA_OK(cudaStreamCreate(&s));
  for (int i = 0; i < 4; ++i) {
    int* a = nullptr;
    int* b = nullptr;
    CUDA_OK(cudaMallocAsync(&a, 256, s));
    fill<<<1, 64, 0, s>>>(a, i);
    CUDA_OK(cudaMallocAsync(&b, 256, s));
    CUDA_OK(cudaMemcpyAsync(b, a, 256, cudaMemcpyDeviceToDevice, s));
    CUDA_OK(cudaFreeAsync(a, s));
    add<<<1, 64, 0, s>>>(b, b);
    CUDA_OK(cudaFreeAsync(b, s));
  }
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaStreamDestroy(s));
}

void managed_in_turns() {
  int* data = nullptr;
  CUDA_OK(cudaMallocManaged(&data, 256));
  for (int turn = 0; turn < 3; ++turn) {
    for (int i = 0; i < 64; ++i) data[i] = turn;
    add<<<1, 64>>>(data, data);
    DONE();
    CHECK(data[9] == 2 * turn);
  }
  CUDA_OK(cudaFree(data));
}

__global__ void child(int* data) { data[threadIdx.x] += 1; }
__global__ void parent(int* data) {
  data[threadIdx.x] = threadIdx.x;
  __syncthreads();
  if (threadIdx.x == 0) {
    child<<<1, 32>>>(data);
    child<<<1, 32>>>(data);
  }
}
void children_in_order() {
  Array<int> data(32);
  parent<<<1, 32>>>(data);
  DONE();
  CHECK(data.at(4) == 6);
}

__device__ int table[64];
void symbols_and_copies() {
  std::vector<int> host(64, 7);
  CUDA_OK(cudaMemcpyToSymbol(table, host.data(), 256));
  void* at = nullptr;
  CUDA_OK(cudaGetSymbolAddress(&at, table));
  Array<int> out(64);
  add<<<1, 64>>>(out, static_cast<int*>(at));
  DONE();
  CHECK(out.at(63) == 7);
}

void libraries() {
  thrust::device_vector<int> values(3000);
  for (int i = 0; i < 3000; i += 7) values[i] = i;
  thrust::sort(values.begin(), values.end());
  CHECK(thrust::reduce(values.begin(), values.end()) > 0);
  Array<int> in(2000, 2), out(2000), count(1);
  size_t bytes = 0;
  CUDA_OK(cub::DeviceScan::InclusiveSum(nullptr, bytes, in.data, out.data, 2000));
  Array<char> room(bytes);
  CUDA_OK(cub::DeviceScan::InclusiveSum(room.data, bytes, in.data, out.data, 2000));
  DONE();
  CHECK(out.at(1999) == 4000);
}

int main() {
  warp_aggregated_atomics();
  labelled_partition();
  ranks_by_ballot();
  scratch_of_each_warp();
  one_barrier_a_step();
  producer_and_consumers();
  arrive_and_wait_apart();
  pipeline_of_three_stages();
  pipeline_of_the_block();
  cub_in_one_storage();
  chained_scan();
  lock_free_stack();
  persistent_blocks();
  cooperative_grid();
  memory_of_a_cluster();
  lock_of_tickets();
  flag_of_a_volatile_word();
  padding_is_copied();
  bits_of_an_unwritten_word();
  reduction_of_a_tail();
  events_in_a_diamond();
  graph_by_capture();
  pools_that_reuse();
  managed_in_turns();
  children_in_order();
  symbols_and_copies();
  libraries();
  return verdict();
}

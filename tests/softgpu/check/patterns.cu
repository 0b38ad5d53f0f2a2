// Patterns of production code: last-block reductions, locks, tickets, rings, chained scans,
// pipelines, cooperative groups, barriers in memory, lists and tables without locks, CUB inside
// kernels. nvcc: -std=c++17 -arch=compute_80
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cooperative_groups/reduce.h>
#include <cstdint>
#include <cub/cub.cuh>
#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/latch>
#include <cuda/pipeline>
#include <cuda/semaphore>
#include "cases.cuh"
namespace cg = cooperative_groups;

__device__ unsigned retired;
template <bool good>
__global__ void single_pass(const float* in, volatile float* part, float* out, int n) {
  cg::thread_block block = cg::this_thread_block();
  __shared__ float s[128];
  __shared__ bool last;
  float v = 0;
  for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) v += in[i];
  s[threadIdx.x] = v;
  cg::sync(block);
  for (int d = 64; d > 0; d >>= 1) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    cg::sync(block);
  }
  if (threadIdx.x == 0) {
    ((float*)part)[blockIdx.x] = s[0];  // BUG
    if (good) __threadfence();
    unsigned t = atomicInc(&retired, gridDim.x);
    last = t == gridDim.x - 1;
  }
  cg::sync(block);
  if (last) {
    if (good) __threadfence();
    float sum = 0;
    for (int i = threadIdx.x; i < gridDim.x; i += 128) sum += ((float*)part)[i];  // BUG
    s[threadIdx.x] = sum;
    cg::sync(block);
    for (int d = 64; d > 0; d >>= 1) {
      if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
      cg::sync(block);
    }
    if (threadIdx.x == 0) {
      *out = s[0];
      atomicExch(&retired, 0u);
    }
  }
}
template <bool good>
void last_block_fence() {
  Array<float> in(10000, 1.f), part(8, 0.f), out(1, 0.f);
  single_pass<good><<<8, 128>>>(in, part, out, 10000);
  KERNEL_OK();
  auto h = out.host();
  RESULT(h[0] == 10000.f);
}

template <bool good>
__global__ void locked_add(int* lock, int* value) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    if (good) __threadfence();
    *value = *value + 1;  // BUG
    if (good) __threadfence();
    atomicExch(lock, 0);
  }
}
template <bool good>
void lock_without_fences() {
  Array<int> l(1, 0), v(1, 0);
  locked_add<good><<<16, 32>>>(l, v);
  KERNEL_OK();
  auto h = v.host();
  RESULT(h[0] == 16);
}

template <bool good>
__global__ void lock_plain(int* lock, int* value) {
  if (threadIdx.x == 0) {
    while (atomicCAS(lock, 0, 1) != 0) {  // BUG
    }
    __threadfence();
    *value += 1;
    __threadfence();
    if (good)
      atomicExch(lock, 0);
    else
      *lock = 0;  // BUG
  }
}
template <bool good>
void lock_released_plainly() {
  Array<int> l(1, 0), v(1, 0);
  lock_plain<good><<<8, 32>>>(l, v);
  KERNEL_OK();
}

template <bool good>
__global__ void lock_of_warp(int* lock, int* value) {
  if (good) {
    bool done = false;
    while (!done) {
      if (atomicCAS(lock, 0, 1) == 0) {
        __threadfence();
        *value += 1;
        __threadfence();
        atomicExch(lock, 0);
        done = true;
      }
    }
  } else {
    if (threadIdx.x % 2 == 0) {
      while (atomicCAS(lock, 0, 1) != 0) {  // BUG
      }
      __syncwarp(0x55555555u);
      *value += 1;
      atomicExch(lock, 0);
    }
  }
}
template <bool good>
void lock_held_at_warp_barrier() {
  Array<int> l(1, 0), v(1, 0);
  lock_of_warp<good><<<1, 32>>>(l, v);
  (void)cudaDeviceSynchronize();
}

template <bool good>
__global__ void ticket(unsigned* next, unsigned* serving, int* data) {
  if (threadIdx.x) return;
  cuda::atomic_ref<unsigned, cuda::thread_scope_device> n(*next), s(*serving);
  unsigned mine = n.fetch_add(1, cuda::memory_order_relaxed);
  while (s.load(good ? cuda::memory_order_acquire : cuda::memory_order_relaxed) != mine) {
  }
  data[0] += 1;  // BUG
  s.store(mine + 1, good ? cuda::memory_order_release : cuda::memory_order_relaxed);
}
template <bool good>
void ticket_lock_relaxed() {
  Array<unsigned> n(1, 0), s(1, 0);
  Array<int> d(1, 0);
  ticket<good><<<6, 32>>>(n, s, d);
  KERNEL_OK();
}

template <bool good>
__global__ void scope_block(int* flag, int* data) {
  cuda::atomic_ref<int, good ? cuda::thread_scope_device : cuda::thread_scope_block> f(*flag);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *data = 42;  // BUG
    f.store(1, cuda::memory_order_release);
  } else if (blockIdx.x == 1 && threadIdx.x == 0) {
    while (f.load(cuda::memory_order_acquire) == 0) {
    }
    data[1] = data[0];  // BUG
  }
}
template <bool good>
void flag_of_block_scope() {
  Array<int> f(1, 0), d(2, 0);
  scope_block<good><<<2, 32>>>(f, d);
  KERNEL_OK();
}

template <bool good>
__global__ void ring(const int* in, int* out, int n) {
  __shared__ int slot[4];
  __shared__ cuda::atomic<int, cuda::thread_scope_block> head, tail;
  if (threadIdx.x == 0) {
    new (&head) cuda::atomic<int, cuda::thread_scope_block>(0);
    new (&tail) cuda::atomic<int, cuda::thread_scope_block>(0);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 0; i < n; ++i) {
      if (good)
        while (i - tail.load(cuda::memory_order_acquire) >= 4) {
        }
      slot[i % 4] = in[i];  // BUG
      head.store(i + 1, cuda::memory_order_release);
    }
  } else if (threadIdx.x == 32) {
    for (int i = 0; i < n; ++i) {
      while (head.load(cuda::memory_order_acquire) <= i) {
      }
      out[i] = slot[i % 4];  // BUG
      tail.store(i + 1, cuda::memory_order_release);
    }
  }
}
template <bool good>
void ring_without_space_check() {
  Array<int> in(counting<int>(40)), out(40, 0);
  ring<good><<<1, 64>>>(in, out, 40);
  KERNEL_OK();
}

template <bool good>
__global__ void two_phases(int* a, int* b, int n) {
  cg::grid_group g = cg::this_grid();
  for (int i = g.thread_rank(); i < n; i += g.size()) a[i] = i;  // BUG
  if (good)
    g.sync();
  else
    __syncthreads();
  for (int i = g.thread_rank(); i < n; i += g.size()) b[i] = a[n - 1 - i];  // BUG
}
template <bool good>
void grid_barrier_missing() {
  Array<int> a(1024, 0), b(1024, 0);
  int n = 1024;
  int *pa = a, *pb = b;
  void* args[] = {&pa, &pb, &n};
  CUDA_OK(cudaLaunchCooperativeKernel((void*)two_phases<good>, dim3(4), dim3(128), args, 0, 0));
  KERNEL_OK();
  auto h = b.host();
  RESULT(h[0] == 1023);
}

template <bool good>
__global__ void tiles(int* out) {
  __shared__ int s[64];
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  s[threadIdx.x] = threadIdx.x;  // BUG
  tile.sync();
  int other = good ? (threadIdx.x & ~15) + (threadIdx.x + 1) % 16 : (threadIdx.x + 16) % 64;
  out[threadIdx.x] = s[other];  // BUG
}
template <bool good>
void tile_barrier_too_small() {
  Array<int> o(64, 0);
  tiles<good><<<1, 64>>>(o);
  KERNEL_OK();
}

template <bool good>
__global__ void aggregated(const int* x, int n, int* out, int* count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] % 3 == 0) {
    auto g = cg::coalesced_threads();
    int base = 0;
    if (g.thread_rank() == 0) base = atomicAdd(count, (int)g.size());
    base = good ? g.shfl(base, 0) : __shfl_sync(0xffffffffu, base, 0);  // BUG
    if (base + (int)g.thread_rank() < n) out[base + g.thread_rank()] = x[i];
  }
}
template <bool good>
void aggregated_append() {
  Array<int> x(counting<int>(256)), o(256, 0), c(1, 0);
  aggregated<good><<<2, 128>>>(x, 256, o, c);
  KERNEL_OK();
}

template <bool good>
__global__ void pipe(const float* in, float* out, int tiles) {
  __shared__ float buf[2][128];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&buf[0][t], in + t, 4);  // BUG
  __pipeline_commit();
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles)
      __pipeline_memcpy_async(&buf[(k + 1) & 1][t], in + (k + 1) * 128 + t, 4);  // BUG
    __pipeline_commit();
    __pipeline_wait_prior(good ? 1 : 2);
    __syncthreads();
    out[k * 128 + t] = buf[k & 1][127 - t];  // BUG
    __syncthreads();
  }
}
template <bool good>
void async_wait_too_loose() {
  Array<float> in(512, 1.f), o(512, 0.f);
  pipe<good><<<1, 128>>>(in, o, 4);
  KERNEL_OK();
}
template <bool good>
__global__ void pipe2(const float* in, float* out) {
  __shared__ float buf[128];
  int t = threadIdx.x;
  __pipeline_memcpy_async(&buf[t], in + t, 4);  // BUG
  __pipeline_commit();
  __pipeline_wait_prior(0);
  if (good) __syncthreads();
  out[t] = buf[127 - t];  // BUG
}
template <bool good>
void async_wait_without_barrier() {
  Array<float> in(128, 1.f), o(128, 0.f);
  pipe2<good><<<1, 128>>>(in, o);
  KERNEL_OK();
}

template <bool good>
__global__ void staged(const int* in, int* out, int batches) {
  constexpr int stages = 2;
  auto block = cg::this_thread_block();
  __shared__ int buf[stages][64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, stages> state;
  auto p = cuda::make_pipeline(block, &state);
  for (int c = 0, f = 0; c < batches; ++c) {
    for (; f < batches && f < c + stages; ++f) {
      p.producer_acquire();
      cuda::memcpy_async(block, buf[f % stages], in + f * 64, sizeof(int) * 64, p);
      p.producer_commit();
    }
    if (good) p.consumer_wait();
    out[c * 64 + threadIdx.x] = buf[c % stages][63 - threadIdx.x];  // BUG
    if (!good) p.consumer_wait();
    p.consumer_release();
  }
}
template <bool good>
void pipeline_waits_too_late() {
  Array<int> in(counting<int>(64 * 5)), out(64 * 5, 0);
  staged<good><<<1, 64>>>(in, out, 5);
  KERNEL_OK();
}

template <bool good>
__global__ void barrier_arrive(int* out) {
  __shared__ cuda::barrier<cuda::thread_scope_block> bar;
  __shared__ int s[64];
  if (threadIdx.x == 0) init(&bar, 64);
  __syncthreads();
  s[threadIdx.x] = threadIdx.x;  // BUG
  auto token = bar.arrive();
  if (good)
    bar.wait(std::move(token));
  else
    (void)token;
  out[threadIdx.x] = s[63 - threadIdx.x];  // BUG
}
template <bool good>
void barrier_arrives_only() {
  Array<int> o(64, 0);
  barrier_arrive<good><<<1, 64>>>(o);
  KERNEL_OK();
}
template <bool good>
__global__ void barrier_init(int* out) {
  __shared__ cuda::barrier<cuda::thread_scope_block> bar;
  __shared__ int s[64];
  s[threadIdx.x] = threadIdx.x;
  if (threadIdx.x == 0) init(&bar, 64);  // BUG
  if (good) __syncthreads();
  bar.arrive_and_wait();  // BUG
  out[threadIdx.x] = s[63 - threadIdx.x];
}
template <bool good>
void barrier_init_not_visible() {
  Array<int> o(64, 0);
  barrier_init<good><<<1, 64>>>(o);
  (void)cudaDeviceSynchronize();
}

struct Status {
  unsigned long long v;
};
template <bool good>
__global__ void lookback(const int* in, int* out, int* sums, int* flags) {
  __shared__ int prefix;
  int t = threadIdx.x, b = blockIdx.x;
  typedef cub::BlockReduce<int, 128> Reduce;
  __shared__ typename Reduce::TempStorage temp;
  int v = in[b * 128 + t];
  int total = Reduce(temp).Sum(v);
  if (t == 0) {
    int p = 0;
    if (b > 0) {
      while (atomicAdd(&flags[b - 1], 0) == 0) {
      }
      if (good) __threadfence();
      p = sums[b - 1];  // BUG
    }
    sums[b] = p + total;  // BUG
    if (good) __threadfence();
    atomicExch(&flags[b], 1);
    prefix = p;
  }
  __syncthreads();
  out[b * 128 + t] = prefix + v;
}
template <bool good>
void chained_scan_fences() {
  Array<int> in(128 * 6, 1), out(128 * 6, 0), s(6, 0), f(6, 0);
  lookback<good><<<6, 128>>>(in, out, s, f);
  KERNEL_OK();
}

template <bool good>
__global__ void block_reduce_twice(const int* in, int* out) {
  typedef cub::BlockReduce<int, 128> Reduce;
  __shared__ typename Reduce::TempStorage temp;
  int v = in[threadIdx.x];
  int a = Reduce(temp).Sum(v);  // BUG
  if (good) __syncthreads();
  int b = Reduce(temp).Sum(v + 1);  // BUG
  if (threadIdx.x == 0) *out = a + b;
}
template <bool good>
void block_reduce_storage_reused() {
  Array<int> in(128, 1), out(1, 0);
  block_reduce_twice<good><<<1, 128>>>(in, out);
  KERNEL_OK();
}

__device__ inline void bar_sync(int id, int n) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(n) : "memory");
}
__device__ inline void bar_arrive(int id, int n) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(n) : "memory");
}
template <bool good>
__global__ void specialised(const int* in, int* out, int rounds) {
  __shared__ int buf[32];
  if (threadIdx.x < 32) {
    for (int r = 0; r < rounds; ++r) {
      if (good || r > 0) bar_sync(2, 64);
      buf[threadIdx.x] = in[r * 32 + threadIdx.x];  // BUG
      bar_arrive(1, 64);
      if (!good && r == rounds - 1) break;
    }
  } else {
    if (good) bar_arrive(2, 64);
    for (int r = 0; r < rounds; ++r) {
      bar_sync(1, 64);
      if (!good && r < rounds - 1) bar_arrive(2, 64);
      out[r * 32 + threadIdx.x - 32] = buf[threadIdx.x - 32];  // BUG
      if (good && r < rounds - 1) bar_arrive(2, 64);
    }
  }
}
template <bool good>
void named_barrier_too_early() {
  Array<int> in(counting<int>(128)), out(128, 0);
  specialised<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
}

template <bool good>
__global__ void warp_transpose(const int* in, int* out) {
  __shared__ int t[4][33 * 32];
  int w = threadIdx.x / 32, l = threadIdx.x % 32;
  for (int i = 0; i < 32; ++i) t[w][i * 33 + l] = in[(w * 32 + i) * 32 + l];  // BUG
  if (good) __syncwarp();
  for (int i = 0; i < 32; ++i) out[(w * 32 + i) * 32 + l] = t[w][l * 33 + i];  // BUG
}
template <bool good>
void warp_transpose_unsynced() {
  Array<int> in(4096, 1), out(4096, 0);
  warp_transpose<good><<<1, 128>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void hash_insert(const unsigned* keys, int n, unsigned* slots, unsigned* values) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned k = keys[i], h = (k * 2654435761u) % 512;
  for (;;) {
    unsigned old = atomicCAS(&slots[h], 0u, k);
    if (old == 0 || old == k) {
      if (good)
        atomicAdd(&values[h], 1u);
      else
        values[h] += 1;  // BUG
      return;
    }
    h = (h + 1) % 512;
  }
}
template <bool good>
void hash_table_values() {
  std::vector<unsigned> k;
  for (int i = 0; i < 400; ++i) k.push_back(1 + i % 100);
  Array<unsigned> keys(k), s(512, 0u), v(512, 0u);
  hash_insert<good><<<4, 128>>>(keys, 400, s, v);
  KERNEL_OK();
}

struct Node {
  Node* next;
  int value;
};
template <bool good>
__global__ void push_nodes(Node* pool, Node** head, int* sum) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  Node* n = &pool[i];
  n->value = i;
  Node* old = *(Node* volatile*)head;
  for (;;) {
    if (good) n->next = old;
    if (good) __threadfence();
    Node* was =
        (Node*)atomicCAS((unsigned long long*)head, (unsigned long long)old, (unsigned long long)n);
    if (was == old) break;
    old = was;
  }
  if (!good) n->next = old;  // BUG
  if (i == 0) {
    int s = 0;
    Node* p = *(Node* volatile*)head;
    __threadfence();
    for (int k = 0; p != nullptr && k < 3; ++k) {
      s += p->value;
      p = p->next;  // BUG
    }
    *sum = s;
  }
}
template <bool good>
void stack_published_too_early() {
  Node* pool = nullptr;
  CUDA_OK(cudaMalloc(&pool, 128 * sizeof(Node)));
  CUDA_OK(cudaMemset(pool, 0, 128 * sizeof(Node)));
  Array<Node*> head(1, nullptr);
  Array<int> s(1, 0);
  push_nodes<good><<<4, 32>>>(pool, head, s);
  KERNEL_OK();
  CUDA_OK(cudaFree(pool));
}

template <bool good>
__device__ int find(int* p, int x) {
  while (true) {
    int q = good ? cuda::atomic_ref<int, cuda::thread_scope_device>(p[x]).load(
                       cuda::memory_order_relaxed)
                 : p[x];  // BUG
    if (q == x) return x;
    x = q;
  }
}
template <bool good>
__global__ void unite(int* parent, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i + 1 >= n) return;
  int a = find<good>(parent, i), b = find<good>(parent, i + 1);
  while (a != b) {
    if (a < b) {
      int t = a;
      a = b;
      b = t;
    }
    int old = atomicCAS(&parent[a], a, b);  // BUG
    if (old == a) break;
    a = find<good>(parent, old);
    b = find<good>(parent, b);
  }
}
template <bool good>
void union_find_plain_reads() {
  Array<int> p(counting<int>(200));
  unite<good><<<2, 128>>>(p, 200);
  KERNEL_OK();
}

template <typename T, int N, bool good, typename Op>
__device__ T block_reduce(T v, Op op) {
  __shared__ T s[N];
  int t = threadIdx.x;
  s[t] = v;  // BUG
  __syncthreads();
#pragma unroll
  for (int d = N / 2; d > 0; d /= 2) {
    if (t < d) s[t] = op(s[t], s[t + d]);
    __syncthreads();
  }
  T r = s[0];  // BUG
  if (good) __syncthreads();
  return r;
}
template <bool good>
__global__ void mean_var(const float* x, float* out) {
  auto add = [](float a, float b) { return a + b; };
  float v = x[blockIdx.x * 128 + threadIdx.x];
  float m = block_reduce<float, 128, good>(v, add) / 128;
  float q = block_reduce<float, 128, good>((v - m) * (v - m), add) / 128;
  if (threadIdx.x == 0) {
    out[2 * blockIdx.x] = m;
    out[2 * blockIdx.x + 1] = q;
  }
}
template <bool good>
void reduce_template_used_twice() {
  Array<float> x(512, 1.f), o(8, 0.f);
  mean_var<good><<<4, 128>>>(x, o);
  KERNEL_OK();
}

template <bool good>
__global__ void heap(int* out) {
  int* p = (int*)malloc(16 * sizeof(int));
  if (!p) return;
  for (int i = 0; i < 16; ++i) p[i] = i;
  out[threadIdx.x] = p[good ? 15 : 16];  // BUG
  free(p);
}
template <bool good>
void device_heap_overrun() {
  Array<int> o(32, 0);
  heap<good><<<1, 32>>>(o);
  (void)cudaDeviceSynchronize();
}
template <bool good>
__global__ void semaphore(cuda::counting_semaphore<cuda::thread_scope_device, 1>* sem, int* v) {
  if (threadIdx.x) return;
  if (good) sem->acquire();
  *v += 1;  // BUG
  if (good) sem->release();
}
__global__ void make_sem(cuda::counting_semaphore<cuda::thread_scope_device, 1>* s) {
  new (s) cuda::counting_semaphore<cuda::thread_scope_device, 1>(1);
}
template <bool good>
void semaphore_guard() {
  cuda::counting_semaphore<cuda::thread_scope_device, 1>* s = nullptr;
  CUDA_OK(cudaMalloc(&s, sizeof *s));
  Array<int> v(1, 0);
  make_sem<<<1, 1>>>(s);
  semaphore<good><<<5, 32>>>(s, v);
  KERNEL_OK();
  auto h = v.host();
  RESULT(h[0] == 5);
  CUDA_OK(cudaFree(s));
}
template <bool good>
__global__ void own_grid_barrier(int* a, int* b, unsigned* count) {
  a[blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x;  // BUG
  __syncthreads();
  if (threadIdx.x == 0) {
    if (good) __threadfence();
    atomicAdd(count, 1u);
    while (*(volatile unsigned*)count < gridDim.x) {
    }
    if (good) __threadfence();
  }
  __syncthreads();
  b[blockIdx.x * blockDim.x + threadIdx.x] =
      a[((blockIdx.x + 1) % gridDim.x) * blockDim.x + threadIdx.x];  // BUG
}
template <bool good>
void own_grid_barrier_fences() {
  Array<int> a(4 * 64, 0), b(4 * 64, 0);
  Array<unsigned> c(1, 0);
  own_grid_barrier<good><<<4, 64>>>(a, b, c);
  KERNEL_OK();
}
template <bool good>
__global__ void byte_tail(const unsigned char* in, unsigned char* out, int n) {
  int i = (blockIdx.x * blockDim.x + threadIdx.x) * 4;
  if (i + 3 < n || (!good && i < n)) {
    *(uchar4*)(out + i) = *(const uchar4*)(in + i);  // BUG
  } else {
    for (int k = i; k < n; ++k) out[k] = in[k];
  }
}
template <bool good>
void byte_tail_overrun() {
  Array<unsigned char> a(1001, 7), b(1001, 0);
  byte_tail<good><<<1, 256>>>(a, b, 1001);
  (void)cudaDeviceSynchronize();
}
template <bool good>
__global__ void neighbours(unsigned char* m, int n) {
  int i = threadIdx.x;
  if (good) {
    if (i < n) m[i] = i;
  } else if (i < n / 4) {
    ((unsigned*)m)[i] = i;
    m[(4 * i + 4) % n] = 1;  // BUG
  }
}
template <bool good>
void bytes_of_one_word() {
  Array<unsigned char> m(128, 0);
  neighbours<good><<<1, 128>>>(m, 128);
  KERNEL_OK();
}

int main(int argc, char** argv) {
  static const Case cases[] = {
      CASE(last_block_fence, "race"),
      CASE(lock_without_fences, "race"),
      CASE(lock_released_plainly, "race"),
      CASE(lock_held_at_warp_barrier, "deadlock"),
      CASE(ticket_lock_relaxed, "race"),
      CASE(flag_of_block_scope, "race"),
      CASE(ring_without_space_check, "race"),
      CASE(grid_barrier_missing, "race"),
      CASE(tile_barrier_too_small, "race"),
      CASE(aggregated_append, "warp-mask"),
      CASE(async_wait_too_loose, "race"),
      CASE(async_wait_without_barrier, "race"),
      CASE(pipeline_waits_too_late, "race"),
      CASE(barrier_arrives_only, "race"),
      CASE(barrier_init_not_visible, "race|fault|uninitialised"),
      CASE(chained_scan_fences, "race"),
      CASE(block_reduce_storage_reused, "race"),
      CASE(named_barrier_too_early, "race"),
      CASE(warp_transpose_unsynced, "race"),
      CASE(hash_table_values, "race"),
      CASE(stack_published_too_early, "race"),
      CASE(union_find_plain_reads, "race"),
      CASE(reduce_template_used_twice, "race"),
      CASE(device_heap_overrun, "out-of-bounds"),
      CASE(semaphore_guard, "race"),
      CASE(own_grid_barrier_fences, "race"),
      CASE(byte_tail_overrun, "out-of-bounds"),
      CASE(bytes_of_one_word, "race"),
  };
  return run_cases(cases, argc, argv);
}

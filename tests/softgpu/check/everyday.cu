// Mistakes of everyday kernels, of every kind that the checker knows, written without a look at the
// other files.
#include <cooperative_groups.h>
#include <cuda_fp16.h>
#include <cuda/atomic>

#include "cases.cuh"

namespace cg = cooperative_groups;

// --- memory --------------------------------------------------------------------------------------

template <bool good>
__global__ void last_row_of_padded(float* out, int width, int pitch, int height) {
  const int x = threadIdx.x;
  for (int y = 0; y < (good ? height : height + 1); ++y) {
    if (x < width) out[y * pitch + x] = 1;  // BUG
  }
}
template <bool good>
void one_row_too_many() {
  float* a = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&a, &pitch, 100 * sizeof(float), 10));
  last_row_of_padded<good><<<1, 128>>>(a, 100, static_cast<int>(pitch / sizeof(float)), 10);
  KERNEL_OK();
  CUDA_OK(cudaFree(a));
}

template <bool good>
__global__ void before_the_array(const int* in, int* out, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[good && i == 0 ? 0 : i - 1];  // BUG
}
template <bool good>
void left_neighbour_of_the_first() {
  Array<int> in(counting<int>(300)), out(300);
  before_the_array<good><<<2, 160>>>(in, out, 300);
  KERNEL_OK();
}

template <bool good>
__global__ void quad_load(const float4* in, float* out, int n) {
  const int i = threadIdx.x;
  const int count = good ? n / 4 : (n + 3) / 4;
  if (i < count) {
    const float4 v = in[i];  // BUG
    out[i] = v.x + v.y + v.z + v.w;
  }
}
template <bool good>
void vector_load_of_a_tail() {
  float* in = nullptr;
  CUDA_OK(cudaMalloc(&in, 90 * sizeof(float)));
  CUDA_OK(cudaMemset(in, 0, 90 * sizeof(float)));
  Array<float> out(32);
  quad_load<good><<<1, 32>>>(reinterpret_cast<const float4*>(in), out, 90);
  KERNEL_OK();
  CUDA_OK(cudaFree(in));
}

template <bool good>
__global__ void offset_by_bytes(char* base, int* out) {
  const int* p = reinterpret_cast<const int*>(base + (good ? 8 : 6));
  out[threadIdx.x] = p[threadIdx.x];  // BUG
}
template <bool good>
void header_of_six_bytes() {
  Array<char> data(1024, 1);
  Array<int> out(32);
  offset_by_bytes<good><<<1, 32>>>(data, out);
  KERNEL_OK();
}

template <bool good>
__global__ void half_pairs(const __half* in, __half2* out) {
  const __half* from = in + (good ? 2 : 1);
  out[threadIdx.x] = *reinterpret_cast<const __half2*>(from + 2 * threadIdx.x);  // BUG
}
template <bool good>
void pairs_from_an_odd_half() {
  Array<__half> in(100, __float2half(1));
  Array<__half2> out(32);
  half_pairs<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void beyond_dynamic(float* out) {
  extern __shared__ float room[];
  room[threadIdx.x] = 1;
  __syncthreads();
  room[threadIdx.x + (good ? 0 : 1)] += 1;  // BUG
  __syncthreads();
  out[threadIdx.x] = room[threadIdx.x];
}
template <bool good>
void dynamic_memory_too_small() {
  Array<float> out(64);
  beyond_dynamic<good><<<1, 64, 64 * sizeof(float)>>>(out);
  KERNEL_OK();
}

struct Node {
  int value;
  Node* next;
};
template <bool good>
__global__ void push_nodes(Node** head) {
  for (int i = 0; i < 4; ++i) {
    auto* node = static_cast<Node*>(malloc(sizeof(Node)));
    node->value = i;
    node->next = *head;
    *head = node;
  }
}
template <bool good>
__global__ void pop_nodes(Node** head, int* sum) {
  for (Node* at = *head; at != nullptr;) {
    *sum += at->value;
    Node* next = at->next;
    free(at);
    at = good ? next : at->next;  // BUG
  }
  *head = nullptr;
}
template <bool good>
void list_that_is_freed_on_the_way() {
  Array<Node*> head(1, nullptr);
  Array<int> sum(1, 0);
  push_nodes<good><<<1, 1>>>(head);
  pop_nodes<good><<<1, 1>>>(head, sum);
  KERNEL_OK();
}

template <bool good>
__global__ void read_scratch(const float* scratch, float* out) {
  out[threadIdx.x] = scratch[threadIdx.x] > 0 ? 1.f : 2.f;  // BUG
}
template <bool good>
void scratch_of_the_iteration_before() {
  float* scratch = nullptr;
  Array<float> out(64);
  for (int turn = 0; turn < 2; ++turn) {
    CUDA_OK(cudaMalloc(&scratch, 64 * sizeof(float)));
    if (good || turn == 0) CUDA_OK(cudaMemset(scratch, 0, 64 * sizeof(float)));
    read_scratch<good><<<1, 64>>>(scratch, out);
    KERNEL_OK();
    RESULT(out.host()[5] == 2.f);
    CUDA_OK(cudaFree(scratch));
  }
}

template <bool good>
__global__ void follow(const int* where, int* out) {
  if (*where >= 0) *out = 1;  // BUG
}
template <bool good>
void best_index_of_nothing() {
  int* where = nullptr;
  CUDA_OK(cudaMalloc(&where, sizeof(int)));
  Array<int> out(1, 0);
  if (good) CUDA_OK(cudaMemset(where, 0xff, sizeof(int)));
  follow<good><<<1, 1>>>(where, out);
  KERNEL_OK();
  CUDA_OK(cudaFree(where));
}

template <bool good>
__global__ void counters_of_some_threads(int* out) {
  __shared__ int counts[64];
  if (threadIdx.x < (good ? 64 : 48)) counts[threadIdx.x] = 0;
  __syncthreads();
  atomicAdd(&counts[threadIdx.x % 64], 1);
  __syncthreads();
  if (threadIdx.x < 64 && counts[threadIdx.x] > 1) out[threadIdx.x] = 1;  // BUG
}
template <bool good>
void shared_counters_partly_zeroed() {
  Array<int> out(64, 0);
  counters_of_some_threads<good><<<1, 128>>>(out);
  KERNEL_OK();
}

template <bool good>
__global__ void sum_of_struct(const int4* in, int* out) {
  int4 v = make_int4(0, 0, 0, 0);
  __shared__ int4 tile[32];
  tile[threadIdx.x].x = in[threadIdx.x].x;
  tile[threadIdx.x].y = in[threadIdx.x].y;
  if (good) tile[threadIdx.x].z = 0;
  __syncwarp();
  v = tile[31 - threadIdx.x];
  if (v.z != 0) out[threadIdx.x] = v.x;  // BUG
}
template <bool good>
void field_that_nobody_sets() {
  Array<int4> in(32, make_int4(1, 2, 3, 4));
  Array<int> out(32, 0);
  sum_of_struct<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void local_table(const int* in, int* out) {
  int table[8];
  for (int i = 0; i < (good ? 8 : 7); ++i) table[i] = i * in[0];
  int sum = 0;
  for (int i = 0; i < 8; ++i) sum += table[(i + in[1]) & 7];
  if (sum > 3) out[threadIdx.x] = sum;  // BUG
}
template <bool good>
void table_with_a_hole() {
  Array<int> in(2, 1), out(32, 0);
  local_table<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

// --- races in a block ----------------------------------------------------------------------------

template <bool good>
__global__ void bubble(int* data) {
  __shared__ int s[128];
  const int i = threadIdx.x;
  s[i] = data[i];
  __syncthreads();
  for (int phase = 0; phase < 128; ++phase) {
    const int a = 2 * i + phase % 2;
    if (a + 1 < 128 && s[a] > s[a + 1]) {  // BUG
      const int t = s[a];
      s[a] = s[a + 1];  // BUG
      s[a + 1] = t;     // BUG
    }
    if (good) __syncthreads();
  }
  __syncthreads();
  data[i] = s[i];
}
template <bool good>
void odd_even_sort() {
  std::vector<int> values;
  for (int i = 0; i < 128; ++i) values.push_back(i * 37 % 128);
  Array<int> data(values);
  bubble<good><<<1, 128>>>(data);
  KERNEL_OK();
}

template <bool good>
__global__ void in_place_shift(float* data) {
  __shared__ float s[256];
  s[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  const float left = threadIdx.x > 0 ? s[threadIdx.x - 1] : 0;  // BUG
  if (good) __syncthreads();
  s[threadIdx.x] = left;  // BUG
  __syncthreads();
  data[threadIdx.x] = s[threadIdx.x];
}
template <bool good>
void shift_in_place() {
  Array<float> data(256, 1.f);
  in_place_shift<good><<<1, 256>>>(data);
  KERNEL_OK();
}

template <bool good>
__global__ void broadcast(const float* in, float* out) {
  __shared__ float mean;
  if (threadIdx.x == 0) {
    float sum = 0;
    for (int i = 0; i < 64; ++i) sum += in[i];
    mean = sum / 64;  // BUG
  }
  if (good) __syncthreads();
  out[threadIdx.x] = in[threadIdx.x] - mean;  // BUG
}
template <bool good>
void mean_by_one_thread() {
  Array<float> in(64, 1.f), out(64);
  broadcast<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void two_maxima(const float* in, float* out) {
  __shared__ float part[4];
  const int warp = threadIdx.x / 32;
  float m = in[threadIdx.x];
  for (int o = 16; o > 0; o /= 2) m = fmaxf(m, __shfl_xor_sync(~0u, m, o));
  if (threadIdx.x % 32 == 0) part[warp] = m;  // BUG
  __syncthreads();
  float top = part[0];  // BUG
  for (int i = 1; i < 4; ++i) top = fmaxf(top, part[i]);
  if (good) __syncthreads();
  float e = expf(in[threadIdx.x] - top);
  for (int o = 16; o > 0; o /= 2) e += __shfl_xor_sync(~0u, e, o);
  if (threadIdx.x % 32 == 0) part[warp] = e;  // BUG
  __syncthreads();
  out[threadIdx.x] = part[0] + part[1] + part[2] + part[3];
}
template <bool good>
void softmax_with_one_buffer() {
  Array<float> in(128, 1.f), out(128);
  two_maxima<good><<<1, 128>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void warp_transpose(const int* in, int* out) {
  __shared__ int tile[32][33];
  for (int i = 0; i < 32; ++i) tile[i][threadIdx.x] = in[i * 32 + threadIdx.x];  // BUG
  if (good) __syncwarp();
  for (int i = 0; i < 32; ++i) out[i * 32 + threadIdx.x] = tile[threadIdx.x][i];  // BUG
}
template <bool good>
void transpose_of_one_warp() {
  Array<int> in(1024, 1), out(1024);
  warp_transpose<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void append(int* out, int* count, const int* in) {
  __shared__ int n;
  __shared__ int kept[64];
  if (threadIdx.x == 0) n = 0;
  __syncthreads();
  if (in[threadIdx.x] % 2 == 0) {
    const int at = good ? atomicAdd(&n, 1) : n++;  // BUG
    kept[at] = in[threadIdx.x];
  }
  __syncthreads();
  if (threadIdx.x < n) out[threadIdx.x] = kept[threadIdx.x];
  if (threadIdx.x == 0) *count = n;
}
template <bool good>
void filter_with_a_plain_counter() {
  Array<int> in(counting<int>(64)), out(64, 0), count(1, 0);
  append<good><<<1, 64>>>(out, count, in);
  KERNEL_OK();
}

template <bool good>
__global__ void named_pipeline(const int* in, int* out) {
  __shared__ int buffer[64];
  // One warp produces, one consumes; barrier 1 says that the buffer is full, 2 that it is free.
  for (int step = 0; step < 4; ++step) {
    if (threadIdx.x < 64) {
      if (good || step == 0) {
        if (step > 0) asm volatile("barrier.sync 2, 128;" ::: "memory");
      }
      buffer[threadIdx.x] = in[step * 64 + threadIdx.x];  // BUG
      asm volatile("barrier.arrive 1, 128;" ::: "memory");
    } else {
      asm volatile("barrier.sync 1, 128;" ::: "memory");
      out[step * 64 + threadIdx.x - 64] = buffer[threadIdx.x - 64];  // BUG
      if (step < 3 && good) asm volatile("barrier.arrive 2, 128;" ::: "memory");
    }
  }
}
template <bool good>
void producer_does_not_wait() {
  Array<int> in(counting<int>(256)), out(256, 0);
  named_pipeline<good><<<1, 128>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void tile_sums(const int* in, int* out) {
  __shared__ int part[128];
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition<16>(block);
  part[threadIdx.x] = in[threadIdx.x];  // BUG
  if (good) {
    block.sync();
  } else {
    tile.sync();
  }
  out[threadIdx.x] = part[(threadIdx.x + 16) % 128];  // BUG
}
template <bool good>
void tile_sync_for_the_block() {
  Array<int> in(128, 1), out(128);
  tile_sums<good><<<1, 128>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void bytes_side_by_side(unsigned char* out) {
  __shared__ unsigned word[8];
  auto* bytes = reinterpret_cast<unsigned char*>(word);
  if (threadIdx.x < 8) word[threadIdx.x] = 0;  // BUG
  if (good) __syncthreads();
  bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);  // BUG
  __syncthreads();
  out[threadIdx.x] = bytes[threadIdx.x];
}
template <bool good>
void bytes_of_words() {
  Array<unsigned char> out(32, 0);
  bytes_side_by_side<good><<<1, 32>>>(out);
  KERNEL_OK();
}

// --- races between blocks ------------------------------------------------------------------------

template <bool good>
__global__ void jacobi_in_place(const float* from, float* to, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x + 1;
  if (i < n - 1) to[i] = 0.5f * (from[i - 1] + from[i + 1]);  // BUG
}
template <bool good>
void jacobi_over_itself() {
  Array<float> a(1026, 1.f), b(1026, 1.f);
  jacobi_in_place<good><<<8, 128>>>(a, good ? b : a, 1026);
  KERNEL_OK();
}

template <bool good>
__global__ void dot(const float* a, const float* b, float* sum) {
  __shared__ float part;
  if (threadIdx.x == 0) part = 0;
  __syncthreads();
  atomicAdd(&part, a[blockIdx.x * 64 + threadIdx.x] * b[blockIdx.x * 64 + threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0) {
    if (good) {
      atomicAdd(sum, part);
    } else {
      *sum += part;  // BUG
    }
  }
}
template <bool good>
void dot_product_without_atomics() {
  Array<float> a(512, 1.f), b(512, 1.f), sum(1, 0.f);
  dot<good><<<8, 64>>>(a, b, sum);
  KERNEL_OK();
}

template <bool good>
__global__ void last_block_sums(const int* in, int* parts, unsigned* tickets, int* sum) {
  __shared__ bool last;
  int own = __reduce_add_sync(~0u, in[blockIdx.x * 32 + threadIdx.x]);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = own;  // BUG
    if (good) __threadfence();
    last = atomicAdd(tickets, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  if (good) __threadfence();
  int all = 0;
  for (int i = threadIdx.x; i < gridDim.x; i += 32) all += parts[i];  // BUG
  all = __reduce_add_sync(~0u, all);
  if (threadIdx.x == 0) *sum = all;
}
template <bool good>
void ticket_without_a_fence() {
  Array<int> in(512, 1), parts(16, 0), sum(1, 0);
  Array<unsigned> tickets(1, 0);
  last_block_sums<good><<<16, 32>>>(in, parts, tickets, sum);
  KERNEL_OK();
}

template <bool good>
__global__ void cooperative_steps(int* a, int* b, int n) {
  auto grid = cg::this_grid();
  const int i = static_cast<int>(grid.thread_rank());
  a[i] = i;  // BUG
  if (good) {
    grid.sync();
  } else {
    __syncthreads();
  }
  b[i] = a[n - 1 - i];  // BUG
}
template <bool good>
void block_sync_for_the_grid() {
  int n = 256;
  Array<int> a(n, 0), b(n, 0);
  int* pa = a;
  int* pb = b;
  void* arguments[] = {&pa, &pb, &n};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(cooperative_steps<good>), dim3(4),
                                      dim3(64), arguments));
  KERNEL_OK();
}

template <bool good>
__global__ void flag_pair(int* data, cuda::atomic<int, cuda::thread_scope_device>* flag, int* out) {
  if (blockIdx.x == 0) {
    *data = 42;  // BUG
    flag->store(1, good ? cuda::memory_order_release : cuda::memory_order_relaxed);
  } else {
    while (flag->load(cuda::memory_order_acquire) == 0) {
    }
    *out = *data;  // BUG
  }
}
template <bool good>
void flag_that_releases_nothing() {
  Array<int> data(1, 0), out(1, 0);
  cuda::atomic<int, cuda::thread_scope_device>* flag = nullptr;
  CUDA_OK(cudaMalloc(&flag, sizeof(*flag)));
  CUDA_OK(cudaMemset(flag, 0, sizeof(*flag)));
  flag_pair<good><<<2, 1>>>(data, flag, out);
  KERNEL_OK();
  CUDA_OK(cudaFree(flag));
}

template <bool good>
__global__ void scope_pair(int* data, int* flag, int* out) {
  if (blockIdx.x == 0) {
    *data = 1;  // BUG
    if (good) {
      __threadfence();
    } else {
      __threadfence_block();
    }
    atomicExch(flag, 1);
  } else {
    while (atomicAdd(flag, 0) == 0) {
    }
    __threadfence();
    *out = *data;  // BUG
  }
}
template <bool good>
void fence_of_the_block() {
  Array<int> data(1, 0), flag(1, 0), out(1, 0);
  scope_pair<good><<<2, 1>>>(data, flag, out);
  KERNEL_OK();
}

template <bool good>
__global__ void spin_lock(int* lock, int* value) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  if (good) __threadfence();
  *value += 1;  // BUG
  if (good) __threadfence();
  if (good) {
    atomicExch(lock, 0);
  } else {
    *reinterpret_cast<volatile int*>(lock) = 0;
  }
}
template <bool good>
void lock_without_fences() {
  Array<int> lock(1, 0), value(1, 0);
  spin_lock<good><<<8, 32>>>(lock, value);
  KERNEL_OK();
}

// --- synchronisation -----------------------------------------------------------------------------

template <bool good>
__global__ void barrier_in_guard(int* data, int n) {
  const int i = threadIdx.x;
  __shared__ int s[96];
  if (good) {
    if (i < n) s[i] = data[i];
    __syncthreads();
    if (i < n) data[i] = s[n - 1 - i];
  } else if (i < n) {
    s[i] = data[i];
    __syncthreads();  // BUG
    data[i] = s[n - 1 - i];
  } else {
    data[i] = -1;
  }
}
template <bool good>
void barrier_inside_a_guard() {
  Array<int> data(counting<int>(96));
  barrier_in_guard<good><<<1, 96>>>(data, 80);
  KERNEL_OK();
}

template <bool good>
__global__ void rows_of_unequal_length(const int* lengths, int* out) {
  __shared__ int s[64];
  const int n = good ? 5 : lengths[threadIdx.x];
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    s[threadIdx.x] = i;
    __syncthreads();  // BUG
    sum += s[(threadIdx.x + 1) % 64];
    __syncthreads();  // BUG
  }
  out[threadIdx.x] = sum;
}
template <bool good>
void barriers_of_own_trip_counts() {
  std::vector<int> lengths(64, 5);
  for (int i = 32; i < 64; ++i) lengths[i] = 4;
  Array<int> n(lengths), out(64, 0);
  rows_of_unequal_length<good><<<1, 64>>>(n, out);
  KERNEL_OK();
}

template <bool good>
__global__ void mask_of_the_lower_half(const int* in, int* out) {
  int v = in[threadIdx.x];
  if (threadIdx.x < 16) {
    const unsigned mask = good ? 0xffffu : 0xff00u;
    v = __shfl_xor_sync(mask, v, 1);  // BUG
  }
  out[threadIdx.x] = v;
}
template <bool good>
void lane_outside_of_its_mask() {
  Array<int> in(counting<int>(32)), out(32, 0);
  mask_of_the_lower_half<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void one_barrier_too_few(int* out) {
  __shared__ int s;
  if (threadIdx.x < 32) {
    if (threadIdx.x == 0) s = 1;
    asm volatile("barrier.sync 3, 64;" ::: "memory");
  } else if (good) {
    asm volatile("barrier.sync 3, 64;" ::: "memory");
  }
  if (threadIdx.x >= 32) out[threadIdx.x] = threadIdx.x;
}
template <bool good>
void named_barrier_that_nobody_joins() {
  Array<int> out(64, 0);
  one_barrier_too_few<good><<<1, 64>>>(out);
  const cudaError_t status = cudaDeviceSynchronize();
  RESULT(status == cudaSuccess);
}

template <bool good>
__global__ void lock_of_lanes(int* lock, int* value) {
  if (good) {
    for (bool done = false; !done;) {
      if (atomicCAS(lock, 0, 1) == 0) {
        __threadfence();
        *value += 1;
        __threadfence();
        atomicExch(lock, 0);
        done = true;
      }
    }
  } else {
    while (atomicCAS(lock, 0, 1) != 0) {  // BUG
    }
    __syncwarp();
    __threadfence();
    *value += 1;
    __threadfence();
    atomicExch(lock, 0);
  }
}
template <bool good>
void lock_that_a_lane_of_the_warp_holds() {
  Array<int> lock(1, 0), value(1, 0);
  lock_of_lanes<good><<<1, 32>>>(lock, value);
  const cudaError_t status = cudaDeviceSynchronize();
  RESULT(status == cudaSuccess);
}

int main(int argc, char** argv) {
  static const Case cases[] = {
      CASE(one_row_too_many, "out-of-bounds"),
      CASE(left_neighbour_of_the_first, "out-of-bounds"),
      CASE(vector_load_of_a_tail, "out-of-bounds"),
      CASE(header_of_six_bytes, "misaligned"),
      CASE(pairs_from_an_odd_half, "misaligned"),
      CASE(dynamic_memory_too_small, "out-of-bounds"),
      CASE(list_that_is_freed_on_the_way, "use-after-free"),
      CASE(scratch_of_the_iteration_before, "uninitialised"),
      CASE(best_index_of_nothing, "uninitialised"),
      CASE(shared_counters_partly_zeroed, "uninitialised"),
      CASE(field_that_nobody_sets, "uninitialised"),
      CASE(table_with_a_hole, "uninitialised"),
      CASE(odd_even_sort, "race"),
      CASE(shift_in_place, "race"),
      CASE(mean_by_one_thread, "race"),
      CASE(softmax_with_one_buffer, "race"),
      CASE(transpose_of_one_warp, "race"),
      CASE(filter_with_a_plain_counter, "race"),
      CASE(producer_does_not_wait, "race|deadlock"),
      CASE(tile_sync_for_the_block, "race"),
      CASE(bytes_of_words, "race"),
      CASE(jacobi_over_itself, "race"),
      CASE(dot_product_without_atomics, "race"),
      CASE(ticket_without_a_fence, "race"),
      CASE(block_sync_for_the_grid, "race"),
      CASE(flag_that_releases_nothing, "race"),
      CASE(fence_of_the_block, "race"),
      CASE(lock_without_fences, "race"),
      CASE(barrier_inside_a_guard, "barrier-divergence"),
      CASE(barriers_of_own_trip_counts, "barrier-divergence|deadlock"),
      CASE(lane_outside_of_its_mask, "warp-mask"),
      CASE(named_barrier_that_nobody_joins, "deadlock|barrier-divergence"),
      CASE(lock_that_a_lane_of_the_warp_holds, "deadlock"),
  };
  return run_cases(cases, argc, argv);
}

// Bugs of kinds that were reported for public CUDA code (compilers of kernels, libraries of linear
// algebra, data frames, graph and image programs), written anew and as small as they get.
#include <mma.h>

#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>

#include "cases.cuh"

constexpr unsigned full = 0xffffffffu;

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

// --- Races ---

// Blocks add their part of a long product in turn, by a semaphore. The barrier collects the block's
// writes; that the next block sees them takes a fence too.
template <bool good>
__global__ void serial_split_k_kernel(const int* parts, int* sums, int* turn) {
  if (threadIdx.x == 0) {
    while (*static_cast<volatile int*>(turn) != static_cast<int>(blockIdx.x)) {
    }
    __threadfence();
  }
  __syncthreads();
  sums[threadIdx.x] += parts[global_index()];  // BUG: read and write
  __syncthreads();
  if (threadIdx.x == 0) {
    if (good) __threadfence();
    *static_cast<volatile int*>(turn) = static_cast<int>(blockIdx.x) + 1;
  }
}

template <bool good>
void serial_split_k() {
  Array<int> parts(4 * 64, 3), sums(64), turn(1);
  serial_split_k_kernel<good><<<4, 64>>>(parts, sums, turn);
  KERNEL_OK();
  RESULT(sums.host()[63] == 12);
}

// The same with the fence, and without the barrier before it.
template <bool good>
__global__ void semaphore_without_barrier_kernel(const int* parts, int* sums, int* turn) {
  if (threadIdx.x == 0) {
    while (*static_cast<volatile int*>(turn) != static_cast<int>(blockIdx.x)) {
    }
    __threadfence();
  }
  __syncthreads();
  sums[threadIdx.x] += parts[global_index()];  // BUG: read and write
  if (good) __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    *static_cast<volatile int*>(turn) = static_cast<int>(blockIdx.x) + 1;
  }
}

template <bool good>
void semaphore_without_barrier() {
  Array<int> parts(4 * 64, 3), sums(64), turn(1);
  semaphore_without_barrier_kernel<good><<<4, 64>>>(parts, sums, turn);
  KERNEL_OK();
  RESULT(sums.host()[63] == 12);
}

// A matrix of a tensor core is stored to shared memory and read by other lanes than those that hold
// it.
template <bool good>
__global__ void wmma_store_kernel(const half* a, const half* b, float* sums) {
  __shared__ float tile[16 * 16];
  using namespace nvcuda;
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> product;
  wmma::load_matrix_sync(left, a, 16);
  wmma::load_matrix_sync(right, b, 16);
  wmma::fill_fragment(product, 0.0f);
  wmma::mma_sync(product, left, right, product);
  wmma::store_matrix_sync(tile, product, 16, wmma::mem_row_major);  // BUG: write
  if (good) __syncwarp();
  if (threadIdx.x < 16) {
    float sum = 0.0f;
    for (int k = 0; k < 16; ++k) sum += tile[16 * threadIdx.x + k];  // BUG: read
    sums[threadIdx.x] = sum;
  }
}

template <bool good>
void wmma_store() {
  Array<half> a(256, __float2half(1.0f)), b(256, __float2half(0.5f));
  Array<float> sums(16);
  wmma_store_kernel<good><<<1, 32>>>(a, b, sums);
  KERNEL_OK();
  RESULT(sums.host()[3] == 128.0f);
}

// And the other way: lanes fill the tile that the warp then loads as a matrix.
template <bool good>
__global__ void wmma_load_kernel(const float* a, const half* b, float* out) {
  __shared__ half tile[16 * 16];
  using namespace nvcuda;
  for (int i = threadIdx.x; i < 256; i += 32) tile[i] = __float2half(a[i]);  // BUG: write
  if (good) __syncwarp();
  wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> left;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> right;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> product;
  wmma::load_matrix_sync(left, tile, 16);  // BUG: read
  wmma::load_matrix_sync(right, b, 16);
  wmma::fill_fragment(product, 0.0f);
  wmma::mma_sync(product, left, right, product);
  wmma::store_matrix_sync(out, product, 16, wmma::mem_row_major);
}

template <bool good>
void wmma_load() {
  Array<float> a(256, 2.0f), out(256);
  Array<half> b(256, __float2half(0.5f));
  wmma_load_kernel<good><<<1, 32>>>(a, b, out);
  KERNEL_OK();
  RESULT(out.host()[77] == 16.0f);
}

// CUB's temporary storage serves a second reduction while warps still read the first one's.
template <bool good>
__global__ void cub_storage_reused_kernel(const int* in, int* out) {
  using Reduce = cub::BlockReduce<int, 128>;
  __shared__ typename Reduce::TempStorage storage;
  const int value = in[threadIdx.x];
  const int sum = Reduce(storage).Sum(value);  // BUG: read
  if (good) __syncthreads();
  const int squares = Reduce(storage).Sum(value * value);  // BUG: write
  if (threadIdx.x == 0) out[0] = sum, out[1] = squares;
}

template <bool good>
void cub_storage_reused() {
  Array<int> in(counting<int>(128)), out(2);
  cub_storage_reused_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 8128);
}

// A union of two kinds of storage, and a scan in a loop.
template <bool good>
__global__ void cub_union_in_a_loop_kernel(const int* in, int* out, int tiles) {
  using Scan = cub::BlockScan<int, 64>;
  __shared__ union {
    typename Scan::TempStorage scan;
    int line[64];
  } storage;
  int carried = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    int value = in[64 * tile + threadIdx.x], sum = 0;
    Scan(storage.scan).InclusiveSum(value, value, sum);  // BUG: read and write
    __syncthreads();
    storage.line[threadIdx.x] = value + carried;  // BUG: write
    __syncthreads();
    out[64 * tile + 63 - threadIdx.x] = storage.line[63 - threadIdx.x];  // BUG: read
    carried += sum;
    if (good) __syncthreads();
  }
}

template <bool good>
void cub_union_in_a_loop() {
  Array<int> in(3 * 64, 1), out(3 * 64);
  cub_union_in_a_loop_kernel<good><<<1, 64>>>(in, out, 3);
  KERNEL_OK();
  RESULT(out.host()[191] == 192);
}

// A hash table: the key is claimed by an atomic, the value is stored after it, and another thread
// that finds the key takes the value at once.
template <bool good>
__global__ void hash_insert_kernel(const int* keys, int* table_keys, int* table_values,
                                   int* found) {
  const int key = keys[global_index()];
  unsigned slot = static_cast<unsigned>(key) * 7u % 64u;
  for (;;) {
    const int before = atomicCAS(&table_keys[slot], -1, key);
    if (before == -1) {
      table_values[slot] = 10 * key;  // BUG: write
      break;
    }
    if (before == key) {
      if (!good) found[global_index()] = table_values[slot];  // BUG: read
      break;
    }
    slot = (slot + 1) % 64;
  }
}

__global__ void hash_find_kernel(const int* keys, const int* table_keys, const int* table_values,
                                 int* found) {
  const int key = keys[global_index()];
  unsigned slot = static_cast<unsigned>(key) * 7u % 64u;
  while (table_keys[slot] != key) slot = (slot + 1) % 64;
  found[global_index()] = table_values[slot];
}

template <bool good>
void hash_table() {
  std::vector<int> keys;
  for (int i = 0; i < 96; ++i) keys.push_back(i % 32);
  Array<int> device_keys(keys), table_keys(64, -1), table_values(64), found(96);
  hash_insert_kernel<good><<<3, 32>>>(device_keys, table_keys, table_values, found);
  KERNEL_OK();
  if (good) hash_find_kernel<<<3, 32>>>(device_keys, table_keys, table_values, found);
  KERNEL_OK();
  RESULT(found.host()[95] == 310);
}

// A ticket lock: who is served is published without a fence.
template <bool good>
__global__ void ticket_lock_kernel(int* next, int* serving, int* values) {
  if (threadIdx.x != 0) return;
  const int ticket = atomicAdd(next, 1);
  while (*static_cast<volatile int*>(serving) != ticket) {
  }
  if (good) __threadfence();
  for (int k = 0; k < 4; ++k) values[k] += k;  // BUG: read and write
  if (good) __threadfence();
  *static_cast<volatile int*>(serving) = ticket + 1;
}

template <bool good>
void ticket_lock() {
  Array<int> next(1), serving(1), values(4);
  ticket_lock_kernel<good><<<5, 32>>>(next, serving, values);
  KERNEL_OK();
  RESULT(values.host()[3] == 15);
}

// Peterson's lock for two blocks needs every one of its fences.
template <bool good>
__global__ void petersons_lock_kernel(volatile int* wants, volatile int* turn, int* count) {
  if (threadIdx.x != 0) return;
  const int me = static_cast<int>(blockIdx.x), other = 1 - me;
  for (int k = 0; k < 3; ++k) {
    wants[me] = 1;
    if (good) __threadfence();
    *turn = other;
    if (good) __threadfence();
    while (wants[other] == 1 && *turn == other) {
    }
    if (good) __threadfence();
    *count += 1;  // BUG: read and write
    if (good) __threadfence();
    wants[me] = 0;
  }
}

template <bool good>
void petersons_lock() {
  Array<int> wants(2), turn(1), count(1);
  petersons_lock_kernel<good><<<2, 32>>>(wants, turn, count);
  KERNEL_OK();
  RESULT(count.host()[0] == 6);
}

// A vote of the warp where the block's was meant, which would have been the barrier.
template <bool good>
__global__ void vote_of_the_block_kernel(const int* in, int* out) {
  __shared__ int line[128];
  const unsigned t = threadIdx.x;
  line[t] = in[t];  // BUG: write
  const bool any = good ? __syncthreads_or(in[t] > 100) != 0 : __any_sync(full, in[t] > 100) != 0;
  out[t] = any ? line[127 - t] : line[(t + 64) % 128];  // BUG: read
}

template <bool good>
void vote_of_the_block() {
  Array<int> in(counting<int>(128)), out(128);
  vote_of_the_block_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// A producer warp arrives at a named barrier without waiting there; it does so before it has
// written.
template <bool good>
__global__ void arrived_too_soon_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    if (!good) asm volatile("bar.arrive 1, 64;" ::: "memory");
    line[lane] = 3 * in[lane];  // BUG: write
    if (good) asm volatile("bar.arrive 1, 64;" ::: "memory");
  } else {
    asm volatile("bar.sync 1, 64;" ::: "memory");
    out[lane] = line[31 - lane];  // BUG: read
  }
}

template <bool good>
void arrived_too_soon() {
  Array<int> in(counting<int>(32)), out(32);
  arrived_too_soon_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 93);
}

// Each half of a warp synchronises with itself, and reads from the other.
template <bool good>
__global__ void halves_of_a_warp_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const unsigned lane = threadIdx.x;
  const unsigned mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  line[lane] = in[lane];  // BUG: write
  __syncwarp(mask);
  out[lane] = line[lane ^ (good ? 8 : 16)];  // BUG: read
}

template <bool good>
void halves_of_a_warp() {
  Array<int> in(counting<int>(32)), out(32);
  halves_of_a_warp_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 8);
}

// A place for each warp's results: a leader adds for all, and adds without an atomic.
template <bool good>
__global__ void warp_leader_kernel(const int* in, int* out, int* count) {
  const int value = in[global_index()];
  const unsigned lane = threadIdx.x % 32;
  const unsigned chosen = __ballot_sync(full, value % 3 == 0);
  int begin = 0;
  if (lane == 0) {
    if (good) {
      begin = atomicAdd(count, __popc(chosen));
    } else {
      begin = *count;                   // BUG: read
      *count = begin + __popc(chosen);  // BUG: write
    }
  }
  begin = __shfl_sync(full, begin, 0);
  if (value % 3 == 0) out[begin + __popc(chosen & ((1u << lane) - 1))] = value;  // BUG: write
}

template <bool good>
void warp_leader() {
  Array<int> in(counting<int>(256)), out(256), count(1);
  warp_leader_kernel<good><<<2, 128>>>(in, out, count);
  KERNEL_OK();
  RESULT(count.host()[0] == 86);
}

// Running maximum and sum of an attention row: one warp updates what all read in the next turn.
template <bool good>
__global__ void online_softmax_kernel(const float* scores, float* out, int tiles) {
  __shared__ float largest, sum;
  __shared__ float tile_largest[4];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  if (threadIdx.x == 0) largest = -1e30f, sum = 0.0f;
  __syncthreads();
  for (int tile = 0; tile < tiles; ++tile) {
    const float score = scores[128 * tile + threadIdx.x];
    float best = score;
    for (int offset = 16; offset > 0; offset /= 2) {
      best = fmaxf(best, __shfl_xor_sync(full, best, offset));
    }
    if (lane == 0) tile_largest[warp] = best;
    __syncthreads();
    if (threadIdx.x == 0) {
      const float before = largest;
      for (int w = 0; w < 4; ++w) largest = fmaxf(largest, tile_largest[w]);  // BUG: write
      sum *= expf(before - largest);                                          // BUG: write
    }
    if (good) __syncthreads();
    atomicAdd(&sum, expf(score - largest));  // BUG: read
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void online_softmax() {
  Array<float> scores(counting<float>(3 * 128)), out(128);
  online_softmax_kernel<good><<<1, 128>>>(scores, out, 3);
  KERNEL_OK();
}

// --- Memory ---

// The mask of valid rows has whole words, of which the last is written in part. Bits beyond the end
// may hold anything, and must not be counted.
template <bool good>
__global__ void count_valid_kernel(const unsigned* mask, int rows, int* large) {
  const int word = threadIdx.x;
  if (32 * word >= rows) return;
  unsigned bits = mask[word];
  const int left = rows - 32 * word;
  if (good && left < 32) bits &= (1u << left) - 1;
  if (__popc(bits) > 8) atomicAdd(large, 1);  // BUG
}

template <bool good>
void count_valid() {
  const int rows = 100;  // 12 bytes and a half: three words and a byte
  const std::vector<unsigned char> valid(13, 0xff);
  unsigned* mask = nullptr;
  CUDA_OK(cudaMalloc(&mask, 64));
  CUDA_OK(cudaMemcpy(mask, valid.data(), valid.size(), cudaMemcpyHostToDevice));
  {
    Array<int> large(1);
    count_valid_kernel<good><<<1, 32>>>(mask, rows, large);
    KERNEL_OK();
    RESULT(large.host()[0] == 3);
  }
  CUDA_OK(cudaFree(mask));
}

// Tiles that a causal mask leaves out are never written, and are part of the result.
template <bool good>
__global__ void causal_tiles_kernel(float* scores, int n) {
  const int row = blockIdx.y * 8 + threadIdx.y, column = blockIdx.x * 8 + threadIdx.x;
  if (blockIdx.x > blockIdx.y) {
    if (good) scores[row * n + column] = 0.0f;
    return;
  }
  scores[row * n + column] = column <= row ? 1.0f : 0.0f;
}

template <bool good>
void causal_tiles() {
  const int n = 32;
  std::vector<float> result(n * n);
  float* scores = nullptr;
  CUDA_OK(cudaMalloc(&scores, n * n * sizeof(float)));
  causal_tiles_kernel<good><<<dim3(4, 4), dim3(8, 8)>>>(scores, n);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy(result.data(), scores, n * n * sizeof(float),  // BUG
                     cudaMemcpyDeviceToHost));
  CUDA_OK(cudaFree(scores));
  RESULT(result[31] == 0.0f);
}

// Tile descriptors of a look-back hold a status and a sum in one word. Only the status is set at
// first: a sum that is not there yet is read along with it, and must not be used.
struct alignas(8) Descriptor {
  int status;
  int sum;
};

template <bool good>
__global__ void clear_descriptors_kernel(Descriptor* tiles) {
  tiles[threadIdx.x].status = 0;
}

template <bool good>
__global__ void look_back_kernel(const int* in, Descriptor* tiles, int* out) {
  if (threadIdx.x != 0) return;
  const int tile = static_cast<int>(blockIdx.x);
  int before = 0;
  if (tile > 0) {
    unsigned long long word;
    do {
      word = *reinterpret_cast<volatile unsigned long long*>(&tiles[tile - 1]);
    } while (static_cast<int>(word & 0xffffffffu) == 0);
    before = static_cast<int>(word >> 32);
  }
  if (!good && tile == 0) before = tiles[gridDim.x].sum & 1;  // BUG
  out[tile] = before;
  if (!good && before != 0) out[tile] += 1;  // BUG
  const unsigned long long mine =
      static_cast<unsigned long long>(static_cast<unsigned>(before + in[tile])) << 32 | 1u;
  *reinterpret_cast<volatile unsigned long long*>(&tiles[tile]) = mine;
}

template <bool good>
void descriptor_without_sum() {
  Array<int> in(7, 5), out(7);
  Descriptor* tiles = nullptr;
  CUDA_OK(cudaMalloc(&tiles, 8 * sizeof(Descriptor)));
  clear_descriptors_kernel<good><<<1, 8>>>(tiles);
  look_back_kernel<good><<<7, 32>>>(in, tiles, out);
  KERNEL_OK();
  RESULT(out.host()[6] == 30);
  if (!good) out.host();  // BUG: where the branch became a selection
  CUDA_OK(cudaFree(tiles));
}

// A sliding window whose radius is larger than the image is high.
template <bool good>
__global__ void box_filter_kernel(const float* in, float* out, int width, int height, int radius) {
  const int x = threadIdx.x;
  if (x >= width) return;
  const int reach = good ? min(radius, height - 1) : radius;
  float sum = 0.0f;
  for (int y = 0; y <= reach; ++y) sum += in[y * width + x];  // BUG
  for (int y = 0; y < height; ++y) {
    out[y * width + x] = sum;
    if (y + radius + 1 < height) sum += in[(y + radius + 1) * width + x];
    if (y - radius >= 0) sum -= in[(y - radius) * width + x];
  }
}

template <bool good>
void box_filter() {
  Array<float> in(20 * 6, 1.0f), out(20 * 6);
  box_filter_kernel<good><<<1, 32>>>(in, out, 20, 6, 10);
  KERNEL_OK();
  RESULT(out.host()[0] == 6.0f);
}

// The first column of a row is read before it is known that the row has one; the last row is empty.
template <bool good>
__global__ void last_row_empty_kernel(const int* starts, const int* columns, int* first, int rows) {
  const int row = global_index();
  if (row >= rows) return;
  const int begin = starts[row], end = starts[row + 1];
  const int column = !good || begin < end ? columns[begin] : -1;  // BUG
  first[row] = column;
}

template <bool good>
void last_row_empty() {
  std::vector<int> starts;
  for (int row = 0; row <= 16; ++row) starts.push_back(row < 16 ? 2 * row : 30);
  Array<int> device_starts(starts), columns(counting<int>(30)), first(16);
  last_row_empty_kernel<good><<<1, 32>>>(device_starts, columns, first, 16);
  KERNEL_OK();
  RESULT(first.host()[15] == -1);
}

// An index of 16 bits comes around, and the end of the array is never reached.
template <bool good>
__global__ void short_index_kernel(int* out, int n) {
  using Index = std::conditional_t<good, int, unsigned char>;
  const Index i = static_cast<Index>(global_index());
  if (i < n) atomicExch(&out[i], 7);
}

template <bool good>
void short_index() {
  std::vector<int> result(300);
  int* out = nullptr;
  CUDA_OK(cudaMalloc(&out, 300 * sizeof(int)));
  short_index_kernel<good><<<3, 100>>>(out, 300);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy(result.data(), out, 300 * sizeof(int), cudaMemcpyDeviceToHost));  // BUG
  CUDA_OK(cudaFree(out));
  RESULT(result[299] == 7);
}

// Partial sums of a gradient in shared memory: the array is sized for the warps, and the index is
// the thread's.
template <bool good>
__global__ void shared_by_thread_kernel(const float* in, float* out) {
  extern __shared__ float partial[];
  const unsigned warp = threadIdx.x / 32;
  float value = in[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(full, value, offset);
  if (good) {
    if (threadIdx.x % 32 == 0) partial[warp] = value;
  } else {
    partial[threadIdx.x] = value;  // BUG
  }
  __syncthreads();
  float sum = 0.0f;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) sum += partial[w];
  out[threadIdx.x] = sum;
}

template <bool good>
void shared_by_thread() {
  Array<float> in(128, 1.0f), out(128);
  shared_by_thread_kernel<good><<<1, 128, 4 * sizeof(float)>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 128.0f);
}

// Half-precision pairs are added to by a 32-bit atomic, at an odd element.
template <bool good>
__global__ void odd_pair_kernel(__half2* pairs, const int* place) {
  half* first = reinterpret_cast<half*>(pairs) + (good ? place[0] & ~1 : place[0]);
  atomicAdd(reinterpret_cast<__half2*>(first), __float2half2_rn(1.0f));  // BUG
}

template <bool good>
void odd_pair() {
  Array<__half2> pairs(8, __float2half2_rn(0.0f));
  Array<int> place(1, 3);
  odd_pair_kernel<good><<<1, 1>>>(pairs, place);
  KERNEL_OK();
}

const Case cases[] = {
    CASE(serial_split_k, "race"),
    CASE(semaphore_without_barrier, "race"),
    CASE(wmma_store, "race"),
    CASE(wmma_load, "race"),
    CASE(cub_storage_reused, "race"),
    CASE(cub_union_in_a_loop, "race"),
    CASE(hash_table, "race"),
    CASE(ticket_lock, "race"),
    CASE(petersons_lock, "race"),
    CASE(vote_of_the_block, "race"),
    CASE(arrived_too_soon, "race"),
    CASE(halves_of_a_warp, "race"),
    CASE(warp_leader, "race"),
    CASE(online_softmax, "race"),
    CASE(count_valid, "uninitialised"),
    CASE(causal_tiles, "uninitialised"),
    CASE(descriptor_without_sum, "uninitialised"),
    CASE(box_filter, "out-of-bounds"),
    CASE(last_row_empty, "out-of-bounds"),
    CASE(short_index, "uninitialised"),
    CASE(shared_by_thread, "out-of-bounds"),
    CASE(odd_pair, "misaligned"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

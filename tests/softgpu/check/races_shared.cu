// Races on shared memory: between the lanes of a warp and between the warps of a block.
#include <cooperative_groups.h>

#include "cases.cuh"

namespace cg = cooperative_groups;

constexpr unsigned full = 0xffffffffu;

// --- A barrier is missing between a write and a read ---

// The array is turned around through shared memory.
template <bool good>
__global__ void reverse_kernel(int* values) {
  __shared__ int tile[256];
  tile[threadIdx.x] = values[threadIdx.x];  // BUG: write
  if (good) __syncthreads();
  values[threadIdx.x] = tile[255 - threadIdx.x];  // BUG: read
}

template <bool good>
void reverse() {
  Array<int> values(counting<int>(256));
  reverse_kernel<good><<<1, 256>>>(values);
  KERNEL_OK();
  RESULT(values.host()[0] == 255);
}

// A sum by halves, with no barrier in the loop.
template <bool good>
__global__ void sum_by_halves_kernel(const int* in, int* sum) {
  __shared__ int partial[256];
  partial[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  for (unsigned stride = 128; stride > 0; stride /= 2) {
    if (threadIdx.x < stride) partial[threadIdx.x] += partial[threadIdx.x + stride];  // BUG
    if (good) __syncthreads();
  }
  if (threadIdx.x == 0) *sum = partial[0];
}

template <bool good>
void sum_by_halves() {
  Array<int> in(256, 1), sum(1);
  sum_by_halves_kernel<good><<<1, 256>>>(in, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 256);
}

// The barrier is there in the loop, but not between loading and the first step.
template <bool good>
__global__ void sum_first_step_kernel(const int* in, int* sum) {
  __shared__ int partial[128];
  partial[threadIdx.x] = in[threadIdx.x];  // BUG: write
  if (good) __syncthreads();
  for (unsigned stride = 64; stride > 0; stride /= 2) {
    if (threadIdx.x < stride) partial[threadIdx.x] += partial[threadIdx.x + stride];  // BUG: read
    __syncthreads();
  }
  if (threadIdx.x == 0) *sum = partial[0];
}

template <bool good>
void sum_first_step() {
  Array<int> in(128, 1), sum(1);
  sum_first_step_kernel<good><<<1, 128>>>(in, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 128);
}

// One thread computes a value that all use.
template <bool good>
__global__ void broadcast_kernel(const int* in, int* out) {
  __shared__ int base;
  if (threadIdx.x == 0) base = in[blockIdx.x];  // BUG: write
  if (good) __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = base + static_cast<int>(threadIdx.x);  // BUG: read
}

template <bool good>
void broadcast() {
  Array<int> in(4, 10), out(4 * 64);
  broadcast_kernel<good><<<4, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[65] == 11);
}

// A stencil reads the tile's neighbours, which other threads load, halo cells too.
template <bool good>
__global__ void stencil_halo_kernel(const float* in, float* out, int n) {
  __shared__ float tile[130];
  const int i = blockIdx.x * 128 + threadIdx.x;
  const int t = threadIdx.x + 1;
  tile[t] = i < n ? in[i] : 0.0f;                                    // BUG: write
  if (threadIdx.x == 0) tile[0] = i > 0 ? in[i - 1] : 0.0f;          // BUG: write
  if (threadIdx.x == 127) tile[129] = i + 1 < n ? in[i + 1] : 0.0f;  // BUG: write
  if (good) __syncthreads();
  if (i < n) out[i] = tile[t - 1] + tile[t] + tile[t + 1];  // BUG: read
}

template <bool good>
void stencil_halo() {
  Array<float> in(1000, 1.0f), out(1000);
  stencil_halo_kernel<good><<<8, 128>>>(in, out, 1000);
  KERNEL_OK();
  RESULT(out.host()[500] == 3.0f);
}

// A tile is written by rows and read by columns.
template <bool good>
__global__ void transpose_tile_kernel(const float* in, float* out) {
  __shared__ float tile[16][17];
  tile[threadIdx.y][threadIdx.x] = in[threadIdx.y * 16 + threadIdx.x];  // BUG: write
  if (good) __syncthreads();
  out[threadIdx.y * 16 + threadIdx.x] = tile[threadIdx.x][threadIdx.y];  // BUG: read
}

template <bool good>
void transpose_tile() {
  Array<float> in(counting<float>(256)), out(256);
  transpose_tile_kernel<good><<<1, dim3(16, 16)>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[1] == 16.0f);
}

// Two-level reduction: the sums of the warps are read by the first warp.
template <bool good>
__global__ void warp_sums_kernel(const int* in, int* sum) {
  __shared__ int warp_sums[8];
  int value = in[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(full, value, offset);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = value;  // BUG: write
  if (good) __syncthreads();
  if (threadIdx.x < 32) {
    int total = threadIdx.x < 8 ? warp_sums[threadIdx.x] : 0;  // BUG: read
    for (int offset = 4; offset > 0; offset /= 2) total += __shfl_down_sync(full, total, offset);
    if (threadIdx.x == 0) *sum = total;
  }
}

template <bool good>
void warp_sums() {
  Array<int> in(256, 1), sum(1);
  warp_sums_kernel<good><<<1, 256>>>(in, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 256);
}

// --- A barrier is missing between a read and the next write ---

template <bool barrier>
__device__ int block_sum(int value, int* warp_sums) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(full, value, offset);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = value;  // BUG: write
  __syncthreads();
  int total = 0;
  for (unsigned w = 0; w < blockDim.x / 32; ++w) total += warp_sums[w];  // BUG: read
  if (barrier) __syncthreads();
  return total;
}

// The same scratch serves two sums in a row: a fast warp writes the second while a slow one still
// reads the first.
template <bool good>
__global__ void scratch_reused_kernel(const int* in, int* out) {
  __shared__ int warp_sums[4];
  const int value = in[threadIdx.x];
  const int sum = block_sum<good>(value, warp_sums);
  const int squares = block_sum<good>(value * value, warp_sums);
  out[threadIdx.x] = sum + squares;
}

template <bool good>
void scratch_reused() {
  Array<int> in(128, 2), out(128);
  scratch_reused_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 256 + 512);
}

// Tiles of a matrix product: no barrier before the next tiles are loaded.
template <bool good, bool first>
__device__ void multiply_tiles(const float* a, const float* b, float* c, int n) {
  __shared__ float left[16][16];
  __shared__ float right[16][16];
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  float sum = 0.0f;
  for (int tile = 0; tile < n; tile += 16) {
    left[y][x] = a[row * n + tile + x];        // BUG: write
    right[y][x] = b[(tile + y) * n + column];  // BUG: write
    if (good || !first) __syncthreads();
    for (int k = 0; k < 16; ++k) sum += left[y][k] * right[k][x];  // BUG: read
    if (good || first) __syncthreads();
  }
  c[row * n + column] = sum;
}

template <bool good>
__global__ void matmul_no_barrier_after_kernel(const float* a, const float* b, float* c, int n) {
  multiply_tiles<good, false>(a, b, c, n);
}

template <bool good>
__global__ void matmul_no_barrier_before_kernel(const float* a, const float* b, float* c, int n) {
  multiply_tiles<good, true>(a, b, c, n);
}

template <bool good>
void matmul_no_barrier_after() {
  Array<float> a(counting<float>(32 * 32)), b(counting<float>(32 * 32)), c(32 * 32);
  matmul_no_barrier_after_kernel<good><<<dim3(2, 2), dim3(16, 16)>>>(a, b, c, 32);
  KERNEL_OK();
  RESULT(c.host()[0] == 333312.0f);
}

template <bool good>
void matmul_no_barrier_before() {
  Array<float> a(counting<float>(32 * 32)), b(counting<float>(32 * 32)), c(32 * 32);
  matmul_no_barrier_before_kernel<good><<<dim3(2, 2), dim3(16, 16)>>>(a, b, c, 32);
  KERNEL_OK();
  RESULT(c.host()[0] == 333312.0f);
}

// Two buffers spare one barrier per step, not both: without any, a warp may be two steps ahead.
template <bool good>
__global__ void double_buffer_kernel(const float* in, float* out, int steps) {
  __shared__ float buffer[2][64];
  float sum = 0.0f;
  for (int step = 0; step < steps; ++step) {
    buffer[step % 2][threadIdx.x] = in[step * 64 + threadIdx.x];  // BUG: write
    if (good) __syncthreads();
    sum += buffer[step % 2][63 - threadIdx.x];  // BUG: read
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void double_buffer() {
  Array<float> in(counting<float>(5 * 64)), out(64);
  double_buffer_kernel<good><<<1, 64>>>(in, out, 5);
  KERNEL_OK();
  RESULT(out.host()[63] == 640.0f);
}

// Hillis and Steele's scan in one array: reading and writing need a barrier between them too.
template <bool good>
__global__ void scan_one_buffer_kernel(int* values) {
  __shared__ int sums[128];
  const unsigned t = threadIdx.x;
  sums[t] = values[t];
  __syncthreads();
  for (unsigned offset = 1; offset < 128; offset *= 2) {
    const int left = t >= offset ? sums[t - offset] : 0;  // BUG: read
    if (good) __syncthreads();
    sums[t] += left;  // BUG: write
    __syncthreads();
  }
  values[t] = sums[t];
}

template <bool good>
void scan_one_buffer() {
  Array<int> values(128, 1);
  scan_one_buffer_kernel<good><<<1, 128>>>(values);
  KERNEL_OK();
  RESULT(values.host()[127] == 128);
}

// Blelloch's scan: the barrier is there on the way up, and was forgotten on the way down.
template <bool good>
__global__ void scan_by_tree_kernel(int* values) {
  __shared__ int tree[256];
  const unsigned t = threadIdx.x;
  tree[2 * t] = values[2 * t];
  tree[2 * t + 1] = values[2 * t + 1];
  unsigned offset = 1;
  for (unsigned width = 128; width > 0; width /= 2) {
    __syncthreads();
    if (t < width) tree[offset * (2 * t + 2) - 1] += tree[offset * (2 * t + 1) - 1];
    offset *= 2;
  }
  if (t == 0) tree[255] = 0;
  for (unsigned width = 1; width < 256; width *= 2) {
    offset /= 2;
    if (good) __syncthreads();
    if (t < width) {
      const unsigned left = offset * (2 * t + 1) - 1, right = offset * (2 * t + 2) - 1;
      const int sum = tree[left];  // BUG: read
      tree[left] = tree[right];    // BUG: read and write
      tree[right] += sum;          // BUG: read and write
    }
  }
  __syncthreads();
  values[2 * t] = tree[2 * t];
  values[2 * t + 1] = tree[2 * t + 1];
}

template <bool good>
void scan_by_tree() {
  Array<int> values(256, 1);
  scan_by_tree_kernel<good><<<1, 128>>>(values);
  KERNEL_OK();
  RESULT(values.host()[255] == 255);
}

// "Something changed" is cleared for the next turn while others still read it.
template <bool good>
__global__ void changed_flag_kernel(int* values, int* turns) {
  __shared__ int cells[64];
  __shared__ int changed;
  const unsigned t = threadIdx.x;
  cells[t] = values[t];
  if (t == 0) changed = 1;
  __syncthreads();
  int count = 0;
  while (changed != 0) {  // BUG: read
    if (good) __syncthreads();
    if (t == 0) changed = 0;  // BUG: write
    const int best = t > 0 && cells[t - 1] > cells[t] ? cells[t - 1] : cells[t];
    __syncthreads();
    if (best != cells[t]) {
      cells[t] = best;
      atomicExch(&changed, 1);
    }
    __syncthreads();
    ++count;
    if (count > 200) break;
  }
  values[t] = cells[t];
  if (t == 0) *turns = count;
}

template <bool good>
void changed_flag() {
  std::vector<int> start(64, 0);
  start[0] = 7;
  Array<int> values(start), turns(1);
  changed_flag_kernel<good><<<1, 64>>>(values, turns);
  KERNEL_OK();
  RESULT(values.host()[63] == 7);
}

// Softmax: the maximum is still being read when the same scratch takes the sum.
template <bool good>
__global__ void softmax_kernel(const float* in, float* out) {
  __shared__ float scratch[128];
  const unsigned t = threadIdx.x;
  scratch[t] = in[t];
  __syncthreads();
  for (unsigned stride = 64; stride > 0; stride /= 2) {
    if (t < stride) scratch[t] = fmaxf(scratch[t], scratch[t + stride]);
    __syncthreads();
  }
  const float largest = scratch[0];  // BUG: read
  if (good) __syncthreads();
  const float value = expf(in[t] - largest);
  scratch[t] = value;  // BUG: write
  __syncthreads();
  for (unsigned stride = 64; stride > 0; stride /= 2) {
    if (t < stride) scratch[t] += scratch[t + stride];
    __syncthreads();
  }
  out[t] = value / scratch[0];
}

template <bool good>
void softmax() {
  Array<float> in(128, 3.0f), out(128);
  softmax_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[5] == 1.0f / 128);
}

// Memory for two phases in one union: the second begins before all are through with the first.
template <bool good>
__global__ void union_reused_kernel(const int* in, float* out) {
  __shared__ union {
    int keys[64];
    float weights[64];
  } phase;
  const unsigned t = threadIdx.x;
  phase.keys[t] = in[t];
  __syncthreads();
  const int key = phase.keys[t ^ 63u];  // BUG: read
  if (good) __syncthreads();
  phase.weights[t] = 0.5f * static_cast<float>(key);  // BUG: write
  __syncthreads();
  out[t] = phase.weights[(t + 1) % 64];
}

template <bool good>
void union_reused() {
  Array<int> in(counting<int>(64));
  Array<float> out(64);
  union_reused_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 31.0f);
}

// --- In place ---

// A smoothing step that writes where neighbours read.
template <bool good>
__global__ void smooth_in_place_kernel(float* values) {
  __shared__ float row[256];
  const unsigned t = threadIdx.x;
  row[t] = values[t];
  __syncthreads();
  if (good) {
    const float mean = t > 0 && t < 255 ? (row[t - 1] + row[t] + row[t + 1]) / 3 : row[t];
    __syncthreads();
    row[t] = mean;
  } else if (t > 0 && t < 255) {
    row[t] = (row[t - 1] + row[t] + row[t + 1]) / 3;  // BUG: read and write
  }
  __syncthreads();
  values[t] = row[t];
}

template <bool good>
void smooth_in_place() {
  Array<float> values(counting<float>(256));
  smooth_in_place_kernel<good><<<1, 256>>>(values);
  KERNEL_OK();
  RESULT(values.host()[9] == 9.0f);
}

// A square is transposed in place; each pair has to be exchanged by one of its two threads.
template <bool good>
__global__ void transpose_in_place_kernel(int* matrix) {
  __shared__ int square[16][16];
  const unsigned x = threadIdx.x, y = threadIdx.y;
  square[y][x] = matrix[y * 16 + x];
  __syncthreads();
  if (!good || x < y) {
    const int upper = square[y][x];  // BUG: read
    square[y][x] = square[x][y];     // BUG: read and write
    square[x][y] = upper;            // BUG: write
  }
  __syncthreads();
  matrix[y * 16 + x] = square[y][x];
}

template <bool good>
void transpose_in_place() {
  Array<int> matrix(counting<int>(256));
  transpose_in_place_kernel<good><<<1, dim3(16, 16)>>>(matrix);
  KERNEL_OK();
  RESULT(matrix.host()[1] == 16);
}

// Odd-even transposition sort: each step works on what the last one wrote.
template <bool good>
__global__ void odd_even_sort_kernel(int* values) {
  __shared__ int keys[128];
  const unsigned t = threadIdx.x;
  keys[2 * t] = values[2 * t];
  keys[2 * t + 1] = values[2 * t + 1];
  __syncthreads();
  for (unsigned step = 0; step < 128; ++step) {
    const unsigned i = 2 * t + step % 2;
    if (i + 1 < 128 && keys[i] > keys[i + 1]) {  // BUG: read
      const int larger = keys[i];
      keys[i] = keys[i + 1];  // BUG: write
      keys[i + 1] = larger;   // BUG: write
    }
    if (good) __syncthreads();
  }
  __syncthreads();
  values[2 * t] = keys[2 * t];
  values[2 * t + 1] = keys[2 * t + 1];
}

template <bool good>
void odd_even_sort() {
  std::vector<int> start;
  for (int i = 0; i < 128; ++i) start.push_back(127 - i);
  Array<int> values(start);
  odd_even_sort_kernel<good><<<1, 64>>>(values);
  KERNEL_OK();
  RESULT(values.host() == counting<int>(128));
}

// Bitonic sort with its barrier outside the inner loop.
template <bool good>
__global__ void bitonic_sort_kernel(int* values) {
  __shared__ int keys[256];
  const unsigned t = threadIdx.x;
  keys[t] = values[t];
  __syncthreads();
  for (unsigned size = 2; size <= 256; size *= 2) {
    for (unsigned stride = size / 2; stride > 0; stride /= 2) {
      const unsigned partner = t ^ stride;
      if (partner > t && (keys[t] > keys[partner]) == ((t & size) == 0)) {  // BUG: read
        const int swap = keys[t];
        keys[t] = keys[partner];  // BUG: write
        keys[partner] = swap;     // BUG: write
      }
      if (good) __syncthreads();
    }
    if (!good) __syncthreads();
  }
  values[t] = keys[t];
}

template <bool good>
void bitonic_sort() {
  std::vector<int> start;
  for (int i = 0; i < 256; ++i) start.push_back((i * 101) % 256);
  Array<int> values(start);
  bitonic_sort_kernel<good><<<1, 256>>>(values);
  KERNEL_OK();
  RESULT(values.host() == counting<int>(256));
}

// --- Atomics are missing ---

template <bool good>
__global__ void histogram_kernel(const unsigned* in, unsigned* bins, int n) {
  __shared__ unsigned counts[16];
  if (threadIdx.x < 16) counts[threadIdx.x] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    if (good) {
      atomicAdd(&counts[in[i] % 16], 1u);
    } else {
      ++counts[in[i] % 16];  // BUG: read and write
    }
  }
  __syncthreads();
  if (threadIdx.x < 16) bins[threadIdx.x] = counts[threadIdx.x];
}

template <bool good>
void histogram() {
  Array<unsigned> in(counting<unsigned>(512)), bins(16);
  histogram_kernel<good><<<1, 128>>>(in, bins, 512);
  KERNEL_OK();
  RESULT(bins.host()[3] == 32);
}

// The largest value, by comparing and storing.
template <bool good>
__global__ void maximum_kernel(const int* in, int* out) {
  __shared__ int largest;
  if (threadIdx.x == 0) largest = 0;
  __syncthreads();
  const int value = in[threadIdx.x];
  if (good) {
    atomicMax(&largest, value);
  } else if (value > largest) {  // BUG: read
    largest = value;             // BUG: write
  }
  __syncthreads();
  if (threadIdx.x == 0) *out = largest;
}

template <bool good>
void maximum() {
  Array<int> in(counting<int>(128)), out(1);
  maximum_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// Places in a queue are handed out by a plain increment.
template <bool good>
__global__ void queue_tail_kernel(const int* in, int* out, int* count) {
  __shared__ int queue[128];
  __shared__ int tail;
  if (threadIdx.x == 0) tail = 0;
  __syncthreads();
  if (in[threadIdx.x] % 2 == 0) {
    const int place = good ? atomicAdd(&tail, 1) : tail++;  // BUG: read and write
    queue[place] = in[threadIdx.x];                         // BUG: write
  }
  __syncthreads();
  if (static_cast<int>(threadIdx.x) < tail) out[threadIdx.x] = queue[threadIdx.x];
  if (threadIdx.x == 0) *count = tail;
}

template <bool good>
void queue_tail() {
  Array<int> in(counting<int>(128)), out(128), count(1);
  queue_tail_kernel<good><<<1, 128>>>(in, out, count);
  KERNEL_OK();
  RESULT(count.host()[0] == 64);
}

// Bits of one word are set by the threads that they stand for.
template <bool good>
__global__ void bit_mask_kernel(const int* in, unsigned* mask) {
  __shared__ unsigned words[4];
  if (threadIdx.x < 4) words[threadIdx.x] = 0;
  __syncthreads();
  if (in[threadIdx.x] > 10) {
    const unsigned bit = 1u << threadIdx.x % 32;
    if (good) {
      atomicOr(&words[threadIdx.x / 32], bit);
    } else {
      words[threadIdx.x / 32] |= bit;  // BUG: read and write
    }
  }
  __syncthreads();
  if (threadIdx.x < 4) mask[threadIdx.x] = words[threadIdx.x];
}

template <bool good>
void bit_mask() {
  Array<int> in(counting<int>(128));
  Array<unsigned> mask(4);
  bit_mask_kernel<good><<<1, 128>>>(in, mask);
  KERNEL_OK();
  RESULT(mask.host()[0] == 0xfffff800u);
}

// A count by atomics is read without waiting for the others.
template <bool good>
__global__ void count_read_early_kernel(const int* in, int* out) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  if (in[threadIdx.x] > 5) atomicAdd(&count, 1);  // BUG: write
  if (good) __syncthreads();
  out[threadIdx.x] = count;  // BUG: read
}

template <bool good>
void count_read_early() {
  Array<int> in(counting<int>(64)), out(64);
  count_read_early_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 58);
}

// The counter is cleared by one thread while others already add to it.
template <bool good>
__global__ void cleared_late_kernel(const int* in, int* out) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;  // BUG: write
  if (good) __syncthreads();
  if (in[threadIdx.x] > 5) atomicAdd(&count, 1);  // BUG: write
  __syncthreads();
  if (threadIdx.x == 0) *out = count;
}

template <bool good>
void cleared_late() {
  Array<int> in(counting<int>(64)), out(1);
  cleared_late_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 58);
}

// --- Lanes of one warp ---

// The old "warp-synchronous" end of a reduction: since Volta the lanes of a warp do not run in
// step.
template <bool good>
__global__ void warp_tail_kernel(const int* in, int* sum) {
  __shared__ int partial[64];
  const unsigned t = threadIdx.x;
  partial[t] = in[t];
  __syncthreads();
  if (t < 32) {
    for (unsigned stride = 32; stride > 0; stride /= 2) {
      const int other = partial[t + stride];  // BUG: read
      if (good) __syncwarp();
      partial[t] += other;  // BUG: write
      if (good) __syncwarp();
    }
    if (t == 0) *sum = partial[0];
  }
}

template <bool good>
void warp_tail() {
  Array<int> in(64, 1), sum(1);
  warp_tail_kernel<good><<<1, 64>>>(in, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 64);
}

// The same with a volatile pointer, as books had it: volatile keeps the compiler from caching, and
// orders nothing between lanes.
template <bool good>
__global__ void warp_tail_volatile_kernel(const int* in, int* sum) {
  __shared__ int partial[64];
  const unsigned t = threadIdx.x;
  partial[t] = in[t];
  __syncthreads();
  if (t < 32) {
    volatile int* shared = partial;
    shared[t] = shared[t] + shared[t + 32];  // BUG: write
    if (good) __syncwarp();
    for (unsigned stride = 16; stride > 0; stride /= 2) {
      const int other = t < stride ? shared[t + stride] : 0;  // BUG: read
      if (good) __syncwarp();
      if (t < stride) shared[t] = shared[t] + other;  // BUG: write
      if (good) __syncwarp();
    }
    if (t == 0) *sum = shared[0];
  }
}

template <bool good>
void warp_tail_volatile() {
  Array<int> in(64, 1), sum(1);
  warp_tail_volatile_kernel<good><<<1, 64>>>(in, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 64);
}

// Lanes hand over values through shared memory; a shuffle between does not order memory.
template <bool good>
__global__ void shuffle_is_no_barrier_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const unsigned lane = threadIdx.x;
  line[lane] = in[lane];  // BUG: write
  const int first = __shfl_sync(full, in[lane], 0);
  if (good) __syncwarp();
  out[lane] = first + line[31 - lane];  // BUG: read
}

template <bool good>
void shuffle_is_no_barrier() {
  Array<int> in(counting<int>(32)), out(32);
  shuffle_is_no_barrier_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 31);
}

// A vote does not order memory either.
template <bool good>
__global__ void vote_is_no_barrier_kernel(const int* in, int* out) {
  __shared__ int kept[32];
  const unsigned lane = threadIdx.x;
  const unsigned mask = __ballot_sync(full, in[lane] % 3 == 0);
  if (in[lane] % 3 == 0) kept[__popc(mask & ((1u << lane) - 1))] = in[lane];  // BUG: write
  const bool any = __any_sync(full, in[lane] > 100);
  if (good) __syncwarp();
  out[lane] = any || static_cast<int>(lane) >= __popc(mask) ? 0 : kept[lane];  // BUG: read
}

template <bool good>
void vote_is_no_barrier() {
  Array<int> in(counting<int>(32)), out(32);
  vote_is_no_barrier_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[1] == 3);
}

// A barrier of the warp where the neighbour is in another warp.
template <bool good>
__global__ void syncwarp_for_block_kernel(const int* in, int* out) {
  __shared__ int line[64];
  line[threadIdx.x] = in[threadIdx.x];  // BUG: write
  if (good) {
    __syncthreads();
  } else {
    __syncwarp();
  }
  out[threadIdx.x] = line[(threadIdx.x + 1) % 64];  // BUG: read
}

template <bool good>
void syncwarp_for_block() {
  Array<int> in(counting<int>(64)), out(64);
  syncwarp_for_block_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 0);
}

// Tiles of 16 threads synchronise, and one reads what the other tile of the warp wrote.
template <bool good>
__global__ void tile_too_small_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition < good ? 32 : 16 > (block);
  line[block.thread_rank()] = in[block.thread_rank()];  // BUG: write
  tile.sync();
  out[block.thread_rank()] = line[31 - block.thread_rank()];  // BUG: read
}

template <bool good>
void tile_too_small() {
  Array<int> in(counting<int>(32)), out(32);
  tile_too_small_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 31);
}

// A reduction by a tile through shared memory without tile.sync().
template <bool good>
__global__ void tile_without_sync_kernel(const int* in, int* out) {
  __shared__ int values[64];
  const cg::thread_block block = cg::this_thread_block();
  const auto tile = cg::tiled_partition<16>(block);
  int* mine = values + block.thread_rank() / 16 * 16;
  const unsigned rank = tile.thread_rank();
  mine[rank] = in[block.thread_rank()];
  tile.sync();
  for (unsigned stride = 8; stride > 0; stride /= 2) {
    if (rank < stride) mine[rank] += mine[rank + stride];  // BUG: read and write
    if (good) tile.sync();
  }
  if (rank == 0) out[block.thread_rank() / 16] = mine[0];
}

template <bool good>
void tile_without_sync() {
  Array<int> in(64, 1), out(4);
  tile_without_sync_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[2] == 16);
}

// Lanes of two sides of a branch use one slot.
template <bool good>
__global__ void both_sides_of_a_branch_kernel(const int* in, int* out) {
  __shared__ int slot[2];
  if (threadIdx.x < 2) slot[threadIdx.x] = 0;
  __syncwarp();
  if (threadIdx.x < 16) {
    if (threadIdx.x == 3) slot[0] = in[3];  // BUG: write
  } else {
    if (threadIdx.x == 20) slot[good ? 1 : 0] = in[20];  // BUG: write
  }
  __syncwarp();
  out[threadIdx.x] = slot[0] + slot[1];
}

template <bool good>
void both_sides_of_a_branch() {
  Array<int> in(counting<int>(32)), out(32);
  both_sides_of_a_branch_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 23);
}

// --- What is no barrier ---

// A fence orders one thread's accesses; it waits for nobody.
template <bool good>
__global__ void fence_is_no_barrier_kernel(const int* in, int* out) {
  __shared__ int line[128];
  line[threadIdx.x] = in[threadIdx.x];  // BUG: write
  __threadfence_block();
  if (good) __syncthreads();
  out[threadIdx.x] = line[127 - threadIdx.x];  // BUG: read
}

template <bool good>
void fence_is_no_barrier() {
  Array<int> in(counting<int>(128)), out(128);
  fence_is_no_barrier_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// A named barrier of two warps; a third reads what they wrote.
__device__ void named_barrier(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

template <bool good>
__global__ void named_barrier_members_kernel(const int* in, int* out) {
  __shared__ int line[64];
  const int t = threadIdx.x;
  if (t < 64) line[t] = in[t];  // BUG: write
  if (good) {
    named_barrier(1, 96);
  } else if (t < 64) {
    named_barrier(1, 64);
  }
  if (t >= 64) out[t - 64] = line[t - 64] + line[t - 32];  // BUG: read
}

template <bool good>
void named_barrier_members() {
  Array<int> in(counting<int>(64)), out(32);
  named_barrier_members_kernel<good><<<1, 96>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[1] == 34);
}

// A producer and a consumer warp: the producer writes the next line while the last one is being
// read, because there is a barrier for "full" and none for "empty".
template <bool good>
__global__ void named_barrier_empty_kernel(const int* in, int* out, int steps) {
  __shared__ int line[32];
  const int lane = threadIdx.x % 32;
  const bool producer = threadIdx.x < 32;
  int sum = 0;
  for (int step = 0; step < steps; ++step) {
    if (producer) line[lane] = in[step * 32 + lane];  // BUG: write
    named_barrier(1, 64);
    if (!producer) sum += line[31 - lane];  // BUG: read
    if (good) named_barrier(2, 64);
  }
  if (!producer) out[lane] = sum;
}

template <bool good>
void named_barrier_empty() {
  Array<int> in(counting<int>(4 * 32)), out(32);
  named_barrier_empty_kernel<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[31] == 192);
}

// Two arrays in dynamic shared memory; the second begins before the first ends.
template <bool good>
__global__ void overlapping_partition_kernel(const int* in, int* out) {
  extern __shared__ int memory[];
  int* keys = memory;
  int* places = memory + (good ? 128 : 64);
  const int t = threadIdx.x;
  keys[t] = in[t];      // BUG: write
  places[t] = 127 - t;  // BUG: write
  __syncthreads();
  out[t] = keys[places[t] & 127];
}

template <bool good>
void overlapping_partition() {
  Array<int> in(counting<int>(128)), out(128);
  overlapping_partition_kernel<good><<<1, 128, 256 * sizeof(int)>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// --- Algorithms in steps ---

// Butterflies of a fast Walsh transform: each stage works on the last one's results.
template <bool good>
__global__ void butterflies_kernel(int* values) {
  __shared__ int line[128];
  const unsigned t = threadIdx.x;
  line[t] = values[t];
  line[t + 64] = values[t + 64];
  __syncthreads();
  for (unsigned half = 64; half > 0; half /= 2) {
    const unsigned low = t / half * 2 * half + t % half;
    const int a = line[low], b = line[low + half];  // BUG: read
    line[low] = a + b;                              // BUG: write
    line[low + half] = a - b;                       // BUG: write
    if (good) __syncthreads();
  }
  if (!good) __syncthreads();
  values[t] = line[t];
  values[t + 64] = line[t + 64];
}

template <bool good>
void butterflies() {
  Array<int> values(counting<int>(128));
  butterflies_kernel<good><<<1, 64>>>(values);
  KERNEL_OK();
  RESULT(values.host()[0] == 8128);
}

// A table of distances of two words, filled by anti-diagonals.
template <bool good>
__global__ void wavefront_kernel(const char* a, const char* b, int* distance) {
  __shared__ int table[33][33];
  const int t = threadIdx.x;
  table[0][t] = t;
  table[t][0] = t;
  if (t == 0) table[0][32] = table[32][0] = 32;
  __syncwarp();
  for (int diagonal = 0; diagonal < 63; ++diagonal) {
    const int i = t + 1, j = diagonal - t + 1;
    if (j >= 1 && j <= 32) {
      const int change = table[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);  // BUG: read
      table[i][j] = min(change, min(table[i - 1][j], table[i][j - 1]) + 1);  // BUG: read and write
    }
    if (good) __syncwarp();
  }
  if (t == 31) *distance = table[32][32];
}

template <bool good>
void wavefront() {
  std::vector<char> a(32, 'a'), b(32, 'a');
  b[5] = 'b';
  Array<char> device_a(a), device_b(b);
  Array<int> distance(1);
  wavefront_kernel<good><<<1, 32>>>(device_a, device_b, distance);
  KERNEL_OK();
  RESULT(distance.host()[0] == 1);
}

// Elimination: the rows below the pivot's are changed while the pivot's row is still being divided.
template <bool good>
__global__ void elimination_kernel(float* matrix) {
  __shared__ float rows[16][17];
  const int x = threadIdx.x, y = threadIdx.y;
  rows[y][x] = matrix[16 * y + x];
  __syncthreads();
  for (int k = 0; k < 15; ++k) {
    const float factor = rows[y][k] / rows[k][k];  // BUG: read
    const float above = rows[k][x];                // BUG: read
    if (good) __syncthreads();
    if (y > k && x >= k) rows[y][x] -= factor * above;  // BUG: write
    __syncthreads();
  }
  matrix[16 * y + x] = rows[y][x];
}

template <bool good>
void elimination() {
  std::vector<float> start;
  for (int i = 0; i < 256; ++i) start.push_back(i / 16 == i % 16 ? 20.0f : 1.0f + i % 3);
  Array<float> matrix(start);
  elimination_kernel<good><<<1, dim3(16, 16)>>>(matrix);
  KERNEL_OK();
}

// Offsets of a counting sort: they are computed by one warp and used by all.
template <bool good>
__global__ void counting_sort_kernel(const int* in, int* out) {
  __shared__ int counts[32], offsets[32];
  const unsigned t = threadIdx.x;
  if (t < 32) counts[t] = 0;
  __syncthreads();
  const int key = in[t] & 31;
  const int rank = atomicAdd(&counts[key], 1);
  __syncthreads();
  if (t < 32) {
    int sum = counts[t];
    for (unsigned offset = 1; offset < 32; offset *= 2) {
      const int left = __shfl_up_sync(full, sum, offset);
      if (t >= offset) sum += left;
    }
    offsets[t] = sum - counts[t];  // BUG: write
  }
  if (good) __syncthreads();
  out[(offsets[key] + rank) & 127] = in[t];  // BUG: read
}

template <bool good>
void counting_sort() {
  std::vector<int> values;
  for (int i = 0; i < 128; ++i) values.push_back((i * 7) % 32);
  Array<int> in(values), out(128);
  counting_sort_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[127] == 31);
}

// One thread's byte lies in the word that another writes whole.
template <bool good>
__global__ void byte_of_a_word_kernel(const unsigned* in, unsigned* out) {
  __shared__ unsigned words[33];
  const unsigned t = threadIdx.x;
  words[t] = in[t];  // BUG: write
  if (good) __syncwarp();
  reinterpret_cast<unsigned char*>(words)[4 * (t ^ 1) + 3] = 0xff;  // BUG: write
  __syncwarp();
  out[t] = words[t];
}

template <bool good>
void byte_of_a_word() {
  Array<unsigned> in(counting<unsigned>(32)), out(32);
  byte_of_a_word_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[3] == 0xff000003u);
}

// --- All write the same ---

template <bool good>
__global__ void found_flag_kernel(const int* in, int* out) {
  __shared__ int found;
  if (threadIdx.x == 0) found = 0;
  __syncthreads();
  if (in[threadIdx.x] % 7 == 0) {
    if (good) {
      atomicExch(&found, 1);
    } else {
      found = 1;  // BUG: write
    }
  }
  __syncthreads();
  if (threadIdx.x == 0) *out = found;
}

template <bool good>
void found_flag() {
  Array<int> in(counting<int>(128)), out(1);
  found_flag_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 1);
}

// Every thread writes the block's size where one would do.
template <bool good>
__global__ void everyone_writes_kernel(int* out) {
  __shared__ int size;
  if (!good || threadIdx.x == 0) size = static_cast<int>(blockDim.x);  // BUG: write
  __syncthreads();
  out[threadIdx.x] = size;
}

template <bool good>
void everyone_writes() {
  Array<int> out(64);
  everyone_writes_kernel<good><<<1, 64>>>(out);
  KERNEL_OK();
  RESULT(out.host()[9] == 64);
}

// Vertices that a frontier reaches are marked in bytes; two edges reach the same one.
template <bool good>
__global__ void reached_kernel(const int* target, int* reached) {
  __shared__ int marks[32];
  __shared__ bool seen[32];
  const unsigned t = threadIdx.x;
  if (t < 32) seen[t] = false, marks[t] = 0;
  __syncthreads();
  if (good) {
    atomicOr(&marks[target[t]], 1);
  } else {
    seen[target[t]] = true;  // BUG: write
  }
  __syncthreads();
  if (t < 32) reached[t] = seen[t] ? 1 : marks[t];
}

template <bool good>
void reached() {
  std::vector<int> target;
  for (int i = 0; i < 64; ++i) target.push_back(i * i % 32);
  Array<int> device_target(target), result(32);
  reached_kernel<good><<<1, 64>>>(device_target, result);
  KERNEL_OK();
  RESULT(result.host()[25] == 1 && result.host()[3] == 0);
}

const Case cases[] = {
    CASE(reverse, "race"),
    CASE(sum_by_halves, "race"),
    CASE(sum_first_step, "race"),
    CASE(broadcast, "race"),
    CASE(stencil_halo, "race"),
    CASE(transpose_tile, "race"),
    CASE(warp_sums, "race"),
    CASE(scratch_reused, "race"),
    CASE(matmul_no_barrier_after, "race"),
    CASE(matmul_no_barrier_before, "race"),
    CASE(double_buffer, "race"),
    CASE(scan_one_buffer, "race"),
    CASE(scan_by_tree, "race"),
    CASE(changed_flag, "race"),
    CASE(softmax, "race"),
    CASE(union_reused, "race"),
    CASE(smooth_in_place, "race"),
    CASE(transpose_in_place, "race"),
    CASE(odd_even_sort, "race"),
    CASE(bitonic_sort, "race"),
    CASE(histogram, "race"),
    CASE(maximum, "race"),
    CASE(queue_tail, "race"),
    CASE(bit_mask, "race"),
    CASE(count_read_early, "race"),
    CASE(cleared_late, "race"),
    CASE(warp_tail, "race"),
    CASE(warp_tail_volatile, "race"),
    CASE(shuffle_is_no_barrier, "race"),
    CASE(vote_is_no_barrier, "race"),
    CASE(syncwarp_for_block, "race"),
    CASE(tile_too_small, "race"),
    CASE(tile_without_sync, "race"),
    CASE(both_sides_of_a_branch, "race"),
    CASE(fence_is_no_barrier, "race"),
    CASE(named_barrier_members, "race"),
    CASE(named_barrier_empty, "race"),
    CASE(overlapping_partition, "race"),
    CASE(found_flag, "same-value-race"),
    CASE(everyone_writes, "same-value-race"),
    CASE(butterflies, "race"),
    CASE(wavefront, "race"),
    CASE(elimination, "race"),
    CASE(counting_sort, "race"),
    CASE(byte_of_a_word, "race"),
    CASE(reached, "same-value-race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

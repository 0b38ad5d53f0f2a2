// Races on global memory: between threads of a block, and between blocks that nothing orders.
#include <cooperative_groups.h>

#include "cases.cuh"

namespace cg = cooperative_groups;

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

// --- Atomics are missing ---

template <bool good>
__global__ void histogram_kernel(const unsigned* in, unsigned* bins, int n) {
  const int i = global_index();
  if (i >= n) return;
  if (good) {
    atomicAdd(&bins[in[i] % 32], 1u);
  } else {
    bins[in[i] % 32] += 1;  // BUG: read and write
  }
}

template <bool good>
void histogram() {
  Array<unsigned> in(counting<unsigned>(1000)), bins(32);
  histogram_kernel<good><<<8, 128>>>(in, bins, 1000);
  KERNEL_OK();
  RESULT(bins.host()[31] == 31);
}

// Every thread adds its product to one sum.
template <bool good>
__global__ void dot_kernel(const float* a, const float* b, float* sum) {
  const int i = global_index();
  if (good) {
    atomicAdd(sum, a[i] * b[i]);
  } else {
    *sum += a[i] * b[i];  // BUG: read and write
  }
}

template <bool good>
void dot() {
  Array<float> a(256, 1.0f), b(256, 2.0f), sum(1);
  dot_kernel<good><<<2, 128>>>(a, b, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 512.0f);
}

// Each block has its sum right, and one thread of each adds it to the total without an atomic.
template <bool good>
__global__ void block_sums_kernel(const int* in, int* total) {
  __shared__ int partial[64];
  partial[threadIdx.x] = in[global_index()];
  __syncthreads();
  for (unsigned stride = 32; stride > 0; stride /= 2) {
    if (threadIdx.x < stride) partial[threadIdx.x] += partial[threadIdx.x + stride];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    if (good) {
      atomicAdd(total, partial[0]);
    } else {
      *total += partial[0];  // BUG: read and write
    }
  }
}

template <bool good>
void block_sums() {
  Array<int> in(512, 1), total(1);
  block_sums_kernel<good><<<8, 64>>>(in, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 512);
}

// The index of the best, by comparing and storing.
template <bool good>
__global__ void best_kernel(const unsigned* cost, unsigned long long* best) {
  const unsigned i = static_cast<unsigned>(global_index());
  const unsigned long long mine = static_cast<unsigned long long>(cost[i]) << 32 | i;
  if (good) {
    atomicMin(best, mine);
  } else if (mine < *best) {  // BUG: read
    *best = mine;             // BUG: write
  }
}

template <bool good>
void best() {
  std::vector<unsigned> cost;
  for (unsigned i = 0; i < 256; ++i) cost.push_back(1000 - 3 * i);
  Array<unsigned> device_cost(cost);
  Array<unsigned long long> result(1, ~0ull);
  best_kernel<good><<<4, 64>>>(device_cost, result);
  KERNEL_OK();
  RESULT((result.host()[0] & 0xffffffffu) == 255);
}

// Selected values are appended at a counter that is incremented plainly.
template <bool good>
__global__ void append_kernel(const int* in, int* out, int* count) {
  const int i = global_index();
  if (in[i] % 3 != 0) return;
  const int place = good ? atomicAdd(count, 1) : (*count)++;  // BUG: read and write
  out[place] = in[i];                                         // BUG: write
}

template <bool good>
void append() {
  Array<int> in(counting<int>(300)), out(300), count(1);
  append_kernel<good><<<3, 100>>>(in, out, count);
  KERNEL_OK();
  RESULT(count.host()[0] == 100);
}

// Forces of edges are added to both ends.
template <bool good>
__global__ void scatter_kernel(const int2* edges, float* force, int n) {
  const int e = global_index();
  if (e >= n) return;
  const int2 ends = edges[e];
  if (good) {
    atomicAdd(&force[ends.x], 1.0f);
    atomicAdd(&force[ends.y], -1.0f);
  } else {
    force[ends.x] += 1.0f;  // BUG: read and write
    force[ends.y] -= 1.0f;  // BUG: read and write
  }
}

template <bool good>
void scatter() {
  std::vector<int2> edges;
  for (int i = 0; i < 200; ++i) edges.push_back(make_int2(i % 50, (i + 1) % 50));
  Array<int2> device_edges(edges);
  Array<float> force(50);
  scatter_kernel<good><<<2, 128>>>(device_edges, force, 200);
  KERNEL_OK();
  RESULT(force.host()[7] == 0.0f);
}

// Parts of a long inner product are done by different blocks and added to one result.
template <bool good>
__global__ void split_k_kernel(const float* a, const float* b, float* c, int n, int part) {
  const int row = threadIdx.y, column = threadIdx.x;
  float sum = 0.0f;
  for (int k = blockIdx.x * part; k < static_cast<int>(blockIdx.x + 1) * part; ++k) {
    sum += a[row * n + k] * b[k * 8 + column];
  }
  if (good) {
    atomicAdd(&c[row * 8 + column], sum);
  } else {
    c[row * 8 + column] += sum;  // BUG: read and write
  }
}

template <bool good>
void split_k() {
  Array<float> a(8 * 64, 1.0f), b(64 * 8, 1.0f), c(64);
  split_k_kernel<good><<<4, dim3(8, 8)>>>(a, b, c, 64, 16);
  KERNEL_OK();
  RESULT(c.host()[11] == 64.0f);
}

// Eight flags in a byte, each set by another thread.
template <bool good>
__global__ void pack_bits_kernel(const int* in, unsigned* words, unsigned char* bytes) {
  const int i = global_index();
  if (in[i] <= 40) return;
  if (good) {
    atomicOr(&words[i / 32], 1u << i % 32);
  } else {
    bytes[i / 8] |= static_cast<unsigned char>(1u << i % 8);  // BUG: read and write
  }
}

template <bool good>
void pack_bits() {
  Array<int> in(counting<int>(256));
  Array<unsigned> words(8);
  Array<unsigned char> bytes(32);
  pack_bits_kernel<good><<<2, 128>>>(in, words, bytes);
  KERNEL_OK();
  RESULT(words.host()[1] == 0xfffffe00u);
}

// A list is prepended to by many threads: head is read and replaced in two steps.
template <bool good>
__global__ void push_kernel(int* head, int* next) {
  const int i = global_index();
  if (good) {
    next[i] = atomicExch(head, i);
  } else {
    next[i] = *head;  // BUG: read
    *head = i;        // BUG: write
  }
}

template <bool good>
void push() {
  Array<int> head(1, -1), next(128);
  push_kernel<good><<<2, 64>>>(head, next);
  KERNEL_OK();
  if (good) {
    const std::vector<int> links = next.host();
    int length = 0;
    for (int i = head.host()[0]; i >= 0; i = links[i]) ++length;
    CHECK(length == 128);
  }
}

// Union-find: trees are hooked to each other by a plain store to the root.
template <bool good>
__global__ void hook_kernel(const int2* edges, int* parent, int n) {
  const int e = global_index();
  if (e >= n) return;
  int a = edges[e].x, b = edges[e].y;
  if (good) {
    const auto root = [parent](int v) {
      for (int p; (p = atomicAdd(&parent[v], 0)) != v;) v = p;
      return v;
    };
    while ((a = root(a)) != (b = root(b))) {
      if (atomicCAS(&parent[max(a, b)], max(a, b), min(a, b)) == max(a, b)) break;
    }
  } else {
    while (parent[a] != a) a = parent[a];  // BUG: read
    while (parent[b] != b) b = parent[b];  // BUG: read
    if (a < b) parent[b] = a;              // BUG: write
    if (b < a) parent[a] = b;              // BUG: write
  }
}

template <bool good>
void hook() {
  std::vector<int2> edges;
  for (int i = 0; i < 63; ++i) edges.push_back(make_int2(i, i + 1));
  Array<int2> device_edges(edges);
  Array<int> parent(counting<int>(64));
  hook_kernel<good><<<1, 64>>>(device_edges, parent, 63);
  KERNEL_OK();
  if (good) {
    const std::vector<int> p = parent.host();
    int v = 63;
    while (p[v] != v) v = p[v];
    CHECK(v == 0);
  }
}

// --- Atomics and plain accesses to the same place ---

// "If it is better at all, then the atomic": the look before it is a plain read of what others
// change by atomics. A relaxed atomic read makes it right.
template <bool good>
__global__ void relax_edge_kernel(const int2* edges, const int* weight, int* distance, int n) {
  const int e = global_index();
  if (e >= n) return;
  const int candidate = weight[e];
  int* place = &distance[edges[e].y];
  int now;
  if (good) {
    asm volatile("ld.relaxed.gpu.global.s32 %0, [%1];" : "=r"(now) : "l"(place) : "memory");
  } else {
    now = *place;  // BUG: read
  }
  if (candidate < now) atomicMin(place, candidate);  // BUG: write
}

template <bool good>
void relax_edge() {
  std::vector<int2> edges;
  std::vector<int> weight;
  for (int i = 0; i < 128; ++i) edges.push_back(make_int2(0, i % 4)), weight.push_back(500 - i);
  Array<int2> device_edges(edges);
  Array<int> device_weight(weight), distance(4, 1000000);
  relax_edge_kernel<good><<<2, 64>>>(device_edges, device_weight, distance, 128);
  KERNEL_OK();
  RESULT(distance.host()[0] == 500 - 124);
}

// A counter is cleared at the kernel's beginning by its first thread; other blocks count already.
template <bool good>
__global__ void reset_inside_kernel(const int* in, int* count) {
  if (!good && global_index() == 0) *count = 0;  // BUG: write
  __syncthreads();
  if (in[global_index()] > 100) atomicAdd(count, 1);  // BUG: write
}

template <bool good>
void reset_inside() {
  Array<int> in(counting<int>(256)), count(1);
  CUDA_OK(cudaMemset(count, 0, sizeof(int)));
  reset_inside_kernel<good><<<4, 64>>>(in, count);
  KERNEL_OK();
  RESULT(count.host()[0] == 155);
}

// One thread reports the number while other blocks still count.
template <bool good>
__global__ void report_early_kernel(const int* in, int* count, int* report) {
  if (in[global_index()] > 100) atomicAdd(count, 1);  // BUG: write
  __syncthreads();
  if (!good && blockIdx.x == 0 && threadIdx.x == 0) *report = *count;  // BUG: read
}

__global__ void report_kernel(const int* count, int* report) { *report = *count; }

template <bool good>
void report_early() {
  Array<int> in(counting<int>(256)), count(1), report(1);
  report_early_kernel<good><<<4, 64>>>(in, count, report);
  KERNEL_OK();
  if (good) report_kernel<<<1, 1>>>(count, report);
  KERNEL_OK();
  RESULT(report.host()[0] == 155);
}

// An atomic whose scope is the block counts for all blocks.
template <bool good>
__global__ void atomic_of_block_scope_kernel(const unsigned* in, unsigned* bins) {
  unsigned* bin = &bins[in[global_index()] % 8];
  if (good) {
    atomicAdd(bin, 1u);
  } else {
    atomicAdd_block(bin, 1u);  // BUG: read and write
  }
}

template <bool good>
void atomic_of_block_scope() {
  Array<unsigned> in(counting<unsigned>(256)), bins(8);
  atomic_of_block_scope_kernel<good><<<4, 64>>>(in, bins);
  KERNEL_OK();
  RESULT(bins.host()[0] == 32);
}

// A place in the output by a counter of block scope, which other blocks use too.
template <bool good>
__global__ void ticket_of_block_scope_kernel(int* next, int* out) {
  const int ticket = good ? atomicAdd(next, 1) : atomicAdd_block(next, 1);  // BUG: read and write
  out[ticket] = global_index();
}

template <bool good>
void ticket_of_block_scope() {
  Array<int> next(1), out(64);
  ticket_of_block_scope_kernel<good><<<2, 32>>>(next, out);
  KERNEL_OK();
  RESULT(next.host()[0] == 64);
}

// --- Neighbours in place ---

// A step of diffusion that writes into the array that other blocks read.
template <bool good>
__global__ void diffuse_kernel(const float* from, float* to, int n) {
  const int i = global_index();
  if (i > 0 && i < n - 1) to[i] = 0.5f * (from[i - 1] + from[i + 1]);  // BUG: read and write
}

template <bool good>
void diffuse() {
  Array<float> a(counting<float>(512)), b(512);
  diffuse_kernel<good><<<4, 128>>>(a, good ? b : a, 512);
  KERNEL_OK();
  RESULT(b.host()[100] == 100.0f);
}

// The same inside one block: a barrier between reading and writing is enough, and missing.
template <bool good>
__global__ void shift_left_kernel(int* values) {
  const int t = threadIdx.x;
  const int next = values[t + 1];  // BUG: read
  if (good) __syncthreads();
  values[t] = next;  // BUG: write
}

template <bool good>
void shift_left() {
  Array<int> values(counting<int>(129));
  shift_left_kernel<good><<<1, 128>>>(values);
  KERNEL_OK();
  RESULT(values.host()[31] == 32);
}

// A square in tiles is transposed in place; the blocks of a pair both exchange it.
template <bool good>
__global__ void transpose_tiles_kernel(int* matrix, int n) {
  if (good && blockIdx.x < blockIdx.y) return;
  __shared__ int here[8][9], there[8][9];
  const int x = blockIdx.x * 8 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
  const int u = blockIdx.y * 8 + threadIdx.x, v = blockIdx.x * 8 + threadIdx.y;
  here[threadIdx.y][threadIdx.x] = matrix[y * n + x];   // BUG: read
  there[threadIdx.y][threadIdx.x] = matrix[v * n + u];  // BUG: read
  __syncthreads();
  matrix[v * n + u] = here[threadIdx.x][threadIdx.y];  // BUG: write
  if (blockIdx.x != blockIdx.y) {
    matrix[y * n + x] = there[threadIdx.x][threadIdx.y];  // BUG: write
  }
}

template <bool good>
void transpose_tiles() {
  Array<int> matrix(counting<int>(16 * 16));
  transpose_tiles_kernel<good><<<dim3(2, 2), dim3(8, 8)>>>(matrix, 16);
  KERNEL_OK();
  RESULT(matrix.host()[9] == 9 * 16);
}

// Red and black cells take turns; with the wrong colour a row reads cells that are written at once.
template <bool good>
__global__ void red_black_kernel(float* grid, int width, int height, int colour) {
  const int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 4 + threadIdx.y;
  if (x < 1 || y < 1 || x >= width - 1 || y >= height - 1) return;
  if ((good ? (x + y) % 2 : x % 2) != colour) return;
  grid[y * width + x] =
      0.25f * (grid[y * width + x - 1] + grid[y * width + x + 1] +      // BUG: read
               grid[(y - 1) * width + x] + grid[(y + 1) * width + x]);  // BUG: read
}

template <bool good>
void red_black() {
  std::vector<float> start;
  for (int i = 0; i < 32 * 16; ++i) start.push_back(static_cast<float>(i * i % 17));
  Array<float> grid(start);
  for (int colour = 0; colour < 2; ++colour) {
    red_black_kernel<good><<<dim3(2, 4), dim3(16, 4)>>>(grid, 32, 16, colour);
    KERNEL_OK();
  }
}

// PageRank reads ranks and writes them in one pass.
template <bool good>
__global__ void rank_kernel(const int* links, const float* from, float* to, int n) {
  const int v = global_index();
  if (v >= n) return;
  float sum = 0.0f;
  for (int k = 0; k < 4; ++k) sum += from[links[4 * v + k]];  // BUG: read
  to[v] = 0.15f / n + 0.85f * 0.25f * sum;                    // BUG: write
}

template <bool good>
void rank() {
  std::vector<int> links;
  for (int i = 0; i < 4 * 100; ++i) links.push_back((i * 37 + 11) % 100);
  Array<int> device_links(links);
  Array<float> now(counting<float>(100)), next(100);
  rank_kernel<good><<<2, 64>>>(device_links, now, good ? next : now, 100);
  KERNEL_OK();
}

// Blocks write their halo too, which is the interior of the next block.
template <bool good>
__global__ void halo_written_kernel(const int* in, int* out, int n) {
  const int i = static_cast<int>(blockIdx.x * 62 + threadIdx.x) - 1;
  if (i < 0 || i >= n) return;
  const int value = in[i] + static_cast<int>(blockIdx.x);
  if (!good || (threadIdx.x > 0 && threadIdx.x < 63)) out[i] = value;  // BUG: write
}

template <bool good>
void halo_written() {
  Array<int> in(310, 1), out(310);
  halo_written_kernel<good><<<5, 64>>>(in, out, 310);
  KERNEL_OK();
  RESULT(out.host()[70] == 2);
}

// --- One part of a kernel reads what another part wrote ---

// The second half of a kernel reads what the first half of other blocks wrote.
template <bool good>
__global__ void two_phases_kernel(const int* in, int* middle, int* out, int phase) {
  const int i = global_index();
  if (!good || phase == 0) middle[i] = 2 * in[i];  // BUG: write
  if (!good) __syncthreads();
  if (!good || phase == 1) out[i] = middle[255 - i];  // BUG: read
}

template <bool good>
void two_phases() {
  Array<int> in(counting<int>(256)), middle(256), out(256);
  for (int phase = 0; phase < (good ? 2 : 1); ++phase) {
    two_phases_kernel<good><<<4, 64>>>(in, middle, out, phase);
  }
  KERNEL_OK();
  RESULT(out.host()[0] == 510);
}

// Block 0 adds up the sums of all blocks at its own end.
template <bool good>
__global__ void first_block_adds_kernel(const int* in, int* sums, int* total) {
  const int sum = __syncthreads_count(in[global_index()] > 3);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;  // BUG: write
  if (!good && blockIdx.x == gridDim.x - 1 && threadIdx.x == 0) {
    int all = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) all += sums[b];  // BUG: read
    *total = all;
  }
}

__global__ void add_sums_kernel(const int* sums, int n, int* total) {
  int all = 0;
  for (int b = 0; b < n; ++b) all += sums[b];
  *total = all;
}

template <bool good>
void first_block_adds() {
  Array<int> in(counting<int>(256)), sums(4), total(1);
  first_block_adds_kernel<good><<<4, 64>>>(in, sums, total);
  if (good) add_sums_kernel<<<1, 1>>>(sums, 4, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 252);
}

// A block works in several steps on global memory of its own, without a barrier between the steps.
template <bool good>
__global__ void scan_in_global_kernel(int* a, int* b) {
  const int t = threadIdx.x;
  int* from = a + blockIdx.x * 128;
  int* to = b + blockIdx.x * 128;
  for (int offset = 1; offset < 128; offset *= 2) {
    to[t] = from[t] + (t >= offset ? from[t - offset] : 0);  // BUG: read and write
    if (good) __syncthreads();
    int* const last = from;
    from = to;
    to = last;
  }
}

template <bool good>
void scan_in_global() {
  Array<int> a(256, 1), b(256);
  scan_in_global_kernel<good><<<2, 128>>>(a, b);
  KERNEL_OK();
  RESULT(b.host()[127] == 128);
}

// Merge sort's passes inside one kernel; a block reads what another merged.
template <bool good>
__global__ void merge_pass_kernel(const int* from, int* to, int width) {
  const int first = global_index() * 2 * width;
  int a = first, b = first + width;
  for (int k = first; k < first + 2 * width; ++k) {
    const bool left = b >= first + 2 * width || (a < first + width && from[a] <= from[b]);
    to[k] = left ? from[a++] : from[b++];  // BUG: read and write
  }
}

template <bool good>
__global__ void merge_all_kernel(int* x, int* y, int n) {
  for (int width = 1; width < n; width *= 2) {
    const int first = global_index() * 2 * width;
    if (first < n) {
      int a = first, b = first + width;
      for (int k = first; k < first + 2 * width; ++k) {
        const bool left =
            b >= first + 2 * width || (a < first + width && x[a] <= x[b]);  // BUG: read
        y[k] = left ? x[a++] : x[b++];                                      // BUG: read and write
      }
    }
    __syncthreads();
    int* const last = x;
    x = y;
    y = last;
  }
}

template <bool good>
void merge_passes() {
  std::vector<int> values;
  for (int i = 0; i < 64; ++i) values.push_back((i * 29) % 64);
  Array<int> a(values), b(64);
  if (good) {
    int *from = a, *to = b;
    for (int width = 1; width < 64; width *= 2) {
      merge_pass_kernel<good><<<1, 32 / width>>>(from, to, width);
      std::swap(from, to);
    }
  } else {
    merge_all_kernel<good><<<2, 16>>>(a, b, 64);
  }
  KERNEL_OK();
  RESULT(a.host() == counting<int>(64));
}

// Lanes of a warp pass a value along in global memory.
template <bool good>
__global__ void lanes_in_global_kernel(int* line) {
  const int lane = threadIdx.x;
  line[lane] = lane * lane;  // BUG: write
  if (good) __syncwarp();
  const int other = line[lane ^ 1];  // BUG: read
  if (good) __syncwarp();
  line[lane] += other;  // BUG: write
}

template <bool good>
void lanes_in_global() {
  Array<int> line(32);
  lanes_in_global_kernel<good><<<1, 32>>>(line);
  KERNEL_OK();
  RESULT(line.host()[3] == 13);
}

// A device variable as scratch, shared by all blocks.
__device__ float scratch[64];

template <bool good>
__global__ void device_variable_kernel(const float* in, float* out) {
  __shared__ float own[64];
  float* memory = good ? own : scratch;
  memory[threadIdx.x] = in[global_index()];  // BUG: write
  __syncthreads();
  out[global_index()] = memory[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void device_variable() {
  Array<float> in(counting<float>(256)), out(256);
  device_variable_kernel<good><<<4, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[64] == 127.0f);
}

// Rows of a workspace by threadIdx alone: blocks use the same ones.
template <bool good>
__global__ void workspace_kernel(const int* in, int* workspace, int* out) {
  const int row = good ? global_index() : static_cast<int>(threadIdx.x);
  int* stack = workspace + row * 8;
  for (int k = 0; k < 8; ++k) stack[k] = in[global_index()] + k;  // BUG: write
  int sum = 0;
  for (int k = 7; k >= 0; --k) sum += stack[k] * (k + in[k]);  // BUG: read
  out[global_index()] = sum;
}

template <bool good>
void workspace() {
  Array<int> in(counting<int>(128)), space(128 * 8), out(128);
  workspace_kernel<good><<<4, 32>>>(in, space, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 2 * 140);
}

// A sum of two-dimensional blocks where two of them have the same number.
template <bool good>
__global__ void block_number_kernel(int* visits) {
  const unsigned block = good ? blockIdx.y * gridDim.x + blockIdx.x : blockIdx.y + blockIdx.x;
  if (threadIdx.x == 0) visits[block] += static_cast<int>(block + 1);  // BUG: read and write
}

template <bool good>
void block_number() {
  Array<int> visits(9);
  block_number_kernel<good><<<dim3(3, 3), 32>>>(visits);
  KERNEL_OK();
  RESULT(visits.host()[8] == 9);
}

// The last block writes past its part, into values that the first block of the next part reads.
template <bool good>
__global__ void parts_overlap_kernel(int* values, int part) {
  const int begin = static_cast<int>(blockIdx.x) * part;
  const int end = begin + part + (good ? 0 : 1);
  for (int i = begin + threadIdx.x; i < end; i += blockDim.x)
    values[i] += 1;  // BUG: read and write
}

template <bool good>
void parts_overlap() {
  Array<int> values(4 * 100 + 1);
  parts_overlap_kernel<good><<<4, 32>>>(values, 100);
  KERNEL_OK();
  RESULT(values.host()[100] == 1);
}

// --- Whole programs in one kernel ---

// Bodies move while others still compute their forces from where they are.
template <bool good>
__global__ void bodies_kernel(const float* from, float* to, int n) {
  const int i = global_index();
  float force = 0.0f;
  for (int k = 0; k < n; ++k) {
    const float distance = from[k] - from[i];  // BUG: read
    force += distance / (1.0f + distance * distance);
  }
  to[i] = from[i] + 0.1f * force;  // BUG: write
}

template <bool good>
void bodies() {
  Array<float> now(counting<float>(128)), next(128);
  bodies_kernel<good><<<2, 64>>>(now, good ? next : now, 128);
  KERNEL_OK();
}

// All shortest paths: the turns over the intermediate vertex are not parted by anything.
template <bool good>
__global__ void shortest_paths_kernel(int* distance, int n, int begin, int end) {
  const int row = blockIdx.x, column = threadIdx.x;
  for (int k = begin; k < end; ++k) {
    const int through = distance[row * n + k] + distance[k * n + column];  // BUG: read
    if (good && (row == k || column == k)) continue;
    if (through < distance[row * n + column]) distance[row * n + column] = through;  // BUG: write
  }
}

template <bool good>
void shortest_paths() {
  const int n = 16;
  std::vector<int> start;
  for (int i = 0; i < n * n; ++i) {
    const int row = i / n, column = i % n;
    start.push_back(row == column ? 0 : column == (row + 1) % n ? 1 : 1000);
  }
  Array<int> distance(start);
  if (good) {
    for (int k = 0; k < n; ++k) shortest_paths_kernel<good><<<n, n>>>(distance, n, k, k + 1);
  } else {
    shortest_paths_kernel<good><<<n, n>>>(distance, n, 0, n);
  }
  KERNEL_OK();
  RESULT(distance.host()[n - 1] == n - 1);
}

// A generator of random numbers for each block, and all of its threads draw from it.
template <bool good>
__global__ void draw_kernel(unsigned* state, int* inside) {
  unsigned* mine = &state[good ? global_index() : static_cast<int>(blockIdx.x)];
  int count = 0;
  for (int k = 0; k < 4; ++k) {
    unsigned s = *mine;  // BUG: read
    s ^= s << 13, s ^= s >> 17, s ^= s << 5;
    *mine = s;  // BUG: write
    count += s % 4 != 0 ? 1 : 0;
  }
  atomicAdd(inside, count);
}

template <bool good>
void one_generator() {
  std::vector<unsigned> seeds;
  for (unsigned i = 1; i <= 128; ++i) seeds.push_back(747796405u * i);
  Array<unsigned> state(seeds);
  Array<int> inside(1);
  draw_kernel<good><<<2, 64>>>(state, inside);
  KERNEL_OK();
}

// Sums of clusters: each point adds to its nearest centre.
template <bool good>
__global__ void centres_kernel(const float2* points, const int* nearest, float2* sums, int n) {
  const int i = global_index();
  if (i >= n) return;
  float2* sum = &sums[nearest[i]];
  if (good) {
    atomicAdd(&sum->x, points[i].x);
    atomicAdd(&sum->y, points[i].y);
  } else {
    sum->x += points[i].x;  // BUG: read and write
    sum->y += points[i].y;  // BUG: read and write
  }
}

template <bool good>
void centres() {
  std::vector<int> nearest;
  for (int i = 0; i < 200; ++i) nearest.push_back(i * i % 5);
  Array<float2> points(200, make_float2(1.0f, 2.0f)), sums(5, make_float2(0.0f, 0.0f));
  Array<int> device_nearest(nearest);
  centres_kernel<good><<<2, 128>>>(points, device_nearest, sums, 200);
  KERNEL_OK();
}

// A counter of 64 bits, whose lower half is also added to as one of 32.
template <bool good>
__global__ void atomics_of_two_sizes_kernel(unsigned long long* count) {
  if (good || threadIdx.x % 2 == 0) {
    atomicAdd(count, 1ull);  // BUG: read and write
  } else {
    atomicAdd(reinterpret_cast<unsigned*>(count), 1u);  // BUG: read and write
  }
}

template <bool good>
void atomics_of_two_sizes() {
  Array<unsigned long long> count(1);
  atomics_of_two_sizes_kernel<good><<<1, 64>>>(count);
  KERNEL_OK();
  RESULT(count.host()[0] == 64);
}

// The rows of an image are filtered into the image itself, which rows of other blocks read.
template <bool good>
__global__ void columns_kernel(const int* from, int* to, int width, int height) {
  const int x = threadIdx.x, y = blockIdx.x;
  const int above = y > 0 ? from[(y - 1) * width + x] : 0;           // BUG: read
  const int below = y < height - 1 ? from[(y + 1) * width + x] : 0;  // BUG: read
  to[y * width + x] = above + below + from[y * width + x];           // BUG: write
}

template <bool good>
void columns_in_place() {
  Array<int> image(counting<int>(32 * 8)), result(32 * 8);
  columns_kernel<good><<<8, 32>>>(image, good ? result : image, 32, 8);
  KERNEL_OK();
  RESULT(result.host()[32] == 0 + 64 + 32);
}

// --- All write the same ---

template <bool good>
__global__ void changed_kernel(const int* now, const int* before, int* changed) {
  const int i = global_index();
  if (now[i] == before[i]) return;
  if (good) {
    atomicExch(changed, 1);
  } else {
    *changed = 1;  // BUG: write
  }
}

template <bool good>
void changed() {
  Array<int> now(256, 1), before(256, 0), flag(1);
  changed_kernel<good><<<4, 64>>>(now, before, flag);
  KERNEL_OK();
  RESULT(flag.host()[0] == 1);
}

// Breadth-first search: all that reach a vertex in one turn give it the same level.
template <bool good>
__global__ void level_kernel(const int2* edges, const int* frontier, int* level, int turn, int n) {
  const int e = global_index();
  if (e >= n || !frontier[edges[e].x]) return;
  if (good) {
    atomicExch(&level[edges[e].y], turn);
  } else {
    level[edges[e].y] = turn;  // BUG: write
  }
}

template <bool good>
void level() {
  std::vector<int2> edges;
  for (int i = 0; i < 200; ++i) edges.push_back(make_int2(i % 20, 20 + i % 7));
  Array<int2> device_edges(edges);
  Array<int> frontier(20, 1), levels(27, -1);
  level_kernel<good><<<2, 128>>>(device_edges, frontier, levels, 1, 200);
  KERNEL_OK();
  RESULT(levels.host()[20] == 1);
}

// A sieve: several divisors cross out the same number.
template <bool good>
__global__ void sieve_kernel(unsigned char* composite, int n) {
  if (good) {
    const int number = global_index();
    if (number < 4 || number >= n) return;
    for (int divisor = 2; divisor * divisor <= number; ++divisor) {
      if (number % divisor == 0) composite[number] = 1;
    }
  } else {
    const int divisor = global_index() + 2;
    for (int k = divisor * divisor; k < n; k += divisor) composite[k] = 1;  // BUG: write
  }
}

template <bool good>
void sieve() {
  Array<unsigned char> composite(200);
  sieve_kernel<good><<<4, 64>>>(composite, 200);
  KERNEL_OK();
  RESULT(composite.host()[97] == 0 && composite.host()[99] == 1);
}

const Case cases[] = {
    CASE(histogram, "race"),
    CASE(dot, "race"),
    CASE(block_sums, "race"),
    CASE(best, "race"),
    CASE(append, "race"),
    CASE(scatter, "race"),
    CASE(split_k, "race"),
    CASE(pack_bits, "race"),
    CASE(push, "race"),
    CASE(hook, "race"),
    CASE(relax_edge, "race"),
    CASE(reset_inside, "race"),
    CASE(report_early, "race"),
    CASE(atomic_of_block_scope, "race"),
    CASE(ticket_of_block_scope, "race"),
    CASE(diffuse, "race"),
    CASE(shift_left, "race"),
    CASE(transpose_tiles, "race"),
    CASE(red_black, "race"),
    CASE(rank, "race"),
    CASE(halo_written, "race"),
    CASE(two_phases, "race"),
    CASE(first_block_adds, "race"),
    CASE(scan_in_global, "race"),
    CASE(merge_passes, "race"),
    CASE(lanes_in_global, "race"),
    CASE(device_variable, "race"),
    CASE(workspace, "race"),
    CASE(block_number, "race"),
    CASE(parts_overlap, "race"),
    CASE(changed, "same-value-race"),
    CASE(level, "same-value-race"),
    CASE(bodies, "race"),
    CASE(shortest_paths, "race"),
    CASE(one_generator, "race"),
    CASE(centres, "race"),
    CASE(atomics_of_two_sizes, "race"),
    CASE(columns_in_place, "race"),
    CASE(sieve, "same-value-race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

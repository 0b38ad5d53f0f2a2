// Mistakes in kernels of many kinds (containers, numerics, graphs of points, images), as somebody
// would make them who knows none of the other files.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
#include <cuda_fp16.h>

#include <cuda/atomic>

#include "cases.cuh"

namespace cg = cooperative_groups;

// --- memory --------------------------------------------------------------------------------------

struct Body {
  float position[3];
  float velocity[3];
};
// The last component of the last body is read as a vector of four.
template <bool good>
__global__ void speeds_kernel(const Body* bodies, float* out, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  float sum = 0;
  for (int k = 0; k < (good ? 3 : 4); ++k) {
    const float v = reinterpret_cast<const float*>(bodies)[i * 6 + 3 + k];  // BUG
    sum += v * v;
  }
  out[i] = sum;
}
template <bool good>
void fourth_component() {
  Array<Body> bodies(20, Body{{1, 2, 3}, {1, 1, 1}});
  Array<float> out(20);
  speeds_kernel<good><<<1, 32>>>(bodies, out, 20);
  KERNEL_OK();
  RESULT(out.host()[19] == 3);
}

// Compressed rows whose table of ends has one entry too few.
template <bool good>
__global__ void row_sums_kernel(const int* begin, const float* values, float* out, int rows) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  float sum = 0;
  for (int k = begin[row]; k < begin[row + 1]; ++k) sum += values[k];  // BUG
  out[row] = sum;
}
template <bool good>
void table_without_its_end() {
  const int rows = 64;
  std::vector<int> begin;
  for (int r = 0; r <= rows; ++r) begin.push_back(3 * r);
  if (!good) begin.pop_back();
  Array<int> of(begin);
  Array<float> values(3 * rows, 1.0f), out(rows);
  row_sums_kernel<good><<<2, 32>>>(of, values, out, rows);
  KERNEL_OK();
  RESULT(out.host()[rows - 1] == 3);
}

// A ring that is addressed with a remainder of a negative number.
template <bool good>
__global__ void previous_in_ring_kernel(const int* ring, int* out, int n) {
  const int i = threadIdx.x;
  const int before = good ? (i - 1 + n) % n : (i - 1) % n;
  out[i] = ring[before];  // BUG
}
template <bool good>
void ring_goes_negative() {
  Array<int> ring(counting<int>(32)), out(32);
  previous_in_ring_kernel<good><<<1, 32>>>(ring, out, 32);
  KERNEL_OK();
  RESULT(out.host()[0] == 31);
}

// 32-bit arithmetic on an index of a table of several planes.
template <bool good>
__global__ void plane_kernel(float* planes, int width, int height) {
  const int x = threadIdx.x, y = blockIdx.x, z = blockIdx.y;
  // The width where the height belongs: planes overlap, and the last ends outside.
  planes[(z * (good ? height : width) + y) * width + x] = static_cast<float>(z);  // BUG
}
template <bool good>
void planes_of_a_width() {
  const int width = 32, height = 16, depth = 3;
  Array<float> planes(width * height * depth, -1.0f);
  plane_kernel<good><<<dim3(height, depth), width>>>(planes, width, height);
  KERNEL_OK();
  RESULT(planes.host()[width * height * 2] == 2);
}

// The block writes as many partial results as it has threads, the array has one for each warp.
template <bool good>
__global__ void warp_results_kernel(const int* in, int* partial) {
  int v = in[blockIdx.x * blockDim.x + threadIdx.x];
  v = __reduce_add_sync(0xffffffffu, v);
  const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
  if (good) {
    if (threadIdx.x % 32 == 0) partial[warp] = v;
  } else {
    partial[blockIdx.x * blockDim.x + threadIdx.x] = v;  // BUG
  }
}
template <bool good>
void result_of_each_thread() {
  Array<int> in(256, 1), partial(8);
  warp_results_kernel<good><<<2, 128>>>(in, partial);
  KERNEL_OK();
  RESULT(partial.host()[7] == 32);
}

// An image in three interleaved bytes, of which a kernel reads four.
template <bool good>
__global__ void grey_kernel(const unsigned char* rgb, unsigned char* grey, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  if (good) {
    grey[i] = static_cast<unsigned char>((rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) / 3);
  } else {
    const uchar3* pixels = reinterpret_cast<const uchar3*>(rgb);
    const uchar3 p = pixels[i + 1];  // BUG
    grey[i] = static_cast<unsigned char>((p.x + p.y + p.z) / 3);
  }
}
template <bool good>
void pixel_after_the_last() {
  Array<unsigned char> rgb(3 * 100, 9), grey(100);
  grey_kernel<good><<<4, 32>>>(rgb, grey, 100);
  KERNEL_OK();
  RESULT(grey.host()[99] == 9);
}

// A shared tile that is laid out for one block size and used with another.
template <bool good>
__global__ void tile_for_128_kernel(const float* in, float* out) {
  __shared__ float tile[128];
  __shared__ float weights[16];
  if (threadIdx.x < 16) weights[threadIdx.x] = 1;
  tile[threadIdx.x] = in[threadIdx.x];  // BUG
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x] * weights[threadIdx.x % 16];  // BUG
}
template <bool good>
void block_larger_than_its_tile() {
  const int n = good ? 128 : 160;
  Array<float> in(n, 2.0f), out(n);
  tile_for_128_kernel<good><<<1, n>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[127] == 2);
}

// The carve-up of dynamic shared memory puts doubles behind an odd number of floats.
template <bool good>
__global__ void carved_kernel(double* out, int floats) {
  extern __shared__ char memory[];
  float* first = reinterpret_cast<float*>(memory);
  const int padded = good ? (floats + 1) / 2 * 2 : floats;
  double* second = reinterpret_cast<double*>(first + padded);
  if (threadIdx.x < floats) first[threadIdx.x] = 1;
  second[threadIdx.x] = threadIdx.x;  // BUG
  __syncthreads();
  out[threadIdx.x] = second[threadIdx.x] + first[0];
}
template <bool good>
void doubles_behind_floats() {
  Array<double> out(32);
  carved_kernel<good><<<1, 32, 34 * 4 + 32 * 8>>>(out, 33);
  KERNEL_OK();
  RESULT(out.host()[31] == 32);
}

// A thread's stack of pending nodes that is one too short.
template <bool good>
__global__ void depth_first_kernel(const int* left, const int* right, int* visited, int depth) {
  int stack[8];
  int size = 0;
  stack[size++] = 0;
  int count = 0;
  while (size > 0) {
    const int node = stack[--size];
    ++count;
    if (left[node] >= 0) {
      for (int k = 0; k < (good ? 1 : 9 + depth); ++k) {
        stack[size++ % (good ? 8 : 4096)] = left[node];  // BUG
      }
      size = good ? size : 0;
      if (good) stack[size++] = right[node];
    }
  }
  visited[threadIdx.x] = count;
}
template <bool good>
void stack_of_nodes() {
  std::vector<int> left(7, -1), right(7, -1);
  for (int i = 0; i < 3; ++i) {
    left[i] = 2 * i + 1;
    right[i] = 2 * i + 2;
  }
  Array<int> l(left), r(right), visited(1, 0);
  depth_first_kernel<good><<<1, 1>>>(l, r, visited, 2000);
  KERNEL_OK();
  RESULT(visited.host()[0] == 7);
}

// A double where two floats lie, from an odd one on.
template <bool good>
__global__ void pairs_kernel(const float* in, float* out) {
  const int i = threadIdx.x;
  const float2 pair = *reinterpret_cast<const float2*>(in + 2 * i + (good ? 0 : 1));  // BUG
  out[i] = pair.x + pair.y;
}
template <bool good>
void pairs_from_the_second() {
  Array<float> in(66, 1.0f), out(32);
  pairs_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[5] == 2);
}

// A node of the device's heap is freed by whoever pops it, and one more time by its owner.
template <bool good>
__global__ void owner_and_guest_kernel(int** shared_node, int* out) {
  int* mine = static_cast<int*>(malloc(sizeof(int)));
  *mine = 5;
  *shared_node = mine;
  out[0] = *mine;
  free(*shared_node);
  if (!good) free(mine);  // BUG
}
template <bool good>
void owner_frees_again() {
  Array<int*> node(1, nullptr);
  Array<int> out(1, 0);
  owner_and_guest_kernel<good><<<1, 1>>>(node, out);
  KERNEL_OK();
}

// The header of a packet is only partly set, and a length in it decides.
struct Packet {
  int kind;
  int length;
  int payload[6];
};
template <bool good>
__global__ void make_packets_kernel(Packet* packets) {
  Packet& p = packets[threadIdx.x];
  p.kind = 1;
  if (good || threadIdx.x != 7) p.length = 2;
  p.payload[0] = p.payload[1] = 4;
}
template <bool good>
__global__ void add_packets_kernel(const Packet* packets, int* out) {
  const Packet& p = packets[threadIdx.x];
  int sum = 0;
  for (int i = 0; i < 6; ++i) {
    if (i < p.length) sum += p.payload[i];  // BUG
  }
  out[threadIdx.x] = sum;
}
template <bool good>
void length_of_a_packet() {
  Packet* packets = nullptr;
  CUDA_OK(cudaMalloc(&packets, 32 * sizeof(Packet)));
  Array<int> out(32, 0);
  make_packets_kernel<good><<<1, 32>>>(packets);
  add_packets_kernel<good><<<1, 32>>>(packets, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 8);
  CUDA_OK(cudaFree(packets));
}

// Shared maxima are compared before the first is there.
template <bool good>
__global__ void largest_kernel(const int* in, int* out) {
  __shared__ int largest;
  if (good && threadIdx.x == 0) largest = -1;
  __syncthreads();
  atomicMax(&largest, in[threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0 && largest > 10) *out = largest;  // BUG
}
template <bool good>
void maximum_of_nothing() {
  Array<int> in(counting<int>(64)), out(1, 0);
  largest_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A filter reads a halo of which the corners are never loaded.
template <bool good>
__global__ void corners_kernel(const int* in, int* out) {
  __shared__ int tile[18][18];
  const int x = threadIdx.x, y = threadIdx.y;
  tile[y + 1][x + 1] = in[(y + 1) * 18 + x + 1];
  if (x == 0) tile[y + 1][0] = in[(y + 1) * 18];
  if (x == 15) tile[y + 1][17] = in[(y + 1) * 18 + 17];
  if (y == 0) tile[0][x + 1] = in[x + 1];
  if (y == 15) tile[17][x + 1] = in[17 * 18 + x + 1];
  if (good && x == 0 && y == 0) {
    tile[0][0] = in[0];
    tile[0][17] = in[17];
    tile[17][0] = in[17 * 18];
    tile[17][17] = in[17 * 18 + 17];
  }
  __syncthreads();
  int count = 0;
  for (int dy = 0; dy < 3; ++dy) {
    for (int dx = 0; dx < 3; ++dx) {
      if (tile[y + dy][x + dx] > 0) ++count;  // BUG
    }
  }
  out[y * 16 + x] = count;
}
template <bool good>
void corners_of_the_halo() {
  Array<int> in(18 * 18, 1), out(256);
  corners_kernel<good><<<1, dim3(16, 16)>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 9);
}

// The mean divides by the number of counts, of which only a part is set.
template <bool good>
__global__ void mean_kernel(const float* in, float* out, int n) {
  __shared__ int counts[32];
  if (threadIdx.x < n) counts[threadIdx.x] = 1;
  if (good && threadIdx.x >= n) counts[threadIdx.x] = 0;
  __syncwarp();
  int all = 0;
  for (int i = 0; i < 32; ++i) all += counts[i];
  if (all > n / 2) out[threadIdx.x] = in[threadIdx.x] / all;  // BUG
}
template <bool good>
void count_of_a_part() {
  Array<float> in(32, 20.0f), out(32);
  mean_kernel<good><<<1, 32>>>(in, out, 20);
  KERNEL_OK();
  RESULT(out.host()[0] == 1);
}

// --- races ---------------------------------------------------------------------------------------

// The number of a particle's cell and the list's head are changed one after the other.
template <bool good>
__global__ void cell_list_kernel(int* heads, int* next, const int* cell) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (good) {
    next[i] = atomicExch(&heads[cell[i]], i);
  } else {
    next[i] = heads[cell[i]];  // BUG
    heads[cell[i]] = i;        // BUG
  }
}
template <bool good>
void cell_lists() {
  std::vector<int> cell(128);
  for (int i = 0; i < 128; ++i) cell[i] = i * 7 % 10;
  Array<int> heads(10, -1), next(128, -1), cells(cell);
  cell_list_kernel<good><<<4, 32>>>(heads, next, cells);
  KERNEL_OK();
  const auto first = heads.host(), more = next.host();
  int found = 0;
  for (int c = 0; c < 10; ++c) {
    for (int at = first[c]; at >= 0 && found <= 128; at = more[at]) ++found;
  }
  RESULT(found == 128);
}

// Two lanes of a warp share a byte of a mask of bits.
template <bool good>
__global__ void set_bits_kernel(unsigned* bits, const int* values) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (values[i] % 3 != 0) return;
  if (good) {
    atomicOr(&bits[i / 32], 1u << i % 32);
  } else {
    bits[i / 32] |= 1u << i % 32;  // BUG
  }
}
template <bool good>
void bits_of_a_mask() {
  Array<unsigned> bits(4, 0u);
  Array<int> values(counting<int>(128));
  set_bits_kernel<good><<<2, 64>>>(bits, values);
  KERNEL_OK();
  RESULT(bits.host()[0] == 0x49249249u);
}

// A block writes its sum where the next one has to read it, and goes on without a word.
template <bool good>
__global__ void prefix_of_blocks_kernel(const int* in, int* sums, int* out, int* ready) {
  __shared__ int before;
  const int v = in[blockIdx.x * 32 + threadIdx.x];
  const int mine = __reduce_add_sync(0xffffffffu, v);
  if (threadIdx.x == 0) {
    int left = 0;
    if (blockIdx.x > 0) {
      cuda::atomic_ref<int, cuda::thread_scope_device> flag(ready[blockIdx.x - 1]);
      while (flag.load(good ? cuda::memory_order_acquire : cuda::memory_order_relaxed) == 0) {
      }
      left = sums[blockIdx.x - 1];  // BUG
    }
    sums[blockIdx.x] = left + mine;  // BUG
    cuda::atomic_ref<int, cuda::thread_scope_device> flag(ready[blockIdx.x]);
    flag.store(1, good ? cuda::memory_order_release : cuda::memory_order_relaxed);
    before = left;
  }
  __syncthreads();
  out[blockIdx.x * 32 + threadIdx.x] = before + v;
}
template <bool good>
void sums_passed_on() {
  Array<int> in(128, 1), sums(4, 0), out(128), ready(4, 0);
  prefix_of_blocks_kernel<good><<<4, 32>>>(in, sums, out, ready);
  KERNEL_OK();
  RESULT(out.host()[127] == 97);
}

// The result of the block is taken by thread 32, which belongs to another warp.
template <bool good>
__global__ void norm_kernel(const float* in, float* out) {
  __shared__ float norm;
  float v = in[threadIdx.x];
  float sum = v * v;
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  if (threadIdx.x == 0) norm = sqrtf(sum);  // BUG
  if (good)
    __syncthreads();
  else
    __syncwarp();
  out[threadIdx.x] = v / norm;  // BUG
}
template <bool good>
void norm_of_the_first_warp() {
  Array<float> in(64, 1.0f), out(64);
  norm_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[63] > 0);
}

// Ping and pong: both steps use one buffer.
template <bool good>
__global__ void heat_kernel(float* a, float* b, int steps) {
  const int i = threadIdx.x + 1;
  for (int s = 0; s < steps; ++s) {
    float* to = good ? b : a;
    to[i] = 0.25f * (a[i - 1] + 2 * a[i] + a[i + 1]);  // BUG
    __syncthreads();
    float* swap = a;
    a = b;
    b = swap;
    if (!good) {
      b = a;
      a = swap;
    }
  }
}
template <bool good>
void heat_in_one_buffer() {
  Array<float> a(130, 1.0f), b(130, 1.0f);
  heat_kernel<good><<<1, 128>>>(a, b, 4);
  KERNEL_OK();
  RESULT(b.host()[64] == 1);
}

// The bitonic network synchronises after each stage, and not after each step in it.
template <bool good>
__global__ void network_kernel(int* data) {
  __shared__ int s[128];
  const int t = threadIdx.x;
  s[t] = data[t];
  __syncthreads();
  for (int size = 2; size <= 128; size *= 2) {
    for (int step = size / 2; step > 0; step /= 2) {
      const int other = t ^ step;
      if (other > t) {
        const bool up = (t & size) == 0;
        if ((s[t] > s[other]) == up) {  // BUG
          const int swap = s[t];
          s[t] = s[other];  // BUG
          s[other] = swap;  // BUG
        }
      }
      if (good) __syncthreads();
    }
    __syncthreads();
  }
  data[t] = s[t];
}
template <bool good>
void network_by_stages() {
  std::vector<int> values(128);
  for (int i = 0; i < 128; ++i) values[i] = (i * 37) % 128;
  Array<int> data(values);
  network_kernel<good><<<1, 128>>>(data);
  KERNEL_OK();
  RESULT(data.host() == counting<int>(128));
}

// A queue of work whose entries are read while others are still put in.
template <bool good>
__global__ void breadth_first_kernel(const int* begin, const int* edges, int* level, int* queue,
                                     int* tails) {
  for (int depth = 0; depth < 4; ++depth) {
    const int from = depth == 0 ? 0 : tails[depth - 1];
    const int to = tails[depth];  // BUG
    for (int k = from + threadIdx.x; k < to; k += blockDim.x) {
      const int node = queue[k];
      for (int e = begin[node]; e < begin[node + 1]; ++e) {
        if (atomicCAS(&level[edges[e]], -1, depth + 1) == -1) {
          queue[atomicAdd(&tails[depth + 1], 1)] = edges[e];  // BUG
        }
      }
    }
    if (good) __syncthreads();
  }
}
template <bool good>
void levels_of_a_graph() {
  // A binary tree of 15 nodes. Entries of tails count from the begin of the queue.
  std::vector<int> begin(16), edges;
  for (int i = 0; i < 15; ++i) {
    begin[i] = static_cast<int>(edges.size());
    if (2 * i + 2 < 15) edges.insert(edges.end(), {2 * i + 1, 2 * i + 2});
  }
  begin[15] = static_cast<int>(edges.size());
  Array<int> b(begin), e(edges), queue(16, 0), tails(std::vector<int>{1, 1, 3, 7, 15});
  std::vector<int> levels(15, -1);
  levels[0] = 0;
  Array<int> level(levels);
  breadth_first_kernel<good><<<1, 64>>>(b, e, level, queue, tails);
  KERNEL_OK();
  RESULT(level.host()[14] == 3);
}

// A pool of slots: the flag is given back before the slot is empty.
template <bool good>
__global__ void slots_kernel(int* taken, int* slots, int* out) {
  if (threadIdx.x != 0) return;
  const int slot = 0;
  while (atomicCAS(&taken[slot], 0, 1) != 0) {
  }
  if (good) __threadfence();
  slots[slot] += 1;  // BUG
  out[blockIdx.x] = slots[slot];
  if (good) __threadfence();
  atomicExch(&taken[slot], 0);
}
template <bool good>
void slot_given_back_early() {
  Array<int> taken(1, 0), slots(1, 0), out(8, 0);
  slots_kernel<good><<<8, 32>>>(taken, slots, out);
  KERNEL_OK();
  RESULT(slots.host()[0] == 8);
}

// A matrix is made symmetric, each pair by both of its threads.
template <bool good>
__global__ void symmetric_kernel(float* a, int n) {
  const int i = blockIdx.x, j = threadIdx.x;
  if (good && i > j) return;
  const float mean = 0.5f * (a[i * n + j] + a[j * n + i]);  // BUG
  a[i * n + j] = mean;                                      // BUG
  a[j * n + i] = mean;                                      // BUG
}
template <bool good>
void symmetric_by_both() {
  std::vector<float> values(32 * 32);
  for (int i = 0; i < 32 * 32; ++i) values[i] = static_cast<float>(i);
  Array<float> a(values);
  symmetric_kernel<good><<<32, 32>>>(a, 32);
  KERNEL_OK();
  RESULT(a.host()[1] == a.host()[32]);
}

// The tile of a cooperative group synchronises 16 threads, and the exchange crosses 32.
template <bool good>
__global__ void crossing_kernel(int* out) {
  __shared__ int s[64];
  auto block = cg::this_thread_block();
  auto tile = cg::tiled_partition < good ? 32 : 16 > (block);
  s[threadIdx.x] = threadIdx.x;  // BUG
  tile.sync();
  out[threadIdx.x] = s[threadIdx.x ^ 16];  // BUG
}
template <bool good>
void tile_of_sixteen() {
  Array<int> out(64);
  crossing_kernel<good><<<1, 64>>>(out);
  KERNEL_OK();
  RESULT(out.host()[3] == 19);
}

// The next tile is loaded into the half that others still read.
template <bool good>
__global__ void two_halves_kernel(const int* in, int* out, int tiles) {
  __shared__ int half[2][64];
  const int t = threadIdx.x;
  half[0][t] = in[t];
  __syncthreads();
  int sum = 0;
  for (int k = 0; k < tiles; ++k) {
    if (k + 1 < tiles) half[(good ? k + 1 : k) % 2][t] = in[(k + 1) * 64 + t];  // BUG
    sum += half[k % 2][63 - t];                                                 // BUG
    __syncthreads();
  }
  out[t] = sum;
}
template <bool good>
void wrong_half() {
  Array<int> in(counting<int>(256)), out(64);
  two_halves_kernel<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[63] == 0 + 64 + 128 + 192);
}

// Votes of warps in shared memory, counted by one warp that did not wait.
template <bool good>
__global__ void votes_kernel(const int* in, int* out) {
  __shared__ unsigned votes[4];
  const unsigned vote = __ballot_sync(0xffffffffu, in[threadIdx.x] > 5);
  if (threadIdx.x % 32 == 0) votes[threadIdx.x / 32] = vote;  // BUG
  if (good) __syncthreads();
  if (threadIdx.x < 4) {
    int count = __popc(votes[threadIdx.x]);  // BUG
    count += __shfl_xor_sync(0xfu, count, 1);
    count += __shfl_xor_sync(0xfu, count, 2);
    if (threadIdx.x == 0) *out = count;
  }
}
template <bool good>
void votes_of_warps() {
  Array<int> in(counting<int>(128)), out(1, 0);
  votes_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 122);
}

// A volatile flag between blocks, which orders nothing by itself.
template <bool good>
__global__ void volatile_flag_kernel(volatile int* flag, int* data, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    data[0] = 42;  // BUG
    if (good) __threadfence();
    *flag = 1;
  } else {
    while (*flag == 0) {
    }
    if (good) __threadfence();
    *out = data[0];  // BUG
  }
}
template <bool good>
void volatile_is_no_fence() {
  Array<int> flag(1, 0), data(1, 0), out(1, 0);
  volatile_flag_kernel<good><<<2, 32>>>(flag, data, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// The same row is normalised by two warps.
template <bool good>
__global__ void rows_kernel(float* rows, int width) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int row = good ? warp : warp / 2;
  float sum = 0;
  for (int x = lane; x < width; x += 32) sum += rows[row * width + x];  // BUG
  for (int d = 16; d > 0; d /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, d);
  for (int x = lane; x < width; x += 32) rows[row * width + x] /= sum;  // BUG
}
template <bool good>
void row_of_two_warps() {
  Array<float> rows(4 * 64, 1.0f);
  rows_kernel<good><<<1, 128>>>(rows, 64);
  KERNEL_OK();
  RESULT(rows.host()[0] == 1.0f / 64);
}

// All threads say that they have found something, each with its own number.
template <bool good>
__global__ void found_kernel(const int* in, int* where, int wanted) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (in[i] % wanted == 0) {
    if (good)
      atomicMin(where, i);
    else
      *where = i;  // BUG
  }
}
template <bool good>
void any_that_was_found() {
  Array<int> in(counting<int>(128)), where(1, 1 << 30);
  found_kernel<good><<<4, 32>>>(in, where, 11);
  KERNEL_OK();
  RESULT(where.host()[0] == 0);
}

// The scan of a cooperative group is right; the offset it is added to is taken without a barrier.
template <bool good>
__global__ void offsets_kernel(const int* counts, int* offsets, int* total) {
  __shared__ int base;
  auto warp = cg::tiled_partition<32>(cg::this_thread_block());
  const int count = counts[threadIdx.x];
  const int before = cg::exclusive_scan(warp, count);
  if (threadIdx.x == 31) base = before + count;  // BUG
  if (good) cg::this_thread_block().sync();
  offsets[threadIdx.x] = before + (threadIdx.x >= 32 ? base : 0);  // BUG
  if (threadIdx.x == 63) *total = base + before + count;
}
template <bool good>
void offset_of_the_first_warp() {
  Array<int> counts(64, 2), offsets(64), total(1, 0);
  offsets_kernel<good><<<1, 64>>>(counts, offsets, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 128);
}

// --- synchronisation -----------------------------------------------------------------------------

template <bool good>
__global__ void tiles_of_a_row_kernel(const int* in, int* out, int n) {
  __shared__ int s[64];
  // Each thread goes through its own number of tiles.
  for (int base = 0; base + (good ? 0 : static_cast<int>(threadIdx.x)) < n; base += 64) {
    s[threadIdx.x] = base + threadIdx.x < n ? in[base + threadIdx.x] : 0;
    __syncthreads();  // BUG
    if (base + static_cast<int>(threadIdx.x) < n) out[base + threadIdx.x] = s[threadIdx.x];
    __syncthreads();  // BUG
  }
  if (threadIdx.x == 63) out[0] += 1;
}
template <bool good>
void turns_of_a_row() {
  Array<int> in(100, 1), out(100, 0);
  tiles_of_a_row_kernel<good><<<1, 64>>>(in, out, 100);
  KERNEL_OK();
}

template <bool good>
__global__ void mask_of_active_kernel(const int* in, int* out) {
  const int v = in[threadIdx.x];
  int sum = v;
  if (v % 2 == 0) {
    const unsigned mask = good ? __activemask() : 0xffffffffu;
    sum = __reduce_add_sync(mask, v);  // BUG
  }
  out[threadIdx.x] = sum;
}
template <bool good>
void sum_of_the_even() {
  Array<int> in(counting<int>(32)), out(32);
  mask_of_active_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
}

// A shuffle by the lanes of the last, partial warp, which names lanes that have left.
template <bool good>
__global__ void neighbour_kernel(const int* in, int* out, int n) {
  const int i = threadIdx.x;
  if (i >= n) return;
  const unsigned mask = good ? __activemask() : 0xffffffffu;
  const int other = __shfl_xor_sync(mask, in[i], good ? 1 : 16);  // BUG
  out[i] = other;
}
template <bool good>
void neighbour_in_the_last_warp() {
  Array<int> in(counting<int>(48)), out(48, 0);
  neighbour_kernel<good><<<1, 64>>>(in, out, 48);
  KERNEL_OK();
  RESULT(out.host()[46] == 47);
}

template <bool good>
__global__ void spin_for_all_kernel(int* count, int blocks) {
  if (threadIdx.x == 0) {
    atomicAdd(count, 1);
    // Waits for one block more than there are.
    while (*reinterpret_cast<volatile int*>(count) < (good ? blocks : blocks + 1)) {  // BUG
    }
  }
}
template <bool good>
void one_block_too_many() {
  Array<int> count(1, 0);
  spin_for_all_kernel<good><<<4, 32>>>(count, 4);
  KERNEL_OK();
}

template <bool good>
__global__ void consumer_first_kernel(int* out) {
  __shared__ volatile int ready;
  if (threadIdx.x == 0) ready = 0;
  __syncthreads();
  // Lanes of one warp: those that wait come first in program order, and those that are waited for
  // stand behind the same barrier.
  if (threadIdx.x < 16) {
    if (!good) {
      while (ready == 0) {  // BUG
      }
    }
  }
  __syncwarp();
  if (threadIdx.x == 16) ready = 1;
  __syncwarp();
  out[threadIdx.x] = 1;
}
template <bool good>
void waits_in_front_of_the_barrier() {
  Array<int> out(32, 0);
  consumer_first_kernel<good><<<1, 32>>>(out);
  KERNEL_OK();
}

int main(int argc, char** argv) {
  static constexpr Case cases[] = {
      CASE(fourth_component, "out-of-bounds"),
      CASE(table_without_its_end, "out-of-bounds"),
      CASE(ring_goes_negative, "out-of-bounds"),
      CASE(planes_of_a_width, "out-of-bounds|race"),
      CASE(result_of_each_thread, "out-of-bounds"),
      CASE(pixel_after_the_last, "out-of-bounds"),
      CASE(block_larger_than_its_tile, "out-of-bounds"),
      CASE(doubles_behind_floats, "misaligned"),
      CASE(stack_of_nodes, "out-of-bounds"),
      CASE(pairs_from_the_second, "misaligned"),
      CASE(owner_frees_again, "invalid-free"),
      CASE(length_of_a_packet, "uninitialised"),
      CASE(maximum_of_nothing, "uninitialised"),
      CASE(corners_of_the_halo, "uninitialised"),
      CASE(count_of_a_part, "uninitialised"),
      CASE(cell_lists, "race"),
      CASE(bits_of_a_mask, "race"),
      CASE(sums_passed_on, "race"),
      CASE(norm_of_the_first_warp, "race"),
      CASE(heat_in_one_buffer, "race"),
      CASE(network_by_stages, "race"),
      CASE(levels_of_a_graph, "race"),
      CASE(slot_given_back_early, "race"),
      CASE(symmetric_by_both, "race"),
      CASE(tile_of_sixteen, "race"),
      CASE(wrong_half, "race"),
      CASE(votes_of_warps, "race"),
      CASE(volatile_is_no_fence, "race"),
      CASE(row_of_two_warps, "race"),
      CASE(any_that_was_found, "race"),
      CASE(offset_of_the_first_warp, "race"),
      CASE(turns_of_a_row, "barrier-divergence"),
      CASE(sum_of_the_even, "warp-mask"),
      CASE(neighbour_in_the_last_warp, "warp-mask"),
      CASE(one_block_too_many, "deadlock"),
      CASE(waits_in_front_of_the_barrier, "deadlock"),
  };
  return run_cases(cases, argc, argv);
}

// Reads of memory that nobody has written: global, shared and local memory, the device's heap.
// Undefined values that are only moved are no fault yet; they are one where a branch, an address or
// the host uses them.
#include "cases.cuh"

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

// Counts the positive values: a branch for each.
__global__ void count_positive_kernel(const int* values, int n, int* count) {
  const int i = global_index();
  if (i < n && values[i] > 0) atomicAdd(count, 1);  // BUG
}

void count_positive(const int* values, int n) {
  Array<int> count(1);
  count_positive_kernel<<<(n + 127) / 128, 128>>>(values, n, count);
  KERNEL_OK();
}

// --- Global memory ---

template <bool good>
void never_written() {
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 256 * sizeof(int)));
  if (good) CUDA_OK(cudaMemset(values, 1, 256 * sizeof(int)));
  count_positive(values, 256);
  CUDA_OK(cudaFree(values));
}

template <bool good>
void managed_never_written() {
  int* values = nullptr;
  CUDA_OK(cudaMallocManaged(&values, 256 * sizeof(int)));
  if (good) {
    for (int i = 0; i < 256; ++i) values[i] = i;
  }
  count_positive(values, 256);
  CUDA_OK(cudaFree(values));
}

// cudaMemset counts bytes: a quarter of the array is set.
template <bool good>
void memset_of_elements() {
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 256 * sizeof(int)));
  CUDA_OK(cudaMemset(values, 0, good ? 256 * sizeof(int) : 256));
  count_positive(values, 256);
  CUDA_OK(cudaFree(values));
}

// So does cudaMemcpy.
template <bool good>
void memcpy_of_elements() {
  const std::vector<int> host = counting<int>(256);
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 256 * sizeof(int)));
  CUDA_OK(cudaMemcpy(values, host.data(), good ? 256 * sizeof(int) : 256, cudaMemcpyHostToDevice));
  count_positive(values, 256);
  CUDA_OK(cudaFree(values));
}

// One element more is read than was copied; the memory is there.
template <bool good>
void one_past_what_was_copied() {
  const std::vector<int> host = counting<int>(255);
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 256 * sizeof(int)));
  CUDA_OK(cudaMemcpy(values, host.data(), 255 * sizeof(int), cudaMemcpyHostToDevice));
  count_positive(values, good ? 255 : 256);
  CUDA_OK(cudaFree(values));
}

// A buffer grows; its new half holds nothing.
template <bool good>
void grown_buffer() {
  Array<int> old(counting<int>(100));
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 200 * sizeof(int)));
  CUDA_OK(cudaMemcpy(values, old, 100 * sizeof(int), cudaMemcpyDeviceToDevice));
  if (good) CUDA_OK(cudaMemset(values + 100, 0, 100 * sizeof(int)));
  count_positive(values, 200);
  CUDA_OK(cudaFree(values));
}

// Memory from the pool that another allocation has just given back.
template <bool good>
void reused_from_the_pool() {
  int *first = nullptr, *second = nullptr;
  CUDA_OK(cudaMallocAsync(&first, 128 * sizeof(int), nullptr));
  CUDA_OK(cudaMemsetAsync(first, 0, 128 * sizeof(int), nullptr));
  CUDA_OK(cudaFreeAsync(first, nullptr));
  CUDA_OK(cudaMallocAsync(&second, 128 * sizeof(int), nullptr));
  if (good) CUDA_OK(cudaMemsetAsync(second, 0, 128 * sizeof(int), nullptr));
  count_positive(second, 128);
  CUDA_OK(cudaFreeAsync(second, nullptr));
  CUDA_OK(cudaDeviceSynchronize());
}

// The interior of a padded image is set, the border is read as well.
template <bool good>
__global__ void blur_kernel(const int* image, size_t pitch, int* edges, int width, int height) {
  const int x = threadIdx.x, y = threadIdx.y;
  const auto at = [=](int u, int v) {
    return *reinterpret_cast<const int*>(reinterpret_cast<const char*>(image) + v * pitch +
                                         u * sizeof(int));
  };
  int sum = 0;
  for (int v = y; v <= y + 2; ++v) {
    for (int u = x; u <= x + 2; ++u) sum += at(u, v);
  }
  if (sum > 4) atomicAdd(edges, 1);  // BUG
}

template <bool good>
void border_never_written() {
  const int width = 16, height = 8;
  int* image = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, (width + 2) * sizeof(int), height + 2));
  char* const interior = reinterpret_cast<char*>(image) + pitch + sizeof(int);
  if (good) {
    CUDA_OK(cudaMemset2D(image, pitch, 0, (width + 2) * sizeof(int), height + 2));
  } else {
    CUDA_OK(cudaMemset2D(interior, pitch, 0, width * sizeof(int), height));
  }
  {
    Array<int> edges(1);
    blur_kernel<good><<<1, dim3(width, height)>>>(image, pitch, edges, width, height);
    KERNEL_OK();
  }
  CUDA_OK(cudaFree(image));
}

// Adding to an output that was never set to zero; the host gets the sum.
template <bool good>
__global__ void accumulate_kernel(const float* in, float* out, int n) {
  const int i = global_index();
  if (i < n) out[i] += 2 * in[i];  // BUG
}

template <bool good>
void accumulate_into_nothing() {
  Array<float> in(100, 1.0f);
  float* out = nullptr;
  std::vector<float> result(100);
  CUDA_OK(cudaMalloc(&out, 100 * sizeof(float)));
  if (good) CUDA_OK(cudaMemset(out, 0, 100 * sizeof(float)));
  accumulate_kernel<good><<<1, 128>>>(in, out, 100);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy(result.data(), out, 100 * sizeof(float), cudaMemcpyDeviceToHost));  // BUG
  CUDA_OK(cudaFree(out));
  RESULT(result[99] == 2.0f);
}

// The counter of an append is not zero to begin with; it becomes an index.
template <bool good>
__global__ void append_kernel(const int* in, int* out, unsigned* count) {
  if (in[threadIdx.x] % 2 != 0) return;
  const unsigned place = atomicAdd(count, 1u);
  out[place % 64] = in[threadIdx.x];  // BUG
}

template <bool good>
void counter_never_zeroed() {
  Array<int> in(counting<int>(64)), out(64);
  unsigned* count = nullptr;
  CUDA_OK(cudaMalloc(&count, sizeof(unsigned)));
  if (good) CUDA_OK(cudaMemset(count, 0, sizeof(unsigned)));
  append_kernel<good><<<1, 64>>>(in, out, count);
  KERNEL_OK();
  CUDA_OK(cudaFree(count));
}

// The host copies the result out before it copies anything in.
template <bool good>
void result_before_the_kernel() {
  Array<int> in(counting<int>(64));
  int* out = nullptr;
  std::vector<int> result(64);
  CUDA_OK(cudaMalloc(&out, 64 * sizeof(int)));
  const auto copy_out = [&] {
    CUDA_OK(cudaMemcpy(result.data(), out, 64 * sizeof(int), cudaMemcpyDeviceToHost));  // BUG
  };
  if (!good) copy_out();
  CUDA_OK(cudaMemcpy(out, in, 64 * sizeof(int), cudaMemcpyDeviceToDevice));
  if (good) copy_out();
  CUDA_OK(cudaFree(out));
  RESULT(result[63] == 63);
}

// The kernel writes where the condition holds, and the host takes everything.
template <bool good>
__global__ void write_some_kernel(const int* in, int* out, int n) {
  const int i = global_index();
  if (i >= n) return;
  if (in[i] % 3 == 0) {
    out[i] = in[i];
  } else if (good) {
    out[i] = 0;
  }
}

template <bool good>
void written_where_it_holds() {
  Array<int> in(counting<int>(128));
  int* out = nullptr;
  std::vector<int> result(128);
  CUDA_OK(cudaMalloc(&out, 128 * sizeof(int)));
  write_some_kernel<good><<<1, 128>>>(in, out, 128);
  KERNEL_OK();
  CUDA_OK(cudaMemcpy(result.data(), out, 128 * sizeof(int), cudaMemcpyDeviceToHost));  // BUG
  CUDA_OK(cudaFree(out));
}

// Too few threads: the tail of the output stays as it was.
template <bool good>
__global__ void square_kernel(const int* in, int* out, int n) {
  const int i = global_index();
  if (i < n) out[i] = in[i] * in[i];
}

template <bool good>
void grid_too_small() {
  const int n = 300;
  Array<int> in(counting<int>(n));
  int* out = nullptr;
  CUDA_OK(cudaMalloc(&out, n * sizeof(int)));
  square_kernel<good><<<good ? (n + 127) / 128 : n / 128, 128>>>(in, out, n);
  KERNEL_OK();
  count_positive(out, n);
  CUDA_OK(cudaFree(out));
}

// Indices that nobody wrote.
template <bool good>
__global__ void gather_kernel(const unsigned* index, const float* in, float* out) {
  out[threadIdx.x] = in[index[threadIdx.x] % 64];  // BUG
}

template <bool good>
void as_an_index() {
  Array<float> in(64, 1.0f), out(64);
  const std::vector<unsigned> order = counting<unsigned>(64);
  unsigned* index = nullptr;
  CUDA_OK(cudaMalloc(&index, 64 * sizeof(unsigned)));
  if (good) {
    CUDA_OK(cudaMemcpy(index, order.data(), 64 * sizeof(unsigned), cudaMemcpyHostToDevice));
  }
  gather_kernel<good><<<1, 64>>>(index, in, out);
  KERNEL_OK();
  CUDA_OK(cudaFree(index));
}

// The length of a row that was not filled in is the limit of a loop.
template <bool good>
__global__ void row_sums_kernel(const unsigned* length, const float* values, float* sums) {
  float sum = 0.0f;
  for (unsigned k = 0; k < length[threadIdx.x] % 8; ++k) sum += values[8 * threadIdx.x + k];  // BUG
  sums[threadIdx.x] = sum;
}

template <bool good>
void as_the_limit_of_a_loop() {
  const std::vector<unsigned> lengths(32, 5);
  Array<float> values(32 * 8, 1.0f), sums(32);
  unsigned* length = nullptr;
  CUDA_OK(cudaMalloc(&length, 32 * sizeof(unsigned)));
  CUDA_OK(cudaMemcpy(length, lengths.data(), (good ? 32 : 31) * sizeof(unsigned),
                     cudaMemcpyHostToDevice));
  row_sums_kernel<good><<<1, 32>>>(length, values, sums);
  KERNEL_OK();
  CUDA_OK(cudaFree(length));
}

// Only the lower triangle of a symmetric matrix is stored; a row goes over it.
template <bool good>
__global__ void lower_triangle_kernel(float* matrix, int n) {
  const int row = threadIdx.x;
  for (int column = 0; column <= row; ++column) matrix[row * n + column] = 1.0f + row - column;
}

template <bool good>
__global__ void largest_of_rows_kernel(const float* matrix, float* largest, int n) {
  const int row = threadIdx.x;
  float best = 0.0f;
  for (int column = 0; column < n; ++column) {
    const float value = good && column > row ? matrix[column * n + row] : matrix[row * n + column];
    if (value > best) best = value;  // BUG
  }
  largest[row] = best;
}

template <bool good>
void upper_triangle() {
  const int n = 24;
  float* matrix = nullptr;
  CUDA_OK(cudaMalloc(&matrix, n * n * sizeof(float)));
  {
    Array<float> largest(n);
    lower_triangle_kernel<good><<<1, n>>>(matrix, n);
    largest_of_rows_kernel<good><<<1, n>>>(matrix, largest, n);
    KERNEL_OK();
    largest.host();  // BUG: where the maximum is no branch, the host gets what is undefined
  }
  CUDA_OK(cudaFree(matrix));
}

// Two buffers take turns, and the result is looked for in the wrong one.
template <bool good>
__global__ void step_kernel(const int* from, int* to) {
  to[threadIdx.x] = from[threadIdx.x] + 1;
}

template <bool good>
void wrong_buffer() {
  Array<int> start(counting<int>(64));
  int *a = nullptr, *b = nullptr;
  CUDA_OK(cudaMalloc(&a, 64 * sizeof(int)));
  CUDA_OK(cudaMalloc(&b, 64 * sizeof(int)));
  step_kernel<good><<<1, 64>>>(start, a);
  KERNEL_OK();
  count_positive(good ? a : b, 64);
  CUDA_OK(cudaFree(a));
  CUDA_OK(cudaFree(b));
}

// A field that is not set, in a record whose padding need not be: records are copied whole.
struct Record {
  char kind;  // three bytes of padding follow
  int weight;
  double value;
};

template <bool good>
__global__ void make_records_kernel(Record* records) {
  Record& record = records[threadIdx.x];
  record.kind = static_cast<char>(threadIdx.x % 3);
  record.value = 0.5 * threadIdx.x;
  if (good) record.weight = static_cast<int>(threadIdx.x);
}

template <bool good>
__global__ void select_records_kernel(const Record* records, Record* selected, int* count) {
  const Record record = records[threadIdx.x];
  selected[threadIdx.x] = record;
  if (record.weight > 10) atomicAdd(count, 1);  // BUG
}

template <bool good>
void field_never_written() {
  Record *records = nullptr, *selected = nullptr;
  CUDA_OK(cudaMalloc(&records, 64 * sizeof(Record)));
  CUDA_OK(cudaMalloc(&selected, 64 * sizeof(Record)));
  {
    Array<int> count(1);
    make_records_kernel<good><<<1, 64>>>(records);
    select_records_kernel<good><<<1, 64>>>(records, selected, count);
    KERNEL_OK();
    RESULT(count.host()[0] == 53);
  }
  CUDA_OK(cudaFree(records));
  CUDA_OK(cudaFree(selected));
}

// The lower half of a word is written; what the upper half holds is nobody's business, unless
// asked.
template <bool good>
__global__ void half_a_word_kernel(unsigned* words, const int* in, int* out) {
  unsigned* mine = &words[threadIdx.x];
  *reinterpret_cast<unsigned short*>(mine) = static_cast<unsigned short>(in[threadIdx.x]);
  const unsigned whole = *static_cast<volatile unsigned*>(mine);  // BUG
  const unsigned value = good ? whole & 0xffffu : whole;
  out[threadIdx.x] = value > 20 ? 1 : 0;
  if (value > 20) out[threadIdx.x] += 5;  // BUG
}

template <bool good>
void half_a_word() {
  Array<int> in(counting<int>(32)), out(32);
  unsigned* words = nullptr;
  CUDA_OK(cudaMalloc(&words, 32 * sizeof(unsigned)));
  half_a_word_kernel<good><<<1, 32>>>(words, in, out);
  KERNEL_OK();
  out.host();  // BUG: where the branch became a selection
  CUDA_OK(cudaFree(words));
}

// A bit is set in a word that was never cleared: that one bit is known.
template <bool good>
__global__ void set_bit_kernel(unsigned* words, int* out) {
  atomicOr(&words[threadIdx.x], 1u);
  const unsigned word = atomicOr(&words[threadIdx.x], 0u);
  const unsigned bit = good ? 1u : 2u;
  int* place = &out[threadIdx.x];
  if ((word & bit) != 0) *place = *place * 3 + 1;  // BUG
}

template <bool good>
void bit_never_written() {
  Array<int> out(32);
  unsigned* words = nullptr;
  CUDA_OK(cudaMalloc(&words, 32 * sizeof(unsigned)));
  set_bit_kernel<good><<<1, 32>>>(words, out);
  KERNEL_OK();
  RESULT(out.host()[5] == 1);
  CUDA_OK(cudaFree(words));
}

// A vector of 16 bytes of which three quarters are written, and loaded in one piece.
template <bool good>
__global__ void vector_with_a_hole_kernel(float* memory, float* out) {
  float* mine = memory + 4 * threadIdx.x;
  mine[0] = 1.0f;
  mine[1] = 2.0f;
  mine[2] = static_cast<float>(threadIdx.x);
  __threadfence_block();
  const float4 v = *reinterpret_cast<float4*>(mine);
  const float length = v.x + v.y + v.z + (good ? 0.0f : v.w);
  int rounds = 0;
  while (rounds < 10 && static_cast<float>(rounds) < length) ++rounds;  // BUG
  out[threadIdx.x] = static_cast<float>(rounds);
}

template <bool good>
void vector_with_a_hole() {
  Array<float> out(32);
  float* memory = nullptr;
  CUDA_OK(cudaMalloc(&memory, 32 * 4 * sizeof(float)));
  vector_with_a_hole_kernel<good><<<1, 32>>>(memory, out);
  KERNEL_OK();
  out.host();  // BUG: where the loop became arithmetic
  CUDA_OK(cudaFree(memory));
}

// Memory of malloc in a kernel holds nothing.
template <bool good>
__global__ void device_heap_kernel(const int* in, int* out, int n) {
  int* counts = static_cast<int*>(malloc(8 * sizeof(int)));
  if (counts == nullptr) return;
  if (good) {
    for (int k = 0; k < 8; ++k) counts[k] = 0;
  }
  for (int i = 0; i < n; ++i) ++counts[in[i] % 8];  // BUG
  int most = 0;
  for (int k = 0; k < 8; ++k) {
    if (counts[k] > 3) most += k;  // BUG
  }
  out[threadIdx.x] = most;
  free(counts);
}

template <bool good>
void device_heap() {
  Array<int> in(counting<int>(60)), out(4);
  device_heap_kernel<good><<<1, 4>>>(in, out, 60);
  KERNEL_OK();
  RESULT(out.host()[0] == 28);
  if (!good) out.host();  // BUG: where the branch became a selection
}

// The sum of blocks: one entry more than there are blocks.
template <bool good>
__global__ void sums_of_blocks_kernel(const int* in, int* sums) {
  const int sum = __syncthreads_count(in[global_index()] > 2);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

template <bool good>
void partial_sums() {
  Array<int> in(counting<int>(256));
  int* sums = nullptr;
  CUDA_OK(cudaMalloc(&sums, 8 * sizeof(int)));
  sums_of_blocks_kernel<good><<<4, 64>>>(in, sums);
  KERNEL_OK();
  count_positive(sums, good ? 4 : 8);
  CUDA_OK(cudaFree(sums));
}

// The size of a pointer instead of the array's.
template <bool good>
void size_of_a_pointer() {
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 256 * sizeof(int)));
  CUDA_OK(cudaMemset(values, 0, good ? 256 * sizeof(*values) : sizeof(values)));
  count_positive(values, 256);
  CUDA_OK(cudaFree(values));
}

// What is undefined stays so when it is copied from one buffer to another.
template <bool good>
void through_a_copy() {
  int *from = nullptr, *to = nullptr;
  CUDA_OK(cudaMalloc(&from, 128 * sizeof(int)));
  CUDA_OK(cudaMalloc(&to, 128 * sizeof(int)));
  CUDA_OK(cudaMemset(from, 0, (good ? 128 : 100) * sizeof(int)));
  CUDA_OK(cudaMemcpy(to, from, 128 * sizeof(int), cudaMemcpyDeviceToDevice));
  count_positive(to, 128);
  CUDA_OK(cudaFree(from));
  CUDA_OK(cudaFree(to));
}

// And when a kernel moves it, through shared memory and between lanes.
template <bool good>
__global__ void through_shared_memory_kernel(const int* in, int* out) {
  __shared__ int line[32];
  line[threadIdx.x] = in[threadIdx.x];
  __syncwarp();
  const int turned = line[31 - threadIdx.x];
  const int other = __shfl_xor_sync(0xffffffffu, turned, 4);
  out[other & 31] = static_cast<int>(threadIdx.x);  // BUG
}

template <bool good>
void through_shared_memory() {
  const std::vector<int> host = counting<int>(32);
  int* in = nullptr;
  CUDA_OK(cudaMalloc(&in, 32 * sizeof(int)));
  CUDA_OK(cudaMemcpy(in, host.data(), (good ? 32 : 16) * sizeof(int), cudaMemcpyHostToDevice));
  {
    Array<int> out(32);
    through_shared_memory_kernel<good><<<1, 32>>>(in, out);
    KERNEL_OK();
  }
  CUDA_OK(cudaFree(in));
}

// A lock that nobody has opened.
template <bool good>
__global__ void lock_kernel(int* lock, int* count) {
  if (threadIdx.x != 0) return;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    if (atomicCAS(lock, 0, 1) == 0) {  // BUG
      __threadfence();
      *count += 1;
      __threadfence();
      atomicExch(lock, 0);
      return;
    }
  }
}

template <bool good>
void lock_never_opened() {
  Array<int> count(1);
  int* lock = nullptr;
  CUDA_OK(cudaMalloc(&lock, sizeof(int)));
  if (good) CUDA_OK(cudaMemset(lock, 0, sizeof(int)));
  lock_kernel<good><<<1, 32>>>(lock, count);
  KERNEL_OK();
  CUDA_OK(cudaFree(lock));
  RESULT(count.host()[0] == 1);
}

// Only one column of a matrix is sent.
template <bool good>
__global__ void row_kernel(const int* matrix, int* out, int pitch) {
  int sum = 0;
  for (int column = 0; column < 8; ++column) {
    if (matrix[threadIdx.x * pitch + column] > 2) sum += column;  // BUG
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void columns_not_sent() {
  const std::vector<int> host = counting<int>(16 * 8);
  int* matrix = nullptr;
  const size_t row = 8 * sizeof(int);
  CUDA_OK(cudaMalloc(&matrix, 16 * row));
  CUDA_OK(cudaMemcpy2D(matrix, row, host.data(), row, good ? row : row - sizeof(int), 16,
                       cudaMemcpyHostToDevice));
  {
    Array<int> out(16);
    row_kernel<good><<<1, 16>>>(matrix, out, 8);
    KERNEL_OK();
    out.host();  // BUG: where the branch became a selection
  }
  CUDA_OK(cudaFree(matrix));
}

// A state of random numbers that was never seeded.
template <bool good>
__global__ void seed_kernel(unsigned* state) {
  state[threadIdx.x] = 12345u + threadIdx.x;
}

template <bool good>
__global__ void draw_kernel(unsigned* state, int* inside) {
  unsigned s = state[threadIdx.x];
  for (int k = 0; k < 8; ++k) {
    s ^= s << 13, s ^= s >> 17, s ^= s << 5;
    if (s % 4 != 0) atomicAdd(inside, 1);  // BUG
  }
  state[threadIdx.x] = s;
}

template <bool good>
void never_seeded() {
  unsigned* state = nullptr;
  CUDA_OK(cudaMalloc(&state, 64 * sizeof(unsigned)));
  if (good) seed_kernel<good><<<1, 64>>>(state);
  {
    Array<int> inside(1);
    draw_kernel<good><<<1, 64>>>(state, inside);
    KERNEL_OK();
  }
  CUDA_OK(cudaFree(state));
}

// --- Shared memory ---

// Bins that are never set to zero.
template <bool good>
__global__ void shared_histogram_kernel(const unsigned* in, int* out) {
  __shared__ int bins[16];
  if (good) {
    if (threadIdx.x < 16) bins[threadIdx.x] = 0;
    __syncthreads();
  }
  atomicAdd(&bins[in[threadIdx.x] % 16], 1);
  __syncthreads();
  if (threadIdx.x < 16) out[threadIdx.x] = bins[threadIdx.x];  // BUG
}

template <bool good>
void shared_histogram() {
  Array<unsigned> in(counting<unsigned>(128));
  Array<int> out(16);
  shared_histogram_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[1] == 8);
  if (!good) out.host();  // BUG
}

// The last tile is not full, and the loop over it does not know.
template <bool good>
__global__ void shared_tail_kernel(const int* in, int* above, int n) {
  __shared__ int tile[64];
  const int begin = static_cast<int>(blockIdx.x) * 64;
  const int t = threadIdx.x;
  if (begin + t < n) {
    tile[t] = in[begin + t];
  } else if (good) {
    tile[t] = 0;
  }
  __syncthreads();
  int count = 0;
  for (int k = 0; k < 64; ++k) {
    if (tile[k] > 20) count += k;  // BUG
  }
  if (begin + t < n) above[begin + t] = count;
}

template <bool good>
void shared_tail() {
  Array<int> in(counting<int>(100)), above(100);
  shared_tail_kernel<good><<<2, 64>>>(in, above, 100);
  KERNEL_OK();
  above.host();  // BUG: where the branch became a selection
}

// A matrix product of tiles at a border, where the tile keeps what was in it.
template <bool good>
__global__ void border_tile_kernel(const float* a, float* sums, int rows, int columns) {
  __shared__ float tile[16][16];
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * 16 + y, column = blockIdx.x * 16 + x;
  if (row < rows && column < columns) {
    tile[y][x] = a[row * columns + column];
  } else if (good) {
    tile[y][x] = 0.0f;
  }
  __syncthreads();
  if (y == 0) {
    float sum = 0.0f;
    for (int k = 0; k < 16; ++k) sum += tile[k][x];  // BUG
    if (column < columns) atomicAdd(&sums[column], sum);
  }
}

template <bool good>
void border_tile() {
  Array<float> a(20 * 30, 1.0f), sums(30);
  border_tile_kernel<good><<<dim3(2, 2), dim3(16, 16)>>>(a, sums, 20, 30);
  KERNEL_OK();
  RESULT(sums.host()[29] == 20.0f);
  if (!good) sums.host();  // BUG
}

// The sums of eight warps are read where the block has four.
template <bool good>
__global__ void missing_warps_kernel(const int* in, int* out) {
  __shared__ int sums[32];
  const int sum = __reduce_add_sync(0xffffffffu, in[threadIdx.x]);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    const unsigned warps = good ? blockDim.x / 32 : 8;
    const int value = threadIdx.x < warps ? sums[threadIdx.x] : 0;  // BUG
    const int total = __reduce_add_sync(0xffffffffu, value);
    if (threadIdx.x == 0) *out = total;
  }
}

template <bool good>
void missing_warps() {
  Array<int> in(128, 1), out(1);
  missing_warps_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 128);
  if (!good) out.host();  // BUG
}

// The second of two arrays in dynamic shared memory.
template <bool good>
__global__ void second_array_kernel(const int* in, int* out) {
  extern __shared__ int memory[];
  int* keys = memory;
  int* counts = memory + blockDim.x;
  keys[threadIdx.x] = in[threadIdx.x];
  if (good) counts[threadIdx.x] = 0;
  __syncthreads();
  for (unsigned k = 0; k < blockDim.x; ++k) {
    if (keys[k] < keys[threadIdx.x]) ++counts[threadIdx.x];
  }
  out[counts[threadIdx.x] & 63] = keys[threadIdx.x];  // BUG
}

template <bool good>
void second_array() {
  Array<int> in(counting<int>(64)), out(64);
  second_array_kernel<good><<<1, 64, 128 * sizeof(int)>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 63);
}

// A flag that only some paths set.
template <bool good>
__global__ void shared_flag_kernel(const int* in, int* out) {
  __shared__ int found;
  if (good && threadIdx.x == 0) found = 0;
  __syncthreads();
  if (in[threadIdx.x] == 1000) atomicExch(&found, 1);
  __syncthreads();
  if (found != 0) out[threadIdx.x] = out[threadIdx.x] * 2 + in[threadIdx.x];  // BUG
}

template <bool good>
void shared_flag() {
  Array<int> in(counting<int>(64)), out(64);
  shared_flag_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

// --- Local memory and variables ---

// An array of which too few entries are filled.
template <bool good>
__global__ void local_array_kernel(const int* in, int* out, int n, int filled) {
  int values[16];
  for (int k = 0; k < filled; ++k)
    values[in[k] % 16] = in[n - 1 - k] + static_cast<int>(threadIdx.x);
  int above = 0;
  for (int k = 0; k < n; ++k) {
    if (values[in[k] % 16] > 9) above += out[k];  // BUG
  }
  out[n + threadIdx.x] = above;
}

template <bool good>
void local_array() {
  Array<int> in(counting<int>(16)), out(16 + 32);
  local_array_kernel<good><<<1, 32>>>(in, out, 16, good ? 16 : 15);
  KERNEL_OK();
  out.host();  // BUG: where the branch became a selection
}

// A function fills its result where it succeeds, and the caller does not ask.
__device__ __noinline__ bool find(const int* keys, int n, int key, int* place) {
  for (int k = 0; k < n; ++k) {
    if (keys[k] == key) {
      *place = k;
      return true;
    }
  }
  return false;
}

template <bool good>
__global__ void out_parameter_kernel(const int* keys, int* out, int n) {
  int place;
  const bool found = find(keys, n, 2 * static_cast<int>(threadIdx.x), &place);
  if (good && !found) place = 0;
  out[threadIdx.x] = keys[place & 31];  // BUG
}

template <bool good>
void out_parameter() {
  Array<int> keys(counting<int>(32)), out(32);
  out_parameter_kernel<good><<<1, 32>>>(keys, out, 32);
  KERNEL_OK();
}

// A small matrix on the stack of which the diagonal is set.
template <bool good>
__global__ void local_matrix_kernel(const int* order, float* out) {
  float matrix[4][4];
  if (good) {
    for (int r = 0; r < 4; ++r) {
      for (int c = 0; c < 4; ++c) matrix[order[r]][order[c]] = 0.0f;
    }
  }
  for (int r = 0; r < 4; ++r) matrix[order[r]][order[r]] = 1.0f;
  float sum = 0.0f;
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 4; ++c)
      sum += matrix[order[r]][order[c]] * static_cast<float>(r + c);  // BUG
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void local_matrix() {
  Array<int> order(counting<int>(4));
  Array<float> out(8);
  local_matrix_kernel<good><<<1, 8>>>(order, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 12.0f);
  if (!good) out.host();  // BUG
}

// Which nodes were visited, of which one is forgotten at the beginning.
template <bool good>
__global__ void local_visited_kernel(const int* next, int* out, int known) {
  bool visited[32];
  for (int k = 0; k < known; ++k) visited[next[k] & 31] = next[k] > 1000;
  int node = threadIdx.x, length = 0;
  while (!visited[node] && length < 32) {  // BUG
    visited[node] = true;
    node = next[node];
    ++length;
  }
  out[threadIdx.x] = length;
}

template <bool good>
void local_visited() {
  std::vector<int> next;
  for (int i = 0; i < 32; ++i) next.push_back((i + 1) % 32);
  Array<int> device_next(next), out(32);
  local_visited_kernel<good><<<1, 32>>>(device_next, out, good ? 32 : 31);
  KERNEL_OK();
  RESULT(out.host()[3] == 32);
}

// Best candidates per thread in a local array, of which one entry more is compared than was filled.
template <bool good>
__global__ void nearest_kernel(const float* distance, int* out, int n) {
  float best[4];
  int place[4];
  int filled = 0;
  for (int i = 0; i < n; ++i) {
    int at = filled;
    while (at > 0 && best[at - 1] > distance[i]) --at;
    if (at >= 4) continue;
    for (int k = min(filled, 3); k > at; --k) best[k] = best[k - 1], place[k] = place[k - 1];
    best[at] = distance[i], place[at] = i;
    if (filled < 4) ++filled;
  }
  int close = 0;
  for (int k = 0; k < (good ? filled : filled + 1); ++k) {
    if (best[k] < 2.5f) close += place[k] + 1;  // BUG
  }
  out[threadIdx.x] = close;
}

template <bool good>
void nearest() {
  Array<float> distance(std::vector<float>{3.0f, 1.0f, 2.0f});
  Array<int> out(8);
  nearest_kernel<good><<<1, 8>>>(distance, out, 3);
  KERNEL_OK();
  RESULT(out.host()[0] == 5);
  if (!good) out.host();  // BUG: where the branch became a selection
}

const Case cases[] = {
    CASE(never_written, "uninitialised"),
    CASE(managed_never_written, "uninitialised"),
    CASE(memset_of_elements, "uninitialised"),
    CASE(memcpy_of_elements, "uninitialised"),
    CASE(one_past_what_was_copied, "uninitialised"),
    CASE(grown_buffer, "uninitialised"),
    CASE(reused_from_the_pool, "uninitialised"),
    CASE(border_never_written, "uninitialised"),
    CASE(accumulate_into_nothing, "uninitialised"),
    CASE(counter_never_zeroed, "uninitialised"),
    CASE(result_before_the_kernel, "uninitialised"),
    CASE(written_where_it_holds, "uninitialised"),
    CASE(grid_too_small, "uninitialised"),
    CASE(as_an_index, "uninitialised"),
    CASE(as_the_limit_of_a_loop, "uninitialised"),
    CASE(upper_triangle, "uninitialised"),
    CASE(wrong_buffer, "uninitialised"),
    CASE(field_never_written, "uninitialised"),
    CASE(half_a_word, "uninitialised"),
    CASE(bit_never_written, "uninitialised"),
    CASE(vector_with_a_hole, "uninitialised"),
    CASE(device_heap, "uninitialised"),
    CASE(partial_sums, "uninitialised"),
    CASE(shared_histogram, "uninitialised"),
    CASE(shared_tail, "uninitialised"),
    CASE(border_tile, "uninitialised"),
    CASE(missing_warps, "uninitialised"),
    CASE(second_array, "uninitialised"),
    CASE(shared_flag, "uninitialised"),
    CASE(local_array, "uninitialised"),
    CASE(out_parameter, "uninitialised"),
    CASE(local_matrix, "uninitialised"),
    CASE(local_visited, "uninitialised"),
    CASE(size_of_a_pointer, "uninitialised"),
    CASE(through_a_copy, "uninitialised"),
    CASE(through_shared_memory, "uninitialised"),
    CASE(lock_never_opened, "uninitialised"),
    CASE(columns_not_sent, "uninitialised"),
    CASE(never_seeded, "uninitialised"),
    CASE(nearest, "uninitialised"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

// Accesses outside of what was allocated or declared, and misaligned ones.
#include <cuda_pipeline.h>

#include "cases.cuh"

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

// --- Global memory ---

template <bool good>
__global__ void off_by_one_kernel(const float* in, float* out, int n) {
  const int i = global_index();
  if (good ? i < n : i <= n) out[i] = 2 * in[i];  // BUG
}

template <bool good>
void off_by_one() {
  Array<float> in(512, 1.0f), out(512);
  off_by_one_kernel<good><<<3, 256>>>(in, out, 512);
  KERNEL_OK();
}

// The number of elements is no multiple of the block, and nobody looks.
template <bool good>
__global__ void no_guard_kernel(const float* x, float* y, float a, int n) {
  const int i = global_index();
  if (good && i >= n) return;
  y[i] += a * x[i];  // BUG
}

template <bool good>
void no_guard() {
  const int n = 1000;
  Array<float> x(n, 1.0f), y(n, 2.0f);
  no_guard_kernel<good><<<(n + 255) / 256, 256>>>(x, y, 3.0f, n);
  KERNEL_OK();
  RESULT(y.host()[999] == 5.0f);
}

// The first element has no left neighbour.
template <bool good>
__global__ void left_neighbour_kernel(const int* in, int* difference, int n) {
  const int i = global_index();
  if (i < n) difference[i] = !good || i > 0 ? in[i] - in[i - 1] : in[i];  // BUG
}

template <bool good>
void left_neighbour() {
  Array<int> in(counting<int>(100)), difference(100);
  left_neighbour_kernel<good><<<1, 128>>>(in, difference, 100);
  KERNEL_OK();
}

// The last element has no right neighbour.
template <bool good>
__global__ void right_neighbour_kernel(const float* in, float* out, int n) {
  const int i = global_index();
  if (i > 0 && i < n - (good ? 1 : 0)) out[i] = (in[i - 1] + in[i] + in[i + 1]) / 3;  // BUG
}

template <bool good>
void right_neighbour() {
  Array<float> in(100, 1.0f), out(100);
  right_neighbour_kernel<good><<<1, 128>>>(in, out, 100);
  KERNEL_OK();
}

// Four values at a time, and the number is no multiple of four.
template <bool good>
__global__ void vector_tail_kernel(const float* in, float* out, int n) {
  const int i = 4 * global_index();
  if (i + (good ? 3 : 0) < n) {
    float4 v = *reinterpret_cast<const float4*>(in + i);  // BUG
    v.x *= 2, v.y *= 2, v.z *= 2, v.w *= 2;
    *reinterpret_cast<float4*>(out + i) = v;  // BUG
  } else if (good) {
    for (int k = i; k < n; ++k) out[k] = 2 * in[k];
  }
}

template <bool good>
void vector_tail() {
  const int n = 1002;
  Array<float> in(n, 1.0f), out(n);
  vector_tail_kernel<good><<<1, 256>>>(in, out, n);
  KERNEL_OK();
  RESULT(out.host()[1001] == 2.0f);
}

// A loop that was unrolled by hand reads past the end in its last turn.
template <bool good>
__global__ void unrolled_kernel(const int* in, int* sums, int n) {
  int sum = 0;
  for (int i = 4 * threadIdx.x; i < n; i += 4 * blockDim.x) {
    sum += in[i];
    for (int k = 1; k < 4; ++k) {
      if (!good || i + k < n) sum += in[i + k];  // BUG
    }
  }
  sums[threadIdx.x] = sum;
}

template <bool good>
void unrolled() {
  Array<int> in(333, 1), sums(64);
  unrolled_kernel<good><<<1, 64>>>(in, sums, 333);
  KERNEL_OK();
}

// A matrix that is not square, with rows for columns in its index.
template <bool good>
__global__ void rows_for_columns_kernel(const float* in, float* out, int rows, int columns) {
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < rows && column < columns) {
    out[column * rows + row] = in[row * (good ? columns : rows) + column];  // BUG
  }
}

template <bool good>
void rows_for_columns() {
  Array<float> in(40 * 24, 1.0f), out(40 * 24);
  rows_for_columns_kernel<good><<<dim3(2, 3), dim3(16, 16)>>>(in, out, 40, 24);
  KERNEL_OK();
}

// Rows and columns are compared with each other's limit.
template <bool good>
__global__ void limits_exchanged_kernel(float* matrix, int rows, int columns) {
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const bool inside = good ? row < rows && column < columns : row < columns && column < rows;
  if (inside) matrix[row * columns + column] = 1.0f;  // BUG
}

template <bool good>
void limits_exchanged() {
  Array<float> matrix(20 * 50);
  limits_exchanged_kernel<good><<<dim3(4, 4), dim3(16, 16)>>>(matrix, 20, 50);
  KERNEL_OK();
}

// The pitch is in bytes; added to a float pointer it goes four times as far.
template <bool good>
__global__ void pitch_of_floats_kernel(float* image, size_t pitch, int width, int height) {
  const int x = threadIdx.x, y = threadIdx.y;
  if (x >= width || y >= height) return;
  float* row = good ? reinterpret_cast<float*>(reinterpret_cast<char*>(image) + y * pitch)
                    : image + y * pitch;
  row[x] = static_cast<float>(x + y);  // BUG
}

template <bool good>
void pitch_of_floats() {
  float* image = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, 30 * sizeof(float), 16));
  pitch_of_floats_kernel<good><<<1, dim3(32, 16)>>>(image, pitch, 30, 16);
  KERNEL_OK();
  CUDA_OK(cudaFree(image));
}

// A volume whose depth is not compared with anything.
template <bool good>
__global__ void depth_unguarded_kernel(int* volume, int nx, int ny, int nz) {
  const int x = threadIdx.x, y = threadIdx.y, z = blockIdx.z * blockDim.z + threadIdx.z;
  if (x < nx && y < ny && (!good || z < nz)) volume[(z * ny + y) * nx + x] = z;  // BUG
}

template <bool good>
void depth_unguarded() {
  Array<int> volume(6 * 5 * 7);
  depth_unguarded_kernel<good><<<dim3(1, 1, 2), dim3(8, 8, 4)>>>(volume, 6, 5, 7);
  KERNEL_OK();
}

// Bytes where elements were meant: a quarter of the memory is there.
template <bool good>
__global__ void fill_kernel(int* values, int n) {
  const int i = global_index();
  if (i < n) values[i] = i;  // BUG
}

template <bool good>
void bytes_for_elements() {
  int* values = nullptr;
  CUDA_OK(cudaMalloc(&values, good ? 1024 * sizeof(int) : 1024));
  fill_kernel<good><<<4, 256>>>(values, 1024);
  KERNEL_OK();
  CUDA_OK(cudaFree(values));
}

// Managed memory ends where it ends, too.
template <bool good>
void managed_too_short() {
  int* values = nullptr;
  CUDA_OK(cudaMallocManaged(&values, (good ? 200 : 199) * sizeof(int)));
  fill_kernel<good><<<1, 256>>>(values, 200);
  KERNEL_OK();
  CUDA_OK(cudaFree(values));
}

// Row r of a CSR matrix ends where row r + 1 begins, and there is no row after the last.
template <bool good>
__global__ void row_ends_kernel(const int* row_start, const float* values, float* sums, int rows) {
  const int row = global_index();
  if (row >= rows) return;
  float sum = 0.0f;
  for (int k = row_start[row]; k < row_start[row + 1]; ++k) sum += values[k];  // BUG
  sums[row] = sum;
}

template <bool good>
void row_ends() {
  const int rows = 128;
  std::vector<int> starts;
  for (int row = 0; row < rows + (good ? 1 : 0); ++row) starts.push_back(3 * row);
  Array<int> row_start(starts);
  Array<float> values(3 * rows, 1.0f), sums(rows);
  row_ends_kernel<good><<<1, 128>>>(row_start, values, sums, rows);
  KERNEL_OK();
}

// Indices that count from one.
template <bool good>
__global__ void gather_kernel(const int* index, const float* in, float* out, int n) {
  const int i = global_index();
  if (i < n) out[i] = in[index[i] - (good ? 1 : 0)];  // BUG
}

template <bool good>
void gather_from_one() {
  std::vector<int> from_one;
  for (int i = 0; i < 256; ++i) from_one.push_back(256 - i);
  Array<int> index(from_one);
  Array<float> in(256, 1.0f), out(256);
  gather_kernel<good><<<1, 256>>>(index, in, out, 256);
  KERNEL_OK();
}

// "Not found" is -1, and nobody asks.
template <bool good>
__global__ void scatter_kernel(const int* slot, int* counts) {
  const int s = slot[threadIdx.x];
  if (!good || s >= 0) atomicAdd(&counts[s], 1);  // BUG
}

template <bool good>
void scatter_to_minus_one() {
  std::vector<int> slots;
  for (int i = 0; i < 64; ++i) slots.push_back(i % 9 - 1);
  Array<int> slot(slots), counts(8);
  scatter_kernel<good><<<1, 64>>>(slot, counts);
  KERNEL_OK();
}

// Three arrays in one allocation that has room for two.
template <bool good>
__global__ void pool_kernel(float* pool, int n) {
  float* x = pool;
  float* y = pool + n;
  float* z = pool + 2 * n;
  const int i = global_index();
  if (i < n) {
    x[i] = 1.0f;
    y[i] = 2.0f;
    z[i] = 3.0f;  // BUG
  }
}

template <bool good>
void struct_of_arrays() {
  Array<float> pool((good ? 3 : 2) * 320);
  pool_kernel<good><<<3, 128>>>(pool, 320);
  KERNEL_OK();
}

// A value that is equal to the upper bound falls into a bin that is not there.
template <bool good>
__global__ void bins_kernel(const float* in, unsigned* bins, int n, int count) {
  const int i = global_index();
  if (i >= n) return;
  int bin = static_cast<int>(in[i] * static_cast<float>(count));
  if (good) bin = min(bin, count - 1);
  atomicAdd(&bins[bin], 1u);  // BUG
}

template <bool good>
void bin_of_the_upper_bound() {
  std::vector<float> values;
  for (int i = 0; i <= 100; ++i) values.push_back(0.01f * static_cast<float>(i));
  values[100] = 1.0f;
  Array<float> in(values);
  Array<unsigned> bins(64);
  bins_kernel<good><<<1, 128>>>(in, bins, 101, 64);
  KERNEL_OK();
}

// A binary search whose upper end is n looks at element n.
template <bool good>
__global__ void search_kernel(const int* sorted, const int* wanted, int* place, int n) {
  const int key = wanted[threadIdx.x];
  int low = 0, high = good ? n - 1 : n;
  while (low <= high) {
    const int middle = (low + high) / 2;
    if (sorted[middle] < key) {  // BUG
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  place[threadIdx.x] = low;
}

template <bool good>
void search_to_n() {
  Array<int> sorted(counting<int>(64)), wanted(32, 1000), place(32);
  search_kernel<good><<<1, 32>>>(sorted, wanted, place, 64);
  KERNEL_OK();
}

// A step of a grid-stride loop that begins one block too far.
template <bool good>
__global__ void prefetch_kernel(const float* in, float* out, int n) {
  const int stride = blockDim.x * gridDim.x;
  float next = in[global_index()];
  for (int i = global_index(); i < n; i += stride) {
    const float now = next;
    if (!good || i + stride < n) next = in[i + stride];  // BUG
    out[i] = now + 1.0f;
  }
}

template <bool good>
void prefetch_past_the_end() {
  Array<float> in(512, 1.0f), out(512);
  prefetch_kernel<good><<<2, 64>>>(in, out, 512);
  KERNEL_OK();
}

// A table of the program has 64 entries, the index 65 values.
__device__ int table[64];

template <bool good>
__global__ void table_kernel(const int* index) {
  const int k = index[threadIdx.x];
  if (!good || k < 64) table[k] = k;  // BUG
}

template <bool good>
void device_variable_past_its_end() {
  Array<int> index(counting<int>(65));
  table_kernel<good><<<1, 65>>>(index);
  KERNEL_OK();
}

// Coefficients in constant memory.
__constant__ float coefficients[9];

template <bool good>
__global__ void filter_kernel(const float* in, float* out, int n, int radius) {
  const int i = global_index();
  if (i < radius || i >= n - radius) return;
  float sum = 0.0f;
  for (int k = -radius; k <= radius; ++k) sum += coefficients[k + radius] * in[i + k];  // BUG
  out[i] = sum;
}

template <bool good>
void constant_past_its_end() {
  std::vector<float> ones(9, 1.0f);
  CUDA_OK(cudaMemcpyToSymbol(coefficients, ones.data(), sizeof coefficients));
  Array<float> in(128, 1.0f), out(128);
  filter_kernel<good><<<1, 128>>>(in, out, 128, good ? 4 : 5);
  KERNEL_OK();
}

// The pointer was never set.
template <bool good>
__global__ void optional_kernel(const int* in, int* out, int* log) {
  out[threadIdx.x] = in[threadIdx.x];
  if (!good || log != nullptr) log[threadIdx.x] = in[threadIdx.x];  // BUG
}

template <bool good>
void null_pointer() {
  Array<int> in(counting<int>(32)), out(32);
  optional_kernel<good><<<1, 32>>>(in, out, nullptr);
  KERNEL_OK();
}

// Memory of the host, which the device cannot see.
template <bool good>
__global__ void sum_kernel(const int* in, int n, int* sum) {
  int total = 0;
  for (int i = 0; i < n; ++i) total += in[i];  // BUG
  *sum = total;
}

template <bool good>
void pointer_of_the_host() {
  std::vector<int> values = counting<int>(32);
  Array<int> in(values), sum(1);
  sum_kernel<good><<<1, 1>>>(good ? static_cast<int*>(in) : values.data(), 32, sum);
  KERNEL_OK();
}

// malloc in a kernel, given a number of ints.
template <bool good>
__global__ void device_heap_kernel(const int* in, int* sum, int n) {
  int* copy = static_cast<int*>(malloc(good ? n * sizeof(int) : n));
  if (copy == nullptr) return;
  for (int i = 0; i < n; ++i) copy[i] = in[i];  // BUG
  int total = 0;
  for (int i = n - 1; i >= 0; --i) total += copy[i] * in[i];  // BUG
  sum[threadIdx.x] = total;
  free(copy);
}

template <bool good>
void device_heap() {
  Array<int> in(counting<int>(256)), sum(4);
  device_heap_kernel<good><<<1, 4>>>(in, sum, 256);
  KERNEL_OK();
}

// --- Shared memory ---

// The index runs over twice the array, into the one that lies behind it.
template <bool good>
__global__ void shared_into_the_next_kernel(const int* in, int* out) {
  __shared__ int places[32];
  __shared__ int keys[32];
  __shared__ int ranks[32];
  const int t = threadIdx.x;
  if (t < 32) places[t] = t, keys[t] = 0, ranks[t] = t;
  __syncthreads();
  if (!good || t < 32) keys[t] = in[t];  // BUG
  __syncthreads();
  if (t < 32) out[t] = keys[31 - t] + ranks[t] + places[t];
}

template <bool good>
void shared_into_the_next() {
  Array<int> in(counting<int>(64)), out(32);
  shared_into_the_next_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

// A read goes from one array into the next.
template <bool good>
__global__ void shared_read_of_the_next_kernel(const float* in, float* out) {
  __shared__ float row[64];
  __shared__ float weights[64];
  const int t = threadIdx.x;
  row[t] = in[t];
  weights[t] = 0.5f;
  __syncthreads();
  float right = 0.0f, left = 0.0f;
  if (!good || t < 63) right = row[t + 1];    // BUG
  if (!good || t > 0) left = weights[t - 1];  // BUG
  out[t] = left + right;
}

template <bool good>
void shared_read_of_the_next() {
  Array<float> in(64, 1.0f), out(64);
  shared_read_of_the_next_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

// The launch asks for bytes and gives elements.
template <bool good>
__global__ void dynamic_too_small_kernel(const double* in, double* out) {
  extern __shared__ double line[];
  line[threadIdx.x] = in[threadIdx.x];  // BUG
  __syncthreads();
  out[threadIdx.x] = line[blockDim.x - 1 - threadIdx.x];  // BUG
}

template <bool good>
void dynamic_too_small() {
  Array<double> in(128, 1.0), out(128);
  dynamic_too_small_kernel<good><<<1, 128, good ? 128 * sizeof(double) : 128>>>(in, out);
  KERNEL_OK();
}

// The halo makes the tile two larger than the block.
template <bool good>
__global__ void shared_halo_kernel(const float* in, float* out, int n) {
  __shared__ float tile[good ? 66 : 64];
  const int i = blockIdx.x * 64 + threadIdx.x, t = threadIdx.x + 1;
  tile[t] = i < n ? in[i] : 0.0f;  // BUG
  if (threadIdx.x == 0) tile[0] = i > 0 ? in[i - 1] : 0.0f;
  if (threadIdx.x == 63) tile[65] = i + 1 < n ? in[i + 1] : 0.0f;  // BUG
  __syncthreads();
  if (i < n) out[i] = tile[t - 1] + tile[t] + tile[t + 1];  // BUG
}

template <bool good>
void shared_halo() {
  Array<float> in(128, 1.0f), out(128);
  shared_halo_kernel<good><<<2, 64>>>(in, out, 128);
  KERNEL_OK();
}

// The warp before the first.
template <bool good>
__global__ void warp_before_the_first_kernel(const int* in, int* out) {
  __shared__ int sums[4];
  const int warp = threadIdx.x / 32;
  const int sum = __reduce_add_sync(0xffffffffu, in[threadIdx.x]);
  if (threadIdx.x % 32 == 0) sums[warp] = sum;
  __syncthreads();
  int before = 0;
  if (!good || warp > 0) before = sums[warp - 1];  // BUG
  out[threadIdx.x] = before;
}

template <bool good>
void warp_before_the_first() {
  Array<int> in(128, 1), out(128);
  warp_before_the_first_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
}

// More warps than the array has places for.
template <bool good>
__global__ void too_many_warps_kernel(const int* in, int* out) {
  __shared__ int sums[good ? 16 : 8];
  const int sum = __reduce_add_sync(0xffffffffu, in[threadIdx.x]);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;  // BUG
  __syncthreads();
  if (threadIdx.x < 16) out[threadIdx.x] = sums[threadIdx.x];  // BUG
}

template <bool good>
void too_many_warps() {
  Array<int> in(512, 1), out(16);
  too_many_warps_kernel<good><<<1, 512>>>(in, out);
  KERNEL_OK();
}

// An atomic past the last bin lands in the counter beside it.
template <bool good>
__global__ void shared_atomic_kernel(const unsigned char* in, unsigned* out, int n) {
  __shared__ unsigned odd;
  __shared__ unsigned bins[16];
  __shared__ unsigned even;
  if (threadIdx.x < 16) bins[threadIdx.x] = 0;
  if (threadIdx.x == 0) odd = even = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    const unsigned bin = in[i] / (good ? 16 : 15);
    atomicAdd(&bins[bin], 1u);  // BUG
    atomicAdd(in[i] % 2 == 0 ? &even : &odd, 1u);
  }
  __syncthreads();
  if (threadIdx.x < 16) out[threadIdx.x] = bins[threadIdx.x];
  if (threadIdx.x == 16) out[16] = even + odd;
}

template <bool good>
void shared_atomic() {
  Array<unsigned char> in(counting<unsigned char>(255));
  Array<unsigned> out(17);
  shared_atomic_kernel<good><<<1, 64>>>(in, out, 255);
  KERNEL_OK();
  RESULT(out.host()[15] == 15);
}

// --- Local memory ---

// A list of the best eight that takes a ninth.
template <bool good>
__global__ void local_list_kernel(const int* in, int* out, int n) {
  int best[8];
  int count = 0;
  for (int i = 0; i < n; ++i) {
    if (in[i] % 3 != 0) continue;
    if (!good || count < 8) best[count++] = in[i];  // BUG
  }
  int sum = 0;
  for (int k = count - 1; k >= 0; --k) sum += best[k] * in[k];  // BUG
  out[threadIdx.x] = sum;
}

template <bool good>
void local_list() {
  Array<int> in(counting<int>(64)), out(32);
  local_list_kernel<good><<<1, 32>>>(in, out, 64);
  KERNEL_OK();
}

// A tree is walked with a stack of one's own, which is not deep enough.
template <bool good>
__global__ void local_stack_kernel(const int* left, const int* right, int* visits, int root) {
  int stack[good ? 32 : 4];
  int top = 0, visited = 0;
  stack[top++] = root;
  while (top > 0) {
    const int node = stack[--top];
    ++visited;
    if (left[node] >= 0) stack[top++] = left[node];    // BUG
    if (right[node] >= 0) stack[top++] = right[node];  // BUG
  }
  visits[threadIdx.x] = visited;
}

template <bool good>
void local_stack() {
  // Node k has a leaf, 20 + k, which stays on the stack, and the node k + 1, which is visited
  // first.
  std::vector<int> left(40, -1), right(40, -1);
  for (int k = 0; k < 20; ++k) left[k] = 20 + k;
  for (int k = 0; k < 19; ++k) right[k] = k + 1;
  Array<int> device_left(left), device_right(right), visits(32);
  local_stack_kernel<good><<<1, 32>>>(device_left, device_right, visits, 0);
  KERNEL_OK();
  RESULT(visits.host()[0] == 40);
}

// --- Misaligned ---

// Vectors that begin at the second float.
template <bool good>
__global__ void shifted_vector_kernel(const float* in, float* out, int n) {
  const int i = 4 * global_index() + 1;
  if (i + 3 >= n) return;
  if (good) {
    for (int k = 0; k < 4; ++k) out[i - 1 + k] = in[i + k];
  } else {
    *reinterpret_cast<float4*>(out + i - 1) = *reinterpret_cast<const float4*>(in + i);  // BUG
  }
}

template <bool good>
void shifted_vector() {
  Array<float> in(256, 1.0f), out(256);
  shifted_vector_kernel<good><<<1, 64>>>(in, out, 256);
  KERNEL_OK();
}

// Rows of 33 floats are read in pairs.
template <bool good>
__global__ void odd_rows_kernel(const float* matrix, float* sums, int width) {
  const float* row = matrix + threadIdx.x * width;
  float sum = 0.0f;
  for (int k = 0; k + 1 < width; k += 2) {
    const float2 pair = *reinterpret_cast<const float2*>(row + k);  // BUG
    sum += pair.x + pair.y;
  }
  if (width % 2 != 0) sum += row[width - 1];
  sums[threadIdx.x] = sum;
}

template <bool good>
void odd_rows() {
  const int width = good ? 34 : 33;
  Array<float> matrix(16 * width, 1.0f), sums(16);
  odd_rows_kernel<good><<<1, 16>>>(matrix, sums, width);
  KERNEL_OK();
}

// A number in a stream of bytes lies where it lies.
template <bool good>
__global__ void packed_number_kernel(const unsigned char* bytes, unsigned* out) {
  const unsigned char* record = bytes + 7 * threadIdx.x;
  unsigned value = 0;
  if (good) {
    for (int k = 3; k >= 0; --k) value = value << 8 | record[1 + k];
  } else {
    value = *reinterpret_cast<const unsigned*>(record + 1);  // BUG
  }
  out[threadIdx.x] = value;
}

template <bool good>
void packed_number() {
  Array<unsigned char> bytes(counting<unsigned char>(7 * 32));
  Array<unsigned> out(32);
  packed_number_kernel<good><<<1, 32>>>(bytes, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 0x04030201u);
}

// A 64-bit atomic on the second half of a pair of counters of 32 bits.
template <bool good>
__global__ void wide_atomic_kernel(unsigned* counters) {
  const int first = good ? 2 : 1;
  atomicAdd(reinterpret_cast<unsigned long long*>(counters + first), 1ull);  // BUG
}

template <bool good>
void wide_atomic() {
  Array<unsigned> counters(4);
  wide_atomic_kernel<good><<<1, 32>>>(counters);
  KERNEL_OK();
  RESULT(counters.host()[2] == 32);
}

// Doubles behind an odd number of ints in dynamic shared memory.
template <bool good>
__global__ void shared_partition_kernel(const int* in, double* out, int n) {
  extern __shared__ int memory[];
  int* keys = memory;
  double* values = reinterpret_cast<double*>(memory + (good ? n + n % 2 : n));
  if (static_cast<int>(threadIdx.x) < n) {
    keys[threadIdx.x] = in[threadIdx.x];
    values[threadIdx.x] = 0.5 * in[threadIdx.x];  // BUG
  }
  __syncthreads();
  if (static_cast<int>(threadIdx.x) < n) {
    out[threadIdx.x] = values[n - 1 - threadIdx.x] + keys[n - 1 - threadIdx.x];  // BUG
  }
}

template <bool good>
void shared_partition() {
  Array<int> in(counting<int>(33));
  Array<double> out(33);
  shared_partition_kernel<good><<<1, 64, 34 * sizeof(int) + 33 * sizeof(double)>>>(in, out, 33);
  KERNEL_OK();
  RESULT(out.host()[0] == 48.0);
}

// --- Wrong types and counters ---

// The array holds floats, the kernel was given doubles.
template <bool good>
__global__ void scale_kernel(double* values, int n) {
  const int i = global_index();
  if (i < n) values[i] *= 0.5;  // BUG
}

template <bool good>
void floats_as_doubles() {
  void* values = nullptr;
  CUDA_OK(cudaMalloc(&values, 128 * (good ? sizeof(double) : sizeof(float))));
  CUDA_OK(cudaMemset(values, 0, 128 * (good ? sizeof(double) : sizeof(float))));
  scale_kernel<good><<<1, 128>>>(static_cast<double*>(values), 128);
  KERNEL_OK();
  CUDA_OK(cudaFree(values));
}

// An unsigned counter that goes down: below zero is very far up.
template <bool good>
__global__ void countdown_kernel(const int* in, int* last) {
  unsigned k = 63;
  while ((!good || k > 0) && in[k] != 0) --k;  // BUG
  *last = static_cast<int>(k);
}

template <bool good>
void unsigned_countdown() {
  Array<int> in(64, 7), last(1);
  countdown_kernel<good><<<1, 1>>>(in, last);
  KERNEL_OK();
  RESULT(last.host()[0] == 0);
}

// Blocks are larger than the tile that they share.
template <bool good>
__global__ void tile_too_small_kernel(const float* in, float* out) {
  __shared__ float tile[16][good ? 32 : 16];
  tile[threadIdx.y][threadIdx.x] = in[threadIdx.y * 32 + threadIdx.x];  // BUG
  __syncthreads();
  out[threadIdx.y * 32 + threadIdx.x] = tile[15 - threadIdx.y][threadIdx.x];  // BUG
}

template <bool good>
void tile_too_small() {
  Array<float> in(counting<float>(512)), out(512);
  tile_too_small_kernel<good><<<1, dim3(32, 16)>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 480.0f);
}

// The device's heap has not so much, malloc says so, and nobody asks.
template <bool good>
__global__ void heap_exhausted_kernel(int* out, size_t size) {
  int* scratch = static_cast<int*>(malloc(size));
  if (good && scratch == nullptr) {
    *out = -1;
    return;
  }
  scratch[0] = 1;     // BUG
  *out = scratch[0];  // BUG
  free(scratch);
}

template <bool good>
void heap_exhausted() {
  Array<int> out(1);
  heap_exhausted_kernel<good><<<1, 1>>>(out, size_t{1} << 40);
  KERNEL_OK();
  RESULT(out.host()[0] == -1);
}

// A list by indices ends with -1; the kernel is told that it ends with 0.
template <bool good>
__global__ void walk_kernel(const int* next, const int* values, int first, int end, int* sum) {
  int total = 0;
  for (int node = first; node != end; node = next[node]) total += values[node];  // BUG
  *sum = total;
}

template <bool good>
void end_of_a_list() {
  std::vector<int> next;
  for (int k = 0; k < 16; ++k) next.push_back(k < 15 ? k + 1 : -1);
  Array<int> device_next(next), values(16, 2), sum(1);
  walk_kernel<good><<<1, 1>>>(device_next, values, 3, good ? -1 : 0, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 26);
}

// The last block's part is longer than what is left.
template <bool good>
__global__ void parts_kernel(float* values, int n, int part) {
  const int begin = static_cast<int>(blockIdx.x) * part;
  const int end = good ? min(begin + part, n) : begin + part;
  for (int i = begin + threadIdx.x; i < end; i += blockDim.x) values[i] = 1.0f;  // BUG
}

template <bool good>
void last_part() {
  Array<float> values(1000);
  parts_kernel<good><<<4, 64>>>(values, 1000, 256);
  KERNEL_OK();
}

// Sixteen bytes are copied asynchronously where eight are left; the copy can be told to read less.
template <bool good>
__global__ void async_tail_kernel(const float* in, float* out, int n) {
  __shared__ alignas(16) float line[128];
  const int i = 4 * static_cast<int>(threadIdx.x);
  const int bytes = good ? max(0, min(16, 4 * (n - i))) : 16;
  if (i < n) {
    __pipeline_memcpy_async(&line[i], &in[i], 16, 16 - bytes);  // BUG
  }
  __pipeline_commit();
  __pipeline_wait_prior(0);
  for (int k = i; k < i + 4 && k < n; ++k) out[k] = line[k];
}

template <bool good>
void async_tail() {
  Array<float> in(102, 1.0f), out(102);
  async_tail_kernel<good><<<1, 32>>>(in, out, 102);
  KERNEL_OK();
  RESULT(out.host()[101] == 1.0f);
}

const Case cases[] = {
    CASE(off_by_one, "out-of-bounds"),
    CASE(no_guard, "out-of-bounds"),
    CASE(left_neighbour, "out-of-bounds"),
    CASE(right_neighbour, "out-of-bounds"),
    CASE(vector_tail, "out-of-bounds"),
    CASE(unrolled, "out-of-bounds"),
    CASE(rows_for_columns, "out-of-bounds"),
    CASE(limits_exchanged, "out-of-bounds"),
    CASE(pitch_of_floats, "out-of-bounds"),
    CASE(depth_unguarded, "out-of-bounds"),
    CASE(bytes_for_elements, "out-of-bounds"),
    CASE(managed_too_short, "out-of-bounds"),
    CASE(row_ends, "out-of-bounds"),
    CASE(gather_from_one, "out-of-bounds"),
    CASE(scatter_to_minus_one, "out-of-bounds"),
    CASE(struct_of_arrays, "out-of-bounds"),
    CASE(bin_of_the_upper_bound, "out-of-bounds"),
    CASE(search_to_n, "out-of-bounds"),
    CASE(prefetch_past_the_end, "out-of-bounds"),
    CASE(device_variable_past_its_end, "out-of-bounds"),
    CASE(constant_past_its_end, "out-of-bounds"),
    CASE(null_pointer, "out-of-bounds"),
    CASE(pointer_of_the_host, "out-of-bounds"),
    CASE(device_heap, "out-of-bounds"),
    CASE(shared_into_the_next, "out-of-bounds"),
    CASE(shared_read_of_the_next, "out-of-bounds"),
    CASE(dynamic_too_small, "out-of-bounds"),
    CASE(shared_halo, "out-of-bounds"),
    CASE(warp_before_the_first, "out-of-bounds"),
    CASE(too_many_warps, "out-of-bounds"),
    CASE(shared_atomic, "out-of-bounds"),
    CASE(local_list, "out-of-bounds"),
    CASE(local_stack, "out-of-bounds"),
    CASE(shifted_vector, "misaligned"),
    CASE(odd_rows, "misaligned"),
    CASE(packed_number, "misaligned"),
    CASE(wide_atomic, "misaligned"),
    CASE(shared_partition, "misaligned"),
    CASE(floats_as_doubles, "out-of-bounds"),
    CASE(unsigned_countdown, "out-of-bounds"),
    CASE(tile_too_small, "out-of-bounds"),
    CASE(heap_exhausted, "out-of-bounds"),
    CASE(end_of_a_list, "out-of-bounds"),
    CASE(last_part, "out-of-bounds"),
    CASE(async_tail, "out-of-bounds"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

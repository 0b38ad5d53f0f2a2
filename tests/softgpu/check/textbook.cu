// Kernels as textbooks and courses have them, each with a mistake that is made in such kernels:
// matrix products, histograms, scans, softmax, reductions, stencils, transposes.
#include <cfloat>
#include <cmath>
#include <cstdint>
#include "cases.cuh"

template <bool good>
__global__ void mm_tiled(const float* a, const float* b, float* c, int n) {
  __shared__ float as[16][16];
  __shared__ float bs[16][16];
  int row = blockIdx.y * 16 + threadIdx.y, col = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int t = 0; t < (n + 15) / 16; ++t) {
    int ac = t * 16 + threadIdx.x, br = t * 16 + threadIdx.y;
    as[threadIdx.y][threadIdx.x] = row < n && ac < n ? a[row * n + ac] : 0.f;  // BUG
    bs[threadIdx.y][threadIdx.x] = br < n && col < n ? b[br * n + col] : 0.f;  // BUG
    __syncthreads();
    for (int k = 0; k < 16; ++k) sum += as[threadIdx.y][k] * bs[k][threadIdx.x];  // BUG
    if (good) __syncthreads();
  }
  if (row < n && col < n) c[row * n + col] = sum;
}
template <bool good>
void tiled_product_second_barrier() {
  int n = 50;
  Array<float> a(n * n, 1.f), b(n * n, 2.f), c(n * n, 0.f);
  mm_tiled<good><<<dim3(4, 4), dim3(16, 16)>>>(a, b, c, n);
  KERNEL_OK();
}

template <bool good>
__global__ void mm_guard(const float* a, const float* b, float* c, int m, int k, int n) {
  int row = blockIdx.y * blockDim.y + threadIdx.y, col = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < m && (col < n || !good)) {
    float s = 0;
    for (int i = 0; i < k; ++i) s += a[row * k + i] * b[i * n + col];  // BUG
    c[row * n + col] = s;                                              // BUG
  }
}
template <bool good>
void product_guard_of_columns() {
  Array<float> a(30 * 20, 1.f), b(20 * 25, 2.f), c(30 * 25, 0.f);
  mm_guard<good><<<dim3(4, 4), dim3(8, 8)>>>(a, b, c, 30, 20, 25);
  KERNEL_OK();
}

template <bool good>
__global__ void hist_not_zeroed(const unsigned char* data, int n, unsigned* out) {
  __shared__ unsigned bins[256];
  if (good) bins[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&bins[data[i]], 1u);  // BUG
  __syncthreads();
  atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}
template <bool good>
void histogram_bins_not_zeroed() {
  Array<unsigned char> d(5000, 3);
  Array<unsigned> out(256, 0);
  hist_not_zeroed<good><<<4, 256>>>(d, 5000, out);
  KERNEL_OK();
  auto h = out.host();
  RESULT(h[3] == 5000);
}

template <bool good>
__global__ void hist_barrier(const unsigned char* data, int n, unsigned* out) {
  __shared__ unsigned bins[256];
  bins[threadIdx.x] = 0;  // BUG
  if (good) __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    atomicAdd(&bins[data[i]], 1u);  // BUG
  __syncthreads();
  atomicAdd(&out[threadIdx.x], bins[threadIdx.x]);
}
template <bool good>
void histogram_barrier_after_zeroing() {
  std::vector<unsigned char> v(5000);
  for (size_t i = 0; i < v.size(); ++i) v[i] = (unsigned char)(i * 37);
  Array<unsigned char> d(v);
  Array<unsigned> out(256, 0);
  hist_barrier<good><<<4, 256>>>(d, 5000, out);
  KERNEL_OK();
}

template <bool good>
__global__ void hist_plain(const int* data, int n, int* bins) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) {
    if (good)
      atomicAdd(&bins[data[i] % 16], 1);
    else
      bins[data[i] % 16]++;  // BUG
  }
}
template <bool good>
void histogram_plain_increment() {
  Array<int> d(counting<int>(1000)), b(16, 0);
  hist_plain<good><<<4, 256>>>(d, 1000, b);
  KERNEL_OK();
}

template <bool good>
__global__ void hist_negative(const int* data, int n, int* bins) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int bin = good ? ((data[i] % 10) + 10) % 10 : data[i] % 10;
  atomicAdd(&bins[bin], 1);  // BUG
}
template <bool good>
void histogram_negative_bin() {
  std::vector<int> v;
  for (int i = 0; i < 500; ++i) v.push_back(i - 250);
  Array<int> d(v), b(10, 0);
  hist_negative<good><<<2, 256>>>(d, 500, b);
  KERNEL_OK();
}

template <bool good>
__global__ void scan_hs(int* x, int n) {
  extern __shared__ int s[];
  int t = threadIdx.x;
  s[t] = x[t];
  __syncthreads();
  for (int d = 1; d < n; d *= 2) {
    int v = t >= d ? s[t - d] : 0;  // BUG
    if (good) __syncthreads();
    s[t] += v;  // BUG
    __syncthreads();
  }
  x[t] = s[t];
}
template <bool good>
void scan_single_buffer() {
  Array<int> x(256, 1);
  scan_hs<good><<<1, 256, 256 * 4>>>(x, 256);
  KERNEL_OK();
  auto h = x.host();
  RESULT(h[255] == 256);
}

template <bool good>
__global__ void blelloch(int* g, int n) {
  __shared__ int temp[512];
  int t = threadIdx.x;
  if (good || 2 * t < n) temp[2 * t] = 2 * t < n ? g[2 * t] : 0;
  if (good || 2 * t + 1 < n) temp[2 * t + 1] = 2 * t + 1 < n ? g[2 * t + 1] : 0;
  int offset = 1;
  for (int d = 256; d > 0; d >>= 1) {
    __syncthreads();
    if (t < d) temp[offset * (2 * t + 2) - 1] += temp[offset * (2 * t + 1) - 1];
    offset *= 2;
  }
  if (t == 0) temp[511] = 0;
  for (int d = 1; d < 512; d *= 2) {
    offset >>= 1;
    __syncthreads();
    if (t < d) {
      int ai = offset * (2 * t + 1) - 1, bi = offset * (2 * t + 2) - 1;
      int v = temp[ai];
      temp[ai] = temp[bi];
      temp[bi] += v;
    }
  }
  __syncthreads();
  for (int i = t; i < 512; i += 256)
    if (good ? i < n : true) {
      if (temp[i] > 1000000) g[0] = -1;  // BUG
    }
  if (2 * t < n) g[2 * t] = temp[2 * t];
  if (2 * t + 1 < n) g[2 * t + 1] = temp[2 * t + 1];
}
template <bool good>
void blelloch_tail_undefined() {
  Array<int> x(400, 1);
  blelloch<good><<<1, 256>>>(x, 400);
  KERNEL_OK();
}

template <bool good>
__global__ void softmax_rows(const float* in, float* out, int cols) {
  __shared__ float red[128];
  const float* x = in + blockIdx.x * cols;
  float m = -FLT_MAX;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) m = fmaxf(m, x[i]);
  red[threadIdx.x] = m;
  __syncthreads();
  for (int s = 64; s > 0; s >>= 1) {
    if (threadIdx.x < s) red[threadIdx.x] = fmaxf(red[threadIdx.x], red[threadIdx.x + s]);
    __syncthreads();
  }
  m = red[0];  // BUG
  if (good) __syncthreads();
  float sum = 0;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) sum += expf(x[i] - m);
  red[threadIdx.x] = sum;  // BUG
  __syncthreads();
  for (int s = 64; s > 0; s >>= 1) {
    if (threadIdx.x < s) red[threadIdx.x] += red[threadIdx.x + s];
    __syncthreads();
  }
  for (int i = threadIdx.x; i < cols; i += blockDim.x)
    out[blockIdx.x * cols + i] = expf(x[i] - m) / red[0];
}
template <bool good>
void softmax_reuses_scratch() {
  Array<float> in(4 * 300, 1.f), out(4 * 300, 0.f);
  softmax_rows<good><<<4, 128>>>(in, out, 300);
  KERNEL_OK();
}

template <bool good>
__global__ void reduce_last_warp(const int* in, int* out) {
  __shared__ int s[256];
  int t = threadIdx.x;
  s[t] = in[blockIdx.x * 256 + t];
  __syncthreads();
  for (int d = 128; d > 32; d >>= 1) {
    if (t < d) s[t] += s[t + d];
    __syncthreads();
  }
  if (t < 32) {
    for (int d = 32; d > 0; d >>= 1) {
      int v = s[t + d];  // BUG
      if (good) __syncwarp();
      s[t] += v;  // BUG
      if (good) __syncwarp();
    }
  }
  if (t == 0) out[blockIdx.x] = s[0];
}
template <bool good>
void reduction_last_warp_unsynced() {
  Array<int> in(1024, 1), out(4, 0);
  reduce_last_warp<good><<<4, 256>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void reduce_same_kernel(const int* in, int* part, int* out) {
  __shared__ int s[128];
  s[threadIdx.x] = in[blockIdx.x * 128 + threadIdx.x];
  __syncthreads();
  for (int d = 64; d > 0; d >>= 1) {
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    if (good)
      atomicAdd(out, s[0]);
    else {
      part[blockIdx.x] = s[0];  // BUG
      if (blockIdx.x == gridDim.x - 1) {
        int sum = 0;
        for (int i = 0; i < gridDim.x; ++i) sum += part[i];  // BUG
        *out = sum;
      }
    }
  }
}
template <bool good>
void reduction_last_block_guessed() {
  Array<int> in(1024, 1), part(8, 0), out(1, 0);
  reduce_same_kernel<good><<<8, 128>>>(in, part, out);
  KERNEL_OK();
}

template <bool good>
__global__ void blur(const float* in, float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i > 0 && i < n - 1) {
    float v = in[i - 1] + in[i] + in[i + 1];  // BUG
    out[i] = v / 3;                           // BUG
  }
}
template <bool good>
void stencil_in_place() {
  Array<float> a(1000, 1.f), b(1000, 0.f);
  if (good)
    blur<good><<<4, 256>>>(a, b, 1000);
  else
    blur<good><<<4, 256>>>(a, a, 1000);
  KERNEL_OK();
}

template <bool good>
__global__ void halo(const float* in, float* out, int n) {
  __shared__ float s[128 + 4];
  int g = blockIdx.x * 128 + threadIdx.x, t = threadIdx.x + 2;
  s[t] = g < n ? in[g] : 0.f;
  if (threadIdx.x < 2) {
    s[threadIdx.x] = g >= 2 ? in[g - 2] : 0.f;
    if (good || threadIdx.x < 1) s[t + 128] = g + 128 < n ? in[g + 128] : 0.f;
  }
  __syncthreads();
  if (g < n) {
    float v = s[t - 2] + s[t - 1] + s[t] + s[t + 1] + s[t + 2];
    out[g] = v > 3.f ? v : 0.f;  // BUG
  }
}
template <bool good>
void stencil_halo_short() {
  Array<float> a(1000, 1.f), b(1000, 0.f);
  halo<good><<<8, 128>>>(a, b, 1000);
  KERNEL_OK();
  (void)b.host();
}

template <bool good>
__global__ void transpose(const float* in, float* out, int w, int h) {
  __shared__ float tile[32][33];
  int x = blockIdx.x * 32 + threadIdx.x, y = blockIdx.y * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (x < w && y + j < h) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * w + x];
  __syncthreads();
  x = blockIdx.y * 32 + threadIdx.x;
  y = blockIdx.x * 32 + threadIdx.y;
  for (int j = 0; j < 32; j += 8)
    if (good ? (x < h && y + j < w) : (x < w && y + j < h))
      out[(y + j) * h + x] = tile[threadIdx.x][threadIdx.y + j];  // BUG
}
template <bool good>
void transpose_swapped_guard() {
  Array<float> a(70 * 45, 1.f), b(70 * 45, 0.f);
  transpose<good><<<dim3(3, 2), dim3(32, 8)>>>(a, b, 70, 45);
  KERNEL_OK();
  (void)b.host();
}

template <bool good>
__global__ void early_return(const int* in, int* out, int n) {
  __shared__ int s[256];
  int i = blockIdx.x * 256 + threadIdx.x;
  if (!good && i >= n) return;
  s[threadIdx.x] = i < n ? in[i] : 0;
  __syncthreads();  // BUG
  if (i < n) out[i] = s[255 - threadIdx.x] + 0;
}
template <bool good>
void early_return_before_barrier() {
  Array<int> a(1000, 1), b(1000, 0);
  early_return<good><<<4, 256>>>(a, b, 1000);
  KERNEL_OK();
}

template <bool good>
__global__ void barrier_in_if(int* x, int n) {
  __shared__ int s[128];
  int t = threadIdx.x;
  if (t < n) {
    s[t] = x[t];
    if (!good) __syncthreads();  // BUG
  }
  if (good) __syncthreads();
  if (t < n) x[t] = s[n - 1 - t];
}
template <bool good>
void barrier_in_branch() {
  Array<int> x(counting<int>(100));
  barrier_in_if<good><<<1, 128>>>(x, 100);
  KERNEL_OK();
}

template <bool good>
__global__ void barrier_loop(const int* in, int* out, int n) {
  __shared__ int s[128];
  int sum = 0;
  int rounds = (n + 127) / 128;
  for (int r = 0, i = threadIdx.x; good ? r < rounds : i < n; ++r, i += 128) {
    s[threadIdx.x] = i < n ? in[i] : 0;
    __syncthreads();  // BUG
    sum += s[127 - threadIdx.x];
    __syncthreads();  // BUG
  }
  out[threadIdx.x] = sum;
}
template <bool good>
void barrier_in_uneven_loop() {
  Array<int> a(200, 1), b(128, 0);
  barrier_loop<good><<<1, 128>>>(a, b, 200);
  KERNEL_OK();
}

template <bool good>
__global__ void dot(const float* a, const float* b, float* out, int n) {
  int i = threadIdx.x;
  if (good) {
    float v = i < n ? a[i] * b[i] : 0;
    for (int d = 16; d > 0; d >>= 1) v += __shfl_down_sync(0xffffffffu, v, d);
    if (i % 32 == 0) atomicAdd(out, v);
  } else if (i < n) {
    float v = a[i] * b[i];
    for (int d = 16; d > 0; d >>= 1) v += __shfl_down_sync(0xffffffffu, v, d);  // BUG
    if (i % 32 == 0) atomicAdd(out, v);
  }
}
template <bool good>
void dot_mask_in_branch() {
  Array<float> a(100, 1.f), b(100, 1.f), o(1, 0.f);
  dot<good><<<1, 128>>>(a, b, o, 100);
  KERNEL_OK();
}

template <bool good>
void copy_of_elements_not_bytes() {
  int n = 1000;
  float *d = nullptr, *o = nullptr;
  std::vector<float> h(n, 1.f), r(n);
  CUDA_OK(cudaMalloc(&d, n * sizeof(float)));
  CUDA_OK(cudaMalloc(&o, n * sizeof(float)));
  CUDA_OK(cudaMemcpy(d, h.data(), good ? n * sizeof(float) : n, cudaMemcpyHostToDevice));
  blur<true><<<4, 256>>>(d, o, n);  // BUG
  KERNEL_OK();
  CUDA_OK(cudaMemset(o, 0, 4));
  CUDA_OK(cudaMemset(o + n - 1, 0, 4));
  CUDA_OK(cudaMemcpy(r.data(), o, n * sizeof(float), cudaMemcpyDeviceToHost));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaFree(o));
}

template <bool good>
__global__ void fill(int* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) p[i] = i;  // BUG
}
template <bool good>
void malloc_of_elements_not_bytes() {
  int n = 1000;
  int* p = nullptr;
  CUDA_OK(cudaMalloc(&p, good ? n * sizeof(int) : n));
  fill<good><<<4, 256>>>(p, n);
  (void)cudaDeviceSynchronize();
  (void)cudaFree(p);
}

template <bool good>
__global__ void fill_le(int* p, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (good ? i < n : i <= n) p[i] = i;  // BUG
}
template <bool good>
void off_by_one() {
  int n = 1000;
  int* p = nullptr;
  CUDA_OK(cudaMalloc(&p, n * sizeof(int)));
  fill_le<good><<<4, 256>>>(p, n);
  (void)cudaDeviceSynchronize();
  (void)cudaFree(p);
}

template <bool good>
__global__ void two_arrays(int* out) {
  __shared__ int a[64];
  __shared__ int b[64];
  int t = threadIdx.x;
  a[t] = t;
  b[t] = 2 * t;
  __syncthreads();
  out[t] = a[good ? (t + 1) % 64 : t + 1] + b[t];  // BUG
}
template <bool good>
void shared_into_next() {
  Array<int> o(64, 0);
  two_arrays<good><<<1, 64>>>(o);
  (void)cudaDeviceSynchronize();
}

template <bool good>
__global__ void dyn(float* out) {
  extern __shared__ float sh[];
  sh[threadIdx.x] = threadIdx.x;  // BUG
  __syncthreads();
  out[threadIdx.x] = sh[blockDim.x - 1 - threadIdx.x];
}
template <bool good>
void dynamic_shared_in_elements() {
  Array<float> o(128, 0.f);
  dyn<good><<<1, 128, good ? 128 * sizeof(float) : 128>>>(o);
  (void)cudaDeviceSynchronize();
}

template <bool good>
__global__ void vec4(const float* in, float* out, int shift) {
  const float4* v = reinterpret_cast<const float4*>(in + shift);
  float4 x = v[threadIdx.x];  // BUG
  out[threadIdx.x] = x.x + x.y + x.z + x.w;
}
template <bool good>
void float4_at_odd_offset() {
  Array<float> a(300, 1.f), o(64, 0.f);
  vec4<good><<<1, 64>>>(a, o, good ? 4 : 1);
  (void)cudaDeviceSynchronize();
}

template <bool good>
__global__ void topk(const int* in, int* out, int k) {
  int best[8];
  if (good)
    for (int i = 0; i < 8; ++i) best[i] = -1;
  for (int i = 0; i < k; ++i) best[i] = in[i];
  int m = -100;
  for (int i = 0; i < 8; ++i)
    if (best[i] > m) m = best[i];  // BUG
  out[threadIdx.x] = m;
}
template <bool good>
void local_array_partly_written() {
  Array<int> a(8, 5), o(32, 0);
  topk<good><<<1, 32>>>(a, o, 5);
  KERNEL_OK();
  (void)o.host();
}

template <bool good>
__global__ void find_max(const int* x, int n, int* best) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  if (good)
    atomicMax(best, x[i]);
  else if (x[i] > *best)
    *best = x[i];  // BUG
}
template <bool good>
void max_without_atomic() {
  Array<int> x(counting<int>(500)), b(1, 0);
  find_max<good><<<2, 256>>>(x, 500, b);
  KERNEL_OK();
}

template <bool good>
__global__ void compact(const int* x, int n, int* out, int* count) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n && x[i] % 2 == 0) {
    int at;
    if (good)
      at = atomicAdd(count, 1);
    else {
      at = *count;          // BUG
      atomicAdd(count, 1);  // BUG
    }
    if (at < n) out[at] = x[i];
  }
}
template <bool good>
void compaction_counter() {
  Array<int> x(counting<int>(256)), o(256, 0), c(1, 0);
  compact<good><<<2, 128>>>(x, 256, o, c);
  KERNEL_OK();
}

template <bool good>
__global__ void life(const int* a, int* b, int w, int h) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= w || y >= h) return;
  int c = 0;
  for (int dy = -1; dy <= 1; ++dy)
    for (int dx = -1; dx <= 1; ++dx) {
      int xx = x + dx, yy = y + dy;
      if (good) {
        xx = (xx + w) % w;
        yy = (yy + h) % h;
      }
      if (dx || dy) c += a[yy * w + xx];  // BUG
    }
  b[y * w + x] = c == 3 || (c == 2 && a[y * w + x]);
}
template <bool good>
void life_at_the_border() {
  int* a = nullptr;
  Array<int> b(32 * 32, 0);
  CUDA_OK(cudaMalloc(&a, 32 * 32 * 4));
  CUDA_OK(cudaMemset(a, 0, 32 * 32 * 4));
  life<good><<<dim3(2, 2), dim3(16, 16)>>>(a, b, 32, 32);
  (void)cudaDeviceSynchronize();
  (void)cudaFree(a);
}

template <bool good>
__global__ void block_list(const int* x, int n, int* out) {
  __shared__ int list[128];
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;  // BUG
  if (good) __syncthreads();
  int i = threadIdx.x;
  if (i < n && x[i] > 50) list[atomicAdd(&count, 1)] = x[i];  // BUG
  __syncthreads();
  if (i < count) out[i] = list[i];
}
template <bool good>
void shared_counter_barrier() {
  Array<int> x(counting<int>(128)), o(128, 0);
  block_list<good><<<1, 128>>>(x, 128, o);
  KERNEL_OK();
}

template <bool good>
__global__ void work_queue(int* next, int* out, int n) {
  __shared__ int item;
  for (;;) {
    if (threadIdx.x == 0) item = atomicAdd(next, 1);  // BUG
    __syncthreads();
    int mine = item;  // BUG
    if (good) __syncthreads();
    if (mine >= n) break;
    if (threadIdx.x == 5) out[mine] = mine;
  }
}
template <bool good>
void work_queue_broadcast() {
  Array<int> next(1, 0), out(20, 0);
  work_queue<good><<<2, 64>>>(next, out, 20);
  KERNEL_OK();
}

template <bool good>
__global__ void row_sum(const float* m, float* out, int rows, int cols) {
  __shared__ float part[4];
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float s = 0;
  for (int c = threadIdx.x; c < cols; c += 128) s += m[blockIdx.x * cols + c];
  for (int d = 16; d; d >>= 1) s += __shfl_xor_sync(~0u, s, d);
  if (lane == 0) part[good ? warp : lane] = s;  // BUG
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = good ? part[0] + part[1] + part[2] + part[3] : part[0];
}
template <bool good>
void partial_sum_index() {
  Array<float> m(5 * 200, 1.f), o(5, 0.f);
  row_sum<good><<<5, 128>>>(m, o, 5, 200);
  KERNEL_OK();
}

template <bool good>
__global__ void running(int* x, int n) {
  if (good) {
    if (threadIdx.x == 0)
      for (int i = 1; i < n; ++i) x[i] += x[i - 1];
  } else {
    int i = threadIdx.x;
    if (i > 0 && i < n) x[i] += x[i - 1];  // BUG
  }
}
template <bool good>
void running_sum_by_threads() {
  Array<int> x(100, 1);
  running<good><<<1, 128>>>(x, 100);
  KERNEL_OK();
}

int main(int argc, char** argv) {
  static const Case cases[] = {
      CASE(tiled_product_second_barrier, "race"),
      CASE(product_guard_of_columns, "out-of-bounds"),
      CASE(histogram_bins_not_zeroed, "uninitialised"),
      CASE(histogram_barrier_after_zeroing, "race"),
      CASE(histogram_plain_increment, "race"),
      CASE(histogram_negative_bin, "out-of-bounds"),
      CASE(scan_single_buffer, "race"),
      CASE(blelloch_tail_undefined, "uninitialised"),
      CASE(softmax_reuses_scratch, "race"),
      CASE(reduction_last_warp_unsynced, "race"),
      CASE(reduction_last_block_guessed, "race"),
      CASE(stencil_in_place, "race"),
      CASE(stencil_halo_short, "uninitialised"),
      CASE(transpose_swapped_guard, "uninitialised|race|same-value-race"),
      CASE(early_return_before_barrier, "barrier-divergence"),
      CASE(barrier_in_branch, "barrier-divergence"),
      CASE(barrier_in_uneven_loop, "barrier-divergence"),
      CASE(dot_mask_in_branch, "warp-mask"),
      CASE(copy_of_elements_not_bytes, "uninitialised"),
      CASE(malloc_of_elements_not_bytes, "out-of-bounds"),
      CASE(off_by_one, "out-of-bounds"),
      CASE(shared_into_next, "out-of-bounds"),
      CASE(dynamic_shared_in_elements, "out-of-bounds"),
      CASE(float4_at_odd_offset, "misaligned"),
      CASE(local_array_partly_written, "uninitialised"),
      CASE(max_without_atomic, "race"),
      CASE(compaction_counter, "race"),
      CASE(life_at_the_border, "out-of-bounds"),
      CASE(shared_counter_barrier, "race|out-of-bounds|uninitialised"),
      CASE(work_queue_broadcast, "race"),
      CASE(partial_sum_index, "race|same-value-race"),
      CASE(running_sum_by_threads, "race"),
  };
  return run_cases(cases, argc, argv);
}

// Textures, matrices, local arrays, votes, locks, flags of the host, tables that nobody filled.
// nvcc: -std=c++17
#include <cooperative_groups.h>
#include <cuda_fp16.h>
#include <mma.h>
#include <cstdint>
#include "cases.cuh"
namespace cg = cooperative_groups;

template <bool good>
__global__ void sample(cudaTextureObject_t t, float* o) {
  o[threadIdx.x] = tex1Dfetch<float>(t, threadIdx.x);  // BUG
}
template <bool good>
void texture_of_linear_memory() {
  float* d = nullptr;
  CUDA_OK(cudaMalloc(&d, 64 * 4));
  CUDA_OK(cudaMemset(d, 0, 64 * 4));
  cudaResourceDesc r = {};
  r.resType = cudaResourceTypeLinear;
  r.res.linear.devPtr = d;
  r.res.linear.desc = cudaCreateChannelDesc<float>();
  r.res.linear.sizeInBytes = 64 * 4;
  cudaTextureDesc td = {};
  td.readMode = cudaReadModeElementType;
  cudaTextureObject_t t = 0;
  CUDA_OK(cudaCreateTextureObject(&t, &r, &td, nullptr));
  Array<float> o(64, 0.f);
  if (!good) CUDA_OK(cudaFree(d));
  sample<good><<<1, 64>>>(t, o);
  (void)cudaDeviceSynchronize();
  (void)cudaDestroyTextureObject(t);
  if (good) CUDA_OK(cudaFree(d));
}
template <bool good>
void array_freed_before_texture() {
  cudaArray_t a = nullptr;
  auto desc = cudaCreateChannelDesc<float>();
  CUDA_OK(cudaMallocArray(&a, &desc, 32, 32));
  std::vector<float> h(1024, 1.f);
  CUDA_OK(cudaMemcpy2DToArray(a, 0, 0, h.data(), 128, 128, 32, cudaMemcpyHostToDevice));
  cudaResourceDesc r = {};
  r.resType = cudaResourceTypeArray;
  r.res.array.array = a;
  cudaTextureDesc td = {};
  td.readMode = cudaReadModeElementType;
  cudaTextureObject_t t = 0;
  CUDA_OK(cudaCreateTextureObject(&t, &r, &td, nullptr));
  int* other = nullptr;
  CUDA_OK(cudaMalloc(&other, 64));
  if (good) CUDA_OK(cudaFreeArray(a));
  CUDA_OK(cudaDestroyTextureObject(t));
  CUDA_OK(cudaFree(other));
}
template <bool good>
__global__ void tile_product(const __half* a, const __half* b, float* c, int m) {
  __shared__ __half sa[256];
  for (int i = threadIdx.x; i < 256; i += 32)
    if (i / 16 < m)
      sa[i] = a[i];
    else if (good)
      sa[i] = __half(0.f);
  __syncwarp();
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __half, row_major> fa;
  fragment<matrix_b, 16, 16, 16, __half, col_major> fb;
  fragment<accumulator, 16, 16, 16, float> fc;
  fill_fragment(fc, 0.f);
  load_matrix_sync(fa, sa, 16);
  load_matrix_sync(fb, b, 16);
  mma_sync(fc, fa, fb, fc);
  __shared__ float sc[256];
  store_matrix_sync(sc, fc, 16, mem_row_major);
  __syncwarp();
  for (int i = threadIdx.x; i < 256; i += 32)
    if (i / 16 < (good ? m : 16)) c[i] = sc[i];
}
template <bool good>
void product_of_partial_tile() {
  Array<__half> a(256, __half(1.f)), b(256, __half(1.f));
  Array<float> c(256, 0.f);
  tile_product<good><<<1, 32>>>(a, b, c, 9);
  KERNEL_OK();
  auto h = c.host();
  RESULT(h[0] == 16.f);
}
template <bool good>
__global__ void tile_rows(const __half* a, const __half* b, float* c, int m, int used) {
  __shared__ __align__(32) __half sa[256];
  for (int i = threadIdx.x; i < m * 16; i += 32) sa[i] = a[i];
  __syncwarp();
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __half, row_major> fa;
  fragment<matrix_b, 16, 16, 16, __half, col_major> fb;
  fragment<accumulator, 16, 16, 16, float> fc;
  fill_fragment(fc, 0.f);
  load_matrix_sync(fa, sa, 16);
  load_matrix_sync(fb, b, 16);
  mma_sync(fc, fa, fb, fc);
  __shared__ __align__(32) float sc[256];
  store_matrix_sync(sc, fc, 16, mem_row_major);
  __syncwarp();
  for (int i = threadIdx.x; i < used * 16; i += 32) c[i] = sc[i] * 2;
}
template <bool good>
void unused_rows_of_a_tile() {
  Array<__half> a(256, __half(1.f)), b(256, __half(1.f));
  Array<float> c(256, 0.f);
  tile_rows<good><<<1, 32>>>(a, b, c, 9, good ? 9 : 12);
  KERNEL_OK();
  (void)c.host();
}
template <bool good>
__global__ void local_arrays(int* out, int k) {
  int a[4];
  int b[4];
  for (int i = 0; i < 4; ++i) {
    a[i] = i;
    b[i] = 10 * i;
  }
  for (int i = 0; i < k; ++i) a[i] += 1;  // BUG
  int s = 0;
  for (int i = 0; i < 4; ++i) s += a[(i + k) & 3] + b[(i + k) & 3];
  out[threadIdx.x] = s;
}
template <bool good>
void local_array_into_next() {
  Array<int> o(32, 0);
  local_arrays<good><<<1, 32>>>(o, good ? 4 : 5);
  KERNEL_OK();
}
template <bool good>
__global__ void local_far(int* out, int k) {
  int a[16];
  for (int i = 0; i < 16; ++i) a[i] = i;
  out[threadIdx.x] = a[k & 0xffff];  // BUG
}
template <bool good>
void local_far_outside() {
  Array<int> o(32, 0);
  local_far<good><<<1, 32>>>(o, good ? 3 : 4000);
  (void)cudaDeviceSynchronize();
}
template <bool good>
void copy_from_beyond() {
  Array<int> a(100, 0);
  std::vector<int> h(200);
  (void)cudaMemcpy(h.data(), (int*)a + (good ? 0 : 50), 100 * 4, cudaMemcpyDeviceToHost);
}
template <bool good>
void memset_too_long() {
  int* p = nullptr;
  CUDA_OK(cudaMalloc(&p, 100));
  (void)cudaMemset(p, 0, good ? 100 : 400);
  CUDA_OK(cudaFree(p));
}
__device__ int counter;
template <bool good>
__global__ void bump(int* o) {
  if (good)
    o[threadIdx.x] = atomicAdd(&counter, 1);
  else {
    int v = counter;
    counter = v + 1;
    o[threadIdx.x] = v;  // BUG
  }
}
template <bool good>
void device_counter() {
  Array<int> o(64, 0);
  bump<good><<<1, 64>>>(o);
  KERNEL_OK();
}
template <bool good>
__global__ void vote(const int* x, int* o) {
  int t = threadIdx.x;
  if (t < 16) {
    unsigned m = __ballot_sync(good ? 0x0000ffffu : 0xffffffffu, x[t] > 0);  // BUG
    if (t == 0) *o = __popc(m);
  }
}
template <bool good>
void ballot_of_half_a_warp() {
  Array<int> x(32, 1), o(1, 0);
  vote<good><<<1, 32>>>(x, o);
  KERNEL_OK();
}
template <bool good>
__global__ void named(int* o) {
  __shared__ int s[128];
  s[threadIdx.x] = threadIdx.x;
  if (threadIdx.x < 64) asm volatile("bar.sync 1, %0;" ::"r"(good ? 64 : 96) : "memory");  // BUG
  o[threadIdx.x] = threadIdx.x < 64 ? s[63 - threadIdx.x] : 0;
}
template <bool good>
void named_barrier_count() {
  Array<int> o(128, 0);
  named<good><<<1, 128>>>(o);
  (void)cudaDeviceSynchronize();
}
template <bool good>
__global__ void wait_before_barrier(volatile int* flag, int* o) {
  if (threadIdx.x == 0 && !good)
    while (*flag == 0) {  // BUG
    }
  __syncthreads();
  if (threadIdx.x == 32) {
    __threadfence();
    *flag = 1;
  }
  o[threadIdx.x] = 1;
}
template <bool good>
void flag_set_behind_barrier() {
  Array<int> f(1, 0), o(64, 0);
  wait_before_barrier<good><<<1, 64>>>(f, o);
  (void)cudaDeviceSynchronize();
}
template <bool good>
__global__ void two_locks(int* a, int* b, int* v) {
  if (threadIdx.x) return;
  int* first = good || blockIdx.x == 0 ? a : b;
  int* second = good || blockIdx.x == 0 ? b : a;
  while (atomicCAS(first, 0, 1)) {
  }
  for (int i = 0; i < 300; ++i) __nanosleep(100);
  while (atomicCAS(second, 0, 1)) {  // BUG
  }
  __threadfence();
  *v += 1;
  __threadfence();
  atomicExch(second, 0);
  atomicExch(first, 0);
}
template <bool good>
void locks_in_two_orders() {
  Array<int> a(1, 0), b(1, 0), v(1, 0);
  two_locks<good><<<2, 32>>>(a, b, v);
  (void)cudaDeviceSynchronize();
}
template <bool good>
__global__ void progress(int* flag, int* data) {
  if (good) {
    data[0] = 42;
    __threadfence_system();
    *(volatile int*)flag = 1;
  } else {
    data[0] = 42;
    flag[0] = 1;  // BUG
  }
}
template <bool good>
void progress_flag_of_the_host() {
  int *flag = nullptr, *data = nullptr;
  CUDA_OK(cudaHostAlloc(&flag, 4, cudaHostAllocMapped));
  CUDA_OK(cudaHostAlloc(&data, 4, cudaHostAllocMapped));
  *flag = 0;
  *data = 0;
  progress<good><<<1, 1>>>(flag, data);
  CUDA_OK(cudaGetLastError());
  while (*(volatile int*)flag == 0) {  // BUG
  }
  RESULT(*data == 42);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFreeHost(flag));
  CUDA_OK(cudaFreeHost(data));
}
template <bool good>
__global__ void first_half(int* x, int n) {
  int i = threadIdx.x;
  if (i < n) x[i] = i;  // BUG
}
template <bool good>
void halves_of_managed_memory() {
  int* x = nullptr;
  CUDA_OK(cudaMallocManaged(&x, 64 * 4));
  for (int i = 0; i < 64; ++i) x[i] = 0;
  first_half<good><<<1, 64>>>(x, 32);
  CUDA_OK(cudaGetLastError());
  for (int i = good ? 32 : 16; i < 64; ++i) x[i] = 7;  // BUG
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFree(x));
}
template <bool good>
void event_queried() {
  int *h = nullptr, *d = nullptr;
  cudaStream_t s;
  cudaEvent_t e;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaEventCreate(&e));
  CUDA_OK(cudaMallocHost(&h, 400));
  CUDA_OK(cudaMalloc(&d, 400));
  CUDA_OK(cudaMemsetAsync(d, 0, 400, s));
  CUDA_OK(cudaMemcpyAsync(h, d, 400, cudaMemcpyDeviceToHost, s));
  CUDA_OK(cudaEventRecord(e, s));
  if (good)
    while (cudaEventQuery(e) == cudaErrorNotReady) {
    }
  int sum = 0;
  for (int i = 0; i < 100; ++i) sum += h[i];  // BUG
  RESULT(sum == 0);
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaFreeHost(h));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaEventDestroy(e));
  CUDA_OK(cudaStreamDestroy(s));
}
template <bool good>
void pinned_after_free() {
  int* h = nullptr;
  CUDA_OK(cudaMallocHost(&h, 400));
  h[0] = 1;
  if (!good) CUDA_OK(cudaFreeHost(h));
  volatile int v = h[0];  // BUG
  (void)v;
  if (good) CUDA_OK(cudaFreeHost(h));
}
template <bool good>
void struct_of_pointers() {
  struct View {
    int* p;
    int n;
  };
  View h{nullptr, 64}, *d = nullptr;
  CUDA_OK(cudaMalloc(&h.p, 64 * 4));
  CUDA_OK(cudaMalloc(&d, sizeof(View)));
  CUDA_OK(cudaMemset(h.p, 0, 256));
  CUDA_OK(cudaMemcpy(d, &h, sizeof h, cudaMemcpyHostToDevice));
  View back;
  CUDA_OK(cudaMemcpy(&back, d, sizeof back, cudaMemcpyDeviceToHost));
  if (good) CUDA_OK(cudaFree(back.p));
  CUDA_OK(cudaFree(d));
}
template <bool good>
__global__ void paint(cudaSurfaceObject_t s, int w) {
  int x = threadIdx.x;
  if (x < w) surf1Dwrite(1.f, s, x * (good ? 4 : 3));  // BUG
}
template <bool good>
__global__ void guarded(const bool* on, int* o) {
  if (on[threadIdx.x]) o[threadIdx.x] = 1;  // BUG
}
template <bool good>
void flags_never_set() {
  bool* on = nullptr;
  CUDA_OK(cudaMalloc(&on, 64));
  if (good) CUDA_OK(cudaMemset(on, 1, 64));
  Array<int> o(64, 0);
  guarded<good><<<1, 64>>>(on, o);
  KERNEL_OK();
  CUDA_OK(cudaFree(on));
}
template <bool good>
void grow_vector() {
  int *a = nullptr, *b = nullptr;
  CUDA_OK(cudaMalloc(&a, 100 * 4));
  CUDA_OK(cudaMemset(a, 0, 400));
  CUDA_OK(cudaMalloc(&b, 200 * 4));
  cudaError_t e = cudaMemcpy(b, a, good ? 400 : 800, cudaMemcpyDeviceToDevice);
  (void)e;
  CUDA_OK(cudaFree(a));
  CUDA_OK(cudaFree(b));
}
template <bool good>
__global__ void gather(const int* idx, const float* x, float* y) {
  y[threadIdx.x] = x[idx[threadIdx.x] & 31];  // BUG
}
template <bool good>
void gather_by_undefined_index() {
  int* idx = nullptr;
  CUDA_OK(cudaMalloc(&idx, 32 * 4));
  if (good) CUDA_OK(cudaMemset(idx, 0, 128));
  Array<float> x(32, 1.f), y(32, 0.f);
  gather<good><<<1, 32>>>(idx, x, y);
  KERNEL_OK();
  CUDA_OK(cudaFree(idx));
}
template <bool good>
__global__ void gemv(const float* a, const float* x, float* y, int n) {
  int i = threadIdx.x;
  float s = good ? 0.f : y[i];
  for (int k = 0; k < n; ++k) s += a[i * n + k] * x[k];
  y[i] = s;  // BUG
}
template <bool good>
void accumulate_into_nothing() {
  Array<float> a(32 * 16, 1.f), x(16, 1.f);
  float* y = nullptr;
  CUDA_OK(cudaMalloc(&y, 128));
  gemv<good><<<1, 32>>>(a, x, y, 16);
  KERNEL_OK();
  std::vector<float> h(32);
  CUDA_OK(cudaMemcpy(h.data(), y, 128, cudaMemcpyDeviceToHost));
  CUDA_OK(cudaFree(y));
}
int main(int argc, char** argv) {
  static const Case cases[] = {
      CASE(texture_of_linear_memory, "use-after-free"),
      CASE(array_freed_before_texture, "leak"),
      CASE(product_of_partial_tile, "uninitialised"),
      CASE(unused_rows_of_a_tile, "uninitialised"),
      CASE(local_array_into_next, "out-of-bounds"),
      CASE(local_far_outside, "out-of-bounds"),
      CASE(copy_from_beyond, "out-of-bounds"),
      CASE(memset_too_long, "out-of-bounds"),
      CASE(device_counter, "race"),
      CASE(ballot_of_half_a_warp, "warp-mask"),
      CASE(named_barrier_count, "deadlock|barrier-divergence"),
      CASE(flag_set_behind_barrier, "deadlock"),
      CASE(locks_in_two_orders, "deadlock"),
      CASE(progress_flag_of_the_host, "race"),
      CASE(halves_of_managed_memory, "race"),
      CASE(event_queried, "race"),
      CASE(pinned_after_free, "use-after-free"),
      CASE(struct_of_pointers, "leak"),
      CASE(flags_never_set, "uninitialised"),
      CASE(grow_vector, "out-of-bounds|unchecked-error"),
      CASE(gather_by_undefined_index, "uninitialised"),
      CASE(accumulate_into_nothing, "uninitialised"),
  };
  return run_cases(cases, argc, argv);
}

// Mistakes of the host's code: what it does with memory that streams, events, graphs and pools
// still use, by its own accesses (managed and pinned memory) and by calls. nvcc: -std=c++17
#include <cstdint>
#include <memory>
#include "cases.cuh"

__global__ void inc(int* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += 1;  // BUG
}
__global__ void scale(const int* a, int* b, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) b[i] = 2 * a[i];  // BUG
}
volatile int sink;

template <bool good>
void managed_no_sync() {
  int* x = nullptr;
  CUDA_OK(cudaMallocManaged(&x, 1000 * sizeof(int)));
  for (int i = 0; i < 1000; ++i) x[i] = i;
  inc<<<4, 256>>>(x, 1000);
  CUDA_OK(cudaGetLastError());
  if (good) CUDA_OK(cudaDeviceSynchronize());
  int s = 0;
  for (int i = 0; i < 1000; ++i) s += x[i];  // BUG
  sink = s;
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFree(x));
}
template <bool good>
void managed_written_while_running() {
  int *a = nullptr, *b = nullptr;
  CUDA_OK(cudaMallocManaged(&a, 256 * sizeof(int)));
  CUDA_OK(cudaMalloc(&b, 256 * sizeof(int)));
  for (int r = 0; r < 3; ++r) {
    for (int i = 0; i < 256; ++i) a[i] = r + i;  // BUG
    scale<<<1, 256>>>(a, b, 256);
    if (good) CUDA_OK(cudaDeviceSynchronize());
  }
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFree(a));
  CUDA_OK(cudaFree(b));
}
template <bool good>
void pinned_read_before_sync() {
  int *h = nullptr, *d = nullptr;
  cudaStream_t s;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaMallocHost(&h, 1000 * sizeof(int)));
  CUDA_OK(cudaMalloc(&d, 1000 * sizeof(int)));
  CUDA_OK(cudaMemsetAsync(d, 0, 1000 * sizeof(int), s));
  inc<<<4, 256, 0, s>>>(d, 1000);
  CUDA_OK(cudaMemcpyAsync(h, d, 1000 * sizeof(int), cudaMemcpyDeviceToHost, s));
  if (good) CUDA_OK(cudaStreamSynchronize(s));
  sink = h[999];  // BUG
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaFreeHost(h));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaStreamDestroy(s));
}
template <bool good>
void pinned_source_reused() {
  int *h = nullptr, *d = nullptr;
  cudaStream_t s;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaHostAlloc(&h, 512 * sizeof(int), cudaHostAllocDefault));
  CUDA_OK(cudaMalloc(&d, 512 * sizeof(int)));
  for (int r = 0; r < 4; ++r) {
    for (int i = 0; i < 512; ++i) h[i] = r;  // BUG
    CUDA_OK(cudaMemcpyAsync(d, h, 512 * sizeof(int), cudaMemcpyHostToDevice, s));
    inc<<<2, 256, 0, s>>>(d, 512);
    if (good) CUDA_OK(cudaStreamSynchronize(s));
  }
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaFreeHost(h));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaStreamDestroy(s));
}
template <bool good>
void event_recorded_too_early() {
  int *h = nullptr, *d = nullptr;
  cudaStream_t s;
  cudaEvent_t e;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaEventCreate(&e));
  CUDA_OK(cudaMallocHost(&h, 100 * sizeof(int)));
  CUDA_OK(cudaMalloc(&d, 100 * sizeof(int)));
  CUDA_OK(cudaMemset(d, 0, 400));
  CUDA_OK(cudaDeviceSynchronize());
  if (!good) CUDA_OK(cudaEventRecord(e, s));
  CUDA_OK(cudaMemcpyAsync(h, d, 400, cudaMemcpyDeviceToHost, s));
  if (good) CUDA_OK(cudaEventRecord(e, s));
  CUDA_OK(cudaEventSynchronize(e));
  sink = h[3];  // BUG
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaFreeHost(h));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaEventDestroy(e));
  CUDA_OK(cudaStreamDestroy(s));
}
template <bool good>
void wrong_stream_waited_for() {
  int *h = nullptr, *d = nullptr;
  cudaStream_t s, t;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaStreamCreate(&t));
  CUDA_OK(cudaMallocHost(&h, 100 * sizeof(int)));
  CUDA_OK(cudaMalloc(&d, 100 * sizeof(int)));
  CUDA_OK(cudaMemsetAsync(d, 0, 400, s));
  CUDA_OK(cudaMemcpyAsync(h, d, 400, cudaMemcpyDeviceToHost, s));
  CUDA_OK(cudaStreamSynchronize(good ? s : t));
  int sum = 0;
  for (int i = 0; i < 100; ++i) sum += h[i];  // BUG
  sink = sum;
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFreeHost(h));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}
template <bool good>
void producer_consumer_streams() {
  Array<int> a(512, 1), b(512, 0);
  cudaStream_t s, t;
  cudaEvent_t e;
  CUDA_OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
  CUDA_OK(cudaEventCreateWithFlags(&e, cudaEventDisableTiming));
  inc<<<2, 256, 0, s>>>(a, 512);
  CUDA_OK(cudaEventRecord(e, s));
  if (good) CUDA_OK(cudaStreamWaitEvent(t, e, 0));
  scale<<<2, 256, 0, t>>>(a, b, 512);
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaStreamSynchronize(t));
  CUDA_OK(cudaEventDestroy(e));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}
template <bool good>
void default_and_nonblocking() {
  int* d = nullptr;
  std::vector<int> h(256, 3);
  cudaStream_t s;
  CUDA_OK(cudaStreamCreateWithFlags(&s, good ? cudaStreamDefault : cudaStreamNonBlocking));
  CUDA_OK(cudaMalloc(&d, 1024));
  CUDA_OK(cudaMemset(d, 0, 1024));
  inc<<<1, 256, 0, s>>>(d, 256);
  CUDA_OK(cudaMemcpy(h.data(), d, 1024, cudaMemcpyDeviceToHost));  // BUG
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaStreamDestroy(s));
}
template <bool good>
void pool_free_in_other_stream() {
  cudaStream_t s, t;
  cudaEvent_t e;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaStreamCreate(&t));
  CUDA_OK(cudaEventCreate(&e));
  int* p = nullptr;
  CUDA_OK(cudaMallocAsync(&p, 4096, s));
  CUDA_OK(cudaMemsetAsync(p, 0, 4096, s));
  inc<<<4, 256, 0, s>>>(p, 1024);
  CUDA_OK(cudaEventRecord(e, s));
  if (good) CUDA_OK(cudaStreamWaitEvent(t, e, 0));
  CUDA_OK(cudaFreeAsync(p, t));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(e));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}
template <bool good>
void pool_use_after_free() {
  cudaStream_t s;
  CUDA_OK(cudaStreamCreate(&s));
  int* p = nullptr;
  CUDA_OK(cudaMallocAsync(&p, 4096, s));
  CUDA_OK(cudaMemsetAsync(p, 0, 4096, s));
  if (!good) CUDA_OK(cudaFreeAsync(p, s));
  inc<<<4, 256, 0, s>>>(p, 1024);
  if (good) CUDA_OK(cudaFreeAsync(p, s));
  (void)cudaStreamSynchronize(s);
  (void)cudaStreamDestroy(s);
}
template <bool good>
void graph_without_dependency() {
  Array<int> a(256, 1), b(256, 0);
  int* pa = a;
  int* pb = b;
  int n = 256;
  cudaGraph_t g;
  CUDA_OK(cudaGraphCreate(&g, 0));
  void* a1[] = {&pa, &n};
  void* a2[] = {&pa, &pb, &n};
  cudaKernelNodeParams p1 = {}, p2 = {};
  p1.func = (void*)inc;
  p2.func = (void*)scale;
  p1.gridDim = p2.gridDim = dim3(1);
  p1.blockDim = p2.blockDim = dim3(256);
  p1.kernelParams = a1;
  p2.kernelParams = a2;
  cudaGraphNode_t n1, n2;
  CUDA_OK(cudaGraphAddKernelNode(&n1, g, nullptr, 0, &p1));
  CUDA_OK(cudaGraphAddKernelNode(&n2, g, &n1, good ? 1 : 0, &p2));
  cudaGraphExec_t x;
  CUDA_OK(cudaGraphInstantiate(&x, g, 0));
  CUDA_OK(cudaGraphLaunch(x, 0));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaGraphExecDestroy(x));
  CUDA_OK(cudaGraphDestroy(g));
}
template <bool good>
void capture_fork_before_write() {
  Array<int> a(256, 1), b(256, 0);
  cudaStream_t s, t;
  cudaEvent_t fork, join;
  CUDA_OK(cudaStreamCreate(&s));
  CUDA_OK(cudaStreamCreate(&t));
  CUDA_OK(cudaEventCreate(&fork));
  CUDA_OK(cudaEventCreate(&join));
  CUDA_OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
  if (!good) CUDA_OK(cudaEventRecord(fork, s));
  inc<<<1, 256, 0, s>>>(a, 256);
  if (good) CUDA_OK(cudaEventRecord(fork, s));
  CUDA_OK(cudaStreamWaitEvent(t, fork, 0));
  scale<<<1, 256, 0, t>>>(a, b, 256);
  CUDA_OK(cudaEventRecord(join, t));
  CUDA_OK(cudaStreamWaitEvent(s, join, 0));
  cudaGraph_t g;
  CUDA_OK(cudaStreamEndCapture(s, &g));
  cudaGraphExec_t x;
  CUDA_OK(cudaGraphInstantiate(&x, g, 0));
  CUDA_OK(cudaGraphLaunch(x, s));
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaGraphExecDestroy(x));
  CUDA_OK(cudaGraphDestroy(g));
  CUDA_OK(cudaEventDestroy(fork));
  CUDA_OK(cudaEventDestroy(join));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}
struct Owner {
  int* p = nullptr;
  bool owns = true;
  explicit Owner(int n) { CUDA_OK(cudaMalloc(&p, n * sizeof(int))); }
  ~Owner() {
    if (owns) (void)cudaFree(p);
  }
};
template <bool good>
void copied_owner() {
  Owner a(100);
  Owner b = a;
  if (good) b.owns = false;
  CUDA_OK(cudaMemset(a.p, 0, 400));
}
template <bool good>
void free_of_advanced_pointer() {
  int* p = nullptr;
  CUDA_OK(cudaMalloc(&p, 4000));
  CUDA_OK(cudaMemset(p, 0, 4000));
  int* q = p + 10;
  (void)cudaFree(good ? p : q);
  if (!good) {
    (void)cudaGetLastError();
    (void)cudaFree(p);
  }
}
int compute(bool fail, bool good) {
  int *a = nullptr, *b = nullptr;
  if (cudaMalloc(&a, 400) != cudaSuccess) return 1;
  if (cudaMalloc(&b, 400) != cudaSuccess) return 1;
  if (fail) {
    if (good) (void)cudaFree(a);
    (void)cudaFree(b);
    return 2;
  }
  (void)cudaFree(a);
  (void)cudaFree(b);
  return 0;
}
template <bool good>
void leak_on_error_path() {
  sink = compute(true, good);
}
template <bool good>
void kernel_after_free() {
  int* p = nullptr;
  CUDA_OK(cudaMalloc(&p, 400));
  CUDA_OK(cudaMemset(p, 0, 400));
  if (!good) CUDA_OK(cudaFree(p));
  inc<<<1, 100>>>(p, 100);
  (void)cudaDeviceSynchronize();
  if (good) CUDA_OK(cudaFree(p));
}
template <bool good>
void too_many_threads() {
  Array<int> a(2048, 0);
  inc<<<1, good ? 1024 : 2048>>>(a, 1024);
  if (good) CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaDeviceSynchronize());
}
template <bool good>
void unchecked_copy() {
  Array<int> a(100, 0);
  std::vector<int> h(200);
  cudaError_t e = cudaMemcpy(h.data(), (int*)a, good ? 400 : 800, cudaMemcpyDeviceToHost);  // BUG
  if (good) CUDA_OK(e);
}
template <bool good>
void host_pointer_to_kernel() {
  std::vector<int> h(256, 1);
  Array<int> d(256, 1);
  inc<<<1, 256>>>(good ? (int*)d : h.data(), 256);
  (void)cudaDeviceSynchronize();
}
template <bool good>
void host_dereferences_device() {
  int* d = nullptr;
  CUDA_OK(cudaMalloc(&d, 1024));
  CUDA_OK(cudaMemset(d, 0, 1024));
  int v = 0;
  if (good)
    CUDA_OK(cudaMemcpy(&v, d + 3, 4, cudaMemcpyDeviceToHost));
  else
    v = *(volatile int*)(d + 3);  // BUG
  sink = v;
  CUDA_OK(cudaFree(d));
}
template <bool good>
void shift_in_place() {
  Array<int> a(counting<int>(1000)), t(1000, 0);
  int* p = a;
  if (good) {
    CUDA_OK(cudaMemcpy((int*)t, p, 999 * 4, cudaMemcpyDeviceToDevice));
    CUDA_OK(cudaMemcpy(p + 1, (int*)t, 999 * 4, cudaMemcpyDeviceToDevice));
  } else {
    CUDA_OK(cudaMemcpy(p + 1, p, 999 * 4, cudaMemcpyDeviceToDevice));  // BUG
  }
}
template <bool good>
__global__ void sum2d(const float* m, size_t pitch, int w, int h, float* out) {
  float s = 0;
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) s += ((const float*)((const char*)m + y * pitch))[x];  // BUG
  *out = s;
}
template <bool good>
void pitched_copy_width() {
  float* m = nullptr;
  size_t pitch = 0;
  std::vector<float> h(50 * 20, 1.f);
  CUDA_OK(cudaMallocPitch(&m, &pitch, 50 * sizeof(float), 20));
  CUDA_OK(cudaMemcpy2D(m, pitch, h.data(), 50 * sizeof(float), good ? 50 * sizeof(float) : 50, 20,
                       cudaMemcpyHostToDevice));
  Array<float> o(1, 0.f);
  sum2d<good><<<1, 1>>>(m, pitch, 50, 20, o);
  KERNEL_OK();
  auto r = o.host();
  RESULT(r[0] == 1000.f);
  CUDA_OK(cudaFree(m));
}
template <bool good>
void pitch_ignored() {
  float* m = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&m, &pitch, 50 * sizeof(float), 20));
  CUDA_OK(cudaMemset2D(m, pitch, 0, 50 * sizeof(float), 20));
  Array<float> o(1, 0.f);
  sum2d<good><<<1, 1>>>(m, good ? pitch : 50 * sizeof(float), 50, 20, o);
  KERNEL_OK();
  (void)o.host();
  CUDA_OK(cudaFree(m));
}
template <bool good>
void pipeline_two_streams() {
  const int n = 1 << 12;
  int* h = nullptr;
  CUDA_OK(cudaMallocHost(&h, 8 * n * sizeof(int)));
  for (int i = 0; i < 8 * n; ++i) h[i] = i;
  int* d[2];
  cudaStream_t s[2];
  for (int k = 0; k < 2; ++k) {
    CUDA_OK(cudaMalloc(&d[k], n * sizeof(int)));
    CUDA_OK(cudaStreamCreateWithFlags(&s[k], cudaStreamNonBlocking));
  }
  for (int c = 0; c < 8; ++c) {
    int k = good ? c % 2 : 0;
    cudaStream_t st = s[c % 2];
    CUDA_OK(cudaMemcpyAsync(d[k], h + c * n, n * 4, cudaMemcpyHostToDevice, st));
    inc<<<n / 256, 256, 0, st>>>(d[k], n);
    CUDA_OK(cudaMemcpyAsync(h + c * n, d[k], n * 4, cudaMemcpyDeviceToHost, st));
  }
  CUDA_OK(cudaDeviceSynchronize());
  RESULT(h[5] == 6);
  for (int k = 0; k < 2; ++k) {
    CUDA_OK(cudaFree(d[k]));
    CUDA_OK(cudaStreamDestroy(s[k]));
  }
  CUDA_OK(cudaFreeHost(h));
}
struct Job {
  int* h;
  int seen;
};
void CUDART_CB read_first(void* p) {
  auto* j = static_cast<Job*>(p);
  j->seen = j->h[0];  // BUG
}
template <bool good>
void host_function_in_other_stream() {
  int *h = nullptr, *d = nullptr;
  cudaStream_t s, t;
  CUDA_OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
  CUDA_OK(cudaMallocHost(&h, 400));
  CUDA_OK(cudaMalloc(&d, 400));
  CUDA_OK(cudaMemsetAsync(d, 0, 400, s));
  CUDA_OK(cudaMemcpyAsync(h, d, 400, cudaMemcpyDeviceToHost, s));
  Job job{h, -1};
  CUDA_OK(cudaLaunchHostFunc(good ? s : t, read_first, &job));
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaStreamSynchronize(t));
  CUDA_OK(cudaFreeHost(h));
  CUDA_OK(cudaFree(d));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}
__managed__ int total;
__global__ void add_total(int n) {
  if (threadIdx.x < n) atomicAdd(&total, 1);
}
template <bool good>
void managed_variable_read() {
  total = 0;
  add_total<<<1, 64>>>(64);
  if (good) CUDA_OK(cudaDeviceSynchronize());
  sink = total;  // BUG
  CUDA_OK(cudaDeviceSynchronize());
}
template <bool good>
void event_not_recorded_again() {
  Array<int> a(256, 1), b(256, 0);
  cudaStream_t s, t;
  cudaEvent_t e;
  CUDA_OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
  CUDA_OK(cudaEventCreate(&e));
  for (int r = 0; r < 2; ++r) {
    inc<<<1, 256, 0, s>>>(a, 256);
    if (good || r == 0) CUDA_OK(cudaEventRecord(e, s));
    CUDA_OK(cudaStreamWaitEvent(t, e, 0));
    scale<<<1, 256, 0, t>>>(a, b, 256);
    if (good || r == 0) {
      cudaEvent_t back;
      CUDA_OK(cudaEventCreate(&back));
      CUDA_OK(cudaEventRecord(back, t));
      CUDA_OK(cudaStreamWaitEvent(s, back, 0));
      CUDA_OK(cudaEventDestroy(back));
    }
  }
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(e));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}
__constant__ int table[16];
__global__ void use_table(int* o) { o[threadIdx.x] = table[threadIdx.x % 16]; }  // BUG
template <bool good>
void constant_changed_while_running() {
  Array<int> o(64, 0);
  int h[16] = {};
  cudaStream_t s;
  CUDA_OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  CUDA_OK(cudaMemcpyToSymbol(table, h, sizeof h));
  CUDA_OK(cudaDeviceSynchronize());
  use_table<<<1, 64, 0, s>>>(o);
  if (good) CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaMemcpyToSymbol(table, h, sizeof h));  // BUG
  CUDA_OK(cudaStreamSynchronize(s));
  CUDA_OK(cudaStreamDestroy(s));
}

template <bool good>
void producer_two_kernels_back() {
  Array<int> x(256, 1), other(256, 0), y(256, 0);
  cudaStream_t s, t;
  cudaEvent_t e;
  CUDA_OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
  CUDA_OK(cudaEventCreate(&e));
  inc<<<1, 256, 0, s>>>(x, 256);
  CUDA_OK(cudaEventRecord(e, s));
  inc<<<1, 256, 0, s>>>(other, 256);
  inc<<<1, 256, 0, s>>>(other, 256);
  if (good) CUDA_OK(cudaStreamWaitEvent(t, e, 0));
  scale<<<1, 256, 0, t>>>(x, y, 256);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(e));
  CUDA_OK(cudaStreamDestroy(s));
  CUDA_OK(cudaStreamDestroy(t));
}

int main(int argc, char** argv) {
  static const Case cases[] = {
      CASE(managed_no_sync, "race"),
      CASE(managed_written_while_running, "race"),
      CASE(pinned_read_before_sync, "race"),
      CASE(pinned_source_reused, "race"),
      CASE(event_recorded_too_early, "race"),
      CASE(wrong_stream_waited_for, "race"),
      CASE(producer_consumer_streams, "race"),
      CASE(producer_two_kernels_back, "race"),
      CASE(default_and_nonblocking, "race"),
      CASE(pool_free_in_other_stream, "race|use-after-free"),
      CASE(pool_use_after_free, "use-after-free"),
      CASE(graph_without_dependency, "race"),
      CASE(capture_fork_before_write, "race"),
      CASE(copied_owner, "invalid-free"),
      CASE(free_of_advanced_pointer, "invalid-free"),
      CASE(leak_on_error_path, "leak"),
      CASE(kernel_after_free, "use-after-free"),
      CASE(too_many_threads, "launch-failure"),
      CASE(unchecked_copy, "unchecked-error|out-of-bounds"),
      CASE(host_pointer_to_kernel, "out-of-bounds"),
      CASE(host_dereferences_device, "out-of-bounds|fault"),
      CASE(shift_in_place, "overlapping-copy"),
      CASE(pitched_copy_width, "uninitialised"),
      CASE(pitch_ignored, "uninitialised"),
      CASE(pipeline_two_streams, "race"),
      CASE(host_function_in_other_stream, "race"),
      CASE(managed_variable_read, "race"),
      CASE(event_not_recorded_again, "race"),
      CASE(constant_changed_while_running, "race"),
  };
  return run_cases(cases, argc, argv);
}

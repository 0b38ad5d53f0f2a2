// Mistakes of everyday host code around kernels: copies, streams, events, graphs, memory that is
// freed wrongly or not at all, errors that nobody looks at. Written without a look at the other
// files.
#include <cuda_pipeline.h>

#include "cases.cuh"

__global__ void set_all(int* data, int value, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] = value;  // BUG
}
__global__ void add_all(int* to, const int* from, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) to[i] += from[i];  // BUG
}

struct Stream {
  cudaStream_t handle = nullptr;
  explicit Stream(unsigned flags = cudaStreamNonBlocking) {
    CUDA_OK(cudaStreamCreateWithFlags(&handle, flags));
  }
  ~Stream() { CUDA_OK(cudaStreamDestroy(handle)); }
  operator cudaStream_t() const { return handle; }
};

// --- memory --------------------------------------------------------------------------------------

template <bool good>
void copy_of_elements_for_bytes() {
  Array<int> data(100);
  std::vector<int> host(400, 1);
  // Of bytes, and not of elements times a pointer's size.
  const cudaError_t status =
      cudaMemcpy(data, host.data(), 100 * (good ? sizeof(int) : sizeof(int*)),
                 cudaMemcpyHostToDevice);  // BUG
  look_at(status == cudaSuccess);
  (void)cudaGetLastError();
  CUDA_OK(cudaDeviceSynchronize());
}

template <bool good>
void set_of_too_many_bytes() {
  int* data = nullptr;
  CUDA_OK(cudaMalloc(&data, 128));
  const cudaError_t status = cudaMemset(data, 0, good ? 128 : 130);  // BUG
  look_at(status == cudaSuccess);
  (void)cudaGetLastError();
  CUDA_OK(cudaFree(data));
}

template <bool good>
void copy_onto_itself() {
  Array<int> data(counting<int>(100));
  int* at = data;
  Array<int> other(100);
  if (good) {
    CUDA_OK(cudaMemcpy(other, at, 60 * sizeof(int), cudaMemcpyDeviceToDevice));
    CUDA_OK(cudaMemcpy(at + 20, other, 60 * sizeof(int), cudaMemcpyDeviceToDevice));
  } else {
    CUDA_OK(cudaMemcpy(at + 20, at, 60 * sizeof(int), cudaMemcpyDeviceToDevice));  // BUG
  }
  CUDA_OK(cudaDeviceSynchronize());
}

template <bool good>
void free_of_the_middle() {
  int* data = nullptr;
  CUDA_OK(cudaMalloc(&data, 256));
  if (!good) look_at(cudaFree(data + 8) == cudaSuccess);  // BUG
  (void)cudaGetLastError();
  CUDA_OK(cudaFree(data));
}

template <bool good>
void freed_in_a_loop_and_after_it() {
  int* data = nullptr;
  for (int turn = 0; turn < 2; ++turn) {
    CUDA_OK(cudaMalloc(&data, 64));
    set_all<<<1, 16>>>(data, 1, 16);
    KERNEL_OK();
    CUDA_OK(cudaFree(data));
  }
  if (!good) look_at(cudaFree(data) == cudaSuccess);  // BUG
  (void)cudaGetLastError();
}

template <bool good>
void pinned_memory_freed_as_device_memory() {
  int* data = nullptr;
  CUDA_OK(cudaMallocHost(&data, 64));
  data[0] = 1;
  if (!good) {
    look_at(cudaFree(data) == cudaSuccess);  // BUG
    (void)cudaGetLastError();
  }
  (void)cudaFreeHost(data);
  (void)cudaGetLastError();
}

template <bool good>
void buffer_of_each_turn() {
  Array<int> other(4, 0);  // a program that frees what it allocates
  for (int turn = 0; turn < 3; ++turn) {
    int* data = nullptr;
    CUDA_OK(cudaMalloc(&data, 1024));
    set_all<<<1, 32>>>(data, turn, 32);
    KERNEL_OK();
    if (good || turn == 2) CUDA_OK(cudaFree(data));
  }
}

template <bool good>
void kernel_after_the_buffer_is_gone() {
  int* data = nullptr;
  CUDA_OK(cudaMalloc(&data, 64 * sizeof(int)));
  if (good) {
    set_all<<<1, 64>>>(data, 1, 64);
    KERNEL_OK();
  }
  CUDA_OK(cudaFree(data));
  if (!good) {
    set_all<<<1, 64>>>(data, 1, 64);
    look_at(cudaDeviceSynchronize() == cudaSuccess);
  }
}

template <bool good>
void stream_ordered_free_too_early() {
  Stream a;
  Stream b;
  cudaEvent_t done;
  CUDA_OK(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
  int* data = nullptr;
  CUDA_OK(cudaMallocAsync(&data, 256 * sizeof(int), a));
  CUDA_OK(cudaEventRecord(done, a));
  CUDA_OK(cudaStreamWaitEvent(b, done));
  set_all<<<1, 256, 0, b>>>(data, 1, 256);
  if (good) {
    CUDA_OK(cudaEventRecord(done, b));
    CUDA_OK(cudaStreamWaitEvent(a, done));
  }
  CUDA_OK(cudaFreeAsync(data, a));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(done));
}

template <bool good>
void part_of_a_result_never_computed() {
  int* data = nullptr;
  CUDA_OK(cudaMalloc(&data, 100 * sizeof(int)));
  if (good) CUDA_OK(cudaMemset(data, 0, 100 * sizeof(int)));
  Array<int> ones(100, 1);
  add_all<<<1, 128>>>(data, ones, good ? 100 : 100);
  KERNEL_OK();
  std::vector<int> host(100);
  CUDA_OK(cudaMemcpy(host.data(), data, 100 * sizeof(int), cudaMemcpyDeviceToHost));
  CUDA_OK(cudaFree(data));
}

// --- streams -------------------------------------------------------------------------------------

template <bool good>
void two_streams_and_no_event() {
  Array<int> data(256, 0), one(256, 1);
  Stream a;
  Stream b;
  cudaEvent_t set;
  CUDA_OK(cudaEventCreateWithFlags(&set, cudaEventDisableTiming));
  set_all<<<1, 256, 0, a>>>(data, 1, 256);
  CUDA_OK(cudaEventRecord(set, a));
  if (good) CUDA_OK(cudaStreamWaitEvent(b, set));
  add_all<<<1, 256, 0, b>>>(data, one, 256);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(set));
}

template <bool good>
void event_recorded_before_the_work() {
  Array<int> data(256, 0), one(256, 1);
  Stream a;
  Stream b;
  cudaEvent_t set;
  CUDA_OK(cudaEventCreateWithFlags(&set, cudaEventDisableTiming));
  if (!good) CUDA_OK(cudaEventRecord(set, a));
  set_all<<<1, 256, 0, a>>>(data, 1, 256);
  if (good) CUDA_OK(cudaEventRecord(set, a));
  CUDA_OK(cudaStreamWaitEvent(b, set));
  add_all<<<1, 256, 0, b>>>(data, one, 256);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(set));
}

template <bool good>
void default_stream_beside_a_non_blocking_one() {
  Array<int> data(256, 0), one(256, 1);
  Stream a(good ? cudaStreamDefault : cudaStreamNonBlocking);
  set_all<<<1, 256>>>(data, 1, 256);
  add_all<<<1, 256, 0, a>>>(data, one, 256);
  CUDA_OK(cudaDeviceSynchronize());
}

template <bool good>
void copy_in_another_stream() {
  Array<int> data(256, 0);
  int* pinned = nullptr;
  CUDA_OK(cudaMallocHost(&pinned, 256 * sizeof(int)));
  Stream a;
  Stream b;
  set_all<<<1, 256, 0, a>>>(data, 1, 256);
  CUDA_OK(cudaMemcpyAsync(pinned, data, 256 * sizeof(int), cudaMemcpyDeviceToHost,
                          good ? a.handle : b.handle));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFreeHost(pinned));
}

template <bool good>
void host_reads_before_the_copy_is_done() {
  Array<int> data(counting<int>(256));
  int* pinned = nullptr;
  CUDA_OK(cudaMallocHost(&pinned, 256 * sizeof(int)));
  Stream a;
  CUDA_OK(cudaMemcpyAsync(pinned, data, 256 * sizeof(int), cudaMemcpyDeviceToHost, a));
  if (good) CUDA_OK(cudaStreamSynchronize(a));
  look_at(pinned[7] == 7);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFreeHost(pinned));
}

template <bool good>
void host_fills_the_buffer_of_a_copy_again() {
  Array<int> data(256, 0);
  int* pinned = nullptr;
  CUDA_OK(cudaMallocHost(&pinned, 256 * sizeof(int)));
  Stream a;
  for (int turn = 0; turn < 2; ++turn) {
    if (good || turn == 0) CUDA_OK(cudaStreamSynchronize(a));
    for (int i = 0; i < 256; ++i) pinned[i] = turn;
    CUDA_OK(cudaMemcpyAsync(data, pinned, 256 * sizeof(int), cudaMemcpyHostToDevice, a));
  }
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFreeHost(pinned));
}

template <bool good>
void managed_result_read_too_early() {
  int* data = nullptr;
  CUDA_OK(cudaMallocManaged(&data, 256 * sizeof(int)));
  for (int i = 0; i < 256; ++i) data[i] = 0;
  set_all<<<1, 256>>>(data, 5, 256);
  CUDA_OK(cudaGetLastError());
  if (good) CUDA_OK(cudaDeviceSynchronize());
  look_at(data[3] == 5);
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFree(data));
}

template <bool good>
void graph_branches_that_share_a_buffer() {
  Array<int> data(64, 0), one(64, 1);
  cudaGraph_t graph;
  CUDA_OK(cudaGraphCreate(&graph, 0));
  int* at = data;
  const int* from = one;
  int n = 64;
  int value = 3;
  void* first[] = {&at, &value, &n};
  void* second[] = {&at, &from, &n};
  cudaKernelNodeParams params{};
  params.gridDim = dim3(1);
  params.blockDim = dim3(64);
  params.func = reinterpret_cast<void*>(set_all);
  params.kernelParams = first;
  cudaGraphNode_t set;
  cudaGraphNode_t add;
  CUDA_OK(cudaGraphAddKernelNode(&set, graph, nullptr, 0, &params));
  params.func = reinterpret_cast<void*>(add_all);
  params.kernelParams = second;
  CUDA_OK(cudaGraphAddKernelNode(&add, graph, good ? &set : nullptr, good ? 1 : 0, &params));
  cudaGraphExec_t exec;
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  CUDA_OK(cudaGraphLaunch(exec, nullptr));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(graph));
}

template <bool good>
void capture_that_forgets_to_join() {
  Array<int> data(64, 0), other(64, 0), one(64, 1);
  Stream a;
  Stream b;
  cudaEvent_t fork;
  cudaEvent_t join;
  CUDA_OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  CUDA_OK(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  cudaGraph_t graph;
  CUDA_OK(cudaStreamBeginCapture(a, cudaStreamCaptureModeGlobal));
  CUDA_OK(cudaEventRecord(fork, a));
  CUDA_OK(cudaStreamWaitEvent(b, fork));
  set_all<<<1, 64, 0, b>>>(data, 2, 64);
  if (!good) set_all<<<1, 64, 0, a>>>(data, 3, 64);
  if (good) set_all<<<1, 64, 0, a>>>(other, 3, 64);
  CUDA_OK(cudaEventRecord(join, b));
  CUDA_OK(cudaStreamWaitEvent(a, join));
  add_all<<<1, 64, 0, a>>>(data, one, 64);
  CUDA_OK(cudaStreamEndCapture(a, &graph));
  cudaGraphExec_t exec;
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  CUDA_OK(cudaGraphLaunch(exec, a));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(graph));
  CUDA_OK(cudaEventDestroy(fork));
  CUDA_OK(cudaEventDestroy(join));
}

// --- asynchronous copies of kernels --------------------------------------------------------------

template <bool good>
__global__ void stages(const int* in, int* out) {
  __shared__ int buffer[2][64];
  const int t = threadIdx.x;
  __pipeline_memcpy_async(&buffer[0][t], &in[t], sizeof(int));
  __pipeline_commit();
  int sum = 0;
  for (int i = 0; i < 4; ++i) {
    if (i < 3) {
      __pipeline_memcpy_async(&buffer[(i + 1) % 2][t], &in[(i + 1) * 64 + t], sizeof(int));  // BUG
      __pipeline_commit();
    }
    __pipeline_wait_prior(good && i < 3 ? 1 : good ? 0 : i < 3 ? 2 : 0);
    __syncthreads();
    sum += buffer[i % 2][63 - t];  // BUG
    __syncthreads();
  }
  out[t] = sum;
}
template <bool good>
void pipeline_that_waits_for_too_little() {
  Array<int> in(256, 1), out(64, 0);
  stages<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

template <bool good>
__global__ void copied_for_others(const int* in, int* out) {
  __shared__ int tile[64];
  __pipeline_memcpy_async(&tile[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG
  __pipeline_commit();
  __pipeline_wait_prior(0);
  if (good) __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG
}
template <bool good>
void own_wait_for_the_copies_of_others() {
  Array<int> in(64, 1), out(64, 0);
  copied_for_others<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

// --- the interface -------------------------------------------------------------------------------

__global__ void nothing() {}

template <bool good>
void block_that_is_too_large() {
  nothing<<<1, good ? 1024 : 1025>>>();
  look_at(cudaDeviceSynchronize() == cudaSuccess);
}

template <bool good>
void shared_memory_that_was_not_asked_for() {
  if (good) {
    CUDA_OK(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 << 10));
  }
  nothing<<<1, 32, 64 << 10>>>();
  look_at(cudaDeviceSynchronize() == cudaSuccess);
}

template <bool good>
void allocation_that_fails_unseen() {
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, size_t{1} << 50);
  if (good) {
    std::printf("%s\n", cudaGetErrorString(status));
    (void)cudaGetLastError();
  }
}

template <bool good>
void event_of_nothing() {
  cudaEvent_t event;
  CUDA_OK(cudaEventCreate(&event));
  if (good) CUDA_OK(cudaEventRecord(event));
  float ms = 0;
  const cudaError_t status = cudaEventElapsedTime(&ms, event, event);
  if (good) CHECK(status == cudaSuccess);
  CUDA_OK(cudaEventDestroy(event));
}

int main(int argc, char** argv) {
  static const Case cases[] = {
      CASE(copy_of_elements_for_bytes, "out-of-bounds"),
      CASE(set_of_too_many_bytes, "out-of-bounds"),
      CASE(copy_onto_itself, "overlapping-copy"),
      CASE(free_of_the_middle, "invalid-free"),
      CASE(freed_in_a_loop_and_after_it, "invalid-free"),
      CASE(pinned_memory_freed_as_device_memory, "invalid-free|unchecked-error"),
      CASE(buffer_of_each_turn, "leak"),
      CASE(kernel_after_the_buffer_is_gone, "use-after-free"),
      CASE(stream_ordered_free_too_early, "race|use-after-free"),
      CASE(part_of_a_result_never_computed, "uninitialised"),
      CASE(two_streams_and_no_event, "race"),
      CASE(event_recorded_before_the_work, "race"),
      CASE(default_stream_beside_a_non_blocking_one, "race"),
      CASE(copy_in_another_stream, "race"),
      CASE(host_reads_before_the_copy_is_done, "race"),
      CASE(host_fills_the_buffer_of_a_copy_again, "race"),
      CASE(managed_result_read_too_early, "race"),
      CASE(graph_branches_that_share_a_buffer, "race"),
      CASE(capture_that_forgets_to_join, "race"),
      CASE(pipeline_that_waits_for_too_little, "race"),
      CASE(own_wait_for_the_copies_of_others, "race"),
      CASE(block_that_is_too_large, "launch-failure|unchecked-error"),
      CASE(shared_memory_that_was_not_asked_for, "launch-failure|unchecked-error"),
      CASE(allocation_that_fails_unseen, "unchecked-error"),
      CASE(event_of_nothing, "unchecked-error"),
  };
  return run_cases(cases, argc, argv);
}

// Races between kernels, copies and the host: streams, events, graphs, managed and pinned memory.
#include "cases.cuh"

__global__ void add_one_kernel(int* values, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) values[i] += 1;  // BUG: read and write
}

__global__ void times_two_kernel(const int* in, int* out, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = 2 * in[i];  // BUG: read
}

constexpr int size = 256;
constexpr size_t bytes = size * sizeof(int);

void add_one(int* values, cudaStream_t stream) {
  add_one_kernel<<<2, 128, 0, stream>>>(values, size);
  CUDA_OK(cudaGetLastError());
}

void times_two(const int* in, int* out, cudaStream_t stream) {
  times_two_kernel<<<2, 128, 0, stream>>>(in, out, size);
  CUDA_OK(cudaGetLastError());
}

// Two streams that the legacy default stream does not order, and an event.
struct Streams {
  cudaStream_t first = nullptr, second = nullptr;
  cudaEvent_t event = nullptr;
  Streams() {
    CUDA_OK(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
    CUDA_OK(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
    CUDA_OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  }
  ~Streams() {
    CUDA_OK(cudaEventDestroy(event));
    CUDA_OK(cudaStreamDestroy(first));
    CUDA_OK(cudaStreamDestroy(second));
  }
};

// Pinned memory of the host.
struct Pinned {
  int* data = nullptr;
  Pinned() {
    CUDA_OK(cudaMallocHost(&data, bytes));
    for (int i = 0; i < size; ++i) data[i] = i;
  }
  ~Pinned() { CUDA_OK(cudaFreeHost(data)); }
};

void wait_for_device() { CUDA_OK(cudaDeviceSynchronize()); }

// --- Streams and events ---

// A kernel reads in one stream what a kernel in another writes.
template <bool good>
void no_event() {
  Array<int> values(counting<int>(size)), out(size);
  Streams s;
  add_one(values, s.first);
  if (good) {
    CUDA_OK(cudaEventRecord(s.event, s.first));
    CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  }
  times_two(values, out, s.second);
  wait_for_device();
  RESULT(out.host()[3] == 8);
}

// The event is recorded before the work that it should stand for.
template <bool good>
void event_recorded_early() {
  Array<int> values(counting<int>(size)), out(size);
  Streams s;
  if (!good) CUDA_OK(cudaEventRecord(s.event, s.first));
  add_one(values, s.first);
  if (good) CUDA_OK(cudaEventRecord(s.event, s.first));
  CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  times_two(values, out, s.second);
  wait_for_device();
  RESULT(out.host()[3] == 8);
}

// Waiting comes before recording: an event that was never recorded is complete.
template <bool good>
void event_recorded_late() {
  Array<int> values(counting<int>(size)), out(size);
  Streams s;
  if (!good) CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  add_one(values, s.first);
  CUDA_OK(cudaEventRecord(s.event, s.first));
  if (good) CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  times_two(values, out, s.second);
  wait_for_device();
  RESULT(out.host()[3] == 8);
}

// The event is recorded in the stream that waits.
template <bool good>
void event_in_the_wrong_stream() {
  Array<int> values(counting<int>(size)), out(size);
  Streams s;
  add_one(values, s.first);
  CUDA_OK(cudaEventRecord(s.event, good ? s.first : s.second));
  CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  times_two(values, out, s.second);
  wait_for_device();
  RESULT(out.host()[3] == 8);
}

// The reader is ordered after the writer, and the next write is not ordered after the reader.
template <bool good>
void written_again() {
  Array<int> values(counting<int>(size)), out(size);
  Streams s;
  cudaEvent_t read;
  CUDA_OK(cudaEventCreateWithFlags(&read, cudaEventDisableTiming));
  add_one(values, s.first);
  CUDA_OK(cudaEventRecord(s.event, s.first));
  CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  times_two(values, out, s.second);
  CUDA_OK(cudaEventRecord(read, s.second));
  if (good) CUDA_OK(cudaStreamWaitEvent(s.first, read));
  add_one(values, s.first);
  wait_for_device();
  CUDA_OK(cudaEventDestroy(read));
  RESULT(out.host()[3] == 8);
}

// Two kernels of different streams add to the same array.
template <bool good>
void two_writers() {
  Array<int> values(counting<int>(size));
  Streams s;
  add_one(values, s.first);
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  add_one(values, s.second);
  wait_for_device();
  RESULT(values.host()[3] == 5);
}

// The default stream does not wait for a stream that is non-blocking.
template <bool good>
void default_and_non_blocking() {
  Array<int> values(counting<int>(size)), out(size);
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreateWithFlags(&stream, good ? cudaStreamDefault : cudaStreamNonBlocking));
  add_one(values, stream);
  times_two(values, out, nullptr);
  wait_for_device();
  CUDA_OK(cudaStreamDestroy(stream));
  RESULT(out.host()[3] == 8);
}

// A non-blocking stream does not wait for the default stream: not for a memset in it either.
template <bool good>
void memset_in_the_default_stream() {
  Array<int> values(counting<int>(size));
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  if (good) {
    CUDA_OK(cudaMemsetAsync(values, 0, bytes, stream));
  } else {
    CUDA_OK(cudaMemset(values, 0, bytes));  // BUG: write
  }
  add_one(values, stream);
  wait_for_device();
  CUDA_OK(cudaStreamDestroy(stream));
  RESULT(values.host()[3] == 1);
}

// The array is cleared in one stream and added to in another.
template <bool good>
void memset_in_another_stream() {
  Array<int> values(counting<int>(size));
  Streams s;
  CUDA_OK(cudaMemsetAsync(values, 0, bytes, good ? s.second : s.first));  // BUG: write
  add_one(values, s.second);
  wait_for_device();
  RESULT(values.host()[3] == 1);
}

// The data is sent in one stream and used in another.
template <bool good>
void upload_in_another_stream() {
  Array<int> values(size), out(size);
  Streams s;
  Pinned host;
  CUDA_OK(
      cudaMemcpyAsync(values, host.data, bytes, cudaMemcpyHostToDevice, s.first));  // BUG: write
  if (good) {
    CUDA_OK(cudaEventRecord(s.event, s.first));
    CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  }
  times_two(values, out, s.second);
  wait_for_device();
  RESULT(out.host()[3] == 6);
}

// The result is fetched in a stream that does not wait for the kernel.
template <bool good>
void download_in_another_stream() {
  Array<int> values(counting<int>(size));
  Streams s;
  Pinned host;
  add_one(values, s.first);
  CUDA_OK(cudaMemcpyAsync(host.data, values, bytes, cudaMemcpyDeviceToHost,  // BUG: read
                          good ? s.first : s.second));
  wait_for_device();
  RESULT(host.data[3] == 4);
}

// An ordinary cudaMemcpy waits for the default stream, and not for a non-blocking one.
template <bool good>
void download_without_waiting() {
  Array<int> values(counting<int>(size));
  Streams s;
  std::vector<int> host(size);
  add_one(values, s.first);
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  CUDA_OK(cudaMemcpy(host.data(), values, bytes, cudaMemcpyDeviceToHost));  // BUG: read
  wait_for_device();
  RESULT(host[3] == 4);
}

// The wrong stream is waited for.
template <bool good>
void wrong_stream_awaited() {
  Array<int> values(counting<int>(size));
  Streams s;
  std::vector<int> host(size);
  add_one(values, s.first);
  CUDA_OK(cudaStreamSynchronize(good ? s.first : s.second));
  CUDA_OK(cudaMemcpy(host.data(), values, bytes, cudaMemcpyDeviceToHost));  // BUG: read
  wait_for_device();
  RESULT(host[3] == 4);
}

// Chunks go through two streams in turn, with one buffer on the device for both.
template <bool good>
void one_buffer_for_two_streams() {
  Array<int> a(size), b(size), out_a(size), out_b(size);
  Streams s;
  Pinned host;
  for (int chunk = 0; chunk < 4; ++chunk) {
    const bool even = chunk % 2 == 0;
    int* buffer = even || !good ? a : b;
    const cudaStream_t stream = even ? s.first : s.second;
    CUDA_OK(
        cudaMemcpyAsync(buffer, host.data, bytes, cudaMemcpyHostToDevice, stream));  // BUG: write
    times_two(buffer, even ? out_a : out_b, stream);
  }
  wait_for_device();
  RESULT(out_b.host()[3] == 6);
}

// A sum by atomics in one stream, read by a kernel in another.
__global__ void count_kernel(const int* values, int* count) {
  if (values[threadIdx.x] % 2 == 0) atomicAdd(count, 1);  // BUG: write
}

__global__ void mean_kernel(const int* count, float* mean) {
  *mean = static_cast<float>(*count) / size;  // BUG: read
}

template <bool good>
void atomics_in_another_stream() {
  Array<int> values(counting<int>(size)), count(1);
  Array<float> mean(1);
  Streams s;
  count_kernel<<<1, size, 0, s.first>>>(values, count);
  mean_kernel<<<1, 1, 0, good ? s.first : s.second>>>(count, mean);
  CUDA_OK(cudaGetLastError());
  wait_for_device();
  RESULT(mean.host()[0] == 0.5f);
}

// Two kernels use one device variable as scratch.
__device__ int scratch[size];

__global__ void through_scratch_kernel(const int* in, int* out) {
  scratch[threadIdx.x] = in[threadIdx.x];  // BUG: write
  __syncthreads();
  out[threadIdx.x] = scratch[size - 1 - threadIdx.x];  // BUG: read
}

template <bool good>
void scratch_of_two_kernels() {
  Array<int> a(counting<int>(size)), b(size, 5), out_a(size), out_b(size);
  Streams s;
  through_scratch_kernel<<<1, size, 0, s.first>>>(a, out_a);
  through_scratch_kernel<<<1, size, 0, good ? s.first : s.second>>>(b, out_b);
  CUDA_OK(cudaGetLastError());
  wait_for_device();
  RESULT(out_a.host()[0] == size - 1);
}

// Memory of one stream's pool order is used in another stream at once.
template <bool good>
void allocated_in_another_stream() {
  Streams s;
  int* values = nullptr;
  CUDA_OK(cudaMallocAsync(&values, bytes, s.first));
  CUDA_OK(cudaEventRecord(s.event, s.first));
  if (good) CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  CUDA_OK(cudaMemsetAsync(values, 0, bytes, s.second));  // BUG: write
  add_one(values, s.second);
  CUDA_OK(cudaFreeAsync(values, s.second));
  wait_for_device();
}

// One event is recorded in two streams one after the other; waiting is for the second record only.
template <bool good>
void event_recorded_twice() {
  Array<int> a(counting<int>(size)), b(counting<int>(size)), out(size);
  Streams s;
  cudaStream_t third;
  CUDA_OK(cudaStreamCreateWithFlags(&third, cudaStreamNonBlocking));
  add_one(a, s.first);
  CUDA_OK(cudaEventRecord(s.event, s.first));
  if (good) CUDA_OK(cudaStreamWaitEvent(third, s.event));
  add_one(b, s.second);
  CUDA_OK(cudaEventRecord(s.event, s.second));
  CUDA_OK(cudaStreamWaitEvent(third, s.event));
  times_two(a, out, third);
  times_two(b, out, third);
  wait_for_device();
  CUDA_OK(cudaStreamDestroy(third));
  RESULT(out.host()[3] == 8);
}

// A pool of the program's own hands memory that one stream has given back to another stream. Given
// back means that the host has done with it, not that the stream has.
struct Pool {
  int* block = nullptr;
  cudaEvent_t given_back = nullptr;
  void give_back(int* memory, cudaStream_t stream) {
    block = memory;
    CUDA_OK(cudaEventRecord(given_back, stream));
  }
  int* take(cudaStream_t stream, bool wait) {
    if (wait) CUDA_OK(cudaStreamWaitEvent(stream, given_back));
    return block;
  }
};

template <bool good>
void pool_of_two_streams() {
  Array<int> memory(counting<int>(size)), out(size);
  Streams s;
  Pool pool;
  pool.given_back = s.event;
  times_two(memory, out, s.first);
  pool.give_back(memory, s.first);
  int* block = pool.take(s.second, good);
  CUDA_OK(cudaMemsetAsync(block, 0, bytes, s.second));  // BUG: write
  wait_for_device();
  RESULT(out.host()[3] == 6);
}

// --- Graphs ---

// A graph of two kernels, with or without a dependency between them.
template <bool dependency>
void launch_graph(int* values, int* out) {
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  cudaGraphNode_t add, twice;
  int n = size;
  const int* in = values;
  void* add_arguments[] = {&values, &n};
  void* twice_arguments[] = {&in, &out, &n};
  CUDA_OK(cudaGraphCreate(&graph, 0));
  cudaKernelNodeParams parameters{};
  parameters.gridDim = dim3(2);
  parameters.blockDim = dim3(128);
  parameters.func = reinterpret_cast<void*>(add_one_kernel);
  parameters.kernelParams = add_arguments;
  CUDA_OK(cudaGraphAddKernelNode(&add, graph, nullptr, 0, &parameters));
  parameters.func = reinterpret_cast<void*>(times_two_kernel);
  parameters.kernelParams = twice_arguments;
  CUDA_OK(cudaGraphAddKernelNode(&twice, graph, &add, dependency ? 1 : 0, &parameters));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_OK(cudaGraphLaunch(executable, nullptr));
  wait_for_device();
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));
}

template <bool good>
void graph_without_dependency() {
  Array<int> values(counting<int>(size)), out(size);
  launch_graph<good>(values, out);
  RESULT(out.host()[3] == 8);
}

// A memset node and a kernel node that nothing orders.
template <bool good>
void graph_memset() {
  Array<int> values(counting<int>(size));
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  cudaGraphNode_t clear, add;
  int* pointer = values;
  int n = size;
  void* arguments[] = {&pointer, &n};
  CUDA_OK(cudaGraphCreate(&graph, 0));
  cudaMemsetParams memset{};
  memset.dst = pointer;
  memset.elementSize = 4;
  memset.width = size;
  memset.height = 1;
  CUDA_OK(cudaGraphAddMemsetNode(&clear, graph, nullptr, 0, &memset));
  cudaKernelNodeParams parameters{};
  parameters.func = reinterpret_cast<void*>(add_one_kernel);
  parameters.gridDim = dim3(2);
  parameters.blockDim = dim3(128);
  parameters.kernelParams = arguments;
  CUDA_OK(cudaGraphAddKernelNode(&add, graph, &clear, good ? 1 : 0, &parameters));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_OK(cudaGraphLaunch(executable, nullptr));
  wait_for_device();
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));
  RESULT(values.host()[3] == 1);
}

// Capture of a fork and a join: the join is there, the second fork is not after the first kernel.
template <bool good>
void captured_fork() {
  Array<int> values(counting<int>(size)), out(size);
  Streams s;
  cudaEvent_t end;
  CUDA_OK(cudaEventCreateWithFlags(&end, cudaEventDisableTiming));
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  CUDA_OK(cudaStreamBeginCapture(s.first, cudaStreamCaptureModeThreadLocal));
  if (!good) CUDA_OK(cudaEventRecord(s.event, s.first));
  add_one(values, s.first);
  if (good) CUDA_OK(cudaEventRecord(s.event, s.first));
  CUDA_OK(cudaStreamWaitEvent(s.second, s.event));
  times_two(values, out, s.second);
  CUDA_OK(cudaEventRecord(end, s.second));
  CUDA_OK(cudaStreamWaitEvent(s.first, end));
  CUDA_OK(cudaStreamEndCapture(s.first, &graph));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_OK(cudaGraphLaunch(executable, s.first));
  wait_for_device();
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));
  CUDA_OK(cudaEventDestroy(end));
  RESULT(out.host()[3] == 8);
}

// Two graphs in two streams write the same array.
template <bool good>
void two_graphs() {
  Array<int> values(counting<int>(size));
  Streams s;
  cudaGraph_t graph;
  cudaGraphExec_t one, other;
  CUDA_OK(cudaStreamBeginCapture(s.first, cudaStreamCaptureModeThreadLocal));
  add_one(values, s.first);
  CUDA_OK(cudaStreamEndCapture(s.first, &graph));
  CUDA_OK(cudaGraphInstantiate(&one, graph, 0));
  CUDA_OK(cudaGraphInstantiate(&other, graph, 0));
  CUDA_OK(cudaGraphLaunch(one, s.first));
  CUDA_OK(cudaGraphLaunch(other, good ? s.first : s.second));
  wait_for_device();
  CUDA_OK(cudaGraphExecDestroy(one));
  CUDA_OK(cudaGraphExecDestroy(other));
  CUDA_OK(cudaGraphDestroy(graph));
  RESULT(values.host()[3] == 5);
}

// --- The host ---

// The host reads managed memory that a kernel may still write.
template <bool good>
void managed_read_early() {
  int* values = nullptr;
  CUDA_OK(cudaMallocManaged(&values, bytes));
  for (int i = 0; i < size; ++i) values[i] = i;
  add_one(values, nullptr);
  if (good) wait_for_device();
  int sum = 0;
  for (int i = 0; i < size; ++i) sum += *static_cast<volatile int*>(&values[i]);  // BUG: read
  wait_for_device();
  CUDA_OK(cudaFree(values));
  RESULT(sum == size * (size + 1) / 2);
}

// The host writes it.
template <bool good>
void managed_written_early() {
  int* values = nullptr;
  Array<int> out(size);
  CUDA_OK(cudaMallocManaged(&values, bytes));
  for (int i = 0; i < size; ++i) values[i] = i;
  times_two(values, out, nullptr);
  if (good) wait_for_device();
  for (int i = 0; i < size; ++i) *static_cast<volatile int*>(&values[i]) = -i;  // BUG: write
  wait_for_device();
  CUDA_OK(cudaFree(values));
  RESULT(out.host()[3] == 6);
}

// The pinned source of an asynchronous copy gets its next contents, by a copy of the host.
template <bool good>
void source_reused() {
  Array<int> a(size), b(size);
  Streams s;
  Pinned host;
  const std::vector<int> next(size, -1);
  CUDA_OK(cudaMemcpyAsync(a, host.data, bytes, cudaMemcpyHostToDevice, s.first));  // BUG: read
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  CUDA_OK(cudaMemcpy(host.data, next.data(), bytes, cudaMemcpyHostToHost));  // BUG: write
  CUDA_OK(cudaMemcpyAsync(b, host.data, bytes, cudaMemcpyHostToDevice, s.first));
  wait_for_device();
  RESULT(a.host()[3] == 3);
}

// The result is on its way to pinned memory, and is passed on before it has come.
template <bool good>
void result_taken_early() {
  Array<int> values(counting<int>(size));
  Streams s;
  Pinned host;
  std::vector<int> taken(size);
  add_one(values, s.first);
  CUDA_OK(
      cudaMemcpyAsync(host.data, values, bytes, cudaMemcpyDeviceToHost, s.first));  // BUG: write
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  CUDA_OK(cudaMemcpy(taken.data(), host.data, bytes, cudaMemcpyHostToHost));  // BUG: read
  wait_for_device();
  RESULT(taken[3] == 4);
}

// The same without a call of CUDA: the host reads the pinned memory itself.
template <bool good>
void pinned_read_early() {
  Array<int> values(counting<int>(size));
  Streams s;
  Pinned host;
  CUDA_OK(
      cudaMemcpyAsync(host.data, values, bytes, cudaMemcpyDeviceToHost, s.first));  // BUG: write
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  int sum = 0;
  for (int i = 0; i < size; ++i) sum += *static_cast<volatile int*>(&host.data[i]);  // BUG: read
  wait_for_device();
  RESULT(sum == size * (size - 1) / 2);
}

// Two copies to the host in two streams, into one buffer.
template <bool good>
void one_target_of_two_copies() {
  Array<int> a(counting<int>(size)), b(size, 5);
  Streams s;
  Pinned host;
  CUDA_OK(cudaMemcpyAsync(host.data, a, bytes, cudaMemcpyDeviceToHost, s.first));  // BUG: write
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  CUDA_OK(cudaMemcpyAsync(host.data, b, bytes, cudaMemcpyDeviceToHost, s.second));  // BUG: write
  wait_for_device();
  RESULT(host.data[3] == 5);
}

// Mapped memory: the kernel writes it, and a copy of the host takes it away at once.
template <bool good>
void mapped_copied_early() {
  Pinned host;
  std::vector<int> taken(size);
  Streams s;
  add_one(host.data, s.first);
  if (good) CUDA_OK(cudaStreamSynchronize(s.first));
  CUDA_OK(cudaMemcpy(taken.data(), host.data, bytes, cudaMemcpyHostToHost));  // BUG: read
  wait_for_device();
  RESULT(taken[3] == 4);
}

const Case cases[] = {
    CASE(no_event, "race"),
    CASE(event_recorded_early, "race"),
    CASE(event_recorded_late, "race"),
    CASE(event_in_the_wrong_stream, "race"),
    CASE(written_again, "race"),
    CASE(two_writers, "race"),
    CASE(default_and_non_blocking, "race"),
    CASE(memset_in_the_default_stream, "race"),
    CASE(memset_in_another_stream, "race"),
    CASE(upload_in_another_stream, "race"),
    CASE(download_in_another_stream, "race"),
    CASE(download_without_waiting, "race"),
    CASE(wrong_stream_awaited, "race"),
    CASE(one_buffer_for_two_streams, "race"),
    CASE(atomics_in_another_stream, "race"),
    CASE(scratch_of_two_kernels, "race"),
    CASE(allocated_in_another_stream, "race|use-after-free"),
    CASE(event_recorded_twice, "race"),
    CASE(pool_of_two_streams, "race"),
    CASE(graph_without_dependency, "race"),
    CASE(graph_memset, "race"),
    CASE(captured_fork, "race"),
    CASE(two_graphs, "race"),
    CASE(managed_read_early, "race"),
    CASE(managed_written_early, "race"),
    CASE(source_reused, "race"),
    CASE(result_taken_early, "race"),
    CASE(pinned_read_early, "race"),
    CASE(one_target_of_two_copies, "race"),
    CASE(mapped_copied_early, "race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

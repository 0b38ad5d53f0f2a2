// Memory that is used after it was freed, freed wrongly, or never freed.
#include "cases.cuh"

template <typename T>
__global__ void double_kernel(T* values, int n) {  // the caller says what is wrong
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) values[i] = 2 * values[i];  // BUG
}

// A buffer of 64 ints, all 1, as a program allocates it.
int* new_buffer() {
  const std::vector<int> ones(64, 1);
  int* buffer = nullptr;
  CUDA_OK(cudaMalloc(&buffer, 64 * sizeof(int)));
  CUDA_OK(cudaMemcpy(buffer, ones.data(), 64 * sizeof(int), cudaMemcpyHostToDevice));
  return buffer;
}

// --- Use after free ---

template <bool good>
void kernel_after_free() {
  int* buffer = new_buffer();
  if (!good) CUDA_OK(cudaFree(buffer));
  double_kernel<<<1, 64>>>(buffer, 64);
  KERNEL_OK();
  if (good) CUDA_OK(cudaFree(buffer));
}

template <bool good>
void copy_after_free() {
  int* buffer = new_buffer();
  int first = 0;
  if (!good) CUDA_OK(cudaFree(buffer));
  CUDA_OK(cudaMemcpy(&first, buffer, sizeof first, cudaMemcpyDeviceToHost));  // BUG
  if (good) CUDA_OK(cudaFree(buffer));
  RESULT(first == 1);
}

template <bool good>
void memset_after_free() {
  int* buffer = new_buffer();
  if (!good) CUDA_OK(cudaFree(buffer));
  CUDA_OK(cudaMemset(buffer, 0, 64 * sizeof(int)));  // BUG
  if (good) CUDA_OK(cudaFree(buffer));
}

// The buffer grows, and an old pointer to it is kept.
template <bool good>
void old_pointer_kept() {
  int* buffer = new_buffer();
  int* middle = buffer + 32;
  int* larger = nullptr;
  CUDA_OK(cudaMalloc(&larger, 128 * sizeof(int)));
  CUDA_OK(cudaMemset(larger, 0, 128 * sizeof(int)));
  CUDA_OK(cudaMemcpy(larger, buffer, 64 * sizeof(int), cudaMemcpyDeviceToDevice));
  CUDA_OK(cudaFree(buffer));
  if (good) middle = larger + 32;
  double_kernel<<<1, 32>>>(middle, 32);
  KERNEL_OK();
  CUDA_OK(cudaFree(larger));
}

// A device variable points at memory that is gone.
__device__ int* workspace;

template <bool good>
__global__ void through_a_variable_kernel() {
  workspace[threadIdx.x] += 1;  // BUG
}

template <bool good>
void through_a_variable() {
  int* buffer = new_buffer();
  CUDA_OK(cudaMemcpyToSymbol(workspace, &buffer, sizeof buffer));
  through_a_variable_kernel<good><<<1, 64>>>();
  KERNEL_OK();
  CUDA_OK(cudaFree(buffer));
  if (good) {
    buffer = new_buffer();
    CUDA_OK(cudaMemcpyToSymbol(workspace, &buffer, sizeof buffer));
  }
  through_a_variable_kernel<good><<<1, 64>>>();
  KERNEL_OK();
  if (good) CUDA_OK(cudaFree(buffer));
}

// A list in device memory whose node was freed, but not taken out.
struct Node {
  int value;
  Node* next;
};

template <bool good>
__global__ void walk_kernel(const Node* node, int* sum) {
  int total = 0;
  for (; node != nullptr; node = node->next) total += node->value;  // BUG
  *sum = total;
}

template <bool good>
void list_node_freed() {
  Node* nodes[3];
  for (Node*& node : nodes) CUDA_OK(cudaMalloc(&node, sizeof(Node)));
  const Node values[3] = {{1, good ? nodes[2] : nodes[1]}, {2, nodes[2]}, {3, nullptr}};
  for (int k = 0; k < 3; ++k) {
    Node node;
    std::memset(&node, 0, sizeof node);
    node.value = values[k].value;
    node.next = values[k].next;
    CUDA_OK(cudaMemcpy(nodes[k], &node, sizeof node, cudaMemcpyHostToDevice));
  }
  {
    Array<int> sum(1);
    CUDA_OK(cudaFree(nodes[1]));
    walk_kernel<good><<<1, 1>>>(nodes[0], sum);
    KERNEL_OK();
    RESULT(sum.host()[0] == 4);
  }
  CUDA_OK(cudaFree(nodes[0]));
  CUDA_OK(cudaFree(nodes[2]));
}

// Stream-ordered memory is gone for what comes later in its stream.
template <bool good>
void after_free_async() {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  int* buffer = nullptr;
  CUDA_OK(cudaMallocAsync(&buffer, 64 * sizeof(int), stream));
  CUDA_OK(cudaMemsetAsync(buffer, 0, 64 * sizeof(int), stream));
  if (!good) CUDA_OK(cudaFreeAsync(buffer, stream));
  double_kernel<<<1, 64, 0, stream>>>(buffer, 64);
  CUDA_OK(cudaGetLastError());
  if (good) CUDA_OK(cudaFreeAsync(buffer, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaStreamDestroy(stream));
}

// It is freed in one stream while a kernel in another uses it.
template <bool good>
void free_async_in_another_stream() {
  cudaStream_t first, second;
  CUDA_OK(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
  CUDA_OK(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
  cudaEvent_t used;
  CUDA_OK(cudaEventCreateWithFlags(&used, cudaEventDisableTiming));
  int* buffer = nullptr;
  CUDA_OK(cudaMallocAsync(&buffer, 64 * sizeof(int), first));
  CUDA_OK(cudaMemsetAsync(buffer, 0, 64 * sizeof(int), first));
  double_kernel<<<1, 64, 0, first>>>(buffer, 64);
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaEventRecord(used, first));
  if (good) CUDA_OK(cudaStreamWaitEvent(second, used));
  CUDA_OK(cudaFreeAsync(buffer, second));  // BUG
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(used));
  CUDA_OK(cudaStreamDestroy(first));
  CUDA_OK(cudaStreamDestroy(second));
}

// Pinned memory of the host, freed while the device will still write to it.
template <bool good>
void pinned_after_free() {
  int *pinned = nullptr, *device = nullptr;
  CUDA_OK(cudaHostAlloc(&pinned, 64 * sizeof(int), cudaHostAllocMapped));
  for (int i = 0; i < 64; ++i) pinned[i] = i;
  CUDA_OK(cudaHostGetDevicePointer(&device, pinned, 0));
  if (!good) CUDA_OK(cudaFreeHost(pinned));
  double_kernel<<<1, 64>>>(device, 64);
  KERNEL_OK();
  if (good) CUDA_OK(cudaFreeHost(pinned));
}

// Memory that was registered is the device's until it is unregistered.
template <bool good>
void after_unregister() {
  std::vector<int> values(4096, 1);
  CUDA_OK(cudaHostRegister(values.data(), values.size() * sizeof(int), cudaHostRegisterMapped));
  int* device = nullptr;
  CUDA_OK(cudaHostGetDevicePointer(&device, values.data(), 0));
  if (!good) CUDA_OK(cudaHostUnregister(values.data()));
  double_kernel<<<16, 256>>>(device, 4096);
  KERNEL_OK();
  if (good) CUDA_OK(cudaHostUnregister(values.data()));
}

template <bool good>
void managed_after_free() {
  int* values = nullptr;
  CUDA_OK(cudaMallocManaged(&values, 64 * sizeof(int)));
  for (int i = 0; i < 64; ++i) values[i] = i;
  if (!good) CUDA_OK(cudaFree(values));
  double_kernel<<<1, 64>>>(values, 64);
  KERNEL_OK();
  if (good) CUDA_OK(cudaFree(values));
}

// The device's heap: read after free().
template <bool good>
__global__ void device_heap_kernel(const int* in, int* out) {
  int* copy = static_cast<int*>(malloc(16 * sizeof(int)));
  if (copy == nullptr) return;
  for (int k = 0; k < 16; ++k) copy[k] = in[k] + static_cast<int>(threadIdx.x);
  if (!good) free(copy);
  int sum = 0;
  for (int k = 15; k >= 0; --k) sum += copy[k] * in[15 - k];  // BUG
  out[threadIdx.x] = sum;
  if (good) free(copy);
}

template <bool good>
void device_heap_after_free() {
  Array<int> in(counting<int>(16)), out(8);
  device_heap_kernel<good><<<1, 8>>>(in, out);
  KERNEL_OK();
}

// One thread frees what the whole block uses, without waiting for it.
template <bool good>
__global__ void freed_by_one_thread_kernel(const int* in, int* out) {
  __shared__ int* buffer;
  if (threadIdx.x == 0) buffer = static_cast<int*>(malloc(blockDim.x * sizeof(int)));
  __syncthreads();
  if (buffer == nullptr) return;
  buffer[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  if (!good && threadIdx.x == 0) free(buffer);              // BUG
  out[threadIdx.x] = buffer[blockDim.x - 1 - threadIdx.x];  // BUG
  __syncthreads();
  if (good && threadIdx.x == 0) free(buffer);
}

template <bool good>
void freed_by_one_thread() {
  Array<int> in(counting<int>(64)), out(64);
  freed_by_one_thread_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
}

// A graph remembers the pointer.
template <bool good>
void graph_after_free() {
  int* buffer = new_buffer();
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  CUDA_OK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  double_kernel<<<1, 64, 0, stream>>>(buffer, 64);
  CUDA_OK(cudaStreamEndCapture(stream, &graph));
  CUDA_OK(cudaGraphInstantiate(&executable, graph, 0));
  CUDA_OK(cudaGraphLaunch(executable, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  if (!good) CUDA_OK(cudaFree(buffer));
  CUDA_OK(cudaGraphLaunch(executable, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  if (good) CUDA_OK(cudaFree(buffer));
  CUDA_OK(cudaGraphExecDestroy(executable));
  CUDA_OK(cudaGraphDestroy(graph));
  CUDA_OK(cudaStreamDestroy(stream));
}

template <bool good>
void copy_after_free_async() {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  int *buffer = nullptr, *host = nullptr;
  CUDA_OK(cudaMallocHost(&host, 64 * sizeof(int)));
  CUDA_OK(cudaMallocAsync(&buffer, 64 * sizeof(int), stream));
  CUDA_OK(cudaMemsetAsync(buffer, 0, 64 * sizeof(int), stream));
  if (!good) CUDA_OK(cudaFreeAsync(buffer, stream));
  CUDA_OK(cudaMemcpyAsync(host, buffer, 64 * sizeof(int), cudaMemcpyDeviceToHost, stream));  // BUG
  if (good) CUDA_OK(cudaFreeAsync(buffer, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaFreeHost(host));
  CUDA_OK(cudaStreamDestroy(stream));
}

// A table of pointers on the device, one of which has been freed.
__global__ void sum_of_rows_kernel(int* const* rows, int* sums) {
  int sum = 0;
  for (int k = 0; k < 64; ++k) sum += rows[threadIdx.x][k];  // BUG
  sums[threadIdx.x] = sum;
}

template <bool good>
void row_of_a_table_freed() {
  std::vector<int*> rows;
  for (int k = 0; k < 4; ++k) rows.push_back(new_buffer());
  {
    Array<int*> table(rows);
    Array<int> sums(4);
    if (!good) CUDA_OK(cudaFree(rows[2]));
    sum_of_rows_kernel<<<1, 4>>>(table, sums);
    KERNEL_OK();
    RESULT(sums.host()[2] == 64);
  }
  for (int k = 0; k < 4; ++k) {
    if (good || k != 2) CUDA_OK(cudaFree(rows[k]));
  }
}

// --- Invalid frees ---

template <bool good>
void freed_twice() {
  int* buffer = new_buffer();
  CUDA_OK(cudaFree(buffer));
  if (!good) CUDA_OK(cudaFree(buffer));  // BUG
}

// Two owners of one pointer, of which each frees it.
struct Owner {
  int* data = nullptr;
  void release() {
    if (data != nullptr) CUDA_OK(cudaFree(data));  // BUG
    data = nullptr;
  }
};

template <bool good>
void two_owners() {
  Owner a;
  a.data = new_buffer();
  Owner b = a;
  if (good) b.data = new_buffer();
  a.release();
  b.release();
}

template <bool good>
void interior_pointer() {
  int* buffer = new_buffer();
  int* cursor = buffer;
  cursor += 16;
  double_kernel<<<1, 32>>>(cursor, 32);
  KERNEL_OK();
  CUDA_OK(cudaFree(good ? buffer : cursor));  // BUG
}

template <bool good>
void host_pointer() {
  int* values = static_cast<int*>(std::malloc(64 * sizeof(int)));
  if (good) {
    std::free(values);
  } else {
    CUDA_OK(cudaFree(values));  // BUG
  }
}

template <bool good>
void device_pointer_to_free_host() {
  int* buffer = new_buffer();
  CUDA_OK(good ? cudaFree(buffer) : cudaFreeHost(buffer));  // BUG
}

template <bool good>
void pinned_pointer_to_free() {
  int* pinned = nullptr;
  CUDA_OK(cudaMallocHost(&pinned, 64 * sizeof(int)));
  CUDA_OK(good ? cudaFreeHost(pinned) : cudaFree(pinned));  // BUG
}

template <bool good>
void freed_twice_async() {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  int* buffer = nullptr;
  CUDA_OK(cudaMallocAsync(&buffer, 256, stream));
  CUDA_OK(cudaFreeAsync(buffer, stream));
  if (!good) CUDA_OK(cudaFreeAsync(buffer, stream));  // BUG
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaStreamDestroy(stream));
}

template <bool good>
__global__ void device_heap_twice_kernel(int* out) {
  int* memory = static_cast<int*>(malloc(64));
  if (memory == nullptr) return;
  memory[0] = static_cast<int>(threadIdx.x);
  out[threadIdx.x] = memory[0];
  free(memory);
  if (!good) free(memory);  // BUG
}

template <bool good>
void device_heap_twice() {
  Array<int> out(4);
  device_heap_twice_kernel<good><<<1, 4>>>(out);
  KERNEL_OK();
}

// All threads free what one has allocated.
template <bool good>
__global__ void freed_by_all_kernel(int* out) {
  __shared__ int* memory;
  if (threadIdx.x == 0) memory = static_cast<int*>(malloc(blockDim.x * sizeof(int)));
  __syncthreads();
  if (memory == nullptr) return;
  memory[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  out[threadIdx.x] = memory[threadIdx.x ^ 1];
  __syncthreads();
  if (!good || threadIdx.x == 0) free(memory);  // BUG
}

template <bool good>
void freed_by_all() {
  Array<int> out(32);
  freed_by_all_kernel<good><<<1, 32>>>(out);
  KERNEL_OK();
}

// A kernel frees memory of cudaMalloc, which is not of its heap.
template <bool good>
__global__ void not_of_the_heap_kernel(int* memory) {
  if (threadIdx.x == 0) {
    if (good) memory = static_cast<int*>(malloc(64));
    if (memory != nullptr) memory[0] = 1;
    free(memory);  // BUG
  }
}

template <bool good>
void not_of_the_heap() {
  Array<int> memory(64);
  not_of_the_heap_kernel<good><<<1, 32>>>(memory);
  KERNEL_OK();
}

// The host frees memory of a kernel's malloc.
__device__ int* of_the_heap;

__global__ void allocate_kernel() { of_the_heap = static_cast<int*>(malloc(64)); }
__global__ void free_kernel() { free(of_the_heap); }

template <bool good>
void heap_freed_by_the_host() {
  allocate_kernel<<<1, 1>>>();
  KERNEL_OK();
  if (good) {
    free_kernel<<<1, 1>>>();
    KERNEL_OK();
  } else {
    int* memory = nullptr;
    CUDA_OK(cudaMemcpyFromSymbol(&memory, of_the_heap, sizeof memory));
    CUDA_OK(cudaFree(memory));  // BUG
  }
}

// A variable of the program is nobody's to free.
__device__ int variable[64];

template <bool good>
void device_variable() {
  void* address = nullptr;
  if (good) {
    CUDA_OK(cudaMalloc(&address, 256));
  } else {
    CUDA_OK(cudaGetSymbolAddress(&address, variable));
  }
  CUDA_OK(cudaFree(address));  // BUG
}

// A device's heap gives back what begins where malloc said.
template <bool good>
__global__ void heap_interior_kernel(const int* in, int* out) {
  int* memory = static_cast<int*>(malloc(16 * sizeof(int)));
  if (memory == nullptr) return;
  int* cursor = memory;
  for (int k = 0; k < 16; ++k) *cursor++ = in[k];
  out[threadIdx.x] = cursor[-1 - static_cast<int>(threadIdx.x)];
  free(good ? memory : cursor - 8);  // BUG
}

template <bool good>
void heap_interior() {
  Array<int> in(counting<int>(16)), out(4);
  heap_interior_kernel<good><<<1, 4>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[3] == 12);
}

// --- Leaks ---

template <bool good>
void never_freed() {
  int* buffer = nullptr;
  CUDA_OK(cudaMalloc(&buffer, 64 * sizeof(int)));  // BUG
  CUDA_OK(cudaMemset(buffer, 0, 64 * sizeof(int)));
  double_kernel<<<1, 64>>>(buffer, 64);
  KERNEL_OK();
  if (good) CUDA_OK(cudaFree(buffer));
}

// A function that returns early.
template <bool good>
bool process(int n) {
  float* scratch = nullptr;
  CUDA_OK(cudaMalloc(&scratch, 256 * sizeof(float)));  // BUG
  if (n > 256) {
    if (good) CUDA_OK(cudaFree(scratch));
    return false;
  }
  CUDA_OK(cudaMemset(scratch, 0, 256 * sizeof(float)));
  double_kernel<<<1, 256>>>(scratch, n);
  KERNEL_OK();
  CUDA_OK(cudaFree(scratch));
  return true;
}

template <bool good>
void early_return() {
  CHECK(process<good>(100));
  CHECK(!process<good>(1000));
}

// Each turn of a loop allocates, and the end frees once.
template <bool good>
void in_a_loop() {
  int* buffer = nullptr;
  for (int turn = 1; turn <= 3; ++turn) {
    if (good) CUDA_OK(cudaFree(buffer));
    CUDA_OK(cudaMalloc(&buffer, turn * 64 * sizeof(int)));  // BUG
    CUDA_OK(cudaMemset(buffer, 0, turn * 64 * sizeof(int)));
  }
  CUDA_OK(cudaFree(buffer));
}

template <bool good>
void managed_never_freed() {
  int* values = nullptr;
  CUDA_OK(cudaMallocManaged(&values, 64 * sizeof(int)));  // BUG
  for (int i = 0; i < 64; ++i) values[i] = i;
  double_kernel<<<1, 64>>>(values, 64);
  KERNEL_OK();
  if (good) CUDA_OK(cudaFree(values));
}

template <bool good>
void pinned_never_freed() {
  int* staging = nullptr;
  CUDA_OK(cudaMallocHost(&staging, 64 * sizeof(int)));  // BUG
  for (int i = 0; i < 64; ++i) staging[i] = i;
  {
    Array<int> device(64);
    CUDA_OK(cudaMemcpy(device, staging, 64 * sizeof(int), cudaMemcpyHostToDevice));
    double_kernel<<<1, 64>>>(static_cast<int*>(device), 64);
    KERNEL_OK();
  }
  if (good) CUDA_OK(cudaFreeHost(staging));
}

template <bool good>
void async_never_freed() {
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  int* buffer = nullptr;
  CUDA_OK(cudaMallocAsync(&buffer, 64 * sizeof(int), stream));  // BUG
  CUDA_OK(cudaMemsetAsync(buffer, 0, 64 * sizeof(int), stream));
  double_kernel<<<1, 64, 0, stream>>>(buffer, 64);
  CUDA_OK(cudaGetLastError());
  if (good) CUDA_OK(cudaFreeAsync(buffer, stream));
  CUDA_OK(cudaStreamSynchronize(stream));
  CUDA_OK(cudaStreamDestroy(stream));
}

template <bool good>
void pitched_never_freed() {
  float* image = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, 50 * sizeof(float), 20));  // BUG
  CUDA_OK(cudaMemset2D(image, pitch, 0, 50 * sizeof(float), 20));
  if (good) CUDA_OK(cudaFree(image));
}

// malloc in a kernel, for which nobody calls free.
template <bool good>
__global__ void device_heap_leak_kernel(const int* in, int* out) {
  int* sorted = static_cast<int*>(malloc(8 * sizeof(int)));  // BUG
  if (sorted == nullptr) return;
  for (int k = 0; k < 8; ++k) sorted[k] = in[(k * 5 + threadIdx.x) % 8];
  for (int k = 1; k < 8; ++k) {
    for (int m = k; m > 0 && sorted[m - 1] > sorted[m]; --m) {
      const int larger = sorted[m - 1];
      sorted[m - 1] = sorted[m];
      sorted[m] = larger;
    }
  }
  out[threadIdx.x] = sorted[4];
  if (good) free(sorted);
}

template <bool good>
void device_heap_leak() {
  Array<int> in(counting<int>(8)), out(16);
  device_heap_leak_kernel<good><<<1, 16>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[3] == 4);
}

template <bool good>
void array_never_freed() {
  cudaArray_t array;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  const std::vector<float> row(32, 1.0f);
  CUDA_OK(cudaMallocArray(&array, &format, 32, 8));  // BUG
  CUDA_OK(cudaMemcpy2DToArray(array, 0, 0, row.data(), 128, 128, 1, cudaMemcpyHostToDevice));
  if (good) CUDA_OK(cudaFreeArray(array));
}

// An object's memory is freed by none of its functions: the second assignment loses the first.
struct Image {
  float* pixels = nullptr;
  void resize(int n, bool free_first) {
    if (free_first) CUDA_OK(cudaFree(pixels));
    CUDA_OK(cudaMalloc(&pixels, n * sizeof(float)));  // BUG
    CUDA_OK(cudaMemset(pixels, 0, n * sizeof(float)));
  }
  ~Image() { CUDA_OK(cudaFree(pixels)); }
};

template <bool good>
void resized() {
  Image image;
  image.resize(100, good);
  image.resize(200, good);
  double_kernel<<<1, 256>>>(image.pixels, 200);
  KERNEL_OK();
}

const Case cases[] = {
    CASE(kernel_after_free, "use-after-free"),
    CASE(copy_after_free, "use-after-free"),
    CASE(memset_after_free, "use-after-free"),
    CASE(old_pointer_kept, "use-after-free"),
    CASE(through_a_variable, "use-after-free"),
    CASE(list_node_freed, "use-after-free"),
    CASE(after_free_async, "use-after-free"),
    CASE(free_async_in_another_stream, "use-after-free|race"),
    CASE(pinned_after_free, "use-after-free"),
    CASE(after_unregister, "use-after-free|out-of-bounds"),
    CASE(managed_after_free, "use-after-free"),
    CASE(device_heap_after_free, "use-after-free"),
    CASE(freed_by_one_thread, "use-after-free|race"),
    CASE(graph_after_free, "use-after-free"),
    CASE(freed_twice, "invalid-free"),
    CASE(two_owners, "invalid-free"),
    CASE(interior_pointer, "invalid-free"),
    CASE(host_pointer, "invalid-free"),
    CASE(device_pointer_to_free_host, "invalid-free"),
    CASE(pinned_pointer_to_free, "invalid-free"),
    CASE(freed_twice_async, "invalid-free"),
    CASE(device_heap_twice, "invalid-free"),
    CASE(freed_by_all, "invalid-free"),
    CASE(not_of_the_heap, "invalid-free"),
    CASE(heap_freed_by_the_host, "invalid-free"),
    CASE(never_freed, "leak"),
    CASE(early_return, "leak"),
    CASE(in_a_loop, "leak"),
    CASE(managed_never_freed, "leak"),
    CASE(pinned_never_freed, "leak"),
    CASE(async_never_freed, "leak"),
    CASE(pitched_never_freed, "leak"),
    CASE(device_heap_leak, "leak"),
    CASE(copy_after_free_async, "use-after-free"),
    CASE(row_of_a_table_freed, "use-after-free"),
    CASE(device_variable, "invalid-free"),
    CASE(heap_interior, "invalid-free"),
    CASE(array_never_freed, "leak"),
    CASE(resized, "leak"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }

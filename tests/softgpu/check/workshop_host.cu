// Mistakes of host code around kernels, of streams, events, graphs, pools, symbols and images, as
// somebody would make them who knows none of the other files.
#include <cooperative_groups.h>

#include "cases.cuh"

namespace cg = cooperative_groups;

__global__ void fill(int* data, int value, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] = value;  // BUG
}
__global__ void increase(int* data, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] += 1;  // BUG
}
__global__ void add_to(int* to, const int* from, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) to[i] += from[i];  // BUG
}

struct Streams {
  cudaStream_t a = nullptr, b = nullptr;
  Streams() {
    CUDA_OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    CUDA_OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  }
  ~Streams() {
    CUDA_OK(cudaStreamDestroy(a));
    CUDA_OK(cudaStreamDestroy(b));
  }
};

// An event makes the second stream wait; the third piece of work goes back to the first too early.
template <bool good>
void back_to_the_first_stream() {
  Array<int> x(256, 0);
  Streams s;
  cudaEvent_t first, second;
  CUDA_OK(cudaEventCreateWithFlags(&first, cudaEventDisableTiming));
  CUDA_OK(cudaEventCreateWithFlags(&second, cudaEventDisableTiming));
  fill<<<2, 128, 0, s.a>>>(x, 1, 256);
  CUDA_OK(cudaEventRecord(first, s.a));
  CUDA_OK(cudaStreamWaitEvent(s.b, first));
  increase<<<2, 128, 0, s.b>>>(x, 256);
  CUDA_OK(cudaEventRecord(second, s.b));
  if (good) CUDA_OK(cudaStreamWaitEvent(s.a, second));
  increase<<<2, 128, 0, s.a>>>(x, 256);
  KERNEL_OK();
  RESULT(x.host()[0] == 3);
  CUDA_OK(cudaEventDestroy(first));
  CUDA_OK(cudaEventDestroy(second));
}

// A graph that is made by hand: the copy to the host depends on one of two kernels only.
template <bool good>
void copy_node_after_one_of_two() {
  Array<int> x(64, 0), y(64, 0);
  std::vector<int> out(64);
  cudaGraph_t graph;
  CUDA_OK(cudaGraphCreate(&graph, 0));
  int* px = x;
  int* py = y;
  int one = 1, two = 2, n = 64;
  void* first_arguments[] = {&px, &one, &n};
  void* second_arguments[] = {&py, &two, &n};
  cudaKernelNodeParams first{}, second{};
  first.func = reinterpret_cast<void*>(fill);
  first.gridDim = dim3(1);
  first.blockDim = dim3(64);
  first.kernelParams = first_arguments;
  second = first;
  second.kernelParams = second_arguments;
  cudaGraphNode_t a, b, copy;
  CUDA_OK(cudaGraphAddKernelNode(&a, graph, nullptr, 0, &first));
  CUDA_OK(cudaGraphAddKernelNode(&b, graph, nullptr, 0, &second));
  const cudaGraphNode_t both[] = {a, b};
  CUDA_OK(cudaGraphAddMemcpyNode1D(&copy, graph, both, good ? 2 : 1, out.data(), py,
                                   64 * sizeof(int), cudaMemcpyDeviceToHost));
  cudaGraphExec_t ready;
  CUDA_OK(cudaGraphInstantiate(&ready, graph, 0));
  CUDA_OK(cudaGraphLaunch(ready, nullptr));
  CUDA_OK(cudaDeviceSynchronize());
  RESULT(out[5] == 2);
  CUDA_OK(cudaGraphExecDestroy(ready));
  CUDA_OK(cudaGraphDestroy(graph));
}

// A graph is launched again, in another stream, while it is still the other one's turn.
template <bool good>
void two_graphs_of_one_array() {
  Array<int> x(64, 0);
  Streams s;
  cudaGraphExec_t ready[2];
  for (auto& one : ready) {
    cudaGraph_t graph;
    CUDA_OK(cudaStreamBeginCapture(s.a, cudaStreamCaptureModeGlobal));
    increase<<<1, 64, 0, s.a>>>(x, 64);
    CUDA_OK(cudaStreamEndCapture(s.a, &graph));
    CUDA_OK(cudaGraphInstantiate(&one, graph, 0));
    CUDA_OK(cudaGraphDestroy(graph));
  }
  CUDA_OK(cudaGraphLaunch(ready[0], s.a));
  CUDA_OK(cudaGraphLaunch(ready[1], good ? s.a : s.b));
  CUDA_OK(cudaDeviceSynchronize());
  RESULT(x.host()[0] == 2);
  for (auto& one : ready) CUDA_OK(cudaGraphExecDestroy(one));
}

// The parameters of a graph's kernel are exchanged for those of an array that is too short.
template <bool good>
void graph_with_new_parameters() {
  Array<int> large(256, 0), small(100, 0);
  cudaGraph_t graph;
  cudaGraphNode_t node;
  int* to = large;
  int value = 1, n = 256;
  void* arguments[] = {&to, &value, &n};
  cudaKernelNodeParams what{};
  what.func = reinterpret_cast<void*>(fill);
  what.gridDim = dim3(2);
  what.blockDim = dim3(128);
  what.kernelParams = arguments;
  CUDA_OK(cudaGraphCreate(&graph, 0));
  CUDA_OK(cudaGraphAddKernelNode(&node, graph, nullptr, 0, &what));
  cudaGraphExec_t ready;
  CUDA_OK(cudaGraphInstantiate(&ready, graph, 0));
  to = small;
  if (good) n = 100;
  CUDA_OK(cudaGraphExecKernelNodeSetParams(ready, node, &what));
  CUDA_OK(cudaGraphLaunch(ready, nullptr));
  if (good) {
    CUDA_OK(cudaDeviceSynchronize());
    CHECK(small.host()[99] == 1);
  } else {
    (void)cudaDeviceSynchronize();
    (void)cudaGetLastError();
    std::exit(0);
  }
  CUDA_OK(cudaGraphExecDestroy(ready));
  CUDA_OK(cudaGraphDestroy(graph));
}

__device__ int device_table[32];
__constant__ int constant_table[8];
__global__ void look_up(const int* which, int* out) {
  out[threadIdx.x] = device_table[which[threadIdx.x]];  // BUG
}
template <bool good>
void index_beyond_a_symbol() {
  Array<int> which(counting<int>(good ? 32 : 64)), out(64);
  const int n = good ? 32 : 64;
  look_up<<<1, n>>>(which, out);
  KERNEL_OK();
}

// A symbol is filled while the kernel that reads it runs in another stream.
__global__ void use_table(int* out) {
  out[threadIdx.x] = device_table[threadIdx.x] + 1;  // BUG
}
template <bool good>
void symbol_filled_in_another_stream() {
  Array<int> out(32);
  Streams s;
  const std::vector<int> values(32, 7);
  CUDA_OK(cudaMemcpyToSymbolAsync(device_table, values.data(), 32 * sizeof(int), 0,
                                  cudaMemcpyHostToDevice, s.a));
  if (good) CUDA_OK(cudaStreamSynchronize(s.a));
  use_table<<<1, 32, 0, s.b>>>(out);
  KERNEL_OK();
  RESULT(out.host()[3] == 8);
}

// The rows of a pitched image are copied with the width in pixels.
__global__ void count_bright(const float* image, size_t pitch, int width, int* out) {
  const float* row =
      reinterpret_cast<const float*>(reinterpret_cast<const char*>(image) + blockIdx.x * pitch);
  if (row[threadIdx.x] > 0.5f) atomicAdd(out, 1);  // BUG
}
template <bool good>
void width_in_pixels() {
  const int width = 32, height = 4;
  float* image = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, width * sizeof(float), height));
  const std::vector<float> host(width * height, 1.0f);
  CUDA_OK(cudaMemcpy2D(image, pitch, host.data(), width * sizeof(float),
                       good ? width * sizeof(float) : width, height, cudaMemcpyHostToDevice));
  Array<int> out(1, 0);
  count_bright<<<height, width>>>(image, pitch, width, out);
  KERNEL_OK();
  RESULT(out.host()[0] == width * height);
  CUDA_OK(cudaFree(image));
}

// More rows than were allocated.
template <bool good>
void rows_of_the_other_image() {
  const int width = 32, height = 4;
  float* image = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&image, &pitch, width * sizeof(float), height));
  const std::vector<float> host(width * (height + 1), 1.0f);
  const cudaError_t status =
      cudaMemcpy2D(image, pitch, host.data(), width * sizeof(float), width * sizeof(float),
                   good ? height : height + 1, cudaMemcpyHostToDevice);
  if (good) CUDA_OK(status);
  (void)cudaGetLastError();
  CUDA_OK(cudaFree(image));
}

// A callback of the host reads what a kernel of another stream writes.
struct Sum {
  int* data;
  int sum;
};
void CUDART_CB add_up(void* of) {
  Sum& all = *static_cast<Sum*>(of);
  for (int i = 0; i < 64; ++i) all.sum += all.data[i];
}
template <bool good>
void callback_of_the_other_stream() {
  Sum all{nullptr, 0};
  CUDA_OK(cudaMallocHost(&all.data, 64 * sizeof(int)));
  for (int i = 0; i < 64; ++i) all.data[i] = 0;
  Streams s;
  fill<<<1, 64, 0, s.a>>>(all.data, 1, 64);
  CUDA_OK(cudaLaunchHostFunc(good ? s.a : s.b, add_up, &all));
  CUDA_OK(cudaDeviceSynchronize());
  RESULT(all.sum == 64);
  CUDA_OK(cudaFreeHost(all.data));
}

// Memory of the pool is used by a stream that nothing orders after its allocation's.
template <bool good>
void pool_memory_in_the_other_stream() {
  Streams s;
  int* x = nullptr;
  CUDA_OK(cudaMallocAsync(&x, 64 * sizeof(int), s.a));
  fill<<<1, 64, 0, s.a>>>(x, 1, 64);
  cudaEvent_t filled;
  CUDA_OK(cudaEventCreate(&filled));
  if (good) CUDA_OK(cudaEventRecord(filled, s.a));
  CUDA_OK(cudaStreamWaitEvent(s.b, filled));  // of an event that was never recorded: no wait
  increase<<<1, 64, 0, s.b>>>(x, 64);
  CUDA_OK(cudaFreeAsync(x, s.b));
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaEventDestroy(filled));
}

// The stream is asked whether it is ready, and the answer is not looked at.
template <bool good>
void answer_of_a_query() {
  int* result = nullptr;
  CUDA_OK(cudaMallocManaged(&result, sizeof(int)));
  *result = 0;
  Streams s;
  fill<<<1, 1, 0, s.a>>>(result, 5, 1);
  if (good) {
    while (cudaStreamQuery(s.a) == cudaErrorNotReady) {
    }
  }
  RESULT(*result == 5);  // BUG
  CUDA_OK(cudaDeviceSynchronize());
  CUDA_OK(cudaFree(result));
}

// A host array is filled for the second copy while the first still reads it.
template <bool good>
void staging_buffer() {
  int* staging = nullptr;
  CUDA_OK(cudaMallocHost(&staging, 64 * sizeof(int)));
  Array<int> a(64, 0), b(64, 0);
  Streams s;
  for (int i = 0; i < 64; ++i) staging[i] = 1;
  CUDA_OK(cudaMemcpyAsync(a, staging, 64 * sizeof(int), cudaMemcpyHostToDevice, s.a));
  if (good) CUDA_OK(cudaStreamSynchronize(s.a));
  for (int i = 0; i < 64; ++i) staging[i] = 2;  // BUG
  CUDA_OK(cudaMemcpyAsync(b, staging, 64 * sizeof(int), cudaMemcpyHostToDevice, s.a));
  CUDA_OK(cudaStreamSynchronize(s.a));
  RESULT(a.host()[0] == 1 && b.host()[0] == 2);
  CUDA_OK(cudaFreeHost(staging));
}

// Work on two parts of an array, of which the second begins in the first.
template <bool good>
void parts_that_overlap() {
  Array<int> x(200, 0);
  Streams s;
  fill<<<1, 128, 0, s.a>>>(x, 1, 104);
  fill<<<1, 128, 0, s.b>>>(x + (good ? 104 : 100), 2, good ? 96 : 100);
  KERNEL_OK();
  RESULT(x.host()[103] == 1);
}

// The address of the device's symbol is freed.
template <bool good>
void symbol_is_freed() {
  void* address = nullptr;
  CUDA_OK(cudaGetSymbolAddress(&address, device_table));
  if (!good) {
    (void)cudaFree(address);
    (void)cudaGetLastError();
  }
}

// A kernel gets the address of a variable of the host.
template <bool good>
void address_of_a_host_variable() {
  int count = 0;
  int* device = nullptr;
  CUDA_OK(cudaMalloc(&device, sizeof(int)));
  CUDA_OK(cudaMemset(device, 0, sizeof(int)));
  increase<<<1, 1>>>(good ? device : &count, 1);
  if (good) {
    KERNEL_OK();
    CUDA_OK(cudaFree(device));
  } else {
    (void)cudaDeviceSynchronize();
    std::exit(0);
  }
}

// The texture's array is gone before the kernel that fetches from it.
__global__ void fetch(cudaTextureObject_t texture, float* out) {
  out[threadIdx.x] = tex2D<float>(texture, threadIdx.x + 0.5f, 0.5f);  // BUG
}
template <bool good>
void texture_of_freed_memory() {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  float* memory = nullptr;
  size_t pitch = 0;
  CUDA_OK(cudaMallocPitch(&memory, &pitch, 32 * sizeof(float), 2));
  CUDA_OK(cudaMemset2D(memory, pitch, 0, 32 * sizeof(float), 2));
  cudaResourceDesc resource{};
  resource.resType = cudaResourceTypePitch2D;
  resource.res.pitch2D.devPtr = memory;
  resource.res.pitch2D.desc = format;
  resource.res.pitch2D.width = 32;
  resource.res.pitch2D.height = 2;
  resource.res.pitch2D.pitchInBytes = pitch;
  cudaTextureDesc how{};
  cudaTextureObject_t texture = 0;
  CUDA_OK(cudaCreateTextureObject(&texture, &resource, &how, nullptr));
  Array<float> out(32);
  if (!good) CUDA_OK(cudaFree(memory));
  fetch<<<1, 32>>>(texture, out);
  if (good) {
    KERNEL_OK();
    CUDA_OK(cudaFree(memory));
    CUDA_OK(cudaDestroyTextureObject(texture));
  } else {
    (void)cudaDeviceSynchronize();
    std::exit(0);
  }
}

// Three buffers, of which one is lost on the way.
template <bool good>
void lost_in_a_swap() {
  int* buffers[2] = {};
  for (auto& one : buffers) {
    CUDA_OK(cudaMalloc(&one, 64 * sizeof(int)));
    CUDA_OK(cudaMemset(one, 0, 64 * sizeof(int)));
  }
  int* front = buffers[0];
  int* back = buffers[1];
  for (int i = 0; i < 3; ++i) {
    add_to<<<1, 64>>>(back, front, 64);
    int* swap = front;
    front = back;
    back = good ? swap : front;
  }
  KERNEL_OK();
  CUDA_OK(cudaFree(front));
  if (good) CUDA_OK(cudaFree(back));
}

// A cooperative kernel launched as an ordinary one.
__global__ void whole_grid(int* data) {
  auto grid = cg::this_grid();
  data[grid.thread_rank()] = 1;
  grid.sync();  // BUG
  if (grid.thread_rank() == 0) data[0] = data[63];
}
template <bool good>
void grid_without_a_cooperative_launch() {
  Array<int> data(64, 0);
  int* p = data;
  void* arguments[] = {&p};
  if (good) {
    CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(whole_grid), dim3(2), dim3(32),
                                        arguments));
    KERNEL_OK();
    CHECK(data.host()[0] == 1 && data.host()[40] == 1);
  } else {
    whole_grid<<<2, 32>>>(data);
    (void)cudaDeviceSynchronize();
    std::exit(0);
  }
}

int main(int argc, char** argv) {
  static constexpr Case cases[] = {
      CASE(back_to_the_first_stream, "race"),
      CASE(copy_node_after_one_of_two, "race"),
      CASE(two_graphs_of_one_array, "race"),
      CASE(graph_with_new_parameters, "out-of-bounds"),
      CASE(index_beyond_a_symbol, "out-of-bounds"),
      CASE(symbol_filled_in_another_stream, "race"),
      CASE(width_in_pixels, "uninitialised"),
      CASE(rows_of_the_other_image, "out-of-bounds"),
      CASE(callback_of_the_other_stream, "race"),
      CASE(pool_memory_in_the_other_stream, "race"),
      CASE(answer_of_a_query, "race"),
      CASE(staging_buffer, "race"),
      CASE(parts_that_overlap, "race"),
      CASE(symbol_is_freed, "invalid-free"),
      CASE(address_of_a_host_variable, "out-of-bounds"),
      CASE(texture_of_freed_memory, "use-after-free"),
      CASE(lost_in_a_swap, "leak"),
      CASE(grid_without_a_cooperative_launch, "fault|launch-failure|deadlock|out-of-bounds"),
  };
  return run_cases(cases, argc, argv);
}

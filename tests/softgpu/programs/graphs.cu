// Graphs as programs use them: a captured iteration that is launched many times, forks and joins
// between streams, parameters changed between launches, graphs made by hand, memory of a graph.
#include <vector>

#include "check.cuh"

__global__ void axpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}

__global__ void sum_of_parts(const float* parts, int n, float* out) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum += parts[i];
  *out = sum;
}

__global__ void part_sum(const float* x, int n, float* part) {
  __shared__ float sums[128];
  float sum = 0;
  for (int i = threadIdx.x; i < n; i += 128) sum += x[i];
  sums[threadIdx.x] = sum;
  __syncthreads();
  for (int step = 64; step > 0; step /= 2) {
    if (threadIdx.x < step) sums[threadIdx.x] += sums[threadIdx.x + step];
    __syncthreads();
  }
  if (threadIdx.x == 0) *part = sums[0];
}

constexpr int n = 4096;
constexpr int branches = 4;

int main() {
  float *x, *y, *parts, *total;
  CUDA_OK(cudaMalloc(&x, n * sizeof(float)));
  CUDA_OK(cudaMalloc(&y, n * sizeof(float)));
  CUDA_OK(cudaMalloc(&parts, branches * sizeof(float)));
  CUDA_OK(cudaMallocManaged(&total, sizeof(float)));
  const std::vector<float> ones(n, 1.0F);
  CUDA_OK(cudaMemcpy(x, ones.data(), n * sizeof(float), cudaMemcpyHostToDevice));

  cudaStream_t main_stream, side[branches];
  CUDA_OK(cudaStreamCreate(&main_stream));
  cudaEvent_t fork, joined[branches];
  CUDA_OK(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  for (int i = 0; i < branches; ++i) {
    CUDA_OK(cudaStreamCreate(&side[i]));
    CUDA_OK(cudaEventCreateWithFlags(&joined[i], cudaEventDisableTiming));
  }

  // One iteration: y += 2 x, then four partial sums side by side, then their sum.
  const auto iteration = [&](float a) {
    axpy<<<n / 256, 256, 0, main_stream>>>(n, a, x, y);
    CUDA_OK(cudaEventRecord(fork, main_stream));
    for (int i = 0; i < branches; ++i) {
      CUDA_OK(cudaStreamWaitEvent(side[i], fork, 0));
      part_sum<<<1, 128, 0, side[i]>>>(y + i * (n / branches), n / branches, parts + i);
      CUDA_OK(cudaEventRecord(joined[i], side[i]));
      CUDA_OK(cudaStreamWaitEvent(main_stream, joined[i], 0));
    }
    sum_of_parts<<<1, 1, 0, main_stream>>>(parts, branches, total);
  };
  const auto capture = [&](float a) {
    cudaGraph_t graph;
    CUDA_OK(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeGlobal));
    iteration(a);
    CUDA_OK(cudaStreamEndCapture(main_stream, &graph));
    return graph;
  };

  CUDA_OK(cudaMemset(y, 0, n * sizeof(float)));
  cudaGraph_t graph = capture(2);
  cudaGraphExec_t exec;
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 10; ++i) CUDA_OK(cudaGraphLaunch(exec, main_stream));
  CUDA_OK(cudaStreamSynchronize(main_stream));
  CHECK_AT(*total == 20.0F * n, "%g", *total);

  // The same shape with another number, taken over by the instance.
  cudaGraph_t other = capture(3);
  cudaGraphExecUpdateResultInfo info;
  CUDA_OK(cudaGraphExecUpdate(exec, other, &info));
  CHECK(info.result == cudaGraphExecUpdateSuccess);
  CUDA_OK(cudaGraphLaunch(exec, main_stream));
  CUDA_OK(cudaStreamSynchronize(main_stream));
  CHECK_AT(*total == 23.0F * n, "%g", *total);

  // One kernel node of the instance by itself.
  size_t count = 0;
  CUDA_OK(cudaGraphGetNodes(other, nullptr, &count));
  CHECK_AT(count == 2 + branches, "%zu", count);
  std::vector<cudaGraphNode_t> nodes(count);
  CUDA_OK(cudaGraphGetNodes(other, nodes.data(), &count));
  for (cudaGraphNode_t node : nodes) {
    cudaKernelNodeParams parameters;
    CUDA_OK(cudaGraphKernelNodeGetParams(node, &parameters));
    if (parameters.gridDim.x != n / 256) continue;
    float a = -23;
    int size = n;
    void* arguments[] = {&size, &a, &x, &y};
    parameters.func = (void*)axpy;
    parameters.kernelParams = arguments;
    CUDA_OK(cudaGraphExecKernelNodeSetParams(exec, node, &parameters));
  }
  CUDA_OK(cudaGraphLaunch(exec, main_stream));
  CUDA_OK(cudaStreamSynchronize(main_stream));
  CHECK_AT(*total == 0, "%g", *total);
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(other));
  CUDA_OK(cudaGraphDestroy(graph));

  // Memory that exists while the graph runs, with a kernel node made by hand.
  CUDA_OK(cudaGraphCreate(&graph, 0));
  cudaMemAllocNodeParams alloc{};
  alloc.poolProps.allocType = cudaMemAllocationTypePinned;
  alloc.poolProps.location.type = cudaMemLocationTypeDevice;
  alloc.bytesize = n * sizeof(float);
  cudaGraphNode_t alloc_node, set_node, kernel_node, copy_node, free_node;
  CUDA_OK(cudaGraphAddMemAllocNode(&alloc_node, graph, nullptr, 0, &alloc));
  float* scratch = static_cast<float*>(alloc.dptr);
  cudaMemsetParams set{};
  set.dst = scratch;
  set.elementSize = 4;
  set.value = 0x40000000;  // 2.0f
  set.width = n;
  set.height = 1;
  CUDA_OK(cudaGraphAddMemsetNode(&set_node, graph, &alloc_node, 1, &set));
  int size = n;
  float a = 0.5F;
  void* arguments[] = {&size, &a, &scratch, &scratch};
  cudaKernelNodeParams kernel{};
  kernel.func = (void*)axpy;
  kernel.gridDim = dim3(n / 256);
  kernel.blockDim = dim3(256);
  kernel.kernelParams = arguments;
  CUDA_OK(cudaGraphAddKernelNode(&kernel_node, graph, &set_node, 1, &kernel));
  std::vector<float> back(n);
  CUDA_OK(cudaGraphAddMemcpyNode1D(&copy_node, graph, &kernel_node, 1, back.data(), scratch,
                                   n * sizeof(float), cudaMemcpyDeviceToHost));
  CUDA_OK(cudaGraphAddMemFreeNode(&free_node, graph, &copy_node, 1, scratch));
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 3; ++i) {
    back.assign(n, 0);
    CUDA_OK(cudaGraphLaunch(exec, main_stream));
    CUDA_OK(cudaStreamSynchronize(main_stream));
    CHECK(back == std::vector<float>(n, 3.0F));
  }
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(graph));

  // Stream-ordered memory inside a capture.
  CUDA_OK(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeGlobal));
  float* inside;
  CUDA_OK(cudaMallocAsync(&inside, n * sizeof(float), main_stream));
  CUDA_OK(cudaMemcpyAsync(inside, x, n * sizeof(float), cudaMemcpyDeviceToDevice, main_stream));
  axpy<<<n / 256, 256, 0, main_stream>>>(n, 4, x, inside);
  part_sum<<<1, 128, 0, main_stream>>>(inside, n, total);
  CUDA_OK(cudaFreeAsync(inside, main_stream));
  CUDA_OK(cudaStreamEndCapture(main_stream, &graph));
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  CUDA_OK(cudaGraphLaunch(exec, main_stream));
  CUDA_OK(cudaStreamSynchronize(main_stream));
  CHECK_AT(*total == 5.0F * n, "%g", *total);
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(graph));
  CUDA_OK(cudaDeviceSynchronize());
  return verdict();
}

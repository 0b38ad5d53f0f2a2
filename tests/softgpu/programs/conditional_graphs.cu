// Conditional nodes: if, if-else, while and switch, with values that kernels set.
// nvcc: -rdc=true
#include "check.cuh"

__global__ void set(cudaGraphConditionalHandle handle, const int* value) {
  cudaGraphSetConditional(handle, static_cast<unsigned>(*value));
}

__global__ void store(int* out, int value) { *out = value; }

__global__ void count_down(cudaGraphConditionalHandle handle, int* left, int* rounds) {
  ++*rounds;
  cudaGraphSetConditional(handle, --*left > 0);
}

template <class Kernel, class... Arguments>
void add_kernel(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* after,
                Kernel kernel, Arguments... arguments) {
  void* list[] = {&arguments...};
  cudaKernelNodeParams parameters{};
  parameters.func = (void*)kernel;
  parameters.gridDim = dim3(1);
  parameters.blockDim = dim3(1);
  parameters.kernelParams = list;
  CUDA_OK(cudaGraphAddKernelNode(node, graph, after, after == nullptr ? 0 : 1, &parameters));
}

// A node of the type, after one that sets its handle from *value; store(out, 10 + i) in body i.
cudaGraphExec_t make(cudaGraphConditionalNodeType type, unsigned size, const int* value, int* out) {
  cudaGraph_t graph;
  CUDA_OK(cudaGraphCreate(&graph, 0));
  cudaGraphConditionalHandle handle;
  CUDA_OK(cudaGraphConditionalHandleCreate(&handle, graph, 0, 0));
  cudaGraphNode_t first, node, inner;
  add_kernel(&first, graph, nullptr, set, handle, value);
  cudaGraphNodeParams parameters = {};
  parameters.type = cudaGraphNodeTypeConditional;
  parameters.conditional.handle = handle;
  parameters.conditional.type = type;
  parameters.conditional.size = size;
  CUDA_OK(cudaGraphAddNode(&node, graph, &first, nullptr, 1, &parameters));
  for (unsigned i = 0; i < size; ++i) {
    add_kernel(&inner, parameters.conditional.phGraph_out[i], nullptr, store, out,
               static_cast<int>(10 + i));
  }
  cudaGraphExec_t exec;
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  CUDA_OK(cudaGraphDestroy(graph));
  return exec;
}

int main() {
  int *value, *out;
  CUDA_OK(cudaMallocManaged(&value, sizeof(int)));
  CUDA_OK(cudaMallocManaged(&out, 2 * sizeof(int)));
  const auto run = [&](cudaGraphExec_t exec, int with) {
    *value = with;
    out[0] = -1;
    CUDA_OK(cudaGraphLaunch(exec, nullptr));
    CUDA_OK(cudaDeviceSynchronize());
    return out[0];
  };
  cudaGraphExec_t exec = make(cudaGraphCondTypeIf, 1, value, out);
  CHECK(run(exec, 0) == -1);
  CHECK(run(exec, 7) == 10);
  CHECK(run(exec, 0) == -1);
  CUDA_OK(cudaGraphExecDestroy(exec));
  exec = make(cudaGraphCondTypeIf, 2, value, out);
  CHECK(run(exec, 0) == 11);
  CHECK(run(exec, 1) == 10);
  CUDA_OK(cudaGraphExecDestroy(exec));
  exec = make(cudaGraphCondTypeSwitch, 4, value, out);
  for (int i = 0; i < 4; ++i) CHECK(run(exec, i) == 10 + i);
  CHECK(run(exec, 4) == -1);
  CUDA_OK(cudaGraphExecDestroy(exec));

  // A loop whose body is captured; its value starts as 1 at every launch.
  cudaGraph_t graph;
  CUDA_OK(cudaGraphCreate(&graph, 0));
  cudaGraphConditionalHandle handle;
  CUDA_OK(cudaGraphConditionalHandleCreate(&handle, graph, 1, cudaGraphCondAssignDefault));
  cudaGraphNodeParams parameters = {};
  parameters.type = cudaGraphNodeTypeConditional;
  parameters.conditional.handle = handle;
  parameters.conditional.type = cudaGraphCondTypeWhile;
  parameters.conditional.size = 1;
  cudaGraphNode_t node;
  CUDA_OK(cudaGraphAddNode(&node, graph, nullptr, nullptr, 0, &parameters));
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  CUDA_OK(cudaStreamBeginCaptureToGraph(stream, parameters.conditional.phGraph_out[0], nullptr,
                                        nullptr, 0, cudaStreamCaptureModeGlobal));
  count_down<<<1, 1, 0, stream>>>(handle, out, out + 1);
  CUDA_OK(cudaStreamEndCapture(stream, nullptr));
  CUDA_OK(cudaGraphInstantiate(&exec, graph, 0));
  for (int launch = 0; launch < 3; ++launch) {
    out[0] = 20;
    out[1] = 0;
    CUDA_OK(cudaGraphLaunch(exec, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    CHECK_AT(out[0] == 0 && out[1] == 20, "%d, %d", out[0], out[1]);
  }
  CUDA_OK(cudaGraphExecDestroy(exec));
  CUDA_OK(cudaGraphDestroy(graph));
  return verdict();
}

// run: footprint
// run: reuse
// run: relaunch
// run: auto_free
// run: outlives_graph
// run: before_launch
// run: after_free_node
// run: after_free
// run: copy_before_launch
//
// Memory that graphs allocate: what the attributes count, and that it can be used from the launch
// that allocates it until it is freed.
#include <cstring>
#include <string>

#include "capture.cuh"
#include "check.cuh"

constexpr std::size_t mebibyte = std::size_t{1} << 20;

__global__ void fill(int* p, int value) { p[threadIdx.x] = value; }

unsigned long long attribute(cudaGraphMemAttributeType which) {
  unsigned long long value = 0;
  CUDA_OK(cudaDeviceGetGraphMemAttribute(0, which, &value));
  return value / mebibyte;
}
unsigned long long used() { return attribute(cudaGraphMemAttrUsedMemCurrent); }
unsigned long long reserved() { return attribute(cudaGraphMemAttrReservedMemCurrent); }

struct One {
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  int* address;
};

// Allocates, fills, and frees where `frees`.
One make(std::size_t bytes, bool frees, unsigned flags = 0) {
  One one{};
  CUDA_OK(cudaGraphCreate(&one.graph, 0));
  cudaMemAllocNodeParams alloc{};
  alloc.poolProps.allocType = cudaMemAllocationTypePinned;
  alloc.poolProps.location = {cudaMemLocationTypeDevice, 0};
  alloc.bytesize = bytes;
  cudaGraphNode_t alloc_node, kernel_node, free_node;
  CUDA_OK(cudaGraphAddMemAllocNode(&alloc_node, one.graph, nullptr, 0, &alloc));
  one.address = static_cast<int*>(alloc.dptr);
  int value = 7;
  void* arguments[] = {&one.address, &value};
  cudaKernelNodeParams kernel{};
  kernel.func = reinterpret_cast<void*>(fill);
  kernel.gridDim = dim3(1);
  kernel.blockDim = dim3(32);
  kernel.kernelParams = arguments;
  CUDA_OK(cudaGraphAddKernelNode(&kernel_node, one.graph, &alloc_node, 1, &kernel));
  if (frees) {
    CUDA_OK(cudaGraphAddMemFreeNode(&free_node, one.graph, &kernel_node, 1, one.address));
  }
  CUDA_OK(cudaGraphInstantiate(&one.exec, one.graph, flags));
  return one;
}

void expect_fault(Capture& capture) {
  CUDA_IS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  const std::string text = capture.text();
  CHECK_AT(text.find("memory of a graph") != std::string::npos, "%s", text.c_str());
}

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  Capture capture;
  cudaStream_t stream;
  CUDA_OK(cudaStreamCreate(&stream));
  if (mode == "footprint") {
    One graphs[4];
    for (One& one : graphs) one = make(64 * mebibyte, false);
    CHECK(used() == 0 && reserved() == 0);
    for (unsigned long long i = 0; i < 4; ++i) {
      CUDA_OK(cudaGraphLaunch(graphs[i].exec, stream));
      CUDA_OK(cudaStreamSynchronize(stream));
      CHECK_AT(used() == 64 * (i + 1) && reserved() == 64 * (i + 1), "%llu", used());
    }
    CUDA_OK(cudaDeviceGraphMemTrim(0));
    CHECK(used() == 256 && reserved() == 256);
    for (One& one : graphs) CUDA_OK(cudaFree(one.address));
    CHECK_AT(used() == 0 && reserved() == 0, "%llu %llu", used(), reserved());
    CHECK(attribute(cudaGraphMemAttrUsedMemHigh) == 256);
    CHECK(attribute(cudaGraphMemAttrReservedMemHigh) == 256);
    unsigned long long zero = 0;
    CUDA_OK(cudaDeviceSetGraphMemAttribute(0, cudaGraphMemAttrUsedMemHigh, &zero));
    CHECK(attribute(cudaGraphMemAttrUsedMemHigh) == 0);
    CHECK(attribute(cudaGraphMemAttrReservedMemHigh) == 256);
  } else if (mode == "reuse") {
    // Graphs that free what they allocate share it.
    One graphs[3];
    for (One& one : graphs) one = make(32 * mebibyte, true);
    for (int again = 0; again < 2; ++again) {
      for (One& one : graphs) CUDA_OK(cudaGraphLaunch(one.exec, stream));
    }
    CUDA_OK(cudaStreamSynchronize(stream));
    CHECK(used() == 0 && reserved() == 32);
    CUDA_OK(cudaDeviceGraphMemTrim(0));
    CHECK(reserved() == 0);
  } else if (mode == "relaunch") {
    One one = make(mebibyte, false);
    CUDA_OK(cudaGraphLaunch(one.exec, stream));
    CUDA_IS(cudaErrorInvalidValue, cudaGraphLaunch(one.exec, stream));
    CUDA_OK(cudaFreeAsync(one.address, stream));
    CUDA_OK(cudaGraphLaunch(one.exec, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
  } else if (mode == "auto_free") {
    One one = make(mebibyte, false, cudaGraphInstantiateFlagAutoFreeOnLaunch);
    for (int i = 0; i < 3; ++i) CUDA_OK(cudaGraphLaunch(one.exec, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    CHECK(used() == 1);
  } else if (mode == "outlives_graph") {
    One one = make(mebibyte, false);
    CUDA_OK(cudaGraphLaunch(one.exec, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    CUDA_OK(cudaGraphExecDestroy(one.exec));
    CUDA_OK(cudaGraphDestroy(one.graph));
    int value = 0;
    CUDA_OK(cudaMemcpy(&value, one.address + 31, sizeof value, cudaMemcpyDeviceToHost));
    CHECK(value == 7 && used() == 1);
    CUDA_OK(cudaFree(one.address));
    CHECK(used() == 0);
    CUDA_IS(cudaErrorInvalidValue, cudaFree(one.address));
  } else if (mode == "before_launch") {
    One one = make(mebibyte, false);
    fill<<<1, 32, 0, stream>>>(one.address, 1);
    expect_fault(capture);
  } else if (mode == "after_free_node") {
    One one = make(mebibyte, true);
    CUDA_OK(cudaGraphLaunch(one.exec, stream));
    CUDA_OK(cudaStreamSynchronize(stream));
    fill<<<1, 32, 0, stream>>>(one.address, 1);
    expect_fault(capture);
  } else if (mode == "after_free") {
    One one = make(mebibyte, false);
    CUDA_OK(cudaGraphLaunch(one.exec, stream));
    fill<<<1, 32, 0, stream>>>(one.address, 1);
    CUDA_OK(cudaStreamSynchronize(stream));
    CUDA_OK(cudaFreeAsync(one.address, stream));
    CUDA_IS(cudaErrorInvalidValue, cudaFree(one.address));
    fill<<<1, 32, 0, stream>>>(one.address, 1);
    expect_fault(capture);
  } else if (mode == "copy_before_launch") {
    One one = make(mebibyte, false);
    int value = 0;
    CHECK(cudaMemcpy(&value, one.address, 4, cudaMemcpyDeviceToHost) != cudaSuccess);
  } else {
    (void)capture.text();
    std::printf("graph_memory: unknown mode '%s'\n", mode.c_str());
    return 2;
  }
  (void)cudaGetLastError();
  return verdict();
}

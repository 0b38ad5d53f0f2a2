// Graphs made by hand: nodes, changes, instances, updates, memory, user objects.
#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

class CudartGraphs : public Cudart {
 protected:
  void SetUp() override {
    Cudart::SetUp();
    ASSERT_EQ(cudaGraphCreate(&graph_, 0), cudaSuccess);
    data_ = allocate(64);
  }
  void TearDown() override {
    EXPECT_EQ(cudaGraphDestroy(graph_), cudaSuccess);
    EXPECT_EQ(cudaFree(data_), cudaSuccess);
    Cudart::TearDown();
  }

  // fill(data, value, n) after `before`
  cudaGraphNode_t add_fill(unsigned value, unsigned n, std::vector<cudaGraphNode_t> before = {}) {
    void* arguments[] = {&data_, &value, &n};
    cudaKernelNodeParams parameters{};
    parameters.func = const_cast<void*>(kernel("fill"));
    parameters.blockDim = {64, 1, 1};
    parameters.gridDim = {1, 1, 1};
    parameters.kernelParams = arguments;
    cudaGraphNode_t node = nullptr;
    EXPECT_EQ(cudaGraphAddKernelNode(&node, graph_, before.data(), before.size(), &parameters),
              cudaSuccess);
    return node;
  }

  void run(cudaGraph_t graph) {
    cudaGraphExec_t exec = nullptr;
    ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphLaunch(exec, nullptr), cudaSuccess);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  }

  cudaGraph_t graph_ = nullptr;
  unsigned* data_ = nullptr;
};

TEST_F(CudartGraphs, NodesRunInTheOrderOfTheirDependencies) {
  const cudaGraphNode_t late = add_fill(1, 64);
  const cudaGraphNode_t early = add_fill(2, 64);
  EXPECT_EQ(cudaGraphAddDependencies(graph_, &early, &late, nullptr, 1), cudaSuccess);
  run(graph_);
  EXPECT_EQ(read(data_, 64), std::vector<unsigned>(64, 1));
  // The other way round would be a cycle.
  EXPECT_EQ(cudaGraphAddDependencies(graph_, &late, &early, nullptr, 1), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  EXPECT_EQ(cudaGraphInstantiate(&exec, graph_, 0), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphRemoveDependencies(graph_, &early, &late, nullptr, 1), cudaSuccess);
  forget_error(cudaErrorInvalidValue);
  run(graph_);
  EXPECT_EQ(read(data_, 64), std::vector<unsigned>(64, 2));
  EXPECT_EQ(cudaGraphDestroyNode(early), cudaSuccess);
  run(graph_);
  EXPECT_EQ(read(data_, 64), std::vector<unsigned>(64, 1));
  EXPECT_EQ(cudaGraphDestroyNode(early), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

TEST_F(CudartGraphs, KernelNodesGiveTheirParametersBack) {
  const cudaGraphNode_t node = add_fill(5, 10);
  cudaKernelNodeParams parameters{};
  ASSERT_EQ(cudaGraphKernelNodeGetParams(node, &parameters), cudaSuccess);
  EXPECT_EQ(parameters.func, kernel("fill"));
  EXPECT_EQ(parameters.blockDim.x, 64U);
  EXPECT_EQ(*static_cast<unsigned*>(parameters.kernelParams[1]), 5U);
  unsigned six = 6;
  parameters.kernelParams[1] = &six;
  EXPECT_EQ(cudaGraphKernelNodeSetParams(node, &parameters), cudaSuccess);
  run(graph_);
  EXPECT_EQ(read(data_, 1)[0], 6U);
}

TEST_F(CudartGraphs, InstancesHaveParametersOfTheirOwn) {
  const cudaGraphNode_t fill = add_fill(5, 10);
  const cudaMemsetParams set{data_, 0, 9, 4, 4, 1};
  cudaGraphNode_t memset = nullptr;
  ASSERT_EQ(cudaGraphAddMemsetNode(&memset, graph_, &fill, 1, &set), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph_, 0), cudaSuccess);
  const cudaMemsetParams other{data_, 0, 0x01020304, 4, 2, 1};
  EXPECT_EQ(cudaGraphExecMemsetNodeSetParams(exec, memset, &other), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, nullptr), cudaSuccess);
  EXPECT_EQ(read(data_, 4), (std::vector<unsigned>{0x01020304, 0x01020304, 5, 5}));
  EXPECT_EQ(cudaGraphNodeSetEnabled(exec, memset, 0), cudaSuccess);
  unsigned enabled = 1;
  EXPECT_EQ(cudaGraphNodeGetEnabled(exec, memset, &enabled), cudaSuccess);
  EXPECT_EQ(enabled, 0U);
  EXPECT_EQ(cudaGraphLaunch(exec, nullptr), cudaSuccess);
  EXPECT_EQ(read(data_, 1)[0], 5U);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  run(graph_);  // as it was
  EXPECT_EQ(read(data_, 5), (std::vector<unsigned>{9, 9, 9, 9, 5}));
}

TEST_F(CudartGraphs, InstancesTakeOverAGraphOfTheSameShape) {
  const cudaGraphNode_t first = add_fill(5, 10);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph_, 0), cudaSuccess);
  cudaGraph_t clone = nullptr;
  ASSERT_EQ(cudaGraphClone(&clone, graph_), cudaSuccess);
  cudaGraphNode_t in_clone = nullptr;
  ASSERT_EQ(cudaGraphNodeFindInClone(&in_clone, first, clone), cudaSuccess);
  cudaKernelNodeParams parameters{};
  ASSERT_EQ(cudaGraphKernelNodeGetParams(in_clone, &parameters), cudaSuccess);
  unsigned value = 17;
  parameters.kernelParams[1] = &value;
  ASSERT_EQ(cudaGraphKernelNodeSetParams(in_clone, &parameters), cudaSuccess);
  cudaGraphExecUpdateResultInfo info{};
  EXPECT_EQ(cudaGraphExecUpdate(exec, clone, &info), cudaSuccess);
  EXPECT_EQ(info.result, cudaGraphExecUpdateSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, nullptr), cudaSuccess);
  EXPECT_EQ(read(data_, 1)[0], 17U);
  cudaGraphNode_t extra = nullptr;
  ASSERT_EQ(cudaGraphAddEmptyNode(&extra, clone, nullptr, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphExecUpdate(exec, clone, &info), cudaErrorGraphExecUpdateFailure);
  EXPECT_EQ(info.result, cudaGraphExecUpdateErrorTopologyChanged);
  forget_error(cudaErrorGraphExecUpdateFailure);
  EXPECT_EQ(cudaGraphDestroy(clone), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
}

TEST_F(CudartGraphs, ChildGraphsCopiesAndHostNodesRun) {
  int calls = 0;
  const cudaGraphNode_t fill = add_fill(3, 64);
  cudaHostNodeParams host{[](void* data) { ++*static_cast<int*>(data); }, &calls};
  cudaGraphNode_t node = nullptr;
  ASSERT_EQ(cudaGraphAddHostNode(&node, graph_, &fill, 1, &host), cudaSuccess);
  cudaGraph_t parent = nullptr;
  ASSERT_EQ(cudaGraphCreate(&parent, 0), cudaSuccess);
  cudaGraphNode_t child = nullptr;
  ASSERT_EQ(cudaGraphAddChildGraphNode(&child, parent, nullptr, 0, graph_), cudaSuccess);
  std::vector<unsigned> back(64);
  cudaGraphNode_t copy = nullptr;
  ASSERT_EQ(cudaGraphAddMemcpyNode1D(&copy, parent, &child, 1, back.data(), data_, 256,
                                     cudaMemcpyDeviceToHost),
            cudaSuccess);
  run(parent);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(back, std::vector<unsigned>(64, 3));
  cudaGraph_t inner = nullptr;
  EXPECT_EQ(cudaGraphChildGraphNodeGetGraph(child, &inner), cudaSuccess);
  std::size_t count = 0;
  EXPECT_EQ(cudaGraphGetNodes(inner, nullptr, &count), cudaSuccess);
  EXPECT_EQ(count, 2U);
  EXPECT_EQ(cudaGraphDestroy(inner), cudaErrorInvalidValue);  // its node's
  forget_error(cudaErrorInvalidValue);
  EXPECT_EQ(cudaGraphDestroy(parent), cudaSuccess);
}

TEST_F(CudartGraphs, EventsAreRecordedWhenTheGraphRuns) {
  cudaEvent_t start = nullptr;
  cudaEvent_t stop = nullptr;
  ASSERT_EQ(cudaEventCreate(&start), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&stop), cudaSuccess);
  cudaGraphNode_t nodes[2] = {};
  ASSERT_EQ(cudaGraphAddEventRecordNode(&nodes[0], graph_, nullptr, 0, start), cudaSuccess);
  ASSERT_EQ(cudaGraphAddEventRecordNode(&nodes[1], graph_, nodes, 1, stop), cudaSuccess);
  run(graph_);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, stop), cudaSuccess);
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(cudaEventDestroy(start), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(stop), cudaSuccess);
}

TEST_F(CudartGraphs, AllocationNodesHaveAnAddressAtOnce) {
  cudaMemAllocNodeParams parameters{};
  parameters.poolProps.allocType = cudaMemAllocationTypePinned;
  parameters.poolProps.location = {cudaMemLocationTypeDevice, 0};
  parameters.bytesize = 256;
  cudaGraphNode_t alloc = nullptr;
  ASSERT_EQ(cudaGraphAddMemAllocNode(&alloc, graph_, nullptr, 0, &parameters), cudaSuccess);
  ASSERT_NE(parameters.dptr, nullptr);
  const cudaMemsetParams set{parameters.dptr, 0, 4, 4, 64, 1};
  cudaGraphNode_t memset = nullptr;
  ASSERT_EQ(cudaGraphAddMemsetNode(&memset, graph_, &alloc, 1, &set), cudaSuccess);
  cudaGraphNode_t copy = nullptr;
  ASSERT_EQ(cudaGraphAddMemcpyNode1D(&copy, graph_, &memset, 1, data_, parameters.dptr, 256,
                                     cudaMemcpyDeviceToDevice),
            cudaSuccess);
  cudaGraphNode_t free = nullptr;
  ASSERT_EQ(cudaGraphAddMemFreeNode(&free, graph_, &copy, 1, parameters.dptr), cudaSuccess);
  run(graph_);
  EXPECT_EQ(read(data_, 64), std::vector<unsigned>(64, 4));
}

TEST_F(CudartGraphs, UserObjectsLiveAsLongAsTheirGraph) {
  int destroyed = 0;
  cudaUserObject_t object = nullptr;
  ASSERT_EQ(cudaUserObjectCreate(
                &object, &destroyed, [](void* data) { ++*static_cast<int*>(data); }, 1,
                cudaUserObjectNoDestructorSync),
            cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphRetainUserObject(graph, object, 1, cudaGraphUserObjectMove), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
  EXPECT_EQ(destroyed, 0);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(cudaUserObjectRelease(object, 1), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

}  // namespace
}  // namespace softgpu::cuda

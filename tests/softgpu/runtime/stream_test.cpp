// Streams, events, host functions, captures.
#include <atomic>
#include <thread>

#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

class CudartStreams : public Cudart {
 protected:
  void SetUp() override {
    Cudart::SetUp();
    ASSERT_EQ(cudaStreamCreate(&first_), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&second_, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaEventCreate(&event_), cudaSuccess);
    data_ = allocate(64);
  }
  void TearDown() override {
    EXPECT_EQ(cudaFree(data_), cudaSuccess);
    EXPECT_EQ(cudaEventDestroy(event_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(first_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(second_), cudaSuccess);
    Cudart::TearDown();
  }

  cudaStream_t first_ = nullptr;
  cudaStream_t second_ = nullptr;
  cudaEvent_t event_ = nullptr;
  unsigned* data_ = nullptr;
  int sum_ = 0;
};

TEST_F(CudartStreams, HandlesAreChecked) {
  EXPECT_EQ(cudaStreamSynchronize(reinterpret_cast<cudaStream_t>(data_)),
            cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventRecord(reinterpret_cast<cudaEvent_t>(first_), nullptr),
            cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaStreamDestroy(nullptr), cudaErrorInvalidResourceHandle);
  forget_error(cudaErrorInvalidResourceHandle);
  int priority = 1;
  cudaStream_t urgent = nullptr;
  ASSERT_EQ(cudaStreamCreateWithPriority(&urgent, cudaStreamNonBlocking, -99), cudaSuccess);
  EXPECT_EQ(cudaStreamGetPriority(urgent, &priority), cudaSuccess);
  EXPECT_EQ(priority, -5);
  unsigned flags = 0;
  EXPECT_EQ(cudaStreamGetFlags(urgent, &flags), cudaSuccess);
  EXPECT_EQ(flags, cudaStreamNonBlocking);
  EXPECT_EQ(cudaStreamDestroy(urgent), cudaSuccess);
}

TEST_F(CudartStreams, EventsMeasureTime) {
  cudaEvent_t later = nullptr;
  ASSERT_EQ(cudaEventCreate(&later), cudaSuccess);
  float milliseconds = -1;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, later), cudaErrorInvalidResourceHandle);
  forget_error(cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);  // never recorded: done
  EXPECT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(cudaEventRecord(later, first_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(later), cudaSuccess);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, later), cudaSuccess);
  EXPECT_GE(milliseconds, 4.9F);
  EXPECT_EQ(cudaEventDestroy(later), cudaSuccess);
}

TEST_F(CudartStreams, HostFunctionsMayNotCallCuda) {
  struct Seen {
    int calls = 0;
    cudaError_t inside = cudaSuccess;
  } seen;
  const auto function = [](void* data) {
    auto* out = static_cast<Seen*>(data);
    ++out->calls;
    void* address = nullptr;
    out->inside = cudaMalloc(&address, 4);
    static_cast<void>(cudaGetLastError());
  };
  EXPECT_EQ(cudaLaunchHostFunc(first_, function, &seen), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(seen.inside, cudaErrorNotPermitted);
  const auto callback = [](cudaStream_t, cudaError_t status, void* data) {
    static_cast<Seen*>(data)->calls += status == cudaSuccess ? 10 : 0;
  };
  EXPECT_EQ(cudaStreamAddCallback(second_, callback, &seen, 0), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(second_), cudaSuccess);
  EXPECT_EQ(seen.calls, 11);
}

TEST_F(CudartStreams, WorkOfOneStreamDoesNotOverlap) {
  // Two threads enqueue into one stream; each kernel reads, adds and writes without atomics.
  const auto work = [&] {
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(cudaLaunchHostFunc(
                    first_,
                    [](void* data) {
                      auto* value = static_cast<int*>(data);
                      const int before = *value;
                      std::this_thread::yield();
                      *value = before + 1;
                    },
                    &sum_),
                cudaSuccess);
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
  EXPECT_EQ(sum_, 200);
}

TEST_F(CudartStreams, PerThreadDefaultStreamsDiffer) {
  unsigned long long mine = 0;
  unsigned long long legacy = 0;
  unsigned long long theirs = 0;
  EXPECT_EQ(cudaStreamGetId(cudaStreamPerThread, &mine), cudaSuccess);
  EXPECT_EQ(cudaStreamGetId(nullptr, &legacy), cudaSuccess);
  std::thread([&] { EXPECT_EQ(cudaStreamGetId_ptsz(nullptr, &theirs), cudaSuccess); }).join();
  EXPECT_NE(mine, legacy);
  EXPECT_NE(mine, theirs);
  EXPECT_NE(theirs, legacy);
}

TEST_F(CudartStreams, CaptureRecordsAndDoesNotRun) {
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(data_, 0, 256, first_), cudaSuccess);
  EXPECT_EQ(launch("fill", 1, 64, first_, data_, 3U, 64U), cudaSuccess);
  // A second stream is drawn in by an event, and comes back by another.
  EXPECT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(second_, event_, 0), cudaSuccess);
  EXPECT_EQ(launch("twice", 1, 32, second_, data_, 32U), cudaSuccess);
  EXPECT_EQ(launch("twice", 1, 32, first_, data_ + 32, 16U), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event_, second_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(first_, event_, 0), cudaSuccess);
  EXPECT_EQ(launch("twice", 1, 1, first_, data_, 1U), cudaSuccess);
  auto status = cudaStreamCaptureStatusNone;
  EXPECT_EQ(cudaStreamIsCapturing(second_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  ASSERT_EQ(cudaStreamEndCapture(first_, &graph), cudaSuccess);
  EXPECT_EQ(cudaStreamIsCapturing(second_, &status), cudaSuccess);
  EXPECT_EQ(status, cudaStreamCaptureStatusNone);
  EXPECT_EQ(read(data_, 64), std::vector<unsigned>(64, 0));

  std::size_t nodes = 0;
  std::size_t edges = 0;
  std::size_t roots = 0;
  EXPECT_EQ(cudaGraphGetNodes(graph, nullptr, &nodes), cudaSuccess);
  EXPECT_EQ(cudaGraphGetEdges(graph, nullptr, nullptr, nullptr, &edges), cudaSuccess);
  EXPECT_EQ(cudaGraphGetRootNodes(graph, nullptr, &roots), cudaSuccess);
  EXPECT_EQ(nodes, 5U);
  EXPECT_EQ(edges, 5U);
  EXPECT_EQ(roots, 1U);

  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  EXPECT_EQ(cudaGraphLaunch(exec, first_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaSuccess);
  const auto values = read(data_, 64);
  EXPECT_EQ(values[0], 12U);
  EXPECT_EQ(values[1], 6U);
  EXPECT_EQ(values[32], 6U);
  EXPECT_EQ(values[48], 3U);
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(CudartStreams, CaptureRefusesWhatItCannotContain) {
  cudaGraph_t graph = nullptr;
  // The legacy stream cannot be captured, nor used beside a blocking stream that is.
  EXPECT_EQ(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeGlobal),
            cudaErrorStreamCaptureUnsupported);
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(launch("count", 1, 1, nullptr), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(launch("count", 1, 1, first_), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaErrorIllegalState);

  // Synchronising and allocating are not for captures.
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(first_), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaErrorStreamCaptureInvalidated);
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
  void* address = nullptr;
  EXPECT_EQ(cudaMalloc(&address, 4), cudaErrorStreamCaptureUnsupported);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaErrorStreamCaptureInvalidated);
  forget_error(cudaErrorStreamCaptureInvalidated);
  // In relaxed mode it is the program's business.
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeRelaxed), cudaSuccess);
  EXPECT_EQ(cudaMalloc(&address, 4), cudaSuccess);
  EXPECT_EQ(cudaFree(address), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);

  // A stream that was drawn in and does not come back.
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(second_, event_, 0), cudaSuccess);
  EXPECT_EQ(launch("count", 1, 1, second_), cudaSuccess);
  EXPECT_EQ(cudaStreamEndCapture(second_, &graph), cudaErrorStreamCaptureUnmatched);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaErrorStreamCaptureUnjoined);
  forget_error(cudaErrorStreamCaptureUnjoined);

  // An event of before the capture.
  EXPECT_EQ(cudaEventRecord(event_, second_), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(first_, event_, 0), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(cudaStreamEndCapture(first_, &graph), cudaErrorStreamCaptureInvalidated);
  forget_error(cudaErrorStreamCaptureInvalidated);
}

TEST_F(CudartStreams, StreamsMayBeDestroyedOnceTheyCameBack) {
  const auto capture = [&](bool join) {
    cudaStream_t side = nullptr;
    EXPECT_EQ(cudaStreamCreate(&side), cudaSuccess);
    EXPECT_EQ(cudaStreamBeginCapture(first_, cudaStreamCaptureModeGlobal), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(event_, first_), cudaSuccess);
    EXPECT_EQ(cudaStreamWaitEvent(side, event_, 0), cudaSuccess);
    EXPECT_EQ(launch("count", 1, 1, side), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(event_, side), cudaSuccess);
    if (join) {
      EXPECT_EQ(cudaStreamWaitEvent(first_, event_, 0), cudaSuccess);
    }
    EXPECT_EQ(cudaStreamDestroy(side), cudaSuccess);
    cudaGraph_t graph = nullptr;
    const cudaError_t result = cudaStreamEndCapture(first_, &graph);
    if (graph != nullptr) {
      EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    }
    return result;
  };
  EXPECT_EQ(capture(true), cudaSuccess);
  EXPECT_EQ(capture(false), cudaErrorStreamCaptureUnjoined);
  forget_error(cudaErrorStreamCaptureUnjoined);
}

TEST_F(CudartStreams, CaptureContinuesAGivenGraph) {
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaGraphCreate(&graph, 0), cudaSuccess);
  cudaGraphNode_t empty = nullptr;
  ASSERT_EQ(cudaGraphAddEmptyNode(&empty, graph, nullptr, 0), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCaptureToGraph(first_, graph, &empty, nullptr, 1,
                                          cudaStreamCaptureModeThreadLocal),
            cudaSuccess);
  EXPECT_EQ(launch("fill", 1, 64, first_, data_, 8U, 64U), cudaSuccess);
  cudaGraph_t same = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(first_, &same), cudaSuccess);
  EXPECT_EQ(same, graph);
  cudaGraphNode_t from = nullptr;
  cudaGraphNode_t to = nullptr;
  std::size_t edges = 1;
  EXPECT_EQ(cudaGraphGetEdges(graph, &from, &to, nullptr, &edges), cudaSuccess);
  EXPECT_EQ(edges, 1U);
  EXPECT_EQ(from, empty);
  auto type = cudaGraphNodeTypeEmpty;
  EXPECT_EQ(cudaGraphNodeGetType(to, &type), cudaSuccess);
  EXPECT_EQ(type, cudaGraphNodeTypeKernel);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

}  // namespace
}  // namespace softgpu::cuda

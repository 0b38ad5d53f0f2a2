// Kernels and host functions that wait for what happens after the call that launched them.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/softgpu/runtime/fixture.hpp"

namespace softgpu::cuda {
namespace {

using namespace std::chrono_literals;

class CudartWaiting : public Cudart {
 protected:
  void SetUp() override {
    Cudart::SetUp();
    ASSERT_EQ(cudaStreamCreate(&blocking_), cudaSuccess);
    ASSERT_EQ(cudaStreamCreateWithFlags(&free_, cudaStreamNonBlocking), cudaSuccess);
    ASSERT_EQ(cudaEventCreate(&event_), cudaSuccess);
    void* flag = nullptr;
    ASSERT_EQ(cudaHostAlloc(&flag, 64, cudaHostAllocMapped), cudaSuccess);
    flag_ = static_cast<unsigned*>(flag);
    store(flag_, 0);
    data_ = allocate(64);
    more_ = allocate(64);
  }
  void TearDown() override {
    store(flag_, 1);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(cudaFree(data_), cudaSuccess);
    EXPECT_EQ(cudaFree(more_), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(flag_), cudaSuccess);
    EXPECT_EQ(cudaEventDestroy(event_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(blocking_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(free_), cudaSuccess);
    Cudart::TearDown();
  }

  // The host and kernels look at it at the same time.
  static void store(unsigned* at, unsigned value) {
    std::atomic_ref<unsigned>(*at).store(value, std::memory_order_release);
  }
  static unsigned load(unsigned* at) {
    return std::atomic_ref<unsigned>(*at).load(std::memory_order_acquire);
  }
  // Sets the flag in a moment.
  std::thread soon() {
    return std::thread([this] {
      std::this_thread::sleep_for(100ms);
      store(flag_, 1);
    });
  }
  static void forget_not_ready() { forget_error(cudaErrorNotReady); }

  cudaStream_t blocking_ = nullptr;
  cudaStream_t free_ = nullptr;
  cudaEvent_t event_ = nullptr;
  unsigned* flag_ = nullptr;
  unsigned* data_ = nullptr;
  unsigned* more_ = nullptr;
};

TEST_F(CudartWaiting, AKernelWaitsForTheHost) {
  for (cudaStream_t stream : {blocking_, free_, cudaStream_t{nullptr}, cudaStreamPerThread}) {
    store(flag_, 0);
    cudaEvent_t begin = nullptr;
    ASSERT_EQ(cudaEventCreate(&begin), cudaSuccess);
    ASSERT_EQ(cudaMemset(data_, 0, 256), cudaSuccess);
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(begin, stream), cudaSuccess);
    EXPECT_EQ(launch("wait_for", 1, 1, stream, flag_, 1U, data_), cudaSuccess);
    // Later work in the stream waits for it, and the host does not.
    EXPECT_EQ(launch("fill", 1, 32, stream, data_ + 1, 5U, 32U), cudaSuccess);
    EXPECT_EQ(launch("twice", 1, 32, stream, data_, 32U), cudaSuccess);
    EXPECT_EQ(cudaMemcpyAsync(flag_ + 4, data_, 16, cudaMemcpyDefault, stream), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(event_, stream), cudaSuccess);
    EXPECT_EQ(cudaStreamQuery(stream), cudaErrorNotReady);
    EXPECT_EQ(cudaEventQuery(event_), cudaErrorNotReady);
    EXPECT_EQ(cudaEventQuery(begin), cudaSuccess);
    float milliseconds = 0;
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, event_), cudaErrorNotReady);
    forget_not_ready();
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(flag_[4], 0U);
    store(flag_, 1);
    EXPECT_EQ(cudaEventSynchronize(event_), cudaSuccess);
    EXPECT_EQ(flag_[4], 2U);
    EXPECT_EQ(flag_[5], 10U);
    EXPECT_EQ(cudaStreamQuery(stream), cudaSuccess);
    EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, event_), cudaSuccess);
    EXPECT_GE(milliseconds, 19.0F);
    EXPECT_EQ(cudaEventDestroy(begin), cudaSuccess);
    flag_[4] = 0;
  }
}

TEST_F(CudartWaiting, KernelsWaitForEachOther) {
  // Each sets the other's word by hand-over: first waits for what the second fills, and so on.
  ASSERT_EQ(launch("wait_for", 1, 1, free_, data_, 7U, more_), cudaSuccess);
  ASSERT_EQ(launch("wait_for", 1, 32, blocking_, more_, 1U, more_ + 1), cudaSuccess);
  cudaStream_t third = nullptr;
  ASSERT_EQ(cudaStreamCreateWithFlags(&third, cudaStreamNonBlocking), cudaSuccess);
  ASSERT_EQ(launch("fill", 1, 1, third, data_, 7U, 1U), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(read(more_, 2), (std::vector<unsigned>{1, 32}));
  EXPECT_EQ(cudaStreamDestroy(third), cudaSuccess);
}

TEST_F(CudartWaiting, KernelsOfTwoDevicesWaitForEachOther) {
  int devices = 0;
  ASSERT_EQ(cudaGetDeviceCount(&devices), cudaSuccess);
  if (devices < 2) GTEST_SKIP() << "SOFTGPU_DEVICES=2 makes two";
  ASSERT_EQ(launch("wait_for", 1, 1, nullptr, data_, 9U, more_), cudaSuccess);
  ASSERT_EQ(cudaSetDevice(1), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);  // of this one only
  ASSERT_EQ(launch("fill", 1, 1, nullptr, data_, 9U, 1U), cudaSuccess);
  ASSERT_EQ(launch("wait_for", 1, 1, nullptr, more_, 1U, more_ + 1), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(read(more_, 2), (std::vector<unsigned>{1, 1}));
}

TEST_F(CudartWaiting, TheLegacyStreamWaitsForBlockingOnesOnly) {
  ASSERT_EQ(launch("wait_for", 1, 1, blocking_, flag_, 1U, data_), cudaSuccess);
  ASSERT_EQ(launch("fill", 1, 1, nullptr, data_, 50U, 1U), cudaSuccess);  // after it
  ASSERT_EQ(launch("fill", 1, 1, free_, more_, 3U, 1U), cudaSuccess);     // now
  EXPECT_EQ(cudaStreamSynchronize(free_), cudaSuccess);
  EXPECT_EQ(more_[0], 3U);
  EXPECT_EQ(cudaStreamQuery(nullptr), cudaErrorNotReady);
  cudaStream_t other = nullptr;
  ASSERT_EQ(cudaStreamCreate(&other), cudaSuccess);
  ASSERT_EQ(launch("twice", 1, 1, other, data_, 1U), cudaSuccess);  // after the legacy stream's
  EXPECT_EQ(cudaStreamQuery(other), cudaErrorNotReady);
  forget_not_ready();
  store(flag_, 1);
  EXPECT_EQ(cudaStreamSynchronize(other), cudaSuccess);
  EXPECT_EQ(read(data_, 1)[0], 100U);
  EXPECT_EQ(cudaStreamDestroy(other), cudaSuccess);
}

// A blocking stream that has nothing to do has nothing to wait for.
TEST_F(CudartWaiting, AnEmptyStreamIsReadyWhileTheLegacyOneWaits) {
  ASSERT_EQ(launch("wait_for", 1, 1, nullptr, flag_, 1U, data_), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(blocking_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(blocking_), cudaSuccess);
  ASSERT_EQ(launch("twice", 1, 1, blocking_, data_, 1U), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(blocking_), cudaErrorNotReady);
  forget_not_ready();
  store(flag_, 1);
  EXPECT_EQ(cudaStreamSynchronize(blocking_), cudaSuccess);
  EXPECT_EQ(data_[0], 2U);
}

TEST_F(CudartWaiting, StreamsWaitForEvents) {
  ASSERT_EQ(launch("wait_for", 1, 1, free_, flag_, 1U, data_), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event_, free_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(blocking_, event_, 0), cudaSuccess);
  ASSERT_EQ(launch("twice", 1, 1, blocking_, data_, 1U), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(blocking_), cudaErrorNotReady);
  forget_not_ready();
  store(flag_, 1);
  EXPECT_EQ(cudaStreamSynchronize(blocking_), cudaSuccess);
  EXPECT_EQ(data_[0], 2U);
}

TEST_F(CudartWaiting, PageableMemoryIsReadAtTheCall) {
  std::vector<unsigned> source(64, 8);
  ASSERT_EQ(launch("wait_for", 1, 1, blocking_, flag_, 1U, more_), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(data_, source.data(), 256, cudaMemcpyHostToDevice, blocking_),
            cudaSuccess);
  EXPECT_EQ(cudaMemcpy2DAsync(more_ + 1, 8, source.data(), 12, 4, 5, cudaMemcpyDefault, blocking_),
            cudaSuccess);
  source.assign(64, 1);
  // A copy to it returns when it is done.
  std::thread later = soon();
  EXPECT_EQ(cudaMemcpyAsync(source.data(), data_, 256, cudaMemcpyDeviceToHost, blocking_),
            cudaSuccess);
  EXPECT_EQ(source, std::vector<unsigned>(64, 8));
  later.join();
  EXPECT_EQ(cudaStreamSynchronize(blocking_), cudaSuccess);
  EXPECT_EQ(read(more_, 11), (std::vector<unsigned>{1, 8, 0, 8, 0, 8, 0, 8, 0, 8, 0}));
}

TEST_F(CudartWaiting, CallsThatReturnWhenTheWorkIsDoneWait) {
  std::thread later = soon();
  ASSERT_EQ(launch("wait_for", 1, 32, blocking_, flag_, 1U, data_), cudaSuccess);
  EXPECT_EQ(read(data_, 1)[0], 32U);
  later.join();
  store(flag_, 0);
  later = soon();
  ASSERT_EQ(launch("wait_for", 1, 32, free_, flag_, 1U, data_), cudaSuccess);
  void* temporary = nullptr;
  ASSERT_EQ(cudaMalloc(&temporary, 64), cudaSuccess);
  EXPECT_EQ(cudaFree(temporary), cudaSuccess);
  EXPECT_EQ(data_[0], 64U);
  later.join();
  store(flag_, 0);
  later = soon();
  cudaStream_t leaving = nullptr;
  ASSERT_EQ(cudaStreamCreate(&leaving), cudaSuccess);
  ASSERT_EQ(launch("wait_for", 1, 32, leaving, flag_, 1U, data_), cudaSuccess);
  ASSERT_EQ(cudaEventRecord(event_, leaving), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(leaving), cudaSuccess);  // does not wait
  EXPECT_EQ(cudaEventSynchronize(event_), cudaSuccess);
  EXPECT_EQ(data_[0], 96U);
  later.join();
}

TEST_F(CudartWaiting, MemoryIsFreedInTheOrderOfTheStream) {
  void* memory = nullptr;
  ASSERT_EQ(cudaMallocAsync(&memory, 256, free_), cudaSuccess);
  auto* out = static_cast<unsigned*>(memory);
  ASSERT_EQ(cudaMemsetAsync(out, 0, 256, free_), cudaSuccess);
  ASSERT_EQ(launch("wait_for", 1, 1, free_, flag_, 1U, out), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(flag_ + 8, out, 4, cudaMemcpyDefault, free_), cudaSuccess);
  EXPECT_EQ(cudaFreeAsync(out, free_), cudaSuccess);
  store(flag_, 1);
  EXPECT_EQ(cudaStreamSynchronize(free_), cudaSuccess);
  EXPECT_EQ(flag_[8], 1U);
  EXPECT_EQ(cudaFreeAsync(out, free_), cudaErrorInvalidValue);
  forget_error(cudaErrorInvalidValue);
}

TEST_F(CudartWaiting, FaultsArriveAtTheNextCallThatWaits) {
  ASSERT_EQ(launch("wait_for", 1, 1, free_, flag_, 1U, reinterpret_cast<unsigned*>(64)),
            cudaSuccess);
  ASSERT_EQ(launch("fill", 1, 1, free_, data_, 4U, 1U), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  store(flag_, 1);
  EXPECT_EQ(cudaStreamSynchronize(free_), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaStreamQuery(free_), cudaErrorIllegalAddress);
  EXPECT_EQ(data_[0], 0U);  // nothing runs after a fault
  ASSERT_EQ(cudaDeviceReset(), cudaSuccess);
  static_cast<void>(cudaGetLastError());
}

TEST_F(CudartWaiting, AHostFunctionWaitsForTheHost) {
  struct Both {
    std::atomic<bool> go{false};
    std::atomic<int> calls{0};
  } both;
  const auto function = [](void* data) {
    auto* of = static_cast<Both*>(data);
    while (!of->go) std::this_thread::yield();
    ++of->calls;
  };
  EXPECT_EQ(cudaLaunchHostFunc(blocking_, function, &both), cudaSuccess);
  EXPECT_EQ(launch("fill", 1, 1, blocking_, data_, 6U, 1U), cudaSuccess);
  EXPECT_EQ(cudaStreamQuery(blocking_), cudaErrorNotReady);
  forget_not_ready();
  EXPECT_EQ(both.calls, 0);
  both.go = true;
  EXPECT_EQ(cudaStreamSynchronize(blocking_), cudaSuccess);
  EXPECT_EQ(both.calls, 1);
  EXPECT_EQ(data_[0], 6U);
}

TEST_F(CudartWaiting, GraphsKeepTheirPlace) {
  ASSERT_EQ(launch("wait_for", 1, 1, blocking_, flag_, 1U, data_), cudaSuccess);
  // A capture asks nothing of the work before it.
  ASSERT_EQ(cudaStreamBeginCapture(blocking_, cudaStreamCaptureModeGlobal), cudaSuccess);
  ASSERT_EQ(launch("twice", 1, 1, blocking_, data_, 1U), cudaSuccess);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamEndCapture(blocking_, &graph), cudaSuccess);
  cudaGraphExec_t exec = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&exec, graph, 0), cudaSuccess);
  std::thread later = soon();
  EXPECT_EQ(cudaGraphLaunch(exec, blocking_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(blocking_), cudaSuccess);
  EXPECT_EQ(data_[0], 2U);
  later.join();
  EXPECT_EQ(cudaGraphExecDestroy(exec), cudaSuccess);
  EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
}

TEST_F(CudartWaiting, TheProcessEndsWhileAKernelWaits) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        static_cast<void>(launch("wait_for", 300, 64, blocking_, flag_, 1U, data_));
        static_cast<void>(launch("fill", 1, 1, blocking_, data_, 1U, 1U));
        std::exit(cudaStreamQuery(blocking_) == cudaErrorNotReady ? 0 : 1);
      },
      testing::ExitedWithCode(0), "^$");
}

// Random work in several streams from two threads; a word per stream shows whether its order held.
TEST_F(CudartWaiting, ManyStreamsKeepTheirOrder) {
  constexpr unsigned streams = 4;
  constexpr int steps = 120;
  std::atomic<bool> over{false};
  // The gate: waiting kernels wait for its counting up.
  std::thread gate([&] {
    for (unsigned value = 1; !over; ++value) {
      std::this_thread::sleep_for(3ms);
      store(flag_, value % 2);
    }
    store(flag_, 1);
  });
  const auto work = [&](unsigned first) {
    ASSERT_EQ(cudaSetDevice(0), cudaSuccess);
    std::mt19937 random(first);
    std::vector<cudaStream_t> mine(streams);
    std::vector<unsigned> expected(streams, 0);
    std::vector<cudaEvent_t> events(streams);
    unsigned* words = allocate(streams);
    unsigned* sink = allocate(1);
    for (unsigned i = 0; i < streams; ++i) {
      ASSERT_EQ(cudaStreamCreateWithFlags(&mine[i], cudaStreamNonBlocking), cudaSuccess);
      ASSERT_EQ(cudaEventCreateWithFlags(&events[i], cudaEventDisableTiming), cudaSuccess);
    }
    for (int step = 0; step < steps; ++step) {
      const unsigned i = random() % streams;
      switch (random() % 6) {
        case 0: ASSERT_EQ(launch("wait_for", 1, 1, mine[i], flag_, 1U, sink), cudaSuccess); break;
        case 1:
        case 2:
          expected[i] = static_cast<unsigned>(random());
          ASSERT_EQ(launch("fill", 1, 1, mine[i], words + i, expected[i], 1U), cudaSuccess);
          break;
        case 3:
          expected[i] *= 2;
          ASSERT_EQ(launch("twice", 1, 1, mine[i], words + i, 1U), cudaSuccess);
          break;
        case 4: {
          // Another stream takes this one's word, after it.
          const unsigned k = (i + 1) % streams;
          ASSERT_EQ(cudaEventRecord(events[i], mine[i]), cudaSuccess);
          ASSERT_EQ(cudaStreamWaitEvent(mine[k], events[i], 0), cudaSuccess);
          ASSERT_EQ(cudaMemcpyAsync(words + k, words + i, 4, cudaMemcpyDefault, mine[k]),
                    cudaSuccess);
          expected[k] = expected[i];
          // And this one goes on after that.
          ASSERT_EQ(cudaEventRecord(events[k], mine[k]), cudaSuccess);
          ASSERT_EQ(cudaStreamWaitEvent(mine[i], events[k], 0), cudaSuccess);
          break;
        }
        default:
          if (random() % 4 != 0) break;
          ASSERT_EQ(cudaStreamSynchronize(mine[i]), cudaSuccess);
          ASSERT_EQ(words[i], expected[i]) << "step " << step;
      }
    }
    for (unsigned i = 0; i < streams; ++i) {
      EXPECT_EQ(cudaStreamSynchronize(mine[i]), cudaSuccess);
      EXPECT_EQ(words[i], expected[i]);
      EXPECT_EQ(cudaStreamDestroy(mine[i]), cudaSuccess);
      EXPECT_EQ(cudaEventDestroy(events[i]), cudaSuccess);
    }
    EXPECT_EQ(cudaFreeAsync(words, nullptr), cudaSuccess);
    EXPECT_EQ(cudaFreeAsync(sink, nullptr), cudaSuccess);
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  over = true;
  gate.join();
}

}  // namespace
}  // namespace softgpu::cuda

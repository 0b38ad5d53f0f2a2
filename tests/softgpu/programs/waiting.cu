// Kernels that run while the program goes on: they wait for the host, for a kernel that is launched
// later, and for a kernel of another device.
// nvcc: -std=c++17
// env: SOFTGPU_DEVICES=2
// env: SOFTGPU_LAUNCH_WAIT=0.05
#include <cooperative_groups.h>

#include <cuda/atomic>

#include "check.cuh"

using Word = cuda::atomic_ref<unsigned, cuda::thread_scope_system>;

// A mailbox: answers each number that the host puts in with its square, until it is 0.
__global__ void serve(unsigned* box, unsigned* answer) {
  if (threadIdx.x == 0) {
    for (;;) {
      unsigned question = 0;
      while ((question = Word(*box).exchange(~0U)) == ~0U) {
      }
      if (question == 0) break;
      Word(*answer).store(question * question, cuda::std::memory_order_release);
    }
  }
  __syncthreads();
  if (threadIdx.x == 31) *answer = 12345;
}

// Hands a number to and fro with the kernel of the other side, `rounds` times.
__global__ void rally(unsigned* ball, unsigned side, unsigned rounds) {
  for (unsigned i = 0; i < rounds; ++i) {
    while (Word(*ball).load() % 2 != side) {
    }
    Word(*ball).fetch_add(1);
  }
}

// All blocks of two grids, one on each device, meet again and again.
__global__ void meet(unsigned* arrived, unsigned* wrong, unsigned grids, unsigned rounds) {
  const auto grid = cooperative_groups::this_grid();
  for (unsigned i = 1; i <= rounds; ++i) {
    grid.sync();
    if (grid.thread_rank() == 0) {
      Word(*arrived).fetch_add(1);
      while (Word(*arrived).load() < i * grids) {
      }
    }
    grid.sync();
    if (Word(*arrived).load() < i * grids) Word(*wrong).fetch_add(1);
  }
}

int main() {
  unsigned* words = nullptr;
  CUDA_OK(cudaHostAlloc(&words, 256, cudaHostAllocMapped));
  for (int i = 0; i < 64; ++i) words[i] = 0;
  unsigned* box = words;
  unsigned* answer = words + 16;
  Word(*box).store(~0U);

  cudaEvent_t begin, end;
  CUDA_OK(cudaEventCreate(&begin));
  CUDA_OK(cudaEventCreate(&end));
  CUDA_OK(cudaEventRecord(begin));
  serve<<<1, 32>>>(box, answer);
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaEventRecord(end));
  CHECK(cudaEventQuery(end) == cudaErrorNotReady);
  static_cast<void>(cudaGetLastError());
  for (unsigned question : {3U, 7U, 100U}) {
    Word(*box).store(question);
    while (Word(*answer).load(cuda::std::memory_order_acquire) != question * question) {
    }
  }
  Word(*box).store(0);
  CUDA_OK(cudaEventSynchronize(end));
  CHECK(*answer == 12345);
  float milliseconds = 0;
  CUDA_OK(cudaEventElapsedTime(&milliseconds, begin, end));
  CHECK(milliseconds > 0);

  cudaStream_t streams[2];
  for (auto& stream : streams) CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  unsigned* ball = nullptr;
  CUDA_OK(cudaMallocManaged(&ball, 256));
  *ball = 0;
  rally<<<1, 1, 0, streams[0]>>>(ball, 1, 50);
  rally<<<1, 1, 0, streams[1]>>>(ball, 0, 50);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(*ball == 100);

  unsigned* arrived = ball + 8;
  unsigned* wrong = ball + 16;
  *arrived = *wrong = 0;
  cudaStream_t each[2];
  for (int device = 0; device < 2; ++device) {
    CUDA_OK(cudaSetDevice(device));
    CUDA_OK(cudaStreamCreate(&each[device]));
    unsigned grids = 2, rounds = 10;
    void* arguments[] = {&arrived, &wrong, &grids, &rounds};
    CUDA_OK(cudaLaunchCooperativeKernel(meet, 6, 64, arguments, 0, each[device]));
  }
  for (int device = 0; device < 2; ++device) {
    CUDA_OK(cudaSetDevice(device));
    CUDA_OK(cudaStreamSynchronize(each[device]));
  }
  CHECK(*arrived == 20);
  CHECK(*wrong == 0);

  // And the program ends while one still waits.
  Word(*box).store(~0U);
  serve<<<1, 32>>>(box, answer);
  return verdict();
}

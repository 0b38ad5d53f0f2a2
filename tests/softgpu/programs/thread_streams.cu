// Every thread has a default stream of its own; threads that share a stream share its order.
// nvcc: --default-stream per-thread
#include <thread>
#include <vector>

#include "check.cuh"

__global__ void add(int* value, int times) {
  for (int i = 0; i < times; ++i) ++*value;  // no atomics: what runs in one stream does not overlap
}

int main() {
  constexpr int threads = 8;
  constexpr int launches = 50;
  int* values;
  CUDA_OK(cudaMallocManaged(&values, (threads + 1) * sizeof(int)));
  for (int i = 0; i <= threads; ++i) values[i] = 0;
  cudaStream_t common;
  CUDA_OK(cudaStreamCreate(&common));
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    team.emplace_back([=] {
      for (int i = 0; i < launches; ++i) {
        add<<<1, 1>>>(values + t, 3);
        add<<<1, 1, 0, common>>>(values + threads, 5);
      }
      CUDA_OK(cudaStreamSynchronize(0));
      CHECK_AT(values[t] == 3 * launches, "%d", values[t]);
      CUDA_OK(cudaGetLastError());
    });
  }
  for (std::thread& thread : team) thread.join();
  CUDA_OK(cudaStreamSynchronize(common));
  CHECK_AT(values[threads] == 5 * launches * threads, "%d", values[threads]);
  CUDA_OK(cudaStreamDestroy(common));
  CUDA_OK(cudaFree(values));
  return verdict();
}

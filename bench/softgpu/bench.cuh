// Shared by the benchmark programs: timing of both sides, the comparison, the line that run.py
// reads.
#pragma once

#include <cuda_runtime.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#define CUDA_OK(call)                                                                              \
  do {                                                                                             \
    const cudaError_t status_of_call = (call);                                                     \
    if (status_of_call != cudaSuccess) {                                                           \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(status_of_call)); \
      std::exit(1);                                                                                \
    }                                                                                              \
  } while (false)

template <typename T>
T* device_copy(const std::vector<T>& host) {
  T* device = nullptr;
  CUDA_OK(cudaMalloc(&device, host.size() * sizeof(T)));
  CUDA_OK(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
  return device;
}

template <typename T>
T* device_array(std::size_t n) {
  T* device = nullptr;
  CUDA_OK(cudaMalloc(&device, n * sizeof(T)));
  return device;
}

template <typename T>
std::vector<T> host_copy(const T* device, std::size_t n) {
  std::vector<T> host(n);
  CUDA_OK(cudaMemcpy(host.data(), device, n * sizeof(T), cudaMemcpyDeviceToHost));
  return host;
}

// Numbers in [0, 1) that both sides start from (an LCG of Knuth's; quality does not matter here).
inline std::vector<float> numbers(std::size_t n, unsigned long long state = 1) {
  std::vector<float> result(n);
  for (float& x : result) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    x = static_cast<float>(state >> 40) * 0x1p-24f;
  }
  return result;
}

inline bool close(const std::vector<float>& a, const std::vector<float>& b, float relative) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= relative * (1.0f + std::abs(b[i])))) {
      std::fprintf(stderr, "at %zu: %.9g, plain C++ %.9g\n", i, a[i], b[i]);
      return false;
    }
  }
  return a.size() == b.size();
}

// The shortest of three, after one that does not count.
template <typename Work>
double shortest(Work&& work) {
  double best = 1e30;
  for (int i = 0; i < 4; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (i > 0) best = std::min(best, elapsed.count());
  }
  return best;
}

// `kernels` enqueues, `plain` is the same algorithm in C++ on as many threads, `agree` compares.
template <typename Kernels, typename Plain, typename Agree>
int compare(Kernels&& kernels, Plain&& plain, Agree&& agree) {
  // The cores that the software GPU uses.
  if (const char* threads = std::getenv("SOFTGPU_THREADS")) omp_set_num_threads(std::atoi(threads));
  const double kernel_seconds = shortest([&] {
    kernels();
    CUDA_OK(cudaGetLastError());
    CUDA_OK(cudaDeviceSynchronize());
  });
  const double plain_seconds = shortest(plain);
  const bool right = agree();
  std::printf(
      "{\"kernel_seconds\": %.9g, \"plain_seconds\": %.9g, \"threads\": %d, \"agree\": %s}\n",
      kernel_seconds, plain_seconds, omp_get_max_threads(), right ? "true" : "false");
  return right ? 0 : 1;
}

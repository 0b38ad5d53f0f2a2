// Shared by the programs of kernels whose speed others have measured and published
// (measurements.json): a program runs one of its cases, checks the result, and prints how much work
// that was, in the unit of the measurement.
//
// Cases are smaller than what was measured, so that they can be profiled in seconds: more blocks
// than any device holds at a time, and more memory than any device's L2 cache where it was more.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
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
T* device_array(std::size_t n) {
  T* device = nullptr;
  CUDA_OK(cudaMalloc(&device, n * sizeof(T)));
  return device;
}

template <typename T>
T* device_copy(const std::vector<T>& host) {
  T* device = device_array<T>(host.size());
  CUDA_OK(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
  return device;
}

template <typename T>
std::vector<T> host_copy(const T* device, std::size_t n) {
  std::vector<T> host(n);
  CUDA_OK(cudaMemcpy(host.data(), device, n * sizeof(T), cudaMemcpyDeviceToHost));
  return host;
}

inline unsigned blocks_for(std::size_t n, std::size_t block) {
  return static_cast<unsigned>((n + block - 1) / block);
}

// Whole numbers that differ from element to element; their sums are exact.
template <typename T>
std::vector<T> numbers(std::size_t n, unsigned below) {
  std::vector<T> result(n);
  unsigned state = 12345;
  for (T& x : result) {
    state = state * 1664525U + 1013904223U;
    x = static_cast<T>((state >> 8) % below);
  }
  return result;
}

inline void require(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "wrong result: %s\n", what);
  std::exit(1);
}

// For kernels that write about as much as they read: what a benchmark that repeats them leaves
// behind: an L2 cache full of lines that were written and have to go to memory. The estimate of
// this kernel does not count.
__global__ void fill_l2(uint4* memory, unsigned n) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) memory[i] = make_uint4(i, i, i, i);
}

inline void like_after_a_run() {
  constexpr unsigned n = (96U << 20) / sizeof(uint4);
  static uint4* const memory = device_array<uint4>(n);
  fill_l2<<<blocks_for(n, 256), 256>>>(memory, n);
  CUDA_OK(cudaGetLastError());
}

// What a case did: bytes or operations as its measurement counts them.
using Run = double (*)();
struct Case {
  const char* name;
  Run run;
};

inline int run_case(int argc, char** argv, std::initializer_list<Case> cases) {
  for (const Case& one : cases) {
    if (argc != 2 || std::strcmp(argv[1], one.name) != 0) continue;
    const double work = one.run();
    CUDA_OK(cudaDeviceSynchronize());
    std::printf("work %.17g\n", work);
    return 0;
  }
  std::fprintf(stderr, "usage: %s CASE, one of:", argv[0]);
  for (const Case& one : cases) std::fprintf(stderr, " %s", one.name);
  std::fprintf(stderr, "\n");
  return 2;
}

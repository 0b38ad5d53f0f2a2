// Runs device algorithms again and again and compares every bit of every run with what the host
// computes: what an executor does wrong once in a thousand runs shows.
//
//   program [RUNS [PART OF A NAME]]
#pragma once

#include <cuda_runtime.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#define CUDA_OK(call)                                                                              \
  do {                                                                                             \
    const cudaError_t status_of_call = (call);                                                     \
    if (status_of_call != cudaSuccess) {                                                           \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(status_of_call)); \
      std::exit(1);                                                                                \
    }                                                                                              \
  } while (false)

using Bytes = std::vector<char>;

// A key or a sum of 16 bytes: its tiles' descriptors are the widest there are.
struct alignas(16) Pair {
  long long a;
  long long b;
  __host__ __device__ friend bool operator==(const Pair& x, const Pair& y) {
    return x.a == y.a && x.b == y.b;
  }
  __host__ __device__ friend bool operator!=(const Pair& x, const Pair& y) { return !(x == y); }
  __host__ __device__ friend bool operator<(const Pair& x, const Pair& y) {
    return x.a < y.a || (x.a == y.a && x.b < y.b);
  }
};
struct AddPairs {
  __host__ __device__ Pair operator()(const Pair& x, const Pair& y) const {
    return {x.a + y.a, x.b + y.b};
  }
};

template <class T>
void append(Bytes& to, const std::vector<T>& values) {
  const auto* first = reinterpret_cast<const char*>(values.data());
  to.insert(to.end(), first, first + values.size() * sizeof(T));
}
template <class... T>
Bytes bytes_of(const std::vector<T>&... values) {
  Bytes all;
  (append(all, values), ...);
  return all;
}

// A case sets its data up once and gives what a run has to leave, and how to run.
struct Case {
  Bytes expected;
  std::function<Bytes()> run;
};
struct Named {
  std::string name;
  std::size_t items;
  std::function<Case()> make;
};

// One line for each case; the status says whether all were right.
inline int run_cases(const std::vector<Named>& cases, int argc, char** argv, int runs) {
  if (argc > 1) runs = std::atoi(argv[1]);
  const std::string only = argc > 2 ? argv[2] : "";
  int failed = 0;
  std::printf("%-44s %9s %6s %6s %9s\n", "", "items", "runs", "wrong", "seconds");
  for (const Named& named : cases) {
    if (named.name.find(only) == std::string::npos) continue;
    const auto start = std::chrono::steady_clock::now();
    const Case one = named.make();
    int wrong = 0;
    for (int run = 0; run < runs; ++run) {
      const Bytes got = one.run();
      CUDA_OK(cudaDeviceSynchronize());
      if (got == one.expected) continue;
      if (wrong++ == 0) {
        std::size_t at = 0;
        while (at < got.size() && at < one.expected.size() && got[at] == one.expected[at]) ++at;
        std::printf("%s: run %d differs first at byte %zu of %zu (%zu expected)\n",
                    named.name.c_str(), run, at, got.size(), one.expected.size());
      }
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::printf("%-44s %9zu %6d %6d %9.2f\n", named.name.c_str(), named.items, runs, wrong,
                elapsed.count());
    std::fflush(stdout);
    failed += wrong != 0 ? 1 : 0;
  }
  std::printf("%s\n", failed != 0 ? "FAIL" : "PASS");
  return failed != 0 ? 1 : 0;
}

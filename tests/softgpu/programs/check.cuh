// Shared by all test programs: checks that print the line that failed, and the closing word.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

inline int& failures() {
  static int count = 0;
  return count;
}

// Counts and prints a false condition; goes on, up to a number of lines that a person would read.
#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition) && ++failures() <= 10) {                     \
      std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
    }                                                             \
  } while (false)

// The same, with values to print: CHECK_AT(a[i] == b[i], "i = %d, %d", i, a[i]).
#define CHECK_AT(condition, ...)                                  \
  do {                                                            \
    if (!(condition) && ++failures() <= 10) {                     \
      std::printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      std::printf(__VA_ARGS__);                                   \
      std::printf("\n");                                          \
    }                                                             \
  } while (false)

// A runtime call that has to succeed for anything after it to make sense.
#define CUDA_OK(call)                                           \
  do {                                                          \
    const cudaError_t status_of_call = (call);                  \
    if (status_of_call != cudaSuccess) {                        \
      std::printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
                  cudaGetErrorString(status_of_call));          \
      std::exit(1);                                             \
    }                                                           \
  } while (false)

// A runtime call whose result is what is tested.
#define CUDA_IS(expected, call)                                                  \
  do {                                                                           \
    const cudaError_t status_of_call = (call);                                   \
    if (status_of_call != (expected)) {                                          \
      ++failures();                                                              \
      std::printf("%s:%d: %s: %s, expected %s\n", __FILE__, __LINE__, #call,     \
                  cudaGetErrorName(status_of_call), cudaGetErrorName(expected)); \
    }                                                                            \
  } while (false)

// For main's last line.
inline int verdict() {
  std::printf(failures() == 0 ? "OK\n" : "%d checks failed\n", failures());
  return failures() == 0 ? 0 : 1;
}

// The program's own random numbers (splitmix64), the same everywhere.
struct Random {
  unsigned long long state = 1;
  unsigned long long next() {
    unsigned long long z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  unsigned below(unsigned limit) { return static_cast<unsigned>(next() % limit); }
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
};

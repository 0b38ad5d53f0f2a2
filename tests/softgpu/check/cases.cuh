// Planted bugs: small programs, each wrong in one way and each with its corrected twin, on which
// the checker is measured (tests/softgpu/check_table.py).
//
// A file is a program with a registry of cases. `./races_shared list` prints the cases, one a line:
// its name, a tab, and the kind of finding that is right for it (several, parted by `|`, where more
// than one is). `./races_shared NAME bad` and `./races_shared NAME good` run one of them.
//
// A case is a function template over `bool good`, and so are its kernels: the difference between
// the two is in the source, and the compiler sees two programs as if they had been written apart. A
// line that is wrong ends with a comment that begins with `BUG`; a race has two such lines.
#pragma once

#include <cstring>
#include <vector>

#include "../programs/check.cuh"

struct Case {
  const char* name;
  const char* kind;
  void (*bad)();
  void (*good)();
};

#define CASE(name, kind) \
  { #name, kind, name < false>, name < true> }

// After a launch: the error of the launch, and those of its execution.
#define KERNEL_OK()                   \
  do {                                \
    CUDA_OK(cudaGetLastError());      \
    CUDA_OK(cudaDeviceSynchronize()); \
  } while (false)

// Device memory of n values, all written: every byte is defined and every write has happened, for
// any stream, when the constructor is through.
template <typename T>
class Array {
 public:
  explicit Array(int n, T value = T()) : Array(std::vector<T>(static_cast<size_t>(n), value)) {}
  explicit Array(const std::vector<T>& values) : size_(values.size()) {
    CUDA_OK(cudaMalloc(&data_, size_ * sizeof(T)));
    CUDA_OK(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
    CUDA_OK(cudaDeviceSynchronize());
  }
  ~Array() { CUDA_OK(cudaFree(data_)); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  operator T*() { return data_; }
  std::vector<T> host() const {
    std::vector<T> values(size_);
    CUDA_OK(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  size_t size_;
  T* data_ = nullptr;
};

// 0, 1, 2, ...
template <typename T>
std::vector<T> counting(int n) {
  std::vector<T> values;
  for (int i = 0; i < n; ++i) values.push_back(static_cast<T>(i));
  return values;
}

// Keeps the compiler from leaving out what a condition reads because nobody looks at it.
inline void look_at(bool condition) { asm volatile("" : : "r"(static_cast<int>(condition))); }

// The corrected twin has to give the right result; the wrong one may.
#define RESULT(condition) \
  do {                    \
    if (good)             \
      CHECK(condition);   \
    else                  \
      look_at(condition); \
  } while (false)

template <int n>
int run_cases(const Case (&cases)[n], int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "list") == 0) {
    for (const Case& c : cases) std::printf("%s\t%s\n", c.name, c.kind);
    return 0;
  }
  const bool bad = argc == 3 && std::strcmp(argv[2], "bad") == 0;
  if (argc == 3 && (bad || std::strcmp(argv[2], "good") == 0)) {
    for (const Case& c : cases) {
      if (std::strcmp(argv[1], c.name) != 0) continue;
      (bad ? c.bad : c.good)();
      return failures() == 0 ? 0 : 1;
    }
    std::fprintf(stderr, "%s: there is no case '%s'; `%s list` prints their names\n", argv[0],
                 argv[1], argv[0]);
    return 2;
  }
  std::fprintf(stderr, "usage: %s list | NAME bad | NAME good\n", argv[0]);
  return 2;
}

// Runs device algorithms again and again and compares every bit of every run with what the host
// computes: what an executor does wrong once in a thousand runs shows. Sums of floating-point
// numbers, whose order differs from run to run, are held to the bound of any order of so many
// additions.
//
//   program [RUNS [PART OF A NAME|=NAME]...]
//   program list
//
// RUNS is 3 unless given; of the cases, those whose name contains one of the parts, or is one of
// the names. tools/softgpu/repeats.py makes a table of all.
#pragma once

#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cmath>
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
  const std::size_t before = to.size();
  to.resize(before + values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(to.data() + before, values.data(), values.size() * sizeof(T));
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
  // Where the bits may differ: whether what a run left is right.
  std::function<bool(const Bytes&)> right = nullptr;
};

// Whether floating-point sums of tiles are right, each of which adds a share of numbers whose
// absolute values add up to `magnitudes`. A sum in which no number goes through more than `height`
// additions is off by at most height * u / (1 - height * u) times that (Higham, Accuracy and
// Stability of Numerical Algorithms, section 4.2), u = 2^-24 or 2^-53. In these algorithms a number
// goes through at most the items of a thread (32), the levels of a block (10) and one addition for
// each tile before it, of at least 256 items.
template <class T>
std::function<bool(const Bytes&)> within_bound(std::vector<long double> sums,
                                               std::vector<long double> magnitudes,
                                               std::size_t items) {
  const long double u = sizeof(T) == 4 ? 0x1p-24L : 0x1p-53L;
  const long double hu = (32 + 10 + static_cast<long double>(items / 256 + 1)) * u;
  return [=, sums = std::move(sums), magnitudes = std::move(magnitudes)](const Bytes& got) {
    if (got.size() != sums.size() * sizeof(T)) return false;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      T value;
      std::memcpy(&value, got.data() + i * sizeof(T), sizeof(T));
      const long double off = std::fabs(static_cast<long double>(value) - sums[i]);
      if (!(off <= hu / (1 - hu) * magnitudes[i])) return false;
    }
    return true;
  };
}

// The blocks of the largest kernel that `work` launches, as far as the software GPU counts them; 0
// elsewhere.
inline unsigned long long largest_grid(const std::function<Bytes()>& work) {
  const auto count = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "softgpu_count"));
  const auto counters = reinterpret_cast<char* (*)()>(dlsym(RTLD_DEFAULT, "softgpu_counters"));
  if (count == nullptr || counters == nullptr) return 0;
  count(1);
  (void)work();
  CUDA_OK(cudaDeviceSynchronize());
  char* const text = counters();
  count(0);
  unsigned long long most = 0;
  const auto number = [](const char* at, const char* name) {
    const char* found = at == nullptr ? nullptr : std::strstr(at, name);
    return found == nullptr ? 0ULL : std::strtoull(found + std::strlen(name), nullptr, 10);
  };
  for (const char* at = std::strstr(text, "\"launches\":"); at != nullptr;
       at = std::strstr(at + 1, "\"launches\":")) {
    const auto launches = std::max(number(at, "\"launches\":"), 1ULL);
    most = std::max(most, number(at, "\"blocks\":") / launches);
  }
  std::free(text);
  return most;
}
struct Named {
  std::string name;
  std::size_t items;
  std::function<Case()> make;
};

// One line for each case; the status says whether all were right.
inline int run_cases(const std::vector<Named>& cases, int argc, char** argv, int runs) {
  if (argc == 2 && std::strcmp(argv[1], "list") == 0) {
    for (const Named& named : cases) std::printf("%s\n", named.name.c_str());
    return 0;
  }
  if (argc > 1) runs = std::atoi(argv[1]);
  const auto wanted = [&](const std::string& name) {
    for (int i = 2; i < argc; ++i) {
      if (argv[i][0] == '=' ? name == argv[i] + 1 : name.find(argv[i]) != std::string::npos) {
        return true;
      }
    }
    return argc <= 2;
  };
  int failed = 0;
  std::printf("%-44s %9s %6s %6s %6s %9s\n", "", "items", "blocks", "runs", "wrong", "seconds");
  for (const Named& named : cases) {
    if (!wanted(named.name)) continue;
    const Case one = named.make();
    const unsigned long long blocks = largest_grid(one.run);
    const auto start = std::chrono::steady_clock::now();
    int wrong = 0;
    for (int run = 0; run < runs; ++run) {
      const Bytes got = one.run();
      CUDA_OK(cudaDeviceSynchronize());
      if (one.right ? one.right(got) : got == one.expected) continue;
      if (wrong++ == 0) {
        std::size_t at = 0;
        while (at < got.size() && at < one.expected.size() && got[at] == one.expected[at]) ++at;
        std::printf("%s: run %d differs first at byte %zu of %zu (%zu expected)\n",
                    named.name.c_str(), run, at, got.size(), one.expected.size());
      }
    }
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    std::printf("%-44s %9zu %6llu %6d %6d %9.2f\n", named.name.c_str(), named.items, blocks, runs,
                wrong, elapsed.count());
    std::fflush(stdout);
    failed += wrong != 0 ? 1 : 0;
  }
  std::printf("%s\n", failed != 0 ? "FAIL" : "PASS");
  return failed != 0 ? 1 : 0;
}

// The most that a machine can do, measured, so that a benchmark can say what share of it is
// reached.
#pragma once

#include <utility>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

struct TANDEM_API MachineLimits {
  int threads = 1;
  // Floating-point operations per second in independent chains of fused multiply-adds, by all the
  // threads together. A multiply-add is two.
  double flops_float32 = 0;
  double flops_float64 = 0;
  // Bytes per second of main memory by all the threads together: a = b + s·c over arrays far larger
  // than the caches (McCalpin's STREAM triad; the line that a write fetches first is not counted).
  double memory_bytes = 0;
  // Bytes per second that one thread reads from a set of so many bytes, which it reads over and
  // over.
  std::vector<std::pair<Index, double>> cache_bytes;
  // Seconds from calling a team of threads until it has done nothing and is back; 0 of one thread.
  double wake_seconds = 0;
};

// Measures for about `seconds` each: the best of several repetitions, since other work on the
// machine can only take away. Takes some 200 MB of memory. `threads` of 1 or more.
[[nodiscard]] TANDEM_API MachineLimits measure_machine(int threads, double seconds = 0.1);

}  // namespace tandem

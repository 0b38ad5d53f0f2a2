// What the CPU's side of a lesson is made of: one body of code, compiled without vector
// instructions and with those of this processor, and run on one core or on all.
#pragma once

#include <cstddef>
#include <functional>

// A function whose loops stay scalar: what a compiler makes of plain code at -O2.
#if defined(__GNUC__) && !defined(__clang__)
#define TANDEM_TWIN_SCALAR __attribute__((optimize("no-tree-vectorize", "no-tree-slp-vectorize")))
#else
#define TANDEM_TWIN_SCALAR
#endif
// A function that is compiled for three instruction sets, of which the best is taken at run time.
// The sanitizers' runtimes are not there yet when that is decided.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define TANDEM_TWIN_VECTOR \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TANDEM_TWIN_VECTOR
#endif
// The body of both.
#define TANDEM_TWIN_BODY inline __attribute__((always_inline))

namespace tandem::course {

// Cores that the process may use.
[[nodiscard]] int cores();
// Calls body(begin, end) on pieces of [0, count) on all cores, and waits. Pieces begin at multiples
// of `grain`; where there is only one, the calling thread does it.
void on_all_cores(std::size_t count, std::size_t grain,
                  const std::function<void(std::size_t begin, std::size_t end)>& body);

}  // namespace tandem::course

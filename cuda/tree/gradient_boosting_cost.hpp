// What the kernels of gradient boosting move, for benchmarks and for the tests that compare it with
// what the software GPU counts.
#pragma once

#include "core/cost.hpp"

namespace tandem::cuda {

// Of all nodes of a launch together: `rows` rows in `pieces` pieces, `bins` bins that they fall
// into. A row's number, word (wide: two) and bins are read; a bin's two sums are read and written
// by atomics on integers, once per launch where caches hold them. No operation is on floats.
[[nodiscard]] constexpr Cost histogram_kernel_cost(double rows, double features, double pieces,
                                                   double bins, bool wide) {
  return {rows * (4 + (wide ? 16.0 : 8.0) + features) + 24 * pieces + 32 * bins, 0};
}
// Three integers of 8 bytes per element and node: the child's and the sibling's read, that written.
[[nodiscard]] constexpr Cost subtract_kernel_cost(double elements, double nodes) {
  return {nodes * (24 * elements + 40), 0};
}

}  // namespace tandem::cuda

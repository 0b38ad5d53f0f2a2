// The least work of a step or a kernel, which benchmarks divide by the time that it takes and tests
// compare with what the software GPU counts.
#pragma once

namespace tandem {

struct Cost {
  double bytes = 0;  // of memory that must move, each once unless the function says otherwise
  // Floating-point operations: an addition, a product, a division and a square root are one, an fma
  // is two. Steps that count and compare integers count those operations.
  double flops = 0;
};

}  // namespace tandem

// Loops that do nothing but use a part of the machine to the full.
#pragma once

#include <cstdint>

#include "tandem/core/types.hpp"

namespace tandem::cpu {

// `steps` rounds of 12 independent chains of fused multiply-adds; returns the operations done.
double fma_chains(std::int64_t steps, float* sink);
double fma_chains(std::int64_t steps, double* sink);

// a[i] = b[i] + 3·c[i] for `size` elements.
void triad(double* a, const double* b, const double* c, Index size);

// The sum of `size` elements, in some order.
double sum_quickly(const double* x, Index size);

}  // namespace tandem::cpu

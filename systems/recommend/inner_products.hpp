// Inner products of one vector with many.
#pragma once

#include <cstddef>

namespace tandem::recommend {

// products[r] = Σ_c query[c] · rows[r · stride + c], c < stride; stride is a multiple of 16. The
// order of summation depends on the processor's vectors.
void inner_products(const float* query, const float* rows, std::size_t count, std::size_t stride,
                    float* products);

}  // namespace tandem::recommend

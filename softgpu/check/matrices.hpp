// Undefined bits in operations of whole warps on matrices: which register of which lane has which
// element is known to the handlers alone, so that they are run on the bits themselves.
#pragma once

#include <cstdint>

#include "softgpu/check/checked_code.hpp"
#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

// ldmatrix, stmatrix, wmma.load and wmma.store, before they are executed: races and definedness.
void use_matrix(Warp& warp, const Op* op, const Step& step, const Touch& touch,
                std::uint32_t lanes);
// mma and wmma.mma: elements of the result are undefined that come out differently for two values
// of the undefined bits.
void propagate_product(Warp& warp, const Op* op, const Step& step, std::uint32_t lanes);

}  // namespace softgpu::check

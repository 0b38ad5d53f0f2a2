// One row of alternating least squares on the calling thread, for folding a user in.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/core/types.hpp"

namespace tandem::cpu {

// x (als_pitch(factors)) ← the solution by Cholesky, as core/recommend/als_steps.hpp states it, of
// a row with `count` >= 1 ratings. y: rows × pitch; gram: pitch × pitch. False where the matrix is
// not positive definite; x is then 0. scratch is anybody's vector, kept from call to call.
template <Real T>
[[nodiscard]] bool als_solve_row(const T* y, const std::int32_t* columns, const T* extra,
                                 Index count, const T* gram, Index factors, T* x,
                                 std::vector<T>& scratch);

}  // namespace tandem::cpu

// Losses and residuals of linear models for one row, with the same bits on every device; as vectors
// of rows in cpu/linear/linear.cpp.
#pragma once

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::linear {

#define TANDEM_LOSS_FUNCTION TANDEM_HOST_DEVICE inline
#include "core/linear/linear_loss.inc"
#undef TANDEM_LOSS_FUNCTION

template <Real T>
using Scalar = math::detail::ScalarOperations<T>;

// `value`, with the one quiet NaN in place of any: which NaN an invalid operation gives is not the
// same on every device.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T with_one_nan(T value) {
  return value == value ? value : static_cast<T>(__builtin_nan(""));
}

}  // namespace tandem::linear

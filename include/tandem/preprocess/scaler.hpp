// Scaling of numeric columns that are in an engine's memory already: generated there, or kept there
// between fits. Data from files goes through Preprocessor, which also imputes, encodes and clips,
// on the host; for columns without missing values both compute the same numbers, bit for bit.
#pragma once

#include <vector>

#include "tandem/core/buffer.hpp"
#include "tandem/preprocess/preprocessor.hpp"

namespace tandem {

// scaled value = (value − shift) / divisor, in double, rounded once.
struct ColumnScaling {
  std::vector<double> shift;
  std::vector<double> divisor;
};

// x: rows × cols, row-major, in the engine's memory. Missing values (NaN) count for nothing. Throws
// InputError, by column, for infinite values and those too large to be scaled, and where there are
// no rows.
template <Real T>
[[nodiscard]] ColumnScaling fit_scaling(Engine& engine, const Buffer<T>& x, Index cols,
                                        Scale scale);

// In place; enqueued. NaN stays NaN.
template <Real T>
void apply_scaling(Engine& engine, const ColumnScaling& scaling, Buffer<T>& x);

}  // namespace tandem

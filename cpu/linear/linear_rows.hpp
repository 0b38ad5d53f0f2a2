// Rows of linear models on the CPU: how they are packed, drawn, measured and standardised, as
// LinearSteps states it.
#pragma once

#include <algorithm>

#include "core/external_memory.hpp"
#include "core/linear/linear_steps.hpp"

namespace tandem::cpu {

// One thread where waking the others would take longer than the work.
[[nodiscard]] inline int threads_for(int threads, Index rows, Index features, Index outputs) {
  constexpr Index least_elements = Index{1} << 20;
  return rows < least_elements / std::max<Index>(1, features * outputs) ? 1 : threads;
}
template <Real T>
[[nodiscard]] int threads_for(int threads, const PackedRows<T>& rows, Index outputs) {
  return threads_for(threads, rows.rows, rows.features, outputs);
}

// Says that the calling thread comes to this block (core/external_memory.hpp).
template <Real T>
void visit_block(const PackedRows<T>& rows, Index block,
                 external::Access access = external::Access::read) {
  const Index size = rows.features * packed_stride;
  visit_elements(rows.x.data() + block * size, size, access);
}

template <Real T>
void pack_rows(int threads, const RowsView<T>& from, Index count, Index at, PackedRows<T>& to);
template <Real T>
void gather_rows(int threads, const RowsView<T>& from, const RandomPermutation& order, Index first,
                 Index count, PackedRows<T>& batch);
template <Real T>
void moments_of_rows(int threads, const PackedRows<T>& rows, Buffer<double>& moments);
template <Real T>
void standardise_rows(int threads, const Buffer<double>& centre, const Buffer<double>& factor,
                      PackedRows<T>& rows);

}  // namespace tandem::cpu

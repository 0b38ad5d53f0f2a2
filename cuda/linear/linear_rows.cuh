// Rows of linear models on the GPU: how they are packed, drawn, measured and standardised, as
// LinearSteps states it.
#pragma once

#include "core/linear/linear_steps.hpp"
#include "cuda/linear/packed_chunks.cuh"

namespace tandem::cuda {

template <Real T>
void pack_rows(CudaEngine& engine, const RowsView<T>& from, Index count, Index at,
               PackedRows<T>& to);
template <Real T>
void gather_rows(CudaEngine& engine, const RowsView<T>& from, const RandomPermutation& order,
                 Index first, Index count, PackedRows<T>& batch);
template <Real T>
void moments_of_rows(PackedChunks<T>& chunks, const PackedRows<T>& rows, Buffer<double>& moments);
template <Real T>
void standardise_rows(CudaEngine& engine, const Buffer<double>& centre,
                      const Buffer<double>& factor, PackedRows<T>& rows);

}  // namespace tandem::cuda

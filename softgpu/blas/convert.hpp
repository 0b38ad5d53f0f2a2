// Elements of any data type of the interface, as the type that is computed in and back.
#pragma once

#include <cstdint>

#include "softgpu/blas/numbers.hpp"
#include "softgpu/blas/types.hpp"

namespace softgpu::blas {

// Bytes of an element; 0 for a type that no function here takes.
[[nodiscard]] std::size_t element_bytes(cudaDataType type);
[[nodiscard]] bool is_complex_type(cudaDataType type);
[[nodiscard]] bool is_floating_type(cudaDataType type);

// dst[i] = the element src[i * stride] for i in [0, n). E: float, double, cfloat or cdouble.
template <class E>
void load(cudaDataType type, const void* src, std::int64_t stride, std::int64_t n, E* dst);

// dst[i * stride] = src[i], rounded once to the nearest; integers saturate.
template <class E>
void store(cudaDataType type, void* dst, std::int64_t stride, std::int64_t n, const E* src);

extern template void load(cudaDataType, const void*, std::int64_t, std::int64_t, float*);
extern template void load(cudaDataType, const void*, std::int64_t, std::int64_t, double*);
extern template void load(cudaDataType, const void*, std::int64_t, std::int64_t, cfloat*);
extern template void load(cudaDataType, const void*, std::int64_t, std::int64_t, cdouble*);
extern template void store(cudaDataType, void*, std::int64_t, std::int64_t, const float*);
extern template void store(cudaDataType, void*, std::int64_t, std::int64_t, const double*);
extern template void store(cudaDataType, void*, std::int64_t, std::int64_t, const cfloat*);
extern template void store(cudaDataType, void*, std::int64_t, std::int64_t, const cdouble*);

// x[i] rounded to the format in place.
void round_to_half(float* x, std::int64_t n);
void round_to_bfloat16(float* x, std::int64_t n);
void round_to_tf32(float* x, std::int64_t n);

}  // namespace softgpu::blas

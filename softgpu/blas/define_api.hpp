// Included by the one source file that defines the entries of a table, before the table.
#pragma once

#include "softgpu/blas/library.hpp"

#undef SOFTGPU_API
#define SOFTGPU_API(result, name, parameters, ...)           \
  result name parameters {                                   \
    [[maybe_unused]] constexpr const char* function = #name; \
    return __VA_ARGS__;                                      \
  }

namespace softgpu::blas {

// The interface's complex and half types as the ones computed with; all have the same layout.
inline const float* as(const float* p) { return p; }
inline const double* as(const double* p) { return p; }
inline float* as(float* p) { return p; }
inline double* as(double* p) { return p; }
inline const cfloat* as(const cuComplex* p) { return reinterpret_cast<const cfloat*>(p); }
inline cfloat* as(cuComplex* p) { return reinterpret_cast<cfloat*>(p); }
inline const cdouble* as(const cuDoubleComplex* p) { return reinterpret_cast<const cdouble*>(p); }
inline cdouble* as(cuDoubleComplex* p) { return reinterpret_cast<cdouble*>(p); }

inline const float* const* as(const float* const* p) { return p; }
inline const double* const* as(const double* const* p) { return p; }
inline float* const* as(float* const* p) { return p; }
inline double* const* as(double* const* p) { return p; }
inline const cfloat* const* as(const cuComplex* const* p) {
  return reinterpret_cast<const cfloat* const*>(p);
}
inline cfloat* const* as(cuComplex* const* p) { return reinterpret_cast<cfloat* const*>(p); }
inline const cdouble* const* as(const cuDoubleComplex* const* p) {
  return reinterpret_cast<const cdouble* const*>(p);
}
inline cdouble* const* as(cuDoubleComplex* const* p) {
  return reinterpret_cast<cdouble* const*>(p);
}

}  // namespace softgpu::blas

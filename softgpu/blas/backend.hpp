// Matrix products and solves on BLIS: the processor's BLAS under the drop-in libraries.
//
// A matrix is an address with a row and a column stride in elements, so that column and row major
// storage and transposes are one thing. T: float, double, cfloat, cdouble. beta == 0 does not read
// the result, alpha == 0 does not read the factors. Results do not depend on `threads`.
#pragma once

#include <cstdint>

#include "softgpu/blas/numbers.hpp"
#include "softgpu/blas/types.hpp"

namespace softgpu::blas {

template <class T>
struct Matrix {
  T* data;
  std::int64_t row_stride;
  std::int64_t column_stride;
};

template <class T>
Matrix<T> column_major(T* data, std::int64_t leading) {
  return {data, 1, leading};
}

// C = alpha op(A) op(B) + beta C; C is m by n, op(A) is m by k.
template <class T>
void gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
          std::int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b, T beta, Matrix<T> c,
          int threads);

// The same into one triangle of C, which is n by n.
template <class T>
void gemm_triangle(cublasFillMode_t uplo, cublasOperation_t op_a, cublasOperation_t op_b,
                   std::int64_t n, std::int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b,
                   T beta, Matrix<T> c, int threads);

// C = alpha A B + beta C (side left) or alpha B A + beta C, A symmetric or hermitian.
template <class T>
void symm(bool hermitian, cublasSideMode_t side, cublasFillMode_t uplo, std::int64_t m,
          std::int64_t n, T alpha, Matrix<const T> a, Matrix<const T> b, T beta, Matrix<T> c,
          int threads);

// B = alpha op(A) B or alpha B op(A), A triangular.
template <class T>
void trmm(cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag,
          std::int64_t m, std::int64_t n, T alpha, Matrix<const T> a, Matrix<T> b, int threads);

// Solves op(A) X = alpha B or X op(A) = alpha B; X takes B's place.
template <class T>
void trsm(cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag,
          std::int64_t m, std::int64_t n, T alpha, Matrix<const T> a, Matrix<T> b, int threads);

#define SOFTGPU_DECLARE(T)                                                                       \
  extern template void gemm<T>(cublasOperation_t, cublasOperation_t, std::int64_t, std::int64_t, \
                               std::int64_t, T, Matrix<const T>, Matrix<const T>, T, Matrix<T>,  \
                               int);                                                             \
  extern template void gemm_triangle<T>(cublasFillMode_t, cublasOperation_t, cublasOperation_t,  \
                                        std::int64_t, std::int64_t, T, Matrix<const T>,          \
                                        Matrix<const T>, T, Matrix<T>, int);                     \
  extern template void symm<T>(bool, cublasSideMode_t, cublasFillMode_t, std::int64_t,           \
                               std::int64_t, T, Matrix<const T>, Matrix<const T>, T, Matrix<T>,  \
                               int);                                                             \
  extern template void trmm<T>(cublasSideMode_t, cublasFillMode_t, cublasOperation_t,            \
                               cublasDiagType_t, std::int64_t, std::int64_t, T, Matrix<const T>, \
                               Matrix<T>, int);                                                  \
  extern template void trsm<T>(cublasSideMode_t, cublasFillMode_t, cublasOperation_t,            \
                               cublasDiagType_t, std::int64_t, std::int64_t, T, Matrix<const T>, \
                               Matrix<T>, int);
SOFTGPU_DECLARE(float)
SOFTGPU_DECLARE(double)
SOFTGPU_DECLARE(cfloat)
SOFTGPU_DECLARE(cdouble)
#undef SOFTGPU_DECLARE

}  // namespace softgpu::blas

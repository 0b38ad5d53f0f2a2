// General matrix products of mixed types: what cublasGemmEx and cublasLtMatmul have in common.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "softgpu/blas/backend.hpp"
#include "softgpu/blas/convert.hpp"
#include "softgpu/blas/library.hpp"

namespace softgpu::blas {

// The format that products are accumulated in.
enum class Accumulation {
  Half,    // float inside blocks of 16 products, rounded to half after each
  Float,   //
  Double,  //
  ComplexFloat,
  ComplexDouble,
  Int32,  // modulo 2^32
};

// The format that elements of factors are rounded to before they are multiplied.
enum class InputRounding { None, Half, BFloat16, Tf32 };

struct Arithmetic {
  Accumulation accumulation = Accumulation::Float;
  InputRounding rounding = InputRounding::None;
  cudaDataType scale_type = CUDA_R_32F;  // of alpha and beta
};

// How the compute type works on complex or real data; nothing for a compute type that is unknown.
std::optional<Arithmetic> arithmetic_of(cublasComputeType_t compute, bool complex);

// A stored matrix: rows by columns before any transposition.
struct Operand {
  const void* data = nullptr;
  cudaDataType type = CUDA_R_32F;
  std::int64_t rows = 0, columns = 0;
  std::int64_t row_stride = 1, column_stride = 0;  // in elements
};

// alpha and beta of any scale type: exact in these.
struct Coefficients {
  cdouble alpha = 1.0;
  cdouble beta = 0.0;
};

// D = alpha op(A) op(B) + beta C for one matrix, rounded once to D's type. C and D may be the same;
// neither C nor the factors are read where their coefficient is zero.
void multiply_matrices(const Arithmetic& arithmetic, cublasOperation_t op_a, cublasOperation_t op_b,
                       std::int64_t m, std::int64_t n, std::int64_t k, const Coefficients& scalars,
                       const Operand& a, const Operand& b, const Operand& c, const Operand& d,
                       int threads);

// op(A) op(B) alone, m by n in column major order with leading dimension m, in the accumulator's
// type E (float, double, cfloat, cdouble); Half accumulation gives float.
template <class E>
std::vector<E> raw_product(const Arithmetic& arithmetic, cublasOperation_t op_a,
                           cublasOperation_t op_b, std::int64_t m, std::int64_t n, std::int64_t k,
                           const Operand& a, const Operand& b, int threads);

// op(A) op(B) of 8-bit integers, m by n, leading dimension m.
std::vector<std::int32_t> integer_product(cublasOperation_t op_a, cublasOperation_t op_b,
                                          std::int64_t m, std::int64_t n, std::int64_t k,
                                          const Operand& a, const Operand& b, int threads);

// Threads for a product of this size.
int product_threads(const Arithmetic& arithmetic, double m, double n, double k);

}  // namespace softgpu::blas

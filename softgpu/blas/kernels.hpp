// The few inner loops that are worth an instruction set of their own.
#pragma once

#include <cstdint>

#include "softgpu/device/clones.hpp"

namespace softgpu::blas {

// sum[i] += a[i + j * lda] * x[j] over j in ascending order, for i < rows.
void add_columns(const float* a, std::int64_t lda, std::int64_t rows, std::int64_t n,
                 const float* x, float* sum);
void add_columns(const double* a, std::int64_t lda, std::int64_t rows, std::int64_t n,
                 const double* x, double* sum);

// The inner product in 32 lanes.
float inner_product(std::int64_t n, const float* x, const float* y);
double inner_product(std::int64_t n, const double* x, const double* y);

// GELU in the form with tanh, x[i] = x[i] (1 + tanh u) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3),
// within a few units of float's last place of x[i].
void gelu(float* x, std::int64_t n);

// x[i] *= the slope of GELU at at[i].
void multiply_by_gelu_slope(float* x, const float* at, std::int64_t n);

}  // namespace softgpu::blas

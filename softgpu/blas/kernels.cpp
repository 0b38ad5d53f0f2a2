#include "softgpu/blas/kernels.hpp"

#include <bit>

namespace softgpu::blas {
namespace {

// exp(x) to about one unit in the last place, for vector registers: 2^k times a polynomial of the
// rest, |rest| <= ln(2) / 2. Clamped to where results are normal floats; NaN passes through.
inline float exponential(float x) {
  x = x > 88.0F ? 88.0F : x;
  x = x < -87.0F ? -87.0F : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  const float shifted = x * 1.44269504F + 12582912.0F;
  const float k = shifted - 12582912.0F;
  // ln(2) in two parts, the first exact times k.
  const float rest = (x - k * 0.693359375F) - k * -2.12194440e-4F;
  float sum = 1.0F / 5040;
  sum = sum * rest + 1.0F / 720;
  sum = sum * rest + 1.0F / 120;
  sum = sum * rest + 1.0F / 24;
  sum = sum * rest + 1.0F / 6;
  sum = sum * rest + 0.5F;
  sum = sum * rest + 1.0F;
  sum = sum * rest + 1.0F;
  const std::uint32_t power = (std::bit_cast<std::uint32_t>(shifted) + 127U) << 23;
  return sum * std::bit_cast<float>(power);
}

constexpr float kRoot = 0.797884561F;  // sqrt(2 / pi)
constexpr float kCubic = 0.044715F;

// (1 + tanh u) / 2 = 1 / (1 + exp(-2 u))
inline float gate(float x) {
  const float u = kRoot * (x + kCubic * x * x * x);
  return 1.0F / (1.0F + exponential(-2.0F * u));
}

template <class T>
inline void add_columns_of(const T* a, std::int64_t lda, std::int64_t rows, std::int64_t n,
                           const T* x, T* sum) {
  std::int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    const T *a0 = a + j * lda, *a1 = a0 + lda, *a2 = a1 + lda, *a3 = a2 + lda;
    const T x0 = x[j], x1 = x[j + 1], x2 = x[j + 2], x3 = x[j + 3];
    for (std::int64_t i = 0; i < rows; ++i) {
      sum[i] = (((sum[i] + a0[i] * x0) + a1[i] * x1) + a2[i] * x2) + a3[i] * x3;
    }
  }
  for (; j < n; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) sum[i] += a[i + j * lda] * x[j];
  }
}

template <class T>
inline T inner_product_of(std::int64_t n, const T* x, const T* y) {
  T lanes[32] = {};
  std::int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    for (int l = 0; l < 32; ++l) lanes[l] += x[i + l] * y[i + l];
  }
  for (int l = 0; i < n; ++i, ++l) lanes[l] += x[i] * y[i];
  for (int width = 16; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  }
  return lanes[0];
}

}  // namespace

SOFTGPU_CLONES void add_columns(const float* a, std::int64_t lda, std::int64_t rows, std::int64_t n,
                                const float* x, float* sum) {
  add_columns_of(a, lda, rows, n, x, sum);
}
SOFTGPU_CLONES void add_columns(const double* a, std::int64_t lda, std::int64_t rows,
                                std::int64_t n, const double* x, double* sum) {
  add_columns_of(a, lda, rows, n, x, sum);
}
SOFTGPU_CLONES float inner_product(std::int64_t n, const float* x, const float* y) {
  return inner_product_of(n, x, y);
}
SOFTGPU_CLONES double inner_product(std::int64_t n, const double* x, const double* y) {
  return inner_product_of(n, x, y);
}
SOFTGPU_CLONES void gelu(float* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) x[i] *= gate(x[i]);
}
SOFTGPU_CLONES void multiply_by_gelu_slope(float* x, const float* at, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float s = gate(at[i]);
    const float slope =
        s + at[i] * 2.0F * s * (1.0F - s) * kRoot * (1.0F + 3.0F * kCubic * at[i] * at[i]);
    x[i] *= slope;
  }
}

}  // namespace softgpu::blas

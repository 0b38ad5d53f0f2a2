// Matrix-vector kernels and the storage forms of triangles.
#pragma once

#include <algorithm>
#include <vector>

#include "softgpu/blas/kernels.hpp"
#include "softgpu/blas/vectors.hpp"

namespace softgpu::blas {

// One triangle of an n by n matrix, full, band or packed: in all three a column is contiguous.
template <class T>
struct Triangle {
  enum class Form { Full, Band, Packed };
  Form form;
  bool upper;
  std::int64_t n;
  std::int64_t k;  // diagonals beside the main one
  T* data;
  std::int64_t leading;

  // Pointer p such that p[i] is the element (i, j), for first(j) <= i <= last(j).
  [[nodiscard]] T* column(std::int64_t j) const {
    switch (form) {
      case Form::Full: return data + j * leading;
      case Form::Band: return data + j * leading + (upper ? k - j : -j);
      case Form::Packed: return data + (upper ? j * (j + 1) / 2 : (2 * n - j - 1) * j / 2);
    }
    return data;
  }
  [[nodiscard]] std::int64_t first(std::int64_t j) const {
    return upper ? std::max<std::int64_t>(0, j - k) : j;
  }
  [[nodiscard]] std::int64_t last(std::int64_t j) const {
    return upper ? j : std::min(n - 1, k < n ? j + k : n - 1);
  }
  // Bytes from the first element to behind the last one.
  [[nodiscard]] std::size_t bytes() const {
    switch (form) {
      case Form::Full: return matrix_bytes(n, n, leading, sizeof(T));
      case Form::Band: return matrix_bytes(k + 1, n, leading, sizeof(T));
      case Form::Packed:
        return saturated_size(static_cast<Wide>(n) * (static_cast<Wide>(n) + 1) / 2, sizeof(T));
    }
    return 0;
  }
  [[nodiscard]] bool valid() const {
    switch (form) {
      case Form::Full: return n >= 0 && leading >= at_least_one(n);
      case Form::Band: return n >= 0 && k >= 0 && leading - 1 >= k;
      case Form::Packed: return n >= 0;
    }
    return false;
  }
};

template <class T>
Triangle<T> full(cublasFillMode_t uplo, std::int64_t n, T* a, std::int64_t lda) {
  return {Triangle<T>::Form::Full, uplo == CUBLAS_FILL_MODE_UPPER, n, n, a, lda};
}
template <class T>
Triangle<T> band(cublasFillMode_t uplo, std::int64_t n, std::int64_t k, T* a, std::int64_t lda) {
  return {Triangle<T>::Form::Band, uplo == CUBLAS_FILL_MODE_UPPER, n, k, a, lda};
}
template <class T>
Triangle<T> packed(cublasFillMode_t uplo, std::int64_t n, T* ap) {
  return {Triangle<T>::Form::Packed, uplo == CUBLAS_FILL_MODE_UPPER, n, n, ap, 0};
}

template <class T>
std::vector<std::remove_const_t<T>> gather_vector(std::int64_t n, T* x, std::int64_t inc) {
  std::vector<std::remove_const_t<T>> contiguous(static_cast<std::size_t>(n));
  const Strided<T> u(n, x, inc);
  for (std::int64_t i = 0; i < n; ++i) contiguous[static_cast<std::size_t>(i)] = u[i];
  return contiguous;
}

// y = alpha * sum + beta * y, where beta == 0 does not read y.
template <class T>
void blend(T alpha, const std::vector<T>& sum, T beta, T* y, std::int64_t incy) {
  const auto n = static_cast<std::int64_t>(sum.size());
  const Strided<T> v(n, y, incy);
  for (std::int64_t i = 0; i < n; ++i) {
    const T part = alpha == T{} ? T{} : multiply(alpha, sum[static_cast<std::size_t>(i)]);
    v[i] = beta == T{} ? part : part + multiply(beta, v[i]);
  }
}

// The sum of x[i] * y[i] over contiguous elements in the type's own precision, in eight lanes.
template <bool kConjugated, class T>
T dot_lanes(std::int64_t n, const T* x, const T* y) {
  T lanes[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (int l = 0; l < 8; ++l) {
      lanes[l] += multiply(kConjugated ? conjugate(x[i + l]) : x[i + l], y[i + l]);
    }
  }
  for (int l = 0; i < n; ++i, ++l) {
    lanes[l] += multiply(kConjugated ? conjugate(x[i]) : x[i], y[i]);
  }
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

// op(A) x for a general m by n matrix in columns; the result has m (op N) or n elements. Rows or
// columns are shared out among threads; each element's sum has one order whatever their number.
template <class T>
std::vector<T> general_product(cublasOperation_t op, std::int64_t m, std::int64_t n, const T* a,
                               std::int64_t lda, const std::vector<T>& x, int threads) {
  const bool transposed = op != CUBLAS_OP_N;
  std::vector<T> sum(static_cast<std::size_t>(transposed ? n : m));
  if (transposed) {
    parallel_for(n, threads, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t j = first; j < last; ++j) {
        T& value = sum[static_cast<std::size_t>(j)];
        if constexpr (!is_complex<T>) {
          value = inner_product(m, a + j * lda, x.data());
        } else if (op == CUBLAS_OP_C) {
          value = dot_lanes<true>(m, a + j * lda, x.data());
        } else {
          value = dot_lanes<false>(m, a + j * lda, x.data());
        }
      }
    });
  } else {
    parallel_for(m, threads, [&](std::int64_t first, std::int64_t last) {
      // A block of rows stays in the first-level cache while all columns pass by.
      for (std::int64_t block = first; block < last; block += 1024) {
        const std::int64_t end = std::min(last, block + 1024);
        if constexpr (!is_complex<T>) {
          add_columns(a + block, lda, end - block, n, x.data(), sum.data() + block);
          continue;
        }
        for (std::int64_t j = 0; j < n; ++j) {
          const T factor = x[static_cast<std::size_t>(j)];
          const T* column = a + j * lda;
          for (std::int64_t i = block; i < end; ++i) {
            sum[static_cast<std::size_t>(i)] += multiply(column[i], factor);
          }
        }
      }
    });
  }
  return sum;
}

}  // namespace softgpu::blas

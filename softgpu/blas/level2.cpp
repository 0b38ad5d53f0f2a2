// cuBLAS level 2. Full, band and packed storage share one kernel each: matrices.hpp gives all three
// contiguous columns.
#include <type_traits>
#include <vector>

#include "softgpu/blas/convert.hpp"
#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/matrices.hpp"
#include "softgpu/blas/pointers.hpp"

namespace softgpu::blas {
namespace {

using Index = std::int64_t;

template <class T>
Region vector_region(const char* name, const T* x, Index n, Index inc) {
  return {name, x, vector_bytes(n, inc, sizeof(T))};
}

template <class T>
cublasStatus_t gemv(const Call& call, cublasOperation_t op, Index m, Index n, const T* alpha,
                    const T* a, Index lda, const T* x, Index incx, const T* beta, T* y,
                    Index incy) {
  if (!call) return call.status();
  if (!is_operation(op) || m < 0 || n < 0 || lda < at_least_one(m) || incx == 0 || incy == 0 ||
      alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha), keep = call.scalar<T>(beta);
  const Index x_length = op == CUBLAS_OP_N ? n : m, y_length = op == CUBLAS_OP_N ? m : n;
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, Region{"A", a, matrix_bytes(m, n, lda, sizeof(T))},
                       vector_region("x", x, x_length, incx),
                       vector_region("y", y, y_length, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    std::vector<T> sum(static_cast<std::size_t>(y_length));
    if (factor.get() != T{}) {
      sum = general_product(op, m, n, a, lda, gather_vector(x_length, x, incx),
                            threads_for(static_cast<double>(m) * static_cast<double>(n)));
    }
    blend(factor.get(), sum, keep.get(), y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t gbmv(const Call& call, cublasOperation_t op, Index m, Index n, Index kl, Index ku,
                    const T* alpha, const T* a, Index lda, const T* x, Index incx, const T* beta,
                    T* y, Index incy) {
  if (!call) return call.status();
  if (!is_operation(op) || m < 0 || n < 0 || kl < 0 || ku < 0 || lda < 1 || kl > lda - 1 ||
      ku > lda - 1 - kl || incx == 0 || incy == 0 || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha), keep = call.scalar<T>(beta);
  const Index x_length = op == CUBLAS_OP_N ? n : m, y_length = op == CUBLAS_OP_N ? m : n;
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, Region{"A", a, matrix_bytes(kl + ku + 1, n, lda, sizeof(T))},
                       vector_region("x", x, x_length, incx),
                       vector_region("y", y, y_length, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    std::vector<T> sum(static_cast<std::size_t>(y_length));
    if (factor.get() != T{}) {
      const auto u = gather_vector(x_length, x, incx);
      for (Index j = 0; j < n; ++j) {
        // Element (i, j) is row ku + i - j of the band.
        const T* column = a + j * lda + ku - j;
        const Index first = std::max<Index>(0, j - ku), end = std::min(m, j + kl + 1);
        for (Index i = first; i < end; ++i) {
          if (op == CUBLAS_OP_N) {
            sum[static_cast<std::size_t>(i)] += multiply(column[i], u[static_cast<std::size_t>(j)]);
          } else {
            const T element = op == CUBLAS_OP_C ? conjugate(column[i]) : column[i];
            sum[static_cast<std::size_t>(j)] += multiply(element, u[static_cast<std::size_t>(i)]);
          }
        }
      }
    }
    blend(factor.get(), sum, keep.get(), y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t check_triangular(const Call& call, cublasFillMode_t uplo, cublasOperation_t op,
                                cublasDiagType_t diag, const Triangle<T>& a, Index incx) {
  if (!call) return call.status();
  const bool valid =
      is_triangle(uplo) && is_operation(op) && is_diagonal(diag) && a.valid() && incx != 0;
  return valid ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

// Writes contiguous elements back to where they came from.
template <class T>
void scatter_vector(const std::vector<T>& from, T* x, Index incx) {
  const auto n = static_cast<Index>(from.size());
  const Strided<T> u(n, x, incx);
  for (Index i = 0; i < n; ++i) u[i] = from[static_cast<std::size_t>(i)];
}

// x = op(A) x
template <class T>
cublasStatus_t triangular_mv(const Call& call, cublasFillMode_t uplo, cublasOperation_t op,
                             cublasDiagType_t diag, const Triangle<const T>& a, T* x, Index incx) {
  if (const auto status = check_triangular(call, uplo, op, diag, a, incx); status != 0)
    return status;
  if (a.n == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!all_reachable(function, Region{"A", a.data, a.bytes()},
                       vector_region("x", x, a.n, incx))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const auto old = gather_vector(a.n, x, incx);
    std::vector<T> sum(old.size());
    for (Index j = 0; j < a.n; ++j) {
      const T* column = a.column(j);
      const T factor = old[static_cast<std::size_t>(j)];
      T along{};  // column j of A times x: row j of the transposed product
      for (Index i = a.first(j); i <= a.last(j); ++i) {
        const auto at = static_cast<std::size_t>(i);
        T element = diag == CUBLAS_DIAG_UNIT && i == j ? T{1} : column[i];
        if (op == CUBLAS_OP_N) {
          sum[at] += multiply(element, factor);
        } else {
          if (op == CUBLAS_OP_C) element = conjugate(element);
          along += multiply(element, old[at]);
        }
      }
      if (op != CUBLAS_OP_N) sum[static_cast<std::size_t>(j)] = along;
    }
    scatter_vector(sum, x, incx);
    return CUBLAS_STATUS_SUCCESS;
  });
}

// Solves op(A) x = b in place.
template <class T>
cublasStatus_t triangular_sv(const Call& call, cublasFillMode_t uplo, cublasOperation_t op,
                             cublasDiagType_t diag, const Triangle<const T>& a, T* x, Index incx) {
  if (const auto status = check_triangular(call, uplo, op, diag, a, incx); status != 0)
    return status;
  if (a.n == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!all_reachable(function, Region{"A", a.data, a.bytes()},
                       vector_region("x", x, a.n, incx))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    auto u = gather_vector(a.n, x, incx);
    const bool unit = diag == CUBLAS_DIAG_UNIT;
    // The unknown that stands alone comes first: the last of an upper triangle, the first of a
    // lower one; transposition exchanges the two.
    const bool backwards = a.upper == (op == CUBLAS_OP_N);
    for (Index step = 0; step < a.n; ++step) {
      const Index j = backwards ? a.n - 1 - step : step;
      const auto at_j = static_cast<std::size_t>(j);
      const T* column = a.column(j);
      if (op == CUBLAS_OP_N) {
        if (!unit) u[at_j] /= column[j];
        for (Index i = a.first(j); i <= a.last(j); ++i) {
          if (i != j) u[static_cast<std::size_t>(i)] -= multiply(column[i], u[at_j]);
        }
      } else {
        const bool conjugated = op == CUBLAS_OP_C;
        T rest = u[at_j];
        for (Index i = a.first(j); i <= a.last(j); ++i) {
          if (i == j) continue;
          rest -= multiply(conjugated ? conjugate(column[i]) : column[i],
                           u[static_cast<std::size_t>(i)]);
        }
        if (!unit) rest /= conjugated ? conjugate(column[j]) : column[j];
        u[at_j] = rest;
      }
    }
    scatter_vector(u, x, incx);
    return CUBLAS_STATUS_SUCCESS;
  });
}

// The diagonal of a hermitian matrix is real: stored imaginary parts are not read.
template <bool kHermitian, class T>
T diagonal(T stored) {
  if constexpr (kHermitian && is_complex<T>) {
    return T(stored.real());
  } else {
    return stored;
  }
}
template <bool kHermitian, class T>
T mirrored(T stored) {
  if constexpr (kHermitian) {
    return conjugate(stored);
  } else {
    return stored;
  }
}

template <bool kHermitian, class T>
cublasStatus_t symmetric_mv(const Call& call, cublasFillMode_t uplo, const T* alpha,
                            const Triangle<const T>& a, const T* x, Index incx, const T* beta, T* y,
                            Index incy) {
  if (!call) return call.status();
  if (!is_triangle(uplo) || !a.valid() || incx == 0 || incy == 0 || alpha == nullptr ||
      beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (a.n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha), keep = call.scalar<T>(beta);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, Region{"A", a.data, a.bytes()}, vector_region("x", x, a.n, incx),
                       vector_region("y", y, a.n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    std::vector<T> sum(static_cast<std::size_t>(a.n));
    if (factor.get() != T{}) {
      const auto u = gather_vector(a.n, x, incx);
      for (Index j = 0; j < a.n; ++j) {
        const auto at_j = static_cast<std::size_t>(j);
        const T* column = a.column(j);
        T along = multiply(diagonal<kHermitian>(column[j]), u[at_j]);
        const Index first = a.upper ? a.first(j) : j + 1, end = a.upper ? j : a.last(j) + 1;
        for (Index i = first; i < end; ++i) {
          const auto at = static_cast<std::size_t>(i);
          sum[at] += multiply(column[i], u[at_j]);
          along += multiply(mirrored<kHermitian>(column[i]), u[at]);
        }
        sum[at_j] += along;
      }
    }
    blend(factor.get(), sum, keep.get(), y, incy);
    return CUBLAS_STATUS_SUCCESS;
  });
}

// A += alpha x y^T (or y^H)
template <bool kConjugated, class T>
cublasStatus_t ger(const Call& call, Index m, Index n, const T* alpha, const T* x, Index incx,
                   const T* y, Index incy, T* a, Index lda) {
  if (!call) return call.status();
  if (m < 0 || n < 0 || lda < at_least_one(m) || incx == 0 || incy == 0 || alpha == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") ||
        !all_reachable(function, Region{"A", a, matrix_bytes(m, n, lda, sizeof(T))},
                       vector_region("x", x, m, incx), vector_region("y", y, n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    if (factor.get() == T{}) return CUBLAS_STATUS_SUCCESS;
    const auto u = gather_vector(m, x, incx), v = gather_vector(n, y, incy);
    parallel_for(n, threads_for(static_cast<double>(m) * static_cast<double>(n)),
                 [&](Index first, Index last) {
                   for (Index j = first; j < last; ++j) {
                     const T other = v[static_cast<std::size_t>(j)];
                     const T scale = multiply(factor.get(), kConjugated ? conjugate(other) : other);
                     T* column = a + j * lda;
                     for (Index i = 0; i < m; ++i) {
                       column[i] += multiply(u[static_cast<std::size_t>(i)], scale);
                     }
                   }
                 });
    return CUBLAS_STATUS_SUCCESS;
  });
}

// A += alpha x x^T (or x^H, alpha real), in one triangle.
template <bool kHermitian, class T, class S>
cublasStatus_t rank1(const Call& call, cublasFillMode_t uplo, const S* alpha, const T* x,
                     Index incx, const Triangle<T>& a) {
  if (!call) return call.status();
  if (!is_triangle(uplo) || !a.valid() || incx == 0 || alpha == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (a.n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<S>(alpha);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") ||
        !all_reachable(function, Region{"A", a.data, a.bytes()},
                       vector_region("x", x, a.n, incx))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    if (factor.get() == S{}) return CUBLAS_STATUS_SUCCESS;
    const auto u = gather_vector(a.n, x, incx);
    for (Index j = 0; j < a.n; ++j) {
      T* column = a.column(j);
      const T scale = times(factor.get(), mirrored<kHermitian>(u[static_cast<std::size_t>(j)]));
      for (Index i = a.first(j); i <= a.last(j); ++i) {
        column[i] += multiply(u[static_cast<std::size_t>(i)], scale);
      }
      column[j] = diagonal<kHermitian>(column[j]);
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

// A += alpha x y^T + alpha y x^T, or alpha x y^H + conj(alpha) y x^H, in one triangle.
template <bool kHermitian, class T>
cublasStatus_t rank2(const Call& call, cublasFillMode_t uplo, const T* alpha, const T* x,
                     Index incx, const T* y, Index incy, const Triangle<T>& a) {
  if (!call) return call.status();
  if (!is_triangle(uplo) || !a.valid() || incx == 0 || incy == 0 || alpha == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (a.n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") ||
        !all_reachable(function, Region{"A", a.data, a.bytes()}, vector_region("x", x, a.n, incx),
                       vector_region("y", y, a.n, incy))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    if (factor.get() == T{}) return CUBLAS_STATUS_SUCCESS;
    const auto u = gather_vector(a.n, x, incx), v = gather_vector(a.n, y, incy);
    for (Index j = 0; j < a.n; ++j) {
      T* column = a.column(j);
      const auto at_j = static_cast<std::size_t>(j);
      const T by_y = multiply(factor.get(), mirrored<kHermitian>(v[at_j]));
      const T by_x = multiply(mirrored<kHermitian>(factor.get()), mirrored<kHermitian>(u[at_j]));
      for (Index i = a.first(j); i <= a.last(j); ++i) {
        const auto at = static_cast<std::size_t>(i);
        column[i] += multiply(u[at], by_y) + multiply(v[at], by_x);
      }
      column[j] = diagonal<kHermitian>(column[j]);
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

// --- batches ------------------------------------------------------------------------------------

// The data type behind an element type of the interface.
template <class T>
constexpr cudaDataType data_type() {
  if constexpr (std::is_same_v<T, __half>) {
    return CUDA_R_16F;
  } else if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return CUDA_R_16BF;
  } else if constexpr (std::is_same_v<T, float>) {
    return CUDA_R_32F;
  } else if constexpr (std::is_same_v<T, double>) {
    return CUDA_R_64F;
  } else if constexpr (std::is_same_v<T, cuComplex>) {
    return CUDA_C_32F;
  } else {
    return CUDA_C_64F;
  }
}

template <class T>
using Stored =
    std::conditional_t<std::is_same_v<T, __half>, Half,
                       std::conditional_t<std::is_same_v<T, __nv_bfloat16>, BFloat16, T>>;

template <class T>
inline constexpr std::integral_constant<cudaDataType, data_type<T>()> tag{};

// E: what is computed in, the type of the scalars.
template <class E>
cublasStatus_t gemv_batched(const Call& call, cublasOperation_t op, Index m, Index n,
                            const E* alpha, const Pointers& as_, Index lda, const Pointers& xs,
                            Index incx, const E* beta, const Pointers& ys, Index incy, Index batch,
                            cudaDataType type, cudaDataType y_type) {
  if (!call) return call.status();
  if (!is_operation(op) || m < 0 || n < 0 || lda < at_least_one(m) || incx == 0 || incy == 0 ||
      batch < 0 || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<E>(alpha), keep = call.scalar<E>(beta);
  const Index x_length = op == CUBLAS_OP_N ? n : m, y_length = op == CUBLAS_OP_N ? m : n;
  const Pointers a_list = as_, x_list = xs, y_list = ys;
  return call.submit([=, function = call.function()] {
    const std::size_t bytes = element_bytes(type), y_bytes = element_bytes(y_type);
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !a_list.reachable_all(function, "A", batch, matrix_bytes(m, n, lda, bytes)) ||
        !x_list.reachable_all(function, "x", batch, vector_bytes(x_length, incx, bytes)) ||
        !y_list.reachable_all(function, "y", batch, vector_bytes(y_length, incy, y_bytes))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const double work =
        static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(batch);
    const auto start = [](const void* base, Index count, Index inc, std::size_t element) {
      return static_cast<const char*>(base) +
             (inc < 0 ? (1 - count) * inc * static_cast<Index>(element) : 0);
    };
    parallel_for(batch, threads_for(work), [&](Index first, Index last) {
      std::vector<E> column(static_cast<std::size_t>(m)), x(static_cast<std::size_t>(x_length));
      std::vector<E> y(static_cast<std::size_t>(y_length)), sum(static_cast<std::size_t>(y_length));
      for (Index b = first; b < last; ++b) {
        const char* a = static_cast<const char*>(a_list.at(b));
        load(type, start(x_list.at(b), x_length, incx, bytes), incx, x_length, x.data());
        std::fill(sum.begin(), sum.end(), E{});
        for (Index j = 0; j < n && factor.get() != E{}; ++j) {
          load(type, a + j * lda * static_cast<Index>(bytes), 1, m, column.data());
          if (op == CUBLAS_OP_N) {
            for (std::size_t i = 0; i < column.size(); ++i) {
              sum[i] += multiply(column[i], x[static_cast<std::size_t>(j)]);
            }
          } else {
            sum[static_cast<std::size_t>(j)] = op == CUBLAS_OP_C
                                                   ? dot_lanes<true>(m, column.data(), x.data())
                                                   : dot_lanes<false>(m, column.data(), x.data());
          }
        }
        char* target = const_cast<char*>(start(y_list.at(b), y_length, incy, y_bytes));
        if (keep.get() != E{}) load(y_type, target, incy, y_length, y.data());
        blend(factor.get(), sum, keep.get(), y.data(), 1);
        store(y_type, target, incy, y_length, y.data());
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_level2.def"
}

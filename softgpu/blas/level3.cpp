// cuBLAS level 3 besides general products (gemm.cpp), and geam, dgmm, packing.
#include <vector>

#include "softgpu/blas/backend.hpp"
#include "softgpu/blas/convert.hpp"
#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/matrices.hpp"
#include "softgpu/blas/pointers.hpp"

namespace softgpu::blas {
namespace {

using Index = std::int64_t;

template <class T>
Region matrix_region(const char* name, const T* a, Index rows, Index columns, Index ld) {
  return {name, a, matrix_bytes(rows, columns, ld, sizeof(T))};
}

template <class T>
int threads_of(Index m, Index n, Index k) {
  // Complex multiply-adds are four real ones; one core does some 30 float multiply-adds per ns.
  const double weight = (is_complex<T> ? 4.0 : 1.0) * (sizeof(Real<T>) / 4.0) / 16.0;
  return threads_for(static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) *
                     weight);
}

template <class T>
cublasStatus_t symmetric_mm(const Call& call, bool hermitian, cublasSideMode_t side,
                            cublasFillMode_t uplo, Index m, Index n, const T* alpha, const T* a,
                            Index lda, const T* b, Index ldb, const T* beta, T* c, Index ldc) {
  if (!call) return call.status();
  const Index order = side == CUBLAS_SIDE_LEFT ? m : n;
  if (!is_side(side) || !is_triangle(uplo) || m < 0 || n < 0 || lda < at_least_one(order) ||
      ldb < at_least_one(m) || ldc < at_least_one(m) || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha), keep = call.scalar<T>(beta);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, matrix_region("A", a, order, order, lda),
                       matrix_region("B", b, m, n, ldb), matrix_region("C", c, m, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    symm<T>(hermitian, side, uplo, m, n, factor.get(), column_major(a, lda), column_major(b, ldb),
            keep.get(), column_major(c, ldc), threads_of<T>(m, n, order));
    return CUBLAS_STATUS_SUCCESS;
  });
}

// The operation that a rank update allows besides N, and what turns its factor into the other side.
template <bool kHermitian, class T>
bool is_rank_operation(cublasOperation_t op) {
  if (op == CUBLAS_OP_N) return true;
  if (!is_complex<T>) return op == CUBLAS_OP_T || op == CUBLAS_OP_C;
  return op == (kHermitian ? CUBLAS_OP_C : CUBLAS_OP_T);
}

// A hermitian result's diagonal is real; what is stored in its imaginary parts is not read.
template <class T>
void clear_diagonal(Index n, T* c, Index ldc) {
  if constexpr (is_complex<T>) {
    for (Index i = 0; i < n; ++i) c[i + i * ldc] = T(c[i + i * ldc].real());
  }
}

// C = alpha op(A) op(B)' + beta C in one triangle, ' the transpose or conjugate transpose.
template <bool kHermitian, class T>
void rank_product(cublasFillMode_t uplo, cublasOperation_t op, Index n, Index k, T alpha,
                  const T* a, Index lda, const T* b, Index ldb, T beta, T* c, Index ldc) {
  const cublasOperation_t flip = kHermitian ? CUBLAS_OP_C : CUBLAS_OP_T;
  const bool plain = op == CUBLAS_OP_N;
  gemm_triangle<T>(uplo, plain ? CUBLAS_OP_N : flip, plain ? flip : CUBLAS_OP_N, n, k, alpha,
                   column_major(a, lda), column_major(b, ldb), beta, column_major(c, ldc),
                   threads_of<T>(n, n, k));
}

template <bool kHermitian, class T, class S>
cublasStatus_t rank_k(const Call& call, cublasFillMode_t uplo, cublasOperation_t op, Index n,
                      Index k, const S* alpha, const T* a, Index lda, const S* beta, T* c,
                      Index ldc) {
  if (!call) return call.status();
  const Index rows = op == CUBLAS_OP_N ? n : k, columns = op == CUBLAS_OP_N ? k : n;
  if (!is_triangle(uplo) || !is_rank_operation<kHermitian, T>(op) || n < 0 || k < 0 ||
      lda < at_least_one(rows) || ldc < at_least_one(n) || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<S>(alpha), keep = call.scalar<S>(beta);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, matrix_region("A", a, rows, columns, lda),
                       matrix_region("C", c, n, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const T scale = T(factor.get()), kept = T(keep.get());
    if ((k == 0 || scale == T{}) && kept == T{1}) return CUBLAS_STATUS_SUCCESS;
    if (kHermitian && kept != T{}) clear_diagonal(n, c, ldc);
    rank_product<kHermitian>(uplo, op, n, k, scale, a, lda, a, lda, kept, c, ldc);
    if (kHermitian) clear_diagonal(n, c, ldc);
    return CUBLAS_STATUS_SUCCESS;
  });
}

// Both sides (syr2k, her2k): C = alpha A B' + (conj) alpha B A' + beta C; one (syrkx, herkx):
// C = alpha A B' + beta C, which the caller knows to be symmetric or hermitian.
template <bool kHermitian, class T, class S>
cublasStatus_t rank_2k(const Call& call, bool both, cublasFillMode_t uplo, cublasOperation_t op,
                       Index n, Index k, const T* alpha, const T* a, Index lda, const T* b,
                       Index ldb, const S* beta, T* c, Index ldc) {
  if (!call) return call.status();
  const Index rows = op == CUBLAS_OP_N ? n : k, columns = op == CUBLAS_OP_N ? k : n;
  if (!is_triangle(uplo) || !is_rank_operation<kHermitian, T>(op) || n < 0 || k < 0 ||
      lda < at_least_one(rows) || ldb < at_least_one(rows) || ldc < at_least_one(n) ||
      alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha);
  const auto keep = call.scalar<S>(beta);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, matrix_region("A", a, rows, columns, lda),
                       matrix_region("B", b, rows, columns, ldb),
                       matrix_region("C", c, n, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const T scale = factor.get(), kept = T(keep.get());
    if ((k == 0 || scale == T{}) && kept == T{1}) return CUBLAS_STATUS_SUCCESS;
    if (kHermitian && kept != T{}) clear_diagonal(n, c, ldc);
    rank_product<kHermitian>(uplo, op, n, k, scale, a, lda, b, ldb, kept, c, ldc);
    if (both) {
      // For op N the second term is conj(alpha) B A^H; for op C, conj(alpha) B^H A: the roles of A
      // and B exchanged either way.
      rank_product<kHermitian>(uplo, op, n, k, kHermitian ? conjugate(scale) : scale, b, ldb, a,
                               lda, T{1}, c, ldc);
    }
    if (kHermitian) clear_diagonal(n, c, ldc);
    return CUBLAS_STATUS_SUCCESS;
  });
}

// C in cfloat; A in cfloat or pairs of 8-bit integers.
template <bool kHermitian, class S>
cublasStatus_t rank_k_ex(const Call& call, cublasFillMode_t uplo, cublasOperation_t op, Index n,
                         Index k, const S* alpha, const void* a, cudaDataType a_type, Index lda,
                         const S* beta, void* c, cudaDataType c_type, Index ldc) {
  if (!call) return call.status();
  if (c_type != CUDA_C_32F || (a_type != CUDA_C_32F && a_type != CUDA_C_8I)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  auto* target = static_cast<cfloat*>(c);
  if (a_type == CUDA_C_32F) {
    return rank_k<kHermitian>(call, uplo, op, n, k, alpha, static_cast<const cfloat*>(a), lda, beta,
                              target, ldc);
  }
  const Index rows = op == CUBLAS_OP_N ? n : k, columns = op == CUBLAS_OP_N ? k : n;
  if (!is_triangle(uplo) || !is_rank_operation<kHermitian, cfloat>(op) || n < 0 || k < 0 ||
      lda < at_least_one(rows) || ldc < at_least_one(n) || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<S>(alpha), keep = call.scalar<S>(beta);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") || !keep.reachable_by(function, "beta") ||
        !all_reachable(function, Region{"A", a, matrix_bytes(rows, columns, lda, 2)},
                       matrix_region("C", target, n, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const cfloat kept = cfloat(keep.get());
    std::vector<cfloat> wide(static_cast<std::size_t>(rows * columns));
    for (Index j = 0; j < columns; ++j) {
      load(a_type, static_cast<const char*>(a) + 2 * j * lda, 1, rows, wide.data() + j * rows);
    }
    if (kHermitian && kept != cfloat{}) clear_diagonal(n, target, ldc);
    const Index ld = at_least_one(rows);
    rank_product<kHermitian>(uplo, op, n, k, cfloat(factor.get()),
                             static_cast<const cfloat*>(wide.data()), ld,
                             static_cast<const cfloat*>(wide.data()), ld, kept, target, ldc);
    if (kHermitian) clear_diagonal(n, target, ldc);
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t triangular_mm(const Call& call, cublasSideMode_t side, cublasFillMode_t uplo,
                             cublasOperation_t op, cublasDiagType_t diag, Index m, Index n,
                             const T* alpha, const T* a, Index lda, const T* b, Index ldb, T* c,
                             Index ldc) {
  if (!call) return call.status();
  const Index order = side == CUBLAS_SIDE_LEFT ? m : n;
  if (!is_side(side) || !is_triangle(uplo) || !is_operation(op) || !is_diagonal(diag) || m < 0 ||
      n < 0 || lda < at_least_one(order) || ldb < at_least_one(m) || ldc < at_least_one(m) ||
      alpha == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // In place is allowed only as one and the same matrix.
  if (b == c && ldb != ldc) return CUBLAS_STATUS_INVALID_VALUE;
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") ||
        !all_reachable(function, matrix_region("A", a, order, order, lda),
                       matrix_region("B", b, m, n, ldb), matrix_region("C", c, m, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const T scale = factor.get();
    for (Index j = 0; j < n; ++j) {
      if (scale == T{}) {
        std::fill_n(c + j * ldc, m, T{});
      } else if (b != c) {
        std::copy_n(b + j * ldb, m, c + j * ldc);
      }
    }
    if (scale != T{}) {
      trmm<T>(side, uplo, op, diag, m, n, scale, column_major(a, lda), column_major(c, ldc),
              threads_of<T>(m, n, order));
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t triangular_sm(const Call& call, cublasSideMode_t side, cublasFillMode_t uplo,
                             cublasOperation_t op, cublasDiagType_t diag, Index m, Index n,
                             const T* alpha, const Pointers& a, Index lda, const Pointers& b,
                             Index ldb, Index batch) {
  if (!call) return call.status();
  const Index order = side == CUBLAS_SIDE_LEFT ? m : n;
  if (!is_side(side) || !is_triangle(uplo) || !is_operation(op) || !is_diagonal(diag) || m < 0 ||
      n < 0 || lda < at_least_one(order) || ldb < at_least_one(m) || batch < 0 ||
      alpha == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor = call.scalar<T>(alpha);
  return call.submit([=, function = call.function()] {
    if (!factor.reachable_by(function, "alpha") ||
        !a.reachable_all(function, "A", batch, matrix_bytes(order, order, lda, sizeof(T))) ||
        !b.reachable_all(function, "B", batch, matrix_bytes(m, n, ldb, sizeof(T)))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const T scale = factor.get();
    const auto solve = [&](Index i, int threads) {
      T* x = b.as<T>(i);
      if (scale == T{}) {
        for (Index j = 0; j < n; ++j) std::fill_n(x + j * ldb, m, T{});
        return;
      }
      trsm<T>(side, uplo, op, diag, m, n, scale, column_major<const T>(a.as<T>(i), lda),
              column_major(x, ldb), threads);
    };
    if (batch == 1) {
      solve(0, threads_of<T>(m, n, order));
    } else {
      parallel_for(batch, threads_of<T>(m * n, order, batch), [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) solve(i, 1);
      });
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

// C = alpha op(A) + beta op(B). A scalar of zero does not read its matrix, which may be null.
template <class T>
cublasStatus_t geam(const Call& call, cublasOperation_t op_a, cublasOperation_t op_b, Index m,
                    Index n, const T* alpha, const T* a, Index lda, const T* beta, const T* b,
                    Index ldb, T* c, Index ldc) {
  if (!call) return call.status();
  const Index a_rows = op_a == CUBLAS_OP_N ? m : n, b_rows = op_b == CUBLAS_OP_N ? m : n;
  if (!is_operation(op_a) || !is_operation(op_b) || m < 0 || n < 0 || lda < at_least_one(a_rows) ||
      ldb < at_least_one(b_rows) || ldc < at_least_one(m) || alpha == nullptr || beta == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  // In place needs the very same layout.
  if ((c == a && (op_a != CUBLAS_OP_N || lda != ldc)) ||
      (c == b && (op_b != CUBLAS_OP_N || ldb != ldc))) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto factor_a = call.scalar<T>(alpha), factor_b = call.scalar<T>(beta);
  return call.submit([=, function = call.function()] {
    if (!factor_a.reachable_by(function, "alpha") || !factor_b.reachable_by(function, "beta")) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const T by_a = factor_a.get(), by_b = factor_b.get();
    if ((by_a != T{} && !reachable(function, matrix_region("A", a, a_rows, m + n - a_rows, lda))) ||
        (by_b != T{} && !reachable(function, matrix_region("B", b, b_rows, m + n - b_rows, ldb))) ||
        !reachable(function, matrix_region("C", c, m, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const auto element = [](cublasOperation_t op, const T* from, Index ld, Index i, Index j) {
      if (op == CUBLAS_OP_N) return from[i + j * ld];
      return op == CUBLAS_OP_C ? conjugate(from[j + i * ld]) : from[j + i * ld];
    };
    // Tiles, so that a transposed operand is read a cache line at a time.
    constexpr Index kTile = 32;
    const Index tiles = (n + kTile - 1) / kTile;
    const int threads = threads_for(2.0 * static_cast<double>(m) * static_cast<double>(n));
    parallel_for(tiles, threads, [&](Index first, Index last) {
      for (Index tile = first; tile < last; ++tile) {
        const Index end_j = std::min(n, (tile + 1) * kTile);
        for (Index i0 = 0; i0 < m; i0 += kTile) {
          const Index end_i = std::min(m, i0 + kTile);
          for (Index j = tile * kTile; j < end_j; ++j) {
            for (Index i = i0; i < end_i; ++i) {
              T sum{};
              if (by_a != T{}) sum = multiply(by_a, element(op_a, a, lda, i, j));
              if (by_b != T{}) {
                const T part = multiply(by_b, element(op_b, b, ldb, i, j));
                sum = by_a != T{} ? sum + part : part;
              }
              c[i + j * ldc] = sum;
            }
          }
        }
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

// C = diag(x) A (side left) or A diag(x).
template <class T>
cublasStatus_t dgmm(const Call& call, cublasSideMode_t side, Index m, Index n, const T* a,
                    Index lda, const T* x, Index incx, T* c, Index ldc) {
  if (!call) return call.status();
  if (!is_side(side) || m < 0 || n < 0 || lda < at_least_one(m) || ldc < at_least_one(m)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (c == a && lda != ldc) return CUBLAS_STATUS_INVALID_VALUE;
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const Index length = side == CUBLAS_SIDE_LEFT ? m : n;
  return call.submit([=, function = call.function()] {
    if (!all_reachable(function, matrix_region("A", a, m, n, lda),
                       Region{"x", x, vector_bytes(length, incx, sizeof(T))},
                       matrix_region("C", c, m, n, ldc))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const auto d = gather_vector(length, x, incx);
    parallel_for(n, threads_for(static_cast<double>(m) * static_cast<double>(n)),
                 [&](Index first, Index last) {
                   for (Index j = first; j < last; ++j) {
                     for (Index i = 0; i < m; ++i) {
                       const auto at = static_cast<std::size_t>(side == CUBLAS_SIDE_LEFT ? i : j);
                       c[i + j * ldc] = multiply(a[i + j * lda], d[at]);
                     }
                   }
                 });
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t copy_triangle(const Call& call, cublasFillMode_t uplo, const Triangle<const T>& from,
                             const Triangle<T>& to) {
  if (!call) return call.status();
  if (!is_triangle(uplo) || !from.valid() || !to.valid()) return CUBLAS_STATUS_INVALID_VALUE;
  return call.submit([=, function = call.function()] {
    if (!all_reachable(function, Region{"A", from.data, from.bytes()},
                       Region{"result", to.data, to.bytes()})) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    for (Index j = 0; j < from.n; ++j) {
      for (Index i = from.first(j); i <= from.last(j); ++i) to.column(j)[i] = from.column(j)[i];
    }
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t unpack(const Call& call, cublasFillMode_t uplo, Index n, const T* ap, T* a,
                      Index lda) {
  return copy_triangle(call, uplo, packed(uplo, n, ap), full(uplo, n, a, lda));
}

template <class T>
cublasStatus_t pack(const Call& call, cublasFillMode_t uplo, Index n, const T* a, Index lda,
                    T* ap) {
  return copy_triangle(call, uplo, full(uplo, n, a, lda), packed(uplo, n, ap));
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_level3.def"
}

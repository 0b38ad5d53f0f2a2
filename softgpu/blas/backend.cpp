#include "softgpu/blas/backend.hpp"

#include <blis.h>

#include <algorithm>

#include "softgpu/blas/library.hpp"

namespace softgpu::blas {
namespace {

// The types of BLIS's typed interface with the layout of ours.
template <class T>
struct Blis {
  using type = T;
};
template <>
struct Blis<cfloat> {
  using type = scomplex;
};
template <>
struct Blis<cdouble> {
  using type = dcomplex;
};

template <class T>
auto* blis(T* p) {
  return reinterpret_cast<typename Blis<T>::type*>(p);
}
// BLIS takes all addresses as mutable and does not write to factors.
template <class T>
auto* blis(const T* p) {
  return blis(const_cast<T*>(p));
}

trans_t blis(cublasOperation_t op) {
  return op == CUBLAS_OP_N   ? BLIS_NO_TRANSPOSE
         : op == CUBLAS_OP_T ? BLIS_TRANSPOSE
                             : BLIS_CONJ_TRANSPOSE;
}
uplo_t blis(cublasFillMode_t uplo) {
  return uplo == CUBLAS_FILL_MODE_UPPER ? BLIS_UPPER : BLIS_LOWER;
}
side_t blis(cublasSideMode_t side) { return side == CUBLAS_SIDE_LEFT ? BLIS_LEFT : BLIS_RIGHT; }
diag_t blis(cublasDiagType_t diag) {
  return diag == CUBLAS_DIAG_UNIT ? BLIS_UNIT_DIAG : BLIS_NONUNIT_DIAG;
}

// The first call turns BLIS's own checks off: arguments are checked by the caller, and BLIS would
// end the process where it finds a fault. BLIS runs on the calling thread alone.
class OneThread {
 public:
  OneThread() {
    [[maybe_unused]] static const bool once = [] {
      bli_init();
      bli_error_checking_level_set(BLIS_NO_ERROR_CHECKING);
      return true;
    }();
    bli_rntm_init(&runtime_);
    bli_rntm_set_num_threads(1, &runtime_);
  }
  rntm_t* get() { return &runtime_; }

 private:
  rntm_t runtime_;
};

// Calls body(first, count) on panels of [0, extent), whose bounds follow from the sizes alone: a
// result has the same bits on any number of threads. A panel is wide enough that packing the other
// factor again for each costs a few hundredths.
template <class Body>
void over_panels(std::int64_t extent, double work, int threads, const Body& body) {
  constexpr std::int64_t kLeast = 128, kMost = 64, kStep = 48;
  constexpr double kWorthSplitting = 4e6;
  std::int64_t width = extent;
  if (work >= kWorthSplitting && extent >= 2 * kLeast) {
    width = std::max(kLeast, (extent + kMost - 1) / kMost);
    width = (width + kStep - 1) / kStep * kStep;  // whole micro-tiles of every type
  }
  const std::int64_t panels = width > 0 ? (extent + width - 1) / width : 0;
  parallel_parts(panels, threads, [&](std::int64_t panel) {
    const std::int64_t first = panel * width;
    body(first, std::min(width, extent - first));
  });
}

double volume(std::int64_t m, std::int64_t n, std::int64_t k) {
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

// The part of a matrix that starts at row i and column j.
template <class T>
Matrix<T> from(const Matrix<T>& a, std::int64_t i, std::int64_t j) {
  return {a.data + i * a.row_stride + j * a.column_stride, a.row_stride, a.column_stride};
}
// The rows of op(A) from row i on (for op(B), its columns from column j on).
template <class T>
Matrix<T> rows_from(const Matrix<T>& a, cublasOperation_t op, std::int64_t i) {
  return op == CUBLAS_OP_N ? from(a, i, 0) : from(a, 0, i);
}
template <class T>
Matrix<T> columns_from(const Matrix<T>& b, cublasOperation_t op, std::int64_t j) {
  return op == CUBLAS_OP_N ? from(b, 0, j) : from(b, j, 0);
}

}  // namespace

// One overload for each type: BLIS's names carry the type.
#define SOFTGPU_CALL(function)                           \
  template <class... A>                                  \
  static void call_##function(float, A... arguments) {   \
    bli_s##function##_ex(arguments...);                  \
  }                                                      \
  template <class... A>                                  \
  static void call_##function(double, A... arguments) {  \
    bli_d##function##_ex(arguments...);                  \
  }                                                      \
  template <class... A>                                  \
  static void call_##function(cfloat, A... arguments) {  \
    bli_c##function##_ex(arguments...);                  \
  }                                                      \
  template <class... A>                                  \
  static void call_##function(cdouble, A... arguments) { \
    bli_z##function##_ex(arguments...);                  \
  }
SOFTGPU_CALL(gemm)
SOFTGPU_CALL(gemmt)
SOFTGPU_CALL(symm)
SOFTGPU_CALL(hemm)
SOFTGPU_CALL(trmm)
SOFTGPU_CALL(trsm)
#undef SOFTGPU_CALL

template <class T>
static void gemm_alone(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
                       std::int64_t n, std::int64_t k, T alpha, Matrix<const T> a,
                       Matrix<const T> b, T beta, Matrix<T> c) {
  OneThread runtime;
  call_gemm(T{}, blis(op_a), blis(op_b), m, n, k, blis(&alpha), blis(a.data), a.row_stride,
            a.column_stride, blis(b.data), b.row_stride, b.column_stride, blis(&beta), blis(c.data),
            c.row_stride, c.column_stride, nullptr, runtime.get());
}

template <class T>
void gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
          std::int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b, T beta, Matrix<T> c,
          int threads) {
  if (n >= m) {
    over_panels(n, volume(m, n, k), threads, [&](std::int64_t first, std::int64_t count) {
      gemm_alone<T>(op_a, op_b, m, count, k, alpha, a, columns_from(b, op_b, first), beta,
                    from(c, 0, first));
    });
  } else {
    over_panels(m, volume(m, n, k), threads, [&](std::int64_t first, std::int64_t count) {
      gemm_alone<T>(op_a, op_b, count, n, k, alpha, rows_from(a, op_a, first), b, beta,
                    from(c, first, 0));
    });
  }
}

template <class T>
void gemm_triangle(cublasFillMode_t uplo, cublasOperation_t op_a, cublasOperation_t op_b,
                   std::int64_t n, std::int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b,
                   T beta, Matrix<T> c, int threads) {
  over_panels(n, volume(n, n, k) / 2, threads, [&](std::int64_t first, std::int64_t count) {
    // A panel of columns: its square on the diagonal, and the rectangle above or below that.
    const bool upper = uplo == CUBLAS_FILL_MODE_UPPER;
    const std::int64_t start = upper ? 0 : first + count;
    const std::int64_t rows = upper ? first : n - start;
    const auto right = columns_from(b, op_b, first);
    OneThread runtime;
    const auto left = rows_from(a, op_a, first);
    const auto square = from(c, first, first);
    call_gemmt(T{}, blis(uplo), blis(op_a), blis(op_b), count, k, blis(&alpha), blis(left.data),
               left.row_stride, left.column_stride, blis(right.data), right.row_stride,
               right.column_stride, blis(&beta), blis(square.data), square.row_stride,
               square.column_stride, nullptr, runtime.get());
    if (rows > 0) {
      gemm_alone<T>(op_a, op_b, rows, count, k, alpha, rows_from(a, op_a, start), right, beta,
                    from(c, start, first));
    }
  });
}

// Calls body(first, count) on the columns of what stands right of a square factor, or on the rows
// of what stands left of it: those are independent.
template <class Body>
static void beside_square(cublasSideMode_t side, std::int64_t m, std::int64_t n, int threads,
                          const Body& body) {
  const bool left = side == CUBLAS_SIDE_LEFT;
  over_panels(left ? n : m, volume(m, n, left ? m : n), threads, body);
}

template <class T>
void symm(bool hermitian, cublasSideMode_t side, cublasFillMode_t uplo, std::int64_t m,
          std::int64_t n, T alpha, Matrix<const T> a, Matrix<const T> b, T beta, Matrix<T> c,
          int threads) {
  beside_square(side, m, n, threads, [&](std::int64_t first, std::int64_t count) {
    const bool left = side == CUBLAS_SIDE_LEFT;
    const auto factor = left ? from(b, 0, first) : from(b, first, 0);
    const auto result = left ? from(c, 0, first) : from(c, first, 0);
    OneThread runtime;
    const auto run = [&](auto function) {
      function(T{}, blis(side), blis(uplo), BLIS_NO_CONJUGATE, BLIS_NO_TRANSPOSE, left ? m : count,
               left ? count : n, blis(&alpha), blis(a.data), a.row_stride, a.column_stride,
               blis(factor.data), factor.row_stride, factor.column_stride, blis(&beta),
               blis(result.data), result.row_stride, result.column_stride, nullptr, runtime.get());
    };
    if (hermitian) {
      run([](auto... arguments) { call_hemm(arguments...); });
    } else {
      run([](auto... arguments) { call_symm(arguments...); });
    }
  });
}

template <class T>
void trmm(cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag,
          std::int64_t m, std::int64_t n, T alpha, Matrix<const T> a, Matrix<T> b, int threads) {
  beside_square(side, m, n, threads, [&](std::int64_t first, std::int64_t count) {
    const bool left = side == CUBLAS_SIDE_LEFT;
    const auto part = left ? from(b, 0, first) : from(b, first, 0);
    OneThread runtime;
    call_trmm(T{}, blis(side), blis(uplo), blis(op), blis(diag), left ? m : count, left ? count : n,
              blis(&alpha), blis(a.data), a.row_stride, a.column_stride, blis(part.data),
              part.row_stride, part.column_stride, nullptr, runtime.get());
  });
}

template <class T>
void trsm(cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag,
          std::int64_t m, std::int64_t n, T alpha, Matrix<const T> a, Matrix<T> b, int threads) {
  beside_square(side, m, n, threads, [&](std::int64_t first, std::int64_t count) {
    const bool left = side == CUBLAS_SIDE_LEFT;
    const auto part = left ? from(b, 0, first) : from(b, first, 0);
    OneThread runtime;
    call_trsm(T{}, blis(side), blis(uplo), blis(op), blis(diag), left ? m : count, left ? count : n,
              blis(&alpha), blis(a.data), a.row_stride, a.column_stride, blis(part.data),
              part.row_stride, part.column_stride, nullptr, runtime.get());
  });
}

#define SOFTGPU_INSTANTIATE(T)                                                                    \
  template void gemm<T>(cublasOperation_t, cublasOperation_t, std::int64_t, std::int64_t,         \
                        std::int64_t, T, Matrix<const T>, Matrix<const T>, T, Matrix<T>, int);    \
  template void gemm_triangle<T>(cublasFillMode_t, cublasOperation_t, cublasOperation_t,          \
                                 std::int64_t, std::int64_t, T, Matrix<const T>, Matrix<const T>, \
                                 T, Matrix<T>, int);                                              \
  template void symm<T>(bool, cublasSideMode_t, cublasFillMode_t, std::int64_t, std::int64_t, T,  \
                        Matrix<const T>, Matrix<const T>, T, Matrix<T>, int);                     \
  template void trmm<T>(cublasSideMode_t, cublasFillMode_t, cublasOperation_t, cublasDiagType_t,  \
                        std::int64_t, std::int64_t, T, Matrix<const T>, Matrix<T>, int);          \
  template void trsm<T>(cublasSideMode_t, cublasFillMode_t, cublasOperation_t, cublasDiagType_t,  \
                        std::int64_t, std::int64_t, T, Matrix<const T>, Matrix<T>, int);
SOFTGPU_INSTANTIATE(float)
SOFTGPU_INSTANTIATE(double)
SOFTGPU_INSTANTIATE(cfloat)
SOFTGPU_INSTANTIATE(cdouble)
#undef SOFTGPU_INSTANTIATE

}  // namespace softgpu::blas

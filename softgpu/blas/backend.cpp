#include "softgpu/blas/backend.hpp"

#include <blis.h>

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

// Threads of one call. The first call also turns BLIS's own checks off: arguments are checked by
// the caller, and BLIS would end the process where it finds a fault.
class Threads {
 public:
  explicit Threads(int count) {
    [[maybe_unused]] static const bool once = [] {
      bli_init();
      bli_error_checking_level_set(BLIS_NO_ERROR_CHECKING);
      return true;
    }();
    bli_rntm_init(&runtime_);
    bli_rntm_set_num_threads(count, &runtime_);
  }
  rntm_t* get() { return &runtime_; }

 private:
  rntm_t runtime_;
};

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
void gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
          std::int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b, T beta, Matrix<T> c,
          int threads) {
  Threads runtime(threads);
  call_gemm(T{}, blis(op_a), blis(op_b), m, n, k, blis(&alpha), blis(a.data), a.row_stride,
            a.column_stride, blis(b.data), b.row_stride, b.column_stride, blis(&beta), blis(c.data),
            c.row_stride, c.column_stride, nullptr, runtime.get());
}

template <class T>
void gemm_triangle(cublasFillMode_t uplo, cublasOperation_t op_a, cublasOperation_t op_b,
                   std::int64_t n, std::int64_t k, T alpha, Matrix<const T> a, Matrix<const T> b,
                   T beta, Matrix<T> c, int threads) {
  Threads runtime(threads);
  call_gemmt(T{}, blis(uplo), blis(op_a), blis(op_b), n, k, blis(&alpha), blis(a.data),
             a.row_stride, a.column_stride, blis(b.data), b.row_stride, b.column_stride,
             blis(&beta), blis(c.data), c.row_stride, c.column_stride, nullptr, runtime.get());
}

template <class T>
void symm(bool hermitian, cublasSideMode_t side, cublasFillMode_t uplo, std::int64_t m,
          std::int64_t n, T alpha, Matrix<const T> a, Matrix<const T> b, T beta, Matrix<T> c,
          int threads) {
  Threads runtime(threads);
  const auto run = [&](auto function) {
    function(T{}, blis(side), blis(uplo), BLIS_NO_CONJUGATE, BLIS_NO_TRANSPOSE, m, n, blis(&alpha),
             blis(a.data), a.row_stride, a.column_stride, blis(b.data), b.row_stride,
             b.column_stride, blis(&beta), blis(c.data), c.row_stride, c.column_stride, nullptr,
             runtime.get());
  };
  if (hermitian) {
    run([](auto... arguments) { call_hemm(arguments...); });
  } else {
    run([](auto... arguments) { call_symm(arguments...); });
  }
}

template <class T>
void trmm(cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag,
          std::int64_t m, std::int64_t n, T alpha, Matrix<const T> a, Matrix<T> b, int threads) {
  Threads runtime(threads);
  call_trmm(T{}, blis(side), blis(uplo), blis(op), blis(diag), m, n, blis(&alpha), blis(a.data),
            a.row_stride, a.column_stride, blis(b.data), b.row_stride, b.column_stride, nullptr,
            runtime.get());
}

template <class T>
void trsm(cublasSideMode_t side, cublasFillMode_t uplo, cublasOperation_t op, cublasDiagType_t diag,
          std::int64_t m, std::int64_t n, T alpha, Matrix<const T> a, Matrix<T> b, int threads) {
  Threads runtime(threads);
  call_trsm(T{}, blis(side), blis(uplo), blis(op), blis(diag), m, n, blis(&alpha), blis(a.data),
            a.row_stride, a.column_stride, blis(b.data), b.row_stride, b.column_stride, nullptr,
            runtime.get());
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

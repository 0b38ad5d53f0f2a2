// cuBLAS batches of small factorisations and solves, by the textbook methods, a matrix per task.
//
// `info` of geqrf, getrs and gels is in host memory and tells of arguments (-i: the i-th is wrong);
// that of getrf, getri and matinv is in device memory, one for each matrix (i > 0: U(i, i) is
// zero).
#include <cmath>
#include <vector>

#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/pointers.hpp"

namespace softgpu::blas {
namespace {

using Index = std::int64_t;

// A column major matrix.
template <class T>
struct View {
  T* data;
  Index leading;
  T& operator()(Index i, Index j) const { return data[i + j * leading]; }
};

template <class T>
Real<T> size_of(T x) {
  if constexpr (is_complex<T>) {
    return std::fabs(x.real()) + std::fabs(x.imag());
  } else {
    return std::fabs(x);
  }
}

int batch_threads(Index batch, double operations) {
  return threads_for(static_cast<double>(batch) * operations);
}

double cube(Index n) {
  const auto x = static_cast<double>(n);
  return x * x * x;
}

// LU with partial pivoting (or none) in place, LAPACK's getf2. pivots: 1-based rows. Returns 0, or
// the 1-based position of the first zero on U's diagonal.
template <class T>
int factor(Index n, View<T> a, int* pivots) {
  int singular = 0;
  for (Index j = 0; j < n; ++j) {
    Index pivot = j;
    if (pivots != nullptr) {
      for (Index i = j + 1; i < n; ++i) {
        if (size_of(a(i, j)) > size_of(a(pivot, j))) pivot = i;
      }
      pivots[j] = static_cast<int>(pivot + 1);
    }
    if (a(pivot, j) == T{}) {
      if (singular == 0) singular = static_cast<int>(j + 1);
      continue;
    }
    if (pivot != j) {
      for (Index c = 0; c < n; ++c) std::swap(a(j, c), a(pivot, c));
    }
    const T reciprocal = T{1} / a(j, j);
    for (Index i = j + 1; i < n; ++i) a(i, j) = multiply(a(i, j), reciprocal);
    for (Index c = j + 1; c < n; ++c) {
      const T scale = a(j, c);
      for (Index i = j + 1; i < n; ++i) a(i, c) -= multiply(a(i, j), scale);
    }
  }
  return singular;
}

// Solves op(A) x = b for one right side with A's factors.
template <class T>
void solve(cublasOperation_t op, Index n, View<const T> lu, const int* pivots, T* x) {
  const auto exchange = [&](Index i) {
    if (pivots == nullptr) return;
    const Index other = std::clamp<Index>(pivots[i] - 1, 0, n - 1);
    if (other != i) std::swap(x[i], x[other]);
  };
  if (op == CUBLAS_OP_N) {
    for (Index i = 0; i < n; ++i) exchange(i);
    for (Index j = 0; j < n; ++j) {
      for (Index i = j + 1; i < n; ++i) x[i] -= multiply(lu(i, j), x[j]);
    }
    for (Index j = n - 1; j >= 0; --j) {
      x[j] /= lu(j, j);
      for (Index i = 0; i < j; ++i) x[i] -= multiply(lu(i, j), x[j]);
    }
    return;
  }
  const auto element = [&](Index i, Index j) {
    return op == CUBLAS_OP_C ? conjugate(lu(i, j)) : lu(i, j);
  };
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < j; ++i) x[j] -= multiply(element(i, j), x[i]);
    x[j] /= element(j, j);
  }
  for (Index j = n - 1; j >= 0; --j) {
    for (Index i = j + 1; i < n; ++i) x[j] -= multiply(element(i, j), x[i]);
  }
  for (Index i = n - 1; i >= 0; --i) exchange(i);
}

// The Householder reflector I - tau v v^H with v(0) = 1 that takes x to (beta, 0, ...), beta real:
// LAPACK's larfg. x is overwritten by beta and the rest of v.
template <class T>
T reflector(Index n, T* x) {
  using R = Real<T>;
  R rest = 0, scale = 0;
  for (Index i = 1; i < n; ++i) scale = std::max(scale, size_of(x[i]));
  for (Index i = 1; i < n && scale > 0; ++i) {
    rest += static_cast<R>(std::norm(x[i] / scale));
  }
  rest = scale * std::sqrt(rest);
  R imaginary = 0;
  if constexpr (is_complex<T>) imaginary = x[0].imag();
  if (rest == 0 && imaginary == 0) return T{};
  const R beta =
      -std::copysign(std::hypot(std::hypot(real_part(x[0]), imaginary), rest), real_part(x[0]));
  T tau;
  if constexpr (is_complex<T>) {
    tau = T((beta - x[0].real()) / beta, -imaginary / beta);
  } else {
    tau = (beta - x[0]) / beta;
  }
  const T scaling = T{1} / (x[0] - beta);
  for (Index i = 1; i < n; ++i) x[i] = multiply(x[i], scaling);
  x[0] = T(beta);
  return tau;
}

// c -= tau v (v^H c) for the vector v of length n whose first element is one.
template <class T>
void reflect(Index n, const T* v, T tau, T* c) {
  T sum = c[0];
  for (Index i = 1; i < n; ++i) sum += multiply(conjugate(v[i]), c[i]);
  sum = multiply(sum, tau);
  c[0] -= sum;
  for (Index i = 1; i < n; ++i) c[i] -= multiply(v[i], sum);
}

// QR in place: R above, reflectors below the diagonal. Reflectors are applied as H^H, so that
// A = H(1) H(2) ... R with the taus stored.
template <class T>
void factor_qr(Index m, Index n, View<T> a, T* taus) {
  for (Index j = 0; j < std::min(m, n); ++j) {
    const T tau = reflector(m - j, &a(j, j));
    taus[j] = tau;
    for (Index c = j + 1; c < n; ++c) reflect(m - j, &a(j, j), conjugate(tau), &a(j, c));
  }
}

template <class T>
cublasStatus_t getrf(const Call& call, Index n, T* const* a, Index lda, int* pivots, int* info,
                     Index batch) {
  if (!call) return call.status();
  if (n < 0 || batch < 0 || lda < at_least_one(n)) return CUBLAS_STATUS_INVALID_VALUE;
  if (batch == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    const auto count = static_cast<std::size_t>(batch);
    if (!Pointers(a).reachable_all(function, "A", batch, matrix_bytes(n, n, lda, sizeof(T))) ||
        (pivots != nullptr &&
         !reachable(function,
                    {"pivots", pivots, static_cast<std::size_t>(n) * count * sizeof(int)})) ||
        !reachable(function, {"info", info, count * sizeof(int)})) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    parallel_for(batch, batch_threads(batch, cube(n)), [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) {
        info[i] = factor(n, View<T>{a[i], lda}, pivots == nullptr ? nullptr : pivots + i * n);
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

// C = A^-1 from A's factors, a column at a time.
template <class T>
void invert(Index n, View<const T> lu, const int* pivots, View<T> c) {
  for (Index j = 0; j < n; ++j) {
    for (Index i = 0; i < n; ++i) c(i, j) = i == j ? T{1} : T{};
    solve(CUBLAS_OP_N, n, lu, pivots, &c(0, j));
  }
}

template <class T>
int first_zero(Index n, View<const T> lu) {
  for (Index i = 0; i < n; ++i) {
    if (lu(i, i) == T{}) return static_cast<int>(i + 1);
  }
  return 0;
}

template <class T>
cublasStatus_t getri(const Call& call, Index n, const T* const* a, Index lda, const int* pivots,
                     T* const* c, Index ldc, int* info, Index batch) {
  if (!call) return call.status();
  if (n < 0 || batch < 0 || lda < at_least_one(n) || ldc < at_least_one(n)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (batch == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    const auto count = static_cast<std::size_t>(batch);
    if (!Pointers(a).reachable_all(function, "A", batch, matrix_bytes(n, n, lda, sizeof(T))) ||
        !Pointers(c).reachable_all(function, "C", batch, matrix_bytes(n, n, ldc, sizeof(T))) ||
        (pivots != nullptr &&
         !reachable(function,
                    {"pivots", pivots, static_cast<std::size_t>(n) * count * sizeof(int)})) ||
        !reachable(function, {"info", info, count * sizeof(int)})) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    parallel_for(batch, batch_threads(batch, cube(n)), [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) {
        const View<const T> lu{a[i], lda};
        info[i] = first_zero(n, lu);
        if (info[i] != 0) continue;
        invert(n, lu, pivots == nullptr ? nullptr : pivots + i * n, View<T>{c[i], ldc});
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

// Reports a wrong argument by its position, as LAPACK counts it.
cublasStatus_t wrong(int* info, int position) {
  if (info != nullptr) *info = -position;
  return CUBLAS_STATUS_INVALID_VALUE;
}

template <class T>
cublasStatus_t getrs(const Call& call, cublasOperation_t op, Index n, Index sides,
                     const T* const* a, Index lda, const int* pivots, T* const* b, Index ldb,
                     int* info, Index batch) {
  if (!call) return call.status();
  if (info == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (!is_operation(op)) return wrong(info, 1);
  if (n < 0) return wrong(info, 2);
  if (sides < 0) return wrong(info, 3);
  if (lda < at_least_one(n)) return wrong(info, 5);
  if (ldb < at_least_one(n)) return wrong(info, 8);
  if (batch < 0) return wrong(info, 10);
  *info = 0;
  if (n == 0 || sides == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    const auto pivot_bytes =
        static_cast<std::size_t>(n) * static_cast<std::size_t>(batch) * sizeof(int);
    if (!Pointers(a).reachable_all(function, "A", batch, matrix_bytes(n, n, lda, sizeof(T))) ||
        !Pointers(b).reachable_all(function, "B", batch, matrix_bytes(n, sides, ldb, sizeof(T))) ||
        (pivots != nullptr && !reachable(function, {"pivots", pivots, pivot_bytes}))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    const double work =
        static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(sides);
    parallel_for(batch, batch_threads(batch, work), [&](Index first, Index last) {
      for (Index i = first; i < last; ++i) {
        for (Index j = 0; j < sides; ++j) {
          solve(op, n, View<const T>{a[i], lda}, pivots == nullptr ? nullptr : pivots + i * n,
                b[i] + j * ldb);
        }
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t matinv(const Call& call, Index n, const T* const* a, Index lda, T* const* inverse,
                      Index ld_inverse, int* info, Index batch) {
  if (!call) return call.status();
  // cuBLAS has this one for small matrices only.
  if (n < 0 || n > 32 || batch < 0 || lda < at_least_one(n) || ld_inverse < at_least_one(n)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (batch == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!Pointers(a).reachable_all(function, "A", batch, matrix_bytes(n, n, lda, sizeof(T))) ||
        !Pointers(inverse).reachable_all(function, "Ainv", batch,
                                         matrix_bytes(n, n, ld_inverse, sizeof(T))) ||
        !reachable(function, {"info", info, static_cast<std::size_t>(batch) * sizeof(int)})) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    parallel_for(batch, batch_threads(batch, 2 * cube(n)), [&](Index first, Index last) {
      std::vector<T> lu(static_cast<std::size_t>(n * n));
      std::vector<int> pivots(static_cast<std::size_t>(n));
      for (Index i = first; i < last; ++i) {
        for (Index j = 0; j < n; ++j) std::copy_n(a[i] + j * lda, n, lu.data() + j * n);
        info[i] = factor(n, View<T>{lu.data(), n}, pivots.data());
        if (info[i] != 0) continue;
        invert(n, View<const T>{lu.data(), n}, pivots.data(), View<T>{inverse[i], ld_inverse});
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

template <class T>
cublasStatus_t geqrf(const Call& call, Index m, Index n, T* const* a, Index lda, T* const* taus,
                     int* info, Index batch) {
  if (!call) return call.status();
  if (info == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (m < 0) return wrong(info, 1);
  if (n < 0) return wrong(info, 2);
  if (lda < at_least_one(m)) return wrong(info, 4);
  if (batch < 0) return wrong(info, 7);
  *info = 0;
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!Pointers(a).reachable_all(function, "A", batch, matrix_bytes(m, n, lda, sizeof(T))) ||
        !Pointers(taus).reachable_all(function, "tau", batch,
                                      static_cast<std::size_t>(std::min(m, n)) * sizeof(T))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    parallel_for(batch, batch_threads(batch, 2 * cube(std::max(m, n))),
                 [&](Index first, Index last) {
                   for (Index i = first; i < last; ++i)
                     factor_qr(m, n, View<T>{a[i], lda}, taus[i]);
                 });
    return CUBLAS_STATUS_SUCCESS;
  });
}

// Least squares of overdetermined systems, as cuBLAS offers them: op N, m >= n. The solution takes
// the first n rows of C, the residual's parts the others.
template <class T>
cublasStatus_t gels(const Call& call, cublasOperation_t op, Index m, Index n, Index sides,
                    T* const* a, Index lda, T* const* c, Index ldc, int* info, int* device_info,
                    Index batch) {
  if (!call) return call.status();
  if (info == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (!is_operation(op)) return wrong(info, 1);
  if (op != CUBLAS_OP_N || m < n) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (m < 0) return wrong(info, 2);
  if (n < 0) return wrong(info, 3);
  if (sides < 0) return wrong(info, 4);
  if (lda < at_least_one(m)) return wrong(info, 6);
  if (ldc < at_least_one(m)) return wrong(info, 8);
  if (batch < 0) return wrong(info, 11);
  *info = 0;
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  return call.submit([=, function = call.function()] {
    if (!Pointers(a).reachable_all(function, "A", batch, matrix_bytes(m, n, lda, sizeof(T))) ||
        !Pointers(c).reachable_all(function, "C", batch, matrix_bytes(m, sides, ldc, sizeof(T))) ||
        (device_info != nullptr &&
         !reachable(function, {"devInfoArray", device_info,
                               static_cast<std::size_t>(batch) * sizeof(int)}))) {
      return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    parallel_for(batch, batch_threads(batch, 2 * cube(m)), [&](Index first, Index last) {
      std::vector<T> taus(static_cast<std::size_t>(n));
      for (Index i = first; i < last; ++i) {
        const View<T> q{a[i], lda}, x{c[i], ldc};
        factor_qr(m, n, q, taus.data());
        const int singular = first_zero<T>(n, View<const T>{a[i], lda});
        if (device_info != nullptr) device_info[i] = singular;
        if (singular != 0) continue;
        for (Index s = 0; s < sides; ++s) {
          for (Index j = 0; j < n; ++j) {
            reflect(m - j, &q(j, j), conjugate(taus[static_cast<std::size_t>(j)]), &x(j, s));
          }
          for (Index j = n - 1; j >= 0; --j) {
            x(j, s) /= q(j, j);
            for (Index r = 0; r < j; ++r) x(r, s) -= multiply(q(r, j), x(j, s));
          }
        }
      }
    });
    return CUBLAS_STATUS_SUCCESS;
  });
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_lapack.def"
}

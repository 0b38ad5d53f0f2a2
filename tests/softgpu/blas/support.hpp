// Device memory with guard bands, operands with poisoned gaps, and the reference arithmetic of the
// BLAS tests: plain loops in long double.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "softgpu/blas/api.hpp"
#include "softgpu/blas/numbers.hpp"
#include "softgpu/blas/runtime_api.hpp"

namespace softgpu::blas::testing {

using Index = std::int64_t;
using Wide = std::complex<long double>;

template <class T>
Wide widen(T x) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return Wide(to_float(x));
  } else if constexpr (is_complex<T>) {
    return Wide(x.real(), x.imag());
  } else {
    return Wide(static_cast<long double>(x));
  }
}

// Complex products of NaN-free values; std::complex's own operator would do too, slower.
inline Wide times(Wide a, Wide b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

template <class T>
constexpr long double epsilon() {
  if constexpr (std::is_same_v<T, Half>) {
    return 0x1p-10L;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return 0x1p-7L;
  } else {
    return std::numeric_limits<Real<T>>::epsilon();
  }
}

// The bound of a sum of `terms` products whose magnitudes add up to `size`: every operation rounds
// by at most eps / 2 of its result, a product and a sum for each term, twice that for complex
// parts.
template <class T>
long double reduction_bound(Index terms, long double size) {
  return 2 * static_cast<long double>(terms + 4) * epsilon<T>() * size +
         std::numeric_limits<float>::denorm_min();
}

inline std::mt19937& generator() {
  static std::mt19937 engine(20240517);
  return engine;
}

template <class T>
T random_element() {
  std::uniform_real_distribution<float> distribution(-1, 1);
  if constexpr (std::is_same_v<T, Half>) {
    return to_half(distribution(generator()));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(distribution(generator()));
  } else if constexpr (std::is_same_v<T, std::int8_t>) {
    return static_cast<std::int8_t>(std::uniform_int_distribution<int>(-128, 127)(generator()));
  } else if constexpr (is_complex<T>) {
    const auto re = static_cast<Real<T>>(distribution(generator()));
    return T(re, static_cast<Real<T>>(distribution(generator())));
  } else {
    return static_cast<T>(distribution(generator()));
  }
}

// `count` elements in device memory between guard bands; every byte is 0xff at first, which is NaN
// in all floating formats.
template <class T>
class Device {
 public:
  explicit Device(Index count) : count_(count) {
    void* pointer = nullptr;
    EXPECT_EQ(cudaMalloc(&pointer, bytes()), 0);
    memory_ = static_cast<T*>(pointer);
    std::memset(pointer, 0xff, bytes());
    remember();
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device() { cudaFree(memory_); }

  T* data() { return memory_ + kGuard; }
  const T* data() const { return memory_ + kGuard; }
  Index count() const { return count_; }
  // Later changes are judged against the contents now.
  void remember() {
    before_.resize(bytes());
    std::memcpy(before_.data(), memory_, bytes());
  }
  // True where every element outside `written`, guard bands included, has the bits it had.
  template <class Written>
  bool unchanged_except(const Written& written) const {
    for (Index i = -kGuard; i < count_ + kGuard; ++i) {
      const bool inside = i >= 0 && i < count_;
      if (inside && written(i)) continue;
      if (std::memcmp(memory_ + kGuard + i,
                      before_.data() + static_cast<std::size_t>(kGuard + i) * sizeof(T),
                      sizeof(T)) != 0) {
        return false;
      }
    }
    return true;
  }

 private:
  static constexpr Index kGuard = 32;
  std::size_t bytes() const { return static_cast<std::size_t>(count_ + 2 * kGuard) * sizeof(T); }

  Index count_;
  T* memory_ = nullptr;
  std::vector<unsigned char> before_;
};

// A BLAS vector: n random elements, NaN in the gaps.
template <class T>
class Vector {
 public:
  Vector(Index n, Index increment)
      : n_(n), increment_(increment), memory_(n == 0 ? 0 : (n - 1) * std::abs(increment) + 1) {
    for (Index i = 0; i < n; ++i) (*this)[i] = random_element<T>();
    memory_.remember();
  }
  T& operator[](Index i) { return memory_.data()[at(i)]; }
  const T& operator[](Index i) const { return memory_.data()[at(i)]; }
  T* data() { return memory_.data(); }
  Index size() const { return n_; }
  void remember() { memory_.remember(); }
  // Every element as it is now, and nothing between or beside them changed.
  std::vector<T> values() const {
    std::vector<T> all;
    for (Index i = 0; i < n_; ++i) all.push_back((*this)[i]);
    return all;
  }
  bool gaps_intact() const {
    const Index step = increment_ == 0 ? 1 : std::abs(increment_);
    return memory_.unchanged_except([&](Index i) { return i % step == 0; });
  }
  bool unchanged() const {
    return memory_.unchanged_except([](Index) { return false; });
  }

 private:
  Index at(Index i) const { return increment_ < 0 ? (i + 1 - n_) * increment_ : i * increment_; }
  Index n_, increment_;
  Device<T> memory_;
};

// A column major matrix with NaN below its columns; elements that `present` refuses are NaN too.
template <class T>
class Grid {
 public:
  Grid(Index rows, Index columns, Index leading)
      : rows_(rows), columns_(columns), leading_(leading), memory_(leading * columns) {
    fill([](Index, Index) { return true; });
  }
  template <class Present>
  void fill(const Present& present) {
    std::memset(static_cast<void*>(memory_.data()), 0xff,
                static_cast<std::size_t>(memory_.count()) * sizeof(T));
    for (Index j = 0; j < columns_; ++j) {
      for (Index i = 0; i < rows_; ++i) {
        if (present(i, j)) (*this)(i, j) = random_element<T>();
      }
    }
    memory_.remember();
  }
  T& operator()(Index i, Index j) { return memory_.data()[i + j * leading_]; }
  const T& operator()(Index i, Index j) const { return memory_.data()[i + j * leading_]; }
  T* data() { return memory_.data(); }
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  Index leading() const { return leading_; }
  void remember() { memory_.remember(); }
  std::vector<Wide> wide() const {
    std::vector<Wide> all;
    for (Index j = 0; j < columns_; ++j) {
      for (Index i = 0; i < rows_; ++i) all.push_back(widen((*this)(i, j)));
    }
    return all;
  }
  template <class Written>
  bool unchanged_except(const Written& written) const {
    return memory_.unchanged_except([&](Index at) {
      const Index i = at % leading_, j = at / leading_;
      return i < rows_ && written(i, j);
    });
  }
  bool gaps_intact() const {
    return unchanged_except([](Index, Index) { return true; });
  }
  bool unchanged() const {
    return unchanged_except([](Index, Index) { return false; });
  }

 private:
  Index rows_, columns_, leading_;
  Device<T> memory_;
};

// op(A)(i, j) of a stored matrix.
template <class T>
Wide element(const Grid<T>& a, cublasOperation_t op, Index i, Index j) {
  if (op == CUBLAS_OP_N) return widen(a(i, j));
  const Wide x = widen(a(j, i));
  return op == CUBLAS_OP_C ? std::conj(x) : x;
}

// op(A)(i, j) of a triangular matrix, of which only the triangle is read.
template <class T>
Wide triangle_element(const Grid<T>& a, cublasFillMode_t uplo, cublasDiagType_t diag,
                      cublasOperation_t op, Index i, Index j) {
  const Index r = op == CUBLAS_OP_N ? i : j, c = op == CUBLAS_OP_N ? j : i;
  if (r == c && diag == CUBLAS_DIAG_UNIT) return 1.0L;
  if (uplo == CUBLAS_FILL_MODE_UPPER ? r > c : r < c) return 0.0L;
  const Wide x = widen(a(r, c));
  return op == CUBLAS_OP_C ? std::conj(x) : x;
}

// A(i, j) of a symmetric or hermitian matrix, of which only one triangle is read and, of a
// hermitian one's diagonal, only the real part.
template <class T>
Wide symmetric_element(const Grid<T>& a, bool hermitian, cublasFillMode_t uplo, Index i, Index j) {
  if (hermitian && i == j) return widen(a(i, i)).real();
  const bool stored = uplo == CUBLAS_FILL_MODE_UPPER ? i <= j : i >= j;
  if (stored) return widen(a(i, j));
  return hermitian ? std::conj(widen(a(j, i))) : widen(a(j, i));
}

template <class T>
::testing::AssertionResult near(T actual, Wide expected, long double bound) {
  const long double error = std::abs(widen(actual) - expected);
  if (error <= bound) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "got " << static_cast<double>(widen(actual).real()) << ", "
         << static_cast<double>(widen(actual).imag()) << " expected "
         << static_cast<double>(expected.real()) << ", " << static_cast<double>(expected.imag())
         << ", error " << static_cast<double>(error) << " above " << static_cast<double>(bound);
}

// A handle for the life of a test.
class Handle {
 public:
  Handle() { EXPECT_EQ(cublasCreate_v2(&handle_), CUBLAS_STATUS_SUCCESS); }
  ~Handle() { EXPECT_EQ(cublasDestroy_v2(handle_), CUBLAS_STATUS_SUCCESS); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator cublasHandle_t() const { return handle_; }  // NOLINT: used as a cublasHandle_t

 private:
  cublasHandle_t handle_ = nullptr;
};

inline constexpr cublasOperation_t kOperations[] = {CUBLAS_OP_N, CUBLAS_OP_T, CUBLAS_OP_C};
inline constexpr cublasFillMode_t kTriangles[] = {CUBLAS_FILL_MODE_LOWER, CUBLAS_FILL_MODE_UPPER};
inline constexpr cublasDiagType_t kDiagonals[] = {CUBLAS_DIAG_NON_UNIT, CUBLAS_DIAG_UNIT};
inline constexpr cublasSideMode_t kSides[] = {CUBLAS_SIDE_LEFT, CUBLAS_SIDE_RIGHT};

// The interface's element types for the ones computed with.
template <class T>
struct Public {
  using type = T;
};
template <>
struct Public<cfloat> {
  using type = cuComplex;
};
template <>
struct Public<cdouble> {
  using type = cuDoubleComplex;
};
template <>
struct Public<Half> {
  using type = __half;
};
template <>
struct Public<BFloat16> {
  using type = __nv_bfloat16;
};
template <class T>
typename Public<T>::type* pub(T* p) {
  return reinterpret_cast<typename Public<T>::type*>(p);
}
template <class T>
const typename Public<T>::type* pub(const T* p) {
  return reinterpret_cast<const typename Public<T>::type*>(p);
}
template <class T>
typename Public<T>::type** pub(T** p) {
  return reinterpret_cast<typename Public<T>::type**>(p);
}

// cuBLAS's functions by element type: call<T>(SOFTGPU_TYPED(axpy_v2), handle, ...).
template <class T, class F, class... A>
auto call(F typed, const A&... arguments) {
  return typed(T{}, arguments...);
}
#define SOFTGPU_TYPED(name)                                 \
  [](auto element, auto&&... arguments) {                   \
    using Element = decltype(element);                      \
    if constexpr (std::is_same_v<Element, float>) {         \
      return cublasS##name(arguments...);                   \
    } else if constexpr (std::is_same_v<Element, double>) { \
      return cublasD##name(arguments...);                   \
    } else if constexpr (std::is_same_v<Element, cfloat>) { \
      return cublasC##name(arguments...);                   \
    } else {                                                \
      return cublasZ##name(arguments...);                   \
    }                                                       \
  }
// For names that differ between real and complex types.
#define SOFTGPU_TYPED4(s, d, c, z)                          \
  [](auto element, auto&&... arguments) {                   \
    using Element = decltype(element);                      \
    if constexpr (std::is_same_v<Element, float>) {         \
      return cublas##s(arguments...);                       \
    } else if constexpr (std::is_same_v<Element, double>) { \
      return cublas##d(arguments...);                       \
    } else if constexpr (std::is_same_v<Element, cfloat>) { \
      return cublas##c(arguments...);                       \
    } else {                                                \
      return cublas##z(arguments...);                       \
    }                                                       \
  }

using Elements = ::testing::Types<float, double, cfloat, cdouble>;
using RealElements = ::testing::Types<float, double>;
using ComplexElements = ::testing::Types<cfloat, cdouble>;

}  // namespace softgpu::blas::testing

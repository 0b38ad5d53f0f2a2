// Plain vector kernels on strided elements. Sums run in blocks of fixed length with fixed lanes, so
// a result does not depend on how many threads computed it.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "softgpu/blas/library.hpp"

namespace softgpu::blas {

// BLAS's vector of n elements: with a negative increment, element 0 is the last in memory.
template <class T>
struct Strided {
  T* base;
  std::int64_t increment;
  Strided(std::int64_t n, T* pointer, std::int64_t inc)
      : base(inc < 0 && n > 0 ? pointer + (1 - n) * inc : pointer), increment(inc) {}
  T& operator[](std::int64_t i) const { return base[i * increment]; }
};

// Sums of floats are kept in double: more than cuBLAS promises, and free of overflow in squares.
template <class T>
struct Accumulator {
  using type = double;
};
template <class T>
struct Accumulator<std::complex<T>> {
  using type = cdouble;
};

inline constexpr std::int64_t kSumBlock = 4096;

// The sum of term(i) over [0, n): blocks of kSumBlock, eight lanes in a block, blocks in order.
template <class A, class Term>
A sum_blocks(std::int64_t n, const Term& term) {
  const std::int64_t blocks = (n + kSumBlock - 1) / kSumBlock;
  std::vector<A> partial(static_cast<std::size_t>(blocks));
  parallel_for(
      blocks, threads_for(static_cast<double>(n)), [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t b = first; b < last; ++b) {
          A lanes[8] = {};
          std::int64_t i = b * kSumBlock;
          const std::int64_t end = std::min(n, i + kSumBlock);
          for (; i + 8 <= end; i += 8) {
            for (int l = 0; l < 8; ++l) lanes[l] += term(i + l);
          }
          for (int l = 0; i < end; ++i, ++l) lanes[l] += term(i);
          partial[static_cast<std::size_t>(b)] = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
                                                 ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
        }
      });
  A total{};
  for (const A& value : partial) total += value;
  return total;
}

template <class T>
T dot_kernel(bool conjugated, std::int64_t n, const T* x, std::int64_t incx, const T* y,
             std::int64_t incy) {
  using A = typename Accumulator<T>::type;
  const Strided<const T> u(n, x, incx), v(n, y, incy);
  const auto product = [](T a, T b) { return multiply(static_cast<A>(a), static_cast<A>(b)); };
  if (conjugated) {
    return static_cast<T>(
        sum_blocks<A>(n, [&](std::int64_t i) { return product(conjugate(u[i]), v[i]); }));
  }
  return static_cast<T>(sum_blocks<A>(n, [&](std::int64_t i) { return product(u[i], v[i]); }));
}

template <class T>
Real<T> nrm2_kernel(std::int64_t n, const T* x, std::int64_t incx) {
  const Strided<const T> u(n, x, incx);
  const auto squares = [&](double scale) {
    return sum_blocks<double>(n, [&](std::int64_t i) {
      if constexpr (is_complex<T>) {
        const double re = u[i].real() * scale, im = u[i].imag() * scale;
        return re * re + im * im;
      } else {
        const double value = u[i] * scale;
        return value * value;
      }
    });
  };
  const double plain = squares(1.0);
  if (plain > 1e-250 && plain < 1e300) return static_cast<Real<T>>(std::sqrt(plain));
  if (std::isnan(plain)) return static_cast<Real<T>>(plain);
  // Squares may have over- or underflowed: again with the largest component brought near 1.
  double largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (is_complex<T>) {
      largest = std::max({largest, std::fabs(static_cast<double>(u[i].real())),
                          std::fabs(static_cast<double>(u[i].imag()))});
    } else {
      largest = std::max(largest, std::fabs(static_cast<double>(u[i])));
    }
  }
  if (largest == 0 || std::isinf(largest)) return static_cast<Real<T>>(largest);
  // In two steps: 2^-exponent itself may not be finite.
  const int exponent = std::ilogb(largest);
  const double half = std::ldexp(1.0, -exponent / 2);
  const double other = std::ldexp(1.0, -exponent - (-exponent / 2));
  const double scaled = sum_blocks<double>(n, [&](std::int64_t i) {
    if constexpr (is_complex<T>) {
      const double re = u[i].real() * half * other, im = u[i].imag() * half * other;
      return re * re + im * im;
    } else {
      const double value = u[i] * half * other;
      return value * value;
    }
  });
  return static_cast<Real<T>>(std::ldexp(std::sqrt(scaled), exponent));
}

// |x| as BLAS compares it: the sum of the components' magnitudes.
template <class T>
Real<T> magnitude1(T x) {
  if constexpr (is_complex<T>) {
    return std::fabs(x.real()) + std::fabs(x.imag());
  } else {
    return std::fabs(x);
  }
}

template <class T>
Real<T> asum_kernel(std::int64_t n, const T* x, std::int64_t incx) {
  const Strided<const T> u(n, x, incx);
  return static_cast<Real<T>>(sum_blocks<double>(n, [&](std::int64_t i) {
    if constexpr (is_complex<T>) {
      return std::fabs(static_cast<double>(u[i].real())) +
             std::fabs(static_cast<double>(u[i].imag()));
    } else {
      return std::fabs(static_cast<double>(u[i]));
    }
  }));
}

// The 1-based index of the first element of largest (smallest) magnitude; n >= 1.
template <class T>
std::int64_t extreme_kernel(bool largest, std::int64_t n, const T* x, std::int64_t incx) {
  const Strided<const T> u(n, x, incx);
  std::int64_t best = 0;
  Real<T> value = magnitude1(u[0]);
  for (std::int64_t i = 1; i < n; ++i) {
    const Real<T> candidate = magnitude1(u[i]);
    if (largest ? candidate > value : candidate < value) {
      best = i;
      value = candidate;
    }
  }
  return best + 1;
}

template <class T, class S>
T times(S scalar, T x) {
  if constexpr (is_complex<T> && !is_complex<S>) {
    return T(x.real() * scalar, x.imag() * scalar);
  } else {
    return multiply(static_cast<T>(scalar), x);
  }
}

// body(first, last) over the elements, on one thread where they repeat one address.
template <class Body>
void over_elements(std::int64_t n, std::int64_t increment, const Body& body) {
  parallel_for(n, increment == 0 ? 1 : threads_for(static_cast<double>(n)), body);
}

template <class T, class S>
void scal_kernel(std::int64_t n, S alpha, T* x, std::int64_t incx) {
  const Strided<T> u(n, x, incx);
  over_elements(n, incx, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) u[i] = times(alpha, u[i]);
  });
}

template <class T>
void axpy_kernel(std::int64_t n, T alpha, const T* x, std::int64_t incx, T* y, std::int64_t incy) {
  if (alpha == T{}) return;
  const Strided<const T> u(n, x, incx);
  const Strided<T> v(n, y, incy);
  over_elements(n, incy, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) v[i] += multiply(alpha, u[i]);
  });
}

template <class T>
void copy_kernel(std::int64_t n, const T* x, std::int64_t incx, T* y, std::int64_t incy) {
  const Strided<const T> u(n, x, incx);
  const Strided<T> v(n, y, incy);
  over_elements(n, incy, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) v[i] = u[i];
  });
}

template <class T>
void swap_kernel(std::int64_t n, T* x, std::int64_t incx, T* y, std::int64_t incy) {
  const Strided<T> u(n, x, incx), v(n, y, incy);
  over_elements(n, incx == 0 ? 0 : incy, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) std::swap(u[i], v[i]);
  });
}

// x' = c x + s y, y' = c y - conj(s) x.
template <class T, class S>
void rot_kernel(std::int64_t n, T* x, std::int64_t incx, T* y, std::int64_t incy, Real<T> c, S s) {
  const Strided<T> u(n, x, incx), v(n, y, incy);
  over_elements(n, incx == 0 ? 0 : incy, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const T a = u[i], b = v[i];
      u[i] = times(c, a) + times(s, b);
      v[i] = times(c, b) - times(conjugate(s), a);
    }
  });
}

// The modified Givens rotation H = [h11 h12; h21 h22] of param, whose flag says which entries are
// implied.
template <class T>
void rotm_kernel(std::int64_t n, T* x, std::int64_t incx, T* y, std::int64_t incy,
                 const T param[5]) {
  const T flag = param[0];
  if (flag == T{-2}) return;
  const T h11 = flag == T{0} ? T{1} : param[1];
  const T h21 = flag == T{1} ? T{-1} : param[2];
  const T h12 = flag == T{1} ? T{1} : param[3];
  const T h22 = flag == T{0} ? T{1} : param[4];
  const Strided<T> u(n, x, incx), v(n, y, incy);
  over_elements(n, incx == 0 ? 0 : incy, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const T a = u[i], b = v[i];
      u[i] = h11 * a + h12 * b;
      v[i] = h21 * a + h22 * b;
    }
  });
}

// Givens rotation of (a, b): [c s; -s c] [a; b] = [r; 0]; a becomes r and b the reconstruction
// value z of the BLAS standard.
template <class T>
void rotg_kernel(T& a, T& b, T& c, T& s) {
  const T larger = std::fabs(a) > std::fabs(b) ? a : b;
  const T scale = std::fabs(a) + std::fabs(b);
  if (scale == T{0}) {
    c = T{1};
    s = T{0};
    a = T{0};
    b = T{0};
    return;
  }
  const T p = a / scale, q = b / scale;
  const T r = std::copysign(scale * std::sqrt(p * p + q * q), larger);
  c = a / r;
  s = b / r;
  T z{1};
  if (std::fabs(a) > std::fabs(b)) {
    z = s;
  } else if (c != T{0}) {
    z = T{1} / c;
  }
  a = r;
  b = z;
}

// Complex: c real, [c s; -conj(s) c] [a; b] = [r; 0]; b is left as it was.
template <class T>
void rotg_kernel(std::complex<T>& a, const std::complex<T>& b, T& c, std::complex<T>& s) {
  const T size = std::abs(a);
  if (size == T{0}) {
    c = T{0};
    s = std::complex<T>(1, 0);
    a = b;
    return;
  }
  const T scale = size + std::abs(b);
  const T p = std::abs(a / scale), q = std::abs(b / scale);
  const T norm = scale * std::sqrt(p * p + q * q);
  const std::complex<T> direction = a / size;
  c = size / norm;
  s = multiply(direction, conjugate(b)) / norm;
  a = direction * norm;
}

// Builds the modified Givens rotation that zeroes the second component of
// (sqrt(d1) x1, sqrt(d2) y1); factors are kept within [2^-24, 2^24] by powers of 4096.
template <class T>
void rotmg_kernel(T& d1, T& d2, T& x1, T y1, T param[5]) {
  constexpr T kStep = 4096, kLargest = T{4096} * 4096, kSmallest = T{1} / kLargest;
  T flag = -1, h11 = 0, h12 = 0, h21 = 0, h22 = 0;
  const auto degenerate = [&] {
    flag = -1;
    h11 = h12 = h21 = h22 = 0;
    d1 = d2 = x1 = 0;
  };
  if (d1 < 0) {
    degenerate();
  } else {
    const T p2 = d2 * y1;
    if (p2 == 0) {
      param[0] = -2;
      return;
    }
    const T p1 = d1 * x1, q2 = p2 * y1, q1 = p1 * x1;
    if (std::fabs(q1) > std::fabs(q2)) {
      h21 = -y1 / x1;
      h12 = p2 / p1;
      const T u = 1 - h12 * h21;
      if (u > 0) {
        flag = 0;
        d1 /= u;
        d2 /= u;
        x1 *= u;
      } else {
        degenerate();
      }
    } else if (q2 < 0) {
      degenerate();
    } else {
      flag = 1;
      h11 = p1 / p2;
      h22 = x1 / y1;
      const T u = 1 + h11 * h22;
      const T old = d1;
      d1 = d2 / u;
      d2 = old / u;
      x1 = y1 * u;
    }
    // Scaling makes all four entries explicit.
    const auto make_explicit = [&] {
      if (flag == 0) {
        h11 = h22 = 1;
      } else if (flag == 1) {
        h21 = -1;
        h12 = 1;
      }
      flag = -1;
    };
    while (d1 != 0 && std::isfinite(d1) && (d1 <= kSmallest || d1 >= kLargest)) {
      make_explicit();
      const bool up = d1 <= kSmallest;
      d1 = up ? d1 * kLargest : d1 / kLargest;
      x1 = up ? x1 / kStep : x1 * kStep;
      h11 = up ? h11 / kStep : h11 * kStep;
      h12 = up ? h12 / kStep : h12 * kStep;
    }
    while (d2 != 0 && std::isfinite(d2) &&
           (std::fabs(d2) <= kSmallest || std::fabs(d2) >= kLargest)) {
      make_explicit();
      const bool up = std::fabs(d2) <= kSmallest;
      d2 = up ? d2 * kLargest : d2 / kLargest;
      h21 = up ? h21 / kStep : h21 * kStep;
      h22 = up ? h22 / kStep : h22 * kStep;
    }
  }
  param[0] = flag;
  if (flag != 0) {
    param[1] = h11;
    param[4] = h22;
  }
  if (flag != 1) {
    param[2] = h21;
    param[3] = h12;
  }
}

}  // namespace softgpu::blas

// Elementary functions with the same bits everywhere: for scalars here, for vectors in
// cpu/math-inl.hpp and, compiled with -fmad=false, on a GPU. They are made of + − × ÷ sqrt and fma,
// which IEEE 754 fixes, integer operations on the bits, and selections. Exact mode uses these and
// never std::exp and friends, which differ between libraries.
//
// Special values follow C's Annex F (infinities, signed zeros, overflow, gradual underflow), except
// that every NaN returned is the same one and that errno and exception flags mean nothing.
//
// Largest errors in units in the last place of the exact value, for float and double. They are the
// limits that tests/core/math_test.cpp holds them to: over all 2^32 floats (LongMath), and over
// millions of doubles.
//
//   exp 0.8    log 0.9     tanh 2.0      sigmoid 1.5     erf 1.1       sqrt 0.5
//   expm1 1.6  log1p 1.0   sin_pi 1.1    softplus 1.6    cos_pi 1.1    fma 0.5
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::math {

namespace detail {

// The operations that tandem/core/math_functions.inc asks for, on one number.
template <class Float>
struct ScalarOperations {
  using T = Float;
  using V = Float;
  using U = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static TANDEM_HOST_DEVICE V set(double c) { return static_cast<T>(c); }
  static TANDEM_HOST_DEVICE V fma(V a, V b, V c) { return std::fma(a, b, c); }
  static TANDEM_HOST_DEVICE V select(bool mask, V a, V b) { return mask ? a : b; }
  static TANDEM_HOST_DEVICE bool either(bool a, bool b) { return a || b; }
  static TANDEM_HOST_DEVICE V neg(V a) { return -a; }
  static TANDEM_HOST_DEVICE V abs(V a) { return std::fabs(a); }
  static TANDEM_HOST_DEVICE V with_sign_of(V magnitude, V sign) {
    return std::copysign(magnitude, sign);
  }
  static TANDEM_HOST_DEVICE V round(V a) { return std::nearbyint(a); }
  static TANDEM_HOST_DEVICE U word(std::uint64_t bits) { return static_cast<U>(bits); }
  static TANDEM_HOST_DEVICE U bits(V a) {
    U u;
    std::memcpy(&u, &a, sizeof u);
    return u;
  }
  static TANDEM_HOST_DEVICE V real(U u) {
    V a;
    std::memcpy(&a, &u, sizeof a);
    return a;
  }
  template <int n>
  static TANDEM_HOST_DEVICE U shift_left(U u) {
    return u << n;
  }
  template <int n>
  static TANDEM_HOST_DEVICE U shift_right(U u) {
    return u >> n;
  }
};

#define TANDEM_MATH_FUNCTION TANDEM_HOST_DEVICE inline
#include "tandem/core/math_functions.inc"
#undef TANDEM_MATH_FUNCTION

}  // namespace detail

// Correctly rounded, on every device.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T fma(T a, T b, T c) {
  return std::fma(a, b, c);
}
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T sqrt(T x) {
  // An invalid operand gives the one NaN.
  return x < 0 || x != x ? static_cast<T>(__builtin_nan("")) : std::sqrt(x);
}

// e^x.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T exp(T x) {
  return detail::exp_of(detail::ScalarOperations<T>{}, x);
}
// e^x − 1, accurate near 0.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T expm1(T x) {
  return detail::expm1_of(detail::ScalarOperations<T>{}, x);
}
// Natural logarithm.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T log(T x) {
  return detail::log_of(detail::ScalarOperations<T>{}, x);
}
// ln(1 + x), accurate near 0.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T log1p(T x) {
  return detail::log1p_of(detail::ScalarOperations<T>{}, x);
}
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T tanh(T x) {
  return detail::tanh_of(detail::ScalarOperations<T>{}, x);
}
// 1 / (1 + e^−x).
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T sigmoid(T x) {
  return detail::sigmoid_of(detail::ScalarOperations<T>{}, x);
}
// ln(1 + e^x); x for large x.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T softplus(T x) {
  return detail::softplus_of(detail::ScalarOperations<T>{}, x);
}
// The error function.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T erf(T x) {
  return detail::erf_of(detail::ScalarOperations<T>{}, x);
}
// sin(πx) and cos(πx), exact at multiples of 1/2.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T sin_pi(T x) {
  return detail::sin_pi_of(detail::ScalarOperations<T>{}, x);
}
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline T cos_pi(T x) {
  return detail::cos_pi_of(detail::ScalarOperations<T>{}, x);
}

}  // namespace tandem::math

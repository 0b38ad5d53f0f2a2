// The number formats of the BLAS interfaces, and rounding to them.
//
// All roundings are to nearest, ties to even (IEEE 754), as cuBLAS rounds results, except tf32,
// which rounds ties away from zero as PTX's cvt.rna.tf32.f32 does (the only rounding of that
// conversion on sm_80). The 8-bit formats saturate to their largest finite value, as cuBLAS stores
// them.
#pragma once

#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <type_traits>

namespace softgpu::blas {

using cfloat = std::complex<float>;
using cdouble = std::complex<double>;

struct Half {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};
struct E4M3 {
  std::uint8_t bits;
};
struct E5M2 {
  std::uint8_t bits;
};

// The float nearest to x that a half can hold; infinity where |x| >= 65520.
inline float round_to_half(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = u & 0x7fffffffU;
  const std::uint32_t sign = u & 0x80000000U;
  // Normal halves keep 10 of 23 fraction bits.
  const std::uint32_t kept = (magnitude + 0xfffU + ((magnitude >> 13) & 1U)) & ~0x1fffU;
  const std::uint32_t normal = kept > 0x477fe000U ? 0x7f800000U : kept;
  // Below 2^-14 halves are multiples of 2^-24, the spacing of floats in [0.5, 1).
  const std::uint32_t tiny =
      std::bit_cast<std::uint32_t>((std::bit_cast<float>(magnitude) + 0.5F) - 0.5F);
  std::uint32_t rounded = magnitude < 0x38800000U ? tiny : normal;
  rounded = magnitude > 0x7f800000U ? 0x7fffe000U : rounded;
  return std::bit_cast<float>(sign | rounded);
}

inline float round_to_bfloat16(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (u + 0x7fffU + ((u >> 16) & 1U)) & 0xffff0000U;
  return std::bit_cast<float>((u & 0x7fffffffU) > 0x7f800000U ? (u | 0x7fff0000U) & 0xffff0000U
                                                              : rounded);
}

inline float round_to_tf32(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  const bool finite = (u & 0x7f800000U) != 0x7f800000U;
  return finite ? std::bit_cast<float>((u + 0x1000U) & ~0x1fffU) : x;
}

inline float to_float(Half h) {
  const std::uint32_t sign = (h.bits & 0x8000U) << 16;
  const std::uint32_t rest = h.bits & 0x7fffU;
  // 2^112 moves the exponent's bias from 15 to 127; it also normalises subnormal halves.
  const float scaled =
      std::bit_cast<float>(rest << 13) * std::bit_cast<float>(std::uint32_t{(127 + 112) << 23});
  const std::uint32_t special = 0x7f800000U | (rest << 13);
  const std::uint32_t magnitude = rest >= 0x7c00U ? special : std::bit_cast<std::uint32_t>(scaled);
  return std::bit_cast<float>(sign | magnitude);
}

inline Half to_half(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(round_to_half(x));
  const std::uint32_t sign = (u >> 16) & 0x8000U;
  const std::uint32_t magnitude = u & 0x7fffffffU;
  // Exact: x is a half already. 2^-112 takes the bias back, subnormal halves included.
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p-112F;
  std::uint32_t rest = std::bit_cast<std::uint32_t>(scaled) >> 13;
  rest = magnitude == 0x7f800000U ? 0x7c00U : rest;
  rest = magnitude > 0x7f800000U ? 0x7fffU : rest;
  return Half{static_cast<std::uint16_t>(sign | rest)};
}

inline float to_float(BFloat16 b) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(b.bits) << 16);
}

inline BFloat16 to_bfloat16(float x) {
  return BFloat16{
      static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(round_to_bfloat16(x)) >> 16)};
}

// E4M3: bias 7, no infinities, 0x7f is NaN, largest 448. E5M2: as a half cut to eight bits.
inline float to_float(E4M3 e) {
  const int exponent = (e.bits >> 3) & 15;
  const int fraction = e.bits & 7;
  float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                  : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  if ((e.bits & 0x7f) == 0x7f) magnitude = std::bit_cast<float>(0x7fffffffU);
  return (e.bits & 0x80) != 0 ? -magnitude : magnitude;
}

inline float to_float(E5M2 e) { return to_float(Half{static_cast<std::uint16_t>(e.bits << 8)}); }

namespace detail {
// The nearest multiple of the spacing of a format with `fraction_bits` and smallest normal exponent
// `least`, saturated to `largest`; x finite and >= 0.
inline float round_small(float x, int fraction_bits, int least, float largest) {
  if (x == 0) return 0;
  int exponent = std::ilogb(x);
  if (exponent < least) exponent = least;
  const float spacing = std::ldexp(1.0F, exponent - fraction_bits);
  const float rounded = std::nearbyint(x / spacing) * spacing;
  return rounded > largest ? largest : rounded;
}
}  // namespace detail

inline E4M3 to_e4m3(float x) {
  const std::uint32_t sign = std::bit_cast<std::uint32_t>(x) >> 24 & 0x80U;
  if (std::isnan(x)) return E4M3{static_cast<std::uint8_t>(sign | 0x7fU)};
  const float magnitude = std::isinf(x) ? 448.0F : detail::round_small(std::fabs(x), 3, -6, 448.0F);
  std::uint32_t rest = 0;
  if (magnitude >= 0x1p-6F) {
    const int exponent = std::ilogb(magnitude);
    rest = static_cast<std::uint32_t>((exponent + 7) << 3) |
           (static_cast<std::uint32_t>(std::ldexp(magnitude, 3 - exponent)) & 7U);
  } else {
    rest = static_cast<std::uint32_t>(std::ldexp(magnitude, 9));
  }
  return E4M3{static_cast<std::uint8_t>(sign | rest)};
}

inline E5M2 to_e5m2(float x) {
  const std::uint32_t sign = std::bit_cast<std::uint32_t>(x) >> 24 & 0x80U;
  if (std::isnan(x)) return E5M2{static_cast<std::uint8_t>(sign | 0x7fU)};
  const float magnitude =
      std::isinf(x) ? 57344.0F : detail::round_small(std::fabs(x), 2, -14, 57344.0F);
  return E5M2{static_cast<std::uint8_t>(sign | (to_half(magnitude).bits >> 8))};
}

// --- element types of templates -----------------------------------------------------------------

template <class T>
inline constexpr bool is_complex = std::is_same_v<T, cfloat> || std::is_same_v<T, cdouble>;

template <class T>
struct RealOf {
  using type = T;
};
template <class T>
struct RealOf<std::complex<T>> {
  using type = T;
};
template <class T>
using Real = typename RealOf<T>::type;

template <class T>
inline T conjugate(T x) {
  if constexpr (is_complex<T>) {
    return T(x.real(), -x.imag());
  } else {
    return x;
  }
}

template <class T>
inline Real<T> real_part(T x) {
  if constexpr (is_complex<T>) {
    return x.real();
  } else {
    return x;
  }
}

// Complex products by the textbook formula: std::complex's operator also repairs NaNs, which no
// device does, and does not vectorise.
template <class T>
inline T multiply(T a, T b) {
  if constexpr (is_complex<T>) {
    return T(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real());
  } else {
    return a * b;
  }
}

}  // namespace softgpu::blas

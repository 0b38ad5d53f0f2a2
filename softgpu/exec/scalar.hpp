// Arithmetic on one lane: what a PTX type holds, and the operations whose definition needs more
// than a C++ operator. The executor compiles this once per instruction set, so everything has
// internal linkage (a linker that may choose among copies would run the AVX-512 one anywhere) and
// is free of the standard library's templates, which have not.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace softgpu::scalar {
namespace {

using u8 = std::uint8_t;
using s8 = std::int8_t;
using u16 = std::uint16_t;
using s16 = std::int16_t;
using u32 = std::uint32_t;
using s32 = std::int32_t;
using u64 = std::uint64_t;
using s64 = std::int64_t;
using u128 = unsigned __int128;
using s128 = __int128;

template <class To, class From>
__attribute__((always_inline)) inline To bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &value, sizeof to);
  return to;
}

inline constexpr u32 canonical_nan32 = 0x7fffffffU;

// A single-precision result that is not a number is always this one.
__attribute__((always_inline)) inline float canonical(float x) {
  return x != x ? bits<float>(canonical_nan32) : x;
}

// --- half and bfloat16 ----------------------------------------------------------------------

__attribute__((always_inline)) inline float half_to_float(u32 h) {
  const u32 sign = (h & 0x8000U) << 16;
  const u32 magnitude = h & 0x7fffU;
  // Normal numbers: the exponent moves by 112. Infinity and NaN: by 224. Denormals: by arithmetic.
  const u32 normal = (magnitude << 13) + (112U << 23);
  const u32 special = (magnitude << 13) | 0x7f800000U;
  const float denormal = static_cast<float>(static_cast<s32>(magnitude)) * 0x1p-24F;
  const u32 value = magnitude >= 0x7c00U  ? special
                    : magnitude >= 0x400U ? normal
                                          : bits<u32>(denormal);
  return bits<float>(value | sign);
}

// To nearest even; NaN becomes 0x7fff.
__attribute__((always_inline)) inline u32 float_to_half(float x) {
  const u32 b = bits<u32>(x);
  const u32 sign = (b >> 16) & 0x8000U;
  const u32 magnitude = b & 0x7fffffffU;
  const u32 round = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  const u32 normal = (round - (112U << 23)) >> 13;
  // Below 2^-14: adding 0.5 leaves the half's denormal in the low bits of the sum.
  const u32 denormal = bits<u32>(bits<float>(magnitude) + 0.5F) - 0x3f000000U;
  u32 h = magnitude < 0x38800000U ? denormal : normal;
  h = magnitude >= 0x477ff000U ? 0x7c00U : h;
  h = magnitude > 0x7f800000U ? 0x7fffU : h;
  return magnitude > 0x7f800000U ? h : (h | sign);
}

// Rounds a double to a float so that rounding that float again to 11 bits or fewer is rounding the
// double once: the last bit is set where anything was lost (round to odd).
__attribute__((always_inline)) inline float to_odd(double x) {
  const float near = static_cast<float>(x);
  const double back = static_cast<double>(near);
  if (back == x || near != near) return near;
  u32 b = bits<u32>(near);
  // Towards zero first, then the sticky bit.
  const bool away = (x > 0) == (back > x);
  if (away) b -= 1;
  return bits<float>(b | 1U);
}

__attribute__((always_inline)) inline float bfloat_to_float(u32 h) { return bits<float>(h << 16); }
__attribute__((always_inline)) inline u32 float_to_bfloat(float x) {
  const u32 b = bits<u32>(x);
  const u32 rounded = (b + 0x7fffU + ((b >> 16) & 1U)) >> 16;
  return (b & 0x7fffffffU) > 0x7f800000U ? 0x7fffU : rounded;
}

// a·b + c of halves or bfloat16s held in floats, rounded to odd at float: product and sum are
// exact up to that one rounding.
__attribute__((always_inline)) inline float fma_to_odd(float a, float b, float c) {
  const double p = static_cast<double>(a) * static_cast<double>(b);  // exact: 22 bits
  const double x = static_cast<double>(c);
  const double s = p + x;
  // The error of the sum (Knuth's TwoSum) decides what is lost below a double.
  const double t = s - p;
  const double e = (p - (s - t)) + (x - t);
  float r = to_odd(s);
  if (e != 0 && s == s && e == e && static_cast<double>(r) == s &&
      (bits<u32>(r) & 0x7f800000U) != 0x7f800000U) {
    u32 b32 = bits<u32>(r);
    if ((b32 & 1U) == 0) {
      const bool smaller = (e < 0) == (s > 0);
      if (smaller && s != 0) b32 -= 1;
      r = bits<float>(b32 | 1U);
    }
  }
  return r;
}

// --- integers -------------------------------------------------------------------------------

template <class T>
__attribute__((always_inline)) inline T divide(T a, T b) {
  // Division by zero gives all ones, as the hardware's sequence does; it is not a fault.
  if (b == 0) return static_cast<T>(~T{0});
  if constexpr (T(-1) < T(0)) {
    if (b == T(-1)) return static_cast<T>(u64{0} - static_cast<u64>(a));  // wraps
  }
  return static_cast<T>(a / b);
}
template <class T>
__attribute__((always_inline)) inline T remainder(T a, T b) {
  if (b == 0) return a;
  if constexpr (T(-1) < T(0)) {
    if (b == T(-1)) return 0;
  }
  return static_cast<T>(a % b);
}

inline u32 reverse_bits(u32 x) {
  x = ((x >> 1) & 0x55555555U) | ((x & 0x55555555U) << 1);
  x = ((x >> 2) & 0x33333333U) | ((x & 0x33333333U) << 2);
  x = ((x >> 4) & 0x0f0f0f0fU) | ((x & 0x0f0f0f0fU) << 4);
  return __builtin_bswap32(x);
}

template <class T, bool Signed>
inline T extract_field(T a, u32 b, u32 c) {
  constexpr u32 msb = sizeof(T) * 8 - 1;
  const u32 position = b & 0xffU;
  const u32 length = c & 0xffU;
  bool sign = false;
  if (Signed && length != 0) {
    const u32 top = position + length - 1 < msb ? position + length - 1 : msb;
    sign = ((a >> top) & 1) != 0;
  }
  if (length == 0) return 0;
  T value = position > msb ? T{0} : static_cast<T>(a >> position);
  // Bits at and above the field's end, and those shifted in from above the register, are the sign.
  const u32 kept = position > msb ? 0 : (length < msb + 1 - position ? length : msb + 1 - position);
  const T mask = kept > msb ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << kept) - 1);
  value &= mask;
  if (sign) value |= static_cast<T>(~mask);
  return value;
}

template <class T>
inline T insert_field(T a, T b, u32 c, u32 d) {
  constexpr u32 size = sizeof(T) * 8;
  const u32 position = c & 0xffU;
  u32 length = d & 0xffU;
  if (position >= size || length == 0) return b;
  if (length > size - position) length = size - position;
  const T mask = length >= size ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << length) - 1);
  return static_cast<T>((b & ~(mask << position)) | ((a & mask) << position));
}

// Position of the most significant bit that differs from the sign; all ones where there is none.
template <class T, bool Signed>
inline u32 find_leading(T a, bool shift_amount) {
  constexpr u32 size = sizeof(T) * 8;
  T x = a;
  if (Signed && ((x >> (size - 1)) & 1) != 0) x = static_cast<T>(~x);
  if (x == 0) return 0xffffffffU;
  const u32 leading = size == 64 ? static_cast<u32>(__builtin_clzll(static_cast<u64>(x)))
                                 : static_cast<u32>(__builtin_clz(static_cast<u32>(x)));
  return shift_amount ? leading : size - 1 - leading;
}

inline u32 permute_bytes(u32 a, u32 b, u32 c, u32 mode) {
  const u64 source = (static_cast<u64>(b) << 32) | a;
  const auto byte = [&](u32 i) { return static_cast<u32>(source >> (8 * (i & 7U))) & 0xffU; };
  u32 result = 0;
  for (u32 i = 0; i < 4; ++i) {
    u32 value = 0;
    switch (mode) {
      case 0: {  // default: a selector of four bits, the highest replicates the sign
        const u32 s = (c >> (4 * i)) & 0xfU;
        value = byte(s & 7U);
        if ((s & 8U) != 0) value = (value & 0x80U) != 0 ? 0xffU : 0;
        break;
      }
      case 1: value = byte((c & 3U) + i); break;                 // f4e
      case 2: value = byte((c & 3U) - i); break;                 // b4e
      case 3: value = byte(c & 3U); break;                       // rc8
      case 4: value = byte(i > (c & 3U) ? i : (c & 3U)); break;  // ecl
      case 5: value = byte(i < (c & 3U) ? i : (c & 3U)); break;  // ecr
      default: value = byte(2 * (c & 1U) + (i & 1U)); break;     // rc16
    }
    result |= value << (8 * i);
  }
  return result;
}

inline u32 logic3(u32 a, u32 b, u32 c, u32 table) {
  u32 r = 0;
  if ((table & 0x01U) != 0) r |= ~a & ~b & ~c;
  if ((table & 0x02U) != 0) r |= ~a & ~b & c;
  if ((table & 0x04U) != 0) r |= ~a & b & ~c;
  if ((table & 0x08U) != 0) r |= ~a & b & c;
  if ((table & 0x10U) != 0) r |= a & ~b & ~c;
  if ((table & 0x20U) != 0) r |= a & ~b & c;
  if ((table & 0x40U) != 0) r |= a & b & ~c;
  if ((table & 0x80U) != 0) r |= a & b & c;
  return r;
}

// --- minimum and maximum --------------------------------------------------------------------

template <class F, class U, bool Max, bool PropagateNan>
__attribute__((always_inline)) inline F extreme(F a, F b) {
  constexpr U sign = U{1} << (sizeof(U) * 8 - 1);
  F r = Max ? (a > b ? a : b) : (a < b ? a : b);
  if (a == b) {
    // +0 is greater than −0.
    r = Max ? bits<F>(static_cast<U>(bits<U>(a) & (bits<U>(b) | ~sign)))
            : bits<F>(static_cast<U>(bits<U>(a) | (bits<U>(b) & sign)));
  }
  const bool nan_a = a != a;
  const bool nan_b = b != b;
  if constexpr (PropagateNan) {
    if (nan_a || nan_b)
      r = sizeof(U) == 4 ? bits<F>(static_cast<U>(canonical_nan32))
                         : bits<F>(static_cast<U>(0x7fffffffffffffffULL));
  } else {
    if (nan_a) r = b;
    if (nan_b) r = a;
    if (nan_a && nan_b && sizeof(U) == 4) r = bits<F>(static_cast<U>(canonical_nan32));
  }
  return r;
}

// --- float to integer -----------------------------------------------------------------------

// A float that already is a whole number, into range. NaN is 0; to 64 bits and from double it is
// the integer whose highest bit alone is set.
template <class To, class F>
__attribute__((always_inline)) inline To to_integer(F x) {
  constexpr bool is_signed = To(-1) < To(0);
  constexpr int digits = sizeof(To) * 8 - (is_signed ? 1 : 0);
  const F above =
      static_cast<F>(is_signed ? (u64{1} << (digits - 1)) : (u64{1} << (digits - 1))) * 2;
  const To lowest =
      is_signed ? static_cast<To>(static_cast<To>(1) << digits % (sizeof(To) * 8)) : To{0};
  const To highest = static_cast<To>(~lowest);
  if (x != x) {
    return sizeof(To) == 8 || sizeof(F) == 8 ? static_cast<To>(u64{1} << (sizeof(To) * 8 - 1))
                                             : To{0};
  }
  if (x >= above) return highest;
  if (is_signed ? x < -above : x < 0) return lowest;
  return static_cast<To>(x);
}

}  // namespace
}  // namespace softgpu::scalar

// Elementary functions for the approximate instructions: more precise than a float can show, and
// made so that a compiler turns a loop over lanes into vector instructions. Compiled once per
// instruction set, like scalar.hpp.
//
// Polynomials are truncated series on reduced arguments (Muller, Elementary Functions, chapters 3
// and 11); the error of each is below 1e-11, a hundred-thousandth of a float's last bit.
#pragma once

#include "softgpu/exec/scalar.hpp"

namespace softgpu::scalar {
namespace {

// Adding it to a number below 2^51 leaves the nearest whole number in the low bits.
inline constexpr double shifter = 0x1.8p52;

struct Exp2 {
  __attribute__((always_inline)) static double f(double x) {
    // Beyond these the float is 0 or infinite anyway.
    const double y = x > 140.0 ? 140.0 : (x < -160.0 ? -160.0 : x);
    const double shifted = y + shifter;
    const double t = (y - (shifted - shifter)) * 0x1.62e42fefa39efp-1;  // ln 2
    double p = 1.0 / 3628800;
    p = p * t + 1.0 / 362880;
    p = p * t + 1.0 / 40320;
    p = p * t + 1.0 / 5040;
    p = p * t + 1.0 / 720;
    p = p * t + 1.0 / 120;
    p = p * t + 1.0 / 24;
    p = p * t + 1.0 / 6;
    p = p * t + 0.5;
    p = p * t + 1.0;
    p = p * t + 1.0;
    // The polynomial is between 0.7 and 1.5: its exponent is moved by the whole part.
    const double r = bits<double>(bits<u64>(p) + (bits<u64>(shifted) << 52));
    return x != x ? x : r;
  }
};

struct Log2 {
  __attribute__((always_inline)) static double f(double x) {
    constexpr u64 half_root = 0x3fe6a09e667f3bcdULL;  // sqrt(1/2)
    const u64 b = bits<u64>(x);
    const u64 above = b - half_root;
    const auto exponent = static_cast<s32>(static_cast<s64>(above) >> 52);
    const double m =
        bits<double>(b - (above & 0xfff0000000000000ULL));  // from sqrt(1/2) to sqrt(2)
    const double t = (m - 1.0) / (m + 1.0);
    const double s = t * t;
    double p = 1.0 / 17;
    p = p * s + 1.0 / 15;
    p = p * s + 1.0 / 13;
    p = p * s + 1.0 / 11;
    p = p * s + 1.0 / 9;
    p = p * s + 1.0 / 7;
    p = p * s + 1.0 / 5;
    p = p * s + 1.0 / 3;
    p = p * s + 1.0;
    double r = static_cast<double>(exponent) + t * p * 0x1.71547652b82fep1;  // 2 / ln 2
    r = x == 0 ? -bits<double>(0x7ff0000000000000ULL) : r;
    r = b == 0x7ff0000000000000ULL ? x : r;
    return x < 0 || x != x ? bits<double>(0x7ff8000000000000ULL) : r;
  }
};

// For arguments up to 2^20; sine_is_large() finds the others, which are left to the C library.
template <int Quarter>
struct Sine {
  __attribute__((always_inline)) static double f(double x) {
    const double shifted = x * 0x1.45f306dc9c883p-1 + shifter;  // 2 / pi
    const double k = shifted - shifter;
    // pi / 2 in three parts; the products with the first two are exact (Cody and Waite).
    const double r = ((x - k * 0x1.921fb5p0) - k * 0x1.110b46p-26) - k * 0x1.1a62633145c07p-54;
    const u64 quadrant = bits<u64>(shifted) + Quarter;
    const double s = r * r;
    double sine = 1.0 / 6227020800.0;
    sine = sine * s - 1.0 / 39916800;
    sine = sine * s + 1.0 / 362880;
    sine = sine * s - 1.0 / 5040;
    sine = sine * s + 1.0 / 120;
    sine = sine * s - 1.0 / 6;
    sine = (sine * s + 1.0) * r;  // keeps the sign of zero
    double cosine = 1.0 / 479001600;
    cosine = cosine * s - 1.0 / 3628800;
    cosine = cosine * s + 1.0 / 40320;
    cosine = cosine * s - 1.0 / 720;
    cosine = cosine * s + 1.0 / 24;
    cosine = cosine * s - 0.5;
    cosine = cosine * s + 1.0;
    const double v = (quadrant & 1U) != 0 ? cosine : sine;
    return bits<double>(bits<u64>(v) ^ ((quadrant & 2U) << 62));
  }
};
__attribute__((always_inline)) inline bool sine_is_large(float x) {
  return !(__builtin_fabsf(x) <= 0x1p20F);
}

struct Tanh {
  __attribute__((always_inline)) static double f(double x) {
    const double y = x > 20.0 ? 20.0 : (x < -20.0 ? -20.0 : x);
    const double e = Exp2::f(y * 0x1.71547652b82fep1);  // e^(2y)
    const double r = (e - 1.0) / (e + 1.0);
    const double small = x * (1.0 - x * x * (1.0 / 3));
    return __builtin_fabs(x) < 0x1p-12 ? small : r;
  }
};
struct Reciprocal {
  __attribute__((always_inline)) static double f(double x) { return 1.0 / x; }
};
struct SquareRoot {
  __attribute__((always_inline)) static double f(double x) { return __builtin_sqrt(x); }
};
struct ReciprocalRoot {
  __attribute__((always_inline)) static double f(double x) { return 1.0 / __builtin_sqrt(x); }
};

}  // namespace
}  // namespace softgpu::scalar

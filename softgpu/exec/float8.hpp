// The 8-bit floats of PTX, on one value: e4m3 (bias 7, no infinity, 0x7f is NaN) and e5m2 (bias 15,
// infinity 0x7c). PTX ISA 9.0, section 5.2.3, "Alternate floating-point data formats".
#pragma once

#include "softgpu/exec/scalar.hpp"

namespace softgpu::scalar {
namespace {

__attribute__((always_inline)) inline float e5m2_to_float(u32 x) {
  // The upper byte of a half.
  return half_to_float((x & 0xffU) << 8);
}
__attribute__((always_inline)) inline float e4m3_to_float(u32 x) {
  const u32 sign = (x & 0x80U) << 24;
  const u32 magnitude = x & 0x7fU;
  const u32 normal = (magnitude << 20) + (120U << 23);
  const float denormal = static_cast<float>(static_cast<s32>(magnitude)) * 0x1p-9F;
  const u32 value = magnitude == 0x7fU   ? canonical_nan32
                    : magnitude >= 0x08U ? (normal | sign)
                                         : (bits<u32>(denormal) | sign);
  return bits<float>(value);
}

// To nearest even, too large values to the largest finite one (.satfinite), NaN to 0x7f.
__attribute__((always_inline)) inline u32 float_to_small(float x, u32 mantissa, u32 bias,
                                                         u32 largest) {
  const u32 b = bits<u32>(x);
  const u32 sign = (b >> 24) & 0x80U;
  const u32 magnitude = b & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return 0x7fU;
  const u32 shift = 23 - mantissa;
  u32 r = 0;
  if (magnitude < ((128U - bias) << 23)) {
    // Below 2^(1 - bias): a whole number of the smallest denormal. Adding 2^23 rounds to it.
    const float scale = bits<float>((127U + bias - 1 + mantissa) << 23);
    const float sum = bits<float>(magnitude) * scale + 0x1p23F;
    r = bits<u32>(sum) - 0x4b000000U;
  } else {
    const u32 rounded = magnitude + ((1U << (shift - 1)) - 1) + ((magnitude >> shift) & 1U);
    r = (rounded >> shift) - ((127U - bias) << mantissa);
  }
  if (r > largest) r = largest;
  return r | sign;
}
__attribute__((always_inline)) inline u32 float_to_e4m3(float x) {
  return float_to_small(x, 3, 7, 0x7eU);
}
__attribute__((always_inline)) inline u32 float_to_e5m2(float x) {
  return float_to_small(x, 2, 15, 0x7bU);
}

}  // namespace
}  // namespace softgpu::scalar

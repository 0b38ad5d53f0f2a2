// Conversions between types. Part of handlers.inl.

// How a conversion rounds to a whole number.
enum : u32 { whole_none, whole_even, whole_zero, whole_down, whole_up };
__attribute__((always_inline)) inline float whole(float x, u32 mode) {
  return mode == whole_even   ? __builtin_nearbyintf(x)
         : mode == whole_zero ? __builtin_truncf(x)
         : mode == whole_down ? __builtin_floorf(x)
                              : __builtin_ceilf(x);
}
__attribute__((always_inline)) inline double whole(double x, u32 mode) {
  return mode == whole_even   ? __builtin_nearbyint(x)
         : mode == whole_zero ? __builtin_trunc(x)
         : mode == whole_down ? __builtin_floor(x)
                              : __builtin_ceil(x);
}

// Integer to integer. aux bit 0: saturate.
template <class D, class A>
struct ConvertInteger {
  static typename D::value f(typename A::value a, typename A::value, typename A::value, u32 aux) {
    using To = typename D::value;
    if ((aux & 1U) != 0) {
      const s128 x = static_cast<s128>(a);
      constexpr bool is_signed = To(-1) < To(0);
      constexpr int size = sizeof(To) * 8;
      const s128 highest = is_signed ? (s128{1} << (size - 1)) - 1 : (s128{1} << size) - 1;
      const s128 lowest = is_signed ? -(s128{1} << (size - 1)) : s128{0};
      return static_cast<To>(x < lowest ? lowest : x > highest ? highest : x);
    }
    return static_cast<To>(a);
  }
};
template <class D, class A>
struct ConvertPlain {
  __attribute__((always_inline)) static typename D::value f(typename A::value a) {
    return static_cast<typename D::value>(a);
  }
};
struct ConvertRounded {
  __attribute__((always_inline)) static float f(double a) {
    return canonical(static_cast<float>(a));
  }
};
// Float to integer. aux bits 0-2: how to round, bit 3: flush.
template <class D, class A>
struct ConvertToInteger {
  static typename D::value f(typename A::value a, typename A::value, typename A::value, u32 aux) {
    if constexpr (sizeof(a) == 4) {
      if ((aux & 8U) != 0) a = flush32(a);
    }
    return to_integer<typename D::value, typename A::value>(whole(a, aux & 7U));
  }
};
template <class D, class A>
struct TruncateToInteger {
  __attribute__((always_inline)) static typename D::value f(typename A::value a) {
    return to_integer<typename D::value>(whole(a, whole_zero));
  }
};
// To a float with the control register's rounding: aux: control bits, bit 0 saturate, bits 1-3: to
// a whole number, bit 4: relu.
template <class D, class A>
const Op* convert_to_real(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename D::lane>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  const u32 mode = (op->aux >> 1) & 7U;
  typename D::value r[warp_size] = {};
  const bool flushes = (op->aux & flush) != 0;
  {
    const ControlRegister control(op->aux & round_zero);
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const int l = __builtin_ctz(rest);
      auto x = A::get(a[l]);
      if constexpr (std::is_same_v<A, F32>) {
        if (flushes) x = flush32(x);
      }
      __asm__ volatile("" : "+m"(x));
      if (mode != whole_none) {
        if constexpr (!std::is_integral_v<decltype(x)>) x = whole(x, mode);
      }
      typename D::value y = static_cast<typename D::value>(x);
      __asm__ volatile("" : "+m"(y));
      r[l] = y;
    }
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    auto x = r[l];
    if ((op->aux & 1U) != 0) x = x > 0 ? (x < 1 ? x : 1) : 0;
    if ((op->aux & 16U) != 0 && !(x > 0)) x = x != x ? x : 0;
    d[l] = D::put(tidy(flushes ? flush32(x) : x));
  }
  return op + 1;
}
// A number that float can hold, or the odd neighbour of one that it cannot.
template <class T>
__attribute__((always_inline)) inline float integer_to_odd(T v) {
  const bool negative = v < T{0};
  u64 magnitude = negative ? u64{0} - static_cast<u64>(v) : static_cast<u64>(v);
  if (magnitude >= (u64{1} << 24)) {
    const int shift = 40 - __builtin_clzll(magnitude);
    const u64 lost = magnitude & ((u64{1} << shift) - 1);
    magnitude = (((magnitude >> shift) | (lost != 0 ? 1U : 0U))) << shift;
  }
  const auto r = static_cast<float>(magnitude);
  return negative ? -r : r;
}
// Rounds a float, in which what was lost before is an odd last bit, to half or bfloat16. rounding:
// 0 nearest even, 1 zero, 2 down, 3 up.
template <class D>
__attribute__((always_inline)) inline u32 round_to_half(float r, u32 rounding) {
  u32 h = D::put(r);
  if (rounding == 0 || r != r) return h;
  const float magnitude = bits<float>(bits<u32>(r) & 0x7fffffffU);
  if (D::get(h & 0x7fffU) > magnitude) h -= 1;
  const bool negative = (bits<u32>(r) >> 31) != 0;
  if (((rounding == 2 && negative) || (rounding == 3 && !negative)) &&
      D::get(h & 0x7fffU) < magnitude)
    h += 1;
  return h;
}
// To half or bfloat16 with one rounding. aux: bit 0 saturate, bits 1-3 whole mode, bit 4 relu,
// bits 5-7 rounding as above, bit 8 .satfinite, bit 9 flush.
template <class D, class A>
struct ConvertToHalf {
  static u32 f(typename A::value v, typename A::value, typename A::value, u32 aux) {
    float r;
    if constexpr (std::is_integral_v<typename A::value>) {
      r = integer_to_odd(v);
    } else {
      if constexpr (std::is_same_v<A, F32>) {
        if ((aux & 0x200U) != 0) v = flush32(v);
      }
      const u32 mode = (aux >> 1) & 7U;
      if (mode != whole_none) v = whole(v, mode);
      if constexpr (sizeof(v) == 8)
        r = to_odd(v);
      else
        r = v;
    }
    if ((aux & 1U) != 0) r = r > 0 ? (r < 1 ? r : 1.0F) : 0.0F;
    if ((aux & 16U) != 0 && !(r > 0) && r == r) r = 0;
    u32 h = round_to_half<D>(r, (aux >> 5) & 7U);
    if ((aux & 0x100U) != 0 && (h & 0x7fffU) == D::exponent) h -= 1;  // the largest, not infinity
    return h;
  }
};
// Two floats to a register of two halves: a is the upper one.
template <class D>
struct ConvertPair {
  static u32 f(float a, float b, float, u32 aux) {
    const u32 high = ConvertToHalf<D, F32>::f(a, 0, 0, aux);
    const u32 low = ConvertToHalf<D, F32>::f(b, 0, 0, aux);
    return (high << 16) | (low & 0xffffU);
  }
};
// cvt.pack: a and b to fields of some bits, saturated, below them what c holds already. aux: bits
// of a field in 0-7, bit 8 the field is signed.
struct PackFields {
  static u32 f(u32 a, u32 b, u32 c, u32 aux) {
    const u32 size = aux & 0xffU;
    const bool is_signed = (aux & 0x100U) != 0;
    const auto field = [&](u32 x) {
      return static_cast<u32>(VideoElement::clamp(static_cast<s32>(x), size, is_signed)) &
             ((1U << size) - 1);
    };
    const u32 both = (field(a) << size) | field(b);
    return size == 16 ? both : (c << (2 * size)) | both;
  }
};
// f32 to tf32: 10 bits of mantissa. aux bits 0-1: to nearest with ties away (0), to nearest even
// (1), to zero (2); bit 4 relu, bit 8 .satfinite.
struct ConvertTf32 {
  static u32 f(u32 a, u32, u32, u32 aux) {
    if ((a & 0x7fffffffU) > 0x7f800000U) return canonical_nan32;
    if ((aux & 16U) != 0 && (a >> 31) != 0) return 0;
    u32 r = a;
    if ((a & 0x7f800000U) != 0x7f800000U) {
      const u32 how = aux & 3U;
      if (how == 1) r += 0xfffU + ((a >> 13) & 1U);
      if (how == 0) r += 0x1000U;
      r &= ~0x1fffU;
    }
    if ((aux & 0x100U) != 0 && (r & 0x7fffffffU) == 0x7f800000U) r -= 0x2000U;
    return r;
  }
};

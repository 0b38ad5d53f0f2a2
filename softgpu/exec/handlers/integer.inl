// Operations on integers, and the parts that they share with those on other types. Part of
// handlers.inl.

#define SOFTGPU_F1(NAME, ...)                           \
  struct NAME {                                         \
    template <class T>                                  \
    __attribute__((always_inline)) static auto f(T a) { \
      return __VA_ARGS__;                               \
    }                                                   \
  };
#define SOFTGPU_F2(NAME, ...)                                \
  struct NAME {                                              \
    template <class T, class S>                              \
    __attribute__((always_inline)) static auto f(T a, S b) { \
      return __VA_ARGS__;                                    \
    }                                                        \
  };
#define SOFTGPU_F3(NAME, ...)                                     \
  struct NAME {                                                   \
    template <class T, class S, class R>                          \
    __attribute__((always_inline)) static auto f(T a, S b, R c) { \
      return __VA_ARGS__;                                         \
    }                                                             \
  };

// Integers wrap: arithmetic is on unsigned integers of at least the width of an int.
template <class T>
using Wrapping = std::conditional_t<(sizeof(T) < 4), u32, std::make_unsigned_t<T>>;
SOFTGPU_F2(Add, static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b)))
SOFTGPU_F2(Sub, static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b)))
SOFTGPU_F2(Mul, static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b)))
SOFTGPU_F2(Min, a < b ? a : b)
SOFTGPU_F2(Max, a > b ? a : b)
SOFTGPU_F2(And, static_cast<T>(a& b))
SOFTGPU_F2(Or, static_cast<T>(a | b))
SOFTGPU_F2(Xor, static_cast<T>(a ^ b))
SOFTGPU_F1(Not, static_cast<T>(~a))
SOFTGPU_F1(Same, a)
SOFTGPU_F1(Negate, static_cast<T>(T{0} - a))
SOFTGPU_F1(IsZero, static_cast<T>(a == 0 ? 1 : 0))
SOFTGPU_F3(MulAdd, static_cast<R>(static_cast<Wrapping<R>>(a) * static_cast<Wrapping<R>>(b) +
                                  static_cast<Wrapping<R>>(c)))
SOFTGPU_F1(PopCount, static_cast<u32>(sizeof(T) == 8 ? __builtin_popcountll(static_cast<u64>(a))
                                                     : __builtin_popcount(static_cast<u32>(a))))
SOFTGPU_F1(LeadingZeros,
           a == 0 ? static_cast<u32>(sizeof(T) * 8)
                  : static_cast<u32>(sizeof(T) == 8 ? __builtin_clzll(static_cast<u64>(a))
                                                    : __builtin_clz(static_cast<u32>(a))))

struct Absolute {
  template <class T>
  __attribute__((always_inline)) static T f(T a) {
    return a < 0 ? static_cast<T>(static_cast<std::make_unsigned_t<T>>(0) -
                                  static_cast<std::make_unsigned_t<T>>(a))
                 : a;
  }
};
// Shifts by the register's width or more give what an endless shift would.
struct ShiftLeft {
  template <class T>
  __attribute__((always_inline)) static T f(T a, u32 b) {
    return b >= sizeof(T) * 8 ? T{0} : static_cast<T>(a << b);
  }
};
struct ShiftRight {
  template <class T>
  __attribute__((always_inline)) static T f(T a, u32 b) {
    constexpr u32 top = sizeof(T) * 8 - 1;
    if constexpr (T(-1) < T(0))
      return static_cast<T>(a >> (b > top ? top : b));
    else
      return b > top ? T{0} : static_cast<T>(a >> b);
  }
};
struct MulHigh16 {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b) {
    using Wide = std::conditional_t<(T(-1) < T(0)), s32, u32>;
    return static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> 16);
  }
};
struct MulHigh32 {
  __attribute__((always_inline)) static u32 f(u32 a, u32 b) {
    return static_cast<u32>((static_cast<u64>(a) * b) >> 32);
  }
  __attribute__((always_inline)) static s32 f(s32 a, s32 b) {
    return static_cast<s32>((static_cast<s64>(a) * b) >> 32);
  }
};
struct MulHigh64 {
  __attribute__((always_inline)) static u64 f(u64 a, u64 b) {
    return static_cast<u64>((static_cast<u128>(a) * b) >> 64);
  }
  __attribute__((always_inline)) static s64 f(s64 a, s64 b) {
    return static_cast<s64>((static_cast<s128>(a) * b) >> 64);
  }
};
template <class High>
struct MulHighAdd {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, T c) {
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(High::f(a, b)) +
                          static_cast<std::make_unsigned_t<T>>(c));
  }
};
template <class Wide>
struct MulWide {
  template <class T>
  __attribute__((always_inline)) static Wide f(T a, T b) {
    return static_cast<Wide>(static_cast<Wide>(a) * static_cast<Wide>(b));
  }
};
template <class Wide>
struct MadWide {
  template <class T>
  __attribute__((always_inline)) static Wide f(T a, T b, Wide c) {
    using U = std::make_unsigned_t<Wide>;
    return static_cast<Wide>(static_cast<U>(static_cast<Wide>(a) * static_cast<Wide>(b)) +
                             static_cast<U>(c));
  }
};
SOFTGPU_F3(SumOfDifference, static_cast<T>((a < b ? static_cast<u64>(b) - static_cast<u64>(a)
                                                  : static_cast<u64>(a) - static_cast<u64>(b)) +
                                           static_cast<u64>(c)))
struct Mul24Low {
  __attribute__((always_inline)) static u32 f(u32 a, u32 b) {
    return (a & 0xffffffU) * (b & 0xffffffU);
  }
  __attribute__((always_inline)) static s32 f(s32 a, s32 b) {
    return static_cast<s32>(
        static_cast<u32>((static_cast<s64>(static_cast<s32>(static_cast<u32>(a) << 8) >> 8)) *
                         (static_cast<s32>(static_cast<u32>(b) << 8) >> 8)));
  }
};
struct Mul24High {
  __attribute__((always_inline)) static u32 f(u32 a, u32 b) {
    return static_cast<u32>((static_cast<u64>(a & 0xffffffU) * (b & 0xffffffU)) >> 16);
  }
  __attribute__((always_inline)) static s32 f(s32 a, s32 b) {
    return static_cast<s32>((static_cast<s64>(static_cast<s32>(static_cast<u32>(a) << 8) >> 8) *
                             (static_cast<s32>(static_cast<u32>(b) << 8) >> 8)) >>
                            16);
  }
};
template <class M>
struct Mad24 {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, T c) {
    return static_cast<T>(static_cast<u32>(M::f(a, b)) + static_cast<u32>(c));
  }
};
struct SaturateAdd {
  __attribute__((always_inline)) static s32 f(s32 a, s32 b) {
    const s64 r = static_cast<s64>(a) + b;
    return static_cast<s32>(r > INT32_MAX ? INT32_MAX : r < INT32_MIN ? INT32_MIN : r);
  }
};
struct SaturateSub {
  __attribute__((always_inline)) static s32 f(s32 a, s32 b) {
    const s64 r = static_cast<s64>(a) - b;
    return static_cast<s32>(r > INT32_MAX ? INT32_MAX : r < INT32_MIN ? INT32_MIN : r);
  }
};
struct SaturateMadHigh {
  __attribute__((always_inline)) static s32 f(s32 a, s32 b, s32 c) {
    return SaturateAdd::f(MulHigh32::f(a, b), c);
  }
};
struct SaturateMad24High {
  __attribute__((always_inline)) static s32 f(s32 a, s32 b, s32 c) {
    return SaturateAdd::f(Mul24High::f(a, b), c);
  }
};
struct Divide {
  template <class T>
  static T f(T a, T b, T, u32) {
    return divide(a, b);
  }
};
struct Remainder {
  template <class T>
  static T f(T a, T b, T, u32) {
    return remainder(a, b);
  }
};
struct FindLeading {
  template <class T>
  static u32 f(T a, u32, u32, u32 aux) {
    return find_leading<T, (T(-1) < T(0))>(a, aux != 0);
  }
};
struct ExtractField {
  template <class T>
  static T f(T a, u32 b, u32 c, u32) {
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(extract_field<U, (T(-1) < T(0))>(static_cast<U>(a), b, c));
  }
};
template <class T>
const Op* insert(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<T>(w, op->d);
  const auto* a = lanes<T>(w, op->a);
  const auto* b = lanes<T>(w, op->b);
  const auto* c = lanes<u32>(w, op->c);
  const auto* e = lanes<u32>(w, op->aux);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    d[l] = insert_field<T>(a[l], b[l], c[l], e[l]);
  }
  return op + 1;
}
struct ReverseBits {
  static u32 f(u32 a, u32, u32, u32) { return reverse_bits(a); }
  static u64 f(u64 a, u64, u64, u32) {
    return (static_cast<u64>(reverse_bits(static_cast<u32>(a))) << 32) |
           reverse_bits(static_cast<u32>(a >> 32));
  }
};
struct PermuteBytes {
  static u32 f(u32 a, u32 b, u32 c, u32 aux) { return permute_bytes(a, b, c, aux); }
};
const Op* logic3_op(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const auto* c = lanes<u32>(w, op->c);
  const u32 table = op->aux;
  alignas(64) u32 r[warp_size];
  // As a sum of minterms, with masks that are constant over the lanes.
  u32 t[8];
  for (int i = 0; i < 8; ++i) t[i] = 0U - ((table >> i) & 1U);
  SOFTGPU_LANES {
    const u32 x = a[l];
    const u32 y = b[l];
    const u32 z = c[l];
    r[l] = (t[0] & ~x & ~y & ~z) | (t[1] & ~x & ~y & z) | (t[2] & ~x & y & ~z) |
           (t[3] & ~x & y & z) | (t[4] & x & ~y & ~z) | (t[5] & x & ~y & z) | (t[6] & x & y & ~z) |
           (t[7] & x & y & z);
  }
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = r[l];
  } else {
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? r[l] : d[l];
  }
  return op + 1;
}
// aux: bit 0 right, bit 1 clamp (else wrap).
struct FunnelShift {
  static u32 f(u32 a, u32 b, u32 c, u32 aux) {
    const u32 n = (aux & 2U) != 0 ? (c > 32 ? 32 : c) : (c & 31U);
    const u64 x = (static_cast<u64>(b) << 32) | a;
    return (aux & 1U) != 0 ? static_cast<u32>(n == 32 ? x >> 32 : x >> n)
                           : static_cast<u32>(n == 32 ? a : (x << n) >> 32);
  }
};
// aux: bit 0 wrap (else clamp).
struct BitMask {
  static u32 f(u32 a, u32 b, u32, u32 aux) {
    const u32 position = (aux & 1U) != 0 ? (a & 31U) : a;
    const u32 width = (aux & 1U) != 0 ? (b & 31U) : (b > 32 ? 32 : b);
    if (position >= 32 || width == 0) return 0;
    const u32 ones = width >= 32 ? 0xffffffffU : ((1U << width) - 1);
    return ones << position;
  }
};
// aux: bit 0 wrap, bit 1 signed.
struct ExtendFrom {
  static u32 f(u32 a, u32 b, u32, u32 aux) {
    const u32 n = (aux & 1U) != 0 ? (b & 31U) : b;
    if (n >= 32) return a;
    if (n == 0) return 0;
    const u32 kept = a & ((1U << n) - 1);
    return (aux & 2U) != 0 && ((kept >> (n - 1)) & 1U) != 0 ? kept | ~((1U << n) - 1) : kept;
  }
};
struct FindNthSet {
  static u32 f(u32 mask, u32 base, u32 offset, u32) {
    const auto n = static_cast<s32>(offset);
    if (n == 0) return base < 32 && ((mask >> base) & 1U) != 0 ? base : 0xffffffffU;
    s64 left = (n > 0 ? s64{n} : -s64{n}) - 1;
    const s32 step = n > 0 ? 1 : -1;
    for (s64 i = static_cast<s64>(base); i >= 0 && i < 32; i += step) {
      if (((mask >> i) & 1U) != 0 && left-- == 0) return static_cast<u32>(i);
    }
    return 0xffffffffU;
  }
};
// aux: bit 0 a signed, bit 1 b signed, bit 2 dp2a, bit 3 its high half.
struct DotProduct {
  static u32 f(u32 a, u32 b, u32 c, u32 aux) {
    s64 sum = static_cast<s64>(static_cast<s32>(c));
    if ((aux & 3U) == 0) sum = c;
    const auto byte_of = [](u32 x, int i, bool s) {
      const u32 v = (x >> (8 * i)) & 0xffU;
      return s ? static_cast<s32>(static_cast<s8>(v)) : static_cast<s32>(v);
    };
    if ((aux & 4U) == 0) {
      for (int i = 0; i < 4; ++i)
        sum += static_cast<s64>(byte_of(a, i, (aux & 1U) != 0)) * byte_of(b, i, (aux & 2U) != 0);
    } else {
      for (int i = 0; i < 2; ++i) {
        const u32 v = (a >> (16 * i)) & 0xffffU;
        const s32 x = (aux & 1U) != 0 ? static_cast<s32>(static_cast<s16>(v)) : static_cast<s32>(v);
        sum += static_cast<s64>(x) * byte_of(b, i + ((aux & 8U) != 0 ? 2 : 0), (aux & 2U) != 0);
      }
    }
    return static_cast<u32>(sum);
  }
};
// aux: bits 0-1: 0 add, 1 sub with borrow; bit 2 carry in, bit 3 carry out. The carry of each lane
// is a predicate in slot c.
template <class T>
const Op* add_carry(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<T>(w, op->d);
  const auto* a = lanes<T>(w, op->a);
  const auto* b = lanes<T>(w, op->b);
  u32& carry = predicate(w, op->c);
  const u32 in = (op->aux & 4U) != 0 ? carry : 0;
  u32 out = carry & ~m;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const T c = (in >> l) & 1U;
    const T x = a[l];
    const T y = b[l];
    T r;
    bool o;
    if ((op->aux & 1U) == 0) {
      r = static_cast<T>(x + y + c);
      o = r < x || (c != 0 && r == x);
    } else {
      r = static_cast<T>(x - y - c);
      o = x < y || (c != 0 && x == y);
    }
    d[l] = r;
    out |= (o ? 1U : 0U) << l;
  }
  if ((op->aux & 8U) != 0) carry = out;
  return op + 1;
}
// mad with carry: aux bit 0 the high half, bit 2 carry in, bit 3 carry out, bit 4 signed; the carry
// predicate's slot is imm.
template <class T, class Wide, class SignedWide>
const Op* mad_carry(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<T>(w, op->d);
  const auto* a = lanes<T>(w, op->a);
  const auto* b = lanes<T>(w, op->b);
  const auto* c = lanes<T>(w, op->c);
  u32& carry = predicate(w, static_cast<u32>(op->imm));
  const u32 in = (op->aux & 4U) != 0 ? carry : 0;
  u32 out = carry & ~m;
  using S = std::make_signed_t<T>;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const Wide product = (op->aux & 16U) != 0
                             ? static_cast<Wide>(static_cast<SignedWide>(static_cast<S>(a[l])) *
                                                 static_cast<SignedWide>(static_cast<S>(b[l])))
                             : static_cast<Wide>(a[l]) * b[l];
    const T x = static_cast<T>((op->aux & 1U) != 0 ? product >> (sizeof(T) * 8) : product);
    const T k = (in >> l) & 1U;
    const T r = static_cast<T>(x + c[l] + k);
    const bool o = r < x || (k != 0 && r == x);
    d[l] = r;
    out |= (o ? 1U : 0U) << l;
  }
  if ((op->aux & 8U) != 0) carry = out;
  return op + 1;
}

// Video instructions, scalar and SIMD: PTX ISA, "Scalar Video Instructions" and "SIMD Video
// Instructions". imm holds a VideoForm.
struct VideoElement {
  static s64 part(u32 x, u32 bits_of_part, u32 index, bool is_signed) {
    const u64 v = (static_cast<u64>(x) >> (bits_of_part * index)) & ((u64{1} << bits_of_part) - 1);
    return is_signed && (v >> (bits_of_part - 1)) != 0
               ? static_cast<s64>(v) - (s64{1} << bits_of_part)
               : static_cast<s64>(v);
  }
  // Selectors: 0 the whole, 1-4 a byte, 5-6 a half word.
  static s64 select(u32 x, u32 selector, bool is_signed) {
    return selector == 0   ? part(x, 32, 0, is_signed)
           : selector <= 4 ? part(x, 8, selector - 1, is_signed)
                           : part(x, 16, selector - 5, is_signed);
  }
  static s64 clamp(s128 x, u32 bits_of_part, bool is_signed) {
    const s64 highest = (s64{1} << (bits_of_part - (is_signed ? 1 : 0))) - 1;
    const s64 lowest = is_signed ? -(s64{1} << (bits_of_part - 1)) : 0;
    return x < lowest ? lowest : x > highest ? highest : static_cast<s64>(x);
  }
  static s128 compute(const VideoForm& form, s64 a, s64 b) {
    switch (form.operation()) {
      case VideoForm::add: return a + b;
      case VideoForm::subtract: return a - b;
      case VideoForm::absolute_difference: return a < b ? b - a : a - b;
      case VideoForm::minimum: return a < b ? a : b;
      case VideoForm::maximum: return a > b ? a : b;
      case VideoForm::average: return a + b >= 0 ? (a + b + 1) >> 1 : (a + b) >> 1;
      case VideoForm::shift_left: return static_cast<s128>(a) << b;
      case VideoForm::shift_right: return a >> b;
      default: break;
    }
    switch (form.comparison()) {
      case 0: return a == b ? 1 : 0;
      case 1: return a != b ? 1 : 0;
      case 2: return a < b ? 1 : 0;
      case 3: return a <= b ? 1 : 0;
      case 4: return a > b ? 1 : 0;
      default: return a >= b ? 1 : 0;
    }
  }
  static u32 scalar(const VideoForm& form, u32 a, u32 b, u32 c) {
    const s64 x = select(a, form.a_selector(), form.a_signed());
    s64 y = select(b, form.b_selector(), form.b_signed());
    if (form.operation() == VideoForm::shift_left || form.operation() == VideoForm::shift_right) {
      y = form.wrap() ? y & 31 : (y > 32 ? 32 : y);
    }
    s128 r = compute(form, x, y);
    const u32 to = form.d_selector();
    const u32 size = to == 0 ? 32 : to <= 4 ? 8 : 16;
    if (form.saturate()) r = clamp(r, size, form.d_signed());
    if (form.secondary() != 0) {
      const s64 z = part(c, 32, 0, form.d_signed());
      // The first result has the type of the destination by now.
      r = part(static_cast<u32>(r), 32, 0, form.d_signed());
      return static_cast<u32>(form.secondary() == 1   ? r + z
                              : form.secondary() == 2 ? (r < z ? r : z)
                                                      : (r > z ? r : z));
    }
    if (to == 0) return static_cast<u32>(r);
    const u32 shift = to <= 4 ? 8 * (to - 1) : 16 * (to - 5);
    const u32 mask = (size == 8 ? 0xffU : 0xffffU) << shift;
    return ((static_cast<u32>(r) << shift) & mask) | (c & ~mask);
  }
  static u32 parallel(const VideoForm& form, u32 a, u32 b, u32 c) {
    const u32 count = form.parts();
    const u32 size = 32 / count;
    u32 d = form.secondary() != 0 ? c : 0;
    for (u32 i = 0; i < count; ++i) {
      const u32 from_a = form.a_part(i);
      const u32 from_b = form.b_part(i);
      const s64 x = part(from_a < count ? a : b, size, from_a % count, form.a_signed());
      const s64 y = part(from_b < count ? a : b, size, from_b % count, form.b_signed());
      s128 r = compute(form, x, y);
      if (form.saturate()) r = clamp(r, size, form.d_signed());
      const bool wanted = ((form.mask() >> i) & 1U) != 0;
      if (form.secondary() != 0) {
        if (wanted) d += static_cast<u32>(r);
      } else {
        const u32 mask = static_cast<u32>((u64{1} << size) - 1) << (size * i);
        d |= (wanted ? static_cast<u32>(r) << (size * i) : c) & mask;
      }
    }
    return d;
  }
  static u32 multiply_add(const VideoForm& form, u32 a, u32 b, u32 c) {
    const s128 x = select(a, form.a_selector(), form.a_signed());
    const s128 y = select(b, form.b_selector(), form.b_signed());
    const bool is_signed =
        form.a_signed() || form.b_signed() || form.negate_product() || form.negate_c();
    s128 sum = x * y;
    s128 z = part(c, 32, 0, is_signed);
    if (form.plus_one())
      z += 1;
    else if (form.negate_product())
      sum = -sum;
    else if (form.negate_c())
      z = -z;
    sum = (sum + z) >> form.scale();
    if (form.saturate()) {
      const s128 highest = is_signed ? s128{0x7fffffff} : s128{0xffffffffU};
      const s128 lowest = is_signed ? -s128{0x80000000LL} : s128{0};
      sum = sum < lowest ? lowest : sum > highest ? highest : sum;
    }
    return static_cast<u32>(sum);
  }
};
const Op* video(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const auto* c = lanes<u32>(w, op->c);
  const VideoForm form{static_cast<u64>(op->imm)};
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    d[l] = form.operation() == VideoForm::multiply_add
               ? VideoElement::multiply_add(form, a[l], b[l], c[l])
           : form.parts() > 1 ? VideoElement::parallel(form, a[l], b[l], c[l])
                              : VideoElement::scalar(form, a[l], b[l], c[l]);
  }
  return op + 1;
}

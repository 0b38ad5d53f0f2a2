// Half precision and bfloat16, one or two to a register. Part of handlers.inl.

// One rounding: the operation is exact or rounded to odd in float.
template <class H>
struct HalfOps {
  static float add(float a, float b) { return fma_to_odd(a, 1.0F, b); }
  static float sub(float a, float b) { return fma_to_odd(a, 1.0F, -b); }
  static float mul(float a, float b) {
    return to_odd(static_cast<double>(a) * static_cast<double>(b));
  }
  static float fma(float a, float b, float c) { return fma_to_odd(a, b, c); }
};
enum : u32 {
  half_add,
  half_sub,
  half_mul,
  half_fma,
  half_min,
  half_max,
  half_min_nan,
  half_max_nan,
  half_neg,
  half_abs,
  half_ex2,
  half_tanh
};
// A subnormal becomes zero of its sign.
template <class H>
__attribute__((always_inline)) inline u32 flush_half(u32 h) {
  return (h & H::exponent) == 0 ? h & 0x8000U : h;
}
// aux: operation in bits 0-7, bit 8 two per register, bit 9 saturate, bit 10 relu, bit 11 flush,
// bit 12 .xorsign.abs.
template <class H>
struct HalfArithmetic {
  static u32 one(u32 x, u32 y, u32 z, u32 aux) {
    const u32 which = aux & 0xffU;
    if (which == half_neg || which == half_abs) {
      if ((aux & 0x800U) != 0) x = flush_half<H>(x);
      return which == half_neg ? (x ^ 0x8000U) & 0xffffU : x & 0x7fffU;
    }
    u32 sign = 0;
    if ((aux & 0x1000U) != 0) {
      sign = (x ^ y) & 0x8000U;
      x &= 0x7fffU;
      y &= 0x7fffU;
    }
    float a = H::get(x);
    float b = H::get(y);
    float c = H::get(z);
    if ((aux & 0x800U) != 0) {
      a = H::get(flush_half<H>(x));
      b = H::get(flush_half<H>(y));
      c = H::get(flush_half<H>(z));
    }
    float r = 0;
    switch (which) {
      case half_add: r = HalfOps<H>::add(a, b); break;
      case half_sub: r = HalfOps<H>::sub(a, b); break;
      case half_mul: r = HalfOps<H>::mul(a, b); break;
      case half_fma: r = HalfOps<H>::fma(a, b, c); break;
      case half_min: r = extreme<float, u32, false, false>(a, b); break;
      case half_max: r = extreme<float, u32, true, false>(a, b); break;
      case half_min_nan: r = extreme<float, u32, false, true>(a, b); break;
      case half_max_nan: r = extreme<float, u32, true, true>(a, b); break;
      case half_ex2: r = to_odd(::exp2(static_cast<double>(a))); break;
      default: r = to_odd(::tanh(static_cast<double>(a))); break;
    }
    if ((aux & 0x200U) != 0) r = r > 0 ? (r < 1 ? r : 1) : 0;
    if ((aux & 0x400U) != 0 && !(r > 0) && r == r) r = 0;
    u32 h = H::put(r);
    if ((aux & 0x800U) != 0) h = flush_half<H>(h);
    if ((aux & 0x1000U) != 0 && (h & 0x7fffU) <= H::exponent) h |= sign;
    return h;
  }
  static u32 f(u32 a, u32 b, u32 c, u32 aux) {
    const u32 low = one(a & 0xffffU, b & 0xffffU, c & 0xffffU, aux);
    if ((aux & 0x100U) == 0) return low;
    return low | (one(a >> 16, b >> 16, c >> 16, aux) << 16);
  }
};
// setp on halves, one or two per register: aux as for setp, imm: comparison in bits 0-7, bit 8 two,
// bit 11 .ftz.
template <class H>
bool compare_half(u32 x, u32 y, u32 which, bool flushes) {
  const float a = H::get(flushes ? flush_half<H>(x) : x);
  const float b = H::get(flushes ? flush_half<H>(y) : y);
  switch (which) {
    case 0: return Eq::f(a, b);
    case 1: return Ne::f(a, b);
    case 2: return Lt::f(a, b);
    case 3: return Le::f(a, b);
    case 4: return Gt::f(a, b);
    case 5: return Ge::f(a, b);
    case 6: return Equ::f(a, b);
    case 7: return Neu::f(a, b);
    case 8: return Ltu::f(a, b);
    case 9: return Leu::f(a, b);
    case 10: return Gtu::f(a, b);
    case 11: return Geu::f(a, b);
    case 12: return Num::f(a, b);
    default: return Nan::f(a, b);
  }
}
template <class H>
const Op* setp_half(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const u32 which = static_cast<u32>(op->imm) & 0xffU;
  const bool flushes = (op->imm & 0x800) != 0;
  u32 low = 0;
  u32 high = 0;
  for (int l = 0; l < warp_size; ++l) {
    low |= (compare_half<H>(a[l] & 0xffffU, b[l] & 0xffffU, which, flushes) ? 1U : 0U) << l;
    high |= (compare_half<H>(a[l] >> 16, b[l] >> 16, which, flushes) ? 1U : 0U) << l;
  }
  if ((op->imm & 0x100) == 0) return finish_setp(w, op, m, low);
  // Two: p is the low halves' result, q the high halves'.
  const u32 how = op->aux & 3U;
  if (how != combine_none) {
    const u32 c = predicate(w, op->c) ^ (0U - ((op->aux >> 2) & 1U));
    low = how == combine_and ? low & c : how == combine_or ? low | c : low ^ c;
    high = how == combine_and ? high & c : how == combine_or ? high | c : high ^ c;
  }
  blend(predicate(w, op->d), low, m);
  const u32 q = (op->aux >> 3) * 4;
  if (q != 0) blend(predicate(w, q), high, m);
  return op + 1;
}
// set on halves: aux as for set, imm as above, bit 9: the result is a float (1.0) else all ones;
// bit 10: 32-bit.
template <class H>
const Op* set_half(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const u32 which = static_cast<u32>(op->imm) & 0xffU;
  const bool two = (op->imm & 0x100) != 0;
  const bool real = (op->imm & 0x200) != 0;
  const bool wide = (op->imm & 0x400) != 0;
  const u32 one = real ? (wide ? 0x3f800000U : H::put(1.0F)) : (wide ? 0xffffffffU : 0xffffU);
  const bool flushes = (op->imm & 0x800) != 0;
  const u32 how = op->aux & 3U;
  const u32 c = how != combine_none ? predicate(w, op->c) ^ (0U - ((op->aux >> 2) & 1U)) : 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const bool cl = ((c >> l) & 1U) != 0;
    const auto combined = [&](bool r) {
      return how == combine_and   ? r && cl
             : how == combine_or  ? r || cl
             : how == combine_xor ? r != cl
                                  : r;
    };
    u32 r = combined(compare_half<H>(a[l] & 0xffffU, b[l] & 0xffffU, which, flushes)) ? one : 0;
    if (two)
      r |= (combined(compare_half<H>(a[l] >> 16, b[l] >> 16, which, flushes)) ? one : 0) << 16;
    d[l] = r;
  }
  return op + 1;
}
// Pairs of 16-bit integers. aux: 0 add, 1 min, 2 max, 3 sub; bit 2 signed; bit 3 relu.
struct PairArithmetic {
  static u32 one(u32 x, u32 y, u32 aux) {
    const bool is_signed = (aux & 4U) != 0;
    const s32 a = is_signed ? static_cast<s32>(static_cast<s16>(x)) : static_cast<s32>(x);
    const s32 b = is_signed ? static_cast<s32>(static_cast<s16>(y)) : static_cast<s32>(y);
    s32 r = (aux & 3U) == 0   ? a + b
            : (aux & 3U) == 3 ? a - b
            : (aux & 3U) == 1 ? (a < b ? a : b)
                              : (a > b ? a : b);
    if ((aux & 8U) != 0 && r < 0) r = 0;
    return static_cast<u32>(r) & 0xffffU;
  }
  static u32 f(u32 a, u32 b, u32, u32 aux) {
    return one(a & 0xffffU, b & 0xffffU, aux) | (one(a >> 16, b >> 16, aux) << 16);
  }
};
struct ReluExtreme {
  static s32 f(s32 a, s32 b, s32, u32 aux) {
    const s32 r = (aux & 1U) != 0 ? (a > b ? a : b) : (a < b ? a : b);
    return r < 0 ? 0 : r;
  }
};

// Floating point in single and double precision. Part of handlers.inl.

__attribute__((always_inline)) inline float tidy(float x) { return canonical(x); }
__attribute__((always_inline)) inline double tidy(double x) { return x; }

struct FAdd {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b) {
    return tidy(a + b);
  }
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, T) {
    return a + b;
  }
};
struct FSub {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b) {
    return tidy(a - b);
  }
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, T) {
    return a - b;
  }
};
struct FMul {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b) {
    return tidy(a * b);
  }
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, T) {
    return a * b;
  }
};
struct FDiv {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b) {
    return tidy(a / b);
  }
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, T) {
    return a / b;
  }
};
struct FSqrt {
  static float f(float a) { return tidy(__builtin_sqrtf(a)); }
  static double f(double a) { return __builtin_sqrt(a); }
  static float f(float a, float, float) { return __builtin_sqrtf(a); }
  static double f(double a, double, double) { return __builtin_sqrt(a); }
};
struct FRcp {
  template <class T>
  __attribute__((always_inline)) static T f(T a) {
    return tidy(T{1} / a);
  }
  template <class T>
  __attribute__((always_inline)) static T f(T a, T, T) {
    return opaque(T{1}) / a;
  }
};
struct FFma {
  __attribute__((always_inline)) static float f(float a, float b, float c) {
    return tidy(__builtin_fmaf(a, b, c));
  }
  __attribute__((always_inline)) static double f(double a, double b, double c) {
    return __builtin_fma(a, b, c);
  }
};
struct FAbs {
  __attribute__((always_inline)) static float f(float a) {
    return bits<float>(bits<u32>(a) & 0x7fffffffU);
  }
  __attribute__((always_inline)) static double f(double a) {
    return bits<double>(bits<u64>(a) & 0x7fffffffffffffffULL);
  }
  template <class T>
  static T f(T a, T, T) {
    return f(a);
  }
};
struct FNeg {
  __attribute__((always_inline)) static float f(float a) {
    return bits<float>(bits<u32>(a) ^ 0x80000000U);
  }
  __attribute__((always_inline)) static double f(double a) {
    return bits<double>(bits<u64>(a) ^ 0x8000000000000000ULL);
  }
  template <class T>
  static T f(T a, T, T) {
    return f(a);
  }
};
// The common modifiers of single precision as vector operations: .ftz and .sat.
template <class F>
struct Flushing {
  template <class... Values>
  __attribute__((always_inline)) static float f(Values... x) {
    return flush32(F::f(flush32(x)...));
  }
};
template <class F>
struct Saturating {
  template <class... Values>
  __attribute__((always_inline)) static float f(Values... x) {
    const float r = F::f(x...);
    return r > 0 ? (r < 1 ? r : 1.0F) : 0.0F;  // NaN becomes +0
  }
};
template <bool Max, bool Nan>
struct FExtreme {
  __attribute__((always_inline)) static float f(float a, float b) {
    return extreme<float, u32, Max, Nan>(a, b);
  }
  __attribute__((always_inline)) static double f(double a, double b) {
    return extreme<double, u64, Max, Nan>(a, b);
  }
  template <class T>
  static T f(T a, T b, T) {
    return f(a, b);
  }
};
// aux bit 0: three operands; bit 1: .xorsign.abs; bit 2: .ftz; bit 3: .abs (of three operands).
template <bool Max, bool Nan>
struct FExtremeForms {
  static float f(float a, float b, float c, u32 aux) {
    if ((aux & 4U) != 0) {
      a = flush32(a);
      b = flush32(b);
      c = flush32(c);
    }
    if ((aux & 2U) != 0) {
      const u32 sign = (bits<u32>(a) ^ bits<u32>(b)) & 0x80000000U;
      const float r = extreme<float, u32, Max, Nan>(FAbs::f(a), FAbs::f(b));
      return r != r ? r : bits<float>((bits<u32>(r) & 0x7fffffffU) | sign);
    }
    if ((aux & 8U) != 0) {
      a = FAbs::f(a);
      b = FAbs::f(b);
      c = FAbs::f(c);
    }
    const float r = extreme<float, u32, Max, Nan>(a, b);
    return (aux & 1U) != 0 ? extreme<float, u32, Max, Nan>(r, c) : r;
  }
};
struct CopySign {
  static float f(float a, float b) {
    return bits<float>((bits<u32>(a) & 0x80000000U) | (bits<u32>(b) & 0x7fffffffU));
  }
  static double f(double a, double b) {
    return bits<double>((bits<u64>(a) & 0x8000000000000000ULL) |
                        (bits<u64>(b) & 0x7fffffffffffffffULL));
  }
};
SOFTGPU_F3(SelectBySign, c >= 0 ? a : b)
struct SelectBySignFlushed {
  template <class T>
  __attribute__((always_inline)) static T f(T a, T b, float c) {
    return flush32(c) >= 0 ? a : b;
  }
};

// The approximate functions are computed more precisely than the bound that the PTX ISA gives for
// them, then rounded once. aux bit 1 flushes denormals, as .ftz says.
template <class F>
struct Approximate {
  __attribute__((always_inline)) static float f(float a, float, float, u32 aux) {
    const bool flushes = (aux & 2U) != 0;
    const float r =
        canonical(static_cast<float>(F::f(static_cast<double>(flushes ? flush32(a) : a))));
    return flushes ? flush32(r) : r;
  }
};
struct LibrarySine {
  static double f(double x) { return ::sin(x); }
};
struct LibraryCosine {
  static double f(double x) { return ::cos(x); }
};
template <class F>
const Op* approximate_sine(Warp& w, const Op* op) {
  const auto* a = lanes<u32>(w, op->a);
  bool large = false;
  for (int l = 0; l < warp_size; ++l) large |= sine_is_large(bits<float>(a[l]));
  if (!large) return wide<Approximate<F>, F32, F32, F32, F32>(w, op);
  return each<
      Approximate<std::conditional_t<std::is_same_v<F, Sine<0>>, LibrarySine, LibraryCosine>>, F32,
      F32, F32, F32>(w, op);
}
struct ApproximateDivide {
  __attribute__((always_inline)) static float f(float x, float y, float, u32 aux) {
    const bool flushes = (aux & 2U) != 0;
    const float a = flushes ? flush32(x) : x;
    const float b = flushes ? flush32(y) : y;
    float r = canonical(a / b);
    // For 2^126 < |b| < 2^128 the hardware's div.approx gives 0 (div.full does not).
    const float magnitude = FAbs::f(b);
    const bool huge =
        (aux & 4U) != 0 && magnitude > 0x1p126F && magnitude < bits<float>(0x7f800000U);
    const float zero = FAbs::f(a) < bits<float>(0x7f800000U) ? 0.0F : bits<float>(canonical_nan32);
    r = huge ? zero : r;
    return flushes ? flush32(r) : r;
  }
};
// The forms with .ftz: subnormals are zeros, NaN is canonical, and only the upper half counts.
__attribute__((always_inline)) inline double flush64(double x) {
  return (bits<u64>(x) & 0x7ff0000000000000ULL) == 0
             ? bits<double>(bits<u64>(x) & 0x8000000000000000ULL)
             : x;
}
__attribute__((always_inline)) inline double coarse(double x) {
  return x != x ? bits<double>(u64{0x7fffffff00000000ULL})
                : bits<double>(bits<u64>(flush64(x)) & 0xffffffff00000000ULL);
}
struct ApproximateRcp64 {
  static double f(double a, double, double, u32) { return coarse(1.0 / flush64(a)); }
};
struct ApproximateRsqrt64 {
  static double f(double a, double, double, u32 aux) {
    return (aux & 4U) != 0 ? coarse(1.0 / __builtin_sqrt(flush64(a))) : 1.0 / __builtin_sqrt(a);
  }
};
// Moves a result inside its error bound (imm: a double), by the seed, the value and the lane:
// another implementation's result, as it were. Zeros, infinities and NaN stay. aux: bit 0 relative,
// else absolute; bit 1 two per register.
__attribute__((always_inline)) inline double moved(double x, double bound, bool relative,
                                                   u64 salt) {
  u64 h = (bits<u64>(x) ^ salt) * 0x9e3779b97f4a7c15ULL;
  h = (h ^ (h >> 29)) * 0xbf58476d1ce4e5b9ULL;
  h ^= h >> 32;
  const double u = static_cast<double>(static_cast<s64>(h)) * 0x1p-63;  // from -1 to 1
  return relative ? x + x * (u * bound) : x + u * bound;
}
template <class T>
const Op* jitter(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename T::lane>(w, op->d);
  const double bound = bits<double>(op->imm);
  const bool relative = (op->aux & 1U) != 0;
  const u64 salt = softgpu::jitter_seed() * 0xd1342543de82ef95ULL;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const auto x = static_cast<double>(T::get(d[l]));
    if (x == 0 || x - x != 0) continue;
    const auto y = T::put(static_cast<typename T::value>(moved(x, bound, relative, salt)));
    if constexpr (T::bytes == 2) {
      u32 both = (d[l] & 0xffff0000U) | (y & 0xffffU);
      if ((op->aux & 2U) != 0) {
        const auto upper = static_cast<double>(T::get(d[l] >> 16));
        if (upper != 0 && upper - upper == 0)
          both = (both & 0xffffU) |
                 (T::put(static_cast<float>(moved(upper, bound, relative, salt))) << 16);
      }
      d[l] = both;
    } else {
      d[l] = y;
    }
  }
  return op + 1;
}

// aux: which test.
template <class T, class U>
struct TestProperty {
  static bool is(T a, u32 which) {
    constexpr U sign = U{1} << (sizeof(U) * 8 - 1);
    constexpr U exponent = sizeof(U) == 4 ? U{0x7f800000U} : static_cast<U>(0x7ff0000000000000ULL);
    const U b = bits<U>(a) & ~sign;
    switch (which) {
      case 0: return b < exponent;                                     // finite
      case 1: return b == exponent;                                    // infinite
      case 2: return b <= exponent;                                    // number
      case 3: return b > exponent;                                     // notanumber
      case 4: return b < exponent && (b == 0 || (b & exponent) != 0);  // normal; zeros are
      default: return b != 0 && (b & exponent) == 0;                   // subnormal
    }
  }
};
template <class T, class U>
const Op* testp(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<U>(w, op->a);
  u32 r = 0;
  for (int l = 0; l < warp_size; ++l)
    r |= (TestProperty<T, U>::is(bits<T>(a[l]), op->aux) ? 1U : 0U) << l;
  blend(predicate(w, op->d), r, m);
  return op + 1;
}

// Comparisons; the last six are true where an operand is NaN.
SOFTGPU_F2(Eq, a == b)
SOFTGPU_F2(Ne, a != b && !(a != a) && !(b != b))
SOFTGPU_F2(Lt, a < b)
SOFTGPU_F2(Le, a <= b)
SOFTGPU_F2(Gt, a > b)
SOFTGPU_F2(Ge, a >= b)
SOFTGPU_F2(Equ, !(a < b) && !(a > b))
SOFTGPU_F2(Neu, !(a == b))
SOFTGPU_F2(Ltu, !(a >= b))
SOFTGPU_F2(Leu, !(a > b))
SOFTGPU_F2(Gtu, !(a <= b))
SOFTGPU_F2(Geu, !(a < b))
SOFTGPU_F2(Num, !(a != a) && !(b != b))
SOFTGPU_F2(Nan, (a != a) || (b != b))
SOFTGPU_F2(NeInteger, a != b)
template <class F>
struct CompareFlushed {
  __attribute__((always_inline)) static bool f(float a, float b) {
    return F::f(flush32(a), flush32(b));
  }
};

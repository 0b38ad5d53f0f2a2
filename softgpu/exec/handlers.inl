// The instructions, one handler each. Included once per instruction set by handlers_*.cpp, inside
// a region compiled for that set, with SOFTGPU_ISA naming the namespace.
//
// A handler works on all 32 lanes as one vector operation. With all lanes active it is a plain loop
// that the compiler turns into vector instructions; otherwise results are blended in by the mask.
// The loops carry no dependence between lanes even where destination and source are the same
// register, which is what the ivdep pragmas say.

namespace softgpu::SOFTGPU_ISA {
namespace {

using namespace softgpu::scalar;

#define SOFTGPU_LANES _Pragma("GCC ivdep") for (int l = 0; l < warp_size; ++l)

// --- types: the lane that holds a value, and the value ------------------------------------------

template <class Value, class Lane>
struct IntegerType {
  using lane = Lane;
  using value = Value;
  static constexpr int bytes = sizeof(Value);
  __attribute__((always_inline)) static value get(lane x) { return static_cast<value>(x); }
  __attribute__((always_inline)) static lane put(value v) {
    if constexpr (sizeof(Value) == 8)
      return static_cast<lane>(v);
    else if constexpr (sizeof(Value) == 4)
      return static_cast<lane>(v);
    else
      return static_cast<lane>(static_cast<s64>(v));  // a wider register gets the sign
  }
};
using U8 = IntegerType<u8, u32>;
using S8 = IntegerType<s8, u32>;
using U16 = IntegerType<u16, u32>;
using S16 = IntegerType<s16, u32>;
using U32 = IntegerType<u32, u32>;
using S32 = IntegerType<s32, u32>;
using U64 = IntegerType<u64, u64>;
using S64 = IntegerType<s64, u64>;
struct F32 {
  using lane = u32;
  using value = float;
  static constexpr int bytes = 4;
  __attribute__((always_inline)) static value get(lane x) { return bits<float>(x); }
  __attribute__((always_inline)) static lane put(value v) { return bits<u32>(v); }
};
struct F64 {
  using lane = u64;
  using value = double;
  static constexpr int bytes = 8;
  __attribute__((always_inline)) static value get(lane x) { return bits<double>(x); }
  __attribute__((always_inline)) static lane put(value v) { return bits<u64>(v); }
};
// Values are held as floats; put() rounds to nearest even.
struct F16 {
  using lane = u32;
  using value = float;
  static constexpr int bytes = 2;
  static constexpr u32 exponent = 0x7c00U;
  static constexpr u32 largest = 0x7bffU;
  __attribute__((always_inline)) static value get(lane x) { return half_to_float(x & 0xffffU); }
  __attribute__((always_inline)) static lane put(value v) { return float_to_half(v); }
};
struct BF16 {
  using lane = u32;
  using value = float;
  static constexpr int bytes = 2;
  static constexpr u32 exponent = 0x7f80U;
  static constexpr u32 largest = 0x7f7fU;
  __attribute__((always_inline)) static value get(lane x) { return bfloat_to_float(x & 0xffffU); }
  __attribute__((always_inline)) static lane put(value v) { return float_to_bfloat(v); }
};

// A handler ends with a jump to the next one, which the processor predicts better than the common
// call in run_warp. Where the compiler keeps no such jumps (sanitizers) the call's stack would grow
// with the basic block.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(SOFTGPU_NO_TAIL_CALLS)
#define SOFTGPU_NEXT return op[1].run(w, op + 1)
#else
#define SOFTGPU_NEXT return op + 1
#endif

// --- vector operations --------------------------------------------------------------------------

template <class F, class D, class A>
const Op* unary(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename D::lane>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = D::put(F::f(A::get(a[l])));
  } else if (m != 0) {
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? D::put(F::f(A::get(a[l]))) : d[l];
  }
  SOFTGPU_NEXT;
}

template <class F, class D, class A, class B = A>
const Op* binary(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename D::lane>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  const auto* b = lanes<typename B::lane>(w, op->b);
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = D::put(F::f(A::get(a[l]), B::get(b[l])));
  } else if (m != 0) {
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? D::put(F::f(A::get(a[l]), B::get(b[l]))) : d[l];
  }
  SOFTGPU_NEXT;
}

template <class F, class D, class A, class B = A, class C = D>
const Op* ternary(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename D::lane>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  const auto* b = lanes<typename B::lane>(w, op->b);
  const auto* c = lanes<typename C::lane>(w, op->c);
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = D::put(F::f(A::get(a[l]), B::get(b[l]), C::get(c[l])));
  } else if (m != 0) {
    SOFTGPU_LANES d[l] =
        ((m >> l) & 1U) != 0 ? D::put(F::f(A::get(a[l]), B::get(b[l]), C::get(c[l]))) : d[l];
  }
  SOFTGPU_NEXT;
}

// The same lane by lane, for what the compiler must not evaluate for inactive lanes or cannot
// vectorise anyway. `aux` is passed to the operation.
template <class F, class D, class A, class B, class C>
const Op* each(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename D::lane>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  const auto* b = lanes<typename B::lane>(w, op->b);
  const auto* c = lanes<typename C::lane>(w, op->c);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    d[l] = D::put(F::f(A::get(a[l]), B::get(b[l]), C::get(c[l]), op->aux));
  }
  SOFTGPU_NEXT;
}

// All lanes at once, with `aux`, for operations that a compiler can make vector instructions of and
// that do no harm to inactive lanes.
template <class F, class D, class A, class B, class C>
const Op* wide(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename D::lane>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  const auto* b = lanes<typename B::lane>(w, op->b);
  const auto* c = lanes<typename C::lane>(w, op->c);
  const u32 aux = op->aux;
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = D::put(F::f(A::get(a[l]), B::get(b[l]), C::get(c[l]), aux));
  } else if (m != 0) {
    SOFTGPU_LANES {
      const auto r = D::put(F::f(A::get(a[l]), B::get(b[l]), C::get(c[l]), aux));
      d[l] = ((m >> l) & 1U) != 0 ? r : d[l];
    }
  }
  SOFTGPU_NEXT;
}

// Rounding modes other than to nearest, and flushing of denormals, through the processor's control
// register. The barriers keep the arithmetic between the two writes of it.
struct ControlRegister {
  u32 before;
  explicit ControlRegister(u32 wanted) {
    __asm__ volatile("stmxcsr %0" : "=m"(before));
    const u32 now = (before & ~0xe040U) | wanted;
    __asm__ volatile("ldmxcsr %0" : : "m"(now) : "memory");
  }
  ~ControlRegister() { __asm__ volatile("ldmxcsr %0" : : "m"(before) : "memory"); }
};
inline constexpr u32 round_down = 0x2000;
inline constexpr u32 round_up = 0x4000;
inline constexpr u32 round_zero = 0x6000;
inline constexpr u32 flush = 0x8040;  // FTZ and DAZ

template <class T>
__attribute__((always_inline)) inline T opaque(T x) {
  __asm__ volatile("" : "+x"(x));
  return x;
}

// A subnormal single-precision number becomes zero of its sign.
__attribute__((always_inline)) inline float flush32(float x) {
  return (bits<u32>(x) & 0x7f800000U) == 0 ? bits<float>(bits<u32>(x) & 0x80000000U) : x;
}
__attribute__((always_inline)) inline double flush32(double x) { return x; }

// aux: control register bits; bit 0 saturates to [0, 1]. Only rounding is left to the processor:
// its own flushing looks at results before they are rounded and leaves bit operations alone.
template <class F, class T>
const Op* controlled(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<typename T::lane>(w, op->d);
  const auto* a = lanes<typename T::lane>(w, op->a);
  const auto* b = lanes<typename T::lane>(w, op->b);
  const auto* c = lanes<typename T::lane>(w, op->c);
  typename T::value r[warp_size] = {};
  const bool flushes = (op->aux & flush) != 0;
  const auto get = [flushes](typename T::lane bits_of_lane) {
    const auto x = T::get(bits_of_lane);
    return opaque(flushes ? flush32(x) : x);
  };
  {
    const ControlRegister control(op->aux & round_zero);
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const int l = __builtin_ctz(rest);
      r[l] = opaque(F::f(get(a[l]), get(b[l]), get(c[l])));
    }
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    auto x = flushes ? flush32(r[l]) : r[l];
    if ((op->aux & 1U) != 0) x = x > 0 ? (x < 1 ? x : 1) : 0;  // NaN becomes +0
    if constexpr (sizeof(x) == 4) x = canonical(x);
    d[l] = T::put(x);
  }
  return op + 1;
}

// --- predicates ---------------------------------------------------------------------------------

// One bit per lane from 0 / −1 flags.
__attribute__((always_inline)) inline u32 collect(const s32* flags) {
#if defined(SOFTGPU_AVX512)
  const __m512i low = _mm512_loadu_si512(flags);
  const __m512i high = _mm512_loadu_si512(flags + 16);
  return static_cast<u32>(_mm512_movepi32_mask(low)) |
         (static_cast<u32>(_mm512_movepi32_mask(high)) << 16);
#elif defined(SOFTGPU_AVX2)
  u32 r = 0;
  for (int i = 0; i < 4; ++i) {
    const __m256 part = _mm256_loadu_ps(reinterpret_cast<const float*>(flags + 8 * i));
    r |= static_cast<u32>(_mm256_movemask_ps(part)) << (8 * i);
  }
  return r;
#else
  u32 r = 0;
  for (int l = 0; l < warp_size; ++l) r |= (static_cast<u32>(flags[l]) >> 31) << l;
  return r;
#endif
}

__attribute__((always_inline)) inline void blend(u32& d, u32 value, u32 m) {
  d = (d & ~m) | (value & m);
}

enum : u32 { combine_none, combine_and, combine_or, combine_xor };

// setp: d gets the comparison, b2 (in `extra` offset c2) its complement; both combined with c.
// aux: bits 0-1 how to combine, bit 2 whether c is negated, bits 3.. the slot of q divided by 4
// (0 where there is none).
__attribute__((always_inline)) inline const Op* finish_setp(Warp& w, const Op* op, u32 m,
                                                            u32 result) {
  const u32 how = op->aux & 3U;
  u32 other = ~result;
  if (how != combine_none) {
    const u32 c = predicate(w, op->c) ^ (0U - ((op->aux >> 2) & 1U));
    if (how == combine_and) {
      result &= c;
      other &= c;
    } else if (how == combine_or) {
      result |= c;
      other |= c;
    } else {
      result ^= c;
      other ^= c;
    }
  }
  blend(predicate(w, op->d), result, m);
  const u32 q = (op->aux >> 3) * 4;
  if (q != 0) blend(predicate(w, q), other, m);
  SOFTGPU_NEXT;
}

template <class F, class A>
const Op* setp(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const auto* a = lanes<typename A::lane>(w, op->a);
  const auto* b = lanes<typename A::lane>(w, op->b);
  alignas(64) s32 flags[warp_size];
  SOFTGPU_LANES flags[l] = F::f(A::get(a[l]), A::get(b[l])) ? -1 : 0;
  return finish_setp(w, op, m, collect(flags));
}

// set: all ones, or 1.0, in a register.
template <class F, class A, bool Float>
const Op* set_register(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<typename A::lane>(w, op->a);
  const auto* b = lanes<typename A::lane>(w, op->b);
  const u32 how = op->aux & 3U;
  const u32 c = how != combine_none ? predicate(w, op->c) ^ (0U - ((op->aux >> 2) & 1U)) : 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    bool r = F::f(A::get(a[l]), A::get(b[l]));
    const bool cl = ((c >> l) & 1U) != 0;
    if (how == combine_and) r = r && cl;
    if (how == combine_or) r = r || cl;
    if (how == combine_xor) r = r != cl;
    d[l] = r ? (Float ? 0x3f800000U : 0xffffffffU) : 0U;
  }
  return op + 1;
}

#define SOFTGPU_PREDICATE(NAME, EXPRESSION)                        \
  const Op* NAME(Warp& w, const Op* op) {                          \
    const u32 m = active(w, op);                                   \
    const u32 a = predicate(w, op->a & ~3U) ^ (0U - (op->a & 1U)); \
    const u32 b = predicate(w, op->b & ~3U) ^ (0U - (op->b & 1U)); \
    (void)b;                                                       \
    blend(predicate(w, op->d), EXPRESSION, m);                     \
    return op + 1;                                                 \
  }
SOFTGPU_PREDICATE(pred_mov, a)
SOFTGPU_PREDICATE(pred_not, ~a)
SOFTGPU_PREDICATE(pred_and, a& b)
SOFTGPU_PREDICATE(pred_or, a | b)
SOFTGPU_PREDICATE(pred_xor, a ^ b)
#undef SOFTGPU_PREDICATE

// A predicate from a register's being nonzero, and back.
const Op* pred_from_register(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u32>(w, op->a);
  alignas(64) s32 flags[warp_size];
  SOFTGPU_LANES flags[l] = a[l] != 0 ? -1 : 0;
  blend(predicate(w, op->d), collect(flags), m);
  return op + 1;
}

template <class Lane>
const Op* select_by_predicate(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const u32 p = predicate(w, op->c & ~3U) ^ (0U - (op->c & 1U));
  auto* d = lanes<Lane>(w, op->d);
  const auto* a = lanes<Lane>(w, op->a);
  const auto* b = lanes<Lane>(w, op->b);
  if (m == full_mask) {
    SOFTGPU_LANES d[l] = ((p >> l) & 1U) != 0 ? a[l] : b[l];
  } else if (m != 0) {
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? (((p >> l) & 1U) != 0 ? a[l] : b[l]) : d[l];
  }
  SOFTGPU_NEXT;
}

// --- operations ---------------------------------------------------------------------------------

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

// --- floating point -----------------------------------------------------------------------------

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

// --- half precision, one or two to a register ---------------------------------------------------

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

// --- conversions --------------------------------------------------------------------------------

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

// --- moves --------------------------------------------------------------------------------------

const Op* move32(Warp& w, const Op* op) { return unary<Same, U32, U32>(w, op); }
const Op* move64(Warp& w, const Op* op) { return unary<Same, U64, U64>(w, op); }
const Op* move128(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  for (u32 half = 0; half < 2; ++half) {
    auto* d = lanes<u64>(w, op->d + 256 * half);
    const auto* a = lanes<u64>(w, op->a + 256 * half);
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? a[l] : d[l];
  }
  return op + 1;
}
// Bits of a narrower register zero-extended, of a wider one cut. aux: sign-extend from this many
// bits.
const Op* widen(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u64>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? u64{a[l]} : d[l];
  return op + 1;
}
const Op* narrow(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u64>(w, op->a);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? static_cast<u32>(a[l]) : d[l];
  return op + 1;
}
// d = (a >> imm) & low `aux` bits of a 64-bit register, into a 32-bit one.
const Op* extract_from64(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u64>(w, op->a);
  const auto shift = static_cast<u32>(op->imm);
  const u64 mask = (u64{1} << op->aux) - 1;
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? static_cast<u32>((a[l] >> shift) & mask) : d[l];
  return op + 1;
}
const Op* extract_from32(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  const auto shift = static_cast<u32>(op->imm);
  const u32 mask = (1U << op->aux) - 1;
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? (a[l] >> shift) & mask : d[l];
  return op + 1;
}
// d = low `aux` bits of a | b << aux.
const Op* join32(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const u32 shift = op->aux;
  const u32 mask = (1U << shift) - 1;
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? (a[l] & mask) | (b[l] << shift) : d[l];
  return op + 1;
}
const Op* join64(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u64>(w, op->d);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? u64{a[l]} | (u64{b[l]} << 32) : d[l];
  return op + 1;
}
// 128 bits to and from two halves. The upper half of a split goes to slot aux.
const Op* split128(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* low = lanes<u64>(w, op->a);
  const auto* high = lanes<u64>(w, op->a + 256);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    if (op->d != 0) lanes<u64>(w, op->d)[l] = low[l];
    if (op->aux != 0) lanes<u64>(w, op->aux)[l] = high[l];
  }
  return op + 1;
}
const Op* join128(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* low = lanes<u64>(w, op->d);
  auto* high = lanes<u64>(w, op->d + 256);
  const auto* a = lanes<u64>(w, op->a);
  const auto* b = lanes<u64>(w, op->b);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    low[l] = a[l];
    high[l] = b[l];
  }
  return op + 1;
}
const Op* add_immediate64(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u64>(w, op->d);
  const auto* a = lanes<u64>(w, op->a);
  const auto i = static_cast<u64>(op->imm);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? a[l] + i : d[l];
  return op + 1;
}
// %clock and friends: the warp's own count of time. aux: 0 clock, 1 clock_hi, 2 clock64 / timer.
const Op* read_clock(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const u64 now = softgpu::clock_ticks(op->imm != 0);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    if (op->aux == 2)
      lanes<u64>(w, op->d)[l] = now;
    else
      lanes<u32>(w, op->d)[l] = static_cast<u32>(op->aux == 1 ? now >> 32 : now);
  }
  return op + 1;
}

// --- memory -------------------------------------------------------------------------------------

__attribute__((always_inline)) inline const RangeCache& remembered(const Warp& w, const Op* op) {
  return w.cache[op->site];
}
__attribute__((always_inline)) inline bool cached(const Warp& w, const Op* op, u64 begin, u64 end) {
  const RangeCache& range = remembered(w, op);
  // begin < end: the access does not wrap around the end of the address space.
  return begin >= range.begin && end <= range.end && begin < end;
}

// The bytes that one lane may use.
__attribute__((always_inline)) inline std::byte* lane_bytes(Warp& w, const Op* op, int lane,
                                                            u64 address, u32 size, bool write) {
  if (__builtin_expect((address & (size - 1)) == 0, 1)) {
    if (cached(w, op, address, address + size)) return reinterpret_cast<std::byte*>(address);
    const u64 offset = address & ~window_mask;
    if ((address & window_mask) == shared_window && offset + size <= w.block->shared_bytes) {
      return w.block->shared + offset;
    }
    if ((address & window_mask) == local_window && offset + size <= w.local_stride) {
      return w.local + static_cast<u64>(lane) * w.local_stride + offset;
    }
  }
  return softgpu::checked_address(w, op, lane, address, size, write);
}

// Whether all of 32 accesses of `size` bytes are aligned and lie in the range that this instruction
// used last, or in the block's shared memory: then the bytes are at address + delta.
__attribute__((always_inline)) inline bool all_in_one(const Warp& w, const Op* op, const u64* a,
                                                      u64 offset, u64 size, u64& delta) {
  u64 lowest = ~u64{0};
  u64 highest = 0;
  u64 low_bits = 0;
  for (int l = 0; l < warp_size; ++l) {
    const u64 x = a[l] + offset;
    lowest = x < lowest ? x : lowest;
    highest = x > highest ? x : highest;
    low_bits |= x;
  }
  if ((low_bits & (size - 1)) != 0) return false;
  delta = 0;
  if (cached(w, op, lowest, highest + size)) return true;
  if ((lowest & window_mask) != shared_window ||
      highest + size - shared_window > w.block->shared_bytes)
    return false;
  delta = reinterpret_cast<u64>(w.block->shared) - shared_window;
  return true;
}

template <class T, class Lane>
__attribute__((always_inline)) inline Lane load_lane(const std::byte* p) {
  T v;
  __builtin_memcpy(&v, p, sizeof v);
  return static_cast<Lane>(v);
}

// How the 32 addresses of an access lie, which decides how it is done: `step` apart, all the same,
// or anyhow.
enum class Pattern { consecutive, uniform, scattered };

#if defined(SOFTGPU_AVX512)
template <u64 Step>
__attribute__((always_inline)) inline Pattern pattern_of(const u64* a) {
  const __m512i first = _mm512_set1_epi64(static_cast<long long>(a[0]));
  const __m512i a0 = _mm512_loadu_si512(a);
  const __m512i a1 = _mm512_loadu_si512(a + 8);
  const __m512i a2 = _mm512_loadu_si512(a + 16);
  const __m512i a3 = _mm512_loadu_si512(a + 24);
  constexpr long long s = static_cast<long long>(Step);
  const __m512i e0 =
      _mm512_add_epi64(first, _mm512_setr_epi64(0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s));
  const __m512i eight = _mm512_set1_epi64(8 * s);
  const __m512i e1 = _mm512_add_epi64(e0, eight);
  const __m512i e2 = _mm512_add_epi64(e1, eight);
  const __m512i e3 = _mm512_add_epi64(e2, eight);
  const __m512i x =
      _mm512_or_si512(_mm512_or_si512(_mm512_xor_si512(a0, e0), _mm512_xor_si512(a1, e1)),
                      _mm512_or_si512(_mm512_xor_si512(a2, e2), _mm512_xor_si512(a3, e3)));
  if (_mm512_test_epi64_mask(x, x) == 0) return Pattern::consecutive;
  const __m512i u =
      _mm512_or_si512(_mm512_or_si512(_mm512_xor_si512(a0, first), _mm512_xor_si512(a1, first)),
                      _mm512_or_si512(_mm512_xor_si512(a2, first), _mm512_xor_si512(a3, first)));
  return _mm512_test_epi64_mask(u, u) == 0 ? Pattern::uniform : Pattern::scattered;
}
template <u32 Step>
__attribute__((always_inline)) inline Pattern pattern_of(const u32* a) {
  const __m512i first = _mm512_set1_epi32(static_cast<int>(a[0]));
  const __m512i a0 = _mm512_loadu_si512(a);
  const __m512i a1 = _mm512_loadu_si512(a + 16);
  constexpr int s = static_cast<int>(Step);
  const __m512i e0 = _mm512_add_epi32(
      first, _mm512_setr_epi32(0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s, 8 * s, 9 * s, 10 * s,
                               11 * s, 12 * s, 13 * s, 14 * s, 15 * s));
  const __m512i e1 = _mm512_add_epi32(e0, _mm512_set1_epi32(16 * s));
  const __m512i x = _mm512_or_si512(_mm512_xor_si512(a0, e0), _mm512_xor_si512(a1, e1));
  if (_mm512_test_epi32_mask(x, x) == 0) return Pattern::consecutive;
  const __m512i u = _mm512_or_si512(_mm512_xor_si512(a0, first), _mm512_xor_si512(a1, first));
  return _mm512_test_epi32_mask(u, u) == 0 ? Pattern::uniform : Pattern::scattered;
}
#else
template <auto Step, class Lane>
__attribute__((always_inline)) inline Pattern pattern_of(const Lane* a) {
  Lane wrong = 0;
  Lane differs = 0;
  const Lane first = a[0];
  for (int l = 0; l < warp_size; ++l) {
    wrong |= static_cast<Lane>(a[l] ^ (first + static_cast<Lane>(l) * static_cast<Lane>(Step)));
    differs |= static_cast<Lane>(a[l] ^ first);
  }
  return wrong == 0 ? Pattern::consecutive : differs == 0 ? Pattern::uniform : Pattern::scattered;
}
#endif

// The same for eight neighbouring lanes: a block of 16 by 16 threads has warps of two rows, one of
// 8 by 8 of four.
inline constexpr int group_lanes = 8;
#if defined(SOFTGPU_AVX512)
template <u64 Step>
__attribute__((always_inline)) inline Pattern group_pattern(const u64* a) {
  constexpr long long s = static_cast<long long>(Step);
  const __m512i v = _mm512_loadu_si512(a);
  const __m512i first = _mm512_set1_epi64(static_cast<long long>(a[0]));
  const __m512i steps = _mm512_setr_epi64(0, s, 2 * s, 3 * s, 4 * s, 5 * s, 6 * s, 7 * s);
  if (_mm512_cmpneq_epi64_mask(v, _mm512_add_epi64(first, steps)) == 0) return Pattern::consecutive;
  return _mm512_cmpneq_epi64_mask(v, first) == 0 ? Pattern::uniform : Pattern::scattered;
}
#else
template <u64 Step>
__attribute__((always_inline)) inline Pattern group_pattern(const u64* a) {
  u64 wrong = 0;
  u64 differs = 0;
  for (int l = 0; l < group_lanes; ++l) {
    wrong |= a[l] ^ (a[0] + static_cast<u64>(l) * Step);
    differs |= a[l] ^ a[0];
  }
  return wrong == 0 ? Pattern::consecutive : differs == 0 ? Pattern::uniform : Pattern::scattered;
}
#endif

// Keeps a loop over lanes from becoming gather instructions, which are slower than single loads on
// most processors.
template <class T>
__attribute__((always_inline)) inline T separately(T x) {
  __asm__ volatile("" : "+r"(x));
  return x;
}

// The bytes for an access of `bytes` bytes at a generic address, or nullptr where the checked way
// has to be gone.
__attribute__((always_inline)) inline std::byte* quick_bytes(const Warp& w, const Op* op, u64 first,
                                                             u64 bytes) {
  if (__builtin_expect(cached(w, op, first, first + bytes), 1))
    return reinterpret_cast<std::byte*>(first);
  if ((first & window_mask) == shared_window &&
      first - shared_window + bytes <= w.block->shared_bytes) {
    return w.block->shared + (first - shared_window);
  }
  return nullptr;
}

// A warp that walks through memory in great steps, as a grid-wide loop does, reads nothing that the
// processor would fetch by itself: fetches what it will read two steps from now. At the start of
// another walk, of the next block say, the steps are likely to be those of the last. Where the
// steps are small, nobody looks any more after a while. p: the bytes of this access, which is done.
// Goes on with the next operation: what ends with a jump here has nothing to keep.
constexpr u64 no_great_steps = ~u64{0};
__attribute__((always_inline)) inline bool walks(const Warp& w, const Op* op) {
  return w.cache[op->site].step != no_great_steps;
}
template <u64 bytes>
__attribute__((noinline)) const Op* look_ahead(Warp& w, const Op* op, const std::byte* p) {
  constexpr u32 near = 32768;  // what is within such steps is in a cache soon
  constexpr u32 enough = 64;
  constexpr u32 a_return = 16;  // the small steps that one great step outweighs
  constexpr u32 small = 0x80000000;
  RangeCache& range = w.cache[op->site];
  const u64 here = reinterpret_cast<u64>(p);
  const auto step = static_cast<s32>(here - range.last);
  range.last = here;
  // RangeCache::step: in its low half the great step that was taken twice in a row, in its high
  // half the latest; or, in its low half, that the latest have been small, and in its high half how
  // many.
  auto known = static_cast<s32>(range.step);
  const bool knows = static_cast<u32>(known) != small;
  if (static_cast<u32>(step) + near <= 2 * near) {
    const u32 times = knows ? 1 : static_cast<u32>(range.step >> 32) + 1;
    range.step = times == enough ? no_great_steps : (static_cast<u64>(times) << 32) | small;
  } else if (!knows) {
    // One great step among many small ones is a return to the beginning, of a loop in a loop say.
    const auto times = static_cast<u32>(range.step >> 32);
    range.step = times > a_return ? (static_cast<u64>(times - a_return) << 32) | small
                                  : static_cast<u64>(static_cast<u32>(step)) << 32;
  } else {
    if (step != known) {
      if (step == static_cast<s32>(range.step >> 32)) known = step;
      range.step = (static_cast<u64>(static_cast<u32>(step)) << 32) | static_cast<u32>(known);
    }
    const s64 ahead = known;
    if (ahead != 0) {
      for (u64 at = 0; at < bytes; at += 64)
        __builtin_prefetch(p + 2 * ahead + static_cast<s64>(at));
      if (step != known) {
        for (u64 at = 0; at < bytes; at += 64) __builtin_prefetch(p + ahead + static_cast<s64>(at));
      }
    }
  }
  SOFTGPU_NEXT;
}

// From memory at `p` to all lanes.
template <class T, class Lane>
__attribute__((always_inline)) inline void load_consecutive(Lane* d, const std::byte* p) {
  SOFTGPU_LANES {
    T v;
    __builtin_memcpy(&v, p + static_cast<u64>(l) * sizeof(T), sizeof v);
    d[l] = static_cast<Lane>(v);
  }
}
template <class T, class Lane>
__attribute__((always_inline)) inline void load_uniform(Lane* d, const std::byte* p) {
  const Lane v = load_lane<T, Lane>(p);
  SOFTGPU_LANES d[l] = v;
}

template <class T, class Lane, bool Shared, class AddressLane>
__attribute__((noinline)) const Op* load_scattered(Warp& w, const Op* op, u32 m) {
  auto* d = lanes<Lane>(w, op->d);
  const auto* a = lanes<AddressLane>(w, op->a);
  const auto offset = static_cast<u64>(op->imm);
  constexpr u64 size = sizeof(T);
  if constexpr (Shared) {
    const u64 limit = w.block->shared_bytes;
    const std::byte* base = w.block->shared;
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const int l = __builtin_ctz(rest);
      const u64 x = sizeof(AddressLane) == 4
                        ? static_cast<u64>(static_cast<u32>(a[l] + static_cast<u32>(offset)))
                        : (static_cast<u64>(a[l]) + offset) & ~shared_window;
      if (x < limit && x + size <= limit && (x & (size - 1)) == 0)
        d[l] = load_lane<T, Lane>(base + x);
      else
        d[l] =
            load_lane<T, Lane>(softgpu::checked_address(w, op, l, x | shared_window, size, false));
    }
  } else {
    if (m == full_mask) {
      for (int g = 0; g < warp_size; g += group_lanes) {
        const Pattern pattern = group_pattern<size>(a + g);
        const u64 first = a[g] + offset;
        if (pattern != Pattern::scattered && (first & (size - 1)) == 0) {
          const std::byte* p = quick_bytes(
              w, op, first, pattern == Pattern::consecutive ? group_lanes * size : size);
          if (p != nullptr) {
            if (pattern == Pattern::uniform) {
              const Lane v = load_lane<T, Lane>(p);
              for (int l = g; l < g + group_lanes; ++l) d[l] = v;
            } else {
              for (int l = 0; l < group_lanes; ++l)
                d[g + l] = load_lane<T, Lane>(p + static_cast<u64>(l) * size);
            }
            continue;
          }
        }
        for (int l = g; l < g + group_lanes; ++l) {
          d[l] = load_lane<T, Lane>(lane_bytes(w, op, l, separately(a[l]) + offset, size, false));
        }
      }
      return op + 1;
    }
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const int l = __builtin_ctz(rest);
      d[l] = load_lane<T, Lane>(lane_bytes(w, op, l, static_cast<u64>(a[l]) + offset, size, false));
    }
  }
  return op + 1;
}

// A row or one element at a generic address that is not in the range that this instruction used
// last: in the block's shared memory, or to be looked up lane by lane. Kept out of load(), whose
// common case needs no saved registers without it.
template <class T, class Lane>
__attribute__((noinline)) const Op* load_elsewhere(Warp& w, const Op* op, Pattern pattern) {
  constexpr u64 size = sizeof(T);
  const u64 first = lanes<u64>(w, op->a)[0] + static_cast<u64>(op->imm);
  const u64 bytes = pattern == Pattern::consecutive ? warp_size * size : size;
  const std::byte* p = quick_bytes(w, op, first, bytes);
  if (p == nullptr || (first & (size - 1)) != 0)
    return load_scattered<T, Lane, false, u64>(w, op, full_mask);
  auto* d = lanes<Lane>(w, op->d);
  if (pattern == Pattern::consecutive)
    load_consecutive<T, Lane>(d, p);
  else
    load_uniform<T, Lane>(d, p);
  SOFTGPU_NEXT;
}

// T: the type in memory; Lane: of the destination; Shared: addresses are offsets into the block's
// shared memory, else generic.
template <class T, class Lane, bool Shared, class AddressLane>
const Op* load(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<Lane>(w, op->d);
  const auto* a = lanes<AddressLane>(w, op->a);
  constexpr AddressLane size = sizeof(T);
  if (__builtin_expect(m == full_mask, 1)) {
    const Pattern pattern = pattern_of<size>(a);
    if (pattern != Pattern::scattered) {
      const AddressLane first = a[0] + static_cast<AddressLane>(op->imm);
      if constexpr (Shared) {
        const u64 bytes = pattern == Pattern::consecutive ? warp_size * size : size;
        const u64 x = static_cast<u64>(first) & ~shared_window;
        if (__builtin_expect(x < w.block->shared_bytes && x + bytes <= w.block->shared_bytes &&
                                 (first & (size - 1)) == 0,
                             1)) {
          const std::byte* p = w.block->shared + x;
          if (pattern == Pattern::consecutive)
            load_consecutive<T, Lane>(d, p);
          else
            load_uniform<T, Lane>(d, p);
          SOFTGPU_NEXT;
        }
      } else if (pattern == Pattern::consecutive) {
        if (__builtin_expect(
                cached(w, op, first, first + warp_size * size) && (first & (size - 1)) == 0, 1)) {
          const auto* p = reinterpret_cast<const std::byte*>(first);
          load_consecutive<T, Lane>(d, p);
          if (walks(w, op)) return look_ahead<warp_size * size>(w, op, p);
          SOFTGPU_NEXT;
        }
        return load_elsewhere<T, Lane>(w, op, pattern);
      } else {
        if (__builtin_expect(cached(w, op, first, first + size) && (first & (size - 1)) == 0, 1)) {
          load_uniform<T, Lane>(d, reinterpret_cast<const std::byte*>(first));
          SOFTGPU_NEXT;
        }
        return load_elsewhere<T, Lane>(w, op, pattern);
      }
    } else if constexpr (Shared && sizeof(AddressLane) == 4) {
      // Anywhere in shared memory: one test for all.
      alignas(64) u32 at[warp_size];
      u32 highest = 0;
      u32 low_bits = 0;
      SOFTGPU_LANES at[l] = a[l] + static_cast<u32>(op->imm);
      for (int l = 0; l < warp_size; ++l) {
        highest = at[l] > highest ? at[l] : highest;
        low_bits |= at[l];
      }
      if (__builtin_expect(highest < w.block->shared_bytes &&
                               highest + size <= w.block->shared_bytes &&
                               (low_bits & (size - 1)) == 0,
                           1)) {
        const std::byte* base = w.block->shared;
        for (int l = 0; l < warp_size; ++l) d[l] = load_lane<T, Lane>(base + separately(at[l]));
        SOFTGPU_NEXT;
      }
    }
  }
  return load_scattered<T, Lane, Shared, AddressLane>(w, op, m);
}

template <class T, class Lane, bool Shared, class AddressLane>
__attribute__((noinline)) const Op* store_scattered(Warp& w, const Op* op, u32 m) {
  const auto* d = lanes<Lane>(w, op->d);
  const auto* a = lanes<AddressLane>(w, op->a);
  const auto offset = static_cast<u64>(op->imm);
  constexpr u64 size = sizeof(T);
  const u64 limit = w.block->shared_bytes;
  std::byte* base = w.block->shared;
  if constexpr (!Shared) {
    if (m == full_mask) {
      for (int g = 0; g < warp_size; g += group_lanes) {
        const u64 first = a[g] + offset;
        std::byte* p = nullptr;
        if (group_pattern<size>(a + g) == Pattern::consecutive && (first & (size - 1)) == 0) {
          p = quick_bytes(w, op, first, group_lanes * size);
        }
        for (int l = g; l < g + group_lanes; ++l) {
          const T v = static_cast<T>(d[l]);
          std::byte* to = p != nullptr ? p + static_cast<u64>(l - g) * size
                                       : lane_bytes(w, op, l, a[l] + offset, size, true);
          __builtin_memcpy(to, &v, sizeof v);
        }
      }
      return op + 1;
    }
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const T v = static_cast<T>(d[l]);
    std::byte* p;
    if constexpr (Shared) {
      const u64 x = sizeof(AddressLane) == 4
                        ? static_cast<u64>(static_cast<u32>(a[l] + static_cast<u32>(offset)))
                        : (static_cast<u64>(a[l]) + offset) & ~shared_window;
      p = x < limit && x + size <= limit && (x & (size - 1)) == 0
              ? base + x
              : softgpu::checked_address(w, op, l, x | shared_window, size, true);
    } else {
      p = lane_bytes(w, op, l, static_cast<u64>(a[l]) + offset, size, true);
    }
    __builtin_memcpy(p, &v, sizeof v);
  }
  return op + 1;
}

template <class T, class Lane, bool Shared, class AddressLane>
const Op* store(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* d = lanes<Lane>(w, op->d);
  const auto* a = lanes<AddressLane>(w, op->a);
  constexpr AddressLane size = sizeof(T);
  if (__builtin_expect(m == full_mask, 1)) {
    if (pattern_of<size>(a) == Pattern::consecutive) {
      const AddressLane first = a[0] + static_cast<AddressLane>(op->imm);
      constexpr u64 bytes = warp_size * size;
      std::byte* p = nullptr;
      if constexpr (Shared) {
        const u64 x = static_cast<u64>(first) & ~shared_window;
        if (x < w.block->shared_bytes && x + bytes <= w.block->shared_bytes)
          p = w.block->shared + x;
      } else {
        p = quick_bytes(w, op, first, bytes);
      }
      if (__builtin_expect(p != nullptr && (first & (size - 1)) == 0, 1)) {
        SOFTGPU_LANES {
          const T v = static_cast<T>(d[l]);
          __builtin_memcpy(p + static_cast<u64>(l) * size, &v, sizeof v);
        }
        SOFTGPU_NEXT;
      }
    }
  }
  return store_scattered<T, Lane, Shared, AddressLane>(w, op, m);
}

// --- accesses that nobody sees half done
//
// Ordered and volatile accesses, those past the first cache, and scalars of 128 bits are one access
// to memory for each lane, up to 16 bytes: hardware does so, and programs rely on it (a tile's
// status beside its value, in one vector). The PTX ISA promises less, its vector elements are
// accesses of their own.

struct Sixteen {
  u64 low, high;
};

// Becomes `wanted` where it was `expected`; what was there goes to `expected`.
__attribute__((always_inline)) inline bool compare_exchange_16(std::byte* p, Sixteen& expected,
                                                               Sixteen wanted) {
  bool same;
  __asm__ volatile("lock cmpxchg16b %1"
                   : "=@ccz"(same), "+m"(*reinterpret_cast<Sixteen*>(p)), "+a"(expected.low),
                     "+d"(expected.high)
                   : "b"(wanted.low), "c"(wanted.high)
                   : "memory");
  return same;
}
// In the handlers of AVX the encoding of AVX: the two may not be mixed without a delay.
#if defined(SOFTGPU_AVX512) || defined(SOFTGPU_AVX2)
#define SOFTGPU_MOVE_16 "vmovdqa"
#else
#define SOFTGPU_MOVE_16 "movdqa"
#endif
__attribute__((always_inline)) inline Sixteen load_16(const std::byte* p) {
  if (__builtin_expect(softgpu::vector_moves_are_whole, 1)) {
    __m128i v;
    __asm__ volatile(SOFTGPU_MOVE_16 " %1, %0"
                     : "=x"(v)
                     : "m"(*reinterpret_cast<const __m128i*>(p))
                     : "memory");
    return bits<Sixteen>(v);
  }
  Sixteen old{0, 0};  // where this is what is there, it is written again: nobody sees that
  compare_exchange_16(const_cast<std::byte*>(p), old, old);
  return old;
}
__attribute__((always_inline)) inline void store_16(std::byte* p, Sixteen value) {
  if (__builtin_expect(softgpu::vector_moves_are_whole, 1)) {
    const auto v = bits<__m128i>(value);
    __asm__ volatile(SOFTGPU_MOVE_16 " %1, %0"
                     : "=m"(*reinterpret_cast<__m128i*>(p))
                     : "x"(v)
                     : "memory");
    return;
  }
  Sixteen old{0, 0};
  while (!compare_exchange_16(p, old, value)) {
  }
}
#undef SOFTGPU_MOVE_16

// `bytes` bytes, a power of two up to 16, as one access.
__attribute__((always_inline)) inline Sixteen load_whole(const std::byte* p, u32 bytes) {
  switch (bytes) {
    case 1: return {__atomic_load_n(reinterpret_cast<const u8*>(p), __ATOMIC_ACQUIRE), 0};
    case 2: return {__atomic_load_n(reinterpret_cast<const u16*>(p), __ATOMIC_ACQUIRE), 0};
    case 4: return {__atomic_load_n(reinterpret_cast<const u32*>(p), __ATOMIC_ACQUIRE), 0};
    case 8: return {__atomic_load_n(reinterpret_cast<const u64*>(p), __ATOMIC_ACQUIRE), 0};
    default: return load_16(p);
  }
}
__attribute__((always_inline)) inline void store_whole(std::byte* p, Sixteen v, u32 bytes) {
  switch (bytes) {
    case 1:
      __atomic_store_n(reinterpret_cast<u8*>(p), static_cast<u8>(v.low), __ATOMIC_RELEASE);
      break;
    case 2:
      __atomic_store_n(reinterpret_cast<u16*>(p), static_cast<u16>(v.low), __ATOMIC_RELEASE);
      break;
    case 4:
      __atomic_store_n(reinterpret_cast<u32*>(p), static_cast<u32>(v.low), __ATOMIC_RELEASE);
      break;
    case 8: __atomic_store_n(reinterpret_cast<u64*>(p), v.low, __ATOMIC_RELEASE); break;
    default: store_16(p, v);
  }
}

// Loads and stores of vectors, ordered and volatile ones: lane by lane, each up to 16 bytes in one
// access, 32 in two. extra: the elements' slots; aux: bytes of an element | signed << 8 | ordered
// << 9 | bytes of a lane << 16. Addresses are generic.
const Op* load_pieces(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32 size = op->aux & 0xffU;
  const bool is_signed = (op->aux & 0x100U) != 0;
  const u32 lane = op->aux >> 16;
  const u32 count = pieces.count;
  const u32 total = size * count;
  // A loop that waits for another thread's write gives the others their turns sooner.
  if ((op->aux & 0x200U) != 0) w.budget -= 32;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const std::byte* p =
        lane_bytes(w, op, l, static_cast<u64>(a[l]) + static_cast<u64>(op->imm), total, false);
    alignas(16) std::byte copy[32];
    for (u32 at = 0; at < total; at += 16) {
      const Sixteen part = load_whole(p + at, total < 16 ? total : 16);
      __builtin_memcpy(copy + at, &part, 16);
    }
    for (u32 i = 0; i < count; ++i) {
      if (pieces.slots[i] == 0) continue;
      const std::byte* element = copy + i * size;
      u64 v = 0;
      switch (size) {
        case 1: v = is_signed ? load_lane<s8, u64>(element) : load_lane<u8, u64>(element); break;
        case 2: v = is_signed ? load_lane<s16, u64>(element) : load_lane<u16, u64>(element); break;
        case 4: v = is_signed ? load_lane<s32, u64>(element) : load_lane<u32, u64>(element); break;
        case 8: v = load_lane<u64, u64>(element); break;
        default:
          lanes<u64>(w, pieces.slots[i])[l] = load_lane<u64, u64>(element);
          lanes<u64>(w, pieces.slots[i] + 256)[l] = load_lane<u64, u64>(element + 8);
          continue;
      }
      if (lane == 8)
        lanes<u64>(w, pieces.slots[i])[l] = v;
      else
        lanes<u32>(w, pieces.slots[i])[l] = static_cast<u32>(v);
    }
  }
  return op + 1;
}
const Op* store_pieces(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32 size = op->aux & 0xffU;
  const u32 lane = op->aux >> 16;
  const u32 count = pieces.count;
  const u32 total = size * count;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    std::byte* p =
        lane_bytes(w, op, l, static_cast<u64>(a[l]) + static_cast<u64>(op->imm), total, true);
    alignas(16) std::byte copy[32];
    for (u32 i = 0; i < count; ++i) {
      std::byte* element = copy + i * size;
      const u64 v =
          lane == 4 ? lanes<u32>(w, pieces.slots[i])[l] : lanes<u64>(w, pieces.slots[i])[l];
      switch (size) {
        case 1: __builtin_memcpy(element, &v, 1); break;
        case 2: __builtin_memcpy(element, &v, 2); break;
        case 4: __builtin_memcpy(element, &v, 4); break;
        case 8: __builtin_memcpy(element, &v, 8); break;
        default:
          __builtin_memcpy(element, &v, 8);
          __builtin_memcpy(element + 8, lanes<u64>(w, pieces.slots[i] + 256) + l, 8);
      }
    }
    for (u32 at = 0; at < total; at += 16) {
      Sixteen part;
      __builtin_memcpy(&part, copy + at, 16);
      store_whole(p + at, part, total < 16 ? total : 16);
    }
  }
  return op + 1;
}

// --- vectors without order
//
// Memory has a lane's elements side by side, the frame has the lanes of an element side by side:
// the one is the other transposed.

__attribute__((always_inline)) inline void transpose_4x4(__m128i (&v)[4]) {
  const __m128i a = _mm_unpacklo_epi32(v[0], v[1]);
  const __m128i b = _mm_unpackhi_epi32(v[0], v[1]);
  const __m128i c = _mm_unpacklo_epi32(v[2], v[3]);
  const __m128i d = _mm_unpackhi_epi32(v[2], v[3]);
  v[0] = _mm_unpacklo_epi64(a, c);
  v[1] = _mm_unpackhi_epi64(a, c);
  v[2] = _mm_unpacklo_epi64(b, d);
  v[3] = _mm_unpackhi_epi64(b, d);
}
__attribute__((always_inline)) inline __m128i read_16(u64 address) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(address));
}
__attribute__((always_inline)) inline void write_16(u64 address, __m128i v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(address), v);
}

// The vectors of all lanes at these addresses; d: where each element goes.
template <class T>
__attribute__((always_inline)) inline void load_transposed(const u64* at, u32 count, T* const* d) {
  if (sizeof(T) == 4 && count == 4) {
    for (int g = 0; g < warp_size; g += 4) {
      __m128i v[4];
      for (int k = 0; k < 4; ++k) v[k] = read_16(separately(at[g + k]));
      transpose_4x4(v);
      for (int k = 0; k < 4; ++k) write_16(reinterpret_cast<u64>(d[k] + g), v[k]);
    }
  } else if (sizeof(T) == 8 && count == 2) {
    for (int g = 0; g < warp_size; g += 2) {
      const __m128i a = read_16(separately(at[g]));
      const __m128i b = read_16(separately(at[g + 1]));
      write_16(reinterpret_cast<u64>(d[0] + g), _mm_unpacklo_epi64(a, b));
      write_16(reinterpret_cast<u64>(d[1] + g), _mm_unpackhi_epi64(a, b));
    }
  } else {
    for (u32 i = 0; i < count; ++i) {
      for (int l = 0; l < warp_size; ++l) {
        __builtin_memcpy(d[i] + l,
                         reinterpret_cast<const std::byte*>(separately(at[l]) + i * sizeof(T)),
                         sizeof(T));
      }
    }
  }
}
template <class T>
__attribute__((always_inline)) inline void store_transposed(const u64* at, u32 count,
                                                            const T* const* d) {
  if (sizeof(T) == 4 && count == 4) {
    for (int g = 0; g < warp_size; g += 4) {
      __m128i v[4];
      for (int k = 0; k < 4; ++k) v[k] = read_16(reinterpret_cast<u64>(d[k] + g));
      transpose_4x4(v);
      for (int k = 0; k < 4; ++k) write_16(separately(at[g + k]), v[k]);
    }
  } else if (sizeof(T) == 8 && count == 2) {
    for (int g = 0; g < warp_size; g += 2) {
      const __m128i a = read_16(reinterpret_cast<u64>(d[0] + g));
      const __m128i b = read_16(reinterpret_cast<u64>(d[1] + g));
      write_16(separately(at[g]), _mm_unpacklo_epi64(a, b));
      write_16(separately(at[g + 1]), _mm_unpackhi_epi64(a, b));
    }
  } else {
    for (int l = 0; l < warp_size; ++l) {
      const u64 p = separately(at[l]);
      for (u32 i = 0; i < count; ++i) {
        __builtin_memcpy(reinterpret_cast<std::byte*>(p + i * sizeof(T)), d[i] + l, sizeof(T));
      }
    }
  }
}
#if defined(SOFTGPU_AVX512)
// The same for four words a lane where the lanes' vectors follow one another.
__attribute__((always_inline)) inline void load_transposed_row(const std::byte* p, u32* const* d) {
  const __m512i words01 =
      _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
  const __m512i words23 = _mm512_add_epi32(words01, _mm512_set1_epi32(2));
  for (int half = 0; half < 2; ++half, p += 256) {
    const __m512i a = _mm512_loadu_si512(p);
    const __m512i b = _mm512_loadu_si512(p + 64);
    const __m512i c = _mm512_loadu_si512(p + 128);
    const __m512i e = _mm512_loadu_si512(p + 192);
    const __m512i ab01 = _mm512_permutex2var_epi32(a, words01, b);
    const __m512i ab23 = _mm512_permutex2var_epi32(a, words23, b);
    const __m512i ce01 = _mm512_permutex2var_epi32(c, words01, e);
    const __m512i ce23 = _mm512_permutex2var_epi32(c, words23, e);
    _mm512_storeu_si512(d[0] + 16 * half, _mm512_shuffle_i64x2(ab01, ce01, 0x44));
    _mm512_storeu_si512(d[1] + 16 * half, _mm512_shuffle_i64x2(ab01, ce01, 0xee));
    _mm512_storeu_si512(d[2] + 16 * half, _mm512_shuffle_i64x2(ab23, ce23, 0x44));
    _mm512_storeu_si512(d[3] + 16 * half, _mm512_shuffle_i64x2(ab23, ce23, 0xee));
  }
}
__attribute__((always_inline)) inline void store_transposed_row(std::byte* p, const u32* const* d) {
  const __m512i pairs_low =
      _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i pairs_high = _mm512_add_epi32(pairs_low, _mm512_set1_epi32(8));
  const __m512i quads_low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
  const __m512i quads_high = _mm512_add_epi64(quads_low, _mm512_set1_epi64(4));
  for (int half = 0; half < 2; ++half, p += 256) {
    const __m512i v0 = _mm512_loadu_si512(d[0] + 16 * half);
    const __m512i v1 = _mm512_loadu_si512(d[1] + 16 * half);
    const __m512i v2 = _mm512_loadu_si512(d[2] + 16 * half);
    const __m512i v3 = _mm512_loadu_si512(d[3] + 16 * half);
    const __m512i low01 = _mm512_permutex2var_epi32(v0, pairs_low, v1);
    const __m512i high01 = _mm512_permutex2var_epi32(v0, pairs_high, v1);
    const __m512i low23 = _mm512_permutex2var_epi32(v2, pairs_low, v3);
    const __m512i high23 = _mm512_permutex2var_epi32(v2, pairs_high, v3);
    _mm512_storeu_si512(p, _mm512_permutex2var_epi64(low01, quads_low, low23));
    _mm512_storeu_si512(p + 64, _mm512_permutex2var_epi64(low01, quads_high, low23));
    _mm512_storeu_si512(p + 128, _mm512_permutex2var_epi64(high01, quads_low, high23));
    _mm512_storeu_si512(p + 192, _mm512_permutex2var_epi64(high01, quads_high, high23));
  }
}
#endif

// Vectors of registers as wide as their elements, without order.
template <class T>
const Op* load_vector(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const auto offset = static_cast<u64>(op->imm);
  const u32 count = pieces.count;
  u64 delta;
  if (m == full_mask && all_in_one(w, op, a, offset, sizeof(T) * count, delta)) {
    alignas(64) T unwanted[warp_size];
    T* d[8];
    for (u32 i = 0; i < count; ++i)
      d[i] = pieces.slots[i] == 0 ? unwanted : lanes<T>(w, pieces.slots[i]);
#if defined(SOFTGPU_AVX512)
    if constexpr (sizeof(T) == 4) {
      if (count == 4 && pattern_of<u64{16}>(a) == Pattern::consecutive) {
        const auto* p = reinterpret_cast<const std::byte*>(a[0] + offset + delta);
        load_transposed_row(p, d);
        if (walks(w, op)) return look_ahead<warp_size * 16>(w, op, p);
        SOFTGPU_NEXT;
      }
    }
#endif
    alignas(64) u64 at[warp_size];
    SOFTGPU_LANES at[l] = a[l] + offset + delta;
    load_transposed<T>(at, count, d);
    SOFTGPU_NEXT;
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const std::byte* p =
        lane_bytes(w, op, l, a[l] + offset, static_cast<u32>(sizeof(T)) * count, false);
    for (u32 i = 0; i < count; ++i) {
      if (pieces.slots[i] == 0) continue;
      __builtin_memcpy(lanes<T>(w, pieces.slots[i]) + l, p + i * sizeof(T), sizeof(T));
    }
  }
  return op + 1;
}
template <class T>
const Op* store_vector(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const auto offset = static_cast<u64>(op->imm);
  const u32 count = pieces.count;
  u64 delta;
  if (m == full_mask && all_in_one(w, op, a, offset, sizeof(T) * count, delta)) {
    const T* d[8];
    for (u32 i = 0; i < count; ++i) d[i] = lanes<T>(w, pieces.slots[i]);
#if defined(SOFTGPU_AVX512)
    if constexpr (sizeof(T) == 4) {
      if (count == 4 && pattern_of<u64{16}>(a) == Pattern::consecutive) {
        store_transposed_row(reinterpret_cast<std::byte*>(a[0] + offset + delta), d);
        SOFTGPU_NEXT;
      }
    }
#endif
    alignas(64) u64 at[warp_size];
    SOFTGPU_LANES at[l] = a[l] + offset + delta;
    store_transposed<T>(at, count, d);
    SOFTGPU_NEXT;
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    std::byte* p = lane_bytes(w, op, l, a[l] + offset, static_cast<u32>(sizeof(T)) * count, true);
    for (u32 i = 0; i < count; ++i) {
      __builtin_memcpy(p + i * sizeof(T), lanes<T>(w, pieces.slots[i]) + l, sizeof(T));
    }
  }
  return op + 1;
}

// Vectors of elements narrower than their 32-bit registers, without order, which make up one Word.
// aux as for ld.pieces.
template <class Word>
const Op* load_narrow(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const auto offset = static_cast<u64>(op->imm);
  const u32 bits_of_element = (op->aux & 0xffU) * 8;
  const bool is_signed = (op->aux & 0x100U) != 0;
  alignas(64) Word words[warp_size] = {};
  const std::byte* row = nullptr;
  if (m == full_mask && pattern_of<u64{sizeof(Word)}>(a) == Pattern::consecutive &&
      ((a[0] + offset) & (sizeof(Word) - 1)) == 0) {
    row = quick_bytes(w, op, a[0] + offset, warp_size * sizeof(Word));
  }
  if (row != nullptr) {
    load_consecutive<Word, Word>(words, row);
  } else {
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const int l = __builtin_ctz(rest);
      words[l] = load_lane<Word, Word>(lane_bytes(w, op, l, a[l] + offset, sizeof(Word), false));
    }
  }
  const u32 unused = 32 - bits_of_element;
  for (u32 i = 0; i < pieces.count; ++i) {
    if (pieces.slots[i] == 0) continue;
    auto* d = lanes<u32>(w, pieces.slots[i]);
    const u32 shift = i * bits_of_element;
    alignas(64) u32 r[warp_size];
    if (is_signed) {
      SOFTGPU_LANES r[l] = static_cast<u32>(
          static_cast<s32>(static_cast<u32>(words[l] >> shift) << unused) >> unused);
    } else {
      SOFTGPU_LANES r[l] = (static_cast<u32>(words[l] >> shift) << unused) >> unused;
    }
    if (m == full_mask) {
      SOFTGPU_LANES d[l] = r[l];
    } else {
      SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? r[l] : d[l];
    }
  }
  if (row != nullptr && walks(w, op)) return look_ahead<warp_size * sizeof(Word)>(w, op, row);
  SOFTGPU_NEXT;
}
template <class Word>
const Op* store_narrow(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const auto offset = static_cast<u64>(op->imm);
  const u32 bits_of_element = (op->aux & 0xffU) * 8;
  const u32 element = (1U << bits_of_element) - 1;
  alignas(64) Word words[warp_size] = {};
  for (u32 i = 0; i < pieces.count; ++i) {
    const auto* d = lanes<u32>(w, pieces.slots[i]);
    const u32 shift = i * bits_of_element;
    SOFTGPU_LANES words[l] =
        static_cast<Word>(words[l] | static_cast<Word>(static_cast<Word>(d[l] & element) << shift));
  }
  std::byte* row = nullptr;
  if (m == full_mask && pattern_of<u64{sizeof(Word)}>(a) == Pattern::consecutive &&
      ((a[0] + offset) & (sizeof(Word) - 1)) == 0) {
    row = quick_bytes(w, op, a[0] + offset, warp_size * sizeof(Word));
  }
  if (row != nullptr) {
    SOFTGPU_LANES __builtin_memcpy(row + static_cast<u64>(l) * sizeof(Word), words + l,
                                   sizeof(Word));
    SOFTGPU_NEXT;
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    __builtin_memcpy(lane_bytes(w, op, l, a[l] + offset, sizeof(Word), true), words + l,
                     sizeof(Word));
  }
  SOFTGPU_NEXT;
}

// A parameter or return value in the frame: lane l's copy lies at c + l · b. imm: offset in it.
const Op* load_frame(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const u32 size = op->aux & 0xffU;
  const bool is_signed = (op->aux & 0x100U) != 0;
  const u32 lane = op->aux >> 16;
  const std::byte* base = w.frame + op->c + op->imm;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    u64 v = 0;
    __builtin_memcpy(&v, base + static_cast<u64>(l) * op->b, size);
    if (is_signed && size < 8)
      v = static_cast<u64>(static_cast<s64>(v << (64 - 8 * size)) >> (64 - 8 * size));
    if (lane == 8)
      lanes<u64>(w, op->d)[l] = v;
    else
      lanes<u32>(w, op->d)[l] = static_cast<u32>(v);
  }
  return op + 1;
}
const Op* store_frame(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const u32 size = op->aux & 0xffU;
  const u32 lane = op->aux >> 16;
  std::byte* base = w.frame + op->c + op->imm;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 v = lane == 8 ? lanes<u64>(w, op->d)[l] : lanes<u32>(w, op->d)[l];
    __builtin_memcpy(base + static_cast<u64>(l) * op->b, &v, size);
  }
  return op + 1;
}
// Generic address of the lane's part of a parameter in the frame, for parameters whose address is
// taken: they are copied to local memory first. d: address; c, b as above; imm: local offset; aux:
// bytes.
const Op* spill_parameter(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 at = w.call->local_base + static_cast<u64>(op->imm);
    std::byte* to = w.local + static_cast<u64>(l) * w.local_stride + at;
    __builtin_memcpy(to, w.frame + op->c + static_cast<u64>(l) * op->b, op->aux);
    lanes<u64>(w, op->d)[l] = local_window | at;
  }
  return op + 1;
}
// Address of a local variable: the function's base plus imm. aux: 0 generic, 1 in the local space.
const Op* local_address(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const u64 at =
      (w.call->local_base + static_cast<u64>(op->imm)) | (op->aux == 0 ? local_window : 0);
  if (op->b == 4) {
    auto* d = lanes<u32>(w, op->d);
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? static_cast<u32>(at) : d[l];
    return op + 1;
  }
  auto* d = lanes<u64>(w, op->d);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? at : d[l];
  return op + 1;
}
// Makes a generic address of one in a space: d = (a, cut to 32 bits where aux is 4) | imm.
const Op* to_generic(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u64>(w, op->d);
  const auto window = static_cast<u64>(op->imm);
  if (op->aux == 4) {
    const auto* a = lanes<u32>(w, op->a);
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? (u64{a[l]} | window) : d[l];
  } else {
    const auto* a = lanes<u64>(w, op->a);
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? (a[l] | window) : d[l];
  }
  return op + 1;
}
const Op* from_generic(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u64>(w, op->d);
  const auto* a = lanes<u64>(w, op->a);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? (a[l] & ~window_mask) : d[l];
  return op + 1;
}
// isspacep: aux 0 global, 1 shared, 2 local, 3 param/const.
const Op* is_space(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  u32 r = 0;
  for (int l = 0; l < warp_size; ++l) {
    const u64 window = a[l] & window_mask;
    const u32 space = window == shared_window  ? 1U
                      : window == local_window ? 2U
                      : window == param_window ? 3U
                                               : 0U;
    r |= (space == op->aux ? 1U : 0U) << l;
  }
  blend(predicate(w, op->d), r, m);
  return op + 1;
}

// --- atomics ------------------------------------------------------------------------------------

enum : u32 {
  atom_add,
  atom_exch,
  atom_cas,
  atom_and,
  atom_or,
  atom_xor,
  atom_min,
  atom_max,
  atom_inc,
  atom_dec
};

template <class T, u32 Which>
__attribute__((always_inline)) inline typename T::value apply_atomic(typename T::value old,
                                                                     typename T::value b,
                                                                     typename T::value c) {
  using V = typename T::value;
  (void)c;
  if constexpr (std::is_floating_point_v<V>) {
    if constexpr (Which == atom_add)
      return tidy(old + b);
    else if constexpr (Which == atom_min)
      return extreme<V, std::conditional_t<sizeof(V) == 4, u32, u64>, false, false>(old, b);
    else if constexpr (Which == atom_max)
      return extreme<V, std::conditional_t<sizeof(V) == 4, u32, u64>, true, false>(old, b);
    else
      return b;
  } else {
    if constexpr (Which == atom_add)
      return static_cast<V>(static_cast<std::make_unsigned_t<V>>(old) +
                            static_cast<std::make_unsigned_t<V>>(b));
    else if constexpr (Which == atom_exch)
      return b;
    else if constexpr (Which == atom_cas)
      return old == b ? c : old;
    else if constexpr (Which == atom_and)
      return old & b;
    else if constexpr (Which == atom_or)
      return old | b;
    else if constexpr (Which == atom_xor)
      return old ^ b;
    else if constexpr (Which == atom_min)
      return old < b ? old : b;
    else if constexpr (Which == atom_max)
      return old > b ? old : b;
    else if constexpr (Which == atom_inc)
      return old >= b ? V{0} : static_cast<V>(old + 1);
    else
      return old == 0 || old > b ? b : static_cast<V>(old - 1);
  }
}

// The same in global memory, where single-precision additions flush denormals, inputs and result
// (PTX ISA, "atom" and "red"); in shared memory they do not.
template <class T, u32 Which>
__attribute__((always_inline)) inline typename T::value apply_atomic_in_global(
    typename T::value old, typename T::value b, typename T::value c) {
  if constexpr (Which == atom_add && std::is_same_v<typename T::value, float>) {
    return flush32(apply_atomic<T, Which>(flush32(old), flush32(b), c));
  } else {
    return apply_atomic<T, Which>(old, b, c);
  }
}

// d: the old value (0 where unwanted), a: generic address, b, c: operands.
template <class T, u32 Which>
const Op* atomic(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const auto* b = lanes<typename T::lane>(w, op->b);
  const auto* c = lanes<typename T::lane>(w, op->c);
  using Word = typename T::lane;
  // A loop that waits for a lock gives the others their turns sooner.
  if constexpr (Which == atom_cas) w.budget -= 32;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 address = static_cast<u64>(a[l]) + static_cast<u64>(op->imm);
    auto* p = reinterpret_cast<Word*>(lane_bytes(w, op, l, address, sizeof(Word), true));
    const auto x = T::get(b[l]);
    const auto y = T::get(c[l]);
    // A block's shared memory belongs to the thread that runs the block and its cluster.
    if ((address & window_mask) == shared_window) {
      const Word before = *p;
      *p = T::put(apply_atomic<T, Which>(T::get(before), x, y));
      if (op->d != 0) lanes<Word>(w, op->d)[l] = before;
      continue;
    }
    Word old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
    for (;;) {
      const Word now = T::put(apply_atomic_in_global<T, Which>(T::get(old), x, y));
      if (__atomic_compare_exchange_n(p, &old, now, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
        break;
    }
    if (op->d != 0) lanes<Word>(w, op->d)[l] = old;
  }
  return op + 1;
}
// The same on 32 bits of the block's own shared memory, which belongs to the thread that runs the
// block and its cluster. a: 32-bit offsets.
template <class T, u32 Which>
const Op* atomic_shared(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const auto* c = lanes<u32>(w, op->c);
  if constexpr (Which == atom_cas) w.budget -= 32;
  alignas(64) u32 at[warp_size];
  SOFTGPU_LANES at[l] = a[l] + static_cast<u32>(op->imm);
  alignas(64) u32 unwanted[warp_size];
  u32* d = op->d != 0 ? lanes<u32>(w, op->d) : unwanted;
  if (__builtin_expect(m == full_mask, 1)) {
    u32 highest = 0;
    u32 low_bits = 0;
    for (int l = 0; l < warp_size; ++l) {
      highest = at[l] > highest ? at[l] : highest;
      low_bits |= at[l];
    }
    if (__builtin_expect(highest < w.block->shared_bytes && highest + 4 <= w.block->shared_bytes &&
                             (low_bits & 3U) == 0,
                         1)) {
      std::byte* base = w.block->shared;
      for (int l = 0; l < warp_size; ++l) {
        // The destination may be the register of an operand.
        const auto x = T::get(b[l]);
        const auto y = T::get(c[l]);
        auto* p = reinterpret_cast<u32*>(base + separately(at[l]));
        const u32 before = *p;
        *p = T::put(apply_atomic<T, Which>(T::get(before), x, y));
        d[l] = before;
      }
      SOFTGPU_NEXT;
    }
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const auto x = T::get(b[l]);
    const auto y = T::get(c[l]);
    auto* p = reinterpret_cast<u32*>(lane_bytes(w, op, l, at[l] | shared_window, 4, true));
    const u32 before = *p;
    *p = T::put(apply_atomic<T, Which>(T::get(before), x, y));
    d[l] = before;
  }
  return op + 1;
}
// aux: 1 cas, else exch. Always cmpxchg16b: no lock would keep the stores of other widths out.
const Op* atomic128(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  if (op->aux == 1) w.budget -= 32;  // as for the others
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    std::byte* p = lane_bytes(w, op, l, a[l] + static_cast<u64>(op->imm), 16, true);
    const Sixteen b{lanes<u64>(w, op->b)[l], lanes<u64>(w, op->b + 256)[l]};
    const Sixteen c{lanes<u64>(w, op->c)[l], lanes<u64>(w, op->c + 256)[l]};
    Sixteen old{0, 0};
    if (op->aux == 1) {
      old = b;
      compare_exchange_16(p, old, c);
    } else {
      while (!compare_exchange_16(p, old, b)) {
      }
    }
    if (op->d != 0) {
      lanes<u64>(w, op->d)[l] = old.low;
      lanes<u64>(w, op->d + 256)[l] = old.high;
    }
  }
  return op + 1;
}
// 16-bit forms and pairs of halves: aux: 0 cas.b16, 13 exch.b16; 1 to 4: add of f16, bf16, f16x2,
// bf16x2, 5 to 8 min, 9 to 12 max.
const Op* atomic_half(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const auto* c = lanes<u32>(w, op->c);
  const u32 kind = op->aux == 0 || op->aux == 13 ? 0 : (op->aux - 1) & 3U;
  const bool pair = op->aux != 0 && op->aux != 13 && kind >= 2;
  const u32 which = (op->aux <= 4   ? half_add
                     : op->aux <= 8 ? half_min
                                    : half_max) |
                    (pair ? 0x100U : 0U);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 address = static_cast<u64>(a[l]) + static_cast<u64>(op->imm);
    std::byte* p = lane_bytes(w, op, l, address, pair ? 4 : 2, true);
    const auto next = [&](u32 old) -> u32 {
      if (op->aux == 0) return old == (b[l] & 0xffffU) ? c[l] & 0xffffU : old;
      if (op->aux == 13) return b[l] & 0xffffU;
      return (kind & 1U) == 0 ? HalfArithmetic<F16>::f(old, b[l], 0, which)
                              : HalfArithmetic<BF16>::f(old, b[l], 0, which);
    };
    u32 result = 0;
    if (pair) {
      auto* word = reinterpret_cast<u32*>(p);
      u32 old = __atomic_load_n(word, __ATOMIC_ACQUIRE);
      while (!__atomic_compare_exchange_n(word, &old, next(old), false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_ACQUIRE)) {
      }
      result = old;
    } else {
      auto* word = reinterpret_cast<u16*>(p);
      u16 old = __atomic_load_n(word, __ATOMIC_ACQUIRE);
      while (!__atomic_compare_exchange_n(word, &old, static_cast<u16>(next(old)), false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)) {
      }
      result = old;
    }
    if (op->d != 0) lanes<u32>(w, op->d)[l] = result;
  }
  return op + 1;
}

// --- control ------------------------------------------------------------------------------------

// Takes the instructions of a basic block (`amount`, with its last one) off the warp's budget.
__attribute__((always_inline)) inline const Op* spend(Warp& w, const Op* next, u32 amount) {
  w.budget -= amount;
  if (__builtin_expect(w.budget <= 0, 0) && next != nullptr) {
    w.pc = next;
    w.stop = Stop::quantum;
    return nullptr;
  }
  return next;
}
__attribute__((always_inline)) inline void count_lanes(Warp& w, u32 amount) {
  w.executed += static_cast<u64>(amount) * static_cast<u32>(__builtin_popcount(w.mask));
}

// imm: distance to the target; aux: instructions since the basic block's begin, this one included.
const Op* branch(Warp& w, const Op* op) {
  const u32 taken = active(w, op);
  const Op* target = op + op->imm;
  count_lanes(w, op->aux);
  const Op* next;
  if (__builtin_expect(taken == w.mask, 1)) {
    next = w.split == 0 ? target : softgpu::reschedule(w, target);
  } else if (taken == 0) {
    next = w.split == 0 ? op + 1 : softgpu::reschedule(w, op + 1);
  } else {
    next = softgpu::diverge(w, taken, target, op + 1);
  }
  return spend(w, next, op->aux);
}
// The same, over a few operations that lanes do one after the other without waiting for any: lanes
// that go around them rest until the others have come to the target, a join.
const Op* short_branch(Warp& w, const Op* op) {
  const u32 taken = active(w, op);
  if (taken == w.mask || taken == 0 || w.split != 0) return branch(w, op);
  count_lanes(w, op->aux);
  w.budget -= op->aux;
  w.rest_until = op + op->imm;
  w.resting = taken;
  w.mask &= ~taken;
  SOFTGPU_NEXT;
}
// A place that branches go to: lanes that took different ways meet here. aux as for a branch.
const Op* join(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  if (op == w.rest_until) {
    w.rest_until = nullptr;
    w.mask |= w.resting;
    SOFTGPU_NEXT;
  }
  if (__builtin_expect(w.split == 0, 1)) SOFTGPU_NEXT;
  return spend(w, softgpu::reschedule(w, op + 1), op->aux);
}
// A place that only branches backwards go to: counts.
const Op* loop_head(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  return op + 1;
}
// brx.idx: a: index; extra: distances in slots (as two's complement).
const Op* branch_table(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  return spend(w, softgpu::branch_by_table(w, op), op->aux);
}
const Op* exit_op(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  return softgpu::exit_lanes(w, op, active(w, op));
}
const Op* return_op(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  return softgpu::return_lanes(w, op, active(w, op));
}
// extra: Pieces (arguments in slots, results in more); imm: the callee's Code.
const Op* call(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  return spend(w, softgpu::call_function(w, op, *reinterpret_cast<const Code*>(op->imm), m),
               op->aux);
}
const Op* call_register(Warp& w, const Op* op) {
  count_lanes(w, op->aux);
  if (active(w, op) == 0) return op + 1;
  return spend(w, softgpu::call_indirect(w, op), op->aux);
}
// extra: a function of the executor's own that does the work for the active lanes (vprintf,
// malloc).
const Op* service(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m != 0) reinterpret_cast<void (*)(Warp&, const Op*, u32)>(op->imm)(w, op, m);
  if (__builtin_expect(w.ending != 0, 0)) {
    const u32 gone = w.ending;
    w.ending = 0;
    return softgpu::exit_lanes(w, op, gone);
  }
  return op + 1;
}
const Op* nothing(Warp&, const Op* op) { return op + 1; }
const Op* fence(Warp&, const Op* op) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return op + 1;
}
// nanosleep and friends: let the others run.
const Op* yield_op(Warp& w, const Op* op) {
  const Op* next = w.split == 0 ? op + 1 : softgpu::reschedule(w, op + 1);
  return spend(w, next, 256);
}
const Op* trap(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  softgpu::raise_fault_text(w, op, __builtin_ctz(m), op->aux != 0 ? static_cast<int>(op->aux) : 719,
                            "trap instruction");
}
const Op* unsupported(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  softgpu::raise_fault_text(w, op, __builtin_ctz(m), 715,
                            op->extra != nullptr
                                ? static_cast<const char*>(op->extra)
                                : "this instruction is not supported by the software GPU");
}
// The lanes of m that hold the same as its first.
__attribute__((always_inline)) inline u32 same_members(const u32* masks, u32 m) {
  const u32 first = masks[__builtin_ctz(m)];
  u32 same = 0;
  SOFTGPU_LANES same |= (masks[l] == first ? 1U : 0U) << l;
  return same & m;
}
// bar: a: barrier number, b: thread count (0 slot: all). aux bit 0: arrive only; bit 1: votes with
// predicate c (bit 0 negated); bit 2: the aligned form.
const Op* barrier(Warp& w, const Op* op) {
  u32 m = active(w, op);
  if (m == 0) return op + 1;
  const u32* ids = lanes<u32>(w, op->a);
  const u32* counts = op->b != 0 ? lanes<u32>(w, op->b) : nullptr;
  const u32 same = same_members(ids, m) & (counts != nullptr ? same_members(counts, m) : m);
  if (__builtin_expect(same != m, 0)) {
    softgpu::leave_for_later(w, op, same, (op->aux & 4U) != 0);
    m = same;
  }
  const int l = __builtin_ctz(m);
  const u32 votes = (op->aux & 2U) != 0 ? predicate(w, op->c & ~3U) ^ (0U - (op->c & 1U)) : 0;
  return softgpu::wait_barrier(w, op, m, ids[l], counts != nullptr ? counts[l] : 0,
                               (op->aux & 1U) == 0, (op->aux & 4U) != 0, votes);
}
// aux: bit 0 arrive, bit 1 wait, bit 2 the aligned form.
const Op* barrier_cluster(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  return softgpu::wait_cluster(w, op, m, (op->aux & 1U) != 0, (op->aux & 2U) != 0,
                               (op->aux & 4U) != 0);
}
// After a voting barrier: d: the result. aux: 0 popc, 1 and, 2 or.
const Op* barrier_result(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const u32* ids = lanes<u32>(w, op->a);
  for (u32 rest = m; rest != 0;) {
    const u32 same = same_members(ids, rest);
    const Barrier& b = (&w.block->barriers[0])[ids[__builtin_ctz(rest)] & 15U];
    rest &= ~same;
    const u32 votes = b.results[(b.phase - 1) & 1U][0];
    const u32 threads = b.results[(b.phase - 1) & 1U][1];
    if (op->aux == 0) {
      auto* d = lanes<u32>(w, op->d);
      SOFTGPU_LANES d[l] = ((same >> l) & 1U) != 0 ? votes : d[l];
    } else {
      blend(predicate(w, op->d), (op->aux == 1 ? votes == threads : votes != 0) ? full_mask : 0,
            same);
    }
  }
  return op + 1;
}

// --- warp-wide operations -----------------------------------------------------------------------

// The sync forms first bring together the lanes that the member mask names, which SLOT holds; then
// BODY does the work for lanes that are there and have named the same members.
#define SOFTGPU_SYNC(BODY, SLOT, ANYWHERE)                                      \
  const u32 m = active(w, op);                                                  \
  if (m == 0) return op + 1;                                                    \
  const u32* masks = lanes<u32>(w, (SLOT));                                     \
  if (__builtin_expect(same_members(masks, m) != m, 0)) {                       \
    return by_members<BODY>(w, op, m, masks, ANYWHERE);                         \
  }                                                                             \
  const u32 named = masks[__builtin_ctz(m)];                                    \
  if (__builtin_expect(((m & ~named) | (named & w.alive & ~w.mask)) != 0, 0)) { \
    return softgpu::gather_members(w, op, m, named, ANYWHERE);                  \
  }                                                                             \
  BODY(w, op, m, named);                                                        \
  SOFTGPU_NEXT;

// Lanes that name different members, as tiles of a warp that run together do, are an operation for
// each of these groups. Lanes that have exited meanwhile are named by some and no longer by others.
template <void (*body)(Warp&, const Op*, u32, u32)>
const Op* by_members(Warp& w, const Op* op, u32 m, const u32* masks, bool meets_anywhere) {
  alignas(64) u32 alive[warp_size];
  SOFTGPU_LANES alive[l] = masks[l] & w.alive;
  for (u32 rest = m; rest != 0;) {
    const u32 same = same_members(alive, rest);
    const u32 named = masks[__builtin_ctz(rest)];
    if (((same & ~named) | (named & w.alive & ~same)) != 0) {
      return softgpu::gather_members(w, op, same, named, meets_anywhere);
    }
    rest &= ~same;
  }
  for (u32 rest = m; rest != 0;) {
    const u32 same = same_members(alive, rest);
    body(w, op, same, masks[__builtin_ctz(rest)]);
    rest &= ~same;
  }
  return op + 1;
}

void pass_barrier(Warp&, const Op*, u32, u32) {}
const Op* warp_barrier(Warp& w, const Op* op) { SOFTGPU_SYNC(pass_barrier, op->a, true) }

// For each lane where its value comes from: itself where that would be out of range. Bits of the
// others are returned. mode: 0 up, 1 down, 2 bfly, 3 idx.
template <u32 mode>
__attribute__((always_inline)) inline u32 shuffle_sources(const u32* b, const u32* c, u32* from) {
  u32 in_range = 0;
  SOFTGPU_LANES {
    const s32 distance = static_cast<s32>(b[l] & 0x1fU);
    const s32 clamp = static_cast<s32>(c[l] & 0x1fU);
    const s32 segment = static_cast<s32>((c[l] >> 8) & 0x1fU);
    const s32 limit = (l & segment) | (clamp & ~segment);
    const s32 j = mode == 0   ? l - distance
                  : mode == 1 ? l + distance
                  : mode == 2 ? l ^ distance
                              : (l & segment) | (distance & ~segment);
    const bool inside = mode == 0 ? j >= limit : j <= limit;
    from[l] = static_cast<u32>(inside ? j : l);
    in_range |= (inside ? 1U : 0U) << l;
  }
  return in_range;
}
// All 32 lanes with the same operands b and c, nearly always constants.
__attribute__((always_inline)) inline void shuffle_alike(Warp& w, const Op* op, u32 bval, u32 c) {
  const auto* a = lanes<u32>(w, op->a);
  auto* d = lanes<u32>(w, op->d);
  const s32 distance = static_cast<s32>(bval & 0x1fU);
  const s32 mask = static_cast<s32>((c >> 8) & 0x1fU);
  const s32 clamp = static_cast<s32>(c & 0x1fU) & ~mask;
  alignas(64) s32 j[warp_size];
  alignas(64) s32 in_range[warp_size];
  switch (op->aux & 3U) {
    case 0:
      SOFTGPU_LANES {
        j[l] = l - distance;
        in_range[l] = j[l] >= ((l & mask) | clamp) ? -1 : 0;
      }
      break;
    case 1:
      SOFTGPU_LANES {
        j[l] = l + distance;
        in_range[l] = j[l] <= ((l & mask) | clamp) ? -1 : 0;
      }
      break;
    case 2:
      SOFTGPU_LANES {
        j[l] = l ^ distance;
        in_range[l] = j[l] <= ((l & mask) | clamp) ? -1 : 0;
      }
      break;
    default:
      SOFTGPU_LANES {
        j[l] = (l & mask) | (distance & ~mask);
        in_range[l] = j[l] <= ((l & mask) | clamp) ? -1 : 0;
      }
      break;
  }
  SOFTGPU_LANES j[l] = (in_range[l] != 0 ? j[l] : l) & 31;
#if defined(SOFTGPU_AVX512)
  const __m512i low = _mm512_loadu_si512(a);
  const __m512i high = _mm512_loadu_si512(a + 16);
  _mm512_storeu_si512(d, _mm512_permutex2var_epi32(low, _mm512_load_si512(j), high));
  _mm512_storeu_si512(d + 16, _mm512_permutex2var_epi32(low, _mm512_load_si512(j + 16), high));
#else
  alignas(64) u32 source[warp_size];
  SOFTGPU_LANES source[l] = a[l];
  for (int l = 0; l < warp_size; ++l) d[l] = source[separately(j[l])];
#endif
  const u32 q = (op->aux >> 2) * 4;
  if (q != 0) predicate(w, q) = collect(in_range);
}
__attribute__((always_inline)) inline bool all_alike(const u32* x) {
  u32 differs = 0;
  for (int l = 1; l < warp_size; ++l) differs |= x[l] ^ x[0];
  return differs == 0;
}

// shfl: a value, b lane, c clamp; mask in slot imm; aux: the mode; the predicate's slot / 4 above
// bit 2. A lane that is no member, or is not there any more, has no value to give.
void exchange(Warp& w, const Op* op, u32 m, u32 named) {
  if ((m & named) == full_mask && all_alike(lanes<u32>(w, op->b)) &&
      all_alike(lanes<u32>(w, op->c))) {
    shuffle_alike(w, op, lanes<u32>(w, op->b)[0], lanes<u32>(w, op->c)[0]);
    return;
  }
  const auto* a = lanes<u32>(w, op->a);
  const auto* b = lanes<u32>(w, op->b);
  const auto* c = lanes<u32>(w, op->c);
  auto* d = lanes<u32>(w, op->d);
  alignas(64) u32 source[warp_size];
  alignas(64) u32 from[warp_size];
  SOFTGPU_LANES source[l] = a[l];
  u32 in_range = 0;
  switch (op->aux & 3U) {
    case 0: in_range = shuffle_sources<0>(b, c, from); break;
    case 1: in_range = shuffle_sources<1>(b, c, from); break;
    case 2: in_range = shuffle_sources<2>(b, c, from); break;
    default: in_range = shuffle_sources<3>(b, c, from); break;
  }
  const u32 given = named & m;
  u32 read = 0;
  SOFTGPU_LANES read |= ((m >> l) & 1U) << from[l];
  if (__builtin_expect((read & ~given) != 0, 0)) {
    SOFTGPU_LANES source[l] = ((given >> l) & 1U) != 0 ? source[l] : undefined_word;
    softgpu::notice_shuffle(w, op, m, named, read & ~given);
  }
  if (__builtin_expect(m == full_mask, 1)) {
    SOFTGPU_LANES d[l] = source[from[l]];
  } else {
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? source[from[l]] : d[l];
  }
  const u32 q = (op->aux >> 2) * 4;
  if (q != 0) blend(predicate(w, q), in_range, m);
}
const Op* shuffle(Warp& w, const Op* op) {
  SOFTGPU_SYNC(exchange, static_cast<u32>(op->imm), false)
}

// vote: a predicate (bit 0 negated), b mask. aux: 0 all, 1 any, 2 uni, 3 ballot.
void count_votes(Warp& w, const Op* op, u32 m, u32 named) {
  const u32 members = named & m;
  const u32 p = (predicate(w, op->a & ~3U) ^ (0U - (op->a & 1U))) & members;
  if (op->aux == 3) {
    auto* d = lanes<u32>(w, op->d);
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? p : d[l];
    return;
  }
  const bool r = op->aux == 0 ? p == members : op->aux == 1 ? p != 0 : (p == members || p == 0);
  blend(predicate(w, op->d), r ? full_mask : 0, m);
}
const Op* vote(Warp& w, const Op* op) { SOFTGPU_SYNC(count_votes, op->b, false) }

// match: a value, b mask; aux: bit 0 all, bits 2..: predicate slot / 4 (of all).
template <class Lane>
void match_values(Warp& w, const Op* op, u32 m, u32 named) {
  const auto* a = lanes<Lane>(w, op->a);
  auto* d = lanes<u32>(w, op->d);
  const u32 members = named & m;
  alignas(64) Lane value[warp_size];
  SOFTGPU_LANES value[l] = a[l];
  if ((op->aux & 1U) != 0) {
    const Lane first = value[__builtin_ctz(members)];
    bool same = true;
    for (u32 rest = members; rest != 0; rest &= rest - 1)
      same = same && value[__builtin_ctz(rest)] == first;
    for (u32 rest = m; rest != 0; rest &= rest - 1) d[__builtin_ctz(rest)] = same ? members : 0;
    const u32 q = (op->aux >> 2) * 4;
    if (q != 0) blend(predicate(w, q), same ? full_mask : 0, m);
    return;
  }
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    u32 same = 0;
    for (u32 others = members; others != 0; others &= others - 1) {
      const int k = __builtin_ctz(others);
      if (value[k] == value[l]) same |= 1U << k;
    }
    d[l] = same;
  }
}
template <class Lane>
const Op* match(Warp& w, const Op* op) {
  SOFTGPU_SYNC(match_values<Lane>, op->b, false)
}
const Op* active_mask(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? m : d[l];
  return op + 1;
}
// redux: a value, b mask; aux: 0 add, 1 min.u, 2 max.u, 3 min.s, 4 max.s, 5 and, 6 or, 7 xor,
// 8 min.f32, 9 max.f32, 10 min.NaN.f32, 11 max.NaN.f32; bit 8: .abs.
void reduce_members(Warp& w, const Op* op, u32 m, u32 named) {
  const auto* a = lanes<u32>(w, op->a);
  const u32 members = named & m;
  u32 r = 0;
  bool first = true;
  const u32 which = op->aux & 0xffU;
  for (u32 rest = members; rest != 0; rest &= rest - 1) {
    u32 x = a[__builtin_ctz(rest)];
    if ((op->aux & 0x100U) != 0) x &= 0x7fffffffU;
    if (first) {
      r = x;
      first = false;
      continue;
    }
    switch (which) {
      case 0: r += x; break;
      case 1: r = x < r ? x : r; break;
      case 2: r = x > r ? x : r; break;
      case 3: r = static_cast<s32>(x) < static_cast<s32>(r) ? x : r; break;
      case 4: r = static_cast<s32>(x) > static_cast<s32>(r) ? x : r; break;
      case 5: r &= x; break;
      case 6: r |= x; break;
      case 7: r ^= x; break;
      case 8:
        r = bits<u32>(extreme<float, u32, false, false>(bits<float>(r), bits<float>(x)));
        break;
      case 9:
        r = bits<u32>(extreme<float, u32, true, false>(bits<float>(r), bits<float>(x)));
        break;
      case 10:
        r = bits<u32>(extreme<float, u32, false, true>(bits<float>(r), bits<float>(x)));
        break;
      default:
        r = bits<u32>(extreme<float, u32, true, true>(bits<float>(r), bits<float>(x)));
        break;
    }
  }
  auto* d = lanes<u32>(w, op->d);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? r : d[l];
}
const Op* reduce_warp(Warp& w, const Op* op) { SOFTGPU_SYNC(reduce_members, op->b, false) }
// elect: d the leader, aux: predicate slot, a: mask.
void elect_leader(Warp& w, const Op* op, u32 m, u32 named) {
  const u32 leader = static_cast<u32>(__builtin_ctz(named & m));
  if (op->d != 0) {
    auto* d = lanes<u32>(w, op->d);
    SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? leader : d[l];
  }
  if (op->aux != 0) blend(predicate(w, op->aux), 1U << leader, m);
}
const Op* elect(Warp& w, const Op* op) { SOFTGPU_SYNC(elect_leader, op->a, false) }

// --- textures -----------------------------------------------------------------------------------

#include "softgpu/exec/texture.inl"

// --- the table ----------------------------------------------------------------------------------

#define SOFTGPU_INTEGERS(NAME, F)                                             \
  {NAME ".u16", binary<F, U16, U16>}, {NAME ".s16", binary<F, S16, S16>},     \
      {NAME ".u32", binary<F, U32, U32>}, {NAME ".s32", binary<F, S32, S32>}, \
      {NAME ".u64", binary<F, U64, U64>}, {                                   \
    NAME ".s64", binary<F, S64, S64>                                          \
  }
#define SOFTGPU_COMPARE(NAME, F)                                                \
  {"setp." NAME ".u16", setp<F, U16>}, {"setp." NAME ".s16", setp<F, S16>},     \
      {"setp." NAME ".u32", setp<F, U32>}, {"setp." NAME ".s32", setp<F, S32>}, \
      {"setp." NAME ".u64", setp<F, U64>}, {"setp." NAME ".s64", setp<F, S64>}, \
      {"set." NAME ".u32", set_register<F, U32, false>},                        \
      {"set." NAME ".s32", set_register<F, S32, false>},                        \
      {"set." NAME ".u16", set_register<F, U16, false>},                        \
      {"set." NAME ".s16", set_register<F, S16, false>},                        \
      {"set." NAME ".u64", set_register<F, U64, false>},                        \
      {"set." NAME ".s64", set_register<F, S64, false>},                        \
      {"setf." NAME ".u32", set_register<F, U32, true>},                        \
      {"setf." NAME ".s32", set_register<F, S32, true>},                        \
      {"setf." NAME ".u16", set_register<F, U16, true>},                        \
      {"setf." NAME ".s16", set_register<F, S16, true>},                        \
      {"setf." NAME ".u64", set_register<F, U64, true>}, {                      \
    "setf." NAME ".s64", set_register<F, S64, true>                             \
  }
#define SOFTGPU_COMPARE_REAL(NAME, F)                                          \
  {"setp." NAME ".f32", setp<F, F32>}, {"setp." NAME ".f64", setp<F, F64>},    \
      {"set." NAME ".f32", set_register<F, F32, false>},                       \
      {"set." NAME ".f64", set_register<F, F64, false>},                       \
      {"setf." NAME ".f32", set_register<F, F32, true>},                       \
      {"setf." NAME ".f64", set_register<F, F64, true>},                       \
      {"setp." NAME ".ftz.f32", setp<CompareFlushed<F>, F32>},                 \
      {"set." NAME ".ftz.f32", set_register<CompareFlushed<F>, F32, false>}, { \
    "setf." NAME ".ftz.f32", set_register<CompareFlushed<F>, F32, true>        \
  }
#define SOFTGPU_LOADS(TYPE, T, LANE, L)                      \
  {"ld." TYPE "." LANE, load<T, L, false, u64>},             \
      {"ld.shared." TYPE "." LANE, load<T, L, true, u64>}, { \
    "ld.shared32." TYPE "." LANE, load<T, L, true, u32>      \
  }
#define SOFTGPU_STORES(SIZE, T, LANE, L)                      \
  {"st." SIZE "." LANE, store<T, L, false, u64>},             \
      {"st.shared." SIZE "." LANE, store<T, L, true, u64>}, { \
    "st.shared32." SIZE "." LANE, store<T, L, true, u32>      \
  }
#define SOFTGPU_ATOMIC_INTEGER(TYPE, T)                                               \
  {"atom.add." TYPE, atomic<T, atom_add>}, {"atom.min." TYPE, atomic<T, atom_min>}, { \
    "atom.max." TYPE, atomic<T, atom_max>                                             \
  }
#define SOFTGPU_ATOMIC_SHARED(NAME, T, WHICH) \
  { "atom.shared32." NAME, atomic_shared<T, WHICH> }
#define SOFTGPU_ATOMIC_BITS(TYPE, T)                                                    \
  {"atom.exch." TYPE, atomic<T, atom_exch>}, {"atom.cas." TYPE, atomic<T, atom_cas>},   \
      {"atom.and." TYPE, atomic<T, atom_and>}, {"atom.or." TYPE, atomic<T, atom_or>}, { \
    "atom.xor." TYPE, atomic<T, atom_xor>                                               \
  }
#define SOFTGPU_FROM_INTEGER(TO, D, FROM, A)                      \
  {"cvt." TO "." FROM, each<ConvertInteger<D, A>, D, A, A, A>}, { \
    "cvtw." TO "." FROM, unary<ConvertPlain<D, A>, D, A>          \
  }
#define SOFTGPU_FROM_INTEGERS(TO, D)                                                    \
  SOFTGPU_FROM_INTEGER(TO, D, "u8", U8), SOFTGPU_FROM_INTEGER(TO, D, "s8", S8),         \
      SOFTGPU_FROM_INTEGER(TO, D, "u16", U16), SOFTGPU_FROM_INTEGER(TO, D, "s16", S16), \
      SOFTGPU_FROM_INTEGER(TO, D, "u32", U32), SOFTGPU_FROM_INTEGER(TO, D, "s32", S32), \
      SOFTGPU_FROM_INTEGER(TO, D, "u64", U64), SOFTGPU_FROM_INTEGER(TO, D, "s64", S64), \
      {"cvt." TO ".f32", each<ConvertToInteger<D, F32>, D, F32, F32, F32>},             \
      {"cvt." TO ".f64", each<ConvertToInteger<D, F64>, D, F64, F64, F64>},             \
      {"cvt." TO ".f16", each<ConvertToInteger<D, F16>, D, F16, F16, F16>},             \
      {"cvt." TO ".bf16", each<ConvertToInteger<D, BF16>, D, BF16, BF16, BF16>}, {      \
    "cvtz." TO ".f32", unary<TruncateToInteger<D, F32>, D, F32>                         \
  }
#define SOFTGPU_TO_REAL(TO, D)                                                                  \
  {"cvt." TO ".u8", convert_to_real<D, U8>}, {"cvt." TO ".s8", convert_to_real<D, S8>},         \
      {"cvt." TO ".u16", convert_to_real<D, U16>}, {"cvt." TO ".s16", convert_to_real<D, S16>}, \
      {"cvt." TO ".u32", convert_to_real<D, U32>}, {"cvt." TO ".s32", convert_to_real<D, S32>}, \
      {"cvt." TO ".u64", convert_to_real<D, U64>}, {"cvt." TO ".s64", convert_to_real<D, S64>}, \
      {"cvt." TO ".f32", convert_to_real<D, F32>}, {"cvt." TO ".f64", convert_to_real<D, F64>}, \
      {"cvt." TO ".f16", convert_to_real<D, F16>}, {                                            \
    "cvt." TO ".bf16", convert_to_real<D, BF16>                                                 \
  }
#define SOFTGPU_TO_HALF_FROM(TO, D, FROM, A) \
  { "cvt." TO "." FROM, each<ConvertToHalf<D, A>, U32, A, A, A> }
#define SOFTGPU_TO_HALF(TO, D)                                                          \
  SOFTGPU_TO_HALF_FROM(TO, D, "u8", U8), SOFTGPU_TO_HALF_FROM(TO, D, "s8", S8),         \
      SOFTGPU_TO_HALF_FROM(TO, D, "u16", U16), SOFTGPU_TO_HALF_FROM(TO, D, "s16", S16), \
      SOFTGPU_TO_HALF_FROM(TO, D, "u32", U32), SOFTGPU_TO_HALF_FROM(TO, D, "s32", S32), \
      SOFTGPU_TO_HALF_FROM(TO, D, "u64", U64), SOFTGPU_TO_HALF_FROM(TO, D, "s64", S64), \
      SOFTGPU_TO_HALF_FROM(TO, D, "f32", F32), SOFTGPU_TO_HALF_FROM(TO, D, "f64", F64), \
      SOFTGPU_TO_HALF_FROM(TO, D, "f16", F16), SOFTGPU_TO_HALF_FROM(TO, D, "bf16", BF16)
#define SOFTGPU_FORMS2(NAME, F)                                    \
  {NAME ".ftz.f32", binary<Flushing<F>, F32, F32>},                \
      {NAME ".sat.f32", binary<Saturating<F>, F32, F32>}, {        \
    NAME ".ftz.sat.f32", binary<Saturating<Flushing<F>>, F32, F32> \
  }
#define SOFTGPU_CONTROLLED(NAME, F) \
  {NAME ".f32.mode", controlled<F, F32>}, { NAME ".f64.mode", controlled<F, F64> }

constexpr HandlerEntry table[] = {
    SOFTGPU_INTEGERS("add", Add),
    SOFTGPU_INTEGERS("sub", Sub),
    SOFTGPU_INTEGERS("mul.lo", Mul),
    SOFTGPU_INTEGERS("min", Min),
    SOFTGPU_INTEGERS("max", Max),
    {"mul.hi.u16", binary<MulHigh16, U16, U16>},
    {"mul.hi.s16", binary<MulHigh16, S16, S16>},
    {"mul.hi.u32", binary<MulHigh32, U32, U32>},
    {"mul.hi.s32", binary<MulHigh32, S32, S32>},
    {"mul.hi.u64", binary<MulHigh64, U64, U64>},
    {"mul.hi.s64", binary<MulHigh64, S64, S64>},
    {"mul.wide.u16", binary<MulWide<u32>, U32, U16>},
    {"mul.wide.s16", binary<MulWide<s32>, S32, S16>},
    {"mul.wide.u32", binary<MulWide<u64>, U64, U32>},
    {"mul.wide.s32", binary<MulWide<s64>, S64, S32>},
    {"mad.lo.u16", ternary<MulAdd, U16, U16, U16, U16>},
    {"mad.lo.s16", ternary<MulAdd, U16, U16, U16, U16>},
    {"mad.lo.u32", ternary<MulAdd, U32, U32, U32, U32>},
    {"mad.lo.s32", ternary<MulAdd, U32, U32, U32, U32>},
    {"mad.lo.u64", ternary<MulAdd, U64, U64, U64, U64>},
    {"mad.lo.s64", ternary<MulAdd, U64, U64, U64, U64>},
    {"mad.hi.u16", ternary<MulHighAdd<MulHigh16>, U16, U16, U16, U16>},
    {"mad.hi.s16", ternary<MulHighAdd<MulHigh16>, S16, S16, S16, S16>},
    {"mad.hi.u32", ternary<MulHighAdd<MulHigh32>, U32, U32, U32, U32>},
    {"mad.hi.s32", ternary<MulHighAdd<MulHigh32>, S32, S32, S32, S32>},
    {"mad.hi.u64", ternary<MulHighAdd<MulHigh64>, U64, U64, U64, U64>},
    {"mad.hi.s64", ternary<MulHighAdd<MulHigh64>, S64, S64, S64, S64>},
    {"mad.hi.sat.s32", ternary<SaturateMadHigh, S32, S32, S32, S32>},
    {"mad.wide.u16", ternary<MadWide<u32>, U32, U16, U16, U32>},
    {"mad.wide.s16", ternary<MadWide<s32>, S32, S16, S16, S32>},
    {"mad.wide.u32", ternary<MadWide<u64>, U64, U32, U32, U64>},
    {"mad.wide.s32", ternary<MadWide<s64>, S64, S32, S32, S64>},
    {"mul24.lo.u32", binary<Mul24Low, U32, U32>},
    {"mul24.lo.s32", binary<Mul24Low, S32, S32>},
    {"mul24.hi.u32", binary<Mul24High, U32, U32>},
    {"mul24.hi.s32", binary<Mul24High, S32, S32>},
    {"mad24.lo.u32", ternary<Mad24<Mul24Low>, U32, U32, U32, U32>},
    {"mad24.lo.s32", ternary<Mad24<Mul24Low>, S32, S32, S32, S32>},
    {"mad24.hi.u32", ternary<Mad24<Mul24High>, U32, U32, U32, U32>},
    {"mad24.hi.s32", ternary<Mad24<Mul24High>, S32, S32, S32, S32>},
    {"mad24.hi.sat.s32", ternary<SaturateMad24High, S32, S32, S32, S32>},
    {"sad.u16", ternary<SumOfDifference, U16, U16, U16, U16>},
    {"sad.s16", ternary<SumOfDifference, S16, S16, S16, S16>},
    {"sad.u32", ternary<SumOfDifference, U32, U32, U32, U32>},
    {"sad.s32", ternary<SumOfDifference, S32, S32, S32, S32>},
    {"sad.u64", ternary<SumOfDifference, U64, U64, U64, U64>},
    {"sad.s64", ternary<SumOfDifference, S64, S64, S64, S64>},
    {"add.sat.s32", binary<SaturateAdd, S32, S32>},
    {"sub.sat.s32", binary<SaturateSub, S32, S32>},
    {"div.u16", each<Divide, U16, U16, U16, U16>},
    {"div.s16", each<Divide, S16, S16, S16, S16>},
    {"div.u32", each<Divide, U32, U32, U32, U32>},
    {"div.s32", each<Divide, S32, S32, S32, S32>},
    {"div.u64", each<Divide, U64, U64, U64, U64>},
    {"div.s64", each<Divide, S64, S64, S64, S64>},
    {"rem.u16", each<Remainder, U16, U16, U16, U16>},
    {"rem.s16", each<Remainder, S16, S16, S16, S16>},
    {"rem.u32", each<Remainder, U32, U32, U32, U32>},
    {"rem.s32", each<Remainder, S32, S32, S32, S32>},
    {"rem.u64", each<Remainder, U64, U64, U64, U64>},
    {"rem.s64", each<Remainder, S64, S64, S64, S64>},
    {"abs.s16", unary<Absolute, S16, S16>},
    {"abs.s32", unary<Absolute, S32, S32>},
    {"abs.s64", unary<Absolute, S64, S64>},
    {"neg.s16", unary<Negate, U16, U16>},
    {"neg.s32", unary<Negate, U32, U32>},
    {"neg.s64", unary<Negate, U64, U64>},
    {"and.b16", binary<And, U16, U16>},
    {"and.b32", binary<And, U32, U32>},
    {"and.b64", binary<And, U64, U64>},
    {"or.b16", binary<Or, U16, U16>},
    {"or.b32", binary<Or, U32, U32>},
    {"or.b64", binary<Or, U64, U64>},
    {"xor.b16", binary<Xor, U16, U16>},
    {"xor.b32", binary<Xor, U32, U32>},
    {"xor.b64", binary<Xor, U64, U64>},
    {"not.b16", unary<Not, U16, U16>},
    {"not.b32", unary<Not, U32, U32>},
    {"not.b64", unary<Not, U64, U64>},
    {"cnot.b16", unary<IsZero, U16, U16>},
    {"cnot.b32", unary<IsZero, U32, U32>},
    {"cnot.b64", unary<IsZero, U64, U64>},
    {"shl.b16", binary<ShiftLeft, U16, U16, U32>},
    {"shl.b32", binary<ShiftLeft, U32, U32, U32>},
    {"shl.b64", binary<ShiftLeft, U64, U64, U32>},
    {"shr.u16", binary<ShiftRight, U16, U16, U32>},
    {"shr.u32", binary<ShiftRight, U32, U32, U32>},
    {"shr.u64", binary<ShiftRight, U64, U64, U32>},
    {"shr.s16", binary<ShiftRight, S16, S16, U32>},
    {"shr.s32", binary<ShiftRight, S32, S32, U32>},
    {"shr.s64", binary<ShiftRight, S64, S64, U32>},
    {"popc.b32", unary<PopCount, U32, U32>},
    {"popc.b64", unary<PopCount, U32, U64>},
    {"clz.b32", unary<LeadingZeros, U32, U32>},
    {"clz.b64", unary<LeadingZeros, U32, U64>},
    {"brev.b32", each<ReverseBits, U32, U32, U32, U32>},
    {"brev.b64", each<ReverseBits, U64, U64, U64, U64>},
    {"bfind.u32", each<FindLeading, U32, U32, U32, U32>},
    {"bfind.s32", each<FindLeading, U32, S32, U32, U32>},
    {"bfind.u64", each<FindLeading, U32, U64, U32, U32>},
    {"bfind.s64", each<FindLeading, U32, S64, U32, U32>},
    {"bfe.u32", each<ExtractField, U32, U32, U32, U32>},
    {"bfe.s32", each<ExtractField, S32, S32, U32, U32>},
    {"bfe.u64", each<ExtractField, U64, U64, U32, U32>},
    {"bfe.s64", each<ExtractField, S64, S64, U32, U32>},
    {"bfi.b32", insert<u32>},
    {"bfi.b64", insert<u64>},
    {"prmt.b32", each<PermuteBytes, U32, U32, U32, U32>},
    {"lop3.b32", logic3_op},
    {"shf.b32", each<FunnelShift, U32, U32, U32, U32>},
    {"bmsk.b32", each<BitMask, U32, U32, U32, U32>},
    {"szext.b32", each<ExtendFrom, U32, U32, U32, U32>},
    {"fns.b32", each<FindNthSet, U32, U32, U32, U32>},
    {"dp4a", each<DotProduct, U32, U32, U32, U32>},
    {"addc.32", add_carry<u32>},
    {"addc.64", add_carry<u64>},
    {"madc.32", mad_carry<u32, u64, s64>},
    {"madc.64", mad_carry<u64, u128, s128>},
    {"pair.16x2", each<PairArithmetic, U32, U32, U32, U32>},
    {"video", video},
    {"relu.s32", each<ReluExtreme, S32, S32, S32, S32>},

    {"add.f32", binary<FAdd, F32, F32>},
    {"add.f64", binary<FAdd, F64, F64>},
    {"sub.f32", binary<FSub, F32, F32>},
    {"sub.f64", binary<FSub, F64, F64>},
    {"mul.f32", binary<FMul, F32, F32>},
    {"mul.f64", binary<FMul, F64, F64>},
    {"div.f32", binary<FDiv, F32, F32>},
    {"div.f64", binary<FDiv, F64, F64>},
    {"fma.f32", ternary<FFma, F32, F32, F32, F32>},
    {"fma.f64", ternary<FFma, F64, F64, F64, F64>},
    {"rcp.f32", unary<FRcp, F32, F32>},
    {"rcp.f64", unary<FRcp, F64, F64>},
    {"sqrt.f32", unary<FSqrt, F32, F32>},
    {"sqrt.f64", unary<FSqrt, F64, F64>},
    {"abs.f32", unary<FAbs, F32, F32>},
    {"abs.f64", unary<FAbs, F64, F64>},
    {"neg.f32", unary<FNeg, F32, F32>},
    {"neg.f64", unary<FNeg, F64, F64>},
    {"min.f32", binary<FExtreme<false, false>, F32, F32>},
    {"min.f64", binary<FExtreme<false, false>, F64, F64>},
    {"max.f32", binary<FExtreme<true, false>, F32, F32>},
    {"max.f64", binary<FExtreme<true, false>, F64, F64>},
    {"min.NaN.f32", binary<FExtreme<false, true>, F32, F32>},
    {"max.NaN.f32", binary<FExtreme<true, true>, F32, F32>},
    {"min.forms.f32", each<FExtremeForms<false, false>, F32, F32, F32, F32>},
    {"max.forms.f32", each<FExtremeForms<true, false>, F32, F32, F32, F32>},
    {"min.NaN.forms.f32", each<FExtremeForms<false, true>, F32, F32, F32, F32>},
    {"max.NaN.forms.f32", each<FExtremeForms<true, true>, F32, F32, F32, F32>},
    {"copysign.f32", binary<CopySign, F32, F32>},
    {"copysign.f64", binary<CopySign, F64, F64>},
    SOFTGPU_FORMS2("add", FAdd),
    SOFTGPU_FORMS2("sub", FSub),
    SOFTGPU_FORMS2("mul", FMul),
    {"fma.ftz.f32", ternary<Flushing<FFma>, F32, F32, F32, F32>},
    {"fma.sat.f32", ternary<Saturating<FFma>, F32, F32, F32, F32>},
    {"fma.ftz.sat.f32", ternary<Saturating<Flushing<FFma>>, F32, F32, F32, F32>},
    {"div.ftz.f32", binary<Flushing<FDiv>, F32, F32>},
    {"rcp.ftz.f32", unary<Flushing<FRcp>, F32, F32>},
    {"sqrt.ftz.f32", unary<Flushing<FSqrt>, F32, F32>},
    {"abs.ftz.f32", unary<Flushing<FAbs>, F32, F32>},
    {"neg.ftz.f32", unary<Flushing<FNeg>, F32, F32>},
    {"min.ftz.f32", binary<Flushing<FExtreme<false, false>>, F32, F32>},
    {"max.ftz.f32", binary<Flushing<FExtreme<true, false>>, F32, F32>},
    SOFTGPU_CONTROLLED("add", FAdd),
    SOFTGPU_CONTROLLED("sub", FSub),
    SOFTGPU_CONTROLLED("mul", FMul),
    SOFTGPU_CONTROLLED("div", FDiv),
    SOFTGPU_CONTROLLED("fma", FFma),
    SOFTGPU_CONTROLLED("rcp", FRcp),
    SOFTGPU_CONTROLLED("sqrt", FSqrt),
    SOFTGPU_CONTROLLED("abs", FAbs),
    SOFTGPU_CONTROLLED("neg", FNeg),
    {"min.f32.mode", controlled<FExtreme<false, false>, F32>},
    {"max.f32.mode", controlled<FExtreme<true, false>, F32>},
    {"ex2", wide<Approximate<Exp2>, F32, F32, F32, F32>},
    {"lg2", wide<Approximate<Log2>, F32, F32, F32, F32>},
    {"sin", approximate_sine<Sine<0>>},
    {"cos", approximate_sine<Sine<1>>},
    {"tanh", wide<Approximate<Tanh>, F32, F32, F32, F32>},
    {"rcp.approx", wide<Approximate<Reciprocal>, F32, F32, F32, F32>},
    {"sqrt.approx", wide<Approximate<SquareRoot>, F32, F32, F32, F32>},
    {"rsqrt", wide<Approximate<ReciprocalRoot>, F32, F32, F32, F32>},
    {"div.approx", wide<ApproximateDivide, F32, F32, F32, F32>},
    {"rcp.approx.f64", each<ApproximateRcp64, F64, F64, F64, F64>},
    {"rsqrt.f64", each<ApproximateRsqrt64, F64, F64, F64, F64>},
    {"jitter.f32", jitter<F32>},
    {"jitter.f64", jitter<F64>},
    {"jitter.f16", jitter<F16>},
    {"jitter.bf16", jitter<BF16>},
    {"testp.f32", testp<float, u32>},
    {"testp.f64", testp<double, u64>},
    {"slct.b32.s32", ternary<SelectBySign, U32, U32, U32, S32>},
    {"slct.b64.s32", ternary<SelectBySign, U64, U64, U64, S32>},
    {"slct.b32.ftz.f32", ternary<SelectBySignFlushed, U32, U32, U32, F32>},
    {"slct.b64.ftz.f32", ternary<SelectBySignFlushed, U64, U64, U64, F32>},
    {"slct.b32.f32", ternary<SelectBySign, U32, U32, U32, F32>},
    {"slct.b64.f32", ternary<SelectBySign, U64, U64, U64, F32>},

    SOFTGPU_COMPARE("eq", Eq),
    SOFTGPU_COMPARE("ne", NeInteger),
    SOFTGPU_COMPARE("lt", Lt),
    SOFTGPU_COMPARE("le", Le),
    SOFTGPU_COMPARE("gt", Gt),
    SOFTGPU_COMPARE("ge", Ge),
    SOFTGPU_COMPARE_REAL("eq", Eq),
    SOFTGPU_COMPARE_REAL("ne", Ne),
    SOFTGPU_COMPARE_REAL("lt", Lt),
    SOFTGPU_COMPARE_REAL("le", Le),
    SOFTGPU_COMPARE_REAL("gt", Gt),
    SOFTGPU_COMPARE_REAL("ge", Ge),
    SOFTGPU_COMPARE_REAL("equ", Equ),
    SOFTGPU_COMPARE_REAL("neu", Neu),
    SOFTGPU_COMPARE_REAL("ltu", Ltu),
    SOFTGPU_COMPARE_REAL("leu", Leu),
    SOFTGPU_COMPARE_REAL("gtu", Gtu),
    SOFTGPU_COMPARE_REAL("geu", Geu),
    SOFTGPU_COMPARE_REAL("num", Num),
    SOFTGPU_COMPARE_REAL("nan", Nan),
    {"setp.f16", setp_half<F16>},
    {"setp.bf16", setp_half<BF16>},
    {"set.f16", set_half<F16>},
    {"set.bf16", set_half<BF16>},
    {"half.f16", each<HalfArithmetic<F16>, U32, U32, U32, U32>},
    {"half.bf16", each<HalfArithmetic<BF16>, U32, U32, U32, U32>},
    {"pred.mov", pred_mov},
    {"pred.not", pred_not},
    {"pred.and", pred_and},
    {"pred.or", pred_or},
    {"pred.xor", pred_xor},
    {"pred.from", pred_from_register},
    {"selp.32", select_by_predicate<u32>},
    {"selp.64", select_by_predicate<u64>},

    SOFTGPU_FROM_INTEGERS("u8", U8),
    SOFTGPU_FROM_INTEGERS("s8", S8),
    SOFTGPU_FROM_INTEGERS("u16", U16),
    SOFTGPU_FROM_INTEGERS("s16", S16),
    SOFTGPU_FROM_INTEGERS("u32", U32),
    SOFTGPU_FROM_INTEGERS("s32", S32),
    SOFTGPU_FROM_INTEGERS("u64", U64),
    SOFTGPU_FROM_INTEGERS("s64", S64),
    SOFTGPU_TO_REAL("f32", F32),
    SOFTGPU_TO_REAL("f64", F64),
    SOFTGPU_TO_HALF("f16", F16),
    SOFTGPU_TO_HALF("bf16", BF16),
    {"cvtw.f64.f32", unary<ConvertPlain<F64, F32>, F64, F32>},
    {"cvtw.f32.s32", unary<ConvertPlain<F32, S32>, F32, S32>},
    {"cvtw.f32.u32", unary<ConvertPlain<F32, U32>, F32, U32>},
    {"cvtw.f64.s32", unary<ConvertPlain<F64, S32>, F64, S32>},
    {"cvtw.f32.f16", unary<ConvertPlain<F32, F16>, F32, F16>},
    {"cvtw.f32.bf16", unary<ConvertPlain<F32, BF16>, F32, BF16>},
    {"cvtw.f64.u32", unary<ConvertPlain<F64, U32>, F64, U32>},
    {"cvtw.f32.f64", unary<ConvertRounded, F32, F64>},
    {"cvtw.f16.f32", unary<ConvertPlain<F16, F32>, F16, F32>},
    {"cvtw.bf16.f32", unary<ConvertPlain<BF16, F32>, BF16, F32>},
    {"cvt.f16x2", each<ConvertPair<F16>, U32, F32, F32, F32>},
    {"cvt.bf16x2", each<ConvertPair<BF16>, U32, F32, F32, F32>},
    {"cvt.pack", each<PackFields, U32, U32, U32, U32>},
    {"cvt.tf32", each<ConvertTf32, U32, U32, U32, U32>},

    {"mov.32", move32},
    {"mov.64", move64},
    {"mov.128", move128},
    {"widen", widen},
    {"narrow", narrow},
    {"extract64", extract_from64},
    {"extract32", extract_from32},
    {"join32", join32},
    {"join64", join64},
    {"addi.64", add_immediate64},
    {"clock", read_clock},

    SOFTGPU_LOADS("u8", u8, "32", u32),
    SOFTGPU_LOADS("s8", s8, "32", u32),
    SOFTGPU_LOADS("u16", u16, "32", u32),
    SOFTGPU_LOADS("s16", s16, "32", u32),
    SOFTGPU_LOADS("u32", u32, "32", u32),
    SOFTGPU_LOADS("s32", s32, "32", u32),
    SOFTGPU_LOADS("u8", u8, "64", u64),
    SOFTGPU_LOADS("s8", s8, "64", u64),
    SOFTGPU_LOADS("u16", u16, "64", u64),
    SOFTGPU_LOADS("s16", s16, "64", u64),
    SOFTGPU_LOADS("u32", u32, "64", u64),
    SOFTGPU_LOADS("s32", s32, "64", u64),
    SOFTGPU_LOADS("u64", u64, "64", u64),
    SOFTGPU_LOADS("s64", s64, "64", u64),
    SOFTGPU_STORES("8", u8, "32", u32),
    SOFTGPU_STORES("16", u16, "32", u32),
    SOFTGPU_STORES("32", u32, "32", u32),
    SOFTGPU_STORES("8", u8, "64", u64),
    SOFTGPU_STORES("16", u16, "64", u64),
    SOFTGPU_STORES("32", u32, "64", u64),
    SOFTGPU_STORES("64", u64, "64", u64),
    {"ld.vector32", load_vector<u32>},
    {"ld.vector64", load_vector<u64>},
    {"st.vector32", store_vector<u32>},
    {"st.vector64", store_vector<u64>},
    {"ld.narrow2", load_narrow<u16>},
    {"ld.narrow4", load_narrow<u32>},
    {"ld.narrow8", load_narrow<u64>},
    {"st.narrow2", store_narrow<u16>},
    {"st.narrow4", store_narrow<u32>},
    {"st.narrow8", store_narrow<u64>},
    {"split128", split128},
    {"join128", join128},
    {"atom.128", atomic128},
    {"bar.cluster", barrier_cluster},
    {"ld.pieces", load_pieces},
    {"st.pieces", store_pieces},
    {"ld.frame", load_frame},
    {"st.frame", store_frame},
    {"spill", spill_parameter},
    {"local.address", local_address},
    {"to.generic", to_generic},
    {"from.generic", from_generic},
    {"isspacep", is_space},
    SOFTGPU_ATOMIC_INTEGER("u32", U32),
    SOFTGPU_ATOMIC_INTEGER("s32", S32),
    SOFTGPU_ATOMIC_INTEGER("u64", U64),
    SOFTGPU_ATOMIC_INTEGER("s64", S64),
    SOFTGPU_ATOMIC_BITS("b32", U32),
    SOFTGPU_ATOMIC_BITS("b64", U64),
    {"atom.inc.u32", atomic<U32, atom_inc>},
    {"atom.dec.u32", atomic<U32, atom_dec>},
    SOFTGPU_ATOMIC_SHARED("add.u32", U32, atom_add),
    SOFTGPU_ATOMIC_SHARED("add.s32", U32, atom_add),
    SOFTGPU_ATOMIC_SHARED("add.f32", F32, atom_add),
    SOFTGPU_ATOMIC_SHARED("min.u32", U32, atom_min),
    SOFTGPU_ATOMIC_SHARED("min.s32", S32, atom_min),
    SOFTGPU_ATOMIC_SHARED("max.u32", U32, atom_max),
    SOFTGPU_ATOMIC_SHARED("max.s32", S32, atom_max),
    SOFTGPU_ATOMIC_SHARED("and.b32", U32, atom_and),
    SOFTGPU_ATOMIC_SHARED("or.b32", U32, atom_or),
    SOFTGPU_ATOMIC_SHARED("xor.b32", U32, atom_xor),
    SOFTGPU_ATOMIC_SHARED("exch.b32", U32, atom_exch),
    SOFTGPU_ATOMIC_SHARED("cas.b32", U32, atom_cas),
    SOFTGPU_ATOMIC_SHARED("inc.u32", U32, atom_inc),
    SOFTGPU_ATOMIC_SHARED("dec.u32", U32, atom_dec),
    {"atom.add.f32", atomic<F32, atom_add>},
    {"atom.add.f64", atomic<F64, atom_add>},
    {"atom.min.f32", atomic<F32, atom_min>},
    {"atom.max.f32", atomic<F32, atom_max>},
    {"atom.half", atomic_half},

    {"bra", branch},
    {"bra.short", short_branch},
    {"join", join},
    {"loop", loop_head},
    {"call", call},
    {"call.register", call_register},
    {"service", service},
    {"tex", fetch_texture},
    {"bar.result", barrier_result},
    {"brx", branch_table},
    {"exit", exit_op},
    {"ret", return_op},
    {"nop", nothing},
    {"fence", fence},
    {"yield", yield_op},
    {"trap", trap},
    {"unsupported", unsupported},
    {"bar", barrier},
    {"bar.warp", warp_barrier},
    {"shfl", shuffle},
    {"vote", vote},
    {"match.32", match<u32>},
    {"match.64", match<u64>},
    {"activemask", active_mask},
    {"redux", reduce_warp},
    {"elect", elect},
};

}  // namespace

HandlerEntries entries() { return {table, sizeof(table) / sizeof(table[0])}; }

}  // namespace softgpu::SOFTGPU_ISA

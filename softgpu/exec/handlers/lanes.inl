// Operations on all lanes of a register at once, and on predicates. Part of handlers.inl.

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

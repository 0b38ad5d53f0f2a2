// The types of operands: how a lane holds a value, and the value. Part of handlers.inl.

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

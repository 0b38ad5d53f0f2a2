// Accesses that nobody sees half done.
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

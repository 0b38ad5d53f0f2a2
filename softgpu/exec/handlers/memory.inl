// Loads and stores of one register. They look at the addresses of a warp first: consecutive ones
// are one copy, equal ones one load. Part of handlers.inl.

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

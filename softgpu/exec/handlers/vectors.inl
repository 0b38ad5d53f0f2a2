// Vectors without order.
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

// Operations by which the lanes of a warp exchange values. Part of handlers.inl.

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

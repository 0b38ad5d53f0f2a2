// Read-modify-writes. Part of handlers.inl.

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

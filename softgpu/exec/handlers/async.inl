// Asynchronous copies, barriers in memory (mbarrier) and clusters. Included once per instruction
// set after matrix.inl; the rules of handlers.inl hold here.

namespace softgpu::SOFTGPU_ISA {
namespace {

// --- cp.async -----------------------------------------------------------------------------------

__attribute__((noinline)) void check_alignment(Warp& w, const Op* op, int lane, u64 address,
                                               u32 align) {
  if ((address & (align - 1)) != 0) {
    softgpu::raise_fault_text(w, op, lane, 716, "misaligned address of an asynchronous copy");
  }
}

// a: destination in shared memory, b: source, both generic; imm: the destination's offset; c: bytes
// to read of the source, or where aux bit 8 is set a predicate that says to read none; 0: all. aux:
// bytes to write.
const Op* copy_async(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* to = lanes<u64>(w, op->a);
  const auto* from = lanes<u64>(w, op->b);
  const u32 size = op->aux & 0xffU;
  const bool ignores = (op->aux & 0x100U) != 0;
  const u32 ignored = ignores ? predicate(w, op->c & ~3U) ^ (0U - (op->c & 1U)) : 0;
  const bool defers = softgpu::defers_copies();
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    u32 read = size;
    if (ignores) {
      read = ((ignored >> l) & 1U) != 0 ? 0 : size;
    } else if (op->c != 0) {
      const u32 asked = lanes<u32>(w, op->c)[l];
      read = asked < size ? asked : size;
    }
    std::byte* d = generic_bytes(w, op, l, to[l] + static_cast<u64>(op->imm), size, true);
    const std::byte* s = nullptr;
    if (read == size) {
      s = lane_bytes(w, op, l, from[l], size, false);
    } else if (read != 0) {
      check_alignment(w, op, l, from[l], size);
      s = lane_bytes(w, op, l, from[l], 1, false);
      (void)lane_bytes(w, op, l, from[l] + read - 1, 1, false);
    }
    if (defers) {
      softgpu::defer_copy(w, l, d, s, size, read);
    } else if (read == size) {
      switch (size) {
        case 4: __builtin_memcpy(d, s, 4); break;
        case 8: __builtin_memcpy(d, s, 8); break;
        default: __builtin_memcpy(d, s, 16); break;
      }
    } else {
      for (u32 i = 0; i < size; ++i) d[i] = i < read ? s[i] : std::byte{0};
    }
  }
  return op + 1;
}
// aux: 0 commit_group, 1 wait_group (imm: groups that may be left), 2 wait_all.
const Op* copy_group(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (op->aux == 0)
    softgpu::commit_copies(w, m);
  else
    softgpu::complete_copies(w, m, static_cast<u32>(op->imm), op->aux == 2);
  return op + 1;
}

// --- mbarrier -----------------------------------------------------------------------------------
//
// The 64-bit object is opaque to programs. Here: bits 0-19 arrivals that are still missing in this
// phase, 20-39 arrivals expected in each phase, 40-60 the transaction count (signed), 62 set by
// init, 63 the phase's parity. The state that an arrival returns is the object before it.

enum : u32 {
  mbarrier_init,
  mbarrier_inval,
  mbarrier_arrive,
  mbarrier_drop,
  mbarrier_expect,
  mbarrier_complete
};
inline constexpr u64 mbarrier_count = 0xfffff;
inline constexpr u64 mbarrier_live = u64{1} << 62;
// Memory that was filled with the pattern for what nobody wrote (--poison) holds no barrier either.
inline constexpr u64 mbarrier_unwritten = (u64{undefined_word} << 32) | undefined_word;
__attribute__((always_inline)) inline bool is_mbarrier(u64 word) {
  return (word & mbarrier_live) != 0 && word != mbarrier_unwritten;
}
inline constexpr u64 mbarrier_phase = u64{1} << 63;

__attribute__((always_inline)) inline s64 transactions_of(u64 word) {
  return static_cast<s64>(word << 3) >> 43;
}
__attribute__((always_inline)) inline u64 with_transactions(u64 word, s64 count) {
  return (word & ~(u64{0x1fffff} << 40)) | ((static_cast<u64>(count) & 0x1fffff) << 40);
}
// Begins the next phase where nothing is missing in this one.
__attribute__((always_inline)) inline u64 settled(u64 word) {
  if ((word & mbarrier_count) != 0 || transactions_of(word) != 0) return word;
  return ((word & ~mbarrier_count) | ((word >> 20) & mbarrier_count)) ^ mbarrier_phase;
}

// Changes the barrier of one lane and returns what it was.
__attribute__((noinline)) u64 change_mbarrier(Warp& w, const Op* op, int lane, u64 address,
                                              u32 what, u32 count, s64 expect) {
  auto* p = reinterpret_cast<u64*>(generic_bytes(w, op, lane, address, 8, true));
  u64 old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  for (;;) {
    if (!is_mbarrier(old)) {
      softgpu::raise_fault_text(w, op, lane, 719,
                                "the mbarrier object is not initialised: mbarrier.init has to come "
                                "first and be visible (__syncthreads)");
    }
    u64 next = old;
    if (expect != 0) {
      const s64 sum = transactions_of(next) + expect;
      if (sum > 0xfffff || sum < -0xfffff) {
        softgpu::raise_fault_text(
            w, op, lane, 719,
            "the transaction count of an mbarrier object left its range of 2^20 - 1 bytes");
      }
      next = with_transactions(next, sum);
    }
    if (what == mbarrier_arrive || what == mbarrier_drop) {
      if ((next & mbarrier_count) < count) {
        softgpu::raise_fault_text(w, op, lane, 719,
                                  "more arrivals at an mbarrier object than its phase expects");
      }
      if (what == mbarrier_drop) {
        const u64 expected = (next >> 20) & mbarrier_count;
        next = (next & ~(mbarrier_count << 20)) |
               ((expected - (count < expected ? count : expected)) << 20);
      }
      next -= count;
    }
    next = settled(next);
    if (__atomic_compare_exchange_n(p, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return old;
  }
}

// a: address, imm: its offset; b: number of arrivals or of bytes (0: one arrival); c: bytes of
// .expect_tx (0: none); d: the state before (0: not wanted); aux: what to do.
const Op* mbarrier_change(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const u32 what = op->aux & 0xffU;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 address = a[l] + static_cast<u64>(op->imm);
    const u32 count = op->b != 0 ? lanes<u32>(w, op->b)[l] : 1;
    if (what == mbarrier_init || what == mbarrier_inval) {
      auto* p = reinterpret_cast<u64*>(generic_bytes(w, op, l, address, 8, true));
      u64 word = 0;
      if (what == mbarrier_init) {
        if (count == 0 || count > mbarrier_count) {
          softgpu::raise_fault_text(w, op, l, 719,
                                    "mbarrier.init: the count has to be from 1 to 2^20 - 1");
        }
        word = mbarrier_live | (u64{count} << 20) | count;
      }
      __atomic_store_n(p, word, __ATOMIC_RELEASE);
      continue;
    }
    s64 expect = op->c != 0 ? static_cast<s64>(lanes<u32>(w, op->c)[l]) : 0;
    if (what == mbarrier_expect) expect = static_cast<s64>(count);
    if (what == mbarrier_complete) expect = -static_cast<s64>(count);
    const u64 state = change_mbarrier(w, op, l, address, what, count, expect);
    if (op->d != 0) lanes<u64>(w, op->d)[l] = state;
  }
  return op + 1;
}

// After a wait that was not fulfilled: the others' turn.
__attribute__((always_inline)) inline const Op* let_others_run(Warp& w, const Op* next) {
  w.budget = 0;
  return spend(w, w.split == 0 ? next : softgpu::reschedule(w, next), 0);
}

// test_wait and try_wait. a: address; b: state, or parity where aux bit 0 is set; d: whether the
// phase is complete.
const Op* mbarrier_test(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  if (m == 0) return op + 1;
  const auto* a = lanes<u64>(w, op->a);
  u32 done = 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    auto* p =
        reinterpret_cast<u64*>(generic_bytes(w, op, l, a[l] + static_cast<u64>(op->imm), 8, false));
    const u64 word = __atomic_load_n(p, __ATOMIC_ACQUIRE);
    if (!is_mbarrier(word)) {
      softgpu::raise_fault_text(w, op, l, 719,
                                "the mbarrier object that is waited for is not initialised");
    }
    const u64 parity =
        (op->aux & 1U) != 0 ? lanes<u32>(w, op->b)[l] & 1U : lanes<u64>(w, op->b)[l] >> 63;
    if ((word >> 63) != parity) done |= 1U << l;
  }
  blend(predicate(w, op->d), done, m);
  return done == m ? op + 1 : let_others_run(w, op + 1);
}
// The arrivals that were missing in a state.
const Op* mbarrier_pending(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  auto* d = lanes<u32>(w, op->d);
  SOFTGPU_LANES d[l] = ((m >> l) & 1U) != 0 ? static_cast<u32>(a[l] & mbarrier_count) : d[l];
  return op + 1;
}
// cp.async.mbarrier.arrive: the copies of these lanes are complete, and then they arrive. aux:
// without .noinc the phase expects one arrival more first, which this one makes up for.
const Op* mbarrier_copies_arrive(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  softgpu::complete_copies(w, m, 0, true);
  const auto* a = lanes<u64>(w, op->a);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    if (op->aux != 0)
      (void)change_mbarrier(w, op, l, a[l] + static_cast<u64>(op->imm), mbarrier_arrive, 1, 0);
  }
  return op + 1;
}

// --- bulk copies --------------------------------------------------------------------------------
//
// They happen when they are issued; bulk groups have nothing to wait for then.

// The operations that cp.reduce.async.bulk and red.async combine with.
enum : u32 {
  bulk_copy,
  bulk_add,
  bulk_min,
  bulk_max,
  bulk_inc,
  bulk_dec,
  bulk_and,
  bulk_or,
  bulk_xor
};
enum : u32 { bulk_u32, bulk_s32, bulk_u64, bulk_s64, bulk_f16, bulk_bf16, bulk_f32, bulk_f64 };

template <class T>
__attribute__((always_inline)) inline typename T::value combine_bulk(typename T::value old,
                                                                     typename T::value b, u32 how) {
  switch (how) {
    case bulk_add: return apply_atomic<T, atom_add>(old, b, b);
    case bulk_min: return apply_atomic<T, atom_min>(old, b, b);
    case bulk_max: return apply_atomic<T, atom_max>(old, b, b);
    case bulk_inc: return apply_atomic<T, atom_inc>(old, b, b);
    case bulk_dec: return apply_atomic<T, atom_dec>(old, b, b);
    case bulk_and: return apply_atomic<T, atom_and>(old, b, b);
    case bulk_or: return apply_atomic<T, atom_or>(old, b, b);
    default: return apply_atomic<T, atom_xor>(old, b, b);
  }
}
template <class T>
__attribute__((always_inline)) inline void reduce_word(std::byte* to, const std::byte* from,
                                                       u32 how) {
  using Word = typename T::lane;
  auto* p = reinterpret_cast<Word*>(to);
  Word b;
  __builtin_memcpy(&b, from, sizeof b);
  Word old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  for (;;) {
    const Word next = T::put(combine_bulk<T>(T::get(old), T::get(b), how));
    if (__atomic_compare_exchange_n(p, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return;
  }
}
template <class T>
__attribute__((always_inline)) inline void reduce_real(std::byte* to, const std::byte* from,
                                                       u32 how) {
  using Word = typename T::lane;
  auto* p = reinterpret_cast<Word*>(to);
  Word b;
  __builtin_memcpy(&b, from, sizeof b);
  Word old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  for (;;) {
    const auto x = T::get(old);
    const auto y = T::get(b);
    const auto r = how == bulk_add   ? apply_atomic_in_global<T, atom_add>(x, y, y)
                   : how == bulk_min ? apply_atomic<T, atom_min>(x, y, y)
                                     : apply_atomic<T, atom_max>(x, y, y);
    if (__atomic_compare_exchange_n(p, &old, T::put(r), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return;
  }
}
template <class H>
__attribute__((always_inline)) inline void reduce_half(std::byte* to, const std::byte* from,
                                                       u32 how) {
  auto* p = reinterpret_cast<u16*>(to);
  u16 b;
  __builtin_memcpy(&b, from, sizeof b);
  const u32 which = how == bulk_add ? half_add : how == bulk_min ? half_min : half_max;
  u16 old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  for (;;) {
    const auto next = static_cast<u16>(HalfArithmetic<H>::f(old, b, 0, which));
    if (__atomic_compare_exchange_n(p, &old, next, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return;
  }
}
__attribute__((always_inline)) inline u32 bulk_bytes(u32 type) {
  return type == bulk_f16 || type == bulk_bf16                      ? 2
         : type == bulk_u64 || type == bulk_s64 || type == bulk_f64 ? 8
                                                                    : 4;
}
__attribute__((noinline)) void reduce_one(std::byte* to, const std::byte* from, u32 how, u32 type) {
  switch (type) {
    case bulk_u32: reduce_word<U32>(to, from, how); break;
    case bulk_s32: reduce_word<S32>(to, from, how); break;
    case bulk_u64: reduce_word<U64>(to, from, how); break;
    case bulk_s64: reduce_word<S64>(to, from, how); break;
    case bulk_f16: reduce_half<F16>(to, from, how); break;
    case bulk_bf16: reduce_half<BF16>(to, from, how); break;
    case bulk_f32: reduce_real<F32>(to, from, how); break;
    default: reduce_real<F64>(to, from, how); break;
  }
}

// One lane's copy or reduction of `size` bytes.
__attribute__((noinline)) void copy_bulk(Warp& w, const Op* op, int lane, u64 to, u64 from,
                                         u32 size, u32 how, u32 type, u32 byte_mask) {
  if (((to | from | size) & 15U) != 0) {
    softgpu::raise_fault_text(w, op, lane, 716,
                              "cp.async.bulk: addresses and size have to be multiples of 16 bytes");
  }
  for (u32 at = 0; at < size; at += 16) {
    const std::byte* s = generic_bytes(w, op, lane, from + at, 16, false);
    std::byte* d = generic_bytes(w, op, lane, to + at, 16, true);
    if (how != bulk_copy) {
      const u32 step = bulk_bytes(type);
      for (u32 i = 0; i < 16; i += step) reduce_one(d + i, s + i, how, type);
    } else if (byte_mask == 0xffffU) {
      __builtin_memcpy(d, s, 16);
    } else {
      for (u32 i = 0; i < 16; ++i) {
        if (((byte_mask >> i) & 1U) != 0) d[i] = s[i];
      }
    }
  }
}
__attribute__((always_inline)) inline u64 in_block(u64 address, u32 rank) {
  return shared_window | (u64{rank + 1} << 24) | (address & 0xffffffU);
}

// a: destination, b: source, c: bytes; extra: slots of the mbarrier's address, the blocks' mask and
// the byte mask (0: none). aux: bits 0-7 how to combine, 8-15 the type.
const Op* bulk_move(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* to = lanes<u64>(w, op->a);
  const auto* from = lanes<u64>(w, op->b);
  const auto* bytes = lanes<u32>(w, op->c);
  const u32* more = static_cast<const Pieces*>(op->extra)->slots;
  const u32 how = op->aux & 0xffU;
  const u32 type = (op->aux >> 8) & 0xffU;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u32 size = bytes[l];
    const u32 byte_mask = more[2] != 0 ? lanes<u32>(w, more[2])[l] & 0xffffU : 0xffffU;
    if (more[1] != 0) {
      for (u32 blocks = lanes<u32>(w, more[1])[l] & 0xffffU; blocks != 0; blocks &= blocks - 1) {
        const auto rank = static_cast<u32>(__builtin_ctz(blocks));
        copy_bulk(w, op, l, in_block(to[l], rank), from[l], size, how, type, byte_mask);
        (void)change_mbarrier(w, op, l, in_block(lanes<u64>(w, more[0])[l], rank),
                              mbarrier_complete, 0, -static_cast<s64>(size));
      }
      continue;
    }
    copy_bulk(w, op, l, to[l], from[l], size, how, type, byte_mask);
    if (more[0] != 0)
      (void)change_mbarrier(w, op, l, lanes<u64>(w, more[0])[l], mbarrier_complete, 0,
                            -static_cast<s64>(size));
  }
  return op + 1;
}

// Bytes that came, told to a barrier: a: its address; b: bytes; c: mask of the blocks whose
// barriers at this place are meant (0: the one that the address names).
const Op* bulk_done(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const auto* bytes = lanes<u32>(w, op->b);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const s64 change = -static_cast<s64>(bytes[l]);
    if (op->c == 0) {
      (void)change_mbarrier(w, op, l, a[l], mbarrier_complete, 0, change);
      continue;
    }
    for (u32 blocks = lanes<u32>(w, op->c)[l] & 0xffffU; blocks != 0; blocks &= blocks - 1) {
      const auto rank = static_cast<u32>(__builtin_ctz(blocks));
      (void)change_mbarrier(w, op, l, in_block(a[l], rank), mbarrier_complete, 0, change);
    }
  }
  return op + 1;
}

// st.async and red.async: a: address, b: the mbarrier's; extra: the values' slots. aux: bytes of a
// value, bits 8-15 how to combine, 16-23 the type.
const Op* store_async(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u32 size = op->aux & 0xffU;
  const u32 how = (op->aux >> 8) & 0xffU;
  const u32 type = (op->aux >> 16) & 0xffU;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 at = a[l] + static_cast<u64>(op->imm);
    const u32 total = size * pieces.count;
    std::byte* p = generic_bytes(w, op, l, at, total, true);
    for (u32 i = 0; i < pieces.count; ++i, p += size) {
      const u64 v =
          size == 8 ? lanes<u64>(w, pieces.slots[i])[l] : lanes<u32>(w, pieces.slots[i])[l];
      if (how == bulk_copy) {
        if (size == 8)
          __atomic_store_n(reinterpret_cast<u64*>(p), v, __ATOMIC_RELEASE);
        else
          __atomic_store_n(reinterpret_cast<u32*>(p), static_cast<u32>(v), __ATOMIC_RELEASE);
      } else {
        reduce_one(p, reinterpret_cast<const std::byte*>(&v), how, type);
      }
    }
    (void)change_mbarrier(w, op, l, lanes<u64>(w, op->b)[l], mbarrier_complete, 0,
                          -static_cast<s64>(total));
  }
  return op + 1;
}

// --- clusters -----------------------------------------------------------------------------------

// mapa: the address of the same variable in another block of the cluster. a: address, b: rank; d;
// aux: 0 generic (64 bits), 4 or 8: in the shared space, of that many bytes.
const Op* map_address(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  const auto* rank = lanes<u32>(w, op->b);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 a = op->aux == 4 ? lanes<u32>(w, op->a)[l] : lanes<u64>(w, op->a)[l];
    const u64 r = in_block(a, rank[l] & 0x7fU);
    if (op->aux == 0)
      lanes<u64>(w, op->d)[l] = r;
    else if (op->aux == 8)
      lanes<u64>(w, op->d)[l] = r & ~window_mask;
    else
      lanes<u32>(w, op->d)[l] = static_cast<u32>(r);
  }
  return op + 1;
}
// getctarank: d 32 bits; aux: bytes of the address.
const Op* rank_of_address(Warp& w, const Op* op) {
  const u32 m = active(w, op);
  auto* d = lanes<u32>(w, op->d);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const int l = __builtin_ctz(rest);
    const u64 a = op->aux == 4 ? lanes<u32>(w, op->a)[l] : lanes<u64>(w, op->a)[l];
    const u32 field = static_cast<u32>(a >> 24) & 0xffU;
    d[l] = field != 0 ? field - 1 : w.block->rank;
  }
  return op + 1;
}
}  // namespace

}  // namespace softgpu::SOFTGPU_ISA

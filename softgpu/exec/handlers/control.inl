// Branches, calls, barriers, and what ends a thread. Part of handlers.inl.

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

// Moves between registers. Part of handlers.inl.

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

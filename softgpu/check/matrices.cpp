#include "softgpu/check/matrices.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/check/rows.hpp"
#include "softgpu/exec/matrix.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 offset_mask = 0xffffff;

// Executes one operation alone.
void run_alone(Warp& w, const Op* op, Handler run) {
  // A handler ends with a jump to the next operation: here that does nothing.
  std::array<Op, 2> ops;
  ops[0] = *op;
  ops[0].run = run;
  ops[1].run = [](Warp&, const Op* last) { return last; };
  (void)run(w, ops.data());
}

// The bytes of registers of a frame: one after the other.
class Registers {
 public:
  Registers(std::byte* frame, const u32* slots, u32 count, u32 lane_bytes)
      : frame_(frame), slots_(slots), count_(count), bytes_(lane_bytes * lanes_per_warp) {}

  [[nodiscard]] std::vector<std::byte> read() const {
    std::vector<std::byte> all(std::size_t{count_} * bytes_);
    for (u32 i = 0; i < count_; ++i) {
      if (slots_[i] != 0) std::memcpy(all.data() + std::size_t{i} * bytes_, at(i), bytes_);
    }
    return all;
  }
  void write(const std::vector<std::byte>& all) const {
    for (u32 i = 0; i < count_; ++i) {
      if (slots_[i] != 0) std::memcpy(at(i), all.data() + std::size_t{i} * bytes_, bytes_);
    }
  }

 private:
  [[nodiscard]] std::byte* at(u32 i) const { return frame_ + (slots_[i] & ~3U); }

  std::byte* frame_;
  const u32* slots_;
  u32 count_;
  u32 bytes_;
};

// The undefined bits of registers become those in `bits`.
void mark(Warp& w, const u32* slots, u32 count, u8 lane_bytes, u32 lanes,
          const std::vector<std::byte>& bits, const ValueOrigin& origin) {
  FrameState& state = state_of(*w.call);
  for (u32 i = 0; i < count; ++i) {
    if (slots[i] == 0) continue;
    for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<u32>(std::countr_zero(rest));
      u64 lane = 0;
      std::memcpy(&lane, bits.data() + (std::size_t{i} * lanes_per_warp + l) * lane_bytes,
                  lane_bytes);
      set_lane_bits(state, slots[i], lane_bytes, l, lane);
    }
    settle(state, slots[i], lane_bytes, origin);
  }
}

// What a load from the block's shared memory finds, or a store leaves there: the handler is run
// with undefined bits in place of memory and, for a store, of the registers.
void load_bits(Warp& w, const Op* op, const Step& step, u32 lanes) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u8 lane_bytes = std::max<u8>(step.value_bytes, 4);
  const Registers results(w.frame, pieces.slots, pieces.count, lane_bytes);
  const std::vector<std::byte> before = results.read();
  std::byte* const memory = std::exchange(
      w.block->shared, reinterpret_cast<std::byte*>(w.block->state->undefined.data()));
  run_alone(w, op, step.run);
  w.block->shared = memory;
  const std::vector<std::byte> bits = results.read();
  results.write(before);
  mark(w, pieces.slots, pieces.count, lane_bytes, lanes, bits, {step.place, false});
}

void store_bits(Warp& w, const Op* op, const Step& step) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const u8 lane_bytes = std::max<u8>(step.value_bytes, 4);
  const FrameState& state = *w.call->state;
  const Registers values(w.frame, pieces.slots, pieces.count, lane_bytes);
  const std::vector<std::byte> before = values.read();
  std::vector<std::byte> bits(before.size());
  const std::size_t each = std::size_t{lane_bytes} * lanes_per_warp;
  for (u32 i = 0; i < pieces.count; ++i) {
    if (is_marked(state, pieces.slots[i])) {
      std::memcpy(bits.data() + i * each, state.bits.data() + (pieces.slots[i] & ~3U), each);
    }
  }
  values.write(bits);
  std::byte* const memory = std::exchange(
      w.block->shared, reinterpret_cast<std::byte*>(w.block->state->undefined.data()));
  run_alone(w, op, step.run);
  w.block->shared = memory;
  values.write(before);
}

bool any_marked(const Warp& w, const Pieces& pieces) {
  const FrameState* const state = w.call->state;
  if (state == nullptr || state->count == 0) return false;
  return std::any_of(pieces.slots, pieces.slots + pieces.count,
                     [&](u32 slot) { return slot != 0 && is_marked(*state, slot); });
}

}  // namespace

void use_matrix(Warp& w, const Op* op, const Step& step, const Touch& touch, u32 m) {
  const auto offset = static_cast<u64>(op->imm);
  const auto* a = lanes<u64>(w, op->a);
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const bool writes = touch.way == Way::store;
  bool undefined = false;  // something that is read
  bool in_own = true;      // all of it lies in the block's own shared memory
  const bool spreads = writes && any_marked(w, pieces);
  const auto one = [&](u32 lane, u64 address, u32 bytes) {
    for (u32 at = 0; at < bytes; at += 16) {
      const u32 size = std::min<u32>(16, bytes - at);
      const u64 in_shared = (address + at) & offset_mask;
      const bool shared = (address & window_mask) == shared_window;
      if (shared && in_shared + size > w.block->shared_bytes) {
        in_own = false;
        continue;
      }
      MemoryRange range;
      if (!shared && ((address & window_mask) != 0 || !find_range(address + at, size, range))) {
        in_own = false;
        continue;
      }
      in_own = in_own && shared && (address & ~window_mask) <= offset_mask;
      if (shared) {
        u8* const bits = w.block->state->undefined.data() + in_shared;
        if (writes && !spreads) std::memset(bits, 0, size);
        if (!writes) undefined |= std::any_of(bits, bits + size, [](u8 b) { return b != 0; });
      } else if (writes) {
        GlobalBits::instance().define(address + at, size);
      } else {
        undefined |= GlobalBits::instance().read(address + at, size, nullptr);
      }
      Access access(w, op, step.place, lane, size, writes, !writes);
      access.shared = shared ? w.block->state : nullptr;
      access.offset = static_cast<u32>(in_shared);
      access.address = shared ? reinterpret_cast<u64>(w.block->shared + in_shared) : address + at;
      Races::instance().access(access);
    }
  };
  if (touch.form == TouchForm::rows) {
    const u32 rows = pieces.count >= 4 ? full_mask : (1U << (8 * pieces.count)) - 1U;
    for (u32 rest = rows; rest != 0; rest &= rest - 1) {
      const auto lane = static_cast<u32>(std::countr_zero(rest));
      one(lane, a[lane] + offset, 16);
    }
  } else {
    const FragmentForm form = FragmentForm::unpacked(op->aux);
    const auto first = static_cast<u32>(std::countr_zero(m));
    const u64 base = a[first] + offset;
    const u64 lines = form.by_columns ? form.columns : form.rows;
    const u64 elements = form.by_columns ? form.rows : form.columns;
    const u64 stride = op->b != 0 ? lanes<u32>(w, op->b)[first] : elements;
    const u64 bits = static_cast<u64>(bits_of(form.type));
    for (u64 i = 0; i < lines; ++i) {
      // Which lane accesses which piece is not documented: each line by one of them.
      const auto lane = static_cast<u32>(i % lanes_per_warp);
      const u64 at = base + i * stride * bits / 8;
      one((m >> lane & 1U) != 0 ? lane : first, at, static_cast<u32>(elements * bits / 8));
    }
  }
  if (writes) {
    Races::instance().changed();
    if (spreads && in_own) store_bits(w, op, step);
    return;
  }
  const u8 lane_bytes = std::max<u8>(step.value_bytes, 4);
  const std::size_t bytes = std::size_t{pieces.count} * lane_bytes * lanes_per_warp;
  if (!undefined) {
    if (any_marked(w, pieces)) {
      mark(w, pieces.slots, pieces.count, lane_bytes, m, std::vector<std::byte>(bytes), {});
    }
  } else if (in_own) {
    load_bits(w, op, step, m);
  } else {
    mark(w, pieces.slots, pieces.count, lane_bytes, m,
         std::vector<std::byte>(bytes, std::byte{0xff}), {step.place, false});
  }
}

void propagate_product(Warp& w, const Op* op, const Step& step, u32 m) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const Operands& operands = describe(operation_of(*w.call->code, *op)).operands;
  const u8 lane_bytes = operands.find(Field::list)->lane_bytes;
  FrameState& state = state_of(*w.call);
  const Registers factors(w.frame, pieces.more, pieces.more_count, lane_bytes);
  const Registers results(w.frame, pieces.slots, pieces.count, lane_bytes);
  const std::vector<std::byte> factors_before = factors.read();
  const std::vector<std::byte> results_before = results.read();
  const std::size_t each = std::size_t{lane_bytes} * lanes_per_warp;
  ValueOrigin origin;
  std::array<std::vector<std::byte>, 2> outcomes;
  for (const bool ones : {false, true}) {
    std::vector<std::byte> values = factors_before;
    for (u32 i = 0; i < pieces.more_count; ++i) {
      const u32 slot = pieces.more[i] & ~3U;
      if (!is_marked(state, slot)) continue;
      if (const auto found = state.origins.find(slot); found != state.origins.end()) {
        origin = found->second;
      }
      for (std::size_t at = 0; at < each; ++at) {
        // All ones are NaN in every type of floats.
        const std::byte bits{state.bits[slot + at]};
        std::byte& value = values[i * each + at];
        value = ones ? value | bits : value & ~bits;
      }
    }
    results.write(results_before);
    factors.write(values);
    run_alone(w, op, step.run);
    outcomes[ones ? 1 : 0] = results.read();
  }
  results.write(results_before);
  factors.write(factors_before);
  std::vector<std::byte>& bits = outcomes[0];
  // By numbers of 16 bits: some results are pairs of them.
  for (std::size_t at = 0; at + 1 < bits.size(); at += 2) {
    const bool differs = bits[at] != outcomes[1][at] || bits[at + 1] != outcomes[1][at + 1];
    bits[at] = bits[at + 1] = differs ? std::byte{0xff} : std::byte{0};
  }
  origin.computed = true;
  mark(w, pieces.slots, pieces.count, lane_bytes, m, bits, origin);
}

}  // namespace softgpu::check

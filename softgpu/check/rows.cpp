#include "softgpu/check/rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/races.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// The range that accesses to global memory fell into last.
struct LastRange {
  MemoryRange range{1, 0};
  u64 epoch = 0;
};
LastRange& last_range() {
  static auto* last = new LastRange;
  return *last;
}

}  // namespace

bool find_range(u64 address, u32 bytes, MemoryRange& range) {
  LastRange& last = last_range();
  const u64 epoch = Memory::instance().epoch();
  if (last.epoch == epoch && address >= last.range.begin && address + bytes <= last.range.end) {
    range = last.range;
    return true;
  }
  if (!Memory::instance().find(address, range) || range.freed || address + bytes > range.end) {
    return false;
  }
  last = {range, epoch};
  return true;
}

namespace {

// True where each of the lanes' accesses stays in one and the same variable, or where the memory is
// dynamic.
bool in_one_variable(const Code& kernel, const Row& row) {
  u32 first = ~0U;
  u32 last = 0;
  for (u32 rest = row.lanes; rest != 0; rest &= rest - 1) {
    const auto at = static_cast<u32>(row.at[static_cast<std::size_t>(std::countr_zero(rest))]);
    first = std::min(first, at);
    last = std::max(last, at);
  }
  if (first >= kernel.shared_bytes) return true;
  return std::ranges::any_of(kernel.shared_variables, [&](const SharedVariable& one) {
    return first >= one.begin && last + row.bytes <= one.begin + one.bytes;
  });
}

// The lanes for which the bytes are defined, of a load.
u32 defined(const Row& row, const Block& block) {
  u32 lanes = row.lanes;
  for (u32 rest = row.lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    bool undefined = false;
    if (row.shared == nullptr) {
      undefined = GlobalBits::instance().read(row.at[l], row.bytes, nullptr);
    } else {
      const u8* const bits = block.state->undefined.data() + row.at[l];
      u32 all = 0;
      for (u32 i = 0; i < row.bytes; i += 4) {
        u32 word = 0;
        std::memcpy(&word, bits + i, sizeof word);
        all |= word;
      }
      undefined = all != 0;
    }
    if (undefined) lanes &= ~(1U << l);
  }
  return lanes;
}

// A store of `lanes`: what is there is defined now. True where it changes something.
bool stored(Warp& w, const Op* op, const Step& step, const Row& row, u32 lanes) {
  const auto* const pieces = static_cast<const Pieces*>(op->extra);
  const u32 count = pieces == nullptr ? 1 : pieces->count;
  const u32 each = row.bytes / std::max(count, 1U);
  bool changes = false;
  for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    const std::byte* there = nullptr;
    if (row.shared == nullptr) {
      GlobalBits::instance().define(row.at[l], row.bytes);
      there = reinterpret_cast<const std::byte*>(row.at[l]);
    } else {
      std::memset(w.block->state->undefined.data() + row.at[l], 0, row.bytes);
      there = w.block->shared + row.at[l];
    }
    for (u32 i = 0; i < count && !changes; ++i) {
      const u32 slot = pieces == nullptr ? op->d : pieces->slots[i];
      changes = std::memcmp(w.frame + slot + std::size_t{l} * step.value_bytes, there + i * each,
                            each) != 0;
    }
  }
  return changes;
}

}  // namespace

u32 use_row(Warp& w, const Op* op, const Step& step, const Touch& touch, u32 m) {
  const WarpState& mine = *w.state;
  if (touch.order != Order::weak || touch.way == Way::atomic || mine.waits != 0 ||
      touch.size % 4 != 0 || touch.size == 0 || touch.size > 16 ||
      (w.call->state != nullptr && w.call->state->count != 0) ||
      (touch.way == Way::store && step.value_bytes == 0)) {
    return m;
  }
  Row row;
  row.bytes = touch.size;
  row.place = step.place;
  row.writes = touch.way == Way::store;
  row.bits = static_cast<u8>(static_cast<u32>(touch.scope) << scope_shift);
  const auto offset = static_cast<u64>(op->imm);
  u64 differs = 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<std::size_t>(std::countr_zero(rest));
    u64 address = 0;
    if (touch.form == TouchForm::lanes32) {
      address =
          shared_window | static_cast<u32>(lanes<u32>(w, op->a)[l] + static_cast<u32>(offset));
    } else {
      address = lanes<u64>(w, op->a)[l] + offset;
      if (touch.form == TouchForm::shared64) address |= shared_window;
    }
    row.at[l] = address;
    differs |= address;
  }
  if ((differs & (touch.size - 1)) != 0) return m;  // misaligned
  const u64 window = differs & window_mask;
  u32 here = 0;
  if (window == shared_window) {
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(rest));
      const u64 at = row.at[l] & ~window_mask;
      if ((row.at[l] & window_mask) != shared_window || at + touch.size > w.block->shared_bytes) {
        continue;
      }
      row.at[l] = at;
      here |= 1U << l;
    }
    row.shared = w.block->state;
    row.lanes = here;
    // What is not done goes on with whole addresses, from the registers.
    if (here == 0 || !in_one_variable(*w.block->launch->code, row)) return m;
  } else if (window == 0) {
    MemoryRange range;
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(rest));
      const u64 at = row.at[l];
      if (at >= range.begin && at + touch.size <= range.end) {
        here |= 1U << l;
      } else if (find_range(at, touch.size, range)) {
        here |= 1U << l;
      }
    }
    row.lanes = here;
  } else {
    return m;
  }
  if (!row.writes) row.lanes = defined(row, *w.block);
  if (row.lanes == 0) return m;
  Races& races = Races::instance();
  const u32 done = races.access_row(w, row);
  if (row.writes && done != 0 && stored(w, op, step, row, done)) races.changed();
  return m & ~done;
}

}  // namespace softgpu::check

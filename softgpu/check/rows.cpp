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

// True where a store of `lanes` changes something.
bool changes(const Warp& w, const Op* op, const Step& step, const Row& row, u32 lanes) {
  const auto* const pieces = static_cast<const Pieces*>(op->extra);
  const u32 count = pieces == nullptr ? 1 : pieces->count;
  const u32 each = row.bytes / std::max(count, 1U);
  for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    const std::byte* const there = row.shared == nullptr
                                       ? reinterpret_cast<const std::byte*>(row.at[l])
                                       : w.block->shared + row.at[l];
    for (u32 i = 0; i < count; ++i) {
      const u32 slot = pieces == nullptr ? op->d : pieces->slots[i];
      if (std::memcmp(w.frame + slot + std::size_t{l} * step.value_bytes, there + i * each, each) !=
          0) {
        return true;
      }
    }
  }
  return false;
}

void define(const Warp& w, BlockState* shared, u64 at, u32 bytes) {
  if (shared == nullptr) {
    GlobalBits::instance().define(at, bytes);
  } else {
    std::memset(w.block->state->undefined.data() + at, 0, bytes);
  }
}

// The addresses of an access of a warp as they are in registers, with their window; those of lanes
// that do not take part mean nothing.
using Places = std::array<u64, lanes_per_warp>;

void places_of(Warp& w, const Op* op, const Touch& touch, Places& at) {
  const auto offset = static_cast<u64>(op->imm);
  if (touch.form == TouchForm::lanes32) {
    const auto* const a = lanes<u32>(w, op->a);
    for (u32 l = 0; l < lanes_per_warp; ++l) {
      at[l] = shared_window | static_cast<u32>(a[l] + static_cast<u32>(offset));
    }
    return;
  }
  const u64 window = touch.form == TouchForm::shared64 ? shared_window : 0;
  const auto* const a = lanes<u64>(w, op->a);
  for (u32 l = 0; l < lanes_per_warp; ++l) at[l] = (a[l] + offset) | window;
}

bool is_in_one_variable(const Code& kernel, u64 begin, u64 bytes) {
  return begin >= kernel.shared_bytes ||
         std::ranges::any_of(kernel.shared_variables, [&](const SharedVariable& one) {
           return begin >= one.begin && begin + bytes <= u64{one.begin} + one.bytes;
         });
}

// A run of lanes, which lies in one allocation or one variable and is defined: which of its lanes
// were done.
u32 use_run(Warp& w, const Op* op, const Step& step, Run run, u64 address) {
  const u32 bytes = run.count * run.bytes;
  if ((address & window_mask) == shared_window) {
    run.at = address & ~window_mask;
    run.shared = w.block->state;
    if (run.at + bytes > w.block->shared_bytes ||
        !is_in_one_variable(*w.block->launch->code, run.at, bytes)) {
      return 0;
    }
    if (!run.writes) {
      const u8* const bits = w.block->state->undefined.data() + run.at;
      u8 all = 0;
      for (u32 i = 0; i < bytes; ++i) all |= bits[i];
      if (all != 0) return 0;
    }
  } else {
    MemoryRange range;
    if ((address & window_mask) != 0 || !find_range(address, bytes, range)) return 0;
    if (!run.writes && GlobalBits::instance().read(address, bytes, nullptr)) return 0;
    run.at = address;
  }
  const u32 done = Races::instance().access_run(w, run);
  if (!run.writes || done == 0) return done;
  // Those that were done come first, page by page.
  Row row;
  row.shared = run.shared;
  row.bytes = run.bytes;
  for (u32 l = 0; l < run.count; ++l) row.at[run.first_lane + l] = run.at + u64{l} * run.bytes;
  if (std::popcount(done) == static_cast<int>(run.count)) {
    define(w, run.shared, run.at, bytes);
  } else {
    for (u32 rest = done; rest != 0; rest &= rest - 1) {
      define(w, run.shared, row.at[static_cast<std::size_t>(std::countr_zero(rest))], run.bytes);
    }
  }
  if (changes(w, op, step, row, done)) Races::instance().changed();
  return done;
}

// Does the lanes that follow one another and access what follows one another, and returns them.
u32 use_runs(Warp& w, const Op* op, const Step& step, const Touch& touch, const Places& at, u32 m) {
  constexpr u32 fewest = 4;  // that are worth it
  Run run;
  run.bytes = touch.size;
  run.place = step.place;
  run.writes = touch.way == Way::store;
  run.bits = static_cast<u8>(static_cast<u32>(touch.scope) << scope_shift);
  u32 done = 0;
  for (u32 rest = m; rest != 0;) {
    const auto first = static_cast<u32>(std::countr_zero(rest));
    u32 end = first + 1;
    while (end < lanes_per_warp && (rest >> end & 1U) != 0 && at[end] == at[end - 1] + touch.size) {
      ++end;
    }
    run.first_lane = first;
    run.count = end - first;
    if (run.count >= fewest) done |= use_run(w, op, step, run, at[first]);
    rest = end < lanes_per_warp ? rest >> end << end : 0;
  }
  return done;
}

}  // namespace

u32 use_atomics(Warp& w, const Op* op, const Step& step, const Touch& touch, u32 m) {
  const WarpState& mine = *w.state;
  const bool known = step.atomic == AtomicKind::other || step.atomic == AtomicKind::bit_and ||
                     step.atomic == AtomicKind::bit_or;
  if (touch.way != Way::atomic || touch.order != Order::relaxed || !known || mine.waits != 0 ||
      (touch.size != 4 && touch.size != 8) ||
      (w.call->state != nullptr && w.call->state->count != 0)) {
    return m;
  }
  Row row;
  row.bytes = touch.size;
  row.place = step.place;
  row.writes = true;
  row.bits = static_cast<u8>(strong | is_atomic | static_cast<u32>(touch.scope) << scope_shift);
  places_of(w, op, touch, row.at);
  const u64 first = row.at[static_cast<std::size_t>(std::countr_zero(m))] & window_mask;
  if (first == shared_window) row.shared = w.block->state;
  if (first != shared_window && first != 0) return m;
  bool changing = step.atomic != AtomicKind::other;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    u64& at = row.at[l];
    if ((at & window_mask) != first || at % touch.size != 0) continue;
    if (row.shared != nullptr) {
      at &= ~window_mask;
      if (at + touch.size > w.block->shared_bytes) continue;
    } else {
      MemoryRange range;
      if (!find_range(at, touch.size, range)) continue;
    }
    row.lanes |= 1U << l;
    const std::byte* const operand = w.frame + op->b + std::size_t{l} * touch.size;
    for (u32 i = 0; i < touch.size; ++i) changing = changing || operand[i] != std::byte{0};
  }
  if (row.lanes == 0) return m;
  if (row.shared != nullptr && !in_one_variable(*w.block->launch->code, row)) return m;
  row.lanes = defined(row, *w.block);
  const u32 done = Races::instance().access_atomics(w, row);
  if (done != 0 && changing) Races::instance().changed();
  return m & ~done;
}

u32 use_without_races(Warp& w, const Op* op, const Touch& touch, u32 m) {
  const u32 size = touch.size;
  if ((w.call->state != nullptr && w.call->state->count != 0) || size == 0 || size > 16 ||
      (size & (size - 1)) != 0) {
    return m;
  }
  Places at;
  places_of(w, op, touch, at);
  u64 first = ~u64{0};
  u64 last = 0;
  u64 all = 0;
  for (u32 l = 0; l < lanes_per_warp; ++l) {
    const bool here = (m >> l & 1U) != 0;
    first = std::min(first, here ? at[l] : ~u64{0});
    last = std::max(last, here ? at[l] : 0);
    all |= here ? at[l] : 0;
  }
  const u64 window = first & window_mask;
  if ((last & window_mask) != window || (all & (size - 1)) != 0) return m;
  const u64 bytes = last - first + size;
  // Where they lie far apart, they are looked at one by one.
  constexpr u64 widest_look = 1024;
  const bool near = bytes <= widest_look;
  if (window == shared_window) {
    const u64 begin = first & ~window_mask;
    if (begin + bytes > w.block->shared_bytes ||
        !is_in_one_variable(*w.block->launch->code, begin, bytes)) {
      return m;
    }
    u8* const bits = w.block->state->undefined.data();
    if (touch.way == Way::store) {
      for (u32 rest = m; rest != 0; rest &= rest - 1) {
        const u64 to = at[static_cast<std::size_t>(std::countr_zero(rest))] & ~window_mask;
        std::memset(bits + to, 0, size);
      }
      return 0;
    }
    u8 undefined = 0;
    for (u64 i = begin; near && i < begin + bytes; ++i) undefined |= bits[i];
    if (near && undefined == 0) return 0;
    u32 left = 0;
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<u32>(std::countr_zero(rest));
      const u8* const mine = bits + (at[l] & ~window_mask);
      if (std::any_of(mine, mine + size, [](u8 byte) { return byte != 0; })) left |= 1U << l;
    }
    return left;
  }
  MemoryRange range;
  if (window != 0 || !find_range(first, size, range) || last + size > range.end) return m;
  GlobalBits& global = GlobalBits::instance();
  if (global.empty() || (near && !global.read(first, static_cast<u32>(bytes), nullptr))) return 0;
  u32 left = 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto l = static_cast<u32>(std::countr_zero(rest));
    if (touch.way == Way::store) {
      global.define(at[l], size);
    } else if (global.read(at[l], size, nullptr)) {
      left |= 1U << l;
    }
  }
  return left;
}

u32 use_row(Warp& w, const Op* op, const Step& step, const Touch& touch, u32 m) {
  const WarpState& mine = *w.state;
  if (touch.order != Order::weak || touch.way == Way::atomic || mine.waits != 0 ||
      touch.size % 4 != 0 || touch.size == 0 || touch.size > 16 ||
      (w.call->state != nullptr && w.call->state->count != 0) ||
      (touch.way == Way::store && step.value_bytes == 0)) {
    return m;
  }
  Places at;
  places_of(w, op, touch, at);
  u64 differs = 0;
  for (u32 l = 0; l < lanes_per_warp; ++l) differs |= (m >> l & 1U) != 0 ? at[l] : 0;
  if ((differs & (touch.size - 1)) != 0) return m;  // misaligned
  m &= ~use_runs(w, op, step, touch, at, m);
  if (m == 0) return 0;
  Row row;
  row.at = at;
  row.bytes = touch.size;
  row.place = step.place;
  row.writes = touch.way == Way::store;
  row.bits = static_cast<u8>(static_cast<u32>(touch.scope) << scope_shift);
  const u64 window = differs & window_mask;
  u32 here = 0;
  if (window == shared_window) {
    for (u32 rest = m; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<std::size_t>(std::countr_zero(rest));
      const u64 offset = row.at[l] & ~window_mask;
      if ((row.at[l] & window_mask) != shared_window ||
          offset + touch.size > w.block->shared_bytes) {
        continue;
      }
      row.at[l] = offset;
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
      const u64 address = row.at[l];
      if (address >= range.begin && address + touch.size <= range.end) {
        here |= 1U << l;
      } else if (find_range(address, touch.size, range)) {
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
  if (row.writes && done != 0) {
    for (u32 rest = done; rest != 0; rest &= rest - 1) {
      define(w, row.shared, row.at[static_cast<std::size_t>(std::countr_zero(rest))], row.bytes);
    }
    if (changes(w, op, step, row, done)) races.changed();
  }
  return m & ~done;
}

}  // namespace softgpu::check

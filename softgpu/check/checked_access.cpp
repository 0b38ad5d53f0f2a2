#include "softgpu/check/checked_access.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "softgpu/check/allocations.hpp"
#include "softgpu/check/findings.hpp"
#include "softgpu/check/gaps.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/rows.hpp"
#include "softgpu/exec/schedule.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u32 widest = 64;  // bytes that a lane accesses at most

// Memory whose undefined bits are known: that which only kernels and the runtime write.
bool followed(u64 address) {
  MemoryRange range;
  return find_range(address, 1, range) &&
         (range.kind == MemoryKind::device || range.kind == MemoryKind::symbol);
}

}  // namespace

ValueOrigin origin_of(const FrameState& state, u32 slot) {
  const auto found = state.origins.find(slot & ~3U);
  return found == state.origins.end() ? ValueOrigin{} : found->second;
}

void report_undefined(const Warp& w, const Op* op, const Step& step, u32 lane,
                      const ValueOrigin& origin, const char* what, const char* message) {
  if (is_known(Kind::uninitialised, step.place, origin.place)) return;
  const LaunchState& launch = *w.state->launch;
  Finding finding;
  finding.kind = Kind::uninitialised;
  finding.kernel = launch.kernel;
  finding.launch = launch.number;
  finding.message = message;
  finding.at = site_of(*w.call->code, op, what);
  finding.at.thread = thread_name(launch, w.state->warp, lane);
  if (origin.place != 0) {
    finding.other = site_of(origin.place, "the value was read, and never written before,");
  }
  report(std::move(finding));
}

u64 extended(const u8* bits, u32 size, bool is_signed) {
  u64 result = 0;
  std::memcpy(&result, bits, std::min<u32>(size, 8));
  if (is_signed && size < 8 && (bits[size - 1] & 0x80U) != 0) result |= ~u64{0} << (8 * size);
  return result;
}

namespace {

// The registers that a load fills or a store empties, in the order of memory.
struct Elements {
  const u32* slots = nullptr;
  u32 count = 1;
  u32 one = 0;
  u8 lane_bytes = 4;
  [[nodiscard]] u32 slot(u32 i) const { return slots == nullptr ? one : slots[i]; }
};

Elements elements_of(const CheckedCode& code, const Step& step, const Op* op) {
  Elements all;
  all.one = op->d;
  if (op->extra != nullptr &&
      code.touches[static_cast<std::size_t>(op - code.ops.data())].form != TouchForm::copy_bulk) {
    const auto& pieces = *static_cast<const Pieces*>(op->extra);
    all.slots = pieces.slots;
    all.count = pieces.count;
  }
  for (u32 i = step.first_operand; i < step.end_operand; ++i) {
    const OperandSlot& operand = code.operands[i];
    for (u32 k = 0; k < all.count; ++k) {
      if (all.slot(k) != 0 && operand.slot == all.slot(k)) all.lane_bytes = operand.lane_bytes;
    }
  }
  return all;
}

// A load has found `bits` in memory, or (nullptr) nothing undefined.
void fill(Warp& w, const Op* op, const CheckedCode& code, const Step& step, u32 lane, u32 size,
          const u8* bits, const ValueOrigin& origin) {
  if (bits == nullptr && (w.call->state == nullptr || w.call->state->count == 0)) return;
  const Elements all = elements_of(code, step, op);
  FrameState& state = state_of(*w.call);
  const u32 each = size / std::max(all.count, 1U);
  const bool extends_sign =
      code.touches[static_cast<std::size_t>(op - code.ops.data())].extends_sign;
  for (u32 i = 0; i < all.count; ++i) {
    const u32 slot = all.slot(i);
    if (slot == 0) continue;
    if (bits == nullptr && !is_marked(state, slot)) continue;
    u64 high = 0;
    u64 low = 0;
    if (bits != nullptr) {
      low = extended(bits + i * each, each, extends_sign);
      if (each == 16) std::memcpy(&high, bits + i * each + 8, 8);
    }
    set_lane_bits(state, slot, all.lane_bytes, lane, low, high);
    settle(state, slot, all.lane_bytes, origin);
  }
}

// What a store of the lane writes: true where some of it is undefined.
bool stored(Warp& w, const Op* op, const CheckedCode& code, const Step& step, u32 lane, u32 size,
            u8* bits, ValueOrigin& origin) {
  FrameState* const state = w.call->state;
  if (state == nullptr || state->count == 0) return false;
  const Elements all = elements_of(code, step, op);
  const u32 each = size / std::max(all.count, 1U);
  bool any = false;
  for (u32 i = 0; i < all.count; ++i) {
    u64 high = 0;
    u64 low = 0;
    const u32 slot = all.slot(i);
    if (slot != 0 && is_marked(*state, slot)) {
      low = lane_bits(*state, slot, all.lane_bytes, lane, high);
    }
    std::memcpy(bits + i * each, &low, std::min<u32>(each, 8));
    if (each == 16) std::memcpy(bits + i * each + 8, &high, 8);
    bool here = false;
    for (u32 k = 0; k < each; ++k) here = here || bits[i * each + k] != 0;
    if (here) origin = origin_of(*state, slot);
    any = any || here;
  }
  return any;
}

// The operand of an atomic access (slot b): its value, and its undefined bits.
struct AtomicOperand {
  std::array<u8, 16> value{};
  std::array<u8, 16> bits{};
  bool undefined = false;
  ValueOrigin origin;
};
AtomicOperand operand_of(const Lane& l, u32 slot, u32 size) {
  AtomicOperand result;
  const u32 lane_bytes = size <= 4 ? 4 : 8;
  const std::size_t at = slot + std::size_t{l.lane} * lane_bytes;
  std::memcpy(result.value.data(), l.w.frame + at, std::min<u32>(size, 8));
  const FrameState* const state = l.w.call->state;
  if (state == nullptr || state->count == 0 || !is_marked(*state, slot)) return result;
  std::memcpy(result.bits.data(), state->bits.data() + at, std::min<u32>(size, 8));
  result.undefined = std::ranges::any_of(result.bits, [](u8 byte) { return byte != 0; });
  result.origin = origin_of(*state, slot);
  return result;
}

// What an atomic access leaves of the undefined bits that it finds. True where some are left.
bool after_atomic(const Lane& l, u32 size, u8* bits, ValueOrigin& origin) {
  const AtomicOperand operand =
      operand_of(l, l.step.atomic == AtomicKind::compare ? l.op->c : l.op->b, size);
  bool any = false;
  bool found = false;
  for (u32 i = 0; i < size; ++i) {
    found = found || bits[i] != 0;
    const u8 given = operand.bits[i];
    switch (l.step.atomic) {
      case AtomicKind::exchange: bits[i] = given; break;
      // A defined 1 decides, or a defined 0.
      case AtomicKind::bit_or:
        bits[i] = static_cast<u8>((bits[i] & ~operand.value[i]) | given);
        break;
      case AtomicKind::bit_and:
        bits[i] = static_cast<u8>((bits[i] & operand.value[i]) | given);
        break;
      default: bits[i] = static_cast<u8>(bits[i] | given); break;
    }
    any = any || bits[i] != 0;
  }
  if (!found && operand.undefined) origin = operand.origin;
  if (origin.place == 0) origin.place = l.step.place;
  // What it leaves was computed from what nobody wrote.
  origin.computed = true;
  return any;
}

// Reads and writes the undefined bits of `size` bytes that lie at `at` in an array of them.
void use_bits(const Lane& l, u8* at, u32 size, Way way) {
  std::array<u8, widest> bits;
  if (way == Way::store) {
    ValueOrigin origin;
    if (stored(l.w, l.op, l.code, l.step, l.lane, size, bits.data(), origin)) {
      std::memcpy(at, bits.data(), size);
    } else {
      std::memset(at, 0, size);
    }
    return;
  }
  const bool undefined = std::any_of(at, at + size, [](u8 byte) { return byte != 0; });
  fill(l.w, l.op, l.code, l.step, l.lane, size, undefined ? at : nullptr,
       {l.step.place, way == Way::atomic});
  if (way == Way::atomic) {
    ValueOrigin origin;
    (void)after_atomic(l, size, at, origin);
  }
}

void use_global_bits(const Lane& l, u64 address, u32 size, Way way) {
  GlobalBits& global = GlobalBits::instance();
  std::array<u8, widest> bits{};
  if (way == Way::store) {
    ValueOrigin origin;
    if (stored(l.w, l.op, l.code, l.step, l.lane, size, bits.data(), origin) && followed(address)) {
      global.write(address, size, bits.data(), origin);
    } else {
      global.define(address, size);
    }
    return;
  }
  const bool undefined = global.read(address, size, bits.data());
  ValueOrigin origin;
  if (undefined) {
    origin = global.origin_of(address);
    if (origin.place == 0) origin.place = l.step.place;
  }
  if (way == Way::atomic) {
    std::array<u8, widest> left = bits;
    ValueOrigin left_origin = origin;
    if (after_atomic(l, size, left.data(), left_origin)) {
      if (followed(address)) global.write(address, size, left.data(), left_origin);
    } else if (undefined) {
      global.define(address, size);
    }
  }
  fill(l.w, l.op, l.code, l.step, l.lane, size, undefined ? bits.data() : nullptr, origin);
}

void use_local_bits(const Lane& l, u64 offset, u32 size, Way way) {
  WarpState& mine = *l.w.state;
  if (offset + size > l.w.local_stride) return;
  if (mine.local_stride < l.w.local_stride) {
    // New and grown memory is undefined.
    std::vector<u8> grown(l.w.local_stride * lanes_per_warp, 0xff);
    for (std::size_t lane = 0; lane < lanes_per_warp && mine.local_stride > 0; ++lane) {
      std::memcpy(grown.data() + lane * l.w.local_stride,
                  mine.local.data() + lane * mine.local_stride, mine.local_stride);
    }
    mine.local = std::move(grown);
    mine.local_stride = l.w.local_stride;
  }
  use_bits(l, mine.local.data() + l.lane * mine.local_stride + offset, size, way);
}

// True where the access leaves memory as it is: a lock that is not given, a flag that is set
// already.
bool changes_nothing(const Lane& l, const std::byte* at, u32 size, Way way) {
  if (size > 8) return false;
  if (way == Way::store) {
    const Elements all = elements_of(l.code, l.step, l.op);
    const u32 each = size / std::max(all.count, 1U);
    for (u32 i = 0; i < all.count; ++i) {
      const std::size_t slot = all.slot(i) + std::size_t{l.lane} * std::max<u32>(all.lane_bytes, 4);
      if (std::memcmp(l.w.frame + slot, at + i * each, each) != 0) return false;
    }
    return true;
  }
  const AtomicOperand operand = operand_of(l, l.op->b, size);
  const bool equal = std::memcmp(operand.value.data(), at, size) == 0;
  switch (l.step.atomic) {
    case AtomicKind::exchange: return equal;
    case AtomicKind::compare: return !equal;
    case AtomicKind::other:
      return std::ranges::all_of(operand.value, [](u8 byte) { return byte == 0; });
    default: return false;
  }
}

// A compare-and-swap that finds another value only reads.
bool fails(const Lane& l, const std::byte* at, u32 size, Way way) {
  if (way != Way::atomic || l.step.atomic != AtomicKind::compare || size > 8) return false;
  return std::memcmp(operand_of(l, l.op->b, size).value.data(), at, size) != 0;
}

}  // namespace

void check_variable(const Lane& l, u32 offset, u32 size, bool writes) {
  const Launch& launch = *l.w.block->launch;
  const Code& kernel = *launch.code;
  if (offset >= kernel.shared_bytes) return;
  const SharedVariable* nearest = nullptr;
  for (const SharedVariable& one : kernel.shared_variables) {
    if (offset >= one.begin && offset + size <= one.begin + one.bytes) return;
    if (one.begin <= offset && (nearest == nullptr || one.begin > nearest->begin)) nearest = &one;
  }
  if (nearest == nullptr) return;
  if (is_known(Kind::out_of_bounds, l.step.place, 0)) return;
  Finding finding;
  finding.kind = Kind::out_of_bounds;
  finding.kernel = l.w.state->launch->kernel;
  finding.launch = launch.id;
  const u64 past = u64{offset} + size - (u64{nearest->begin} + nearest->bytes);
  finding.message = std::string(writes ? "a write" : "a read") + " of " + std::to_string(size) +
                    " bytes goes " + std::to_string(past) +
                    " bytes past the end of the shared variable `" + readable_name(nearest->name) +
                    "` of " + std::to_string(nearest->bytes) + " bytes";
  finding.memory = describe_shared(launch, nearest->begin);
  finding.at = site_of(l.code, l.op, writes ? "write" : "read");
  finding.at.thread = thread_name(*l.w.state->launch, l.w.state->warp, l.lane);
  report(std::move(finding));
}

// An access that leaves the array which it is written as one of, and stays in the variable, or in
// the local memory, is reported.
void check_array(const Lane& l, bool shared, u64 offset, u32 size, bool writes) {
  if (l.step.array == 0) return;
  const ArrayBounds& array = l.code.arrays[l.step.array - 1];
  if (array.shared != shared) return;
  const u64 begin = u64{array.begin} + (shared ? 0 : l.w.call->local_base);
  if (offset >= begin && offset + size <= begin + array.bytes) return;
  if (is_known(Kind::out_of_bounds, l.step.place, 0)) return;
  Finding finding;
  finding.kind = Kind::out_of_bounds;
  finding.kernel = l.w.state->launch->kernel;
  finding.launch = l.w.state->launch->number;
  const bool before = offset < begin;
  const u64 apart = before ? begin - offset : offset + size - (begin + array.bytes);
  finding.message = std::string(writes ? "a write" : "a read") + " of " + std::to_string(size) +
                    " bytes " + (before ? "begins " : "goes ") + std::to_string(apart) + " bytes " +
                    (before ? "before the begin" : "past the end") + " of the array `" +
                    array.name + "` of " + std::to_string(array.bytes) + " bytes in " +
                    (shared ? "shared" : "local") + " memory";
  finding.at = site_of(l.code, l.op, writes ? "write" : "read");
  finding.at.thread = thread_name(*l.w.state->launch, l.w.state->warp, l.lane);
  report(std::move(finding));
}

void use(const Lane& l, u64 address, u32 size, Way way, Order order, Scope scope, bool is_async) {
  const bool power = (size & (size - 1)) == 0;
  if (size == 0 || (power && address % size != 0)) return;
  Access access(l.w, l.op, l.step.place, l.lane, size, way != Way::load, way != Way::store);
  access.bits = static_cast<u8>(
      (order != Order::weak ? strong : 0) | (static_cast<u32>(scope) << scope_shift) |
      (way == Way::atomic ? is_atomic : 0) | (is_async ? check::is_async : 0) |
      (order == Order::is_volatile ? polls : 0));
  const u64 offset = address & ~window_mask;
  Races& races = Races::instance();
  switch (address & window_mask) {
    case shared_window: {
      Block* const block = shared_block_of(l.w, address);
      const auto at = static_cast<u32>(offset & 0xffffffU);
      if ((offset >> 32) != 0 || block == nullptr || at + size > block->shared_bytes) return;
      check_variable(l, at, size, access.writes);
      check_array(l, true, at, size, access.writes);
      if (fails(l, block->shared + at, size, way)) access.writes = false;
      races.go_on(
          *l.w.state, l.lane,
          order != Order::weak && !access.writes ? reinterpret_cast<u64>(block->shared + at) : 0);
      access.shared = block->state;
      access.offset = at;
      access.address = reinterpret_cast<u64>(block->shared + at);
      races.access(access);
      if (block != l.w.block) races.remote_use(access);
      if (access.writes && (is_async || !changes_nothing(l, block->shared + at, size, way))) {
        races.changed();
      }
      if (order != Order::weak) races.synchronise(access, order, scope);
      if (!is_async) use_bits(l, block->state->undefined.data() + at, size, way);
      return;
    }
    case local_window:
      check_array(l, false, offset, size, way != Way::load);
      use_local_bits(l, offset, size, way);
      return;
    case 0: {
      MemoryRange range;
      if (!find_range(address, size, range)) return;
      access.address = address;
      if (fails(l, reinterpret_cast<const std::byte*>(address), size, way)) access.writes = false;
      races.go_on(*l.w.state, l.lane, order != Order::weak && !access.writes ? address : 0);
      races.access(access);
      if (access.writes &&
          !changes_nothing(l, reinterpret_cast<const std::byte*>(address), size, way)) {
        races.changed();
      }
      if (order != Order::weak) races.synchronise(access, order, scope);
      use_global_bits(l, address, size, way);
      return;
    }
    default: fill(l.w, l.op, l.code, l.step, l.lane, size, nullptr, {}); return;
  }
}

bool read_bits(Warp& w, u64 address, u32 size, u8* bits) {
  const u64 offset = address & 0xffffffU;
  if ((address & window_mask) == 0) return GlobalBits::instance().read(address, size, bits);
  if ((address & window_mask) != shared_window || offset + size > w.block->shared_bytes) {
    return false;
  }
  std::memcpy(bits, w.block->state->undefined.data() + offset, size);
  return std::any_of(bits, bits + size, [](u8 byte) { return byte != 0; });
}

}  // namespace softgpu::check

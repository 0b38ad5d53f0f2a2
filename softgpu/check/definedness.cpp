#include "softgpu/check/definedness.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "softgpu/check/races.hpp"
#include "softgpu/observe/observed_code.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using s64 = std::int64_t;
using u64 = std::uint64_t;

constexpr u64 all_bits = ~u64{0};
constexpr u64 low_word = 0xffffffffU;

u32 bytes_of(u8 lane_bytes) { return lane_bytes == 0 ? 4 : u32{lane_bytes} * lanes_per_warp; }
u64 mask_of(u8 lane_bytes) { return lane_bytes == 0 ? 1 : lane_bytes == 4 ? low_word : all_bits; }

}  // namespace

// --- memory --------------------------------------------------------------------------------------

GlobalBits& GlobalBits::instance() {
  static auto* bits = new GlobalBits;  // outlives every static of the program
  return *bits;
}

GlobalBits::Page* GlobalBits::find(u64 number) {
  Recent& one = recent(number);
  if (one.number != number) {
    const auto found = pages_.find(number);
    one = {number, found == pages_.end() ? nullptr : &found->second};
  }
  return one.page;
}

void GlobalBits::open(Page& page) {
  page.bits = std::make_unique<std::array<u8, page_bytes>>();
  page.bits->fill(0xff);
  page.undefined = page_bytes;
}

// Sets the bits of a range: those given, or all alike.
void GlobalBits::change(u64 address, u64 bytes, const u8* bits, bool undefined) {
  for (u64 at = address; at < address + bytes;) {
    const u64 number = at / page_bytes;
    const u64 in_page = at % page_bytes;
    const u64 here = std::min(page_bytes - in_page, address + bytes - at);
    Page* page = find(number);
    const bool whole = here == page_bytes && bits == nullptr;
    if (page == nullptr && (undefined || bits != nullptr)) {
      page = &pages_[number];
      recent(number) = {number, page};
      if (!whole) {
        page->bits = std::make_unique<std::array<u8, page_bytes>>();
        page->bits->fill(0);
      }
    }
    if (page == nullptr) {
      at += here;
      continue;
    }
    if (whole && undefined) {
      page->bits.reset();
    } else {
      if (!whole && page->bits == nullptr) open(*page);
      if (!whole) {
        u8* mine = page->bits->data() + in_page;
        const auto undefined_bytes = [&] {
          return static_cast<u32>(here - static_cast<u64>(std::count(mine, mine + here, u8{0})));
        };
        const u32 before = undefined_bytes();
        if (bits != nullptr) {
          std::memcpy(mine, bits + (at - address), here);
        } else {
          std::memset(mine, undefined ? 0xff : 0, here);
        }
        page->undefined += undefined_bytes() - before;
      }
      if ((whole && !undefined) || (page->bits != nullptr && page->undefined == 0)) {
        pages_.erase(number);
        recent(number) = {};
      }
    }
    at += here;
  }
}

void GlobalBits::undefine(u64 address, u64 bytes) {
  change(address, bytes, nullptr, true);
  // What was written to other memory at this place says nothing about this.
  std::erase_if(origins_, [&](const auto& one) {
    return one.first * 4 + 4 > address && one.first * 4 < address + bytes;
  });
}
void GlobalBits::define(u64 address, u64 bytes) {
  if (!pages_.empty()) change(address, bytes, nullptr, false);
}

void GlobalBits::copy(u64 to, u64 from, u64 bytes) {
  constexpr u32 piece = 256;
  std::array<u8, piece> bits{};
  for (u64 at = 0; at < bytes; at += piece) {
    const auto here = static_cast<u32>(std::min<u64>(piece, bytes - at));
    if (read(from + at, here, bits.data())) {
      write(to + at, here, bits.data(), origin_of(from + at));
    } else {
      define(to + at, here);
    }
  }
}

bool GlobalBits::read(u64 address, u32 bytes, u8* bits) {
  if (pages_.empty()) return false;
  bool any = false;
  for (u64 at = address; at < address + bytes;) {
    const u64 in_page = at % page_bytes;
    const auto here = static_cast<u32>(std::min<u64>(page_bytes - in_page, address + bytes - at));
    const Page* page = find(at / page_bytes);
    u8* to = bits == nullptr ? nullptr : bits + (at - address);
    if (page == nullptr) {
      if (to != nullptr) std::memset(to, 0, here);
    } else if (page->bits == nullptr) {
      if (to != nullptr) std::memset(to, 0xff, here);
      any = true;
    } else {
      const u8* mine = page->bits->data() + in_page;
      u8 all = 0;
      for (u32 i = 0; i < here; ++i) all |= mine[i];
      any = any || all != 0;
      if (to != nullptr) std::memcpy(to, mine, here);
    }
    at += here;
  }
  return any;
}

void GlobalBits::write(u64 address, u32 bytes, const u8* bits, const ValueOrigin& origin) {
  change(address, bytes, bits, false);
  for (u64 word = address / 4; word <= (address + bytes - 1) / 4; ++word) origins_[word] = origin;
}

bool GlobalBits::find_undefined(u64 address, u64 bytes, u64& first) {
  for (u64 at = address; at < address + bytes;) {
    const u64 in_page = at % page_bytes;
    const u64 here = std::min(page_bytes - in_page, address + bytes - at);
    if (const Page* page = find(at / page_bytes)) {
      for (u64 i = 0; i < here; ++i) {
        if (page->bits != nullptr && (*page->bits)[in_page + i] == 0) continue;
        first = at + i;
        return true;
      }
    }
    at += here;
  }
  return false;
}

ValueOrigin GlobalBits::origin_of(u64 address) const {
  const auto found = origins_.find(address / 4);
  return found == origins_.end() ? ValueOrigin{} : found->second;
}

void GlobalBits::define_all() {
  pages_.clear();
  origins_.clear();
  recent_.fill({});
}

// --- registers -----------------------------------------------------------------------------------

FrameState& state_of(Frame& frame) {
  if (frame.state == nullptr) {
    frame.state = new FrameState;
    frame.state->bits.assign(frame.capacity, 0);
    frame.state->marked.assign(frame.capacity / 4 + 1, 0);
  }
  return *frame.state;
}

void clear(FrameState& state) {
  if (state.count == 0) return;
  std::ranges::fill(state.bits, u8{0});
  std::ranges::fill(state.marked, u8{0});
  state.count = 0;
  state.origins.clear();
}

u64 lane_bits(const FrameState& state, u32 slot, u8 lane_bytes, u32 lane, u64& high) {
  high = 0;
  const u8* at = state.bits.data() + (slot & ~3U);
  u64 bits = 0;
  if (lane_bytes == 0) {
    u32 all = 0;
    std::memcpy(&all, at, sizeof all);
    return all >> lane & 1U;
  }
  if (lane_bytes == 4) {
    std::memcpy(&bits, at + lane * 4, 4);
  } else {
    std::memcpy(&bits, at + lane * 8, 8);
    if (lane_bytes == 16) std::memcpy(&high, at + 256 + lane * 8, 8);
  }
  return bits;
}

void set_lane_bits(FrameState& state, u32 slot, u8 lane_bytes, u32 lane, u64 bits, u64 high) {
  u8* at = state.bits.data() + (slot & ~3U);
  if (lane_bytes == 0) {
    u32 all = 0;
    std::memcpy(&all, at, sizeof all);
    all = (all & ~(1U << lane)) | (bits != 0 ? 1U << lane : 0U);
    std::memcpy(at, &all, sizeof all);
  } else if (lane_bytes == 4) {
    std::memcpy(at + lane * 4, &bits, 4);
  } else {
    std::memcpy(at + lane * 8, &bits, 8);
    if (lane_bytes == 16) std::memcpy(at + 256 + lane * 8, &high, 8);
  }
}

void settle(FrameState& state, u32 slot, u8 lane_bytes, const ValueOrigin& origin) {
  const u8* at = state.bits.data() + (slot & ~3U);
  const bool any = std::any_of(at, at + bytes_of(lane_bytes), [](u8 byte) { return byte != 0; });
  u8& marked = state.marked[(slot & ~3U) / 4];
  if (any) {
    state.origins[slot & ~3U] = origin;
    if (marked == 0) ++state.count;
  } else if (marked != 0) {
    --state.count;
  }
  marked = any ? 1 : 0;
}

namespace {

// The part of the operands' undefined bits that reaches a result, for what works on one lane alone.
struct Values {
  std::array<u64, 4> bits{};    // undefined
  std::array<u64, 4> values{};  // of the registers
  std::array<u64, 4> high{};
  std::array<u8, 4> lane_bytes{};
  std::size_t count = 0;
};

u64 bits_below(unsigned count) { return count >= 64 ? all_bits : (u64{1} << count) - 1; }
// The bits of an integer of this type as a register has them: extended by its sign.
u64 spread(u64 bits, Integer type) {
  const u64 own = bits_below(type.bits);
  bits &= own;
  const bool sign = type.is_signed && type.bits < 64 && (bits >> (type.bits - 1U) & 1U) != 0;
  return sign ? bits | ~own : bits;
}
u64 smear_up(u64 bits) { return bits == 0 ? 0 : all_bits << std::countr_zero(bits); }

u64 result_bits(const Description& operation, const Values& in, const Op& op, u64 mask) {
  u64 any = 0;
  for (std::size_t i = 0; i < in.count; ++i) any |= in.bits[i] | in.high[i];
  if (any == 0) return 0;
  switch (operation.transfer) {
    case Transfer::copy:
    case Transfer::widen:
    case Transfer::narrow: return in.bits[0] & mask;
    case Transfer::unite: return (in.bits[0] | in.bits[1]) & mask;
    case Transfer::both:
      // Undefined where one is, unless the other is a defined 0.
      return ((in.bits[0] & (in.values[1] | in.bits[1])) |
              (in.bits[1] & (in.values[0] | in.bits[0]))) &
             mask;
    case Transfer::either:
      return ((in.bits[0] & (~in.values[1] | in.bits[1])) |
              (in.bits[1] & (~in.values[0] | in.bits[0]))) &
             mask;
    case Transfer::upwards: return smear_up(any) & mask;
    case Transfer::multiply: {
      u64 result = in.bits[2];  // of the summand, where there is one
      for (std::size_t i = 0; i < 2; ++i) {
        if (in.bits[i] == 0) continue;
        const u64 other = in.bits[1 - i] | in.values[1 - i];
        if (other == 0) continue;  // times a defined 0
        const int zeros = std::countr_zero(in.bits[i]) + std::countr_zero(other);
        if (zeros < 64) result |= u64{1} << zeros;
      }
      return smear_up(result) & mask;
    }
    case Transfer::halves: {
      constexpr u64 low_half = 0xffff;
      constexpr u64 high_half = 0xffff0000;
      return ((any & low_half) != 0 ? low_half : 0) | ((any & high_half) != 0 ? high_half : 0);
    }
    case Transfer::pack: {
      // The first operand becomes the upper half.
      return (in.bits[0] != 0 ? u64{0xffff0000} : 0) | (in.bits[1] != 0 ? u64{0xffff} : 0);
    }
    case Transfer::left:
      return in.bits[1] != 0 ? mask : in.values[1] > 63 ? 0 : in.bits[0] << in.values[1] & mask;
    case Transfer::right: {
      if (in.bits[1] != 0) return mask;
      const Integer type = operation.behaviour.from;
      const u64 bits = spread(in.bits[0], type);
      const u64 distance = std::min<u64>(in.values[1], 63);
      if (type.is_signed) return static_cast<u64>(static_cast<s64>(bits) >> distance) & mask;
      return in.values[1] > 63 ? 0 : bits >> distance & mask;
    }
    case Transfer::convert:
      // What is cut is extended again, by the result's own sign.
      return spread(spread(in.bits[0], operation.behaviour.from), operation.behaviour.to) & mask;
    case Transfer::saturate:
      return (in.bits[0] & bits_below(operation.behaviour.from.bits)) != 0 ? mask : 0;
    case Transfer::permute: {
      // Bytes of a and b, chosen by nibbles of c, whose highest bit repeats the sign.
      if (in.bits[2] != 0 || op.aux != 0) return mask;
      const u64 bytes = (in.bits[0] & low_word) | in.bits[1] << 32;
      u64 result = 0;
      for (unsigned i = 0; i < 4; ++i) {
        const u64 choice = in.values[2] >> (4 * i) & 15U;
        u64 byte = bytes >> (8 * (choice & 7U)) & 0xffU;
        if ((choice & 8U) != 0) byte = (byte & 0x80U) != 0 ? 0xff : 0;
        result |= byte << (8 * i);
      }
      return result;
    }
    case Transfer::field: {
      if ((in.bits[1] | in.bits[2]) != 0) return mask;
      const Integer type = operation.behaviour.from;
      const u64 at = in.values[1] & 0xffU;
      const u64 length = in.values[2] & 0xffU;
      if (length == 0) return 0;
      // The field ends with the register. What is above it repeats its highest bit where it is
      // signed.
      const u64 there = at >= type.bits ? 0 : std::min<u64>(length, type.bits - at);
      u64 bits = there == 0 ? 0 : in.bits[0] >> at & bits_below(static_cast<unsigned>(there));
      const u64 highest = std::min<u64>(at + length, type.bits) - 1;
      if (type.is_signed && (in.bits[0] >> highest & 1U) != 0) {
        bits |= ~bits_below(static_cast<unsigned>(there));
      }
      return bits & mask;
    }
    case Transfer::insert: {
      if (in.count < 4 || (in.bits[2] | in.bits[3]) != 0) return mask;
      const u64 at = in.values[2] & 0xffU;
      const u64 length = in.values[3] & 0xffU;
      if (at > 63 || length == 0) return in.bits[1] & mask;
      const u64 field = (length >= 64 ? all_bits : (u64{1} << length) - 1) << at;
      return ((in.bits[0] << at & field) | (in.bits[1] & ~field)) & mask;
    }
    case Transfer::bitwise: return (in.bits[0] | in.bits[1] | in.bits[2]) & mask;
    case Transfer::differs: {
      if (in.count > 2 && in.bits[2] != 0) return mask;
      const u64 known = ~(in.bits[0] | in.bits[1]) & bits_below(operation.behaviour.from.bits);
      return ((in.values[0] ^ in.values[1]) & known) != 0 ? 0 : mask;
    }
    case Transfer::funnel: {
      if (in.bits[2] != 0) return mask;
      const u64 both = (in.bits[0] & low_word) | in.bits[1] << 32;
      // Which way and how far is in aux and c: everything that may get there.
      return both == 0 ? 0 : mask;
    }
    case Transfer::extract: {
      // aux bits from bit imm on.
      const u64 width = op.aux >= 64 ? all_bits : (u64{1} << op.aux) - 1;
      return in.bits[0] >> static_cast<u64>(op.imm) & width & mask;
    }
    case Transfer::join_half: {
      const unsigned shift = mask == low_word ? op.aux : 32U;
      return (in.bits[0] | in.bits[1] << shift) & mask;
    }
    default: return mask;
  }
}

}  // namespace

void propagate(Warp& warp, const Op* op, const OperandSlot* first, const OperandSlot* end,
               u32 lanes) {
  const Description& operation = describe(operation_of(*warp.call->code, *op));
  const Transfer how = operation.transfer;
  FrameState& state = *warp.call->state;
  bool reads_any = false;
  ValueOrigin origin;
  for (const OperandSlot* one = first; one != end; ++one) {
    if (one->lane_bytes == OperandSlot::area || !is_marked(state, one->slot)) continue;
    if (!one->written && !reads_any) {
      reads_any = true;
      const auto found = state.origins.find(one->slot & ~3U);
      if (found != state.origins.end()) origin = found->second;
    }
  }
  if (how == Transfer::define) reads_any = false;
  const bool moves = how == Transfer::copy || how == Transfer::widen || how == Transfer::narrow ||
                     how == Transfer::extract || how == Transfer::join_half ||
                     how == Transfer::shuffle || how == Transfer::select ||
                     how == Transfer::convert || how == Transfer::saturate ||
                     how == Transfer::permute || how == Transfer::field || how == Transfer::insert;
  // Which of its results an undefined part of a matrix reaches is not followed so far that an error
  // could be made of it.
  if (!moves && how != Transfer::all_lanes) origin.computed = true;

  // Operands that are read, in the order of the operation's fields; the guard comes first and is
  // looked at elsewhere.
  std::array<const OperandSlot*, 4> read{};
  std::size_t reads = 0;
  const std::uint32_t guard = op->guard & ~3U;
  for (const OperandSlot* one = first; one != end; ++one) {
    if (one->written || one->lane_bytes == OperandSlot::area) continue;
    if (guard != 0 && one->slot == guard && one == first) continue;
    // Of a guarded operation the result's old value counts as read; active lanes do not read it.
    if (guard != 0 && one + 1 != end && one[1].written && one[1].slot == one->slot) continue;
    if (reads < read.size()) read[reads++] = one;
  }
  u64 whole_warp = 0;
  if (how == Transfer::all_lanes && reads_any) {
    for (const OperandSlot* one = first; one != end; ++one) {
      if (one->written || one->lane_bytes == OperandSlot::area) continue;
      for (u32 l = 0; l < lanes_per_warp; ++l) {
        u64 high = 0;
        if ((lanes >> l & 1U) != 0)
          whole_warp |= lane_bits(state, one->slot, one->lane_bytes, l, high) | high;
      }
    }
  }
  for (const OperandSlot* out = first; out != end; ++out) {
    if (!out->written || out->lane_bytes == OperandSlot::area || out->slot < 64) continue;
    if (!reads_any && !is_marked(state, out->slot)) continue;
    const u64 mask = mask_of(out->lane_bytes);
    std::array<u64, lanes_per_warp> low{};
    std::array<u64, lanes_per_warp> high{};
    for (u32 rest = lanes; rest != 0 && reads_any; rest &= rest - 1) {
      const auto l = static_cast<u32>(std::countr_zero(rest));
      if (how == Transfer::all_lanes) {
        low[l] = whole_warp != 0 ? mask : 0;
        high[l] = whole_warp != 0 ? all_bits : 0;
        continue;
      }
      Values in;
      in.count = reads;
      for (std::size_t i = 0; i < reads; ++i) {
        const OperandSlot& one = *read[i];
        in.lane_bytes[i] = one.lane_bytes;
        in.bits[i] = lane_bits(state, one.slot, one.lane_bytes, l, in.high[i]);
        const std::byte* at = warp.frame + (one.slot & ~3U);
        if (one.lane_bytes == 0) {
          u32 predicate = 0;
          std::memcpy(&predicate, at, sizeof predicate);
          const auto negates = [&](u32 field) {
            return (field & ~3U) == one.slot && (field & 1U) != 0;
          };
          if (negates(op->a) || negates(op->b) || negates(op->c)) predicate = ~predicate;
          in.values[i] = predicate >> l & 1U;
        } else {
          std::memcpy(&in.values[i], at + l * std::min<u32>(one.lane_bytes, 8),
                      std::min<u32>(one.lane_bytes, 8));
        }
      }
      if (how == Transfer::shuffle) {
        // The value's undefined bits come from the lane that it is taken from.
        const u32 mode = op->aux & 3U;
        const auto distance = static_cast<std::int32_t>(in.values[1] & 31U);
        const auto clamp = static_cast<std::int32_t>(in.values[2] & 31U);
        const auto segment = static_cast<std::int32_t>(in.values[2] >> 8 & 31U);
        const auto me = static_cast<std::int32_t>(l);
        const std::int32_t limit = (me & segment) | (clamp & ~segment);
        const std::int32_t from = mode == 0   ? me - distance
                                  : mode == 1 ? me + distance
                                  : mode == 2 ? me ^ distance
                                              : (me & segment) | (distance & ~segment);
        const bool inside = mode == 0 ? from >= limit : from <= limit;
        u64 none = 0;
        const u64 bits = lane_bits(state, read[0]->slot, read[0]->lane_bytes,
                                   inside ? static_cast<u32>(from) & 31U : l, none);
        low[l] = out->lane_bytes == 0 ? 0 : in.bits[1] | in.bits[2] ? mask : bits;
        continue;
      }
      if (how == Transfer::select && reads == 3) {
        const std::size_t predicate = in.lane_bytes[2] == 0 ? 2 : in.lane_bytes[0] == 0 ? 0 : 1;
        const std::size_t yes = predicate == 0 ? 1 : 0;
        const std::size_t no = predicate == 2 ? 1 : 2;
        low[l] = in.bits[predicate] != 0     ? mask
                 : in.values[predicate] != 0 ? in.bits[yes]
                                             : in.bits[no];
        continue;
      }
      low[l] = result_bits(operation, in, *op, mask);
      if (how == Transfer::copy && reads > 0) {
        high[l] = in.high[0];
      } else if (low[l] != 0 && how == Transfer::all) {
        high[l] = all_bits;
      }
    }
    for (u32 rest = lanes; rest != 0; rest &= rest - 1) {
      const auto l = static_cast<u32>(std::countr_zero(rest));
      set_lane_bits(state, out->slot, out->lane_bytes, l, low[l], high[l]);
    }
    settle(state, out->slot, out->lane_bytes, origin);
  }
}

}  // namespace softgpu::check

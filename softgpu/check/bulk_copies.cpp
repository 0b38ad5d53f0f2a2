#include "softgpu/check/bulk_copies.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "softgpu/check/definedness.hpp"
#include "softgpu/check/places.hpp"
#include "softgpu/check/races.hpp"
#include "softgpu/exec/tensor_map.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {
namespace {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u64 offset_mask = 0xffffff;

u64 in_block(u64 address, u32 rank) {
  return shared_window | (u64{rank} + 1) << 24 | (address & offset_mask);
}

// Bytes at a generic address that a copy reads or writes.
struct Bytes {
  BlockState* shared = nullptr;  // nullptr: global memory
  u64 address = 0;               // of the bytes, in this process
  u32 offset = 0;
  u32 size = 0;  // 0: none that the handler will accept
};

Bytes bytes_at(Warp& w, u64 address, u32 size) {
  Bytes bytes;
  if ((address & window_mask) == 0) {
    MemoryRange range;
    if (!Memory::instance().find(address, range) || range.freed || address + size > range.end) {
      return bytes;
    }
    bytes.address = address;
    bytes.size = size;
    return bytes;
  }
  Block* const block = shared_block_of(w, address);
  const u64 at = address & offset_mask;
  if ((address & window_mask) != shared_window || block == nullptr ||
      at + size > block->shared_bytes) {
    return bytes;
  }
  bytes.shared = block->state;
  bytes.offset = static_cast<u32>(at);
  bytes.address = reinterpret_cast<u64>(block->shared + at);
  bytes.size = size;
  return bytes;
}

void touch(Warp& w, const Op* op, const Step& step, u32 lane, const Bytes& bytes, bool writes,
           const Agent& agent) {
  constexpr u32 piece = 16;
  for (u32 at = 0; at < bytes.size; at += piece) {
    Access access(w, op, step.place, lane, std::min(piece, bytes.size - at), writes, !writes);
    access.bits = is_bulk;
    access.shared = bytes.shared;
    access.offset = bytes.offset + at;
    access.address = bytes.address + at;
    access.agent = &agent;
    Races::instance().access(access);
  }
}

// Undefined bits go along with the bytes.
void move_bits(const Bytes& from, const Bytes& to) {
  constexpr u32 piece = 256;
  std::array<u8, piece> bits{};
  GlobalBits& global = GlobalBits::instance();
  for (u32 at = 0; at < std::min(from.size, to.size); at += piece) {
    const u32 here = std::min(piece, to.size - at);
    bool any = false;
    if (from.shared != nullptr) {
      std::memcpy(bits.data(), from.shared->undefined.data() + from.offset + at, here);
      any = std::any_of(bits.begin(), bits.begin() + here, [](u8 byte) { return byte != 0; });
    } else {
      any = global.read(from.address + at, here, bits.data());
    }
    if (to.shared != nullptr) {
      std::memcpy(to.shared->undefined.data() + to.offset + at, bits.data(), here);
    } else if (any) {
      global.write(to.address + at, here, bits.data(), {});
    } else {
      global.define(to.address + at, here);
    }
  }
}

void define(const Bytes& to) {
  if (to.size == 0) return;
  if (to.shared == nullptr) return GlobalBits::instance().define(to.address, to.size);
  std::memset(to.shared->undefined.data() + to.offset, 0, to.size);
}

// A copy of one lane that an mbarrier completes.
void load(Warp& w, const Op* op, const Step& step, u32 lane, u64 to, u64 from, u32 size,
          u64 barrier) {
  Races& races = Races::instance();
  const Bytes target = bytes_at(w, to, size);
  const Bytes mark = bytes_at(w, barrier, 8);
  if (mark.shared == nullptr || target.size == 0) return;
  const Agent agent = races.agent_of_barrier(w, *mark.shared, mark.offset);
  if (from != 0) {
    const Bytes source = bytes_at(w, from, size);
    touch(w, op, step, lane, source, false, agent);
    move_bits(source, target);
  }
  touch(w, op, step, lane, target, true, agent);
  races.completes_at(*mark.shared, mark.offset, agent);
}

void define_array(const TensorMap& map) {
  u64 bytes = (u64{map.sizes[0]} + 1) * tensor_element_bytes(map.type);
  for (u32 i = 1; i < std::min<u32>(map.dimensions, TensorMap::most_dimensions); ++i) {
    bytes = std::max(bytes, (u64{map.sizes[i]} + 1) * map.strides[i - 1]);
  }
  MemoryRange range;
  if (!Memory::instance().find(map.address, range) || range.freed) return;
  bytes = std::min(bytes, range.end - map.address);
  GlobalBits::instance().define(map.address, bytes);
  Races::instance().forget(map.address, bytes);
}

}  // namespace

void use_bulk(Warp& w, const Op* op, const Step& step, u32 m) {
  Races& races = Races::instance();
  races.changed();
  const auto* to = lanes<u64>(w, op->a);
  const auto* from = lanes<u64>(w, op->b);
  const auto* sizes = lanes<u32>(w, op->c);
  const u32* more = static_cast<const Pieces*>(op->extra)->slots;
  const bool reduces = (op->aux & 0xffU) != 0;
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    const u32 size = sizes[lane];
    if (more[0] != 0) {
      const u64 barrier = lanes<u64>(w, more[0])[lane];
      if (more[1] == 0) {
        load(w, op, step, lane, to[lane], from[lane], size, barrier);
        continue;
      }
      for (u32 ranks = lanes<u32>(w, more[1])[lane] & 0xffffU; ranks != 0; ranks &= ranks - 1) {
        const auto rank = static_cast<u32>(std::countr_zero(ranks));
        load(w, op, step, lane, in_block(to[lane], rank), from[lane], size,
             in_block(barrier, rank));
      }
      continue;
    }
    const Bytes source = bytes_at(w, from[lane], size);
    const Bytes target = bytes_at(w, to[lane], size);
    const Agent reads = races.agent_of_group(w, lane, false);
    touch(w, op, step, lane, source, false, reads);
    if (reduces) {
      // Reductions of several copies may meet: they are atomic.
      define(target);
      if (target.shared == nullptr) races.forget(target.address, target.size);
      continue;
    }
    move_bits(source, target);
    touch(w, op, step, lane, target, true, races.agent_of_group(w, lane, true));
  }
}

void use_tensor(Warp& w, const Op* op, const Step& step, u32 m) {
  Races& races = Races::instance();
  races.changed();
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  if (static_cast<TensorMove>(op->aux & 0xffU) == TensorMove::load) return;  // use_box()
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    const u64 address = lanes<u64>(w, pieces.more[0])[lane];
    MemoryRange range;
    if (!Memory::instance().find(address, range) || address + sizeof(TensorMap) > range.end) {
      // A map may be a parameter of the kernel, which the handler finds.
      if ((address & window_mask) == 0) continue;
    }
    TensorMap map;
    std::memcpy(&map, checked_address(w, op, static_cast<int>(lane), address, sizeof map, false),
                sizeof map);
    u64 bytes = tensor_element_bytes(map.type);
    for (u32 i = 0; i < std::min<u32>(map.dimensions, TensorMap::most_dimensions); ++i) {
      bytes *= (map.box[i] + std::max<u32>(map.steps[i], 1) - 1) / std::max<u32>(map.steps[i], 1);
    }
    // Where the box goes is not followed: all of the array counts as written.
    if (map.mark == TensorMap::valid) define_array(map);
    if (map.mark != TensorMap::valid || bytes > offset_mask) continue;
    const Bytes source = bytes_at(w, lanes<u64>(w, pieces.more[6])[lane], static_cast<u32>(bytes));
    touch(w, op, step, lane, source, false, races.agent_of_group(w, lane, false));
  }
}

void use_box(Warp& w, const Op* op, const Step& step, u32 m) {
  const auto* barrier = lanes<u64>(w, op->a);
  const auto* bytes = lanes<u32>(w, op->b);
  const auto* to = lanes<u64>(w, op->d);
  for (u32 rest = m; rest != 0; rest &= rest - 1) {
    const auto lane = static_cast<u32>(std::countr_zero(rest));
    if (op->c == 0) {
      define(bytes_at(w, to[lane], bytes[lane]));
      load(w, op, step, lane, to[lane], 0, bytes[lane], barrier[lane]);
      continue;
    }
    for (u32 ranks = lanes<u32>(w, op->c)[lane] & 0xffffU; ranks != 0; ranks &= ranks - 1) {
      const auto rank = static_cast<u32>(std::countr_zero(ranks));
      define(bytes_at(w, in_block(to[lane], rank), bytes[lane]));
      load(w, op, step, lane, in_block(to[lane], rank), 0, bytes[lane],
           in_block(barrier[lane], rank));
    }
  }
}

}  // namespace softgpu::check

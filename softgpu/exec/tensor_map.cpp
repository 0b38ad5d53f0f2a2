#include "softgpu/exec/tensor_map.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <type_traits>

#include "softgpu/exec/scalar.hpp"

namespace softgpu {

namespace {

constexpr int error_illegal_address = 700;
constexpr int error_misaligned = 716;
constexpr int error_launch_failure = 719;

template <class Value>
Value combined(Value old, Value value, TensorMove how) {
  switch (how) {
    case TensorMove::add:
      if constexpr (std::is_integral_v<Value>) {
        using Unsigned = std::make_unsigned_t<Value>;
        return static_cast<Value>(static_cast<Unsigned>(old) + static_cast<Unsigned>(value));
      } else {
        return old + value;
      }
    case TensorMove::min: return std::min(old, value);
    case TensorMove::max: return std::max(old, value);
    default: break;
  }
  if constexpr (std::is_integral_v<Value>) {
    if (how == TensorMove::bit_and) return static_cast<Value>(old & value);
    if (how == TensorMove::bit_or) return static_cast<Value>(old | value);
    if (how == TensorMove::bit_xor) return static_cast<Value>(old ^ value);
  }
  return value;
}

template <class Word, class Change>
void change_word(std::byte* place, Change&& change) {
  auto* p = reinterpret_cast<Word*>(place);
  Word old = __atomic_load_n(p, __ATOMIC_ACQUIRE);
  while (!__atomic_compare_exchange_n(p, &old, change(old), false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
  }
}

template <class Value, class Word>
void reduce_as(std::byte* to, const std::byte* from, TensorMove how) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  change_word<Word>(to, [&](Word old) {
    return std::bit_cast<Word>(
        combined(std::bit_cast<Value>(old), std::bit_cast<Value>(word), how));
  });
}

void reduce_element(std::byte* to, const std::byte* from, TensorMove how, std::uint32_t type) {
  switch (type) {
    case 0: return reduce_as<std::uint8_t, std::uint8_t>(to, from, how);
    case 1: return reduce_as<std::uint16_t, std::uint16_t>(to, from, how);
    case 2: return reduce_as<std::uint32_t, std::uint32_t>(to, from, how);
    case 3: return reduce_as<std::int32_t, std::uint32_t>(to, from, how);
    case 4: return reduce_as<std::uint64_t, std::uint64_t>(to, from, how);
    case 5: return reduce_as<std::int64_t, std::uint64_t>(to, from, how);
    case 8: return reduce_as<double, std::uint64_t>(to, from, how);
    case 6:
    case 9: {
      const auto get = [&](std::uint16_t h) {
        return type == 6 ? scalar::half_to_float(h) : scalar::bfloat_to_float(h);
      };
      std::uint16_t value = 0;
      std::memcpy(&value, from, 2);
      return change_word<std::uint16_t>(to, [&](std::uint16_t old) {
        const float a = get(old);
        const float b = get(value);
        const float r =
            how == TensorMove::add ? scalar::fma_to_odd(a, 1.0F, b) : combined(a, b, how);
        return static_cast<std::uint16_t>(type == 6 ? scalar::float_to_half(r)
                                                    : scalar::float_to_bfloat(r));
      });
    }
    default: return reduce_as<float, std::uint32_t>(to, from, how);
  }
}

// The box of elements that one lane moves.
class Box {
 public:
  Box(Warp& warp, const Op* op, int lane) : warp_(warp), op_(op), lane_(lane) {
    const std::uint32_t* more = static_cast<const Pieces*>(op->extra)->more;
    const std::uint64_t at = lanes<std::uint64_t>(warp, more[0])[lane];
    if (at % alignof(TensorMap) != 0)
      fault(error_misaligned, "a tensor map is not aligned to 64 bytes");
    for (std::uint32_t i = 0; i < sizeof map_; i += 8) {
      std::memcpy(reinterpret_cast<std::byte*>(&map_) + i,
                  checked_address(warp, op, lane, at + i, 8, false), 8);
    }
    const std::uint32_t dimensions = op->aux >> 8U & 0xffU;
    element_ = tensor_element_bytes(map_.type);
    if (map_.mark != TensorMap::valid || map_.dimensions != dimensions || element_ == 0 ||
        map_.dimensions > TensorMap::most_dimensions || map_.swizzle > 3) {
      fault(error_launch_failure,
            "what stands here is no tensor map of " + std::to_string(dimensions) + " dimensions");
    }
    count_ = 1;
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      start_[i] = static_cast<std::int32_t>(lanes<std::uint32_t>(warp, more[1 + i])[lane]);
      if (map_.steps[i] == 0 || map_.box[i] == 0)
        fault(error_launch_failure, "a damaged tensor map");
      count_ *= (map_.box[i] + map_.steps[i] - 1U) / map_.steps[i];
      if (count_ * element_ > (1U << 24))
        fault(error_illegal_address, "a box beyond shared memory");
    }
    shared_ = lanes<std::uint64_t>(warp, more[6])[lane];
    if (shared_ % 128 != 0) {
      fault(error_misaligned, "a box in shared memory is not aligned to 128 bytes");
    }
  }

  [[nodiscard]] std::uint32_t bytes() const {
    return static_cast<std::uint32_t>(count_) * element_;
  }

  // Between global memory and the shared memory of the block `rank` (−1: the one that the address
  // names).
  void move(TensorMove how, int rank) {
    std::uint64_t offset = shared_ & 0xffffffU;
    Block* block = target_block(rank);
    std::uint32_t index[TensorMap::most_dimensions] = {};
    for (std::uint64_t i = 0; i < count_; ++i, offset += element_) {
      const std::uint64_t swizzled =
          map_.swizzle == 0 ? offset : offset ^ ((offset >> 7U & ((1U << map_.swizzle) - 1)) << 4U);
      if (swizzled + element_ > block->shared_bytes) {
        fault(error_illegal_address,
              "a box in shared memory at offset " + std::to_string(shared_ & 0xffffffU) +
                  " reaches beyond the block's " + std::to_string(block->shared_bytes) + " bytes");
      }
      std::byte* here = block->shared + swizzled;
      std::byte* there = element_at(index, how != TensorMove::load);
      if (how == TensorMove::load) {
        if (there != nullptr) {
          std::memcpy(here, there, element_);
        } else {
          fill_outside(here);
        }
      } else if (there != nullptr) {
        if (how == TensorMove::store) {
          std::memcpy(there, here, element_);
        } else {
          reduce_element(there, here, how, map_.type);
        }
      }
      for (std::uint32_t d = 0; d < map_.dimensions; ++d) {
        if (++index[d] * map_.steps[d] < map_.box[d]) break;
        index[d] = 0;
      }
    }
  }

 private:
  [[noreturn]] void fault(int code, const std::string& what) {
    raise_fault(warp_, op_, lane_, code, what);
  }

  Block* target_block(int rank) {
    const auto field = rank >= 0 ? static_cast<std::uint64_t>(rank) + 1 : shared_ >> 24U & 0xffU;
    if ((shared_ & window_mask) != shared_window) {
      fault(error_illegal_address, "a box that is not in shared memory");
    }
    if (field == 0) return warp_.block;
    const Cluster* cluster = warp_.block->cluster;
    if (cluster == nullptr || field > cluster->blocks.size()) {
      fault(error_illegal_address, "block " + std::to_string(field - 1) + " is not in the cluster");
    }
    return cluster->blocks[field - 1];
  }

  // The element's bytes in global memory, nullptr outside of the array.
  std::byte* element_at(const std::uint32_t* index, bool write) {
    std::uint64_t address = map_.address;
    for (std::uint32_t d = 0; d < map_.dimensions; ++d) {
      const std::int64_t at = start_[d] + static_cast<std::int64_t>(index[d]) *
                                              static_cast<std::int64_t>(map_.steps[d]);
      if (at < 0 || at > static_cast<std::int64_t>(map_.sizes[d])) return nullptr;
      address += static_cast<std::uint64_t>(at) * (d == 0 ? element_ : map_.strides[d - 1]);
    }
    if (address >= known_.begin && address + element_ <= known_.end) {
      return reinterpret_cast<std::byte*>(address);
    }
    std::byte* p = checked_address(warp_, op_, lane_, address, element_, write);
    MemoryRange range;
    if (Memory::instance().find(address, range) && !range.freed) known_ = {range.begin, range.end};
    return p;
  }

  void fill_outside(std::byte* here) const {
    std::memset(here, 0, element_);
    if (map_.fill_nan == 0) return;
    const std::uint64_t nan = map_.type == 6   ? 0x7fffU
                              : map_.type == 9 ? 0x7fffU
                              : map_.type == 8 ? 0x7fffffffffffffffULL
                                               : 0x7fffffffU;
    std::memcpy(here, &nan, element_);
  }

  Warp& warp_;
  const Op* op_;
  int lane_;
  TensorMap map_;
  std::uint32_t element_ = 0;
  std::uint64_t count_ = 0;  // elements of the box
  std::int64_t start_[TensorMap::most_dimensions] = {};
  std::uint64_t shared_ = 0;
  RangeCache known_;
};

}  // namespace

void move_tensor(Warp& warp, const Op* op, std::uint32_t mask) {
  const auto& pieces = *static_cast<const Pieces*>(op->extra);
  const auto how = static_cast<TensorMove>(op->aux & 0xffU);
  for (int l = 0; l < warp_size; ++l) {
    if (((mask >> l) & 1U) == 0) continue;
    Box box(warp, op, l);
    if (pieces.more[7] != 0) {
      const std::uint32_t blocks = lanes<std::uint32_t>(warp, pieces.more[7])[l] & 0xffffU;
      for (int rank = 0; rank < 16; ++rank) {
        if (((blocks >> rank) & 1U) != 0) box.move(how, rank);
      }
    } else {
      box.move(how, -1);
    }
    if (pieces.count > 0 && pieces.slots[0] != 0) {
      lanes<std::uint32_t>(warp, pieces.slots[0])[l] = box.bytes();
    }
  }
}

std::uint32_t tensor_element_bytes(std::uint32_t type) {
  // CUtensorMapDataType: u8, u16, u32, s32, u64, s64, f16, f32, f64, bf16, f32.ftz, tf32, tf32.ftz.
  static constexpr std::uint8_t bytes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
  return type < sizeof bytes ? bytes[type] : 0;
}

int encode_tensor_map(void* map, int type, std::uint32_t dimensions, void* address,
                      const std::uint64_t* sizes, const std::uint64_t* strides,
                      const std::uint32_t* box, const std::uint32_t* steps, int interleave,
                      int swizzle, int promotion, int fill) {
  constexpr int invalid = 1;
  constexpr int not_supported = 801;
  static_cast<void>(promotion);  // advice to a cache
  if (map == nullptr || sizes == nullptr || box == nullptr || steps == nullptr ||
      (strides == nullptr && dimensions > 1) || type < 0 || dimensions == 0 ||
      dimensions > TensorMap::most_dimensions) {
    return invalid;
  }
  const std::uint32_t element = tensor_element_bytes(static_cast<std::uint32_t>(type));
  if (element == 0 || swizzle < 0 || fill < 0 || fill > 1) return invalid;
  if (interleave != 0 || swizzle > 3) return not_supported;
  TensorMap encoded;
  encoded.mark = TensorMap::valid;
  encoded.address = reinterpret_cast<std::uint64_t>(address);
  if (address == nullptr || encoded.address % 16 != 0) return invalid;
  encoded.dimensions = static_cast<std::uint8_t>(dimensions);
  encoded.type = static_cast<std::uint8_t>(type);
  encoded.swizzle = static_cast<std::uint8_t>(swizzle);
  // NaN is for floats.
  if (fill == 1 && (type < 6 || type > 12)) return invalid;
  encoded.fill_nan = static_cast<std::uint8_t>(fill);
  for (std::uint32_t i = 0; i < dimensions; ++i) {
    if (sizes[i] == 0 || sizes[i] > (std::uint64_t{1} << 32)) return invalid;
    if (box[i] == 0 || box[i] > 256 || steps[i] == 0 || steps[i] > 8) return invalid;
    encoded.sizes[i] = static_cast<std::uint32_t>(sizes[i] - 1);
    encoded.box[i] = static_cast<std::uint16_t>(box[i]);
    encoded.steps[i] = static_cast<std::uint8_t>(steps[i]);
    if (i > 0) {
      const std::uint64_t stride = strides[i - 1];
      if (stride % 16 != 0 || stride >= (std::uint64_t{1} << 40)) return invalid;
      encoded.strides[i - 1] = stride;
    }
  }
  // A row of the box is whole pieces of 16 bytes, and no longer than the swizzle's span.
  const std::uint32_t row = box[0] * element;
  if (row % 16 != 0) return invalid;
  if (swizzle != 0 && row > (16U << swizzle)) return invalid;
  std::memcpy(map, &encoded, sizeof encoded);
  return 0;
}

}  // namespace softgpu

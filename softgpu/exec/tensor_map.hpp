// Tensor maps: what cp.async.bulk.tensor knows of an array in global memory. The 128 bytes of a
// CUtensorMap are opaque to programs; this is what they hold here.
#pragma once

#include <cstdint>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

struct alignas(64) TensorMap {
  static constexpr std::uint64_t valid = 0x50414d524f534e54;  // "TNSORMAP"
  static constexpr std::uint32_t most_dimensions = 5;

  std::uint64_t mark = 0;
  std::uint64_t address = 0;
  std::uint64_t strides[most_dimensions - 1] = {};  // bytes; of the first dimension the element's
  std::uint32_t sizes[most_dimensions] = {};        // elements, less one (they go up to 2^32)
  std::uint16_t box[most_dimensions] = {};
  std::uint8_t steps[most_dimensions] = {};  // from one element of the box to the next
  std::uint8_t dimensions = 0;
  std::uint8_t type = 0;      // CUtensorMapDataType
  std::uint8_t swizzle = 0;   // CUtensorMapSwizzle
  std::uint8_t fill_nan = 0;  // outside: NaN instead of zero
};
static_assert(sizeof(TensorMap) == 128);

// Bytes of an element, 0 for a type that is none.
[[nodiscard]] std::uint32_t tensor_element_bytes(std::uint32_t type);

// cuTensorMapEncodeTiled: the CUDA driver's result code (0, or 1 for values that its documentation
// forbids, or 801 for what is not built in: interleaved layouts).
[[nodiscard]] int encode_tensor_map(void* map, int type, std::uint32_t dimensions, void* address,
                                    const std::uint64_t* sizes, const std::uint64_t* strides,
                                    const std::uint32_t* box, const std::uint32_t* steps,
                                    int interleave, int swizzle, int promotion, int fill);

// cp.async.bulk.tensor and cp.reduce.async.bulk.tensor, but for the mbarrier. Pieces::more: the
// map's address, five coordinates, the address in shared memory, a mask of blocks (0: none);
// Pieces::slots: gets the bytes that a load brings. Op::aux: what to do, and the number of
// coordinates in bits 8 to 15.
enum class TensorMove : std::uint32_t { load, store, add, min, max, bit_and, bit_or, bit_xor };
void move_tensor(Warp& warp, const Op* op, std::uint32_t mask);

}  // namespace softgpu

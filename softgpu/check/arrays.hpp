// Which array a memory instruction accesses, as far as debugging information and the way its
// address is computed tell.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

// The array in shared or local memory that one PTX instruction accesses.
struct ArrayBounds {
  std::uint32_t instruction = 0;
  bool shared = false;
  std::uint32_t begin = 0;  // into the block's memory, or that of the function's frame
  std::uint32_t bytes = 0;
  std::string name;
};

// For loads, stores and atomics whose address is that of an array plus an index that is not known
// before, by instruction: what nvcc -G makes of `table[i]` and `state.counts[i]`, where both are in
// one block of memory with others. An address that goes through a register that is assigned twice
// is not followed.
[[nodiscard]] std::vector<ArrayBounds> array_bounds(const Code& code);

}  // namespace softgpu::check

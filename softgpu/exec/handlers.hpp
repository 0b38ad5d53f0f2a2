// The executor's handlers of operations, for each instruction set they are compiled for.
#pragma once

#include <cstddef>

#include "softgpu/exec/machine.hpp"
#include "softgpu/isa/operation.hpp"

namespace softgpu {

enum class SimdChoice;  // softgpu/device/options.hpp

// By operation; nullptr where the compiler cannot build this set.
namespace avx512 {
const Handler* handlers();
}
namespace avx2 {
const Handler* handlers();
}
namespace baseline {
const Handler* handlers();
}

// The handler for this processor; SOFTGPU_SIMD=avx512|avx2|baseline asks for a lesser one.
[[nodiscard]] Handler find_handler(Operation operation);
// Makes kernels that are decoded from now on run on this instruction set instead of SOFTGPU_SIMD's;
// returns false where the processor lacks it. Tests go through all instruction sets this way.
bool select_instruction_set(SimdChoice wanted);

struct HandlerEntry {
  Operation operation;
  Handler handler;
};
struct HandlerEntries {
  const HandlerEntry* first;
  std::size_t count;
};
// Code decoded from now on runs these handlers for their operations, until the next
// select_instruction_set(): tests use it to make a wrong executor, and to show that they notice.
void replace_handlers(const HandlerEntries& wrong);

// SOFTGPU_JITTER.
[[nodiscard]] std::uint64_t jitter_seed();

// Processor clock ticks, or nanoseconds.
[[nodiscard]] std::uint64_t clock_ticks(bool nanoseconds);

}  // namespace softgpu

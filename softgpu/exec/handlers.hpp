// The executor's handlers by name, for each instruction set they are compiled for.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

enum class SimdChoice;  // softgpu/device/options.hpp

struct HandlerEntry {
  const char* name;
  Handler handler;
};
struct HandlerEntries {
  const HandlerEntry* first;
  std::size_t count;
};

namespace avx512 {
HandlerEntries entries();
HandlerEntries matrix_entries();
HandlerEntries async_entries();
}  // namespace avx512
namespace avx2 {
HandlerEntries entries();
HandlerEntries matrix_entries();
HandlerEntries async_entries();
}  // namespace avx2
namespace baseline {
HandlerEntries entries();
HandlerEntries matrix_entries();
HandlerEntries async_entries();
}  // namespace baseline

// The entries for this processor, by family; SOFTGPU_SIMD=avx512|avx2|baseline asks for less.
[[nodiscard]] std::array<HandlerEntries, 3> choose_handlers(SimdChoice wanted);
// The handler for this processor, or nullptr.
[[nodiscard]] Handler find_handler(std::string_view name);
// Makes kernels that are decoded from now on run on this instruction set instead of SOFTGPU_SIMD's;
// returns false where the processor lacks it. Tests go through all instruction sets this way.
bool select_instruction_set(SimdChoice wanted);
// Code decoded from now on runs these handlers in place of those of the same names, until the next
// select_instruction_set(): tests use it to make a wrong executor, and to show that they notice.
void replace_handlers(const HandlerEntries& wrong);

// SOFTGPU_JITTER.
[[nodiscard]] std::uint64_t jitter_seed();

// Processor clock ticks, or nanoseconds.
[[nodiscard]] std::uint64_t clock_ticks(bool nanoseconds);

}  // namespace softgpu

// Accesses of a whole warp at once, where nothing is to be said about them: most are.
#pragma once

#include <cstdint>

#include "softgpu/check/checked_code.hpp"
#include "softgpu/exec/machine.hpp"
#include "softgpu/memory/memory.hpp"

namespace softgpu::check {

// The live range that holds the bytes; false where there is none, which the handler will refuse.
[[nodiscard]] bool find_range(std::uint64_t address, std::uint32_t bytes, MemoryRange& range);

// Does for weak loads and stores of registers without undefined bits what is to be done, lane by
// lane, and returns the lanes for which it was not done: those that meet others without order, that
// leave their variable or allocation, or that find undefined bits.
[[nodiscard]] std::uint32_t use_row(Warp& warp, const Op* op, const Step& step, const Touch& touch,
                                    std::uint32_t lanes);

// The same of relaxed atomic accesses other than exchanges. What is at their addresses has to be
// defined, as their operands are.
[[nodiscard]] std::uint32_t use_atomics(Warp& warp, const Op* op, const Step& step,
                                        const Touch& touch, std::uint32_t lanes);

// Where races are left out: the lanes whose access leaves its variable or allocation, is
// misaligned, or has to do with undefined bits.
[[nodiscard]] std::uint32_t use_without_races(Warp& warp, const Op* op, const Touch& touch,
                                              std::uint32_t lanes);

}  // namespace softgpu::check

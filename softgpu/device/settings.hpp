// Settings that a program may change while it runs. They start as the environment says
// (options.hpp). A change is for kernels launched later.
#pragma once

#include <cstdint>

namespace softgpu {

// The order of warps and blocks is drawn by it; 0: in order.
[[nodiscard]] std::uint64_t schedule_seed() noexcept;
void set_schedule_seed(std::uint64_t seed) noexcept;

inline constexpr int most_threads = 1024;
// Cores that run blocks, at least 1.
[[nodiscard]] int core_count() noexcept;
// Below 1: all that the process may use. More than most_threads counts as that.
void set_core_count(int count) noexcept;

// Code that is decoded from now on says which registers its operations name (Code::operands), which
// the checker and the profiler need. From the start where one of them is on.
[[nodiscard]] bool keeps_operands() noexcept;
void set_keeps_operands(bool keeps) noexcept;

}  // namespace softgpu

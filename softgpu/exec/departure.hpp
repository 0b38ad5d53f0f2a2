// How threads end without a barrier at which others wait, by the flow of control of their code.
#pragma once

#include <cstddef>
#include <cstdint>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// How a thread that ended at `left` may have got there without the barrier at `barrier`, where
// others wait.
enum class Departure : std::uint8_t {
  early,     // it has been at the barrier, or left a loop early and ended
  returned,  // it ended without the barrier and without doing what follows it
  around,    // it went around the barrier and did what follows it
  loop,      // the same, or it has made fewer turns of the loop that the barrier is in
  tail,      // the same, or it returned early, and what both do at last has been merged
};

// `barrier` and `left` are operations of the kernel's own code.
[[nodiscard]] Departure known_departure(const Launch& launch, const Op* barrier, const Op* left);
// Whether a thread may come to the operation again.
[[nodiscard]] bool is_in_loop(const Code& code, std::size_t op);

}  // namespace softgpu

// Asynchronous copies (cp.async) that are deferred until a thread waits for them.
//
// The memory model lets a copy happen at any time between its issue and the wait. By default it
// happens at issue. With a schedule seed it happens as late as it may, so that a program that
// forgets to wait reads what was there before.
#pragma once

#include <cstdint>
#include <vector>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// The copies of a warp that have not happened yet.
struct AsyncCopies {
  struct Copy {
    std::byte* to = nullptr;
    const std::byte* from = nullptr;
    std::uint8_t bytes = 0;  // written
    std::uint8_t read = 0;   // from the source; zeros beyond
    std::uint8_t lane = 0;
    std::uint32_t group = 0;
  };
  std::vector<Copy> copies;
  std::uint32_t committed[warp_size] = {};  // groups that each lane has closed
};

// True where asynchronous copies are to be deferred until a wait that needs them.
[[nodiscard]] bool defers_copies() noexcept;
void defer_copy(Warp& warp, int lane, std::byte* to, const std::byte* from, std::uint32_t bytes,
                std::uint32_t read);
void commit_copies(Warp& warp, std::uint32_t lanes);
// Completes the copies of these lanes but those of the `left` youngest groups; all of them, also
// those of no group yet, where `all`.
void complete_copies(Warp& warp, std::uint32_t lanes, std::uint32_t left, bool all);

}  // namespace softgpu

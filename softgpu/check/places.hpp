// Places in kernels by number, and how findings describe them, their threads and memory.
#pragma once

#include <cstdint>
#include <string>

#include "softgpu/check/findings.hpp"
#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

struct LaunchState;

// A number for an operation of code that stays; never 0.
[[nodiscard]] std::uint32_t make_place(const Code& code, std::uint32_t op);
// A number for what a call of the host does ("copy", "memset"), by its caller; one for each.
[[nodiscard]] std::uint32_t host_place(const char* what);
struct Place {
  const Code* code = nullptr;  // nullptr for the host's
  std::uint32_t op = 0;
  const char* what = "";  // the host does
  std::string caller;     // of the host's
};
[[nodiscard]] const Place& place_at(std::uint32_t number);

// The site of an operation: its file and line as the innermost call site of the program's own has
// them, and the text that messages use.
[[nodiscard]] Site site_of(const Code& code, const Op* op, std::string what);
[[nodiscard]] Site site_of(std::uint32_t place, std::string what);

// "block (1,0,0) thread (3,0,0)" of a launch's thread.
[[nodiscard]] std::string thread_name(const LaunchState& launch, std::uint32_t warp,
                                      std::uint32_t lane);
// "variable `tile`, 1024 bytes, offset 16" for an offset into shared memory.
[[nodiscard]] std::string describe_shared(const Launch& launch, std::uint32_t offset);
// "an allocation of 4096 bytes at 0x..., offset 16, allocated in main".
[[nodiscard]] std::string describe_global(std::uint64_t address);

}  // namespace softgpu::check

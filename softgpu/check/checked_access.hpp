// One access of a lane, as the checker sees it: its undefined bits, its bounds and its race.
#pragma once

#include <cstdint>

#include "softgpu/check/checked_code.hpp"
#include "softgpu/check/races.hpp"

namespace softgpu::check {

struct Lane {
  Warp& w;
  const Op* op;
  const CheckedCode& code;
  const Step& step;
  std::uint32_t lane;
};

[[nodiscard]] ValueOrigin origin_of(const FrameState& state, std::uint32_t slot);
// Reports the use of an undefined value: `what` it is used as, and the sentence that says why that
// is a mistake.
void report_undefined(const Warp& w, const Op* op, const Step& step, std::uint32_t lane,
                      const ValueOrigin& origin, const char* what, const char* message);
// An access to static shared memory that leaves its variable is reported.
void check_variable(const Lane& l, std::uint32_t offset, std::uint32_t size, bool writes);
// A value of `size` bytes at `bits` for a load into a register of a lane.
[[nodiscard]] std::uint64_t extended(const std::uint8_t* bits, std::uint32_t size, bool is_signed);
// An access at a generic address; 0 bytes at the address of a lane are none.
void use(const Lane& l, std::uint64_t address, std::uint32_t size, Way way, Order order,
         Scope scope, bool is_async);
// The undefined bits of `size` bytes at a generic address, for copies. True where there are some.
bool read_bits(Warp& w, std::uint64_t address, std::uint32_t size, std::uint8_t* bits);

}  // namespace softgpu::check

// What the parts of Races share: names and small helpers.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

#include "softgpu/check/races.hpp"

namespace softgpu::check {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr ThreadId thread_id(const WarpState& of, u32 lane) { return {of.block, of.warp, lane}; }

inline Scope scope_of(u8 bits) { return static_cast<Scope>((bits >> scope_shift) & 3U); }

// Calls visit with each lane of the mask, in ascending order.
template <class Visit>
void for_lanes(u32 lanes, Visit&& visit) {
  for (; lanes != 0; lanes &= lanes - 1) visit(static_cast<u32>(std::countr_zero(lanes)));
}

// An access as a finding names it: "volatile read of 4 bytes".
[[nodiscard]] std::string access_name(bool writes, u8 bits, u32 bytes);

}  // namespace softgpu::check

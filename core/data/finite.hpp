// Whether numbers are finite.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "tandem/core/types.hpp"

namespace tandem {

// The exponents of NaN and infinity, and no others, are all ones. On integers and without a branch,
// so that the compiler makes vectors of it.
template <Real T>
bool all_finite(std::span<const T> values) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits ones = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits found = 0;
  for (const T value : values) found |= (std::bit_cast<Bits>(value) & ones) == ones ? 1U : 0U;
  return found == 0;
}

}  // namespace tandem

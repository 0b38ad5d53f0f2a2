// Numbers of 32 bits in JSON, whose writers know numbers of 64 bits only.
#pragma once

#include <charconv>

#include "tandem/core/text.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// The double with the same shortest decimal text as `value`: 4.85F as 4.85, not 4.849999904632568.
// It reads back to `value` as a number of its own type. NaN and infinities stay what they are.
[[nodiscard]] inline double short_number(float value) {
  const std::string text = shortest(value);
  double result = static_cast<double>(value);
  (void)std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}
[[nodiscard]] inline double short_number(double value) { return value; }

}  // namespace tandem

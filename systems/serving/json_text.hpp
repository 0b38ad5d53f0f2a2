// JSON written piece by piece, for the hot path.
#pragma once

#include <cmath>
#include <concepts>
#include <string>
#include <string_view>

#include "tandem/core/text.hpp"

namespace tandem::serving {

// A number so that it reads back to the same bits; null where it is not finite.
template <class Number>
void append_json_number(std::string& json, Number value) {
  if constexpr (std::floating_point<Number>) {
    if (!std::isfinite(value)) {
      json += "null";
      return;
    }
  }
  append_shortest(json, value);
}

// A text in quotes; bytes that are no UTF-8 become U+FFFD.
void append_json_text(std::string& json, std::string_view text);

}  // namespace tandem::serving

// Texts as numbers.
#pragma once

#include <charconv>
#include <string_view>

#include "tandem/core/text.hpp"

namespace tandem {

// The whole text as a number, or false.
template <class Number>
[[nodiscard]] bool read_number(std::string_view text, Number& value) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace tandem

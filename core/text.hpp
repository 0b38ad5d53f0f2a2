// Numbers and lists as texts: the forms that files, messages and help pages share.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/text.hpp"

namespace tandem {

// The parts between separators: at least one, which is empty where `text` is.
[[nodiscard]] inline std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// The whole text as a number, or false.
template <class Number>
[[nodiscard]] bool read_number(std::string_view text, Number& value) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace tandem

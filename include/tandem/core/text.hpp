// How Tandem writes numbers, in messages, files, reports and the names of categories; and lists in
// one text.
#pragma once

#include <array>
#include <charconv>
#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// Appends the shortest decimal text that reads back to exactly this number.
template <class Number>
requires std::integral<Number> || std::floating_point<Number>
void append_shortest(std::string& text, Number value) {
  // The longest are doubles such as -2.2250738585072014e-308, 24 characters.
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  text.append(digits.data(), end);
}

// That text alone.
template <class Number>
requires std::integral<Number> || std::floating_point<Number>
[[nodiscard]] std::string shortest(Number value) {
  std::string text;
  append_shortest(text, value);
  return text;
}

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

// `count` significant digits, as %g writes them.
[[nodiscard]] inline std::string significant(double value, int count) {
  std::array<char, 64> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value,
                                 std::chars_format::general, count)
                       .ptr;
  return {digits.data(), end};
}

}  // namespace tandem

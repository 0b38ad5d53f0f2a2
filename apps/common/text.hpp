// Lists as texts, and texts made short, for the programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/text.hpp"

namespace tandem::program {

// "kmeans, mlp", for messages and help pages.
template <class Texts>
[[nodiscard]] std::string joined(const Texts& texts, std::string_view separator = ", ") {
  std::string all;
  for (const auto& text : texts) {
    if (!all.empty()) all += separator;
    all += text;
  }
  return all;
}

// The same of names from a file, which may be many: "a, b, ... (214 in all)".
[[nodiscard]] inline std::string few_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  if (names.size() <= most) return joined(names);
  return joined(std::vector<std::string>(names.begin(), names.begin() + most)) + ", ... (" +
         std::to_string(names.size()) + " in all)";
}

// At most `most` characters, the last an ellipsis where some were left out.
[[nodiscard]] inline std::string shortened(std::string_view text, std::size_t most) {
  std::size_t characters = 0;
  std::size_t kept = 0;  // bytes of the first most - 1 characters
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U) continue;  // within a character
    if (++characters == most) kept = i;
    if (characters > most) return std::string(text.substr(0, kept)) + "…";
  }
  return std::string(text);
}

}  // namespace tandem::program

// Numbers and lists as texts, for the programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/text.hpp"

namespace tandem::program {

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

}  // namespace tandem::program

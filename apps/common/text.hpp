// Lists as texts, for the programs.
#pragma once

#include <string>
#include <string_view>

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

}  // namespace tandem::program

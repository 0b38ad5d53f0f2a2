// The names of an enumeration's values, as options and files write them.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/core/error.hpp"

namespace tandem {

template <class Enum, std::size_t N>
using EnumNames = std::array<std::pair<Enum, std::string_view>, N>;

template <class Enum, std::size_t N>
[[nodiscard]] std::string_view name_of(const EnumNames<Enum, N>& names, Enum value) noexcept {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "unknown";
}

// Throws InputError that says what `text` should have been and lists the names.
template <class Enum, std::size_t N>
[[nodiscard]] Enum parse_name(const EnumNames<Enum, N>& names, std::string_view what,
                              std::string_view text) {
  std::string accepted;
  for (const auto& [candidate, name] : names) {
    if (name == text) return candidate;
    accepted += (accepted.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError("unknown " + std::string(what) + " '" + std::string(text) +
                   "': expected one of " + accepted);
}

}  // namespace tandem

// An enumeration's value in an archive, by name.
#pragma once

#include <string>
#include <string_view>

#include "tandem/core/archive.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/names.hpp"

namespace tandem {

// Throws the InputError of Archive::fail() for a name that the enumeration does not have.
template <NamedEnum Enum>
[[nodiscard]] Enum load_enum(const Archive& archive, std::string_view name) {
  const std::string& text = archive.get_string(name);
  for (std::size_t i = 0; i < enum_names<Enum>.size(); ++i) {
    if (enum_names<Enum>[i] == text) return static_cast<Enum>(i);
  }
  std::string accepted;
  for (const auto one : enum_names<Enum>) {
    accepted += (accepted.empty() ? "" : ", ") + std::string(one);
  }
  archive.fail(name, "is '" + text + "', expected one of " + accepted);
}

}  // namespace tandem

// Enumerations by name. An enumeration that a person can choose from specialises `enum_names` right
// after its definition; text forms, parsing, help pages and messages all come from that one list.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "tandem/core/export.hpp"

namespace tandem {

// The names of an enumeration's values 0, 1, 2, ... in that order. Names are in lower case with
// hyphens between words; wherever one is read, "_" counts as "-".
template <class Enum>
inline constexpr auto enum_names = nullptr;

template <class Enum>
concept NamedEnum = std::is_enum_v<Enum> &&
    !std::is_same_v<std::remove_const_t<decltype(enum_names<Enum>)>, std::nullptr_t>;

template <NamedEnum Enum>
[[nodiscard]] constexpr std::string_view to_string(Enum value) noexcept {
  const auto index = static_cast<std::size_t>(value);
  return index < enum_names<Enum>.size() ? enum_names<Enum>[index] : std::string_view("?");
}

// Whether two names are the same when "-" and "_" count as equal.
[[nodiscard]] TANDEM_API bool same_name(std::string_view a, std::string_view b) noexcept;

// The position of `text` among `names`. Throws InputError that says what `text` should have been
// (`what`, such as "device") and lists the names.
[[nodiscard]] TANDEM_API std::size_t find_name(std::string_view what, std::string_view text,
                                               std::span<const std::string_view> names);

// The value called `text`. Throws InputError as find_name() does.
template <NamedEnum Enum>
[[nodiscard]] Enum parse_enum(std::string_view what, std::string_view text) {
  return static_cast<Enum>(find_name(what, text, enum_names<Enum>));
}

}  // namespace tandem

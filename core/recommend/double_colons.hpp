// Tables whose fields are separated by two colons, as MovieLens 1M and 10M are written: a delimiter
// of text tables is one character, and a single colon stands in titles.
#pragma once

#include <string_view>

#include "core/data/input.hpp"

namespace tandem {

// What takes the place of two colons: the separator of units of ASCII, which no text has.
inline constexpr char unit_separator = '\x1f';

// Whether each line of the beginning of a file has two colons, as often as the first one.
[[nodiscard]] bool has_double_colons(std::string_view head);

// The same file with the other separator. A field that begins with a quote is quoted.
[[nodiscard]] Input without_double_colons(const Input& input);

}  // namespace tandem

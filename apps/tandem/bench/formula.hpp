// Arithmetic over named numbers: "iterations * (2 * rows * features * clusters + rows * features)".
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tandem::program {

using Numbers = std::map<std::string, double, std::less<>>;

// + − * / and parentheses. Throws InputError that names the position in the text, and for a name
// that is not among the numbers lists those that are.
[[nodiscard]] double value_of(std::string_view formula, const Numbers& numbers);

}  // namespace tandem::program

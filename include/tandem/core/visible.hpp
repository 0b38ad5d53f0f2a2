// Text from data and model files, for terminals and pages.
#pragma once

#include <string>
#include <string_view>

#include "tandem/core/export.hpp"

namespace tandem {

// The text with what a terminal would obey written out: control characters of ASCII (other than
// those in `kept`), DEL and bytes that are not UTF-8 as "\x1b", C1 controls and the characters that
// turn the direction of writing as "\u202e". Other text is left as it is.
[[nodiscard]] TANDEM_API std::string visible(std::string_view text, std::string_view kept = "\n\t");

}  // namespace tandem

// Text files that appear whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "tandem/core/export.hpp"

namespace tandem {

// Writes a file of this text. It takes the place of a file that is there, keeps that one's mode,
// and removes what a writer of the same name has left that was killed. Throws SystemError where it
// cannot be written, InputError where the folder does not exist or the path is a symbolic link that
// leads nowhere.
TANDEM_API void write_text_file(const std::string& path, std::string_view text);

}  // namespace tandem

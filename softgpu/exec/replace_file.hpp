// Files that the software GPU leaves behind: reports, findings, profiles.
#pragma once

#include <string>
#include <string_view>

namespace softgpu {

// Writes the text to a file of this name, which appears whole or not at all: it is written under a
// name that no file had, and renamed. A file that is there keeps its mode; a pipe or device is
// written directly. False where it could not be written.
[[nodiscard]] bool replace_file(const std::string& path, std::string_view text);

}  // namespace softgpu

// Whole-file input and output with messages that name the file.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "tandem/core/temporary_files.hpp"

namespace tandem {

// Throws InputError where the file is missing, a directory, or a symbolic link that leads nowhere
// or back to itself; SystemError where it cannot be read.
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path);
// As above, but once the first `prefix` bytes are there (fewer where the file is shorter: `limit`
// is then not called) limit(them) says how many bytes of the file are worth reading at most. It may
// throw, so that a file of the wrong kind is refused before it is read.
[[nodiscard]] std::vector<std::uint8_t> read_file(
    const std::string& path, std::size_t prefix,
    const std::function<std::size_t(std::span<const std::uint8_t>)>& limit);

// The file appears whole or not at all: writes "PATH.tmp-PID-N" beside it, flushes it to disk, then
// renames it. On any failure the temporary file is removed and SystemError names the path and the
// reason; InputError where the folder does not exist, or where the path is a symbolic link that
// leads nowhere or back to itself. An existing file keeps its mode, and its owner where this user
// may set it; a symbolic link stays one, and the file that it leads to is replaced. Temporary files
// of this path whose process is gone are removed first. A pipe or device is written directly.
void write_file(const std::string& path, std::span<const std::uint8_t> bytes);
void write_file(const std::string& path, std::string_view text);
// As above with the content written by `fill` piece by piece; for files too long to hold.
void write_file(const std::string& path, const std::function<void(std::ostream&)>& fill);

}  // namespace tandem

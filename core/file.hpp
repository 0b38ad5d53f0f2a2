// Whole-file input and output with messages that name the file.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

namespace tandem {

// Throws InputError where the file is missing or a directory, SystemError where it cannot be read.
[[nodiscard]] std::vector<std::uint8_t> read_file(const std::string& path);
// As above, but once the first `prefix` bytes are there (fewer where the file is shorter: `limit`
// is then not called) limit(them) says how many bytes of the file are worth reading at most. It may
// throw, so that a file of the wrong kind is refused before it is read.
[[nodiscard]] std::vector<std::uint8_t> read_file(
    const std::string& path, std::size_t prefix,
    const std::function<std::size_t(std::span<const std::uint8_t>)>& limit);

// The file appears whole or not at all: writes "PATH.tmp-PID" beside it, flushes it to disk, then
// renames it. On any failure the temporary file is removed and SystemError (InputError where the
// folder does not exist) names the path and the reason. A pipe or device is written directly.
void write_file(const std::string& path, std::span<const std::uint8_t> bytes);
void write_file(const std::string& path, std::string_view text);
// As above with the content written by `fill` piece by piece; for files too long to hold.
void write_file(const std::string& path, const std::function<void(std::ostream&)>& fill);

}  // namespace tandem

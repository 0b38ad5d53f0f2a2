// What a file of Tandem's is, by its first bytes.
#pragma once

#include <string>

#include "tandem/core/export.hpp"

namespace tandem {

// "model", "checkpoint", or what else write_archive() was told; empty where the file cannot be read
// or is not an archive. Of what is no regular file nothing is read: a pipe can be read only once.
[[nodiscard]] TANDEM_API std::string archive_kind(const std::string& path);

}  // namespace tandem

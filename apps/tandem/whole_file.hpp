// Small files that appear whole or not at all.
#pragma once

#include <string>

namespace tandem::program {

// Takes the place of a file that is there. Throws SystemError.
void write_whole(const std::string& path, const std::string& text);

}  // namespace tandem::program

// The data sets that come with the program.
#pragma once

#include <string>

namespace tandem::program {

// Their folder: `given`, unless it is empty; else data/ here, or beside the program's own build or
// installation. Throws InputError where it is in none of these places.
[[nodiscard]] std::string bundled_data(const std::string& given);

}  // namespace tandem::program

// Where a model is: a file, or the version in production of a name in a repository.
#pragma once

#include <string>

namespace tandem::recommend {

// The file of "FILE" or of "REPOSITORY/NAME", as it is now. Throws InputError where there is
// neither, where no version of the name is in production, and where its file is not as it was
// registered.
[[nodiscard]] std::string model_file(const std::string& place);

}  // namespace tandem::recommend

// All challenges, by the files in challenges/: course/CMakeLists.txt generates it.
#pragma once

#include <vector>

#include "course/challenge.hpp"

namespace tandem::course {

[[nodiscard]] std::vector<Challenge> make_challenges();

}  // namespace tandem::course

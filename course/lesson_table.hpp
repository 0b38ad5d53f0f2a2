// All lessons, by the files in lessons/: course/CMakeLists.txt generates it.
#pragma once

#include <vector>

#include "course/lesson.hpp"

namespace tandem::course {

[[nodiscard]] std::vector<Lesson> make_lessons();

}  // namespace tandem::course

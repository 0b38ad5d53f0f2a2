// A lesson's result as text, as JSON and as a page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "course/lesson.hpp"
#include "tandem/report/page.hpp"

namespace tandem::program {

[[nodiscard]] std::string lesson_text(const course::LessonResult& result);
[[nodiscard]] nlohmann::json lesson_json(const course::LessonResult& result);
[[nodiscard]] report::Page lesson_page(const course::LessonResult& result,
                                       const std::string& command);

}  // namespace tandem::program

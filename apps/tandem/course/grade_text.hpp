// Grades as text and as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "course/grade.hpp"

namespace tandem::program {

// "passed", "wrong values", ...
[[nodiscard]] std::string verdict_text(course::Verdict verdict);
[[nodiscard]] std::string grade_text(const course::Grade& grade);
[[nodiscard]] nlohmann::json grade_json(const course::Grade& grade);
// What kept the submission from this machine: {"files": true, "namespaces": true, "calls": true,
// "limits": true}.
[[nodiscard]] nlohmann::json confinement_json();

// The text of a submission. Throws InputError for what is no file, or too long for one.
[[nodiscard]] std::string read_submission(const std::string& path);
}  // namespace tandem::program

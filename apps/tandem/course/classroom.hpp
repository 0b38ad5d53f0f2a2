// A folder of submissions, graded into one table: DIR/STUDENT/CHALLENGE.cu, where CHALLENGE is a
// challenge's name with - or _.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "course/grade.hpp"
#include "tandem/report/page.hpp"

namespace tandem::program {

struct GradingSetup {
  course::Compiler compiler;
  course::Machine machine;
  std::optional<std::uint64_t> seed;
};

struct Student {
  std::string name;                   // of the folder
  std::vector<course::Grade> grades;  // by challenge
  [[nodiscard]] int passed() const;
  [[nodiscard]] double points() const;  // the sum of scores
};

struct Classroom {
  std::string folder;
  std::uint64_t seed = 0;               // the same for all
  std::vector<std::string> challenges;  // that somebody has submitted
  std::vector<Student> students;        // by name
  std::vector<std::string> left_out;    // files that belong to no challenge, with the reason
};

// Grades everything, with progress on a terminal. Throws InputError where the folder has no
// submission, Interrupted.
[[nodiscard]] Classroom grade_classroom(const std::string& folder, GradingSetup setup);

[[nodiscard]] std::string classroom_text(const Classroom& room);
[[nodiscard]] nlohmann::json classroom_json(const Classroom& room);
[[nodiscard]] report::Page classroom_page(const Classroom& room, const std::string& command);

}  // namespace tandem::program

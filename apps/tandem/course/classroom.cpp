#include "tandem/course/classroom.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "common/text.hpp"
#include "course/challenge.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/course/grade_text.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using course::Challenge;
using course::Grade;
using course::Verdict;

struct Found {
  std::string student;
  const Challenge* challenge = nullptr;
  fs::path file;
};

const Challenge* challenge_of(std::string stem) {
  std::ranges::replace(stem, '_', '-');
  for (const Challenge& challenge : course::challenges()) {
    if (challenge.name == stem) return &challenge;
  }
  return nullptr;
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> all;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    all.push_back(at->path());
  }
  if (error) throw InputError(folder.string() + ": cannot be read: " + error.message());
  std::ranges::sort(all);
  return all;
}

std::vector<Found> find_submissions(const fs::path& folder, Classroom& room) {
  std::vector<Found> found;
  std::set<std::pair<std::string, std::string>> taken;
  for (const fs::path& student : sorted_entries(folder)) {
    const std::string name = student.filename().string();
    if (name.starts_with('.')) continue;
    std::error_code error;
    if (!fs::is_directory(student, error)) {
      if (student.extension() == ".cu") {
        room.left_out.push_back(name + ": lies in no student's folder");
      }
      continue;
    }
    bool any = false;
    for (const fs::path& file : sorted_entries(student)) {
      if (file.extension() != ".cu") continue;
      const std::string shown = name + "/" + file.filename().string();
      const Challenge* challenge = challenge_of(file.stem().string());
      if (challenge == nullptr) {
        room.left_out.push_back(shown + ": is called like no challenge");
      } else if (!taken.emplace(name, challenge->name).second) {
        room.left_out.push_back(shown + ": a second file for " + challenge->name);
      } else {
        found.push_back({name, challenge, file});
        any = true;
      }
    }
    if (!any) room.left_out.push_back(name + ": has no submission");
  }
  return found;
}

void show_progress(std::size_t done, std::size_t all, const std::string& what) {
  if (::isatty(STDERR_FILENO) == 0) return;
  (void)std::fprintf(stderr, "\r\033[K%zu of %zu: %s", done, all, what.c_str());
  if (done == all) (void)std::fprintf(stderr, "\r\033[K");
  (void)std::fflush(stderr);
}

const Grade* grade_of(const Student& student, const std::string& challenge) {
  for (const Grade& grade : student.grades) {
    if (grade.challenge == challenge) return &grade;
  }
  return nullptr;
}

// "87.5", or why not.
std::string cell(const Student& student, const std::string& challenge) {
  const Grade* grade = grade_of(student, challenge);
  if (grade == nullptr) return "-";
  return grade->verdict == Verdict::passed ? significant(grade->score, 3)
                                           : course::name_of(grade->verdict);
}

std::vector<std::vector<std::string>> table_of(const Classroom& room) {
  std::vector<std::vector<std::string>> rows{{"student"}};
  for (const std::string& challenge : room.challenges) rows[0].push_back(challenge);
  rows[0].insert(rows[0].end(), {"passed", "points"});
  for (const Student& student : room.students) {
    rows.push_back({student.name});
    for (const std::string& challenge : room.challenges) {
      rows.back().push_back(cell(student, challenge));
    }
    rows.back().push_back(std::to_string(student.passed()));
    rows.back().push_back(significant(student.points(), 4));
  }
  return rows;
}

// What was wrong, for each grade that is none.
std::vector<std::string> remarks(const Student& student) {
  std::vector<std::string> all;
  for (const Grade& grade : student.grades) {
    if (grade.verdict == Verdict::passed) continue;
    // Of a compiler's messages the first.
    std::string text = grade.challenge + ": " + verdict_text(grade.verdict) + ": " +
                       grade.reason.substr(0, grade.reason.find('\n'));
    if (!grade.at.empty()) text += " (" + grade.at + ")";
    if (!grade.place.empty()) text += ", at " + grade.place;
    all.push_back(text);
  }
  return all;
}

}  // namespace

int Student::passed() const {
  return static_cast<int>(std::ranges::count(grades, Verdict::passed, &Grade::verdict));
}
double Student::points() const {
  double sum = 0;
  for (const Grade& grade : grades) sum += grade.score;
  return sum;
}

Classroom grade_classroom(const std::string& folder, GradingSetup setup) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw InputError(folder + ": no such folder; expected one with STUDENT/CHALLENGE.cu in it");
  }
  Classroom room;
  room.folder = folder;
  const std::vector<Found> found = find_submissions(folder, room);
  if (found.empty()) {
    throw InputError(folder + ": has no submission; expected STUDENT/CHALLENGE.cu in it, such as " +
                     "ada/vector_add.cu" +
                     (room.left_out.empty() ? "" : " (" + few_of(room.left_out) + ")"));
  }
  // All get the same inputs.
  if (!setup.seed.has_value()) {
    std::random_device device;
    setup.seed = ((std::uint64_t{device()} << 32U) | device()) & ((std::uint64_t{1} << 53U) - 1);
  }
  room.seed = *setup.seed;
  std::set<std::string> submitted;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Found& one = found[i];
    check_interrupt();
    show_progress(i, found.size(), one.student + ", " + one.challenge->name);
    if (room.students.empty() || room.students.back().name != one.student) {
      room.students.push_back({one.student, {}});
    }
    Grade grade;
    try {
      grade = course::grade_source(*one.challenge, read_submission(one.file.string()),
                                   one.file.filename().string(), setup.seed, setup.compiler,
                                   setup.machine);
    } catch (const InputError& failed) {  // of the file
      grade.challenge = one.challenge->name;
      grade.submission = one.file.filename().string();
      grade.verdict = Verdict::not_compiled;
      grade.reason = failed.what();
    }
    grade.seed = room.seed;
    room.students.back().grades.push_back(std::move(grade));
    submitted.insert(one.challenge->name);
  }
  show_progress(found.size(), found.size(), "");
  for (const Challenge& challenge : course::challenges()) {
    if (submitted.contains(challenge.name)) room.challenges.push_back(challenge.name);
  }
  return room;
}

std::string classroom_text(const Classroom& room) {
  std::string text = table(table_of(room));
  const std::size_t width = terminal_width();
  for (const Student& student : room.students) {
    const std::vector<std::string> all = remarks(student);
    if (all.empty()) continue;
    text += "\n" + student.name + "\n";
    for (const std::string& one : all) text += wrapped("  " + one, width, 4);
  }
  if (!room.left_out.empty()) {
    text += "\nleft out\n";
    for (const std::string& one : room.left_out) text += wrapped("  " + one, width, 4);
  }
  return text + "\nseed " + std::to_string(room.seed) + ": --seed repeats these grades\n";
}

nlohmann::json classroom_json(const Classroom& room) {
  nlohmann::json json{{"folder", room.folder},
                      {"seed", room.seed},
                      {"challenges", room.challenges},
                      {"left_out", room.left_out},
                      {"students", nlohmann::json::array()}};
  for (const Student& student : room.students) {
    nlohmann::json grades = nlohmann::json::array();
    for (const Grade& grade : student.grades) grades.push_back(grade_json(grade));
    json["students"].push_back({{"name", student.name},
                                {"passed", student.passed()},
                                {"points", student.points()},
                                {"grades", grades}});
  }
  return json;
}

report::Page classroom_page(const Classroom& room, const std::string& command) {
  report::Page page("Grades",
                    counted(static_cast<std::int64_t>(room.students.size()), "student") + ", " +
                        counted(static_cast<std::int64_t>(room.challenges.size()), "challenge"));
  page.section("1", "Scores");
  page.paragraph(
      "A number is a score of at most 100: the least that the work can cost over what the kernel "
      "cost, both counted and not measured, so that it does not depend on the machine. A word is "
      "why a submission did not pass.");
  page.table(table_of(room));
  page.command(command);
  page.section("2", "What was wrong");
  bool any = false;
  for (const Student& student : room.students) {
    std::vector<std::vector<std::string>> rows{{"challenge", "verdict", "reason", "line"}};
    for (const Grade& grade : student.grades) {
      if (grade.verdict == Verdict::passed) continue;
      rows.push_back(
          {grade.challenge, verdict_text(grade.verdict),
           shortened(grade.reason, 400) + (grade.at.empty() ? "" : " (" + grade.at + ")"),
           grade.place});
    }
    if (rows.size() == 1) continue;
    any = true;
    std::string html = "<h3>" + report::escape(student.name) + "</h3><ul>";
    for (std::size_t i = 1; i < rows.size(); ++i) {
      html += "<li><b>" + report::escape(rows[i][0]) + "</b>, " + report::escape(rows[i][1]) +
              ": " + report::escape(rows[i][2]) +
              (rows[i][3].empty() ? "" : ", at <code>" + report::escape(rows[i][3]) + "</code>") +
              "</li>";
    }
    page.html(html + "</ul>\n");
  }
  if (!any) page.paragraph("Nothing: all submissions passed.");
  if (!room.left_out.empty()) {
    page.section("3", "Left out");
    for (const std::string& one : room.left_out) page.paragraph(one);
  }
  page.footer("tandem challenge classroom, seed " + std::to_string(room.seed));
  return page;
}

}  // namespace tandem::program

// tandem lesson: a ladder of kernels, checked, counted and compared with the CPU.
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "course/lesson.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/course/lesson_text.hpp"
#include "tandem/nvcc.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

class LessonCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    std::vector<std::string> known;
    for (const course::Lesson& lesson : course::lessons()) known.push_back(lesson.name);
    options.positionals("NAME", names_, "the lesson; without one, they are listed", known);
    options.flag("source", source_, "print the kernels instead of running them");
    options.flag("no_sizes", no_sizes_, "leave out the other sizes, which tell who is faster when");
    options.flag(
        "trusted", trusted_,
        "also where this system cannot confine processes: a lesson's kernels are Tandem's");
    options.written("page", page_, "write the lesson as a page", "FILE");
    options.flag("json", json_, "print the result as JSON");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& options) override {
    if (names_.empty()) return list(options);
    if (names_.size() > 1) throw InputError("expected one lesson: tandem lesson NAME");
    const course::Lesson& lesson = course::find_lesson(names_.front());
    if (source_) {
      for (const char* other : {"no_sizes", "page", "json", "trusted"}) {
        if (options.given(other)) {
          throw InputError(option("source") + " runs nothing; " + option(other) +
                           " is for running the lesson");
        }
      }
      print(lesson.source);
      return 0;
    }
    OutputFiles files;
    files.writes(option("page"), page_.path, "a page of a lesson", a_page());
    files.check(force_);
    course::Compiler compiler;
    compiler.nvcc = find_nvcc();
    compiler.weakly = trusted_;
    compiler.stopped = [] { return interrupted(); };
    course::Machine machine;
    machine.software_gpu = software_gpu::folder();
    machine.weakly = trusted_;
    machine.seconds = 300;
    machine.stopped = compiler.stopped;
    course::LessonOptions how;
    how.scales = !no_sizes_;
    const bool terminal = ::isatty(STDERR_FILENO) != 0;
    how.progress = [terminal](const std::string& what) {
      check_interrupt();
      if (!terminal) return;
      (void)std::fprintf(stderr, "\r\033[K%s", what.c_str());
      (void)std::fflush(stderr);
    };
    const course::LessonResult result = course::run_lesson(lesson, compiler, machine, how);
    if (terminal) (void)std::fprintf(stderr, "\r\033[K");
    if (!page_.path.empty()) {
      lesson_page(result, "tandem lesson " + options.arguments()).write(page_.path);
    }
    if (json_) {
      print_json(lesson_json(result));
    } else {
      print(lesson_text(result) + (page_.path.empty() ? "" : "\npage: " + page_.path + "\n"));
    }
    return 0;
  }

 private:
  [[nodiscard]] int list(const OptionSet& options) const {
    for (const char* other : {"source", "no_sizes", "page", "trusted"}) {
      if (options.given(other)) {
        throw InputError(option(other) + " is for a lesson: tandem lesson NAME");
      }
    }
    if (json_) {
      nlohmann::json all = nlohmann::json::array();
      for (const course::Lesson& lesson : course::lessons()) {
        all.push_back({{"name", lesson.name}, {"title", lesson.title}});
      }
      print_json({{"lessons", all}});
      return 0;
    }
    std::string text;
    constexpr std::size_t column = 22;
    for (const course::Lesson& lesson : course::lessons()) {
      text += definition(lesson.name, lesson.title, terminal_width(), column);
    }
    print(text);
    return 0;
  }

  std::vector<std::string> names_;
  FileName page_;
  bool source_ = false;
  bool no_sizes_ = false;
  bool trusted_ = false;
  bool json_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_lesson(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<LessonCommand>();
}

}  // namespace tandem::program

// tandem challenge: kernels to write, and their grades.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "course/challenge.hpp"
#include "course/confine.hpp"
#include "course/grade.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/core/text_file.hpp"
#include "tandem/course/classroom.hpp"
#include "tandem/course/grade_text.hpp"
#include "tandem/nvcc.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using course::Challenge;
using course::Grade;
using course::Verdict;

class ChallengeCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("ACTION", action_,
                       "list; show the statement of one; start one, which writes a file to begin "
                       "with; submit a file, which grades it; or classroom, which grades a folder "
                       "with a folder for each student",
                       {"list", "show", "start", "submit", "classroom"});
    std::vector<std::string> known;
    for (const Challenge& challenge : course::challenges()) known.push_back(challenge.name);
    options.positionals("NAME", words_,
                        "the challenge; submit: and the file; classroom: the folder", known, true);
    options.written("out", out_, "start: the file that is written, NAME.cu unless given", "FILE");
    options.integer("seed", seed_,
                    "submit, classroom: draw sizes and values by this number, which a grade names, "
                    "instead of a fresh one",
                    0, (std::int64_t{1} << 53) - 1);
    options.real(
        "time_limit", time_limit_,
        "submit, classroom: seconds of processor time that one run of the kernels may take", 1,
        3600);
    options.flag("trusted", trusted_,
                 "submit, classroom: grade also where this system cannot keep submissions from "
                 "reading files");
    options.written("page", page_, "classroom: write the table as a page", "FILE");
    options.flag("json", json_, "print the result as JSON");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& options) override {
    require_options_of_action(options);
    if (action_ == "list") return list();
    if (action_ == "show") return show();
    if (action_ == "start") return start();
    if (action_ == "submit") return submit(options);
    if (action_ == "classroom") return classroom(options);
    throw InputError("unknown action '" + action_ +
                     "'; expected tandem challenge list, show, start, submit or classroom");
  }

 private:
  void require_options_of_action(const OptionSet& options) const {
    const auto only_for = [&](const char* name, std::initializer_list<std::string_view> actions) {
      if (options.given(name) && std::ranges::find(actions, action_) == actions.end()) {
        throw InputError(option(name) + " is for tandem challenge " +
                         joined(std::vector<std::string>(actions.begin(), actions.end()), " and "));
      }
    };
    only_for("out", {"start"});
    only_for("force", {"start", "classroom"});
    only_for("page", {"classroom"});
    only_for("seed", {"submit", "classroom"});
    only_for("time_limit", {"submit", "classroom"});
    only_for("trusted", {"submit", "classroom"});
  }
  void require_words(std::size_t count, const std::string& usage) const {
    if (words_.size() != count) throw InputError("expected tandem challenge " + usage);
  }

  [[nodiscard]] int list() const {
    require_words(0, "list");
    if (json_) {
      nlohmann::json all = nlohmann::json::array();
      for (const Challenge& challenge : course::challenges()) {
        all.push_back({{"name", challenge.name},
                       {"title", challenge.title},
                       {"level", challenge.level},
                       {"signature", challenge.signature}});
      }
      print_json({{"action", "list"}, {"challenges", all}});
      return 0;
    }
    std::string text;
    int level = 0;
    constexpr std::size_t column = 26;
    for (const Challenge& challenge : course::challenges()) {
      if (challenge.level != level) {
        level = challenge.level;
        text += (text.empty() ? "Level " : "\nLevel ") + std::to_string(level) + "\n";
      }
      text += definition(challenge.name, challenge.title, terminal_width(), column);
    }
    print(text + "\ntandem challenge show NAME tells of one, and start NAME begins it.\n");
    return 0;
  }

  [[nodiscard]] int show() const {
    require_words(1, "show NAME");
    const Challenge& challenge = course::find_challenge(words_[0]);
    if (json_) {
      print_json({{"action", "show"},
                  {"name", challenge.name},
                  {"title", challenge.title},
                  {"level", challenge.level},
                  {"signature", challenge.signature},
                  {"statement", challenge.statement},
                  {"starter", challenge.starter},
                  {"scored", challenge.scored},
                  {"floor", course::cost_of(challenge.floor(challenge.scored))}});
      return 0;
    }
    const std::size_t width = terminal_width();
    std::string text = challenge.title + " (" + challenge.name + ", level " +
                       std::to_string(challenge.level) + ")\n\n" + challenge.statement + "\n";
    text = wrapped(text, width);
    while (text.ends_with("\n\n")) text.pop_back();
    text += "\nArguments of every kernel:\n  " + challenge.signature + "\n";
    text += "\nSizes for launch lines: " + sizes_of(challenge) + ".\nThe cost is counted at " +
            course::text_of(challenge.scored) + "; nobody can do it for less than " +
            readable(course::cost_of(challenge.floor(challenge.scored))) + ".\n\nBegin with:\n\n" +
            challenge.starter;
    print(text);
    return 0;
  }

  [[nodiscard]] static std::string sizes_of(const Challenge& challenge) {
    std::vector<std::string> names;
    for (const auto& size : challenge.scored) names.push_back(size.first);
    return joined(names);
  }

  [[nodiscard]] int start() const {
    require_words(1, "start NAME");
    const Challenge& challenge = course::find_challenge(words_[0]);
    std::string path = out_.path;
    if (path.empty()) {
      path = challenge.name + ".cu";
      std::ranges::replace(path, '-', '_');
    }
    OutputFiles files;
    files.writes(option("out"), path, "a file to begin with", nothing());
    files.check(force_);
    write_text_file(path, challenge.starter);
    if (json_) {
      print_json({{"action", "start"}, {"name", challenge.name}, {"out", path}});
    } else {
      print(path + ": " + challenge.title +
            "\n\nWrite the kernel, then\n  tandem challenge submit " + challenge.name + " " +
            quoted_for_shell(path) + "\n");
    }
    return 0;
  }

  [[nodiscard]] GradingSetup setup(const OptionSet& options) const {
    GradingSetup setup;
    setup.compiler.nvcc = find_nvcc();
    setup.compiler.weakly = trusted_;
    setup.compiler.stopped = [] { return interrupted(); };
    setup.machine.software_gpu = software_gpu::folder();
    setup.machine.weakly = trusted_;
    setup.machine.seconds = time_limit_;
    setup.machine.stopped = setup.compiler.stopped;
    if (options.given("seed")) setup.seed = static_cast<std::uint64_t>(seed_);
    return setup;
  }

  [[nodiscard]] int submit(const OptionSet& options) const {
    require_words(2, "submit NAME FILE.cu");
    const Challenge& challenge = course::find_challenge(words_[0]);
    const std::string source = read_submission(words_[1]);
    const GradingSetup with = setup(options);
    const Grade grade =
        course::grade_source(challenge, source, fs::path(words_[1]).filename().string(), with.seed,
                             with.compiler, with.machine);
    if (json_) {
      nlohmann::json json = grade_json(grade);
      json["action"] = "submit";
      json["confined"] = confinement_json();
      print_json(json);
    } else {
      print(grade_text(grade));
    }
    return grade.verdict == Verdict::passed ? 0 : 1;
  }

  [[nodiscard]] int classroom(const OptionSet& options) const {
    require_words(1, "classroom DIR");
    OutputFiles files;
    files.writes(option("page"), page_.path, "a page with grades", a_page());
    files.check(force_);
    const Classroom room = grade_classroom(words_[0], setup(options));
    if (!page_.path.empty()) {
      classroom_page(room, "tandem challenge " + options.arguments()).write(page_.path);
    }
    if (json_) {
      nlohmann::json json = classroom_json(room);
      json["action"] = "classroom";
      json["confined"] = confinement_json();
      print_json(json);
    } else {
      print(classroom_text(room) + (page_.path.empty() ? "" : "\npage: " + page_.path + "\n"));
    }
    return 0;
  }

  std::string action_;
  std::vector<std::string> words_;
  FileName out_;
  FileName page_;
  std::int64_t seed_ = 0;
  double time_limit_ = 60;
  bool trusted_ = false;
  bool json_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_challenge(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<ChallengeCommand>();
}

}  // namespace tandem::program

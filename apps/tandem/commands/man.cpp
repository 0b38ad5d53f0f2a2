// tandem man: manual pages, from the same descriptions as the help pages. `tandem.1` is the
// program's, `tandem-train.1` a command's, `tandem-train-kmeans.1` that of a command with an
// algorithm.
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "tandem/command.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text_file.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

// Text as roff takes it: backslashes and dashes are told apart from its own, and no line begins
// with a character that it would obey.
std::string roff(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if (c == '\n') {
      result += "\n.br\n";
    } else {
      if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) result += "\\&";
      result += c;
    }
  }
  return result;
}

std::string head(const std::string& name, std::string_view summary) {
  std::string title;
  for (const char c : name) title += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return ".TH \"" + title +
         "\" 1 \"\" \"Tandem " TANDEM_VERSION "\" \"User commands\"\n.SH NAME\n" + roff(name) +
         " \\- " + roff(summary) + "\n";
}

std::string exit_status() {
  return ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage or input, 130 interrupted.\n";
}

std::string page_of_program() {
  std::string text =
      head("tandem", "machine learning with every algorithm written twice, for CPU and for CUDA");
  text += ".SH SYNOPSIS\n.B tandem\n.I COMMAND\n[arguments]\n.SH COMMANDS\n";
  for (const CommandInfo& info : commands()) {
    text += ".TP\n.B " + roff(info.name) + "\n" + roff(info.summary) + ": see " +
            roff("tandem-" + std::string(info.name)) + "(1)\n";
  }
  text += ".SH ALGORITHMS\n";
  for (const auto& name : algorithm_names()) {
    text += ".TP\n.B " + roff(name) + "\n" + roff(make_algorithm(name)->summary()) + "\n";
  }
  return text + exit_status();
}

std::string page_of(const CommandInfo& info, const std::string& algorithm) {
  const PreparedCommand prepared =
      prepare(info, algorithm.empty() ? nullptr : make_algorithm(algorithm));
  std::string name = "tandem-" + std::string(info.name);
  std::string summary(info.summary);
  if (!algorithm.empty()) {
    name += "-" + algorithm;
    summary += ", by " + algorithm;
  }
  std::string text = head(name, summary);
  text += ".SH SYNOPSIS\n" + roff(prepared.options->usage()) + "\n.SH DESCRIPTION\n" +
          roff(prepared.options->title()) + "\n.SH OPTIONS\n";
  std::string group;
  for (const OptionText& option : prepared.options->descriptions()) {
    if (option.group != group) text += ".SS " + roff(option.group) + "\n";
    group = option.group;
    text += ".TP\n.B " + roff(option.name) + "\n";
    if (!option.type.empty()) {
      text.pop_back();
      text += " " + roff(option.type) + "\n";
    }
    text += roff(option.help) + "\n";
  }
  return text + exit_status() + ".SH SEE ALSO\ntandem(1)\n";
}

// A command that takes an algorithm, without one: the list of pages.
std::string list_of(const CommandInfo& info) {
  const std::string name = "tandem-" + std::string(info.name);
  std::string text = head(name, info.summary) + ".SH SYNOPSIS\n" +
                     roff("tandem " + std::string(info.name) + " " + std::string(info.arguments)) +
                     "\n.SH SEE ALSO\n";
  for (const auto& algorithm : algorithms_of(info)) {
    text += roff(name + "-" + algorithm) + "(1)\n.br\n";
  }
  return text + exit_status();
}

// All pages, by the names of their files.
std::map<std::string, std::string> all_pages() {
  std::map<std::string, std::string> pages{{"tandem.1", page_of_program()}};
  for (const CommandInfo& info : commands()) {
    const std::string stem = "tandem-" + std::string(info.name);
    pages[stem + ".1"] = info.takes_algorithm ? list_of(info) : page_of(info, "");
    if (!info.takes_algorithm) continue;
    for (const auto& algorithm : algorithms_of(info)) {
      pages[stem + "-" + algorithm + ".1"] = page_of(info, algorithm);
    }
  }
  return pages;
}

class Man final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.written("out", out_, "the folder of the pages, such as ~/.local/share/man/man1", "DIR");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& /*options*/) override {
    if (out_.path.empty()) {
      print(page_of_program());
      return 0;
    }
    const fs::path folder(out_.path);
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) throw SystemError(folder.string() + " cannot be made: " + failed.message());
    const std::map<std::string, std::string> pages = all_pages();
    OutputFiles files;
    for (const auto& [name, text] : pages) {
      files.writes(option("out"), (folder / name).string(), "a manual page of Tandem",
                   a_manual_page());
    }
    files.check(force_);
    for (const auto& [name, text] : pages) write_text_file((folder / name).string(), text);
    return 0;
  }

 private:
  FileName out_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_man(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Man>();
}

}  // namespace tandem::program

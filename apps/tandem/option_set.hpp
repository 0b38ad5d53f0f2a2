// The options of one command, on top of CLI11. Algorithms and the program's own settings describe
// their options to it as to any OptionVisitor, so that checks, messages and help pages are the same
// for all. Options are shown with dashes ("--max-depth") and accepted by every name that they have,
// with "-" or "_".
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/options.hpp"

namespace tandem::program {

// How options are spelled on a command line: canonical name → what is shown, without the dashes.
// A name that it does not know is spelled by the rule: dashes between words.
class Spelling {
 public:
  void add(const OptionName& name);
  // "--max-depth"
  [[nodiscard]] std::string operator()(std::string_view canonical_name) const;

 private:
  std::map<std::string, std::string, std::less<>> shown_;
};

// The text as one word of a shell's command line: in quotes where it needs them.
[[nodiscard]] std::string quoted_for_shell(std::string_view text);

// A value with syntax "FILE" on the command line.
struct FileName {
  std::string path;  // empty: none was given

  // Throws InputError where the name is empty: a variable of the shell that holds nothing.
  [[nodiscard]] static FileName parse(std::string_view text);
  [[nodiscard]] const std::string& to_string() const noexcept { return path; }
};

// Words separated by commas.
struct Words {
  std::vector<std::string> list;

  [[nodiscard]] static Words parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// An option as help pages, manual pages and shell completion describe it.
struct OptionText {
  std::string group;
  std::string name;  // "--max-depth"; of a positional argument "MODEL"
  std::string type;  // "N", "FILE", "yes|no"; empty for a flag and a positional argument
  std::string help;  // one clause, with the default in parentheses
  bool positional = false;
  bool takes_value = false;
  bool repeats = false;              // positional: any number of words
  bool or_files = false;             // names of files beside the choices
  std::vector<std::string> choices;  // the words that it takes, where these are all
};

class OptionSet final : public OptionVisitor {
 public:
  // `help_topic` is what follows `tandem help` for the help page of these options; messages name
  // it.
  OptionSet(std::string title, std::string usage, std::string help_topic = {});

  // The heading of the options that follow.
  void group(std::string heading) { group_ = std::move(heading); }

  void integer(const OptionName& name, std::int64_t& value, std::string_view help,
               std::int64_t lowest, std::int64_t highest) override;
  void real(const OptionName& name, double& value, std::string_view help, double lowest,
            double highest) override;
  void flag(const OptionName& name, bool& value, std::string_view help) override;
  void integers(const OptionName& name, std::vector<std::int64_t>& value, std::string_view help,
                std::int64_t lowest, std::int64_t highest) override;
  void reals(const OptionName& name, std::vector<double>& value, std::string_view help,
             double lowest, double highest) override;
  void text(const OptionName& name, std::string& value, std::string_view help) override;
  void choice_ref(const OptionName& name, ChoiceRef value, std::string_view help) override;
  void written_ref(const OptionName& name, WrittenRef value, std::string_view help,
                   std::string_view syntax) override;
  // A command has one option --seed; its value goes to everything that has asked for one.
  void seed(std::uint64_t& value) override;

  // What algorithms do not have.
  // `choices`, where given, are the words that it takes: for completion, the command checks them.
  void positional(std::string_view name, std::string& value, std::string_view help,
                  std::vector<std::string> choices = {});
  // Any number of arguments without a dash, none included. With `or_files`, completion offers files
  // beside the choices.
  void positionals(std::string_view name, std::vector<std::string>& values, std::string_view help,
                   std::vector<std::string> choices = {}, bool or_files = false);
  // The same for a command and an algorithm.
  void topics(std::vector<std::string>& values);
  // The command line of another program: all that follows "--", whatever it looks like, or, where
  // there is no "--", all from the first argument that is neither an option nor a positional one.
  // All that follows the first argument `open`, where given, is it too.
  void rest(std::vector<std::string>& values, std::string open = {});

  // How messages spell an option that the command has no such option for: as the one whose value
  // decides it.
  void spell(const OptionName& name) { spelling_.add(name); }
  // Throws InputError that names the option, and for an unknown one the nearest known.
  void parse(const std::vector<std::string>& arguments);
  // True where the option of this canonical name was given; valid after parse().
  [[nodiscard]] bool given(std::string_view name) const;
  // The arguments as parsed, quoted for a shell where they need it, but for the options that have
  // one of these canonical names.
  [[nodiscard]] std::string arguments(const std::vector<std::string>& without = {}) const;
  // Lines of at most `width` columns.
  [[nodiscard]] std::string help(std::size_t width) const;
  [[nodiscard]] std::vector<OptionText> descriptions() const;
  [[nodiscard]] const std::string& title() const noexcept { return title_; }
  [[nodiscard]] const std::string& usage() const noexcept { return usage_; }
  [[nodiscard]] const Spelling& spelling() const noexcept { return spelling_; }

 private:
  // `declare` describes the option to another visitor, which reads its value.
  CLI::Option* add(const OptionName& name, std::string_view help, std::string type,
                   std::string standard, VisitOptions declare);
  [[nodiscard]] std::string with_dashes(const std::string& argument) const;
  // The argument without a name that `name` ("--model") would be if it were an option (MODEL); null
  // where there is none.
  [[nodiscard]] const CLI::Option* positional_called(const std::string& name) const;
  // Says that options behind the other program, `all`'s first word, go to it, where one of them
  // might have been meant for tandem.
  void say_what_goes_on(const std::vector<std::string>& all) const;
  // Where the options are explained, as the end of a message: a command that can be typed.
  [[nodiscard]] std::string see_help() const;

  CLI::App app_;
  std::string title_;
  std::string usage_;
  std::string help_topic_;
  std::string group_ = "Options";
  Spelling spelling_;
  std::map<std::string, std::vector<std::string>, std::less<>> choices_;  // "--scale" → its words
  std::vector<std::string> files_too_;  // positional arguments that name files beside their choices
  std::vector<std::string> required_;
  std::vector<std::string> arguments_;
  std::vector<std::string>* rest_ = nullptr;
  std::string rest_after_;  // the first argument that all others are the rest of
  std::vector<std::uint64_t*> seeds_;
};

}  // namespace tandem::program

// The options of one command, on top of CLI11. An algorithm describes its options to it as to any
// OptionVisitor; the program's own options are described in the same words, so that checks,
// messages and help pages are the same for all.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/model/algorithm.hpp"

namespace tandem::program {

class OptionSet final : public OptionVisitor {
 public:
  OptionSet(std::string title, std::string usage);

  // The heading of the options that follow.
  void group(std::string heading) { group_ = std::move(heading); }

  void integer(std::string_view name, std::int64_t& value, std::string_view help,
               std::int64_t lowest, std::int64_t highest) override;
  void real(std::string_view name, double& value, std::string_view help, double lowest,
            double highest) override;
  void flag(std::string_view name, bool& value, std::string_view help) override;
  void choice(std::string_view name, std::string& value, std::string_view help,
              std::span<const std::string_view> choices) override;
  void integers(std::string_view name, std::vector<std::int64_t>& value, std::string_view help,
                std::int64_t lowest, std::int64_t highest) override;
  void reals(std::string_view name, std::vector<double>& value, std::string_view help,
             double lowest, double highest) override;
  void text(std::string_view name, std::string& value, std::string_view help) override;

  // What algorithms do not need. `type` is the word for the value in help pages.
  void file(std::string_view name, std::string& value, std::string_view help);
  void words(std::string_view name, std::vector<std::string>& value, std::string_view help,
             std::string_view type);
  void real(std::string_view name, std::optional<double>& value, std::string_view help,
            double lowest, double highest);
  void positional(std::string_view name, std::string& value, std::string_view help);
  // Any number of arguments without a dash, none included.
  void positionals(std::string_view name, std::vector<std::string>& values, std::string_view help);
  // The same for a command and an algorithm.
  void topics(std::vector<std::string>& values);
  // All that follows "--", whatever it looks like: the command line of another program.
  void rest(std::vector<std::string>& values) { rest_ = &values; }

  // Throws InputError that names the option, and for an unknown one the nearest known.
  void parse(const std::vector<std::string>& arguments);
  // Whether the option was given; valid after parse().
  [[nodiscard]] bool given(std::string_view name) const;
  // The arguments as parsed, quoted for a shell where they need it.
  [[nodiscard]] std::string arguments() const;
  [[nodiscard]] std::string help() const;

 private:
  template <class Read>
  CLI::Option* add(std::string_view name, std::string_view help, std::string type,
                   std::string standard, Read&& read);

  CLI::App app_;
  std::string title_;
  std::string usage_;
  std::string group_ = "Options";
  std::vector<std::string> required_;
  std::vector<std::string> arguments_;
  std::vector<std::string>* rest_ = nullptr;
};

// One of `candidates` that `word` is probably meant to be, or nothing.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word,
                                                 const std::vector<std::string>& candidates);

// Shortest text that reads back to the same number.
[[nodiscard]] std::string shortest(double value);

[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);

}  // namespace tandem::program

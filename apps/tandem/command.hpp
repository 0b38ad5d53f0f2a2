// A subcommand of the program. One file each in commands/; the table is in command.cpp.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/model/algorithm.hpp"
#include "tandem/option_set.hpp"

namespace tandem::program {

class Command {
 public:
  virtual ~Command() = default;
  virtual void add_options(OptionSet& options) = 0;
  // After the options are parsed. Returns the exit status; throws what main() turns into one.
  virtual int run(const OptionSet& options) = 0;
};

struct CommandInfo {
  std::string_view name;
  std::string_view arguments;  // "ALGORITHM --data FILE [options]"
  std::string_view summary;    // one sentence without a full stop
  bool takes_algorithm;        // its first argument is the name of one
  // `algorithm` is null unless takes_algorithm.
  std::unique_ptr<Command> (*make)(std::unique_ptr<Algorithm> algorithm);
};

[[nodiscard]] const std::vector<CommandInfo>& commands();
// Throws InputError with the nearest name.
[[nodiscard]] const CommandInfo& find_command(std::string_view name);

// The command and its options, ready to parse.
struct PreparedCommand {
  std::unique_ptr<Command> command;
  std::unique_ptr<OptionSet> options;
};
[[nodiscard]] PreparedCommand prepare(const CommandInfo& info,
                                      std::unique_ptr<Algorithm> algorithm);
// Throws InputError with the nearest name.
[[nodiscard]] std::unique_ptr<Algorithm> find_algorithm(const std::string& name);

// The names of the algorithms that the command takes.
[[nodiscard]] std::vector<std::string> algorithms_of(const CommandInfo& info);

// How the options of an algorithm are spelled on the command line.
[[nodiscard]] Spelling spelling_of(Algorithm& algorithm);

// The text that `tandem` alone, and `tandem help`, prints.
[[nodiscard]] std::string overview();

using CommandMaker = std::unique_ptr<Command>(std::unique_ptr<Algorithm>);
CommandMaker make_look, make_train, make_evaluate, make_predict, make_inspect, make_explain,
    make_import, make_export, make_cross_validate, make_learning_curve, make_tune, make_prune,
    make_select, make_compare, make_generate, make_agree, make_devices, make_gpu, make_demo,
    make_completion, make_man, make_help;

}  // namespace tandem::program

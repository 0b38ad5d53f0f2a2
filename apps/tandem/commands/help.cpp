// tandem help
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

class Help final : public Command {
 public:
  void add_options(OptionSet& options) override { options.topics(topics_); }

  int run(const OptionSet& /*options*/) override {
    print(text());
    return 0;
  }

 private:
  [[nodiscard]] std::string text() const {
    if (topics_.empty()) return overview();
    const auto& names = algorithm_names();
    const auto is_algorithm = [&](const std::string& word) {
      return std::find(names.begin(), names.end(), word) != names.end();
    };
    if (is_algorithm(topics_[0])) {
      return prepare(find_command("train"), make_algorithm(topics_[0]))
          .options->help(terminal_width());
    }
    const CommandInfo& info = find_command(topics_[0]);
    if (!info.takes_algorithm) return prepare(info, nullptr).options->help(terminal_width());
    if (topics_.size() > 1)
      return prepare(info, find_algorithm(topics_[1])).options->help(terminal_width());
    const std::size_t width = terminal_width();
    const std::string command = "tandem " + std::string(info.name);
    std::string text = wrapped(command + ": " + std::string(info.summary), width) + "\n" +
                       wrapped("Usage: " + command + " " + std::string(info.arguments), width, 7) +
                       "\nAlgorithms:\n";
    for (const auto& name : algorithms_of(info)) {
      text += definition(name, make_algorithm(name)->summary(), width, 24);
    }
    return text + "\n" +
           wrapped("tandem help " + std::string(info.name) +
                       " ALGORITHM lists the options with their defaults.",
                   width);
  }

  std::vector<std::string> topics_;
};

}  // namespace

std::unique_ptr<Command> make_help(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Help>();
}

}  // namespace tandem::program

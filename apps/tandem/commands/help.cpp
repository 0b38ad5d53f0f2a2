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
      return prepare(find_command("train"), make_algorithm(topics_[0])).options->help();
    }
    const CommandInfo& info = find_command(topics_[0]);
    if (!info.takes_algorithm) return prepare(info, nullptr).options->help();
    if (topics_.size() > 1) return prepare(info, find_algorithm(topics_[1])).options->help();
    std::string text = "tandem " + std::string(info.name) + ": " + std::string(info.summary) +
                       "\n\nUsage: tandem " + std::string(info.name) + " " +
                       std::string(info.arguments) + "\n\nAlgorithms:\n";
    for (const auto& name : names) {
      std::string line = "  " + name;
      line.resize(24, ' ');
      text += line + std::string(make_algorithm(name)->summary()) + "\n";
    }
    return text + "\ntandem help " + std::string(info.name) +
           " ALGORITHM lists the options with their defaults.\n";
  }

  std::vector<std::string> topics_;
};

}  // namespace

std::unique_ptr<Command> make_help(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Help>();
}

}  // namespace tandem::program

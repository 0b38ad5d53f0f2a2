// tandem challenge, in a build without the software GPU (TANDEM_SOFTGPU=OFF): says so.
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

class ChallengeCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("ACTION", action_, "list, show, start, submit or classroom");
    options.positionals("NAME", words_, "the challenge");
  }

  int run(const OptionSet& /*options*/) override {
    throw InputError(
        "tandem challenge: this Tandem was built without the software GPU; build it with "
        "-DTANDEM_SOFTGPU=ON");
  }

 private:
  std::string action_;
  std::vector<std::string> words_;
};

}  // namespace

std::unique_ptr<Command> make_challenge(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<ChallengeCommand>();
}

}  // namespace tandem::program

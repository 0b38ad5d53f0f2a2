// tandem lesson, in a build without the software GPU (TANDEM_SOFTGPU=OFF): says so.
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"

namespace tandem::program {
namespace {

class LessonCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positionals("NAME", names_, "the lesson");
  }

  int run(const OptionSet& /*options*/) override {
    throw InputError(
        "tandem lesson: this Tandem was built without the software GPU; build it with "
        "-DTANDEM_SOFTGPU=ON");
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Command> make_lesson(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<LessonCommand>();
}

}  // namespace tandem::program

// tandem gpu, in a build without the software GPU (TANDEM_SOFTGPU=OFF): says so.
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/software_gpus.hpp"

namespace tandem::program {
namespace {

class Gpu final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("run", action_, "the word run", {"run"});
    options.rest(command_);
  }

  int run(const OptionSet& /*options*/) override {
    throw InputError(
        "tandem gpu: this Tandem was built without the software GPU; build it with "
        "-DTANDEM_SOFTGPU=ON");
  }

 private:
  std::string action_;
  std::vector<std::string> command_;
};

}  // namespace

std::vector<SoftwareGpu> software_gpus() { return {}; }

std::unique_ptr<Command> make_gpu(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Gpu>();
}

}  // namespace tandem::program

// tandem devices
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"
#include "tandem/software_gpus.hpp"

namespace tandem::program {
namespace {

class Devices final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.flag("json", json_, "print the result as JSON");
  }

  int run(const OptionSet& /*options*/) override {
    nlohmann::json list = nlohmann::json::array();
    std::string text;
    for (const Device device : {Device::reference, Device::cpu, Device::cuda, Device::softgpu}) {
      const std::string name(to_string(device));
      nlohmann::json entry{{"device", name}};
      std::string line;
      try {
        EngineOptions options;
        options.device = device;
        line = Engine::create(options)->description();
        entry["available"] = true;
      } catch (const DeviceError& error) {
        // Its own name is said twice otherwise.
        line = error.spelled(Spelling());
        const std::string prefix = "device " + name + ": ";
        if (line.starts_with(prefix)) line = line.substr(prefix.size());
        entry["available"] = false;
        line = "not available: " + line;
      }
      entry["description"] = line;
      list.push_back(entry);
      text += "  " + name + std::string(12 - name.size(), ' ') + line + "\n";
    }
    nlohmann::json models = nlohmann::json::array();
    const std::vector<SoftwareGpu> gpus = software_gpus();
    text += gpus.empty() ? "\nThis Tandem was built without the software GPU.\n"
                         : "\nSoftware GPUs for CUDA programs (tandem gpu run --model NAME -- "
                           "PROGRAM):\n";
    for (const SoftwareGpu& gpu : gpus) {
      models.push_back({{"model", gpu.key},
                        {"software", true},
                        {"name", gpu.name},
                        {"compute_capability", gpu.compute_capability},
                        {"multiprocessors", gpu.multiprocessors},
                        {"memory_bytes", gpu.memory_bytes}});
      text += "  " + gpu.key + std::string(12 - gpu.key.size(), ' ') +
              "software, compute capability " + gpu.compute_capability + ", " +
              std::to_string(gpu.multiprocessors) + " multiprocessors\n";
    }
    if (json_) {
      print_json({{"devices", list}, {"software_gpus", models}});
    } else {
      print(text);
    }
    return 0;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_devices(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Devices>();
}

}  // namespace tandem::program

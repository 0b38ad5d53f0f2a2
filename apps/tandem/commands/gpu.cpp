// tandem gpu run: a CUDA program on the software GPU. Sets the program's environment up and becomes
// it.
#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include "common/text.hpp"
#include "core/cuda_library.hpp"
#include "softgpu/device/model.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

// The program that would run: the path itself, or the first of that name in PATH.
fs::path find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  for (std::string rest = path == nullptr ? "" : path; !rest.empty();) {
    const auto colon = rest.find(':');
    const fs::path candidate = fs::path(rest.substr(0, colon)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
  }
  throw InputError("no program '" + name + "' in PATH; a program in this folder is ./" + name);
}

// A program with the runtime linked into itself would not look for ours, and would say that there
// is no CUDA driver. That is seen before it runs.
void check_runtime(const fs::path& program) {
  std::ifstream file(program, std::ios::binary);
  std::string start(4, '\0');
  if (!file.read(start.data(), 4) || start !=
                                         "\x7f"
                                         "ELF")
    return;  // a script, perhaps
  file.seekg(0);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto holds = [&](std::string_view text) { return bytes.find(text) != std::string::npos; };
  if (!holds(".nv_fatbin") || holds("libcudart.so.13")) return;
  if (holds("libcudart.so.")) {
    throw InputError(program.string() +
                     " was built with another CUDA release's runtime; the software GPU stands in "
                     "for libcudart.so.13: build it with nvcc 13");
  }
  throw InputError(program.string() +
                   " has the CUDA runtime linked into itself; build it with nvcc -cudart shared, "
                   "so that the software GPU can take the runtime's place");
}

class Gpu final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("run", action_, "the word run");
    options.text("model", model_,
                 "the device to be (" + softgpu::device_model_keys() +
                     "); several, separated by commas: devices 0, 1, ...");
    options.integer("devices", devices_, "how many devices there are; as many as models unless set",
                    1, 64);
    options.integer("threads", threads_, "cores that run blocks; 0: all", 0, 1024);
    options.integer("schedule_seed", seed_,
                    "run warps and blocks in an order drawn by this number; 0: in order", 0,
                    std::int64_t{1} << 62);
    options.integer("jitter", jitter_,
                    "move approximate results inside their documented bound, drawn by this "
                    "number; 0: do not",
                    0, std::int64_t{1} << 62);
    options.real("time_limit", time_limit_, "seconds that one kernel may run; 0: no limit", 0, 1e9);
    options.written("report", report_,
                    "write a JSON file at exit: executed instructions and exactness by kernel",
                    "FILE");
    options.flag("count", count_, "count what kernels do, for the report too (docs/softgpu.md)");
    options.rest(command_);
  }

  int run(const OptionSet& options) override {
    if (action_ != "run") {
      throw InputError("unknown action '" + action_ +
                       "'; expected tandem gpu run [options] -- PROGRAM [ARGUMENTS]");
    }
    if (command_.empty()) {
      throw InputError(
          "expected a program after --: tandem gpu run [options] -- PROGRAM "
          "[ARGUMENTS]");
    }
    if (const auto unknown = softgpu::unknown_model(model_)) {
      throw InputError("--model " + model_ + ": unknown model '" + *unknown +
                       "'; expected one of " + softgpu::device_model_keys() +
                       ", or several, separated by commas");
    }
    const fs::path folder = softgpu_folder();
    const fs::path program = find_program(command_.front());
    check_runtime(program);
    std::string path = folder.string();
    if (const char* before = std::getenv("LD_LIBRARY_PATH"); before != nullptr && *before != '\0') {
      path += std::string(":") + before;
    }
    set("LD_LIBRARY_PATH", path);
    // What is not asked for is left as the environment has it.
    if (options.given("model")) set("SOFTGPU_MODEL", model_);
    if (options.given("devices")) set("SOFTGPU_DEVICES", std::to_string(devices_));
    if (options.given("threads")) set("SOFTGPU_THREADS", std::to_string(threads_));
    if (options.given("schedule_seed")) set("SOFTGPU_SEED", std::to_string(seed_));
    if (options.given("jitter")) set("SOFTGPU_JITTER", std::to_string(jitter_));
    if (options.given("time_limit")) set("SOFTGPU_TIME_LIMIT", shortest(time_limit_));
    if (count_) set("SOFTGPU_COUNT", "1");
    if (options.given("report")) set("SOFTGPU_REPORT", fs::absolute(report_.path).string());
    std::vector<char*> arguments;
    for (auto& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    ::execv(program.c_str(), arguments.data());
    const int error = errno;
    if (error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR) {
      throw InputError("cannot run " + program.string() + ": " + std::strerror(error));
    }
    throw SystemError("cannot run " + program.string() + ": " + std::strerror(error));
  }

 private:
  static void set(const char* name, const std::string& value) {
    if (::setenv(name, value.c_str(), 1) != 0) {
      throw SystemError(std::string("cannot set ") + name + ": " + std::strerror(errno));
    }
  }

  std::string action_;
  std::string model_ = "a100";
  std::int64_t devices_ = 1;
  std::int64_t threads_ = 0;
  std::int64_t seed_ = 0;
  std::int64_t jitter_ = 0;
  double time_limit_ = 0;
  FileName report_;
  bool count_ = false;
  std::vector<std::string> command_;
};

}  // namespace

std::unique_ptr<Command> make_gpu(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Gpu>();
}

}  // namespace tandem::program

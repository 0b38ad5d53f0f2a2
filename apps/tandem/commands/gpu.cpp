// tandem gpu run: a CUDA program on the software GPU. Sets the program's environment up and becomes
// it. tandem gpu check: the same under the checker. tandem gpu profile, explain: under the
// profiler. tandem gpu build: becomes nvcc, with the options that the software GPU asks for.
#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/text.hpp"
#include "softgpu/models.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/gpu/check_schedules.hpp"
#include "tandem/gpu/cuda_program.hpp"
#include "tandem/gpu/profile_command.hpp"
#include "tandem/nvcc.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/software_gpus.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

class Gpu final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("ACTION", action_,
                       "run; check, which looks for races, uninitialised memory and other mistakes "
                       "while the program runs; profile, which counts what kernels do line by "
                       "line; explain, which does both and says what to change; or build, after "
                       "which everything goes to nvcc, with -cudart shared, -lineinfo and "
                       "-arch=compute_80 where nothing else is said of these",
                       {"run", "check", "profile", "explain", "build"});
    options.text("model", model_,
                 "the device to be (" + softgpu::device_model_keys() +
                     "); several, separated by commas: devices 0, 1, ...");
    options.integer("devices", devices_, "how many devices there are; as many as models unless set",
                    1, 64);
    options.integer("threads", threads_, "cores that run blocks; 0: all", 0, 1024);
    options.integer("schedule_seed", seed_,
                    "run warps and blocks in an order drawn by this number; 0: in order", 0,
                    std::int64_t{1} << 62);
    options.flag("poison", poison_,
                 "fill device memory with a pattern when it is allocated and freed; "
                 "--schedule-seed does so too");
    options.flag("stop_at_fault", stop_at_fault_, "end the program at once when a kernel faults");
    options.integer("jitter", jitter_,
                    "move approximate results inside their documented bound, drawn by this "
                    "number; 0: do not",
                    0, std::int64_t{1} << 62);
    options.real("time_limit", time_limit_, "seconds that one kernel may run; 0: no limit", 0, 1e9);
    options.written("report", report_,
                    "write a JSON file at exit: executed instructions and exactness by kernel",
                    "FILE");
    options.written("findings", findings_,
                    "check: write what was found as JSON; explain: read that instead of checking",
                    "FILE");
    options.written("sarif", sarif_, "check: write what was found as SARIF, for code hosts",
                    "FILE");
    options.text(
        "only", only_,
        "check: the kinds of findings to look for (docs/kernel-lab.md lists them), or memory, "
        "races, synchronisation, api; separated by commas");
    options.written("suppress", suppress_,
                    "check: leave out what this file lists: lines KIND [KERNEL [FILE]], patterns "
                    "with *",
                    "FILE");
    options.text("device", device_,
                 "profile, explain: the device to be, with estimates of times on it (" +
                     softgpu::device_model_keys() + ")");
    options.text("kernel", kernel_,
                 "check, profile, explain: only kernels of this name without parameters, with * "
                 "and ?; check takes several, separated by commas");
    options.integer("launch", launch_,
                    "check, profile, explain: only the launch of this number, counted from 1; 0: "
                    "all",
                    0, std::int64_t{1} << 62);
    options.flag("json", json_,
                 "profile, explain: print the result as JSON; what the program prints goes to "
                 "standard error");
    options.written("out", out_, "profile: write it as JSON, for --diff and explain", "FILE");
    options.written("page", page_, "profile: write a page with the source beside its counters",
                    "FILE");
    options.flag("diff", diff_, "profile: compare two files that --out wrote: BEFORE AFTER");
    options.integer(
        "schedules", schedules_,
        "check: run the program in so many orders of warps and blocks, and compare what "
        "it prints",
        1, 100000);
    options.flag("force", force_, replace_help);
    options.flag("count", count_, "count what kernels do, for the report too (docs/softgpu.md)");
    options.rest(command_, "build");
  }

  int run(const OptionSet& options) override {
    if (action_ == "build") return build_cuda_program(command_);
    const bool checks = action_ == "check";
    const bool profiles = action_ == "profile" || action_ == "explain";
    if (action_ != "run" && !checks && !profiles) {
      throw InputError("unknown action '" + action_ +
                       "'; expected tandem gpu run [options] -- PROGRAM [ARGUMENTS], tandem gpu "
                       "check|profile|explain [options] -- PROGRAM|SOURCE.cu [ARGUMENTS], or "
                       "tandem gpu build SOURCE.cu [-o PROGRAM]");
    }
    require_options_of_action(options);
    if (profiles) return run_profiler(options);
    if (command_.empty()) {
      throw InputError("expected a program: tandem gpu " + action_ +
                       " [options] -- PROGRAM [ARGUMENTS]");
    }
    if (checks && count_) {
      throw InputError("--count is for tandem gpu run: a run is checked or counted");
    }
    if (checks && options.given("threads")) {
      note("a program that is checked runs its blocks on one core, whatever --threads says");
    }
    if (const auto unknown = softgpu::unknown_model(model_)) {
      throw InputError("--model " + model_ + ": unknown model '" + *unknown +
                       "'; expected one of " + softgpu::device_model_keys() +
                       ", or several, separated by commas");
    }
    OutputFiles files;
    TemporaryFolder built;
    fs::path program;
    if (checks && command_.front().ends_with(".cu")) {
      files.reads("the program's source", command_.front());
      program = built.path() / fs::path(command_.front()).stem();
      compile_cuda_program(command_.front(), program.string());
      command_.front() = program.string();
    } else {
      program = find_program(command_.front());
      files.reads("the program", program.string());
    }
    check_runtime(program);
    if (!suppress_.path.empty()) files.reads("the file of what is left out", suppress_.path);
    files.writes(option("findings"), findings_.path, "findings of the checker", a_finding_list());
    files.writes(option("sarif"), sarif_.path, "findings in SARIF", a_finding_list());
    files.writes(option("report"), report_.path, "a report of the software GPU", a_gpu_report());
    files.check(force_);
    lead_to_software_gpu();
    set_environment(options);
    if (checks) {
      set_variable("SOFTGPU_CHECK", "1");
      if (options.given("only")) set_variable("SOFTGPU_CHECK_ONLY", only_);
      if (options.given("kernel")) set_variable("SOFTGPU_CHECK_KERNEL", kernel_);
      if (options.given("launch")) set_variable("SOFTGPU_CHECK_LAUNCH", std::to_string(launch_));
      if (!suppress_.path.empty()) {
        set_variable("SOFTGPU_CHECK_SUPPRESS", fs::absolute(suppress_.path).string());
      }
      // Of several runs, each adds to what the others have found.
      const bool once = !options.given("schedules");
      if (once && !findings_.path.empty()) {
        set_variable("SOFTGPU_CHECK_JSON", fs::absolute(findings_.path).string());
      }
      if (once && !sarif_.path.empty()) {
        set_variable("SOFTGPU_CHECK_SARIF", fs::absolute(sarif_.path).string());
      }
    }
    if (checks && options.given("schedules")) return check_schedules(program, built);
    if (checks) return run_program(program, command_);
    std::vector<char*> arguments;
    for (auto& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    // This program ignores these signals; the other one shall decide for itself.
    std::signal(SIGPIPE, SIG_DFL);
    std::signal(SIGXFSZ, SIG_DFL);
    ::execv(program.c_str(), arguments.data());
    const int error = errno;
    if (error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR) {
      throw InputError("cannot run " + program.string() + ": " + std::strerror(error));
    }
    throw SystemError("cannot run " + program.string() + ": " + std::strerror(error));
  }

 private:
  // What the environment says of the executor, for the program that runs next.
  void set_environment(const OptionSet& options) {
    // Settings that were not asked for stay as the environment has them.
    if (options.given("model")) set_variable("SOFTGPU_MODEL", model_);
    if (options.given("devices")) set_variable("SOFTGPU_DEVICES", std::to_string(devices_));
    if (options.given("threads")) set_variable("SOFTGPU_THREADS", std::to_string(threads_));
    if (options.given("schedule_seed")) set_variable("SOFTGPU_SEED", std::to_string(seed_));
    if (options.given("jitter")) set_variable("SOFTGPU_JITTER", std::to_string(jitter_));
    if (options.given("time_limit")) set_variable("SOFTGPU_TIME_LIMIT", shortest(time_limit_));
    if (count_) set_variable("SOFTGPU_COUNT", "1");
    if (poison_) set_variable("SOFTGPU_POISON", "1");
    if (stop_at_fault_) set_variable("SOFTGPU_STOP_AT_FAULT", "1");
    if (std::getenv("SOFTGPU_FAULT_STATUS") == nullptr) set_variable("SOFTGPU_FAULT_STATUS", "86");
    if (options.given("report"))
      set_variable("SOFTGPU_REPORT", fs::absolute(report_.path).string());
  }

  int check_schedules(const fs::path& program, TemporaryFolder& folder) {
    const auto whole = [](const FileName& file) {
      return file.path.empty() ? std::string() : fs::absolute(file.path).string();
    };
    const std::string kinds = "," + only_ + ",";
    const bool compares = only_.empty() || kinds.find(",schedule-dependent,") < kinds.size();
    return run_schedules(
        program, command_,
        {schedules_, compares, seed_, folder.path(), whole(findings_), whole(sarif_)});
  }

  // Options that are for other actions are mistakes, and would do nothing.
  void require_options_of_action(const OptionSet& options) const {
    struct Of {
      std::string_view option;
      std::string_view actions;
    };
    constexpr std::array owners{Of{"findings", "check explain"},
                                Of{"sarif", "check"},
                                Of{"only", "check"},
                                Of{"suppress", "check"},
                                Of{"device", "profile explain"},
                                Of{"kernel", "check profile explain"},
                                Of{"launch", "check profile explain"},
                                Of{"schedules", "check"},
                                Of{"json", "profile explain"},
                                Of{"out", "profile"},
                                Of{"page", "profile"},
                                Of{"diff", "profile"},
                                Of{"model", "run check"},
                                Of{"report", "run check"},
                                Of{"count", "run check"},
                                Of{"threads", "run check"}};
    for (const Of& owner : owners) {
      if (!options.given(owner.option) || owner.actions.find(action_) != std::string_view::npos) {
        continue;
      }
      std::string actions(owner.actions);
      if (const auto blank = actions.rfind(' '); blank != std::string::npos) {
        actions.replace(blank, 1, " and ");
        // The others, before that.
        if (const auto first = actions.find(' '); first < blank) actions.replace(first, 1, ", ");
      }
      const std::string more =
          owner.option == "model" ? "; --device says what device a profile is of" : "";
      throw InputError("--" + std::string(owner.option) + " is for tandem gpu " + actions + more);
    }
  }

  int run_profiler(const OptionSet& options) {
    if (!device_.empty() && softgpu::find_device_model(device_) == nullptr) {
      throw InputError("--device " + device_ + ": unknown device; expected one of " +
                       softgpu::device_model_keys());
    }
    ProfileRequest request;
    request.device = device_;
    request.kernel = kernel_;
    request.launch = launch_;
    request.json = json_;
    request.force = force_;
    request.out = out_.path;
    request.page = page_.path;
    request.findings = findings_.path;
    request.command = "tandem gpu " + options.arguments();
    if (diff_) {
      for (const char* name : {"device", "kernel", "launch", "out", "page"}) {
        if (options.given(name)) {
          throw InputError("--diff compares what two files hold; --" + std::string(name) +
                           " is for making them");
        }
      }
      return compare_profiles(request, command_);
    }
    set_environment(options);
    return action_ == "profile" ? profile_program(request, command_)
                                : explain_kernels(request, command_);
  }

  std::string action_;
  std::string model_ = "a100";
  std::int64_t devices_ = 1;
  std::int64_t threads_ = 0;
  std::int64_t seed_ = 0;
  std::int64_t jitter_ = 0;
  double time_limit_ = 0;
  FileName report_;
  FileName findings_;
  FileName sarif_;
  FileName suppress_;
  std::string only_;
  std::string device_;
  std::string kernel_;
  std::int64_t launch_ = 0;
  bool json_ = false;
  bool diff_ = false;
  FileName out_;
  FileName page_;
  std::int64_t schedules_ = 1;
  bool force_ = false;
  bool count_ = false;
  bool poison_ = false;
  bool stop_at_fault_ = false;
  std::vector<std::string> command_;
};

}  // namespace

std::vector<SoftwareGpu> software_gpus() {
  std::vector<SoftwareGpu> all;
  for (const auto& model : softgpu::device_models()) {
    all.push_back(
        {.key = std::string(model.key),
         .name = std::string(model.name),
         .compute_capability = std::to_string(model.major) + "." + std::to_string(model.minor),
         .multiprocessors = model.multiprocessors,
         .memory_bytes = model.memory_bytes});
  }
  return all;
}

std::unique_ptr<Command> make_gpu(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Gpu>();
}

}  // namespace tandem::program

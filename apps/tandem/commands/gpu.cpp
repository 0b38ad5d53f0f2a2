// tandem gpu run: a CUDA program on the software GPU. Sets the program's environment up and becomes
// it. tandem gpu check: the same under the checker. tandem gpu build: becomes nvcc, with the
// options that the software GPU asks for.
#include <elf.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "common/text.hpp"
#include "softgpu/models.hpp"
#include "tandem/command.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/nvcc.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/software_gpus.hpp"

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

// The libraries that an ELF file names as needed; empty for anything else.
std::vector<std::string> needed_libraries(const std::string& file) {
  const auto read = [&](std::uint64_t at, auto& value) {
    if (at > file.size() || file.size() - at < sizeof value) return false;
    std::memcpy(&value, file.data() + at, sizeof value);
    return true;
  };
  Elf64_Ehdr head;
  if (!read(0, head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
      head.e_ident[EI_CLASS] != ELFCLASS64) {
    return {};
  }
  std::vector<Elf64_Phdr> segments(head.e_phnum);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!read(head.e_phoff + i * sizeof segments[i], segments[i])) return {};
  }
  std::vector<std::uint64_t> names;
  std::uint64_t strings = 0;  // an address
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_DYNAMIC) continue;
    for (std::uint64_t at = 0; at < segment.p_filesz; at += sizeof(Elf64_Dyn)) {
      Elf64_Dyn entry;
      if (!read(segment.p_offset + at, entry) || entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_NEEDED) names.push_back(entry.d_un.d_val);
      if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
    }
  }
  std::vector<std::string> libraries;
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type != PT_LOAD || strings < segment.p_vaddr ||
        strings - segment.p_vaddr >= segment.p_filesz) {
      continue;
    }
    for (const std::uint64_t name : names) {
      const std::uint64_t at = segment.p_offset + (strings - segment.p_vaddr) + name;
      if (at < file.size()) libraries.emplace_back(file.c_str() + at);
    }
  }
  return libraries;
}

// A CUDA library that the software GPU does not replace. It is known by the beginning of its name,
// or, in a program that is linked statically, by one of its functions.
struct Missing {
  std::string_view library;
  std::string_view function;
  std::string_view what;
};
constexpr std::array missing_libraries{
    Missing{"libcuda.so.", "", "the CUDA driver API (cuInit, cuLaunchKernel, ...)"},
    Missing{"libcufft", "cufftPlan", "cuFFT"},
    Missing{"libcusparse", "cusparseCreate", "cuSPARSE"},
    Missing{"libcurand", "curandCreateGenerator",
            "cuRAND's host library (its device functions are headers, and run)"},
    Missing{"libcusolver", "cusolverDnCreate", "cuSOLVER"},
    Missing{"libcudnn", "cudnnCreate", "cuDNN"},
    Missing{"libnccl", "ncclCommInit", "NCCL"},
    Missing{"libnpp", "nppiMalloc", "NPP"},
    Missing{"libnvjpeg", "nvjpegCreate", "nvJPEG"},
    Missing{"libnvrtc", "nvrtcCompileProgram", "the run-time compiler NVRTC"},
    Missing{"libnvJitLink", "nvJitLinkCreate", "nvJitLink"},
};

// A program with the runtime linked into itself would not look for ours, and would say that there
// is no CUDA driver; one that needs what the software GPU has not got fails somewhere. That is seen
// before it runs.
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
  const std::vector<std::string> needed = needed_libraries(bytes);
  const auto needs = [&](std::string_view library) {
    return std::ranges::any_of(needed,
                               [&](const std::string& one) { return one.starts_with(library); });
  };
  for (const Missing& missing : missing_libraries) {
    if (!needs(missing.library) && (missing.function.empty() || !holds(missing.function))) continue;
    const std::string text = program.string() + " is linked with " + std::string(missing.what) +
                             ", which the software GPU does not have";
    // Without the driver's library the program does not even start.
    if (missing.library == "libcuda.so." && !needs("libcudart.so.13")) {
      throw InputError(text + ": it runs programs of the runtime API (cudaMalloc, <<<...>>>)");
    }
    note(text + "; the program fails where it uses it");
  }
  if (!holds(".nv_fatbin") || holds("libcudart.so.13")) return;
  if (holds("libcudart.so.")) {
    throw InputError(program.string() +
                     " was built with another CUDA release's runtime; the software GPU stands in "
                     "for libcudart.so.13: build it with nvcc 13");
  }
  throw InputError(
      program.string() +
      " has the CUDA runtime linked into itself; build it with nvcc -cudart shared, or "
      "by tandem gpu build, so that the software GPU can take the runtime's place");
}

// A folder for what is built to be run once.
class TemporaryFolder {
 public:
  TemporaryFolder() = default;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const fs::path& path() {
    if (path_.empty()) {
      std::string pattern = (fs::temp_directory_path() / "tandem-check-XXXXXX").string();
      if (::mkdtemp(pattern.data()) == nullptr) {
        throw SystemError("cannot make a folder in " + fs::temp_directory_path().string() + ": " +
                          std::strerror(errno));
      }
      path_ = pattern;
    }
    return path_;
  }

 private:
  fs::path path_;
};

class Gpu final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("ACTION", action_,
                       "run; check, which looks for races, uninitialised memory and other mistakes "
                       "while the program runs; or build, after which everything goes to nvcc, "
                       "with -cudart shared, -lineinfo and -arch=compute_80 where nothing else is "
                       "said of these",
                       {"run", "check", "build"});
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
    options.written("findings", findings_, "check: write what was found as JSON", "FILE");
    options.written("sarif", sarif_, "check: write what was found as SARIF, for code hosts",
                    "FILE");
    options.text("only", only_,
                 "check: the kinds of findings to look for, separated by commas "
                 "(docs/kernel-lab.md lists them)");
    options.written("suppress", suppress_,
                    "check: leave out what this file lists: lines KIND [KERNEL [FILE]], patterns "
                    "with *",
                    "FILE");
    options.flag("force", force_, replace_help);
    options.flag("count", count_, "count what kernels do, for the report too (docs/softgpu.md)");
    options.rest(command_, "build");
  }

  int run(const OptionSet& options) override {
    if (action_ == "build") return build_cuda_program(command_);
    const bool checks = action_ == "check";
    if (action_ != "run" && !checks) {
      throw InputError("unknown action '" + action_ +
                       "'; expected tandem gpu run [options] -- PROGRAM [ARGUMENTS], tandem gpu "
                       "check [options] -- PROGRAM|SOURCE.cu [ARGUMENTS], or tandem gpu build "
                       "SOURCE.cu [-o PROGRAM]");
    }
    if (command_.empty()) {
      throw InputError("expected a program: tandem gpu " + action_ +
                       " [options] -- PROGRAM [ARGUMENTS]");
    }
    for (const char* name : {"findings", "sarif", "only", "suppress"}) {
      if (!checks && options.given(name)) {
        throw InputError("--" + std::string(name) + " is for tandem gpu check");
      }
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
    const fs::path folder = software_gpu::folder();
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
    std::string path = folder.string();
    if (const char* before = std::getenv("LD_LIBRARY_PATH"); before != nullptr && *before != '\0') {
      path += std::string(":") + before;
    }
    set("LD_LIBRARY_PATH", path);
    // Settings that were not asked for stay as the environment has them.
    if (options.given("model")) set("SOFTGPU_MODEL", model_);
    if (options.given("devices")) set("SOFTGPU_DEVICES", std::to_string(devices_));
    if (options.given("threads")) set("SOFTGPU_THREADS", std::to_string(threads_));
    if (options.given("schedule_seed")) set("SOFTGPU_SEED", std::to_string(seed_));
    if (options.given("jitter")) set("SOFTGPU_JITTER", std::to_string(jitter_));
    if (options.given("time_limit")) set("SOFTGPU_TIME_LIMIT", shortest(time_limit_));
    if (count_) set("SOFTGPU_COUNT", "1");
    if (poison_) set("SOFTGPU_POISON", "1");
    if (stop_at_fault_) set("SOFTGPU_STOP_AT_FAULT", "1");
    if (std::getenv("SOFTGPU_FAULT_STATUS") == nullptr) set("SOFTGPU_FAULT_STATUS", "86");
    if (options.given("report")) set("SOFTGPU_REPORT", fs::absolute(report_.path).string());
    if (checks) {
      set("SOFTGPU_CHECK", "1");
      if (options.given("only")) set("SOFTGPU_CHECK_ONLY", only_);
      if (!suppress_.path.empty()) {
        set("SOFTGPU_CHECK_SUPPRESS", fs::absolute(suppress_.path).string());
      }
      if (!findings_.path.empty()) {
        set("SOFTGPU_CHECK_JSON", fs::absolute(findings_.path).string());
      }
      if (!sarif_.path.empty()) set("SOFTGPU_CHECK_SARIF", fs::absolute(sarif_.path).string());
    }
    std::vector<char*> arguments;
    for (auto& argument : command_) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    if (checks) return status_of(program, arguments);
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
  // Runs the program as a child, and gives the status that a shell would.
  static int status_of(const fs::path& program, const std::vector<char*>& arguments) {
    const pid_t child = ::fork();
    if (child < 0)
      throw SystemError(std::string("cannot start a process: ") + std::strerror(errno));
    if (child == 0) {
      std::signal(SIGPIPE, SIG_DFL);
      std::signal(SIGXFSZ, SIG_DFL);
      std::signal(SIGINT, SIG_DFL);
      std::signal(SIGTERM, SIG_DFL);
      ::execv(program.c_str(), arguments.data());
      std::fprintf(stderr, "tandem: cannot run %s: %s\n", program.c_str(), std::strerror(errno));
      std::_Exit(2);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
      if (errno != EINTR) throw SystemError("cannot wait for the program");
    }
    constexpr int by_signal = 128;
    return WIFSIGNALED(status) ? by_signal + WTERMSIG(status) : WEXITSTATUS(status);
  }

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
  FileName findings_;
  FileName sarif_;
  FileName suppress_;
  std::string only_;
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

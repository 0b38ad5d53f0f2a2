#include "tandem/gpu/cuda_program.hpp"

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
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

namespace fs = std::filesystem;

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

namespace {

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

}  // namespace

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

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

const fs::path& TemporaryFolder::path() {
  if (path_.empty()) {
    std::string pattern = (fs::temp_directory_path() / "tandem-gpu-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw SystemError("cannot make a folder in " + fs::temp_directory_path().string() + ": " +
                        std::strerror(errno));
    }
    path_ = pattern;
  }
  return path_;
}

void set_variable(const char* name, const std::string& value) {
  if (::setenv(name, value.c_str(), 1) != 0) {
    throw SystemError(std::string("cannot set ") + name + ": " + std::strerror(errno));
  }
}

void lead_to_software_gpu() {
  std::string path = software_gpu::folder();
  if (const char* before = std::getenv("LD_LIBRARY_PATH"); before != nullptr && *before != '\0') {
    path += std::string(":") + before;
  }
  set_variable("LD_LIBRARY_PATH", path);
}

void become_program(const fs::path& program, std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (auto& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  // This program ignores these signals; the other one shall decide for itself.
  for (const int signal : {SIGPIPE, SIGXFSZ, SIGINT, SIGTERM}) std::signal(signal, SIG_DFL);
  ::execv(program.c_str(), arguments.data());
  std::fprintf(stderr, "tandem: cannot run %s: %s\n", program.c_str(), std::strerror(errno));
  std::_Exit(2);
}

int wait_for_program(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw SystemError("cannot wait for the program");
  }
  constexpr int by_signal = 128;
  return WIFSIGNALED(status) ? by_signal + WTERMSIG(status) : WEXITSTATUS(status);
}

int run_program(const fs::path& program, std::vector<std::string>& command, bool output_is_ours) {
  const pid_t child = ::fork();
  if (child < 0) throw SystemError(std::string("cannot start a process: ") + std::strerror(errno));
  if (child == 0) {
    if (output_is_ours) (void)::dup2(STDERR_FILENO, STDOUT_FILENO);
    become_program(program, command);
  }
  return wait_for_program(child);
}

}  // namespace tandem::program

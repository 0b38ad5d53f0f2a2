#include "tandem/nvcc.hpp"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "common/text.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

// True where the file is an nvcc of CUDA 13: what it says of itself.
bool is_nvcc_13(const fs::path& file) {
  if (::access(file.c_str(), X_OK) != 0 || fs::is_directory(file)) return false;
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::string program = file.string();
  std::string version = "--version";
  std::array<char*, 3> words{program.data(), version.data(), nullptr};
  pid_t child = 0;
  const int error =
      ::posix_spawn(&child, program.c_str(), &actions, nullptr, words.data(), ::environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string said;
  if (error == 0) {
    std::array<char, 512> part{};
    for (ssize_t got = 0;
         (got = ::read(ends[0], part.data(), part.size())) > 0 || (got < 0 && errno == EINTR);) {
      if (got > 0) said.append(part.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::close(ends[0]);
  return said.find("release 13.") != std::string::npos;
}

}  // namespace

fs::path find_nvcc() {
  std::vector<fs::path> candidates;
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string named = variable("TANDEM_NVCC"); !named.empty()) {
    if (!is_nvcc_13(named)) {
      throw InputError(
          "TANDEM_NVCC is " + named +
          ", which is no nvcc of CUDA 13; name one there, or unset it to have one looked for");
    }
    return named;
  }
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string home = variable(name); !home.empty()) {
      candidates.push_back(fs::path(home) / "bin" / "nvcc");
    }
  }
  for (const std::string& folder : split(variable("PATH"), ':')) {
    if (!folder.empty()) candidates.push_back(fs::path(folder) / "nvcc");
  }
  candidates.emplace_back("/usr/local/cuda/bin/nvcc");
  // <root>/build/release/apps/tandem and <root>/build/cuda-toolkit.
  std::error_code failed;
  const fs::path own = fs::read_symlink("/proc/self/exe", failed);
  if (!failed) {
    candidates.push_back(own.parent_path().parent_path().parent_path() / "cuda-toolkit" / "bin" /
                         "nvcc");
  }
  for (const fs::path& candidate : candidates) {
    if (is_nvcc_13(candidate)) return candidate;
  }
  throw SystemError(
      "there is no nvcc of CUDA 13 in CUDA_HOME, in PATH or in /usr/local/cuda; "
      "developer.nvidia.com/cuda-downloads has it, and in Tandem's sources ./dev nvcc --version "
      "fetches one");
}

namespace {

bool says(const std::vector<std::string>& arguments,
          std::initializer_list<std::string_view> options) {
  return std::ranges::any_of(arguments, [&](const std::string& argument) {
    return std::ranges::any_of(options, [&](std::string_view option) {
      return argument == option || argument.starts_with(std::string(option) + "=");
    });
  });
}

// nvcc's command line for a program that the software GPU is to run.
std::vector<std::string> nvcc_words(const fs::path& nvcc,
                                    const std::vector<std::string>& arguments) {
  std::vector<std::string> words{nvcc.string()};
  if (!says(arguments, {"-cudart", "--cudart"})) {
    words.insert(words.end(), {"-cudart", "shared"});
  }
  if (!says(arguments, {"-arch", "--gpu-architecture", "-gencode", "--generate-code", "-code",
                        "--gpu-code"})) {
    words.emplace_back("-arch=compute_80");
  }
  if (!says(arguments, {"-lineinfo", "--generate-line-info", "-G", "--device-debug"})) {
    words.emplace_back("-lineinfo");
  }
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

// nvcc writes over whatever its output is called. Programs, objects and what nvcc has a name for
// are made anew; any other file is somebody's.
void require_own_output(const std::vector<std::string>& arguments) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    for (const std::string_view option : {"-o", "--output-file"}) {
      if (argument == option && i + 1 < arguments.size()) out = arguments[i + 1];
      if (argument.starts_with(std::string(option) + "=")) out = argument.substr(option.size() + 1);
    }
  }
  std::error_code none;
  if (!fs::is_regular_file(out, none) || fs::file_size(out, none) == 0) return;
  const std::string ending = fs::path(out).extension().string();
  for (const std::string_view own : {".ptx", ".cubin", ".fatbin", ".i", ".ii", ".gpu", ".d"}) {
    if (ending == own) return;
  }
  std::array<char, 4> mark{};
  std::ifstream(out, std::ios::binary).read(mark.data(), mark.size());
  const std::string_view found(mark.data(), mark.size());
  if (found ==
          "\x7F"
          "ELF" ||
      found == "!<ar")
    return;
  throw InputError(out + ": exists, and is no program; choose another name behind -o");
}

}  // namespace

int build_cuda_program(std::vector<std::string> arguments) {
  if (arguments.empty()) {
    throw InputError("expected a source: tandem gpu build SOURCE.cu [-o PROGRAM] [nvcc options]");
  }
  require_own_output(arguments);
  const fs::path nvcc = find_nvcc();
  std::vector<std::string> words = nvcc_words(nvcc, arguments);
  note(joined(words, " "));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execv(nvcc.c_str(), argv.data());
  throw SystemError("cannot run " + nvcc.string() + ": " + std::strerror(errno));
}

void compile_cuda_program(const std::string& source, const std::string& program) {
  std::error_code error;
  if (!fs::is_regular_file(source, error)) {
    throw InputError(source + ": no such file; expected a CUDA source or a program");
  }
  const fs::path nvcc = find_nvcc();
  std::vector<std::string> words = nvcc_words(nvcc, {"-Xcompiler=-g", source, "-o", program});
  note(joined(words, " "));
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int failed =
          ::posix_spawn(&child, nvcc.c_str(), nullptr, nullptr, argv.data(), environ);
      failed != 0) {
    throw SystemError("cannot run " + nvcc.string() + ": " + std::strerror(failed));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw SystemError("cannot wait for " + nvcc.string());
  }
  // Ctrl-C at a terminal ends nvcc as well, which says nothing about the source.
  check_interrupt();
  if (WIFSIGNALED(status)) {
    throw SystemError(nvcc.string() + " was ended by signal " + std::to_string(WTERMSIG(status)) +
                      " while it compiled " + source);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw InputError(source + " does not compile (nvcc's messages are above)");
  }
}

std::optional<std::string> find_ptxas() {
  try {
    const fs::path ptxas = find_nvcc().parent_path() / "ptxas";
    if (::access(ptxas.c_str(), X_OK) == 0) return ptxas.string();
  } catch (const InputError&) {
  } catch (const SystemError&) {
  }
  return std::nullopt;
}

}  // namespace tandem::program

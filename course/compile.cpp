#include "course/compile.hpp"

#include <fstream>
#include <vector>

#include "course/confine.hpp"
#include "course/private_folder.hpp"
#include "tandem/core/error.hpp"

namespace tandem::course {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t most_ptx = std::uintmax_t{32} << 20U;

bool lies_in(const fs::path& file, const fs::path& folder) {
  const fs::path relative = file.lexically_normal().lexically_relative(folder.lexically_normal());
  return !relative.empty() && *relative.begin() != "..";
}

// The files that a compiler's list of dependencies names, after "target:".
std::vector<std::string> dependencies_of(const std::string& text) {
  std::vector<std::string> files;
  std::string word;
  const auto colon = text.find(": ");
  for (std::size_t i = colon == std::string::npos ? text.size() : colon + 1; i <= text.size();
       ++i) {
    const char c = i == text.size() ? ' ' : text[i];
    if (c == '\\' && i + 1 < text.size() && (text[i + 1] == ' ' || text[i + 1] == '#')) {
      word += text[++i];
    } else if (c == '\\' && i + 1 < text.size() && text[i + 1] == '\n') {
      ++i;
    } else if (c == ' ' || c == '\n') {
      if (!word.empty()) files.push_back(word);
      word.clear();
    } else {
      word += c;
    }
  }
  return files;
}

std::string with_name(std::string text, const std::string& name) {
  const std::string_view ours = "submission.cu";
  for (std::size_t at = 0; (at = text.find(ours, at)) != std::string::npos; at += name.size()) {
    text.replace(at, ours.size(), name);
  }
  return text;
}

}  // namespace

Compiled compile_kernels(const Compiler& compiler, const std::string& source,
                         const std::string& name) {
  const PrivateFolder folder;
  {
    std::ofstream file(folder.path() / "submission.cu", std::ios::binary);
    file << source;
    if (!file.flush()) throw SystemError((folder.path() / "submission.cu").string() + ": is full");
  }
  const fs::path nvcc = fs::canonical(compiler.nvcc);
  const fs::path toolkit = nvcc.parent_path().parent_path();
  ConfinedCommand command;
  command.words = {nvcc.string(),
                   "-arch=compute_80",
                   "--ptx",
                   "-lineinfo",
                   "-std=c++17",
                   "-MD",
                   "-MF",
                   "depends",
                   "-o",
                   "kernels.ptx",
                   "-Wno-deprecated-gpu-targets",
                   "submission.cu"};
  command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
                         "TMPDIR=" + folder.path().string(), "HOME=" + folder.path().string()};
  command.folder = folder.path();
  command.readable = system_folders();
  command.readable.push_back(toolkit);
  command.may_start_programs = true;
  command.weakly = compiler.weakly;
  command.seconds = 60;
  command.memory_bytes = std::uint64_t{6} << 30U;
  command.file_bytes = std::uint64_t{128} << 20U;
  const ConfinedResult run = run_confined(command, compiler.stopped);

  Compiled compiled;
  compiled.messages = with_name(run.messages + run.output, name);
  if (run.late) {
    compiled.messages += "the compiler was stopped after 60 seconds of processor time\n";
    return compiled;
  }
  if (run.status != 0 || run.signal != 0) {
    if (compiled.messages.empty()) compiled.messages = "the compiler failed without a word\n";
    return compiled;
  }
  const std::string depends = folder.text_of("depends", most_ptx);
  if (depends.empty()) {
    compiled.messages += "the compiler has left no list of the files that it read\n";
    return compiled;
  }
  for (const std::string& file : dependencies_of(depends)) {
    const fs::path path = file.starts_with('/') ? fs::path(file) : folder.path() / file;
    std::error_code failed;
    const fs::path real = fs::weakly_canonical(path, failed);
    const bool own = real == folder.path() / "submission.cu";
    const bool of_toolkit = lies_in(real, toolkit);
    const bool of_system = lies_in(real, "/usr/include") || lies_in(real, "/usr/lib/gcc") ||
                           lies_in(real, "/usr/local/cuda");
    if (own || of_toolkit || of_system) continue;
    compiled.messages += name + ": includes " + file +
                         "; a submission is one file, and includes CUDA's and the system's headers "
                         "only\n";
    return compiled;
  }
  compiled.ptx = folder.text_of("kernels.ptx", most_ptx);
  if (compiled.ptx.empty()) {
    compiled.messages += "there is no PTX, or more than 32 MiB of it\n";
  } else if (compiled.ptx.find(".entry") == std::string::npos) {
    compiled.messages += name + ": has no kernel\n";
    compiled.ptx.clear();
  }
  return compiled;
}

}  // namespace tandem::course

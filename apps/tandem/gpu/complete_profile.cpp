// What a profile gets from outside the run: source text, and ptxas' registers.
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <sstream>
#include <string_view>

#include "softgpu/fatbin/fatbin.hpp"
#include "softgpu/models.hpp"
#include "softgpu/profile/profile.hpp"
#include "tandem/core/error.hpp"
#include "tandem/gpu/cuda_program.hpp"
#include "tandem/gpu/kernel_profile.hpp"
#include "tandem/nvcc.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;
using softgpu::profile::Kernel;
using softgpu::profile::Profile;

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// --- source --------------------------------------------------------------------------------------

std::string without_indent(const std::string& line) {
  const std::size_t first = line.find_first_not_of(" \t");
  return first == std::string::npos ? "" : line.substr(first);
}

void add_source(Profile& profile) {
  std::map<std::string, std::vector<std::string>> files;
  for (Kernel& kernel : profile.kernels) {
    for (softgpu::profile::Line& line : kernel.lines) {
      if (line.line <= 0 || line.file.empty()) continue;
      const auto [found, fresh] = files.try_emplace(line.file);
      if (fresh) found->second = source_lines(line.file);
      const auto index = static_cast<std::size_t>(line.line) - 1;
      if (index < found->second.size()) line.text = without_indent(found->second[index]);
    }
  }
}

// --- registers -----------------------------------------------------------------------------------

// The PTX texts in a program's section .nv_fatbin that suit the architecture.
std::vector<std::string> ptx_of(const std::string& program, int architecture) {
  const auto read = [&](std::size_t at, auto& value) {
    if (at > program.size() || program.size() - at < sizeof value) return false;
    std::memcpy(&value, program.data() + at, sizeof value);
    return true;
  };
  std::vector<std::string> texts;
  Elf64_Ehdr head;
  if (!read(0, head) || std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0) return texts;
  Elf64_Shdr names;
  if (!read(head.e_shoff + std::size_t{head.e_shstrndx} * sizeof names, names)) return texts;
  for (std::size_t i = 0; i < head.e_shnum; ++i) {
    Elf64_Shdr section;
    if (!read(head.e_shoff + i * sizeof section, section)) break;
    const std::size_t name = names.sh_offset + section.sh_name;
    if (name >= program.size() || std::string_view(program.c_str() + name) != ".nv_fatbin")
      continue;
    if (section.sh_offset > program.size() ||
        section.sh_size > program.size() - section.sh_offset) {
      continue;
    }
    auto bytes = std::as_bytes(std::span(program).subspan(section.sh_offset, section.sh_size));
    constexpr std::size_t header = 16;
    constexpr std::size_t alignment = 8;
    while (bytes.size() >= header) {
      try {
        const std::size_t size = softgpu::fatbin_size(bytes.first(header));
        const auto entries = softgpu::list_entries(bytes.first(std::min(size, bytes.size())));
        if (const auto* best = softgpu::best_ptx(entries, architecture)) {
          texts.push_back(softgpu::ptx_text(*best));
        }
        bytes =
            bytes.subspan(std::min(bytes.size(), (size + alignment - 1) / alignment * alignment));
      } catch (const softgpu::FatbinError&) {
        // Between containers there may be padding.
        bytes = bytes.subspan(alignment);
      }
    }
  }
  return texts;
}

// What ptxas says of a PTX text, with -v; empty where it does not take it.
std::string ask_ptxas(const std::string& ptxas, const fs::path& folder, const std::string& text,
                      int architecture) {
  const fs::path input = folder / "kernel.ptx";
  const fs::path said = folder / "ptxas.txt";
  std::ofstream(input, std::ios::binary) << text;
  std::vector<std::string> words{ptxas,          "-v", "-arch=sm_" + std::to_string(architecture),
                                 input.string(), "-o", "/dev/null"};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr mode_t own = 0600;
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, stream, said.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     own);
  }
  std::error_code ignored;
  fs::remove(said, ignored);
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, ptxas.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 1;
  while (failed == 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return failed == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? content_of(said) : "";
}

struct Resources {
  int registers = 0;
  std::uint64_t spills = 0;
};

// "ptxas info : Compiling entry function 'NAME' for 'sm_80'", "N bytes stack frame, N bytes spill
// stores, N bytes spill loads", "Used N registers, ...".
void read_resources(const std::string& said, std::map<std::string, Resources>& to) {
  std::istringstream lines(said);
  Resources* current = nullptr;
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("Compiling entry function '"); at != std::string::npos) {
      const std::size_t begin = at + std::string_view("Compiling entry function '").size();
      current = &to[line.substr(begin, line.find('\'', begin) - begin)];
    }
    if (current == nullptr) continue;
    std::istringstream words(line);
    std::vector<std::string> all{std::istream_iterator<std::string>(words), {}};
    const auto number = [&](std::size_t i) {
      return i < all.size() ? std::strtoull(all[i].c_str(), nullptr, 10) : 0ULL;
    };
    for (std::size_t i = 0; i + 2 < all.size(); ++i) {
      if (all[i] == "Used" && all[i + 2].starts_with("registers")) {
        current->registers = static_cast<int>(number(i + 1));
      }
      if (all[i] == "bytes" && all[i + 1] == "spill" && i > 0) current->spills += number(i - 1);
    }
  }
}

void add_registers(Profile& profile, const std::string& program) {
  const std::optional<std::string> ptxas = find_ptxas();
  if (!ptxas) return;
  const softgpu::DeviceModel& device = device_of(profile);
  const int architecture = device.major * 10 + device.minor;
  TemporaryFolder folder;
  std::map<std::string, Resources> resources;
  for (const std::string& text : ptx_of(content_of(program), architecture)) {
    read_resources(ask_ptxas(*ptxas, folder.path(), text, architecture), resources);
  }
  for (Kernel& kernel : profile.kernels) {
    const auto found = resources.find(kernel.kernel);
    if (found == resources.end() || found->second.registers == 0) continue;
    kernel.registers = found->second.registers;
    kernel.registers_of_ptxas = true;
    kernel.spill_bytes = found->second.spills;
  }
}

}  // namespace

std::vector<std::string> source_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void complete_profile(Profile& profile, const std::string& program) {
  profile.program = program;
  add_source(profile);
  add_registers(profile, program);
}

Profile load_profile(const std::string& path) {
  try {
    Profile profile = softgpu::profile::read_profile(path);
    static_cast<void>(device_of(profile));
    return profile;
  } catch (const softgpu::profile::ProfileError& error) {
    throw InputError(error.what());
  }
}

}  // namespace tandem::program

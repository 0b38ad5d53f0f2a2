// A CUDA program that is to run on the software GPU: finding it, building it from its source, and
// running it as a child.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace tandem::program {

// The program that would run: the path itself, or the first of that name in PATH. Throws InputError
// where there is none.
[[nodiscard]] std::filesystem::path find_program(const std::string& name);

// A program with the runtime linked into itself would not look for ours, and would say that there
// is no CUDA driver; one that needs what the software GPU has not got fails somewhere. That is seen
// before it runs. Throws InputError.
void check_runtime(const std::filesystem::path& program);

// A folder for what is needed for one run, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() = default;
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  // Makes it where it is not there yet. Throws SystemError.
  [[nodiscard]] const std::filesystem::path& path();

 private:
  std::filesystem::path path_;
};

// For the program that runs next. Throws SystemError.
void set_variable(const char* name, const std::string& value);
// LD_LIBRARY_PATH with the software GPU's folder in front.
void lead_to_software_gpu();

// In a child: becomes the program.
[[noreturn]] void become_program(const std::filesystem::path& program,
                                 std::vector<std::string>& command);
// The status of a child that a shell would give.
[[nodiscard]] int wait_for_program(pid_t child);
// Runs the program as a child, and gives the status that a shell would. What it prints goes to
// standard error where `output_is_ours`, because standard output is for a result.
[[nodiscard]] int run_program(const std::filesystem::path& program,
                              std::vector<std::string>& command, bool output_is_ours = false);

}  // namespace tandem::program

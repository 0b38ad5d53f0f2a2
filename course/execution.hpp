// Cases of a challenge, run by compiled kernels in a process of their own.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "course/challenge.hpp"
#include "course/submission.hpp"

namespace tandem::course {

struct Machine {
  std::filesystem::path software_gpu;  // the folder with its libcudart.so.13 and run_kernels
  bool weakly = false;                 // also where kernels cannot be confined
  double seconds = 60;                 // of processor time, of one execution
  bool (*stopped)() = nullptr;
};

enum class Mode {
  plain,    // with zones around outputs that nobody may touch
  checked,  // under the checker
  profiled  // with counters
};

// What runs: kernels, and the lines that launch them.
struct Program {
  std::string ptx;
  std::string name;  // of the source, for messages
  std::vector<LaunchLine> launches;
};

// An error of the checker.
struct Finding {
  std::string kind;
  std::string kernel;
  std::string message;
  std::string file;
  int line = 0;
  std::string mend;
};

struct Execution {
  // Why it did not come to its end: a fault, a signal, the time. Empty where it did.
  std::string failed;
  bool late = false;
  std::size_t failed_case = static_cast<std::size_t>(-1);  // where one case failed
  std::string stray;                                       // of the first case with one
  std::string modified;                                    // the name of an input that was written
  std::vector<std::vector<Values>> outputs;                // of each case that ran
  std::vector<Finding> findings;
  std::string profile;  // JSON, as softgpu/profile reads it
};

// Runs the cases one after the other in one process. `schedule` draws the order of warps and
// blocks; 0: as they come. Throws SystemError where the process cannot be run, InputError for a
// launch line that makes no sense at these sizes.
[[nodiscard]] Execution execute(const Machine& machine, const Program& program,
                                const std::vector<Case>& cases, Mode mode, std::uint64_t schedule);

}  // namespace tandem::course

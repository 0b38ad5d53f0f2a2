// Options that a person sets by environment variables. They are read once, when first asked for; a
// value that makes no sense ends the program with status 2 and a message that lists the valid ones.
//
//   SOFTGPU_MODEL       a100, rtx4090, h100, a6000 or h200: the device to be (a100); a list
//                       such as a100,h100 gives devices 0, 1, ... different models, from the front
//                       again where there are more devices
//   SOFTGPU_DEVICES     number of devices, 1 to 64 (as many as SOFTGPU_MODEL names)
//   SOFTGPU_THREADS     cores that run blocks, 1 to 1024 (0: all that the process may use)
//   SOFTGPU_SIMD        auto, baseline, avx2 or avx512: the instruction set of the executor (auto)
//   SOFTGPU_SEED        a number: run warps and blocks in an order drawn by it (0: in order)
//   SOFTGPU_POISON      1: device memory is filled with a pattern when it is allocated and when it
//                       is freed (0; 1 where SOFTGPU_SEED is given and not 0)
//   SOFTGPU_STOP_AT_FAULT  1: a kernel's fault ends the process at once (0)
//   SOFTGPU_FAULT_STATUS   the exit status of a process in which a kernel faulted, where it would
//                       have been 0 (0; `tandem gpu run` sets 86)
//   SOFTGPU_JITTER      a number: move approximate results inside their documented bound, drawn by
//                       it (0: do not)
//   SOFTGPU_TIME_LIMIT  seconds that one kernel may run (0: no limit)
//   SOFTGPU_LAUNCH_WAIT seconds that a launch waits for a kernel none of whose blocks begins or
//                       ends, before it returns and the kernel goes on by itself (0.5)
//   SOFTGPU_COUNT       1: count what kernels do from the start, for the report too (0)
//   SOFTGPU_CHECK       1: kernels are checked while they run, see docs/kernel-lab.md (0); blocks
//                       then run on one core, whatever SOFTGPU_THREADS says
//   SOFTGPU_CHECK_JSON  a file that gets, at exit, what the checker found (none)
//   SOFTGPU_CHECK_SARIF the same in the format that code hosts read (none)
//   SOFTGPU_CHECK_ONLY  kinds of findings, or groups (memory, races, ...), by commas (all)
//   SOFTGPU_CHECK_SUPPRESS  a file of findings that are not kept: check/suppressions.hpp (none)
//   SOFTGPU_CHECK_KERNEL    check only launches of kernels with these names, separated by commas,
//                       without parameters; * and ? stand for any letters (all)
//   SOFTGPU_CHECK_LAUNCH    check only this launch of the program, counted from 1 (0: all)
//   SOFTGPU_CHECK_EARLIER   the SOFTGPU_CHECK_JSON of earlier runs of the program, whose findings
//                       are kept beside those of this one and not shown again (none)
//   SOFTGPU_REPORT      a file that gets, at exit, what each kernel's instructions were (none)
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace softgpu {

enum class SimdChoice { automatic, baseline, avx2, avx512 };

struct Options {
  std::vector<std::string> models{"a100"};  // never empty
  int devices = 1;
  int threads = 0;  // 0: all
  SimdChoice simd = SimdChoice::automatic;
  std::uint64_t seed = 0;
  bool poison = false;
  bool stop_at_fault = false;
  int fault_status = 0;
  std::uint64_t jitter = 0;
  double time_limit_seconds = 0;
  double launch_wait_seconds = 0.5;
  bool count = false;
  bool check = false;
  std::string check_json;  // empty: none
  std::string check_sarif;
  std::vector<std::string> check_only;  // empty: all
  std::string check_suppress;
  std::vector<std::string> check_kernels;  // patterns; empty: all
  std::uint64_t check_launch = 0;          // 0: all
  std::string check_earlier;
  std::string report;  // empty: none
};

class OptionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Reads the variables through `get`, which returns nullptr for one that is not set. Throws
// OptionError.
[[nodiscard]] Options read_options(const std::function<const char*(const char*)>& get);

// The options of this process.
[[nodiscard]] const Options& options();
// True once they have been read. What runs at the end of a process asks first: the process may be
// ending because they make no sense.
[[nodiscard]] bool options_are_read() noexcept;

}  // namespace softgpu

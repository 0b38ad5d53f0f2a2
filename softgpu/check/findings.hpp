// What the checker has found: grouped, explained, and shown at the end of the process.
#pragma once

#include <cstdint>
#include <string>

namespace softgpu::check {

enum class Kind {
  out_of_bounds,
  misaligned,
  use_after_free,
  invalid_free,
  leak,
  uninitialised,
  race,
  same_value_race,
  barrier_divergence,
  warp_mask,
  deadlock,
  unchecked_error,
  launch_failure,
  overlapping_copy,
  fault,
  schedule_dependent,
};

// A place in the program, of the kernel or of the host.
struct Site {
  std::string what;         // "write of 4 bytes", "was allocated": what happened there
  std::string file;         // of the source; empty where it is not known
  int line = 0;             // 0 where it is not known
  std::string text;         // the place as messages have it, with the PTX instruction
  bool of_toolkit = false;  // in a header that comes with CUDA; file and line are then the caller's
  std::string thread;       // "block (0,0,0) thread (1,0,0)"; empty for the host
};

struct Finding {
  Kind kind = Kind::fault;
  bool notice = false;       // worth a look, and no error
  bool ends_kernel = false;  // a fault
  std::string kernel;        // readable; empty for the host's
  std::string message;       // one sentence: what is wrong
  std::string memory;        // the memory that it concerns; may be empty
  Site at;
  Site other;                // the second place; its `what` is empty where there is none
  std::uint64_t launch = 0;  // the number of the kernel's launch, from 1; 0: of none
  std::uint64_t seed = 0;    // of the schedule; report() sets it
};

// Keeps the finding; one that has the kind, the kernel and the lines of an earlier one is counted
// as that one again. Returns quickly for those.
void report(Finding finding);
// True where there is one of this kind at these two places of the code already; the second time and
// later it is counted. `a` and `b` are numbers of places that the caller gives.
[[nodiscard]] bool is_known(Kind kind, std::uint32_t a, std::uint32_t b);

// A kernel's fault was among them.
[[nodiscard]] bool has_fault();
// Findings of this run that are errors.
[[nodiscard]] std::size_t error_count();

// Shows all findings on standard error and writes SOFTGPU_CHECK_JSON; once. Those of
// SOFTGPU_CHECK_EARLIER are not shown, and the findings of this run that equal one of them are
// counted there.
void show_findings();
// In a copy of the process, by fork: forgets the parent's.
void forget_findings();

}  // namespace softgpu::check

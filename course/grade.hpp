// The grade of a submission: right or not, why not, and what it costs against what it has to cost.
//
// Everything that is drawn is drawn after the submission was compiled, from one seed. It is run
//   - under the checker, on the challenge's awkward sizes, with whole numbers;
//   - twice more in drawn orders of warps and blocks, on awkward and on drawn sizes, with whole and
//     with real numbers, outputs filled with a pattern and surrounded by zones that nobody may
//     touch;
//   - once with counters, on the size at which the cost is counted.
// Outputs are compared in each of them, in this process; those that run kernels do not know what is
// right. The first thing that is wrong ends the grading.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "course/challenge.hpp"
#include "course/compile.hpp"
#include "course/execution.hpp"

namespace tandem::course {

// What was wrong first.
enum class Verdict {
  passed,
  not_compiled,  // or refused: no kernel, a file included
  not_launched,  // launch lines, signature
  fault,         // a kernel was stopped
  too_slow,      // the time was over
  wrong,         // other values than the reference
  stray_write,   // wrote beside its outputs
  input_changed,
  checker  // an error that the checker found, whatever the values were
};
[[nodiscard]] const char* name_of(Verdict verdict);

// Counted work, of all launches together.
struct Cost {
  double instructions = 0;  // of warps
  double sectors = 0;       // of global memory that the L1 cache did not have
  double l1_sectors = 0;    // that it had
  double wavefronts = 0;    // of shared memory
  double conflicts = 0;     // lanes of atomics that name the word of another lane of their warp
  double filled = 1;        // of the warps that an A100 issues for at once, the smallest launch's
  double total = 0;         // below
};

struct Estimated {
  std::string device;  // "a100"
  double seconds = 0;  // of all launches, by the estimate of docs/kernel-lab.md
};

struct Grade {
  std::string challenge;
  std::string submission;  // the name of its file
  std::uint64_t seed = 0;
  Verdict verdict = Verdict::passed;
  std::string reason;  // what was wrong, a sentence; empty where it passed
  std::string hint;    // what usually mends it; may be empty
  std::string place;   // "file:line"; may be empty
  std::string at;      // the case: its sizes and numbers
  int cases = 0;       // that were right
  Cost cost;
  double floor = 0;  // the cost of what has to be done
  double score = 0;  // 100 times floor over cost; 0 unless passed
  std::vector<Estimated> estimates;
};

// The cost of a number of bytes and flops that nobody avoids.
[[nodiscard]] double cost_of(const Floor& floor);
// The cost of a profile, JSON as softgpu/profile reads it: a warp's instruction 1, a sector of
// global memory 4, or 1 where the L1 cache has it, a wavefront of shared memory 1, an atomic that
// waits for another lane's 2; a launch with fewer warps than an A100 issues for at once costs as
// much more. Throws SystemError for what is no profile.
[[nodiscard]] Cost cost_of(const std::string& profile);

// Compiled kernels.
[[nodiscard]] Grade grade_program(const Challenge& challenge, const Program& program,
                                  std::uint64_t seed, const Machine& machine);
// A source. `seed` is drawn after compilation where it is not given.
[[nodiscard]] Grade grade_source(const Challenge& challenge, const std::string& source,
                                 const std::string& name, std::optional<std::uint64_t> seed,
                                 const Compiler& compiler, const Machine& machine);

}  // namespace tandem::course

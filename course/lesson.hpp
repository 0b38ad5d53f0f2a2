// A lesson: a ladder of kernels for one challenge, from naive to good, and the same work on the
// CPU.
//
// A lesson is two files of one stem beside a challenge of that stem: lessons/x_y.cu has the rungs,
// sections `//@ kernel NAME RULE IDEA` (submission.hpp), where RULE is what `tandem gpu explain`
// says of the rung first, and so the step to the next one, or - at the top; lessons/x_y.cpp defines
// make_x_y_lesson(). The build finds them by their names.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "course/challenge.hpp"
#include "course/compile.hpp"
#include "course/execution.hpp"
#include "course/grade.hpp"

namespace tandem::course {

// The same work on the CPU, the four ways in which it is compared with a GPU.
enum class Twin {
  naive,       // the loops as the definition has them, one thread
  one_thread,  // in an order that suits the caches, without vector instructions
  vectorised,  // the same with the vector instructions of this processor
  all_cores    // and on all cores that the process may use
};
inline constexpr std::array all_twins{Twin::naive, Twin::one_thread, Twin::vectorised,
                                      Twin::all_cores};
[[nodiscard]] const char* name_of(Twin twin);

struct Lesson {
  std::string name;
  std::string title;
  // Growing sizes, of which the table of rungs is made at `shown`; the others show where the GPU
  // overtakes.
  std::vector<Sizes> sizes;
  std::size_t shown = 0;
  Numbers numbers = Numbers::whole;
  // Works the outputs out. Their values at first are whatever the caller left there.
  void (*twin)(Twin twin, const Case& problem, std::vector<Values>& outputs) = nullptr;
  std::string source;  // of the file
};

[[nodiscard]] const std::vector<Lesson>& lessons();
// Throws InputError with the names that there are.
[[nodiscard]] const Lesson& find_lesson(std::string_view name);

struct Step {
  std::string rule;    // of explain()
  std::string what;    // what is there
  std::string change;  // what to do
  double at_most = 1;  // times as fast, by the estimate
  int line = 0;        // of the lesson's file; 0: none is meant
};

struct Rung {
  std::string name;
  std::string idea;
  std::string next;  // the rule that leads to the next rung, as the lesson has it; empty: none
  std::string source;
  Cost cost;
  double score = 0;   // as a grade's
  std::string bound;  // what the estimate of the slowest kernel is bound by
  std::vector<Estimated> estimates;
  std::vector<Step> steps;  // the most worthwhile first
};

struct Measured {
  Twin twin = Twin::naive;
  // The least of several runs: of one thread its processor time, of all cores the time on the wall.
  double seconds = 0;
  double busy = 1;  // time on the wall over processor time, of one thread
};

// The best rung and the best twins at one size.
struct Scale {
  Sizes sizes;
  double bytes = 0;                    // that inputs and outputs have together
  std::vector<Estimated> resident;     // data are on the device already
  std::vector<Estimated> transferred;  // inputs go there and outputs come back
  std::vector<Measured> measured;
};

// Where the device becomes faster than all cores of this machine, as sizes of the lesson's list.
struct Crossover {
  std::string device;
  bool transferred = false;
  // Index into `scales` of the first size from which on the device is faster; as many as there are:
  // never.
  std::size_t first = 0;
};

struct LessonResult {
  std::string name;
  std::string title;
  Sizes sizes;
  double floor = 0;
  std::vector<Rung> rungs;
  std::vector<Measured> measured;  // at the same sizes
  std::vector<Scale> scales;
  std::vector<Crossover> crossovers;
  int cores = 0;
  // The largest of the twins'. Where it is well above 1, other programs kept the cores busy, and
  // the times of all cores are too long.
  double busy = 1;
};

struct LessonOptions {
  bool scales = true;  // also at the other sizes
  std::uint64_t seed = 1;
  std::function<void(const std::string& what)> progress;
};

// Compiles, checks every rung and twin against the reference, counts, estimates and measures.
// Throws SystemError where the compiler or the software GPU cannot be run, and where a rung or twin
// is wrong: nothing wrong is counted.
[[nodiscard]] LessonResult run_lesson(const Lesson& lesson, const Compiler& compiler,
                                      const Machine& machine, const LessonOptions& options);

}  // namespace tandem::course

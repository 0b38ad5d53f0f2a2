#include "tandem/demo/ladder.hpp"

#include <nlohmann/json.hpp>

#include "course/lesson.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/software_gpu.hpp"
#include "tandem/core/text.hpp"
#include "tandem/course/lesson_text.hpp"
#include "tandem/demo/storybook.hpp"
#include "tandem/nvcc.hpp"

namespace tandem::program {
namespace {

constexpr const char* lesson_told = "transpose";

course::LessonResult run_told() {
  course::Compiler compiler;
  compiler.nvcc = find_nvcc();
  compiler.weakly = true;  // the lesson's kernels are Tandem's own
  compiler.stopped = [] { return interrupted(); };
  course::Machine machine;
  machine.software_gpu = software_gpu::folder();
  machine.weakly = true;
  machine.seconds = 300;
  machine.stopped = compiler.stopped;
  course::LessonOptions how;
  how.scales = false;
  how.progress = [](const std::string&) { check_interrupt(); };
  return course::run_lesson(course::find_lesson(lesson_told), compiler, machine, how);
}

void tell(report::Page& page, const course::LessonResult& result) {
  page.paragraph(
      "Turning a matrix of 1,024 by 1,024 numbers around is no arithmetic at all, and yet there is "
      "a slow and a fast way on a GPU. Each step below is a kernel of a few lines; it was "
      "compiled, "
      "checked against the plain loops, and then counted, since a count does not depend on the "
      "machine: the pieces of 32 bytes that memory has to hand over, and the turns that shared "
      "memory takes.");
  page.command(std::string("tandem lesson ") + lesson_told);
  std::vector<std::vector<std::string>> rows{
      {"kernel", "idea", "pieces of memory", "turns of shared memory", "A100, estimate in us"}};
  for (const course::Rung& rung : result.rungs) {
    std::string estimate = "-";
    for (const course::Estimated& one : rung.estimates) {
      if (one.device == "a100") estimate = significant(1e6 * one.seconds, 3);
    }
    rows.push_back({rung.name, rung.idea, fixed(rung.cost.sectors, 0),
                    fixed(rung.cost.wavefronts, 0), estimate});
  }
  page.table(rows);
  for (const course::Rung& rung : result.rungs) {
    if (rung.steps.empty()) continue;
    page.paragraph("What tandem gpu explain says of " + rung.name + ": " + rung.steps.front().what +
                   " " + rung.steps.front().change);
  }
}

}  // namespace

void add_ladder(report::Page& page, nlohmann::json& figures) {
  page.section("", "A kernel in three steps");
  figures["ladder"] = nullptr;
  try {
    const course::LessonResult result = run_told();
    tell(page, result);
    figures["ladder"] = lesson_json(result);
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    page.paragraph("Left out: " + error.spelled(Spelling()));
  }
}

}  // namespace tandem::program

#include "course/lesson.hpp"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "course/lesson_table.hpp"
#include "course/twins.hpp"
#include "softgpu/models.hpp"
#include "softgpu/profile/costs.hpp"
#include "softgpu/profile/explain.hpp"
#include "softgpu/profile/profile.hpp"
#include "tandem/core/error.hpp"

namespace tandem::course {
namespace {

using softgpu::profile::Kernel;
using softgpu::profile::Profile;

const softgpu::DeviceModel& shown_device() { return *softgpu::find_device_model("a100"); }

void say(const LessonOptions& options, const std::string& what) {
  if (options.progress) options.progress(what);
}

// One run of a rung, whose outputs are right.
std::string profile_of(const Challenge& challenge, const Machine& machine, const Program& program,
                       const Case& problem) {
  const std::vector<Case> cases{problem};
  const Execution run = execute(machine, program, cases, Mode::profiled, 0);
  std::string wrong = run.failed;
  if (wrong.empty()) {
    wrong = wrong_with(challenge, problem, run.outputs.at(0)).value_or("");
  }
  if (!wrong.empty()) {
    throw SystemError(program.name + " at " + text_of(problem.sizes) + ": " + wrong);
  }
  return run.profile;
}

std::vector<Estimated> estimates_of(const Profile& profile) {
  std::vector<Estimated> all;
  for (const softgpu::DeviceModel& device : softgpu::device_models()) {
    double seconds = 0;
    for (const Kernel& kernel : profile.kernels) {
      seconds +=
          softgpu::profile::estimate(kernel, device).seconds * static_cast<double>(kernel.launches);
    }
    all.push_back({std::string(device.key), seconds});
  }
  return all;
}

// What explain() says of the kernel that takes the longest. A lesson's problem is small, so that
// the software GPU is soon through with it, and fills no device: that there is too little work says
// something of a kernel only where its threads have many elements each.
void explain_rung(const Profile& profile, const Case& problem, Rung& rung) {
  constexpr std::uint64_t many = 16;
  std::uint64_t elements = 0;
  for (const Argument& argument : problem.arguments) {
    elements = std::max(elements, static_cast<std::uint64_t>(size_of(argument.values)));
  }
  double most = -1;
  for (const Kernel& kernel : profile.kernels) {
    const auto explanation = softgpu::profile::explain(kernel, shown_device());
    const double seconds = explanation.now.seconds * static_cast<double>(kernel.launches);
    if (seconds <= most) continue;
    most = seconds;
    rung.bound = explanation.now.bound_meaning;
    rung.steps.clear();
    const std::uint64_t threads = kernel.blocks() * kernel.threads();
    for (const auto& advice : explanation.advice) {
      if (advice.rule == "too-little-work" && threads * many >= elements) continue;
      rung.steps.push_back({std::string(advice.rule), advice.what, std::string(advice.change),
                            advice.at_most, advice.line});
    }
  }
}

double transferred_bytes(const Case& problem) {
  double bytes = 0;
  for (const Argument& argument : problem.arguments) {
    if (argument.role == Argument::Role::input || argument.role == Argument::Role::output) {
      bytes += 4 * static_cast<double>(size_of(argument.values));
    }
  }
  return bytes;
}

std::vector<Values> empty_outputs(const Case& problem) {
  std::vector<Values> outputs;
  for (const Argument& argument : problem.arguments) {
    if (argument.role == Argument::Role::output) outputs.push_back(argument.values);
  }
  return outputs;
}

double thread_seconds() {
  timespec now{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The least of several runs, after one that is checked.
Measured measure(const Lesson& lesson, const Challenge& challenge, Twin twin, const Case& problem,
                 const Machine& machine) {
  std::vector<Values> outputs = empty_outputs(problem);
  lesson.twin(twin, problem, outputs);
  if (const auto wrong = wrong_with(challenge, problem, outputs)) {
    throw SystemError(lesson.name + ", " + name_of(twin) + " on the CPU: " + *wrong);
  }
  Measured measured{twin, std::numeric_limits<double>::infinity(), 1};
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  constexpr int least_runs = 3;
  constexpr int most_runs = 200;
  constexpr double enough_seconds = 0.1;
  double wall = std::numeric_limits<double>::infinity();
  double processor = wall;
  for (int run = 0; run < most_runs; ++run) {
    const double processor_start = thread_seconds();
    const auto start = Clock::now();
    lesson.twin(twin, problem, outputs);
    const auto end = Clock::now();
    processor = std::min(processor, thread_seconds() - processor_start);
    wall = std::min(wall, std::chrono::duration<double>(end - start).count());
    const double all = std::chrono::duration<double>(end - begin).count();
    if (run + 1 >= least_runs && all > enough_seconds) break;
    if (machine.stopped != nullptr && machine.stopped())
      throw Interrupted("stopped because an interrupt was received");
  }
  // What one thread does is timed by its own clock, which stands still while other programs run.
  measured.seconds = twin == Twin::all_cores ? wall : processor;
  measured.busy = twin == Twin::all_cores ? 1 : wall / processor;
  return measured;
}

std::vector<Measured> measure_all(const Lesson& lesson, const Challenge& challenge,
                                  const Case& problem, const Machine& machine) {
  std::vector<Measured> all;
  for (const Twin twin : all_twins) {
    all.push_back(measure(lesson, challenge, twin, problem, machine));
  }
  return all;
}

double cores_seconds(const std::vector<Measured>& measured) {
  double seconds = std::numeric_limits<double>::infinity();
  // More threads are slower where there is little to do: then one does it.
  for (const Measured& one : measured) seconds = std::min(seconds, one.seconds);
  return seconds;
}

std::vector<Crossover> crossovers_of(const std::vector<Scale>& scales) {
  std::vector<Crossover> all;
  for (const bool transferred : {false, true}) {
    for (std::size_t d = 0; !scales.empty() && d < scales.front().resident.size(); ++d) {
      std::size_t first = scales.size();
      for (std::size_t i = scales.size(); i-- > 0;) {
        const auto& times = transferred ? scales[i].transferred : scales[i].resident;
        if (times[d].seconds >= cores_seconds(scales[i].measured)) break;
        first = i;
      }
      all.push_back({scales.front().resident[d].device, transferred, first});
    }
  }
  return all;
}

}  // namespace

const char* name_of(Twin twin) {
  switch (twin) {
    case Twin::naive: return "naive";
    case Twin::one_thread: return "one thread";
    case Twin::vectorised: return "vectorised";
    case Twin::all_cores: return "all cores";
  }
  return "?";
}

const std::vector<Lesson>& lessons() {
  static const std::vector<Lesson> all = make_lessons();
  return all;
}

const Lesson& find_lesson(std::string_view name) {
  std::string names;
  for (const Lesson& lesson : lessons()) {
    if (lesson.name == name) return lesson;
    names += (names.empty() ? "" : ", ") + lesson.name;
  }
  throw InputError("unknown lesson '" + std::string(name) + "'; expected one of " + names);
}

LessonResult run_lesson(const Lesson& lesson, const Compiler& compiler, const Machine& machine,
                        const LessonOptions& options) {
  const Challenge& challenge = find_challenge(lesson.name);
  const std::string file = lesson.name + ".cu";
  LessonResult result;
  result.name = lesson.name;
  result.title = lesson.title;
  result.sizes = lesson.sizes.at(lesson.shown);
  result.floor = cost_of(challenge.floor(result.sizes));
  result.cores = cores();
  say(options, "compiles");
  const Compiled compiled = compile_kernels(compiler, lesson.source, file);
  if (compiled.ptx.empty()) throw SystemError(file + " does not compile: " + compiled.messages);

  Draw draw(options.seed);
  std::vector<Case> small;
  for (const Sizes& sizes : challenge.awkward) {
    small.push_back(challenge.make(sizes, Numbers::whole, draw));
    small.push_back(challenge.make(sizes, Numbers::real, draw));
  }
  const Case shown = challenge.make(result.sizes, lesson.numbers, draw);
  Program best;
  for (const Section& section : read_sections(lesson.source, file)) {
    if (section.name.empty()) continue;
    say(options, section.name);
    const Program program{compiled.ptx, file, section.launches};
    const Execution checked = execute(machine, program, small, Mode::checked, 0);
    std::string wrong = checked.failed;
    if (!checked.findings.empty()) wrong = checked.findings.front().message;
    for (std::size_t i = 0; wrong.empty() && i < small.size(); ++i) {
      wrong = wrong_with(challenge, small[i], checked.outputs[i]).value_or("");
    }
    if (!wrong.empty()) throw SystemError(file + ", " + section.name + ": " + wrong);

    Rung rung;
    rung.name = section.name;
    const auto blank = section.text.find(' ');
    rung.next = section.text.substr(0, blank);
    if (rung.next == "-") rung.next.clear();
    if (blank != std::string::npos) rung.idea = section.text.substr(blank + 1);
    rung.source = section.source;
    const std::string text = profile_of(challenge, machine, program, shown);
    const Profile profile = softgpu::profile::from_json(nlohmann::ordered_json::parse(text));
    rung.cost = cost_of(text);
    rung.score = 100 * result.floor / std::max(rung.cost.total, 1.0);
    rung.estimates = estimates_of(profile);
    explain_rung(profile, shown, rung);
    result.rungs.push_back(std::move(rung));
    best = program;
  }
  say(options, "measures the CPU");
  result.measured = measure_all(lesson, challenge, shown, machine);
  for (const Measured& one : result.measured) result.busy = std::max(result.busy, one.busy);
  if (!options.scales) return result;
  for (const Sizes& sizes : lesson.sizes) {
    say(options, text_of(sizes));
    const Case problem = challenge.make(sizes, lesson.numbers, draw);
    Scale scale;
    scale.sizes = sizes;
    scale.bytes = transferred_bytes(problem);
    const std::string text = profile_of(challenge, machine, best, problem);
    scale.resident = estimates_of(softgpu::profile::from_json(nlohmann::ordered_json::parse(text)));
    for (const Estimated& one : scale.resident) {
      const auto& costs = softgpu::profile::costs_of(one.device);
      scale.transferred.push_back(
          {one.device, one.seconds + scale.bytes / costs.bus_bytes_per_second});
    }
    scale.measured = measure_all(lesson, challenge, problem, machine);
    result.scales.push_back(std::move(scale));
  }
  result.crossovers = crossovers_of(result.scales);
  return result;
}

}  // namespace tandem::course

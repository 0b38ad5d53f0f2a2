#include "course/grade.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "softgpu/models.hpp"
#include "softgpu/profile/estimate.hpp"
#include "softgpu/profile/profile.hpp"
#include "tandem/core/error.hpp"

namespace tandem::course {
namespace {

softgpu::profile::Profile read(const std::string& text) {
  try {
    return softgpu::profile::from_json(nlohmann::ordered_json::parse(text));
  } catch (const nlohmann::json::exception&) {
  } catch (const softgpu::profile::ProfileError&) {
  }
  throw SystemError("the process that ran the kernels has left no profile");
}

std::string described(const Case& problem) {
  return text_of(problem.sizes) +
         (problem.numbers == Numbers::whole ? ", whole numbers" : ", real numbers");
}

// A random number that no submission can have known.
std::uint64_t fresh_seed() {
  std::random_device device;
  // 53 bits: what JSON keeps.
  return ((std::uint64_t{device()} << 32U) | device()) & ((std::uint64_t{1} << 53U) - 1);
}

void set_wrong(Grade& grade, Verdict verdict, std::string reason, const std::string& at) {
  grade.verdict = verdict;
  grade.reason = std::move(reason);
  grade.at = at;
}

Verdict verdict_of_failure(const Execution& execution) {
  if (execution.late) return Verdict::too_slow;
  for (const char* words :
       {"there is no kernel", "are not those of the signature", "more parameters than",
        "the launch of", "does not load", "bytes of shared memory"}) {
    if (execution.failed.find(words) != std::string::npos) return Verdict::not_launched;
  }
  return Verdict::fault;
}

// Looks at one execution; false where something was wrong.
bool looks_right(const Challenge& challenge, const std::vector<Case>& cases,
                 const Execution& execution, Grade& grade) {
  // An error of the checker explains more than the fault that it becomes, or the wrong values.
  if (!execution.findings.empty()) {
    const Finding& finding = execution.findings.front();
    set_wrong(
        grade, Verdict::checker,
        (finding.message.starts_with(finding.kind) ? "" : finding.kind + ": ") + finding.message,
        "");
    grade.hint = finding.mend;
    if (!finding.file.empty()) grade.place = finding.file + ":" + std::to_string(finding.line);
    return false;
  }
  if (!execution.failed.empty()) {
    const std::string at = execution.failed_case < cases.size()
                               ? described(cases[execution.failed_case])
                               : std::string();
    set_wrong(grade, verdict_of_failure(execution), execution.failed, at);
    return false;
  }
  if (!execution.stray.empty()) {
    set_wrong(grade, Verdict::stray_write, "something was written " + execution.stray, "");
    return false;
  }
  if (!execution.modified.empty()) {
    set_wrong(grade, Verdict::input_changed, "the input " + execution.modified + " was written to",
              "");
    return false;
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (auto wrong = wrong_with(challenge, cases[i], execution.outputs[i])) {
      set_wrong(grade, Verdict::wrong, std::move(*wrong), described(cases[i]));
      return false;
    }
    ++grade.cases;
  }
  return true;
}

}  // namespace

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return "passed";
    case Verdict::not_compiled: return "not-compiled";
    case Verdict::not_launched: return "not-launched";
    case Verdict::fault: return "fault";
    case Verdict::too_slow: return "too-slow";
    case Verdict::wrong: return "wrong";
    case Verdict::stray_write: return "stray-write";
    case Verdict::input_changed: return "input-changed";
    case Verdict::checker: return "checker";
  }
  return "?";
}

constexpr double sector_cost = 4;
constexpr double sector_bytes = 32;

double cost_of(const Floor& floor) {
  // Bytes in whole sectors, by instructions whose 32 lanes move 16 bytes each; flops by 32 lanes
  // that multiply and add.
  return sector_cost * floor.bytes / sector_bytes + floor.bytes / (32 * 16) + floor.flops / 64;
}

Cost cost_of(const std::string& profile) {
  // The four schedulers of 108 multiprocessors.
  constexpr double warps_at_once = 432;
  Cost cost;
  for (const softgpu::profile::Kernel& kernel : read(profile).kernels) {
    const softgpu::profile::Counters& c = kernel.counters;
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    const double instructions = number(c.warp_instructions());
    double sectors = 0;
    double hits = 0;
    for (const auto* requests :
         {&c.global_load, &c.global_store, &c.global_atomic, &c.local_load, &c.local_store}) {
      const double in_l1 = std::min(number(requests->l1_hits), number(requests->sectors));
      sectors += number(requests->sectors) - in_l1;
      hits += in_l1;
    }
    const double wavefronts =
        number(c.shared_load.wavefronts + c.shared_store.wavefronts + c.shared_atomic.wavefronts);
    const double conflicts = number(c.atomic_conflicts);
    const double warps = number(kernel.blocks() * kernel.warps_per_block());
    const double filled = std::min(1.0, warps / warps_at_once);
    cost.instructions += instructions;
    cost.sectors += sectors;
    cost.l1_sectors += hits;
    cost.wavefronts += wavefronts;
    cost.conflicts += conflicts;
    cost.filled = std::min(cost.filled, filled);
    cost.total +=
        (instructions + sector_cost * sectors + hits + wavefronts + 2 * conflicts) / filled;
  }
  return cost;
}

Grade grade_program(const Challenge& challenge, const Program& program, std::uint64_t seed,
                    const Machine& machine) {
  Grade grade;
  grade.challenge = challenge.name;
  grade.submission = program.name;
  grade.seed = seed;
  Draw draw(seed);
  std::vector<Case> small;
  for (const Sizes& sizes : challenge.awkward) {
    small.push_back(challenge.make(sizes, Numbers::whole, draw));
  }
  std::vector<Case> all;
  for (const Sizes& sizes : challenge.awkward) {
    all.push_back(challenge.make(sizes, Numbers::real, draw));
  }
  for (const Numbers numbers : {Numbers::whole, Numbers::real, Numbers::whole}) {
    all.push_back(challenge.make(drawn_sizes(challenge, draw), numbers, draw));
  }
  const std::vector<Case> scored{challenge.make(challenge.scored, Numbers::whole, draw)};
  const std::uint64_t first_order = 1 + draw.bits() % 1000000;
  const std::uint64_t second_order = 1 + draw.bits() % 1000000;
  try {
    const Execution checked = execute(machine, program, small, Mode::checked, 0);
    if (!looks_right(challenge, small, checked, grade)) return grade;
    for (const std::uint64_t order : {first_order, second_order}) {
      const Execution plain = execute(machine, program, all, Mode::plain, order);
      if (!looks_right(challenge, all, plain, grade)) return grade;
    }
    const Execution profiled = execute(machine, program, scored, Mode::profiled, 0);
    if (!looks_right(challenge, scored, profiled, grade)) return grade;
    grade.cost = cost_of(profiled.profile);
    grade.floor = cost_of(challenge.floor(challenge.scored));
    grade.score = std::min(100.0, 100 * grade.floor / std::max(grade.cost.total, 1.0));
    const softgpu::profile::Profile profile = read(profiled.profile);
    for (const softgpu::DeviceModel& device : softgpu::device_models()) {
      double seconds = 0;
      for (const softgpu::profile::Kernel& kernel : profile.kernels) {
        seconds += softgpu::profile::estimate(kernel, device).seconds *
                   static_cast<double>(kernel.launches);
      }
      grade.estimates.push_back({std::string(device.key), seconds});
    }
  } catch (const InputError& error) {  // a launch line at these sizes
    set_wrong(grade, Verdict::not_launched, error.what(), "");
  }
  return grade;
}

Grade grade_source(const Challenge& challenge, const std::string& source, const std::string& name,
                   std::optional<std::uint64_t> seed, const Compiler& compiler,
                   const Machine& machine) {
  Grade grade;
  grade.challenge = challenge.name;
  grade.submission = name;
  Program program{{}, name, {}};
  try {
    const std::vector<Section> sections = read_sections(source, name);
    if (sections.size() > 1) {
      throw InputError(name + ":" + std::to_string(sections[1].line) +
                       ": //@ kernel is for lessons; a submission has //@ launch lines only");
    }
    program.launches = sections.front().launches;
    if (program.launches.empty()) {
      throw InputError(name + ": has no line //@ launch KERNEL grid=... block=...");
    }
  } catch (const InputError& error) {
    set_wrong(grade, Verdict::not_launched, error.what(), "");
    return grade;
  }
  const Compiled compiled = compile_kernels(compiler, source, name);
  if (compiled.ptx.empty()) {
    constexpr std::size_t most_message = 4000;
    set_wrong(grade, Verdict::not_compiled, compiled.messages.substr(0, most_message), "");
    return grade;
  }
  program.ptx = compiled.ptx;
  return grade_program(challenge, program, seed.has_value() ? *seed : fresh_seed(), machine);
}

}  // namespace tandem::course

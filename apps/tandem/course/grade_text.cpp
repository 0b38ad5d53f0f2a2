#include "tandem/course/grade_text.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "course/confine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"

namespace tandem::program {

namespace fs = std::filesystem;
using course::Grade;
using course::Verdict;

namespace {

std::string short_time(double seconds) {
  return seconds < 1e-3 ? significant(seconds * 1e6, 3) + " µs"
                        : significant(seconds * 1e3, 3) + " ms";
}

}  // namespace

std::string verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return "passed";
    case Verdict::not_compiled: return "does not compile";
    case Verdict::not_launched: return "cannot be launched";
    case Verdict::fault: return "was stopped";
    case Verdict::too_slow: return "takes too long";
    case Verdict::wrong: return "wrong values";
    case Verdict::stray_write: return "writes outside";
    case Verdict::input_changed: return "changes its input";
    case Verdict::checker: return "the checker found an error";
  }
  return "?";
}

std::string grade_text(const Grade& grade) {
  const std::size_t width = terminal_width();
  std::string text =
      grade.challenge + ", " + grade.submission + ": " + verdict_text(grade.verdict) + "\n";
  const auto part = [&](const std::string& name, const std::string& what) {
    if (!what.empty()) text += definition(name, what, width, 12);
  };
  if (grade.verdict == Verdict::not_compiled) {
    text += grade.reason;
    if (!text.ends_with('\n')) text += '\n';
    return text;
  }
  part("because", grade.reason);
  part("at", grade.at);
  part("line", grade.place);
  part("mend", grade.hint);
  if (grade.verdict == Verdict::passed) {
    const course::Cost& cost = grade.cost;
    text += "  score     " + significant(grade.score, 3) + " of 100: the least cost, " +
            readable(grade.floor) + ", over its own, " + readable(cost.total) + "\n";
    part("counted", readable(cost.instructions) + " warp instructions, " + readable(cost.sectors) +
                        " sectors of global memory and " + readable(cost.l1_sectors) +
                        " from the L1 cache, " + readable(cost.wavefronts) +
                        " wavefronts of shared memory, " + readable(cost.conflicts) +
                        " atomics that wait" +
                        (cost.filled < 1 ? "; a launch fills " + significant(100 * cost.filled, 2) +
                                               " % of the warps that an A100 issues for at once"
                                         : ""));
    std::vector<std::string> times;
    for (const course::Estimated& one : grade.estimates) {
      times.push_back(one.device + " " + short_time(one.seconds));
    }
    part("estimate", joined(times) + " (estimates, not measured)");
  }
  if (grade.seed != 0 || grade.verdict == Verdict::passed) {
    part("seed", std::to_string(grade.seed) + ": --seed repeats this grading");
  }
  return text;
}

nlohmann::json grade_json(const Grade& grade) {
  nlohmann::json json{{"challenge", grade.challenge},
                      {"submission", grade.submission},
                      {"seed", grade.seed},
                      {"verdict", course::name_of(grade.verdict)},
                      {"passed", grade.verdict == Verdict::passed},
                      {"reason", grade.reason},
                      {"hint", grade.hint},
                      {"place", grade.place},
                      {"at", grade.at},
                      {"cases_right", grade.cases},
                      {"score", grade.score},
                      {"floor", grade.floor}};
  json["cost"] = {{"instructions", grade.cost.instructions},
                  {"sectors", grade.cost.sectors},
                  {"l1_sectors", grade.cost.l1_sectors},
                  {"wavefronts", grade.cost.wavefronts},
                  {"conflicts", grade.cost.conflicts},
                  {"filled", grade.cost.filled},
                  {"total", grade.cost.total}};
  json["estimates"] = nlohmann::json::array();
  for (const course::Estimated& one : grade.estimates) {
    json["estimates"].push_back({{"device", one.device}, {"seconds", one.seconds}});
  }
  return json;
}

nlohmann::json confinement_json() {
  const course::Confinement& available = course::available_confinement();
  return {{"limits", true},
          {"calls", true},
          {"files", available.files},
          {"namespaces", available.namespaces}};
}

std::string read_submission(const std::string& path) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {
    throw InputError(path + ": no such file; expected a CUDA source");
  }
  constexpr std::uintmax_t most = std::uintmax_t{1} << 20U;
  if (fs::file_size(path, error) > most) {
    throw InputError(path + ": is longer than 1 MiB, which no kernel of a course is");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace tandem::program

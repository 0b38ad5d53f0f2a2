#include "tandem/course/lesson_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "tandem/core/text.hpp"
#include "tandem/gpu/numbers.hpp"
#include "tandem/output.hpp"

namespace tandem::program {
namespace {

using course::Crossover;
using course::Estimated;
using course::LessonResult;
using course::Measured;
using course::Rung;
using course::Scale;

std::string number(double value) {
  return value < 1000 ? significant(value, 3)
                      : grouped(static_cast<std::uint64_t>(std::llround(value)));
}
std::string count(double value) { return grouped(static_cast<std::uint64_t>(std::llround(value))); }
std::string microseconds(double seconds) { return number(seconds * 1e6); }
std::string times(double many) { return many < 10 ? significant(many, 2) : number(many); }

// Above this the machine was busy with other work.
constexpr double much_busy = 1.3;

std::vector<std::vector<std::string>> rung_rows(const LessonResult& result) {
  std::vector<std::vector<std::string>> rows{
      {"kernel", "instructions", "sectors", "wavefronts", "score"}};
  if (!result.rungs.empty()) {
    for (const Estimated& one : result.rungs.front().estimates) rows[0].push_back(one.device);
  }
  for (const Rung& rung : result.rungs) {
    rows.push_back({rung.name, count(rung.cost.instructions), count(rung.cost.sectors),
                    count(rung.cost.wavefronts), significant(rung.score, 3)});
    for (const Estimated& one : rung.estimates) rows.back().push_back(microseconds(one.seconds));
  }
  return rows;
}

std::vector<std::vector<std::string>> twin_rows(const LessonResult& result) {
  const std::vector<Estimated>& best = result.rungs.back().estimates;
  std::vector<std::vector<std::string>> rows{{"CPU", "µs"}};
  for (const Estimated& device : best) rows[0].push_back("over " + device.device);
  for (const Measured& one : result.measured) {
    rows.push_back({course::name_of(one.twin), microseconds(one.seconds)});
    for (const Estimated& device : best) {
      rows.back().push_back(times(one.seconds / device.seconds));
    }
  }
  return rows;
}

std::vector<std::vector<std::string>> scale_rows(const LessonResult& result) {
  std::vector<std::vector<std::string>> rows{{"size", "CPU, best"}};
  if (!result.scales.empty()) {
    for (const Estimated& one : result.scales.front().resident) {
      rows[0].push_back(one.device);
      rows[0].push_back("and copies");
    }
  }
  for (const Scale& scale : result.scales) {
    const auto least = std::ranges::min_element(scale.measured, {}, &Measured::seconds);
    rows.push_back({course::text_of(scale.sizes), microseconds(least->seconds)});
    for (std::size_t d = 0; d < scale.resident.size(); ++d) {
      rows.back().push_back(microseconds(scale.resident[d].seconds));
      rows.back().push_back(microseconds(scale.transferred[d].seconds));
    }
  }
  return rows;
}

std::string crossover_text(const LessonResult& result, const Crossover& crossover) {
  const std::string who =
      crossover.device +
      (crossover.transferred ? ", copies to and from it included, " : ", data on the device, ");
  if (crossover.first >= result.scales.size()) {
    return who + "is not faster at any of these sizes";
  }
  const std::string at = course::text_of(result.scales[crossover.first].sizes);
  if (crossover.first == 0) return who + "is faster from the smallest of these sizes on, " + at;
  return who + "is faster from " + at + " on, and not yet at " +
         course::text_of(result.scales[crossover.first - 1].sizes);
}

std::string step_text(const Rung& rung) {
  if (rung.steps.empty()) return "nothing stands out";
  const course::Step& step = rung.steps.front();
  return step.rule + ": " + step.what + " " + step.change + " At most " + times(step.at_most) +
         " times as fast (estimate).";
}

constexpr std::string_view about_times =
    "Times of devices are estimates by the model of docs/kernel-lab.md, in microseconds; those of "
    "the CPU are measured on this machine, the least of several runs.";

std::string about_cores(const LessonResult& result) {
  std::string text = counted(result.cores, "core");
  if (result.busy > much_busy) {
    text += ", busy with other programs meanwhile: the time of all cores is too long";
  }
  return text;
}

}  // namespace

std::string lesson_text(const LessonResult& result) {
  const std::size_t width = terminal_width();
  std::string text = result.title + "\n" + course::text_of(result.sizes) + "\n\n";
  for (const Rung& rung : result.rungs) {
    text += definition(rung.name, rung.idea, width, 16);
  }
  text += "\n" + table(rung_rows(result));
  text += "\n" + wrapped(about_times, width);
  text += "\nFrom step to step, as tandem gpu explain says it of each kernel:\n";
  for (const Rung& rung : result.rungs) text += definition(rung.name, step_text(rung), width, 16);
  text += "\nThe same on the CPU, " + about_cores(result) + "\n" + table(twin_rows(result));
  if (!result.scales.empty()) {
    text += "\nWho is faster when, in microseconds\n" + table(scale_rows(result)) + "\n";
    for (const Crossover& one : result.crossovers) {
      text += wrapped("  " + crossover_text(result, one), width, 4);
    }
  }
  return text;
}

nlohmann::json lesson_json(const LessonResult& result) {
  const auto estimates = [](const std::vector<Estimated>& all) {
    nlohmann::json json = nlohmann::json::array();
    for (const Estimated& one : all) {
      json.push_back({{"device", one.device}, {"seconds", one.seconds}});
    }
    return json;
  };
  const auto measured = [](const std::vector<Measured>& all) {
    nlohmann::json json = nlohmann::json::array();
    for (const Measured& one : all) {
      json.push_back({{"twin", course::name_of(one.twin)}, {"seconds", one.seconds}});
    }
    return json;
  };
  nlohmann::json json{{"name", result.name},
                      {"title", result.title},
                      {"sizes", result.sizes},
                      {"floor", result.floor},
                      {"cores", result.cores},
                      {"busy", result.busy},
                      {"measured", measured(result.measured)},
                      {"rungs", nlohmann::json::array()},
                      {"scales", nlohmann::json::array()},
                      {"crossovers", nlohmann::json::array()}};
  for (const Rung& rung : result.rungs) {
    nlohmann::json steps = nlohmann::json::array();
    for (const course::Step& step : rung.steps) {
      steps.push_back({{"rule", step.rule},
                       {"what", step.what},
                       {"change", step.change},
                       {"at_most", step.at_most},
                       {"line", step.line}});
    }
    json["rungs"].push_back({{"name", rung.name},
                             {"idea", rung.idea},
                             {"next", rung.next},
                             {"source", rung.source},
                             {"instructions", rung.cost.instructions},
                             {"sectors", rung.cost.sectors},
                             {"wavefronts", rung.cost.wavefronts},
                             {"cost", rung.cost.total},
                             {"score", rung.score},
                             {"bound", rung.bound},
                             {"estimates", estimates(rung.estimates)},
                             {"steps", steps}});
  }
  for (const Scale& scale : result.scales) {
    json["scales"].push_back({{"sizes", scale.sizes},
                              {"bytes", scale.bytes},
                              {"resident", estimates(scale.resident)},
                              {"transferred", estimates(scale.transferred)},
                              {"measured", measured(scale.measured)}});
  }
  for (const Crossover& one : result.crossovers) {
    const bool ever = one.first < result.scales.size();
    json["crossovers"].push_back(
        {{"device", one.device},
         {"transferred", one.transferred},
         {"from", ever ? nlohmann::json(result.scales[one.first].sizes) : nlohmann::json()}});
  }
  return json;
}

report::Page lesson_page(const LessonResult& result, const std::string& command) {
  report::Page page(result.title, course::text_of(result.sizes));
  page.section("1", "The ladder");
  page.table(
      rung_rows(result),
      "Counted work of each kernel, its score against the least that has to be done, and the "
      "estimated time in microseconds.");
  page.paragraph(about_times);
  page.command(command);
  int number = 2;
  for (const Rung& rung : result.rungs) {
    page.section(std::to_string(number++), rung.name + ": " + rung.idea);
    page.preformatted(rung.source);
    page.paragraph("tandem gpu explain: " + step_text(rung));
  }
  page.section(std::to_string(number++), "The same on the CPU");
  page.table(twin_rows(result), "Measured on this machine with " + about_cores(result) +
                                    "; the last column compares with estimates.");
  if (!result.scales.empty()) {
    page.section(std::to_string(number), "Who is faster when");
    page.table(scale_rows(result), "Microseconds: the CPU's measured, the devices' estimated.");
    std::string list = "<ul>";
    for (const Crossover& one : result.crossovers) {
      list += "<li>" + report::escape(crossover_text(result, one)) + "</li>";
    }
    page.html(list + "</ul>\n");
  }
  page.footer("tandem lesson " + result.name);
  return page;
}

}  // namespace tandem::program

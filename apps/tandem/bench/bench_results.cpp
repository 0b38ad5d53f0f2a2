#include "tandem/bench/bench_results.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "tandem/config.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"

namespace tandem::program {
namespace {

std::string two_digits(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : "%.1f", value);
  return text;
}

// Three digits, however short the time.
std::string seconds_text(double seconds) { return significant(seconds, 3); }

std::string percent_of(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", 100 * share);
  return text;
}

constexpr std::string_view about_limits =
    "The limit is the share of the machine's measured rate that the plain method's operations or "
    "bytes make; a program that skips work which it can prove needless may show more than 100 %.";

std::string measured_name(Measured measured) {
  return measured == Measured::fit ? "fit" : "predict";
}

nlohmann::json number_or_null(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json json_of(const ArmRuns& arm) {
  nlohmann::json json{{"name", arm.name}};
  if (!arm.why_not.empty()) {
    json["why_not"] = arm.why_not;
    json["missing"] = arm.missing;
    return json;
  }
  json["version"] = arm.version;
  json["seconds"] = arm.seconds;
  json["processor_seconds"] = arm.processor_seconds;
  json["median_seconds"] = number_or_null(median_of(arm.seconds));
  if (arm.peak_bytes > 0) json["peak_bytes"] = arm.peak_bytes;
  if (arm.quality) json["quality"] = number_or_null(*arm.quality);
  return json;
}

// "0.123 (0.120 .. 0.130)"
std::string seconds_of(const ArmRuns& arm) {
  if (arm.seconds.empty()) return "-";
  const auto [low, high] = std::minmax_element(arm.seconds.begin(), arm.seconds.end());
  return seconds_text(median_of(arm.seconds)) + " (" + seconds_text(*low) + " .. " +
         seconds_text(*high) + ")";
}

std::string ratio_of(const BenchRow& row) {
  if (!row.against_fastest) return "-";
  return two_digits(row.against_fastest->median) + " [" + two_digits(row.against_fastest->low) +
         ", " + two_digits(row.against_fastest->high) + "]";
}

std::string share_of(const BenchRow& row) {
  if (!row.floor_seconds || row.arms.front().seconds.empty()) return "-";
  return percent_of(*row.floor_seconds / median_of(row.arms.front().seconds)) + " of " +
         (row.limited_by == "operations" ? "fma rate" : "memory");
}

// The case and what was measured; of a sweep over anything but rows and threads, which have columns
// of their own, with its value.
std::string title_of(const BenchRow& row) {
  const bool shown = !row.swept.empty() && row.swept != "rows" && row.swept != "threads";
  return row.name + (shown ? ", " + row.swept + " " + std::to_string(row.value) : "") + ", " +
         measured_name(row.measured);
}

std::vector<std::vector<std::string>> summary_of(const BenchResults& results) {
  std::vector<std::vector<std::string>> rows{{"case", "rows", "threads", "tandem, s",
                                              "fastest peer", "its s", "its time / ours", "limit"}};
  for (const BenchRow& row : results.rows) {
    const auto fastest = std::find_if(row.arms.begin(), row.arms.end(), [&](const ArmRuns& arm) {
      return !row.fastest.empty() && arm.name == row.fastest;
    });
    rows.push_back(
        {std::to_string(rows.size()) + "  " + title_of(row), std::to_string(row.rows),
         std::to_string(row.threads),
         row.arms.front().seconds.empty() ? "-" : seconds_text(median_of(row.arms.front().seconds)),
         row.fastest.empty() ? "-" : row.fastest,
         fastest == row.arms.end() ? "-" : seconds_text(median_of(fastest->seconds)), ratio_of(row),
         share_of(row)});
  }
  return rows;
}

std::vector<std::vector<std::string>> limits_of(const BenchResults& results) {
  std::vector<std::vector<std::string>> rows{{"threads", "fma float32, GFLOP/s",
                                              "fma float64, GFLOP/s", "memory triad, GB/s",
                                              "calling a team, us"}};
  for (const MachineLimits& one : results.limits) {
    rows.push_back({std::to_string(one.threads), two_digits(one.flops_float32 / 1e9),
                    two_digits(one.flops_float64 / 1e9), two_digits(one.memory_bytes / 1e9),
                    two_digits(one.wake_seconds * 1e6)});
  }
  return rows;
}

// "1 thread", or nothing where the threads are what is swept.
std::string threads_of(const BenchGrowth& one) {
  return one.swept == "threads" ? "" : ", " + counted(one.threads, "thread");
}

std::vector<std::vector<std::string>> growth_table(const std::vector<BenchGrowth>& all) {
  const std::string& what = all.front().swept;
  std::vector<std::vector<std::string>> rows{
      {"case", "program", what, "time grows as " + what + " to the", "bytes for one more"}};
  for (const BenchGrowth& one : all) {
    rows.push_back({one.name + ", " + measured_name(one.measured) + threads_of(one), one.arm,
                    readable(one.values.front()) + " .. " + readable(one.values.back()),
                    two_digits(one.growth.exponent) + " [" + two_digits(one.growth.low) + ", " +
                        two_digits(one.growth.high) + "]",
                    one.bytes_per_unit ? readable(std::round(*one.bytes_per_unit)) : "-"});
  }
  return rows;
}

// --- a GPU that is not there ---------------------------------------------------------------------

std::string about_estimates(const BenchResults& results) {
  return "Not measured: the software GPU counts what a fit does on the device, exactly, and the "
         "kernel lab's model says how long an " +
         results.works.front().device +
         " would take for it, from the first copy to the last. The estimate assumes nothing of the "
         "host's own work in between. Instructions are of warps, sectors pieces of 32 bytes of "
         "global "
         "memory that requests touch.";
}

// Three digits: "174 k". The JSON has all of them.
std::string scaled(std::uint64_t count) {
  double value = static_cast<double>(count);
  const char* unit = "";
  for (const char* next : {" k", " M", " G", " T"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  return significant(value, 3) + unit;
}

std::vector<std::vector<std::string>> work_table(const BenchResults& results) {
  std::vector<std::vector<std::string>> rows{{"case, fit", "rows", "estimate, s", "of it copies, s",
                                              "launches", "instructions", "flops", "sectors",
                                              "to device, B", "to host, B"}};
  for (const DeviceWork& one : results.works) {
    if (!one.why_not.empty()) continue;
    const CountedWork& counted = one.counted;
    rows.push_back({one.name, std::to_string(one.rows), seconds_text(one.seconds),
                    seconds_text(one.copy_seconds), scaled(counted.launches),
                    scaled(counted.warp_instructions), scaled(counted.flops),
                    scaled(counted.sectors), scaled(counted.to_device_bytes),
                    scaled(counted.to_host_bytes)});
  }
  return rows;
}

std::string rows_of(double size) {
  return std::to_string(static_cast<Index>(std::llround(size))) + " rows";
}

// "kmeans-16: an h100 would be the faster one from 12000 to 48000 rows on ..."
std::string sentence_of(const BenchCrossover& one) {
  const std::string who = one.name + ": ";
  const Crossover& at = one.at;
  if (std::isinf(at.from)) {
    return who + "the processor is the faster one at all of these sizes, even if the " +
           one.device + " is " + significant(estimates_within, 2) + " times as fast as estimated.";
  }
  if (at.to == 0) {
    return who + "the " + one.device +
           " would be the faster one at all of these sizes, even if it "
           "is " +
           significant(estimates_within, 2) + " times as slow as estimated.";
  }
  return who + "the " + one.device + " would be the faster one from " +
         (at.from == 0 ? "fewer than " + rows_of(one.sizes.front()) : rows_of(at.from)) +
         " (if it is " + significant(estimates_within, 2) + " times as fast as estimated) to " +
         (std::isinf(at.to) ? "more than " + rows_of(one.sizes.back()) : rows_of(at.to)) +
         " (if as much slower).";
}

std::vector<std::string> not_counted(const BenchResults& results) {
  std::vector<std::string> lines;
  for (const DeviceWork& one : results.works) {
    if (!one.why_not.empty()) {
      lines.push_back(one.name + ", " + rows_of(static_cast<double>(one.rows)) + ": " +
                      one.why_not);
    }
  }
  return lines;
}

// What there is to say against single rows, a line each.
std::vector<std::string> doubts(const BenchResults& results) {
  std::vector<std::string> lines;
  for (const BenchRow& row : results.rows) {
    const std::string doubt = doubt_about(row);
    if (doubt.empty()) continue;
    lines.push_back(title_of(row) + ", " + counted(row.threads, "thread") + ": " + doubt);
  }
  return lines;
}

std::vector<std::string> left_out(const BenchResults& results) {
  std::vector<std::string> lines;
  for (const BenchRow& row : results.rows) {
    for (const ArmRuns& arm : row.arms) {
      if (!arm.missing) continue;
      const std::string line = arm.name + ": " + arm.why_not;
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    }
  }
  return lines;
}

}  // namespace

std::string doubt_about(const BenchRow& row) {
  for (const ArmRuns& arm : row.arms) {
    if (!arm.why_not.empty() && !arm.missing) return arm.name + ": " + arm.why_not;
  }
  const ArmRuns& ours = row.arms.front();
  if (row.memory_allowed && ours.name == "tandem" && ours.peak_bytes > *row.memory_allowed) {
    return "the fit added " + two_digits(ours.peak_bytes / 1e6) +
           " MB to the memory of its rows, " + "where the case allows " +
           two_digits(*row.memory_allowed / 1e6) + " MB";
  }
  return row.equal_quality ? "" : "unequal " + row.metric;
}

nlohmann::json to_json(const BenchResults& results) {
  nlohmann::json json{{"tandem", TANDEM_VERSION},
                      {"date", results.date},
                      {"suite", results.suite},
                      {"runs", results.runs},
                      {"command", results.command},
                      {"machine", {{"processor", results.processor}, {"cores", results.cores}}}};
  json["machine"]["limits"] = nlohmann::json::array();
  for (const MachineLimits& one : results.limits) {
    nlohmann::json caches = nlohmann::json::array();
    for (const auto& [bytes, rate] : one.cache_bytes) {
      caches.push_back({{"bytes", bytes}, {"bytes_per_second", rate}});
    }
    json["machine"]["limits"].push_back({{"threads", one.threads},
                                         {"flops_float32", one.flops_float32},
                                         {"flops_float64", one.flops_float64},
                                         {"memory_bytes_per_second", one.memory_bytes},
                                         {"one_thread_reads", caches},
                                         {"team_seconds", one.wake_seconds}});
  }
  json["rows"] = nlohmann::json::array();
  for (const BenchRow& row : results.rows) {
    nlohmann::json one{{"case", row.name},
                       {"measured", measured_name(row.measured)},
                       {"threads", row.threads},
                       {"rows", row.rows},
                       {"metric", row.metric},
                       {"equal_quality", row.equal_quality},
                       {"arms", nlohmann::json::array()}};
    for (const ArmRuns& arm : row.arms) one["arms"].push_back(json_of(arm));
    if (row.against_fastest) {
      one["fastest_peer"] = row.fastest;
      one["ratio"] = {{"median", row.against_fastest->median},
                      {"low", row.against_fastest->low},
                      {"high", row.against_fastest->high},
                      {"confidence", row.against_fastest->confidence}};
    }
    if (row.floor_seconds) {
      one["floor_seconds"] = *row.floor_seconds;
      one["limited_by"] = row.limited_by;
    }
    if (row.memory_allowed) one["memory_allowed"] = *row.memory_allowed;
    if (!row.swept.empty()) one["swept"] = {{"name", row.swept}, {"value", row.value}};
    if (const std::string doubt = doubt_about(row); !doubt.empty()) one["doubt"] = doubt;
    json["rows"].push_back(one);
  }
  if (!results.works.empty()) {
    json["device_work"] = to_json(results.works);
    json["crossovers"] = nlohmann::json::array();
    for (const BenchCrossover& one : crossovers(results.rows, results.works)) {
      json["crossovers"].push_back({{"case", one.name},
                                    {"device", one.device},
                                    {"sizes", one.sizes},
                                    {"measured_seconds", one.measured},
                                    {"estimated_seconds", one.estimated},
                                    {"from", number_or_null(one.at.from)},
                                    {"to", number_or_null(one.at.to)}});
    }
  }
  if (const auto grown = growths(results.rows); !grown.empty()) {
    json["growth"] = nlohmann::json::array();
    for (const BenchGrowth& one : grown) {
      json["growth"].push_back({{"case", one.name},
                                {"measured", measured_name(one.measured)},
                                {"threads", one.threads},
                                {"arm", one.arm},
                                {"swept", one.swept},
                                {"values", one.values},
                                {"median_seconds", one.seconds},
                                {"exponent", one.growth.exponent},
                                {"low", one.growth.low},
                                {"high", one.growth.high}});
      if (one.bytes_per_unit) json["growth"].back()["bytes_per_unit"] = *one.bytes_per_unit;
    }
  }
  return json;
}

std::string to_text(const BenchResults& results) {
  std::string text = "suite " + results.suite + " on " + results.processor + ", " +
                     counted(results.cores, "core") + "; medians of " +
                     counted(results.runs, "run") + "\n\n" + table(limits_of(results)) + "\n" +
                     table(summary_of(results)) + "\n";
  for (const BenchRow& row : results.rows) {
    if (row.against_fastest) {
      text += wrapped("In brackets: an interval for the ratio's median with a confidence of " +
                          percent_of(row.against_fastest->confidence) + ", from runs in pairs.",
                      terminal_width());
      break;
    }
  }
  text += wrapped(std::string(about_limits), terminal_width());
  if (const auto grown = growths(results.rows); !grown.empty()) {
    text += "\n" + table(growth_table(grown)) + "\n";
  }
  if (!results.works.empty()) {
    text += "\nA GPU that is not here (" + results.works.front().device + ")\n" +
            table(work_table(results)) + "\n" + wrapped(about_estimates(results), terminal_width());
    for (const BenchCrossover& one : crossovers(results.rows, results.works)) {
      text += wrapped(sentence_of(one), terminal_width());
    }
    for (const std::string& line : not_counted(results)) text += "not counted: " + line + "\n";
  }
  for (const std::string& line : doubts(results)) text += "not to be believed: " + line + "\n";
  for (const std::string& line : left_out(results)) text += "left out: " + line + "\n";
  return text;
}

namespace {

// A plot for each case: time against what is swept, on logarithmic scales, a line per program.
void add_growth(report::Page& page, const std::vector<BenchGrowth>& all) {
  page.section("", "As work grows");
  page.table(growth_table(all));
  page.paragraph(
      "The exponent is the slope of the logarithms by least squares, with its 95 % interval: 1 is "
      "time in proportion. Small sizes pay for beginning, which makes it less.");
  std::vector<report::Page::Figure> figures;
  for (std::size_t i = 0; i < all.size();) {
    const BenchGrowth& first = all[i];
    report::Plot plot;
    const std::string name = first.name + ", " + measured_name(first.measured) + threads_of(first);
    plot.title = "seconds by " + first.swept + " of " + name;
    plot.x = {.label = first.swept, .logarithmic = true};
    plot.y = {.label = "seconds", .logarithmic = true};
    plot.height = 300;
    int colour = 0;
    for (; i < all.size() && all[i].name == first.name && all[i].measured == first.measured &&
           all[i].threads == first.threads;
         ++i) {
      report::Series line{
          .label = all[i].arm, .mark = report::Mark::line_points, .colour = ++colour, .size = 1.3};
      for (std::size_t k = 0; k < all[i].values.size(); ++k) {
        line.points.push_back({all[i].values[k], all[i].seconds[k]});
      }
      plot.series.push_back(std::move(line));
    }
    figures.push_back(
        {report::to_svg(plot, "growth-" + std::to_string(figures.size() + 1)), name + "."});
  }
  page.figures(figures);
}

// Estimates are in a section and in colours of their own, and in no table or plot of measurements
// but the one that says so.
void add_works(report::Page& page, const BenchResults& results) {
  page.section("", "A GPU that is not here: estimates for an " + results.works.front().device);
  page.paragraph(about_estimates(results));
  page.table(work_table(results));
  for (const std::string& line : not_counted(results)) page.paragraph("Not counted: " + line + ".");
  std::vector<report::Page::Figure> figures;
  for (const BenchCrossover& one : crossovers(results.rows, results.works)) {
    report::Plot plot;
    plot.title =
        "seconds by rows of " + one.name + ": measured, and estimated for an " + one.device;
    plot.x = {.label = "rows", .logarithmic = true};
    plot.y = {.label = "seconds", .logarithmic = true};
    plot.height = 300;
    report::Series measured{.label = "processor, measured",
                            .mark = report::Mark::line_points,
                            .colour = 1,
                            .size = 1.3};
    report::Series estimated{.label = one.device + ", estimated",
                             .mark = report::Mark::line_points,
                             .colour = 4,
                             .dashed = true,
                             .size = 1.3};
    for (std::size_t i = 0; i < one.sizes.size(); ++i) {
      measured.points.push_back({one.sizes[i], one.measured[i]});
      estimated.points.push_back({one.sizes[i], one.estimated[i]});
    }
    plot.series = {measured, estimated};
    figures.push_back(
        {report::to_svg(plot, "estimate-" + std::to_string(figures.size() + 1)), sentence_of(one)});
  }
  if (!figures.empty()) page.figures(figures);
  page.paragraph(
      "A comparison of a GPU with slow code for processors shows how slow that code is: the "
      "processor's times above are those of vectorised code on the number of threads that is best "
      "for each size.");
}

}  // namespace

void write_bench_page(const BenchResults& results, const std::string& path) {
  using report::Page;
  Page page("Benchmarks: " + results.suite,
            "Every program was given the same data and the same settings and took its turn in "
            "every round. Tandem " TANDEM_VERSION ", " +
                results.processor + ", " + counted(results.cores, "core") + "; medians of " +
                counted(results.runs, "run") + ".");
  page.section("", "Beside the fastest");
  page.command(results.command);
  page.table(summary_of(results));
  for (const std::string& line : doubts(results)) {
    page.paragraph("Not to be believed: " + line + ".");
  }
  page.paragraph(
      "The time of the fastest peer by Tandem's, run for run: above 1 Tandem is the faster one. In "
      "brackets an interval for its median by order statistics, which makes no assumption about "
      "the noise. " +
      std::string(about_limits));
  report::Plot plot;
  plot.title = "time of the fastest peer by Tandem's, of each row";
  plot.x = {.label = "row of the table", .from = 0.0};
  plot.y = {.label = "its time / Tandem's", .logarithmic = true};
  plot.width = 860;
  plot.height = 360;
  report::Series fits{.label = "fit", .mark = report::Mark::points, .colour = 1, .size = 1.6};
  report::Series predictions{
      .label = "predict", .mark = report::Mark::points, .colour = 2, .shape = 1, .size = 1.6};
  double place = 0;
  for (const BenchRow& row : results.rows) {
    place += 1;
    if (!row.against_fastest) continue;
    (row.measured == Measured::fit ? fits : predictions)
        .points.push_back({place, row.against_fastest->median});
  }
  if (!fits.points.empty() || !predictions.points.empty()) {
    report::Series equal{.label = "equal", .colour = -1, .dashed = true};
    equal.points = {{0, 1}, {place + 1, 1}};
    plot.series = {fits, predictions, equal};
    plot.x.to = place + 1;
    plot.x.whole_numbers = true;
    page.figures({{report::to_svg(plot, "figure-1"), "Above the dashed line Tandem is faster."}});
  }
  if (const auto grown = growths(results.rows); !grown.empty()) add_growth(page, grown);
  if (!results.works.empty()) add_works(page, results);
  page.section("", "All of them");
  std::vector<std::vector<std::string>> all{
      {"case", "threads", "program", "version", "seconds", "processor s", "memory, MB", "quality"}};
  for (const BenchRow& row : results.rows) {
    for (const ArmRuns& arm : row.arms) {
      if (arm.missing) continue;
      all.push_back({row.name + ", " + measured_name(row.measured), std::to_string(row.threads),
                     arm.name, arm.version, arm.why_not.empty() ? seconds_of(arm) : arm.why_not,
                     arm.seconds.empty() ? "-" : seconds_text(median_of(arm.processor_seconds)),
                     arm.peak_bytes > 0 ? two_digits(arm.peak_bytes / 1e6) : "-",
                     arm.quality ? row.metric + " " + readable(*arm.quality) : "-"});
    }
  }
  page.table(all);
  for (const std::string& line : left_out(results)) page.paragraph("Left out: " + line + ".");
  page.section("", "The machine");
  page.table(limits_of(results));
  std::vector<std::vector<std::string>> caches{{"set of", "one thread reads, GB/s"}};
  if (!results.limits.empty()) {
    for (const auto& [bytes, rate] : results.limits.front().cache_bytes) {
      caches.push_back({std::to_string(bytes >> 10) + " KiB", two_digits(rate / 1e9)});
    }
  }
  page.table(caches);
  page.html("<details><summary>All figures, as JSON</summary>");
  page.preformatted(to_json(results).dump(1));
  page.html("</details>");
  page.footer("Made by tandem bench, Tandem " TANDEM_VERSION ".");
  page.write(path);
}

}  // namespace tandem::program

#include "tandem/bench/history.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <utility>

#include "tandem/bench/paired.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/core/text_file.hpp"
#include "tandem/output.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"

namespace tandem::program {
namespace {

namespace fs = std::filesystem;

std::string text_member(const nlohmann::json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<BenchFile> read_files(const std::string& folder) {
  std::error_code failed;
  std::vector<BenchFile> files;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().extension() == ".json") {
      files.push_back(read_bench_file(entry.path().string()));
      if (text_member(files.back().json, "date").empty()) {
        throw InputError(files.back().path +
                         ": lacks 'date', which tandem bench writes since it "
                         "keeps histories; take it out of the folder");
      }
    }
  }
  if (failed) {
    throw InputError(folder + ": cannot be read; expected a folder that tandem bench " +
                     option("history") + " has written");
  }
  if (files.empty()) {
    throw InputError(folder + ": has no result, *.json; tandem bench " + option("history") + " " +
                     folder + " puts one there");
  }
  std::sort(files.begin(), files.end(), [](const BenchFile& a, const BenchFile& b) {
    return std::pair(text_member(a.json, "date"), a.path) <
           std::pair(text_member(b.json, "date"), b.path);
  });
  return files;
}

// The last two results that can be compared, into the series.
void add_verdicts(BenchHistory& history, const std::vector<const BenchFile*>& files,
                  double error_rate) {
  if (files.size() < 2) return;
  const BenchFile& after = *files.back();
  const BenchFile& before = *files[files.size() - 2];
  const auto first = own_times(before);
  const auto second = own_times(after);
  const bool share = std::any_of(second.begin(), second.end(),
                                 [&](const auto& one) { return first.contains(one.first); });
  if (!share) return;
  for (const BenchChange& change : compare_results(before, after, error_rate).rows) {
    for (BenchSeries& one : history.series) {
      if (one.of == change.of) one.last = change;
    }
  }
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void prepare_history(const std::string& folder) {
  std::error_code failed;
  if (fs::exists(folder, failed) && !fs::is_directory(folder, failed)) {
    throw InputError(option("history") + " " + folder + ": is a file; expected a folder");
  }
  fs::create_directories(folder, failed);
  if (failed || ::access(folder.c_str(), W_OK) != 0) {
    throw SystemError(option("history") + " " + folder + ": cannot be written to: " +
                      (failed ? failed.message() : std::string(std::strerror(errno))));
  }
}

std::string add_to_history(const std::string& folder, const BenchResults& results) {
  // Colons are not allowed in names everywhere.
  std::string name = results.date;
  std::erase(name, ':');
  for (int copy = 1;; ++copy) {
    const std::string path =
        (fs::path(folder) / (name + (copy > 1 ? "-" + std::to_string(copy) : "") + ".json"))
            .string();
    if (fs::exists(path)) continue;
    write_text_file(path, to_json(results).dump(1) + "\n");
    return path;
  }
}

std::vector<BenchHistory> read_history(const std::string& folder, double error_rate) {
  const std::vector<BenchFile> files = read_files(folder);
  std::map<std::pair<std::string, std::string>, std::vector<const BenchFile*>> groups;
  for (const BenchFile& file : files) {
    groups[{text_member(file.json, "suite"), text_member(file.json["machine"], "processor")}]
        .push_back(&file);
  }
  std::vector<BenchHistory> all;
  for (const auto& [kind, group] : groups) {
    BenchHistory history{kind.first, kind.second, {}, {}};
    std::map<BenchKey, BenchSeries> series;
    for (const BenchFile* file : group) {
      history.files.push_back(file->path);
      for (const auto& [key, times] : own_times(*file)) {
        BenchSeries& one = series[key];
        one.of = key;
        one.dates.push_back(text_member(file->json, "date"));
        one.medians.push_back(median_of(times));
      }
    }
    for (auto& [key, one] : series) history.series.push_back(std::move(one));
    add_verdicts(history, group, error_rate);
    all.push_back(std::move(history));
  }
  return all;
}

nlohmann::json to_json(const std::vector<BenchHistory>& all) {
  nlohmann::json json{{"histories", nlohmann::json::array()}};
  for (const BenchHistory& history : all) {
    nlohmann::json one{{"suite", history.suite},
                       {"processor", history.processor},
                       {"files", history.files},
                       {"rows", nlohmann::json::array()}};
    for (const BenchSeries& series : history.series) {
      nlohmann::json row{{"case", series.of.name}, {"measured", series.of.measured},
                         {"rows", series.of.rows}, {"threads", series.of.threads},
                         {"dates", series.dates},  {"median_seconds", series.medians}};
      if (series.last) {
        row["last"] = {{"before_seconds", series.last->before},
                       {"after_seconds", series.last->after},
                       {"probability", series.last->probability},
                       {"changed", series.last->changed}};
      }
      one["rows"].push_back(std::move(row));
    }
    json["histories"].push_back(std::move(one));
  }
  return json;
}

namespace {

std::vector<std::vector<std::string>> table_of(const BenchHistory& history) {
  std::vector<std::vector<std::string>> rows{{"case", "rows", "threads", "results", "first, s",
                                              "least, s", "last, s", "last / before", "verdict"}};
  for (const BenchSeries& one : history.series) {
    rows.push_back({one.of.name + ", " + one.of.measured, std::to_string(one.of.rows),
                    std::to_string(one.of.threads), std::to_string(one.medians.size()),
                    significant(one.medians.front(), 3),
                    significant(*std::min_element(one.medians.begin(), one.medians.end()), 3),
                    significant(one.medians.back(), 3),
                    one.last ? significant(one.last->after / one.last->before, 3) : "-",
                    one.last ? verdict_of(*one.last) : "-"});
  }
  return rows;
}

std::string title_of(const BenchHistory& history) {
  return "suite " + history.suite + " on " + history.processor + ": " +
         counted(static_cast<std::int64_t>(history.files.size()), "result");
}

constexpr std::string_view about_verdicts =
    "The verdict is on the last result against the one before it, by the ranks of their times. Two "
    "results of different hours differ by what else the machine did, too.";

}  // namespace

std::string to_text(const std::vector<BenchHistory>& all) {
  std::string text;
  for (const BenchHistory& history : all) {
    text += (text.empty() ? "" : "\n") + title_of(history) + "\n\n" + table(table_of(history));
  }
  return text + "\n" + wrapped(std::string(about_verdicts), terminal_width());
}

void write_history_page(const std::vector<BenchHistory>& all, const std::string& path) {
  report::Page page("History of benchmarks",
                    "Medians of Tandem's own times, one result after the other.");
  std::size_t figure = 0;
  for (const BenchHistory& history : all) {
    page.section("", title_of(history));
    page.table(table_of(history));
    page.paragraph(std::string(about_verdicts));
    std::vector<report::Page::Figure> figures;
    for (const BenchSeries& one : history.series) {
      if (one.medians.size() < 2) continue;
      report::Plot plot;
      plot.title = "seconds of " + to_text(one.of) + ", by result";
      plot.x = {
          .label = "result", .from = 0.5, .to = static_cast<double>(one.medians.size()) + 0.5};
      plot.x.whole_numbers = true;
      plot.y = {.label = "seconds", .from = 0.0};
      plot.height = 260;
      report::Series line{
          .label = "tandem", .mark = report::Mark::line_points, .colour = 1, .size = 1.3};
      for (std::size_t i = 0; i < one.medians.size(); ++i) {
        line.points.push_back({static_cast<double>(i + 1), one.medians[i]});
      }
      plot.series.push_back(std::move(line));
      figures.push_back(
          {report::to_svg(plot, "history-" + std::to_string(++figure)),
           to_text(one.of) + ", " + one.dates.front() + " to " + one.dates.back() + "."});
    }
    if (!figures.empty()) page.figures(figures);
  }
  page.footer("Made by tandem bench history.");
  page.write(path);
}

}  // namespace tandem::program

// tandem experiment: begins and ends experiments, says what they show, and how often its methods
// are wrong.
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "systems/serving/experiments/simulate.hpp"
#include "systems/serving/experiments/store.hpp"
#include "systems/serving/experiments/tables.hpp"
#include "systems/serving/watch/simulate.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"
#include "tandem/result_page.hpp"

namespace tandem::program {
namespace {

using experiments::Analysis;
using experiments::ArmResult;
using experiments::Comparison;
using experiments::Direction;
using experiments::Interval;
using experiments::MetricDefinition;
using experiments::MetricKind;
using experiments::MetricResult;
using statistics::Promise;
using statistics::Rate;

// "latency:mean:decrease": the kind and the better direction may be left out.
MetricDefinition parse_metric(const std::string& text) {
  const std::vector<std::string> parts = split(text, ':');
  MetricDefinition metric;
  metric.name = parts[0];
  const auto fail = [&](const std::string& what) {
    throw InputError(option("metrics") + ": " + what + " in '" + text +
                     "'; expected NAME[:conversion|sum|mean[:increase|decrease]]");
  };
  if (metric.name.empty() || parts.size() > 3) fail("no name, or too many parts,");
  if (parts.size() > 1) {
    if (parts[1] == "conversion") {
      metric.kind = MetricKind::conversion;
    } else if (parts[1] == "sum") {
      metric.kind = MetricKind::sum;
    } else if (parts[1] == "mean") {
      metric.kind = MetricKind::mean;
    } else {
      fail("unknown kind '" + parts[1] + "'");
    }
  }
  if (parts.size() > 2) {
    if (parts[2] != "increase" && parts[2] != "decrease") {
      fail("unknown direction '" + parts[2] + "'");
    }
    metric.better = parts[2] == "increase" ? Direction::increase : Direction::decrease;
  }
  return metric;
}

std::pair<std::string, double> parse_weight(const std::string& text) {
  const auto at = text.rfind('=');
  double weight = 0;
  const char* const end = text.data() + text.size();
  if (at == std::string::npos || std::from_chars(text.data() + at + 1, end, weight).ptr != end ||
      !(weight > 0 && std::isfinite(weight))) {
    throw InputError(option("weights") + ": '" + text + "' is no ARM=WEIGHT above 0");
  }
  return {text.substr(0, at), weight};
}

constexpr std::string_view how_to_read =
    "Findings go by the intervals of every look, which may be looked at every day. Those of one "
    "look "
    "are for an experiment whose end was fixed before it began.";

std::string short_interval(const Interval& interval, double times = 1) {
  if (std::isnan(interval.low)) return "-";
  const auto end = [&](double value) {
    return std::isfinite(value) ? significant(times * value, 3) : value < 0 ? "-inf" : "inf";
  };
  return "[" + end(interval.low) + ", " + end(interval.high) + "]";
}

std::string p_text(double p) { return std::isnan(p) ? "-" : significant(p, 2); }

class ExperimentCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("ACTION", action_,
                       "create, status and stop of an experiment in a store, analyse two files, or "
                       "simulate how often the methods are wrong",
                       {"create", "status", "stop", "analyse", "simulate"});
    options.group("Store (create, status, stop)");
    options.text("store", store_,
                 "where experiments are kept: a file of SQLite's, which create makes, or "
                 "postgresql://...");
    options.written("definition", definition_, "create: the experiment, a JSON object", "FILE");
    options.text("name", name_, "status: of this experiment what it shows; stop: the experiment");
    options.text("reason", reason_, "stop: why, for the record");
    options.group("Files (analyse)");
    options.written("exposures", exposures_, "who was exposed to which arm: unit, arm, time",
                    "FILE");
    options.written("outcomes", outcomes_, "what the units did: unit, metric, value, time", "FILE");
    options.text("unit", tables_.unit, "the column of units in both files");
    options.text("arm", tables_.arm, "the column of arms");
    options.text("time", tables_.time, "the column of times in both files, where there is one");
    options.text("metric", tables_.metric, "the column of metrics, where there is one");
    options.text("value", tables_.value, "the column of values");
    options.text("covariate", tables_.covariate,
                 "a column of the exposures to adjust by (CUPED); left out, outcomes before the "
                 "exposure");
    options.group("Analysis (analyse)");
    options.text("control", tables_.control, "the arm that the others are compared with");
    options.written("weights", weights_, "shares that the arms should have; equal if left out",
                    "ARM=WEIGHT,...");
    options.written("metrics", metrics_,
                    "metrics to look at, and their kind: conversion, sum or mean; all if left out",
                    "NAME:KIND:DIRECTION,...");
    options.real("window_hours", tables_.window_hours,
                 "hours after a unit's exposure within which its outcomes count; 0: all", 0, 1e6);
    options.real("confidence", tables_.confidence, "of the intervals", 0.5, 0.9999);
    options.integer("planned_units", tables_.planned_units,
                    "units of two arms at which the sequential intervals are narrowest", 100,
                    1'000'000'000'000);
    options.group("Simulation (simulate)");
    options.integer("runs", runs_, "simulated cases of each kind", 10, 1'000'000);
    options.seed(seed_);
    options.group("Results");
    options.flag("json", json_, "print the result as JSON");
    options.flag("quiet", quiet_, "no progress");
    options.integer("threads", threads_, "threads that read; 0 takes all cores", 0, 4096);
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    if (action_ == "analyse") return analyse(options);
    if (action_ == "simulate") return simulate(options);
    if (action_ == "create") return create(options);
    if (action_ == "status") return status(options);
    if (action_ == "stop") return stop(options);
    throw InputError("unknown action '" + action_ +
                     "'; expected create, status, stop, analyse or simulate");
  }

 private:
  static void refuse(const OptionSet& options, const std::vector<std::string>& names,
                     const std::string& action) {
    for (const std::string& name : names) {
      if (options.given(name)) {
        throw InputError(option(name) + " is not for tandem experiment " + action);
      }
    }
  }

  // --- create, status, stop ----------------------------------------------------------------------

  [[nodiscard]] const std::string& store_place() const {
    if (store_.empty()) throw InputError("expected " + option("store") + " FILE or URL");
    return store_;
  }

  int create(const OptionSet& options) {
    refuse(options, of_analysis_, "create");
    refuse(options, {"runs", "seed", "name", "reason", "report"}, "create");
    if (definition_.path.empty()) throw InputError("expected " + option("definition") + " FILE");
    std::ifstream file(definition_.path, std::ios::binary);
    if (!file)
      throw InputError(definition_.path +
                       ": cannot be read; check the name and that you may read it");
    experiments::Experiment experiment;
    try {
      experiment = experiments::Experiment::parse(nlohmann::json::parse(file));
    } catch (const nlohmann::json::exception& error) {
      throw InputError(definition_.path + ": is no JSON: " + error.what() +
                       "; docs/experiments.md shows a definition");
    } catch (const InputError& error) {
      throw InputError(definition_.path + ": " + error.marked());
    }
    experiments::Store store(store_place(), true);
    store.create(experiment, now());
    show({store.find(experiment.name)});
    return 0;
  }

  int status(const OptionSet& options) {
    refuse(options, of_analysis_, "status");
    refuse(options, {"runs", "seed", "definition", "reason", "report"}, "status");
    experiments::Store store(store_place(), false);
    if (name_.empty()) {
      show(store.list());
      return 0;
    }
    const experiments::Record record = store.find(name_);
    const Analysis analysis = store.analyse(name_, now());
    if (json_) {
      nlohmann::json json = experiments::to_json(analysis);
      json["experiments"] = nlohmann::json::array({experiments::to_json(record)});
      print_json(json);
      return 0;
    }
    print(table(record_table({record})) + "\n" + analysis_text(record.experiment, analysis) + "\n" +
          std::string(how_to_read) + "\n");
    return 0;
  }

  int stop(const OptionSet& options) {
    refuse(options, of_analysis_, "stop");
    refuse(options, {"runs", "seed", "definition", "report"}, "stop");
    if (name_.empty()) throw InputError("expected " + option("name") + " EXPERIMENT");
    experiments::Store store(store_place(), false);
    store.stop(name_, now(), experiments::Status::stopped,
               reason_.empty() ? "stopped by hand" : reason_);
    show({store.find(name_)});
    return 0;
  }

  [[nodiscard]] static experiments::Time now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  void show(const std::vector<experiments::Record>& records) const {
    if (json_) {
      nlohmann::json list = nlohmann::json::array();
      for (const experiments::Record& record : records)
        list.push_back(experiments::to_json(record));
      print_json({{"experiments", list}});
    } else {
      print(records.empty() ? "no experiments\n" : table(record_table(records)));
    }
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> record_table(
      const std::vector<experiments::Record>& records) {
    std::vector<std::vector<std::string>> rows{
        {"experiment", "status", "arms", "created", "ended", "because"}};
    for (const experiments::Record& record : records) {
      std::string arms;
      for (const auto& arm : record.experiment.arms) arms += (arms.empty() ? "" : ", ") + arm.name;
      rows.push_back({record.experiment.name, std::string(to_string(record.status)), arms,
                      experiments::time_text(record.created),
                      record.ended == 0 ? "-" : experiments::time_text(record.ended),
                      record.reason.empty() ? "-" : record.reason});
    }
    return rows;
  }

  // --- analyse ---------------------------------------------------------------------------------

  int analyse(const OptionSet& options) {
    refuse(options, {"runs", "seed", "store", "definition", "name", "reason"}, "analyse");
    if (exposures_.path.empty() || outcomes_.path.empty()) {
      throw InputError("expected " + option("exposures") + " FILE and " + option("outcomes") +
                       " FILE");
    }
    OutputFiles files;
    files.reads(option("exposures"), exposures_.path);
    files.reads(option("outcomes"), outcomes_.path);
    report_.list_outputs(files);
    report_.check(nullptr);
    tables_.exposures = exposures_.path;
    tables_.outcomes = outcomes_.path;
    tables_.threads = static_cast<int>(threads_);
    for (const std::string& metric : metrics_.list) {
      tables_.metrics.push_back(parse_metric(metric));
    }
    for (const std::string& weight : weights_.list) {
      tables_.weights.push_back(parse_weight(weight));
    }
    // What reading has to say is told once, without what is expected here.
    log::set_level(log::Level::error);
    const experiments::TableAnalysis result = experiments::analyse_tables(tables_);
    log::set_level(log::Level::warning);
    for (const std::string& notice : result.notices) {
      log::warning(Error(notice).spelled(options.spelling()));
    }
    check_interrupt();
    if (report_.asked()) write_page(result, "tandem experiment " + options.arguments());
    if (json_) {
      nlohmann::json json = experiments::to_json(result.analysis);
      json["exposures"] = exposures_.path;
      json["outcomes"] = outcomes_.path;
      json["control"] = result.experiment.arms[0].name;
      json["confidence"] = tables_.confidence;
      json["planned_units"] = tables_.planned_units;
      json["in_several_arms"] = result.in_several_arms;
      json["outcomes_of_nobody"] = result.of_nobody;
      json["outcomes_outside_window"] = result.outside;
      if (report_.asked()) json["report"] = report_.path();
      print_json(json);
      return 0;
    }
    std::string text = exposures_.path + " and " + outcomes_.path + "\n\n" +
                       analysis_text(result.experiment, result.analysis) + "\n";
    for (const std::string& remark : remarks(result)) text += remark + "\n";
    print(text + report_.line());
    return 0;
  }

  [[nodiscard]] static std::string analysis_text(const experiments::Experiment& experiment,
                                                 const Analysis& analysis) {
    std::string text =
        table(arm_table(experiment, analysis)) + "\n" + ratio_sentence(analysis) + "\n";
    for (const MetricResult& metric : analysis.metrics) {
      text += "\n" + metric_title(metric) + "\n" + table(metric_table(metric));
    }
    return text;
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> arm_table(
      const experiments::Experiment& experiment, const Analysis& analysis) {
    std::vector<std::vector<std::string>> rows{{"arm", "units", "should have"}};
    double all = 0;
    for (const double units : analysis.units) all += units;
    for (std::size_t i = 0; i < analysis.arms.size(); ++i) {
      rows.push_back({analysis.arms[i], significant(analysis.units[i], 12),
                      significant(all * experiment.arms[i].weight, 7)});
    }
    return rows;
  }

  [[nodiscard]] static std::string ratio_sentence(const Analysis& analysis) {
    const std::string p = "p " + p_text(analysis.ratio.p) + " at a single look, " +
                          p_text(analysis.ratio.p_sequential) + " at every look";
    return analysis.ratio_alarm
               ? "Sample ratio mismatch (" + p +
                     "): arms have not the units that they should, and nothing below can be "
                     "trusted until the cause is known."
               : "The arms have the units that they should (" + p + ").";
  }

  [[nodiscard]] static std::string metric_title(const MetricResult& metric) {
    constexpr std::array<const char*, 3> kinds{"conversion", "sum per unit", "mean per unit"};
    std::string title =
        metric.metric.name + " (" + kinds[static_cast<std::size_t>(metric.metric.kind)] + ", " +
        (metric.metric.better == Direction::increase ? "more" : "less") + " is better";
    if (metric.has_covariate) {
      title +=
          "; CUPED leaves " + significant(100 * metric.variance_left, 3) + " % of the variance";
    }
    return title + ")";
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> metric_table(
      const MetricResult& metric) {
    std::vector<std::vector<std::string>> rows{{"arm", "units", "mean", "difference", "one look",
                                                "p", "every look", "p", "relative %", "finding"}};
    for (std::size_t i = 0; i < metric.arms.size(); ++i) {
      const ArmResult& arm = metric.arms[i];
      std::vector<std::string> row{arm.arm, significant(arm.units, 12),
                                   std::isnan(arm.mean) ? "-" : significant(arm.mean, 5)};
      if (i == 0) {
        row.insert(row.end(), {"", "", "", "", "", "", "control"});
      } else {
        const Comparison& one = arm.adjusted;
        row.insert(row.end(),
                   {std::isnan(one.difference) ? "-" : significant(one.difference, 3),
                    short_interval(one.interval), p_text(one.p), short_interval(one.sequential),
                    p_text(one.p_sequential), short_interval(one.relative_interval, 100),
                    std::string(to_string(metric.findings[i]))});
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

  [[nodiscard]] std::vector<std::string> remarks(const experiments::TableAnalysis& result) const {
    std::vector<std::string> lines;
    const auto add = [&](Index count, const std::string& singular, const std::string& plural,
                         const std::string& rest) {
      if (count > 0) lines.push_back(counted(count, singular, plural) + " " + rest);
    };
    add(result.in_several_arms, "unit", "units", "exposed to several arms: left out");
    add(result.of_nobody, "outcome", "outcomes", "of units that are not among the exposures");
    add(result.outside, "outcome", "outcomes", "past the window: not counted");
    lines.emplace_back(how_to_read);
    return lines;
  }

  void write_page(const experiments::TableAnalysis& result, const std::string& command) const {
    report::Page page("Experiment", std::filesystem::path(exposures_.path).filename().string() +
                                        " and " +
                                        std::filesystem::path(outcomes_.path).filename().string());
    page.section("", "Arms");
    page.table(arm_table(result.experiment, result.analysis));
    page.paragraph(ratio_sentence(result.analysis));
    page.command(command);
    int number = 0;
    for (const MetricResult& metric : result.analysis.metrics) {
      page.section("", metric.metric.name);
      page.paragraph(metric_title(metric) + ".");
      page.table(metric_table(metric));
      report::Plot plot;
      plot.title = "Difference from the control in " + metric.metric.name;
      plot.x.label = "difference";
      plot.y.label = "arm";
      plot.height = 220;
      report::Series zero{.points = {{0, 0.4}, {0, static_cast<double>(metric.arms.size()) - 0.4}},
                          .mark = report::Mark::line,
                          .colour = -1,
                          .dashed = true};
      plot.series.push_back(zero);
      bool drawn = false;
      for (std::size_t i = 1; i < metric.arms.size(); ++i) {
        const Comparison& one = metric.arms[i].adjusted;
        const auto y = static_cast<double>(i);
        plot.y.ticks.emplace_back(y, metric.arms[i].arm);
        if (std::isfinite(one.sequential.low)) {
          plot.series.push_back({.label = i == 1 ? "every look" : "",
                                 .points = {{one.sequential.low, y}, {one.sequential.high, y}},
                                 .mark = report::Mark::line,
                                 .colour = 2,
                                 .size = 2});
        }
        if (std::isfinite(one.interval.low)) {
          plot.series.push_back({.label = i == 1 ? "one look" : "",
                                 .points = {{one.interval.low, y}, {one.interval.high, y}},
                                 .mark = report::Mark::line_points,
                                 .colour = 1,
                                 .size = 2});
          drawn = true;
        }
      }
      plot.y.from = 0.4;
      plot.y.to = static_cast<double>(metric.arms.size()) - 0.4;
      if (drawn) {
        page.figures({{report::to_svg(plot, "difference-" + std::to_string(++number)),
                       "Intervals of the difference from the control."}});
      }
    }
    page.section("", "Remarks");
    for (const std::string& remark : remarks(result)) page.paragraph(remark);
    report_.write(page);
  }

  // --- simulate --------------------------------------------------------------------------------

  int simulate(const OptionSet& options) {
    refuse(options, of_analysis_, "simulate");
    refuse(options, {"store", "definition", "name", "reason", "report"}, "simulate");
    ControlOptions control_options;
    control_options.quiet = quiet_ || json_;
    ProgramControl control(control_options);
    std::vector<Rate> rates = experiments::simulate_experiments(runs_, seed_, control);
    const std::size_t of_drift = rates.size();
    for (Rate& rate : watch::simulate_drift(runs_, seed_, control))
      rates.push_back(std::move(rate));
    control.finish();
    bool kept = true;
    for (const Rate& rate : rates) kept = kept && rate.kept();
    if (json_) {
      nlohmann::json list = nlohmann::json::array();
      for (std::size_t i = 0; i < rates.size(); ++i) {
        const Rate& rate = rates[i];
        list.push_back({{"of", i < of_drift ? "experiments" : "drift"},
                        {"what", rate.what},
                        {"promise", promise(rate)},
                        {"nominal", rate.nominal},
                        {"count", rate.count},
                        {"lowest", rate.lowest()},
                        {"highest", rate.highest()},
                        {"kept", rate.kept()}});
      }
      print_json({{"runs", runs_}, {"seed", seed_}, {"rates", list}, {"kept", kept}});
    } else {
      std::vector<std::vector<std::string>> rows{
          {"simulated " + std::to_string(runs_) + " times", "promise", "found", "99 %", "kept"}};
      for (const Rate& rate : rates) {
        rows.push_back({rate.what, promise(rate) + " " + significant(100 * rate.nominal, 3) + " %",
                        significant(100 * rate.share(), 3) + " %",
                        rate.promise == Promise::at_least
                            ? ""
                            : std::to_string(rate.lowest()) + ".." + std::to_string(rate.highest()),
                        rate.kept() ? "yes" : "NO"});
      }
      print(table(rows));
    }
    return kept ? 0 : 1;
  }

  [[nodiscard]] static std::string promise(const Rate& rate) {
    switch (rate.promise) {
      case Promise::at_most: return "at most";
      case Promise::at_least: return "at least";
      case Promise::equal: break;
    }
    return "equal";
  }

  // What only analyse takes.
  const std::vector<std::string> of_analysis_{
      "exposures", "outcomes", "unit",    "arm",     "time",         "metric",     "value",
      "covariate", "control",  "weights", "metrics", "window_hours", "confidence", "planned_units"};
  std::string action_;
  std::string store_;
  FileName definition_;
  std::string name_;
  std::string reason_;
  FileName exposures_;
  FileName outcomes_;
  Words weights_;
  Words metrics_;
  experiments::TableOptions tables_;
  std::int64_t runs_ = 1000;
  std::uint64_t seed_ = 0;
  std::int64_t threads_ = 0;
  bool json_ = false;
  bool quiet_ = false;
  ReportOption report_;
};

}  // namespace

std::unique_ptr<Command> make_experiment(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<ExperimentCommand>();
}

}  // namespace tandem::program

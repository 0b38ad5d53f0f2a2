// tandem drift: whether a file still is what a model was trained on.
#include "systems/serving/watch/drift.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/text.hpp"
#include "tandem/output.hpp"
#include "tandem/result_page.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Drift final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.group("Model");
    options.written("model", model_, "a file that tandem train --model wrote", "FILE");
    data_.add_options(options);
    options.group("Drift");
    options.real("level", drift_.level,
                 "share of reports about rows that have not drifted that raise an alarm", 1e-6,
                 0.5);
    options.flag("fail", fail_, "end with status 1 where there is an alarm");
    run_.add_options(options, false);
    options.group("Results");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    if (model_.path.empty()) throw InputError("expected " + option("model") + " FILE: the model");
    OutputFiles files;
    files.reads(option("model"), model_.path);
    data_.list_inputs(files);
    report_.list_outputs(files);
    report_.check(&data_);
    const Archive archive = read_archive(model_.path, "model");
    const TrainingSummary summary = summary_of(archive);
    if (summary.version != 1) {
      throw InputError(
          model_.path + ": its summary of the training data is of version " +
          std::to_string(summary.version) +
          ", and this program knows version 1; train the model again with this program");
    }
    if (summary.features.empty()) {
      throw InputError(model_.path +
                       ": has no summary of its training data; tandem train --model keeps one of "
                       "rows (not of those that tandem bin made), unless " +
                       option("leave_out_of_summary") + " all is given");
    }
    const AnyModel model = model_from_archive(archive);
    const watch::DriftReport report =
        std::visit([&](const auto& pipeline) { return compare(pipeline, summary); }, model);
    if (report_.asked()) write_page(report, summary, "tandem drift " + options.arguments());
    if (run_.json) {
      nlohmann::json json = watch::to_json(report);
      json["model"] = model_.path;
      json["data"] = data_.data.path;
      json["rows"] = rows_;
      json["scores_held_out"] = summary.scores_held_out;
      if (report_.asked()) json["report"] = report_.path();
      print_json(json);
    } else {
      print(to_text(report, summary) + report_.line());
    }
    return fail_ && report.alarm ? 1 : 0;
  }

 private:
  // Categories that the model does not know are missing to it; here they are told apart.
  template <Real T>
  [[nodiscard]] std::vector<Index> missing_of_file(const Pipeline<T>& model) {
    ReadOptions options = data_.read_options(run_);
    options.reading.complete_from(model.schema.reading);
    bool any = false;
    for (const Column& column : model.schema.columns) {
      if (!column.categorical()) continue;
      any = true;
      auto& list = options.reading.columns.list;
      if (std::none_of(list.begin(), list.end(),
                       [&](const ColumnReading& one) { return one.name == column.name; })) {
        list.push_back({column.name, ColumnKind::category});
      }
    }
    std::vector<Index> missing(model.schema.columns.size(), -1);
    if (!any) return missing;
    const log::Level level = log::level();
    log::set_level(log::Level::error);  // the first reading has said what there is to say
    const Dataset<T> raw = read_dataset<T>(data_.data.path, options);
    log::set_level(level);
    for (std::size_t j = 0; j < model.schema.columns.size(); ++j) {
      if (!model.schema.columns[j].categorical()) continue;
      for (std::size_t k = 0; k < raw.columns.size(); ++k) {
        if (raw.columns[k].name != model.schema.columns[j].name) continue;
        missing[j] = 0;
        for (Index i = 0; i < raw.rows(); ++i) {
          missing[j] += std::isnan(raw.features(i, static_cast<Index>(k))) ? 1 : 0;
        }
      }
    }
    return missing;
  }

  template <Real T>
  [[nodiscard]] watch::DriftReport compare(const Pipeline<T>& model,
                                           const TrainingSummary& summary) {
    run_.precision = precision_of<T>;
    run_.seed = model.provenance.seed;
    Dataset<T> data = load_data_for(run_, data_, model);
    if (data.has_weights()) {
      run_.say(
          "drift counts every row once, whatever its weight: its tests are of numbers of rows");
    }
    rows_ = data.rows();
    check_interrupt();
    const std::vector<Index> missing = missing_of_file(model);
    std::vector<ColumnSummary> features;
    for (const ColumnSummary& before : summary.features) {
      ColumnSummary now = before.without_rows();
      const auto at = std::find_if(data.columns.begin(), data.columns.end(),
                                   [&](const Column& one) { return one.name == before.name; });
      if (at == data.columns.end()) {
        throw InputError(model_.path + ": its summary is of a column " + before.name +
                         " that the model does not take");
      }
      const auto j = at - data.columns.begin();
      for (Index i = 0; i < data.rows(); ++i) now.count(static_cast<double>(data.features(i, j)));
      const Index in_file = missing[static_cast<std::size_t>(j)];
      if (in_file >= 0 && in_file < now.missing) {
        now.unseen = now.missing - in_file;
        now.missing = in_file;
      }
      features.push_back(std::move(now));
    }
    std::vector<ColumnSummary> scores;
    if (!summary.scores.empty()) {
      const auto engine = run_.make_engine();
      const Dataset<double> said =
          score_columns(*model.model, model.predict(*engine, std::move(data)));
      for (const ColumnSummary& before : summary.scores) {
        scores.push_back(before.without_rows());
        const auto at = std::find_if(said.columns.begin(), said.columns.end(),
                                     [&](const Column& one) { return one.name == before.name; });
        if (at == said.columns.end()) {
          throw InputError(model_.path + ": its summary is of a score " + before.name +
                           " that the model does not give");
        }
        for (Index i = 0; i < said.rows(); ++i) {
          scores.back().count(said.features(i, at - said.columns.begin()));
        }
      }
    }
    return watch::compare(summary, features, scores, drift_);
  }

  [[nodiscard]] std::string headline(const watch::DriftReport& report) const {
    std::size_t alarms = 0;
    std::size_t judged = 0;
    for (const auto& column : report.columns) {
      alarms += column.alarm ? 1 : 0;
      judged += column.judged ? 1 : 0;
    }
    if (judged == 0) return "nothing could be judged";
    return (report.alarm ? "drift in " + std::to_string(alarms) + " of " : "no drift found in ") +
           counted(static_cast<Index>(judged), "column");
  }

  [[nodiscard]] static std::string share(double value) {
    return significant(100 * value, 3) + " %";
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> column_table(
      const watch::DriftReport& report) {
    std::vector<std::vector<std::string>> rows{
        {"column", "rows", "PSI", "limit", "KS", "missing", "was", "unseen", "p", "finding"}};
    for (std::size_t j = 0; j < report.columns.size(); ++j) {
      const watch::ColumnDrift& one = report.columns[j];
      rows.push_back({(j < report.features ? "" : "model: ") + one.name,
                      significant(one.rows_now, 12), significant(one.psi, 3),
                      significant(one.psi_limit, 3), one.categorical ? "-" : significant(one.ks, 3),
                      share(one.missing_now), share(one.missing_before),
                      one.categorical ? share(one.unseen_now) : "-", significant(one.p, 2),
                      one.alarm    ? "drift"
                      : one.judged ? "none"
                                   : "not judged"});
    }
    return rows;
  }

  // A sentence for each column that alarms, and for each reason why others are not judged.
  [[nodiscard]] static std::vector<std::string> sentences(const watch::DriftReport& report) {
    std::vector<std::string> lines;
    std::map<std::string, std::vector<std::string>> not_judged;
    for (const watch::ColumnDrift& one : report.columns) {
      if (one.alarm) lines.push_back(one.name + ": " + one.reason);
      if (!one.judged) not_judged[one.why_not].push_back(one.name);
    }
    for (const auto& [why, names] : not_judged) {
      std::string all;
      for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
      lines.push_back("not judged, because " + why + ": " + all);
    }
    return lines;
  }

  [[nodiscard]] std::string promise(const watch::DriftReport& report) const {
    return "Of reports about rows that have not drifted, " + share(report.level) +
           " raise an alarm at most.";
  }

  [[nodiscard]] std::string to_text(const watch::DriftReport& report,
                                    const TrainingSummary& summary) const {
    std::string text = data_.data.path + " against the training data of " + model_.path + ": " +
                       headline(report) + "\n\n" + table(column_table(report)) + "\n";
    for (const std::string& line : sentences(report)) text += "  " + line + "\n";
    if (summary.scores.empty()) text += "  the summary has no scores of the model\n";
    return text + wrapped(promise(report), terminal_width());
  }

  void write_page(const watch::DriftReport& report, const TrainingSummary& summary,
                  const std::string& command) const {
    report::Page page("Drift of " + std::filesystem::path(data_.data.path).filename().string(),
                      counted(rows_, "row") + " against the training data of " +
                          std::filesystem::path(model_.path).filename().string());
    page.section("", "Result");
    page.facts({{"finding", headline(report)}, {"p of all columns", significant(report.p, 2)}});
    page.command(command);
    for (const std::string& line : sentences(report)) page.paragraph(line);
    if (summary.scores.empty()) page.paragraph("The summary has no scores of the model.");
    report::Plot plot;
    plot.title = "Stability index of each column";
    plot.x.label = "column";
    plot.y.label = "PSI";
    report::Series bars{.label = "PSI", .mark = report::Mark::bars};
    report::Series limits{
        .label = "limit of one check", .mark = report::Mark::points, .colour = 2, .size = 1.5};
    constexpr std::size_t most_drawn = 40;
    for (std::size_t j = 0; j < std::min(most_drawn, report.columns.size()); ++j) {
      const auto x = static_cast<double>(j + 1);
      bars.points.push_back({x, report.columns[j].psi});
      limits.points.push_back({x, report.columns[j].psi_limit});
    }
    plot.x.whole_numbers = true;
    plot.series = {bars, limits};
    Figures figures;
    figures.add(plot,
                "Columns by their place in the table below. The index of rows that have not "
                "drifted is below the limit in 99 of 100 columns at level 0.01.");
    page.figures(figures.take());
    page.section("", "Columns");
    page.table(column_table(report));
    page.paragraph(promise(report));
    report_.write(page);
  }

  FileName model_;
  DataSettings data_;
  RunSettings run_;
  ReportOption report_;
  watch::DriftOptions drift_;
  bool fail_ = false;
  Index rows_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_drift(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Drift>();
}

}  // namespace tandem::program

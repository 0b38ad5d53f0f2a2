// tandem cross-validate ALGORITHM and tandem learning-curve ALGORITHM
#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/core/log.hpp"
#include "tandem/figures.hpp"
#include "tandem/model/validation.hpp"
#include "tandem/output.hpp"
#include "tandem/result_page.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

// The common part of the two commands.
class Validation : public Command {
 public:
  explicit Validation(std::unique_ptr<Algorithm> algorithm) : pipeline_(std::move(algorithm)) {}

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Validation");
    options.integer("folds", validation_.folds, "parts that the rows are divided into", 2,
                    INT64_MAX);
    options.integer("repeats", validation_.repeats, "partitions, each at random", 1, 100000);
    options.flag("stratified", validation_.stratified,
                 "share the rows of each class among the folds");
    shown_.add_option(options);
    add_own_options(options);
    add_pipeline_options(options, pipeline_);
    run_.add_options(options, true);
    options.group("Results");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    report_.check(&data_);
    if (run_.json) log::set_level(log::Level::warning);
    pipeline_.set_seed(run_.seed);
    pipeline_.check();
    validation_.seed = run_.seed;
    return with_precision(run_.precision, [&](auto type) {
      using T = typename decltype(type)::type;
      const auto engine = run_.make_engine();
      Stopwatch watch;
      const LoadedData<T> data = load_data<T>(run_, data_, nullptr, pipeline_);
      const double load = watch.lap();
      check_interrupt();
      shown_.check(data.task);
      if (shown_.asks_for("silhouette")) validation_.silhouette = true;
      ControlOptions control_options;
      control_options.quiet = run_.quiet;
      control_options.estimates = true;
      ProgramControl control(control_options);
      nlohmann::json json;
      std::string text;
      report::Page page(std::string(pipeline_.algorithm().name()) + " on " +
                            std::filesystem::path(data_.data.path).filename().string(),
                        std::string(what()) + "; " +
                            shape_to_text(data.train.rows(), data.train.cols()) + "; " +
                            describe(*engine, run_));
      target_ = data.train.target_column.name;
      baseline_ = baseline_of_folds(pipeline_, data.train, validation_);
      validate(*engine, data.train, control, json, text, page);
      control.finish();
      const std::string command = "tandem " + std::string(command_name()) + " " +
                                  std::string(pipeline_.algorithm().name()) + " " +
                                  options.arguments();
      if (report_.asked()) {
        page.section("", "How to get these numbers");
        page.command(command);
        for (const std::string& remark : data.remarks) page.paragraph(remark);
        report_.write(page);
        json["report"] = report_.path();
      }
      if (!run_.json) {
        print(run_to_text(pipeline_, *engine, run_, data_, data) + text + report_.line());
        return 0;
      }
      add_run(json, pipeline_, *engine, run_, data_, data);
      json["options"] = nlohmann::json::parse(options_to_json(pipeline_.algorithm().options()));
      json["steps"] = nlohmann::json::parse(options_to_json(pipeline_.record_steps()));
      json["seconds"] = {{"load", load}, {"validate", watch.lap()}};
      if (!baseline_.empty()) json["baseline"] = shown_.json_of(baseline_);
      if (engine->device() == Device::softgpu) json["seconds"]["measured"] = software_gpu_time;
      add_estimate(json, control);
      print_json(json);
      return 0;
    });
  }

 protected:
  [[nodiscard]] virtual std::string_view command_name() const = 0;
  [[nodiscard]] virtual std::string_view what() const = 0;  // "cross-validation"
  virtual void add_own_options(OptionSet& options) = 0;
  virtual void validate(Engine& engine, const Dataset<float>& data, RunControl& control,
                        nlohmann::json& json, std::string& text, report::Page& page) = 0;
  virtual void validate(Engine& engine, const Dataset<double>& data, RunControl& control,
                        nlohmann::json& json, std::string& text, report::Page& page) = 0;

  [[nodiscard]] std::string baseline_answer() const {
    return std::string("always ") +
           (baseline_.contains("accuracy") ? "the most frequent class" : "the mean") +
           " of the training part";
  }
  [[nodiscard]] std::string baseline_text() const {
    return "  baseline: " + baseline_answer() + "\n";
  }
  // Whether a metric has a table or a picture of its own: one of all of them would hide what they
  // say.
  [[nodiscard]] bool in_pictures(std::string_view metric) const {
    if (shown_.chosen()) return shown_.asks_for(metric);
    constexpr std::array<std::string_view, 9> usual{"accuracy", "log_loss",       "roc_auc",
                                                    "r2",       "rmse",           "mae",
                                                    "inertia",  "davies_bouldin", "silhouette"};
    return std::ranges::find(usual, metric) != usual.end();
  }
  // Leaves the metrics that --metric asks for.
  void without_hidden(nlohmann::json& metrics) const {
    for (auto at = metrics.begin(); at != metrics.end();) {
      at = shown_.in_json(at.key()) ? std::next(at) : metrics.erase(at);
    }
  }

  PipelineOptions pipeline_;
  RunSettings run_;
  DataSettings data_;
  ValidationOptions validation_;
  ShownMetrics shown_;
  ReportOption report_;
  std::string target_;                      // the name of its column; empty where there is none
  std::map<std::string, double> baseline_;  // means over the folds; none for clusters
};

class CrossValidate final : public Validation {
 public:
  using Validation::Validation;

 private:
  [[nodiscard]] std::string_view command_name() const override { return "cross-validate"; }
  [[nodiscard]] std::string_view what() const override { return "cross-validation"; }
  void add_own_options(OptionSet& options) override {
    options.real("confidence", validation_.confidence, "of the interval", 0.5, 0.9999);
    options.flag("silhouette", validation_.silhouette, "clusters: also the silhouette");
    options.text("outlier_class", validation_.outlier_class, outlier_class_help);
  }
  void validate(Engine& engine, const Dataset<float>& data, RunControl& control,
                nlohmann::json& json, std::string& text, report::Page& page) override {
    run_as(engine, data, control, json, text, page);
  }
  void validate(Engine& engine, const Dataset<double>& data, RunControl& control,
                nlohmann::json& json, std::string& text, report::Page& page) override {
    run_as(engine, data, control, json, text, page);
  }
  template <Real T>
  void run_as(Engine& engine, const Dataset<T>& data, RunControl& control, nlohmann::json& json,
              std::string& text, report::Page& page) {
    const CrossValidation result = cross_validate(pipeline_, data, validation_, engine, control);
    json = nlohmann::json::parse(to_json(result));
    text = "  folds     " + std::to_string(validation_.folds) +
           (validation_.repeats > 1 ? ", " + counted(validation_.repeats, "repeat") : "") +
           (result.stratified ? ", stratified" : "") + "\n\n";
    std::vector<std::vector<std::string>> rows{
        {"metric", "mean", "deviation", readable(validation_.confidence * 100) + " % interval from",
         "to"}};
    if (!baseline_.empty()) rows.front().emplace_back("baseline");
    std::string undefined;
    const auto total = static_cast<Index>(result.test.size());
    for (const auto& [name, one] : result.summary) {
      if (!shown_.in_text(name)) continue;
      const bool interval = one.count > 1;
      rows.push_back({name, readable(one.mean), readable(one.deviation),
                      interval ? readable(one.low) : "undefined",
                      interval ? readable(one.high) : "undefined"});
      if (const auto found = baseline_.find(name); found != baseline_.end()) {
        rows.back().push_back(readable(found->second));
      }
      if (one.count == total) continue;
      undefined += "\n" + name + " is not defined on " + std::to_string(total - one.count) +
                   " of " + counted(total, "test part") +
                   (one.count > 0 ? "; they are left out of its mean" : "");
    }
    text += table(rows) + (undefined.empty() ? "" : undefined + "\n");
    if (!baseline_.empty()) text += "\n" + baseline_text();
    if (report_.asked()) write_page(page, result, rows);
    without_hidden(json["summary"]);
    for (nlohmann::json& fold : json["folds_detail"]) {
      without_hidden(fold["train"]);
      without_hidden(fold["test"]);
    }
  }

  void write_page(report::Page& page, const CrossValidation& result,
                  const std::vector<std::vector<std::string>>& rows) const {
    page.section("", "Result");
    std::vector<std::pair<std::string, std::string>> facts;
    Figures figures;
    for (const auto& [name, one] : result.summary) {
      if (!in_pictures(name)) continue;
      if (facts.size() < 4) facts.emplace_back(axis_label(name) + ", mean", readable(one.mean));
      figures.add(
          folds_plot(result, name),
          "Each fold's " + axis_label(name) +
              ": on the rows that it was trained on, and on those left out." +
              (name == "inertia" ? " It is a sum over rows, of which fewer are left out." : ""));
    }
    facts.emplace_back("folds", std::to_string(result.test.size()));
    page.facts(facts);
    page.figures(figures.take());
    page.section("", "Metrics on the rows left out");
    page.table(rows);
    if (!baseline_.empty()) page.paragraph("Baseline: " + baseline_answer() + ".");
    page.paragraph(interval_method);
  }

  [[nodiscard]] report::Plot folds_plot(const CrossValidation& result,
                                        const std::string& name) const {
    report::Plot plot;
    plot.title = axis_label(name) + " of each fold";
    const auto count = static_cast<double>(result.test.size());
    plot.x = {.label = "fold", .from = 0.5, .to = count + 0.5, .whole_numbers = count <= 20};
    plot.y = {.label = metric_label(name, target_)};
    const auto series = [&](const std::vector<std::map<std::string, double>>& all,
                            const std::string& label, int colour, int shape) {
      report::Series points{.label = label,
                            .points = {},
                            .mark = report::Mark::points,
                            .colour = colour,
                            .shape = shape,
                            .size = 2};
      for (std::size_t f = 0; f < all.size(); ++f) {
        const auto found = all[f].find(name);
        if (found != all[f].end()) {
          points.points.push_back({static_cast<double>(f + 1), found->second});
        }
      }
      return points;
    };
    plot.series = {series(result.train, "training rows", 2, 1),
                   series(result.test, "rows left out", 1, 0)};
    const double mean = result.summary.at(name).mean;
    report::Series line = level_line("mean of those left out", 0.5, count + 0.5, mean);
    line.colour = 1;
    line.dashed = false;
    plot.series.push_back(line);
    if (const auto found = baseline_.find(name); found != baseline_.end()) {
      plot.series.push_back(level_line("baseline", 0.5, count + 0.5, found->second));
    }
    return plot;
  }
};

class LearningCurveCommand final : public Validation {
 public:
  using Validation::Validation;

 private:
  [[nodiscard]] std::string_view command_name() const override { return "learning-curve"; }
  [[nodiscard]] std::string_view what() const override { return "learning curve"; }
  void add_own_options(OptionSet& options) override {
    options.integers("sizes", sizes_,
                     "numbers of training rows; 10 to 100 % in five steps if left out", 1,
                     INT64_MAX);
  }
  void validate(Engine& engine, const Dataset<float>& data, RunControl& control,
                nlohmann::json& json, std::string& text, report::Page& page) override {
    run_as(engine, data, control, json, text, page);
  }
  void validate(Engine& engine, const Dataset<double>& data, RunControl& control,
                nlohmann::json& json, std::string& text, report::Page& page) override {
    run_as(engine, data, control, json, text, page);
  }
  template <Real T>
  void run_as(Engine& engine, const Dataset<T>& data, RunControl& control, nlohmann::json& json,
              std::string& text, report::Page& page) {
    const LearningCurve curve =
        learning_curve(pipeline_, data, sizes_, validation_, engine, control);
    json = nlohmann::json::parse(to_json(curve));
    text = "\n";
    without_hidden(json["metrics"]);
    for (const auto& [name, series] : curve.metrics) {
      if (!in_pictures(name)) continue;
      std::vector<std::vector<std::string>> rows{
          {name, "train", "deviation", "validation", "deviation"}};
      if (const auto found = baseline_.find(name); found != baseline_.end()) {
        rows.push_back({"baseline", "", "", readable(found->second), ""});
      }
      for (std::size_t i = 0; i < curve.sizes.size(); ++i) {
        rows.push_back({counted(curve.sizes[i], "row"), readable(series.train_mean[i]),
                        readable(series.train_deviation[i]), readable(series.validation_mean[i]),
                        readable(series.validation_deviation[i])});
      }
      text += table(rows) + "\n";
    }
    if (!baseline_.empty()) text += baseline_text();
    if (report_.asked()) write_page(page, curve);
    if (!shown_.chosen()) text += "  --metric all shows the others, --json has them.\n";
  }

  void write_page(report::Page& page, const LearningCurve& curve) const {
    page.section("", "Result");
    Figures figures;
    for (const auto& [name, series] : curve.metrics) {
      if (!in_pictures(name)) continue;
      report::Plot plot;
      plot.title = axis_label(name) + " against the number of training rows";
      plot.x = {.label = "training rows"};
      plot.y = {.label = metric_label(name, target_)};
      report::Series train{.label = "training rows",
                           .points = {},
                           .mark = report::Mark::line_points,
                           .colour = 2,
                           .shape = 1};
      report::Series left_out{
          .label = "rows left out", .points = {}, .mark = report::Mark::line_points, .colour = 1};
      for (std::size_t i = 0; i < curve.sizes.size(); ++i) {
        const auto rows = static_cast<double>(curve.sizes[i]);
        train.points.push_back({rows, series.train_mean[i]});
        left_out.points.push_back({rows, series.validation_mean[i]});
      }
      plot.series = {train, left_out};
      if (const auto found = baseline_.find(name); found != baseline_.end()) {
        plot.series.push_back(level_line("baseline", static_cast<double>(curve.sizes.front()),
                                         static_cast<double>(curve.sizes.back()), found->second));
      }
      figures.add(plot,
                  "Means over the folds. Where the two lines have met, more rows will not "
                  "help; where they have not, they may.");
    }
    page.figures(figures.take());
    page.section("", "Numbers");
    for (const auto& [name, series] : curve.metrics) {
      if (!in_pictures(name)) continue;
      std::vector<std::vector<std::string>> rows{
          {"training rows", "train", "deviation", "validation", "deviation"}};
      for (std::size_t i = 0; i < curve.sizes.size(); ++i) {
        rows.push_back({std::to_string(curve.sizes[i]), readable(series.train_mean[i]),
                        readable(series.train_deviation[i]), readable(series.validation_mean[i]),
                        readable(series.validation_deviation[i])});
      }
      page.table(rows, metric_label(name, target_));
    }
    if (!baseline_.empty()) page.paragraph("Baseline: " + baseline_answer() + ".");
  }

  std::vector<std::int64_t> sizes_;
};

}  // namespace

std::unique_ptr<Command> make_cross_validate(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<CrossValidate>(std::move(algorithm));
}

std::unique_ptr<Command> make_learning_curve(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<LearningCurveCommand>(std::move(algorithm));
}

}  // namespace tandem::program

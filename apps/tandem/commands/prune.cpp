// tandem prune ALGORITHM
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/figures.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/result_page.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"
#include "tandem/tree/pruning_choice.hpp"

namespace tandem::program {
namespace {

class Prune final : public Command {
 public:
  explicit Prune(std::unique_ptr<Algorithm> algorithm) : pipeline_(std::move(algorithm)) {
    if (!pipeline_.algorithm().has_option("ccp_alpha")) {
      throw InputError("tandem prune is for decision-tree, and " +
                       std::string(pipeline_.algorithm().name()) +
                       " has no option ccp-alpha; tandem tune tries options of any algorithm");
    }
  }

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Choice");
    options.choice("rule", prune_.rule,
                   "one-error: the smallest tree within one standard error of the best; best: the "
                   "best");
    options.text("metric", prune_.metric,
                 "what the trees are compared by; accuracy or r2 if left out");
    options.integer("most", prune_.most, "trees of the path that are tried, at most", 2, 100000);
    options.integer("folds", prune_.validation.folds, "parts that the rows are divided into", 2,
                    INT64_MAX);
    options.integer("repeats", prune_.validation.repeats, "partitions, each at random", 1, 100000);
    options.flag("stratified", prune_.validation.stratified,
                 "share the rows of each class among the folds");
    options.real("confidence", prune_.validation.confidence, "of the intervals", 0.5, 0.9999);
    options.group("Options of " + std::string(pipeline_.algorithm().name()));
    WithoutOptions of_tree(options, {"ccp_alpha"});
    pipeline_.visit_algorithm(of_tree);
    add_step_options(options, pipeline_);
    run_.add_options(options, true);
    options.group("Results");
    options.written("model", model_file_,
                    "train the chosen tree on all rows and keep the model in this file", "FILE");
    report_.add_option(options, false);
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& options) override {
    pipeline_.set_seed(run_.seed);
    pipeline_.check();
    prune_.validation.seed = run_.seed;
    OutputFiles files;
    data_.list_inputs(files);
    files.writes(option("model"), model_file_.path, "a model of Tandem", an_archive("model"));
    report_.list_outputs(files);
    files.check(force_);
    report_.prepare();
    if (run_.json) log::set_level(log::Level::warning);
    return with_precision(
        run_.precision, [&](auto type) { return run_as<typename decltype(type)::type>(options); });
  }

 private:
  template <Real T>
  int run_as(const OptionSet& options) {
    const auto engine = run_.make_engine();
    Stopwatch watch;
    const LoadedData<T> data = load_data<T>(run_, data_, nullptr, pipeline_);
    const double load = watch.lap();
    check_interrupt();
    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    control_options.estimates = true;
    ProgramControl control(control_options);
    const PruningChoice choice = choose_pruning(pipeline_, data.train, prune_, *engine, control);
    if (!model_file_.path.empty()) {
      PipelineOptions chosen = pipeline_;
      chosen.decide_task(choice.task);
      chosen.set("predictor.ccp_alpha", choice.alpha());
      save_model(model_file_.path,
                 fit_pipeline(*engine, data.train, chosen, {.control = &control}));
    }
    control.finish();
    const double seconds = watch.lap();
    const auto baseline = baseline_of_folds(pipeline_, data.train, prune_.validation);
    const auto of_metric = baseline.find(choice.metric);
    const double base = of_metric == baseline.end() ? NAN : of_metric->second;
    const std::string train = train_command(options, choice);
    if (report_.asked()) {
      write_page(choice, base, train, describe(*engine, run_), data.train.rows(),
                 data.train.target_column.name, options);
    }
    if (run_.json) {
      nlohmann::json json = nlohmann::json::parse(to_json(choice));
      add_run(json, pipeline_, *engine, run_, data_, data);
      json["rule"] = to_string(prune_.rule);
      json["folds"] = prune_.validation.folds;
      json["repeats"] = prune_.validation.repeats;
      json["confidence"] = prune_.validation.confidence;
      json["baseline"] = std::isfinite(base) ? nlohmann::json(base) : nlohmann::json();
      json["options"] = nlohmann::json::parse(options_to_json(pipeline_.algorithm().options()));
      json["steps"] = nlohmann::json::parse(options_to_json(pipeline_.record_steps()));
      json["train_command"] = train;
      json["model"] =
          model_file_.path.empty() ? nlohmann::json() : nlohmann::json(model_file_.path);
      json["seconds"] = {{"load", load}, {"prune", seconds}};
      if (engine->device() == Device::softgpu) json["seconds"]["measured"] = software_gpu_time;
      if (report_.asked()) json["report"] = report_.path();
      add_estimate(json, control);
      print_json(json);
      return 0;
    }
    std::string text = run_to_text(pipeline_, *engine, run_, data_, data) + "  path      " +
                       counted(static_cast<Index>(choice.path.size()), "tree") + " of " +
                       counted(choice.path.leaves.front(), "leaf", "leaves") + " to 1; " +
                       counted(static_cast<Index>(choice.tried.size()), "tree") + " tried on " +
                       std::to_string(prune_.validation.folds) + " folds\n  seconds   load " +
                       readable_seconds(load) + ", prune " + readable_seconds(seconds) + "\n\n";
    text += table(rows_of(choice, 24));
    if (std::isfinite(base)) {
      text += "\n  baseline: " + choice.metric + " " + readable(base) + "\n";
    }
    text += "\n  chosen: " +
            counted(choice.path.leaves[choice.tried[choice.chosen]], "leaf", "leaves") +
            (prune_.rule == PruningRule::best
                 ? ", the best " + choice.metric
                 : ", the smallest tree within one standard error of the best " + choice.metric) +
            "\n\ntrain it by: " + train + "\n";
    if (!model_file_.path.empty()) text += "\nmodel: " + model_file_.path + "\n";
    print(text + report_.line());
    return 0;
  }

  // A row per candidate, from the root on; at most `most`, the best and the chosen among them.
  [[nodiscard]] std::vector<std::vector<std::string>> rows_of(const PruningChoice& choice,
                                                              std::size_t most) const {
    std::vector<std::vector<std::string>> rows{
        {"leaves", "ccp-alpha", "impurity", choice.metric, "deviation", ""}};
    const std::size_t count = choice.tried.size();
    const std::size_t step = (count + most - 1) / most;
    for (std::size_t k = count; k-- > 0;) {
      const bool marked = k == choice.best || k == choice.chosen;
      if (!marked && k % step != 0 && k + 1 != count) continue;
      const std::size_t entry = choice.tried[k];
      rows.push_back({std::to_string(choice.path.leaves[entry]),
                      readable(choice.path.alphas[entry]), readable(choice.path.impurities[entry]),
                      readable(choice.scores[k].mean), readable(choice.scores[k].deviation),
                      k == choice.chosen ? "chosen"
                      : k == choice.best ? "best"
                                         : ""});
    }
    return rows;
  }

  [[nodiscard]] std::string train_command(const OptionSet& options,
                                          const PruningChoice& choice) const {
    const std::string given =
        options.arguments({"rule", "metric", "most", "folds", "repeats", "stratified", "confidence",
                           "model", "report", "force", "json", "quiet"});
    return "tandem train " + std::string(pipeline_.algorithm().name()) + " " + given +
           " --ccp-alpha " + shortest(choice.alpha());
  }

  void write_page(const PruningChoice& choice, double base, const std::string& train,
                  const std::string& engine, Index rows, const std::string& target,
                  const OptionSet& options) const {
    report::Page page(
        "Pruning a decision tree on " + std::filesystem::path(data_.data.path).filename().string(),
        counted(rows, "row") + ", " + std::to_string(prune_.validation.folds) + " folds; " +
            engine);
    const std::size_t entry = choice.tried[choice.chosen];
    page.section("", "Result");
    page.facts({{"leaves chosen", std::to_string(choice.path.leaves[entry])},
                {"leaves of the whole tree", std::to_string(choice.path.leaves.front())},
                {axis_label(choice.metric) + " on rows left out",
                 readable(choice.scores[choice.chosen].mean)},
                {axis_label(choice.metric) + " of the baseline", readable(base)}});
    page.command("tandem prune " + std::string(pipeline_.algorithm().name()) + " " +
                 options.arguments());
    page.paragraph("The command that trains the chosen tree:");
    page.command(train);
    report::Plot plot;
    plot.title = choice.metric + " against the leaves of the tree";
    plot.x = {.label = "leaves", .logarithmic = true};
    plot.y = {.label = metric_label(choice.metric, target) + " on rows left out"};
    report::Series line{
        .label = "mean of the folds", .points = {}, .mark = report::Mark::line_points};
    report::Series picked{
        .label = "chosen", .points = {}, .mark = report::Mark::points, .colour = 2, .size = 2.6};
    for (std::size_t k = choice.tried.size(); k-- > 0;) {
      const report::Point point{static_cast<double>(choice.path.leaves[choice.tried[k]]),
                                choice.scores[k].mean};
      line.points.push_back(point);
      if (k == choice.chosen) picked.points.push_back(point);
    }
    plot.series = {line, picked};
    if (std::isfinite(base)) {
      plot.series.push_back(
          level_line("baseline", 1, static_cast<double>(choice.path.leaves.front()), base));
    }
    report::Plot impurity;
    impurity.title = "impurity against the leaves of the tree";
    impurity.x = {.label = "leaves", .logarithmic = true};
    impurity.y = {.label = "impurity of the training rows"};
    report::Series path{.label = "", .points = {}, .mark = report::Mark::line};
    for (std::size_t i = choice.path.size(); i-- > 0;) {
      path.points.push_back(
          {static_cast<double>(choice.path.leaves[i]), choice.path.impurities[i]});
    }
    impurity.series = {path};
    Figures figures;
    figures.add(plot, "Scores on rows that the trees have not seen, smaller trees to the left.");
    figures.add(impurity,
                "On the rows that it was grown on, a larger tree is always better: that is why "
                "they do not choose.");
    page.figures(figures.take());
    page.section("", "Trees");
    page.table(rows_of(choice, 60));
    report_.write(page);
  }

  PipelineOptions pipeline_;
  RunSettings run_;
  DataSettings data_;
  PruningOptions prune_;
  FileName model_file_;
  ReportOption report_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_prune(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<Prune>(std::move(algorithm));
}

}  // namespace tandem::program

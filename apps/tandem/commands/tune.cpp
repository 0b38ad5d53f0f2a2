// tandem tune ALGORITHM --grid SPACE
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/figures.hpp"
#include "tandem/model/tune.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/result_page.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Tune final : public Command {
 public:
  explicit Tune(std::unique_ptr<Algorithm> algorithm) : pipeline_(std::move(algorithm)) {}

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    options.group("Search");
    options.text("grid", space_,
                 "the values to try: max-depth=2..10,criterion=entropy|gini; a step 2..10+2, a "
                 "factor 0.01..100*10; semicolons between options whose values have commas");
    options.integer("random", tune_.random,
                    "try this many combinations, drawn at random, instead of all; values may then "
                    "be intervals, 0.001..1+ even in themselves, 0.001..1* in their logarithm",
                    0, 1000000);
    options.text("metric", tune_.metric,
                 "what the candidates are compared by; accuracy, r2 (of rankings ndcg), silhouette "
                 "or roc_auc, by task, if left out");
    options.text("outlier_class", tune_.validation.outlier_class, outlier_class_help);
    options.integer("folds", tune_.validation.folds, "parts that the rows are divided into", 2,
                    INT64_MAX);
    options.integer("repeats", tune_.validation.repeats, "partitions, each at random", 1, 100000);
    options.flag("stratified", tune_.validation.stratified,
                 "share the rows of each class among the folds");
    options.real("confidence", tune_.validation.confidence, "of the intervals", 0.5, 0.9999);
    options.integer("outer_folds", tune_.outer_folds,
                    "judge the search itself by nested cross-validation in this many parts; 0: do "
                    "not",
                    0, 1000);
    add_pipeline_options(options, pipeline_);
    run_.add_options(options, true);
    options.group("Results");
    options.written("model", model_file_,
                    "train the best candidate on all rows and keep the model in this file", "FILE");
    report_.add_option(options, false);
    options.flag("force", force_, replace_help);
    options.group("Interruption");
    options.written("checkpoint", checkpoint_file_, "keep what is done here, to go on from",
                    "FILE");
    options.real("checkpoint_every", checkpoint_every_, "seconds between checkpoints", 0, 1e9);
    options.written("resume", resume_file_,
                    "go on from this checkpoint, with the same data and options", "FILE");
  }

  int run(const OptionSet& options) override {
    pipeline_.set_seed(run_.seed);
    pipeline_.check();
    tune_.validation.seed = run_.seed;
    if (space_.empty()) {
      throw InputError("expected --grid: the values to try, such as --grid " + example());
    }
    const SearchSpace space = SearchSpace::parse(space_);
    check_outputs();
    if (run_.json) log::set_level(log::Level::warning);
    return with_precision(run_.precision, [&](auto type) {
      return run_as<typename decltype(type)::type>(options, space);
    });
  }

 private:
  // A search that this algorithm can be given.
  [[nodiscard]] std::string example() const {
    const Algorithm& algorithm = pipeline_.algorithm();
    for (const auto& [option_name, grid] :
         {std::pair{"max_depth", "'max-depth=2..10'"}, std::pair{"clusters", "'k=2..10'"},
          std::pair{"hidden", "'hidden=16|32|64'"}, std::pair{"c", "'c=0.01..100*10'"},
          std::pair{"l2", "'l2=0|0.01|0.1|1'"}}) {
      if (algorithm.has_option(option_name)) return grid;
    }
    return "'OPTION=VALUE|VALUE'";
  }

  // Where what is done is kept.
  [[nodiscard]] const std::string& checkpoint_path() const {
    return checkpoint_file_.path.empty() ? resume_file_.path : checkpoint_file_.path;
  }

  void check_outputs() const {
    OutputFiles files;
    data_.list_inputs(files);
    files.reads(option("resume"), resume_file_.path);
    files.writes(option("model"), model_file_.path, "a model of Tandem", an_archive("model"));
    files.writes(option("checkpoint"), checkpoint_path(), "a checkpoint of Tandem",
                 an_archive("checkpoint"));
    files.may_be_equal(option("checkpoint"), option("resume"));
    report_.list_outputs(files);
    files.check(force_);
    report_.prepare();
  }

  template <Real T>
  int run_as(const OptionSet& options, const SearchSpace& space) {
    const auto engine = run_.make_engine();
    Stopwatch watch;
    LoadedData<T> data = load_data<T>(run_, data_, nullptr, pipeline_);
    const double load = watch.lap();
    check_interrupt();

    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    control_options.estimates = true;
    control_options.checkpoint = checkpoint_path();
    control_options.checkpoint_every = checkpoint_every_;
    control_options.resume = resume_file_.path;
    control_options.run = run_record(*engine, pipeline_, precision_of<T>, fingerprint(data.train));
    ProgramControl control(control_options);
    Tuning tuning;
    Pipeline<T> model;
    try {
      tuning = tune(pipeline_, space, data.train, tune_, *engine, control);
      if (!model_file_.path.empty()) {
        model =
            fit_pipeline(*engine, data.train, with_settings(pipeline_, tuning.best().settings), {});
      }
    } catch (const Interrupted& stop) {
      control.finish();
      if (control.save_last_state()) {
        throw Interrupted(stop.marked() + "; to go on, add --resume " + control_options.checkpoint +
                          " to the same command");
      }
      throw Interrupted(stop.marked() +
                        "; with --checkpoint FILE what is done would have been kept");
    }
    control.finish();
    if (!model_file_.path.empty()) save_model(model_file_.path, model);
    control.remove_checkpoints();
    const double search = watch.lap();

    const auto baseline = baseline_of_folds(pipeline_, data.train, tune_.validation);
    if (report_.asked()) {
      write_page(options, tuning, baseline, shape_to_text(data.train.rows(), data.train.cols()),
                 describe(*engine, run_), data.train.target_column.name);
    }
    if (run_.json) {
      nlohmann::json json = nlohmann::json::parse(to_json(tuning));
      if (!baseline.empty()) json["baseline"] = baseline;
      if (report_.asked()) json["report"] = report_.path();
      add_run(json, pipeline_, *engine, run_, data_, data);
      json["grid"] = space_;
      json["random"] = tune_.random;
      json["folds"] = tune_.validation.folds;
      json["repeats"] = tune_.validation.repeats;
      json["confidence"] = tune_.validation.confidence;
      json["options"] = nlohmann::json::parse(options_to_json(pipeline_.algorithm().options()));
      json["steps"] = nlohmann::json::parse(options_to_json(pipeline_.record_steps()));
      json["train_command"] = train_command(options, tuning);
      json["model"] =
          model_file_.path.empty() ? nlohmann::json() : nlohmann::json(model_file_.path);
      json["seconds"] = {{"load", load}, {"search", search}};
      if (engine->device() == Device::softgpu) json["seconds"]["measured"] = software_gpu_time;
      add_estimate(json, control);
      print_json(json);
      return 0;
    }
    std::string text = run_to_text(pipeline_, *engine, run_, data_, data);
    text +=
        "  tried     " + counted(static_cast<Index>(tuning.candidates.size()), "candidate") + ", " +
        std::to_string(tune_.validation.folds) + " folds" +
        (tune_.validation.repeats > 1 ? ", " + counted(tune_.validation.repeats, "repeat") : "") +
        "; by " + tuning.metric + ", the " +
        (tuning.better == Direction::higher ? "higher" : "lower") + " the better\n";
    text += "  seconds   load " + readable_seconds(load) + ", search " + readable_seconds(search) +
            "\n\n" + candidates_to_text(tuning);
    if (const auto found = baseline.find(tuning.metric); found != baseline.end()) {
      text += "\n  baseline  " + tuning.metric + " " + readable(found->second) + "\n";
    }
    text += nested_to_text(tuning);
    text += "\ntrain it by: " + train_command(options, tuning) + "\n";
    if (!model_file_.path.empty())
      text += "\nmodel: " + model_file_.path + " (trained on all rows)\n";
    print(text + report_.line());
    return 0;
  }

  // Every candidate's score with its interval, the best at the left; and, for each option of
  // numbers alone, the scores against its values.
  void write_page(const OptionSet& options, const Tuning& tuning,
                  const std::map<std::string, double>& baseline, const std::string& shape,
                  const std::string& engine, const std::string& target) const {
    const std::string name(pipeline_.algorithm().name());
    report::Page page("Options of " + name + " tried on " +
                          std::filesystem::path(data_.data.path).filename().string(),
                      shape + "; " +
                          counted(static_cast<Index>(tuning.candidates.size()), "candidate") +
                          ", " + std::to_string(tune_.validation.folds) + " folds; " + engine);
    page.section("", "Result");
    const auto base = baseline.find(tuning.metric);
    const Tuning::Candidate& best = tuning.best();
    std::vector<std::pair<std::string, std::string>> facts;
    if (const auto score = best.scores.find(tuning.metric); score != best.scores.end()) {
      facts.emplace_back(axis_label(tuning.metric) + " of the best", readable(score->second.mean));
    }
    if (base != baseline.end()) {
      facts.emplace_back(axis_label(tuning.metric) + " of the baseline", readable(base->second));
    }
    if (const auto nested = tuning.nested.find(tuning.metric); nested != tuning.nested.end()) {
      facts.emplace_back(axis_label(tuning.metric) + " of the search, nested",
                         readable(nested->second.mean));
    }
    for (const auto& [option_name, value] : best.settings) {
      if (facts.size() < 7) facts.emplace_back(option_name, value);
    }
    page.facts(facts);
    page.command("tandem tune " + name + " " + options.arguments());
    page.paragraph("The command that trains the best:");
    page.command(train_command(options, tuning));
    if (tuning.outer.empty()) {
      page.paragraph(
          "The best score is too good by having been chosen; --outer-folds estimates what the "
          "chosen model does on rows that the search has not seen.");
    }
    Figures figures;
    report::Plot ranks;
    ranks.title = tuning.metric + " of each candidate";
    const auto count = static_cast<double>(tuning.ranking.size());
    ranks.x = {.label = "rank", .from = 0.4, .to = count + 0.6, .whole_numbers = count <= 20};
    ranks.y = {.label = metric_label(tuning.metric, target) + " on rows left out"};
    report::Series means{.label = "mean, with its interval",
                         .points = {},
                         .mark = report::Mark::points,
                         .size = 1.6};
    for (std::size_t r = 0; r < tuning.ranking.size(); ++r) {
      const auto& one = tuning.candidates[static_cast<std::size_t>(tuning.ranking[r])];
      const auto score = one.scores.find(tuning.metric);
      if (score == one.scores.end()) continue;
      const auto x = static_cast<double>(r + 1);
      means.points.push_back({x, score->second.mean});
      if (std::isfinite(score->second.low) && std::isfinite(score->second.high)) {
        ranks.boxes.push_back({x - 0.32, score->second.low, x + 0.32, score->second.high, 1, 0.18});
      }
    }
    ranks.series = {means};
    if (base != baseline.end()) {
      ranks.series.push_back(level_line("baseline", 0.4, count + 0.6, base->second));
    }
    figures.add(ranks,
                "The best candidate at the left. Where intervals overlap widely, the order "
                "is mostly chance.");
    for (std::size_t o = 0; o < best.settings.size() && o < 6; ++o)
      add_option_plot(figures, tuning, target, o);
    page.figures(figures.take());
    page.section("", "Candidates");
    page.table(candidate_rows(tuning, 200), "Means over the folds, and their " +
                                                readable(tune_.validation.confidence * 100) +
                                                " % intervals, from and to");
    page.paragraph(interval_method);
    report_.write(page);
  }

  static void add_option_plot(Figures& figures, const Tuning& tuning, const std::string& target,
                              std::size_t which) {
    report::Plot plot;
    const std::string& name = tuning.best().settings[which].first;
    plot.title = tuning.metric + " against " + name;
    report::Series points{
        .label = "", .points = {}, .mark = report::Mark::points, .colour = 3, .size = 1.6};
    double low = INFINITY;
    double high = -INFINITY;
    bool whole = true;
    for (const auto& one : tuning.candidates) {
      const std::string& text = one.settings[which].second;
      double value = 0;
      const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (status != std::errc() || end != text.data() + text.size()) return;
      const auto score = one.scores.find(tuning.metric);
      if (score == one.scores.end()) continue;
      whole = whole && value == std::round(value);
      low = std::min(low, value);
      high = std::max(high, value);
      points.points.push_back({value, score->second.mean});
    }
    if (!(low < high)) return;
    plot.x = {.label = name,
              .logarithmic = low > 0 && high > 50 * low,
              .whole_numbers = whole && high - low <= 20};
    plot.y = {.label = metric_label(tuning.metric, target) + " on rows left out"};
    plot.series = {points};
    figures.add(plot, "Every candidate by its value of " + name + ".");
  }

  // The command that trains the best candidate: this one's arguments without those of the search,
  // and the candidate's values, which overrule what is given before them.
  [[nodiscard]] std::string train_command(const OptionSet& options, const Tuning& tuning) const {
    std::string text = "tandem train " + std::string(pipeline_.algorithm().name());
    const std::string given = options.arguments(
        {"grid", "random", "metric", "folds", "repeats", "stratified", "confidence", "outer_folds",
         "model", "report", "force", "checkpoint", "checkpoint_every", "resume", "json", "quiet"});
    if (!given.empty()) text += " " + given;
    for (const auto& [name, value] : tuning.best().settings) {
      // The program gives the algorithm's options without a prefix.
      std::string option = name;
      for (const std::string_view prefix : {"predictor.", "clusterer."}) {
        if (option.starts_with(prefix)) option.erase(0, prefix.size());
      }
      std::ranges::replace(option, '_', '-');
      text += " --" + option + " " + quoted_for_shell(value);
    }
    return text;
  }

  [[nodiscard]] static std::vector<std::vector<std::string>> candidate_rows(const Tuning& tuning,
                                                                            std::size_t most) {
    std::vector<std::vector<std::string>> rows;
    std::vector<std::string> head{"rank"};
    for (const auto& [name, value] : tuning.candidates.front().settings) head.push_back(name);
    for (const char* name : {"mean", "deviation", "from", "to", "seconds"}) head.emplace_back(name);
    rows.push_back(head);
    for (std::size_t r = 0; r < std::min(most, tuning.ranking.size()); ++r) {
      const auto& candidate = tuning.candidates[static_cast<std::size_t>(tuning.ranking[r])];
      std::vector<std::string> row{std::to_string(r + 1)};
      for (const auto& [name, value] : candidate.settings) row.push_back(value);
      const auto found = candidate.scores.find(tuning.metric);
      if (found == candidate.scores.end()) {
        row.insert(row.end(), {"-", "-", "-", "-"});
      } else {
        for (const double value :
             {found->second.mean, found->second.deviation, found->second.low, found->second.high}) {
          row.push_back(readable(value));
        }
      }
      row.push_back(readable_seconds(candidate.seconds));
      rows.push_back(std::move(row));
    }
    return rows;
  }

  [[nodiscard]] std::string candidates_to_text(const Tuning& tuning) const {
    constexpr std::size_t most = 20;  // beyond a screenful the JSON form has them
    std::string text = table(candidate_rows(tuning, most));
    if (tuning.ranking.size() > most) {
      text += "  ... and " + counted(static_cast<Index>(tuning.ranking.size() - most), "other") +
              "; --json has them all\n";
    }
    const auto failed = std::ranges::count_if(
        tuning.candidates, [](const Tuning::Candidate& one) { return !one.failed.empty(); });
    if (failed > 0) {
      const auto first = std::ranges::find_if(
          tuning.candidates, [](const Tuning::Candidate& one) { return !one.failed.empty(); });
      text += "\n  " + counted(failed, "candidate") + " could not be fitted; the first: " +
              InputError(first->failed)
                  .spelled(spelling_of(*make_algorithm(pipeline_.algorithm().name()))) +
              "\n";
    }
    return text;
  }

  [[nodiscard]] static std::string nested_to_text(const Tuning& tuning) {
    if (tuning.outer.empty()) {
      return "\n  The best score is too good by having been chosen; --outer-folds 5 estimates what "
             "the "
             "chosen\n  model does on rows that the search has not seen.\n";
    }
    const auto found = tuning.nested.find(tuning.metric);
    std::string text =
        "\n  nested    " + counted(static_cast<Index>(tuning.outer.size()), "outer fold");
    if (found != tuning.nested.end()) {
      text += ": " + tuning.metric + " " + readable(found->second.mean) + ", interval " +
              readable(found->second.low) + " to " + readable(found->second.high);
    }
    text += "\n";
    for (const auto& fold : tuning.outer) {
      text += "            chose";
      for (const auto& [name, value] : fold.chosen) text += " " + name + "=" + value;
      const auto score = fold.scores.find(tuning.metric);
      if (score != fold.scores.end()) text += ": " + readable(score->second);
      text += "\n";
    }
    return text;
  }

  PipelineOptions pipeline_;
  RunSettings run_;
  DataSettings data_;
  std::string space_;
  TuneOptions tune_;
  FileName model_file_;
  ReportOption report_;
  FileName checkpoint_file_;
  double checkpoint_every_ = 60;
  FileName resume_file_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_tune(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<Tune>(std::move(algorithm));
}

}  // namespace tandem::program

// tandem train ALGORITHM
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tandem/binned_rows.hpp"
#include "tandem/cluster_remark.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/archive_kind.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/model/sparse_training.hpp"
#include "tandem/model/training_summary.hpp"
#include "tandem/out_of_core.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/results.hpp"
#include "tandem/run_report.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Train final : public Command {
 public:
  explicit Train(std::unique_ptr<Algorithm> algorithm) : pipeline_(std::move(algorithm)) {}

  void add_options(OptionSet& options) override {
    data_.add_options(options);
    test_.visit(options);
    add_pipeline_options(options, pipeline_);
    run_.add_options(options, true);
    options.group("Results");
    options.written("model", model_file_, "keep the model in this file", "FILE");
    options.written("leave_out_of_summary", leave_out_,
                    "columns left out of the summary of the training data that the model file "
                    "keeps for tandem drift; all: keep none",
                    "COLUMN,...");
    options.text("report", report_, "write a page about this run into this folder");
    options.flag("force", force_, replace_help);
    shown_.add_option(options);
    options.flag("silhouette", silhouette_, "clusters: also the silhouette (rows squared work)");
    options.text("outlier_class", outlier_class_, outlier_class_help);
    options.group("Interruption");
    options.written("checkpoint", checkpoint_file_,
                    "keep the state of the run here, so that it can be resumed (MODEL.checkpoint "
                    "if left out)",
                    "FILE");
    options.real("checkpoint_every", checkpoint_every_, "seconds between checkpoints", 0, 1e9);
    options.written("resume", resume_file_,
                    "go on from this checkpoint, with the same data and options", "FILE");
  }

  int run(const OptionSet& options) override {
    pipeline_.set_seed(run_.seed);
    pipeline_.check();
    check_outputs();
    if (run_.json) log::set_level(log::Level::warning);
    if (data_in_bins()) take_from_bins(options);
    return with_precision(
        run_.precision, [&](auto type) { return run_as<typename decltype(type)::type>(options); });
  }

 private:
  // Whether the data is what tandem bin wrote.
  [[nodiscard]] bool data_in_bins() const {
    const std::string& path = data_.data.path;
    return !path.empty() && path != "-" && archive_kind(path) == "binned table";
  }

  // What is settled where rows are put into bins is so for the training.
  void take_from_bins(const OptionSet& options) {
    const std::string& path = data_.data.path;
    if (pipeline_.algorithm().name() != "gradient-boosting") {
      throw InputError(path + ": rows in bins are what gradient-boosting is trained from; " +
                       std::string(pipeline_.algorithm().name()) + " needs the rows themselves");
    }
    if (!report_.empty()) {
      throw InputError(path + ": " + option("report") +
                       " shows rows, of which the file has only bins; leave it out");
    }
    const Precision precision = precision_of_binned(path);
    if (options.given("precision") && run_.precision != precision) {
      throw InputError(path + ": its values are " + std::string(to_string(precision)) + ", and " +
                       option("precision") + " is " + std::string(to_string(run_.precision)));
    }
    run_.precision = precision;
  }

  // Throws InputError where the options ask for other bins than there are.
  template <Real T>
  void check_bins(const OptionSet& options, const BinnedDataset<T>& data) const {
    const Archive given = pipeline_.algorithm().options();
    const std::pair<std::string, std::int64_t> made[] = {{"max_bins", data.made.max_bins},
                                                         {"max_cat_bins", data.made.max_cat_bins}};
    for (const auto& [name, value] : made) {
      if (!options.given(name) || given.get_int(name) == value) continue;
      throw InputError(data_.data.path + ": its bins were made with " + option(name) + " " +
                       std::to_string(value) + ", and " + std::to_string(given.get_int(name)) +
                       " is asked for; make them anew with tandem bin, or leave the option out");
    }
  }

  // Where the state is kept.
  [[nodiscard]] std::string checkpoint_path() const {
    if (!checkpoint_file_.path.empty()) return checkpoint_file_.path;
    if (!resume_file_.path.empty()) return resume_file_.path;
    return model_file_.path.empty() ? "" : model_file_.path + ".checkpoint";
  }

  // Before hours of training, not after.
  void check_outputs() const {
    OutputFiles files;
    data_.list_inputs(files);
    test_.list_inputs(files);
    files.reads(option("resume"), resume_file_.path);
    files.writes(option("model"), model_file_.path, "a model of Tandem", an_archive("model"));
    // The checkpoint that a run goes on from is written again.
    const bool resumes = checkpoint_file_.path.empty() && !resume_file_.path.empty();
    const std::string kept = option(resumes ? "resume" : "checkpoint");
    files.writes(kept, checkpoint_path(), "a checkpoint of Tandem", an_archive("checkpoint"));
    files.may_be_equal(kept, option("resume"));
    if (std::error_code none; std::filesystem::is_regular_file(resume_file_.path, none) &&
                              !an_archive("checkpoint")(resume_file_.path)) {
      throw InputError(option("resume") + " " + resume_file_.path +
                       ": is no checkpoint of Tandem; name the file that " + option("checkpoint") +
                       " kept");
    }
    files.writes_report(report_);
    files.check(force_);
    if (!report_.empty()) prepare_report_folder(report_);
  }

  template <Real T>
  int run_as(const OptionSet& options) {
    const auto engine = run_.make_engine();
    Seconds seconds;
    seconds.software_gpu = engine->device() == Device::softgpu;
    Stopwatch watch;
    std::optional<BinnedTraining<T>> bins;
    LoadedData<T> data;
    if (data_in_bins()) {
      bins = load_binned_training<T>(data_.data.path);
      check_bins(options, bins->data);
      data = load_beside_bins(run_, data_, test_, *bins, pipeline_.algorithm());
    } else {
      data = load_data<T>(run_, data_, &test_, pipeline_);
    }
    seconds.load = watch.lap();
    check_interrupt();
    if (pipeline_.algorithm().kind() == ModelKind::predictor) pipeline_.decide_task(data.task);
    shown_.check(data.task);
    remark_on_clusters(options, data.remarks);
    const Index raw_features =
        bins ? static_cast<Index>(bins->pipeline.schema.columns.size()) : data.train.cols();

    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    control_options.estimates = true;
    const std::string& model_path = model_file_.path;
    const std::string& resume_path = resume_file_.path;
    control_options.checkpoint = checkpoint_path();
    control_options.checkpoint_every = checkpoint_every_;
    control_options.resume = resume_path;
    if (pipeline_.algorithm().has_option("starts")) {
      control_options.passes = pipeline_.algorithm().options().get_int("starts");
    }
    control_options.run =
        run_record(*engine, pipeline_, precision_of<T>,
                   (bins ? fingerprint(bins->data) : fingerprint(data.train)) ^
                       (data.validation ? fingerprint(*data.validation) * 3 : std::uint64_t{0}));
    ProgramControl control(control_options);
    if (control_options.checkpoint.empty()) {
      set_last_words(
          "stopped because an interrupt was received; with --checkpoint FILE the state would have "
          "been kept");
    }

    // Bins are no values of columns: rows in bins have nothing to be summarised.
    const bool keeps_summary = !model_path.empty() && !bins && leaves_some_in_summary();
    TrainingSummary summary;
    if (keeps_summary) summary.features = summarise_columns(data.train.view(), {leave_out_.list});

    watch.lap();
    const double processor_before = processor_seconds();
    Pipeline<T> model;
    std::unique_ptr<EngineTable<T>> rows_on_engine;  // for as long as they are evaluated
    // Then the rows stay raw, and what they become is never held as a whole. A report shows it.
    const bool sparse =
        !bins && report_.empty() && trains_on_sparse_rows(pipeline_, data.train.view());
    try {
      Dataset<T>* const validation = data.validation ? &*data.validation : nullptr;
      if (bins) {
        model = fit_pipeline(*engine, *bins, pipeline_, &control, validation);
      } else if (sparse) {
        model = fit_pipeline(*engine, data.train, pipeline_,
                             {.validation = validation, .control = &control});
      } else {
        model = fit_pipeline(*engine, std::move(data.train), pipeline_,
                             {.validation = validation,
                              .prepared = &data.train,
                              .table = &rows_on_engine,
                              .control = &control});
      }
    } catch (const Interrupted& stop) {
      control.finish();
      if (control.save_last_state()) {
        throw Interrupted(stop.marked() + "; to go on, add --resume " + control_options.checkpoint +
                          " to the same command");
      }
      throw Interrupted(stop.marked() +
                        (control_options.checkpoint.empty()
                             ? "; with --checkpoint FILE the state would have been kept"
                             : "; there was no state to keep yet"));
    }
    control.finish();
    seconds.train = watch.lap();
    seconds.train_processor = processor_seconds() - processor_before;
    check_interrupt();

    EvaluateOptions evaluate_options;
    evaluate_options.silhouette = silhouette_ || shown_.asks_for("silhouette");
    evaluate_options.curves = !report_.empty();
    evaluate_options.outlier_class = outlier_class_;
    Scores scores;
    scores.train = bins     ? evaluate_binned(model, *engine, bins->data, evaluate_options)
                   : sparse ? model.evaluate(*engine, data.train, evaluate_options)
                            : model.evaluate_prepared(*engine, data.train, evaluate_options);
    add_iterations(*scores.train, model);
    if (data.test && sparse) {
      scores.test = model.evaluate(*engine, *data.test, evaluate_options);
    } else if (data.test) {
      data.test = model.prepare(std::move(*data.test), engine->threads());
      scores.test = model.evaluate_prepared(*engine, *data.test, evaluate_options);
    }
    seconds.evaluate = watch.lap();
    scores.baseline = baseline_of(*model.model, data.train, data.test ? *data.test : data.train);
    check_interrupt();

    if (!model_path.empty()) {
      Archive archive;
      model.save(archive);
      if (keeps_summary) {
        summarise_scores(summary, model, *engine, data, sparse);
        set_summary(archive, summary);
      }
      write_archive(model_path, archive, "model");
    }
    control.remove_checkpoints();
    if (!report_.empty()) {
      RunReport report;
      report.folder = report_;
      report.command = command_line(options);
      report.engine = describe(*engine, run_);
      report.seconds = seconds;
      report.scores = &scores;
      report.shown = &shown_;
      write_run_report(report, *engine, model, data.train, data.test ? &*data.test : nullptr);
    }
    if (run_.json) {
      nlohmann::json json = to_json(*engine, model, data, scores, seconds, raw_features);
      add_estimate(json, control);
      print_json(json);
    } else {
      print(to_text(*engine, model, data, scores, seconds));
    }
    return 0;
  }

  [[nodiscard]] bool leaves_some_in_summary() const {
    return leave_out_.list != std::vector<std::string>{"all"};
  }

  // What the model says of rows that it has not seen, where there are some; else of those that it
  // was trained on. Prepared rows, unless they are `raw`.
  template <Real T>
  static void summarise_scores(TrainingSummary& summary, const Pipeline<T>& model, Engine& engine,
                               const LoadedData<T>& data, bool raw) {
    const Dataset<T>& rows = data.test ? *data.test : data.train;
    constexpr Index most = 65'536;
    const Index stride = std::max<Index>(1, (rows.rows() + most - 1) / most);
    std::vector<Index> chosen;
    for (Index i = 0; i < rows.rows(); i += stride) chosen.push_back(i);
    const Dataset<T> some = select_rows(rows, chosen);
    const auto predictions =
        raw ? model.predict(engine, some) : model.predict_prepared(engine, some.features.view());
    summary.scores = summarise_columns(score_columns(*model.model, predictions).view());
    summary.scores_held_out = data.test.has_value();
  }

  // A number of clusters that nobody has asked for says nothing of the data.
  void remark_on_clusters(const OptionSet& options, std::vector<std::string>& remarks) {
    if (!pipeline_.algorithm().has_option("clusters")) return;
    if (options.given("weights")) {
      remarks.emplace_back(clusters_count_rows);
      run_.say(remarks.back());
    }
    if (options.given("clusters")) return;
    const std::string remark = "the number of clusters was left out and is " +
                               std::to_string(pipeline_.algorithm().options().get_int("clusters")) +
                               "; " + Error(option("clusters")).spelled(options.spelling()) +
                               " sets it, and tandem select " +
                               std::string(pipeline_.algorithm().name()) + " --data " +
                               quoted_for_shell(data_.data.path) + " --k 2..10 compares some";
    remarks.push_back(remark);
    run_.say(remark);
  }

  template <Real T>
  static void add_iterations(Evaluation& evaluation, const Pipeline<T>& model) {
    if (evaluation.task == Task::clustering) {
      evaluation.metrics["iterations"] = static_cast<double>(model.model->training().iterations);
    }
  }

  [[nodiscard]] std::string command_line(const OptionSet& options) const {
    return "tandem train " + std::string(pipeline_.algorithm().name()) + " " + options.arguments();
  }

  template <Real T>
  nlohmann::json to_json(const Engine& engine, const Pipeline<T>& model, const LoadedData<T>& data,
                         const Scores& scores, const Seconds& seconds, Index raw_features) const {
    const TrainingLog& log = model.model->training();
    nlohmann::json json{
        {"algorithm", model.provenance.algorithm},
        {"task", to_string(model.model->task())},
        {"device", to_string(engine.device())},
        {"engine", engine.description()},
        {"numerics", to_string(engine.numerics())},
        {"precision", to_string(precision_of<T>)},
        {"threads", engine.threads()},
        {"seed", run_.seed},
        {"data", data_.data.path},
        {"rows", model.provenance.rows},
        {"columns", raw_features},
        {"features", model.model->features()},
        {"options", nlohmann::json::parse(options_to_json(model.provenance.options))},
        {"transforms", nlohmann::json::parse(model.transforms.to_json())},
        {"seconds", seconds_to_json(seconds)},
        {"processor_seconds", {{"train", seconds.train_processor}}},
        {"metrics", metrics_to_json(scores, shown_)},
        {"iterations", log.iterations},
        {"converged", log.converged},
        {"stopped_because", log.stopped_because},
        {"model", model_file_.path.empty() ? nlohmann::json() : nlohmann::json(model_file_.path)},
    };
    add_transfers(json, engine);
    if (runs_out_of_core()) json["disk"] = disk_to_json();
    if (data.train.has_target()) {
      json["target"] = data.train.target_column.name;
      json["target_rule"] = data.target_rule;
    }
    if (scores.baseline) json["baseline"] = baseline_to_json(*scores.baseline, shown_);
    add_outlier_class(json, scores);
    json["warnings"] = data.remarks;
    if (data.train.reading) {
      for (const std::string& notice : data.train.reading->notices) {
        json["warnings"].push_back(Error(notice).spelled(Spelling()));
      }
    }
    if (const auto score = oob_score_of(*model.model)) json["oob_score"] = *score;
    if (data.test) json["test_rows"] = data.test->rows();
    if (!report_.empty()) json["report"] = report_ + "/report.html";
    return json;
  }

  template <Real T>
  std::string to_text(const Engine& engine, const Pipeline<T>& model, const LoadedData<T>& data,
                      const Scores& scores, const Seconds& seconds) const {
    const TrainingLog& log = model.model->training();
    std::string text = model.provenance.algorithm + " on " + data_.data.path + ": " +
                       shape_to_text(model.provenance.rows, model.model->features());
    if (data.test) text += "; " + counted(data.test->rows(), "row") + " to test";
    text += "\n\n";
    std::vector<std::vector<std::string>> facts{{"run", describe(engine, run_)}};
    if (data.train.has_target()) {
      facts.push_back({"target", data.train.target_column.name + " (" + data.target_rule + ")"});
    }
    if (model.provenance.options.has("clusters")) {
      facts.push_back({"clusters", std::to_string(model.provenance.options.get_int("clusters"))});
    }
    if (model.transforms.dropped_rows() > 0) {
      facts.push_back({"outliers", counted(model.transforms.dropped_rows(), "row") + " dropped"});
    }
    if (!log.stopped_because.empty()) {
      facts.push_back(
          {"stopped",
           log.stopped_because + iterations_to_text(log.iterations, training_unit(*model.model))});
    }
    if (const auto score = oob_score_of(*model.model)) {
      facts.push_back(
          {"unseen",
           std::string(model.model->task() == Task::classification ? "accuracy " : "r2 ") +
               readable(*score) +
               " out of bag: each row judged by the trees that have not drawn it"});
    }
    facts.push_back({"seconds", seconds_to_text(seconds, true)});
    if (runs_out_of_core()) facts.push_back({"disk", disk_to_text()});
    for (const auto& fact : facts) {
      text += "  " + fact[0] + std::string(10 - fact[0].size(), ' ') + fact[1] + "\n";
    }
    text += "\n" + metrics_to_text(scores, shown_);
    if (!model_file_.path.empty()) text += "\nmodel: " + model_file_.path + "\n";
    if (!report_.empty()) text += "\nreport: " + report_ + "/report.html\n";
    return text;
  }

  PipelineOptions pipeline_;
  RunSettings run_;
  DataSettings data_;
  TestSettings test_;
  FileName model_file_;
  Words leave_out_;
  std::string report_;
  FileName checkpoint_file_;
  double checkpoint_every_ = 60;
  FileName resume_file_;
  ShownMetrics shown_;
  bool silhouette_ = false;
  std::string outlier_class_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_train(std::unique_ptr<Algorithm> algorithm) {
  return std::make_unique<Train>(std::move(algorithm));
}

}  // namespace tandem::program

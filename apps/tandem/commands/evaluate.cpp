// tandem evaluate MODEL --data FILE
#include <nlohmann/json.hpp>

#include "tandem/cluster_remark.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/output.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class EvaluateCommand final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("MODEL", model_, "a file that tandem train --model wrote");
    data_.add_options(options);
    run_.add_options(options, false);
    options.group("Results");
    shown_.add_option(options);
    options.flag("silhouette", silhouette_, "clusters: also the silhouette (rows squared work)");
    options.text("outlier_class", outlier_class_, outlier_class_help);
    options.flag("curves", curves_, "with --json: ROC and precision-recall curves");
  }

  int run(const OptionSet& /*options*/) override {
    AnyModel model = load_model(model_);
    std::visit([&](const auto& trained) { evaluate_model(trained); }, model);
    return 0;
  }

 private:
  // All that a baseline is fitted to and judged by.
  template <Real T>
  static Dataset<T> without_features(const Dataset<T>& data) {
    Dataset<T> targets;
    targets.source = data.source;
    targets.features = Matrix<T>(data.rows(), 0);
    targets.target = data.target;
    targets.target_column = data.target_column;
    targets.target_texts = data.target_texts;
    targets.weights = data.weights;
    targets.groups = data.groups;
    return targets;
  }

  template <Real T>
  void evaluate_model(const Pipeline<T>& model) {
    run_.precision = precision_of<T>;
    run_.seed = model.provenance.seed;
    shown_.check(model.model->task());
    const auto engine = run_.make_engine();
    Seconds seconds;
    seconds.software_gpu = engine->device() == Device::softgpu;
    Stopwatch watch;
    Dataset<T> data = load_data_for(run_, data_, model);
    seconds.load = watch.lap();
    check_interrupt();
    const Index rows = data.rows();
    if (model.model->task() == Task::clustering && !data.weights.empty()) {
      run_.say(std::string(clusters_count_rows));
    }
    EvaluateOptions options;
    options.silhouette = silhouette_ || shown_.asks_for("silhouette");
    options.curves = curves_;
    options.outlier_class = outlier_class_;
    Scores scores;
    ControlOptions told;
    told.quiet = run_.quiet || run_.json;
    told.estimates = true;
    ProgramControl control(told);
    // The file does not say what the training part answered most: it is the answer that would do
    // best on these rows.
    const Dataset<T> targets = without_features(data);
    scores.test = model.evaluate(*engine, std::move(data), options);
    control.finish();
    if (scores.test->task == Task::clustering) {
      scores.test->metrics["iterations"] = static_cast<double>(model.model->training().iterations);
    }
    seconds.evaluate = watch.lap();
    scores.baseline = baseline_of(*model.model, targets, targets);
    if (!run_.json) {
      print(model.provenance.algorithm + " of " + model_ + " on " + data_.data.path + ": " +
            shape_to_text(rows, model.model->features()) + "\n\n  run       " +
            describe(*engine, run_) + "\n  seconds   " + seconds_to_text(seconds, false) + "\n\n" +
            metrics_to_text(scores, shown_));
      return;
    }
    nlohmann::json json{
        {"algorithm", model.provenance.algorithm},
        {"task", to_string(model.model->task())},
        {"model", model_},
        {"device", to_string(engine->device())},
        {"engine", engine->description()},
        {"numerics", to_string(engine->numerics())},
        {"precision", to_string(precision_of<T>)},
        {"threads", engine->threads()},
        {"seed", model.provenance.seed},
        {"data", data_.data.path},
        {"rows", rows},
        {"features", model.model->features()},
        {"seconds", seconds_to_json(seconds)},
        {"metrics", metrics_to_json(scores, shown_)},
        {"stopped_because", model.model->training().stopped_because},
    };
    if (scores.baseline) json["baseline"] = baseline_to_json(*scores.baseline, shown_);
    add_outlier_class(json, scores);
    add_transfers(json, *engine);
    nlohmann::json details = nlohmann::json::parse(to_json(*scores.test, curves_));
    for (const char* part : {"classes", "confusion", "curves"}) {
      if (details.contains(part)) json[part] = std::move(details[part]);
    }
    print_json(json);
  }

  std::string model_;
  RunSettings run_;
  DataSettings data_;
  ShownMetrics shown_;
  bool silhouette_ = false;
  std::string outlier_class_;
  bool curves_ = false;
};

}  // namespace

std::unique_ptr<Command> make_evaluate(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<EvaluateCommand>();
}

}  // namespace tandem::program

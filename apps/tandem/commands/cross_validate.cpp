// tandem cross-validate ALGORITHM and tandem learning-curve ALGORITHM
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/core/log.hpp"
#include "tandem/model/validation.hpp"
#include "tandem/output.hpp"
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
    add_own_options(options);
    add_pipeline_options(options, pipeline_);
    run_.add_options(options, true);
  }

  int run(const OptionSet& /*options*/) override {
    pipeline_.set_seed(run_.seed);
    pipeline_.check();
    validation_.seed = run_.seed;
    return with_precision(run_.precision, [&](auto type) {
      using T = typename decltype(type)::type;
      const auto engine = run_.make_engine();
      Stopwatch watch;
      const LoadedData<T> data = load_data<T>(run_, data_, nullptr, pipeline_.algorithm());
      const double load = watch.lap();
      check_interrupt();
      ControlOptions control_options;
      control_options.quiet = run_.quiet;
      ProgramControl control(control_options);
      nlohmann::json json;
      std::string text;
      validate(*engine, data.train, control, json, text);
      control.finish();
      if (!run_.json) {
        print(std::string(pipeline_.algorithm().name()) + " on " + data_.data.path + ": " +
              shape_to_text(data.train.rows(), data.train.cols()) + "\n\n  run       " +
              describe(*engine, run_) + "\n" +
              (data.train.has_target() ? "  target    " + data.train.target_column.name + " (" +
                                             data.target_rule + ")\n"
                                       : "") +
              text);
        return 0;
      }
      json["algorithm"] = pipeline_.algorithm().name();
      json["device"] = to_string(engine->device());
      json["numerics"] = to_string(engine->numerics());
      json["precision"] = to_string(precision_of<T>);
      json["threads"] = engine->threads();
      json["seed"] = run_.seed;
      json["data"] = data_.data.path;
      json["rows"] = data.train.rows();
      json["features"] = data.train.cols();
      json["options"] = nlohmann::json::parse(options_to_json(pipeline_.algorithm().options()));
      json["steps"] = nlohmann::json::parse(options_to_json(pipeline_.record_steps()));
      json["seconds"] = {{"load", load}, {"validate", watch.lap()}};
      if (engine->device() == Device::softgpu) json["seconds"]["measured"] = software_gpu_time;
      print_json(json);
      return 0;
    });
  }

 protected:
  virtual void add_own_options(OptionSet& options) = 0;
  virtual void validate(Engine& engine, const Dataset<float>& data, RunControl& control,
                        nlohmann::json& json, std::string& text) = 0;
  virtual void validate(Engine& engine, const Dataset<double>& data, RunControl& control,
                        nlohmann::json& json, std::string& text) = 0;

  PipelineOptions pipeline_;
  RunSettings run_;
  DataSettings data_;
  ValidationOptions validation_;
};

class CrossValidate final : public Validation {
 public:
  using Validation::Validation;

 private:
  void add_own_options(OptionSet& options) override {
    options.real("confidence", validation_.confidence, "of the interval", 0.5, 0.9999);
    options.flag("silhouette", validation_.silhouette, "clusters: also the silhouette");
  }
  void validate(Engine& engine, const Dataset<float>& data, RunControl& control,
                nlohmann::json& json, std::string& text) override {
    run_as(engine, data, control, json, text);
  }
  void validate(Engine& engine, const Dataset<double>& data, RunControl& control,
                nlohmann::json& json, std::string& text) override {
    run_as(engine, data, control, json, text);
  }
  template <Real T>
  void run_as(Engine& engine, const Dataset<T>& data, RunControl& control, nlohmann::json& json,
              std::string& text) {
    const CrossValidation result = cross_validate(pipeline_, data, validation_, engine, control);
    json = nlohmann::json::parse(to_json(result));
    text = "  folds     " + std::to_string(validation_.folds) +
           (validation_.repeats > 1 ? ", " + counted(validation_.repeats, "repeat") : "") +
           (result.stratified ? ", stratified" : "") + "\n\n";
    std::vector<std::vector<std::string>> rows{
        {"test", "mean", "deviation", readable(validation_.confidence * 100) + " % interval from",
         "to"}};
    std::string undefined;
    const auto total = static_cast<Index>(result.test.size());
    for (const auto& [name, one] : result.summary) {
      const bool interval = one.count > 1;
      rows.push_back({name, readable(one.mean), readable(one.deviation),
                      interval ? readable(one.low) : "undefined",
                      interval ? readable(one.high) : "undefined"});
      if (one.count == total) continue;
      undefined += "\n" + name + " is not defined on " + std::to_string(total - one.count) +
                   " of " + counted(total, "test part") +
                   (one.count > 0 ? "; they are left out of its mean" : "");
    }
    text += table(rows) + (undefined.empty() ? "" : undefined + "\n");
  }
};

class LearningCurveCommand final : public Validation {
 public:
  using Validation::Validation;

 private:
  void add_own_options(OptionSet& options) override {
    options.integers("sizes", sizes_,
                     "numbers of training rows; 10 to 100 % in five steps if left out", 1,
                     INT64_MAX);
  }
  void validate(Engine& engine, const Dataset<float>& data, RunControl& control,
                nlohmann::json& json, std::string& text) override {
    run_as(engine, data, control, json, text);
  }
  void validate(Engine& engine, const Dataset<double>& data, RunControl& control,
                nlohmann::json& json, std::string& text) override {
    run_as(engine, data, control, json, text);
  }
  template <Real T>
  void run_as(Engine& engine, const Dataset<T>& data, RunControl& control, nlohmann::json& json,
              std::string& text) {
    const LearningCurve curve =
        learning_curve(pipeline_, data, sizes_, validation_, engine, control);
    json = nlohmann::json::parse(to_json(curve));
    text = "\n";
    for (const auto& [name, series] : curve.metrics) {
      std::vector<std::vector<std::string>> rows{
          {name, "train", "deviation", "validation", "deviation"}};
      for (std::size_t i = 0; i < curve.sizes.size(); ++i) {
        rows.push_back({counted(curve.sizes[i], "row"), readable(series.train_mean[i]),
                        readable(series.train_deviation[i]), readable(series.validation_mean[i]),
                        readable(series.validation_deviation[i])});
      }
      text += table(rows) + "\n";
    }
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

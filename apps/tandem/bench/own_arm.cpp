// Tandem as an arm of a comparison.
#include <sys/resource.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "tandem/bench/arm.hpp"
#include "tandem/config.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"
#include "tandem/data/write.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/option_set.hpp"

namespace tandem::program {
namespace {

// Bytes of memory that the process has (VmRSS), or has had at most (VmHWM).
double memory_of_process(const std::string& name) {
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    if (word == name + ":") {
      double kilobytes = 0;
      in >> kilobytes;
      return kilobytes * 1024;
    }
  }
  return 0;
}

OptionValue option_value(const std::string& name, const nlohmann::json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    std::vector<std::int64_t> list;
    for (const auto& one : value) {
      if (!one.is_number_integer()) {
        throw InputError("option '" + name + "' is a list of whole numbers in a case");
      }
      list.push_back(one.get<std::int64_t>());
    }
    return list;
  }
  throw InputError("option '" + name + "' is neither a number, a text, true or false, nor a list");
}

class AnyRun {
 public:
  virtual ~AnyRun() = default;
  virtual void fit() = 0;
  // Returns what the file holds.
  virtual std::string predict(const std::string& out, double& seconds, double& processor) = 0;
};

template <Real T>
class Run final : public AnyRun {
 public:
  explicit Run(const nlohmann::json& request)
      : options_(request.at("case").at("algorithm").get<std::string>()) {
    const nlohmann::json& asked = request.at("case");
    EngineOptions engine;
    engine.threads = request.at("threads").get<int>();
    engine.device = parse_enum<Device>("device", request.value("device", "cpu"));
    engine_ = Engine::create(engine);
    for (const auto& [name, value] : asked.at("options").items()) {
      options_.set(name, option_value(name, value));
    }
    train_ = read_dataset<T>(request.at("x").get<std::string>());
    if (!request.at("y").is_null()) {
      Dataset<T> y = read_dataset<T>(request.at("y").get<std::string>());
      train_.target = std::move(y.features.values());
      train_.target_column.name = "target";
    }
    test_ = read_dataset<T>(request.at("test").get<std::string>());
    if (const Index centres = asked.value("given_centres", Index{0}); centres > 0) {
      given_ = std::as_const(train_.features).view().rows_from(0, centres);
    }
  }

  void fit() override {
    PipelineContext<T> context;
    if (given_) context.initial_centres = *given_;
    model_.reset();
    model_ = fit_pipeline(*engine_, train_.view(), options_, context);
  }

  std::string predict(const std::string& out, double& seconds, double& processor) override {
    if (!model_) throw InputError("nothing has been fitted yet");
    const PipelinePredictor<T> predictor = model_->on(*engine_);
    const double before = processor_seconds();
    const Stopwatch watch;
    const Predictions<T> made = predictor.predict(test_.view());
    seconds = watch.seconds();
    processor = processor_seconds() - before;
    if (!made.probabilities.empty()) {
      write_npy<T>(out, made.probabilities.view());
      return "probabilities";
    }
    if (!made.labels.empty()) {
      write_npy<std::int32_t>(out, std::span<const std::int32_t>(made.labels));
      return "labels";
    }
    write_npy<T>(out, std::span<const T>(made.values));
    return "values";
  }

 private:
  PipelineOptions options_;
  std::unique_ptr<Engine> engine_;
  Dataset<T> train_;
  Dataset<T> test_;
  std::optional<MatrixView<const T>> given_;
  std::optional<Pipeline<T>> model_;
};

class Session {
 public:
  nlohmann::json answer(const nlohmann::json& request) {
    const std::string op = request.at("op").get<std::string>();
    if (op == "load") {
      const std::string precision = request.at("case").at("precision").get<std::string>();
      if (precision == "float32") {
        run_ = std::make_unique<Run<float>>(request);
      } else {
        run_ = std::make_unique<Run<double>>(request);
      }
      loaded_ = memory_of_process("VmRSS");
      return {{"version", TANDEM_VERSION}};
    }
    if (!run_) throw InputError("nothing has been loaded yet");
    if (op == "fit") {
      const double before = processor_seconds();
      const Stopwatch watch;
      run_->fit();
      const double seconds = watch.seconds();
      return {{"seconds", seconds},
              {"processor_seconds", processor_seconds() - before},
              {"peak_bytes", std::max(0.0, memory_of_process("VmHWM") - loaded_)}};
    }
    if (op == "predict") {
      double seconds = 0;
      double processor = 0;
      const std::string holds =
          run_->predict(request.at("out").get<std::string>(), seconds, processor);
      return {{"seconds", seconds}, {"processor_seconds", processor}, {"holds", holds}};
    }
    throw InputError("an arm is asked for '" + op + "', expected load, fit or predict");
  }

 private:
  std::unique_ptr<AnyRun> run_;
  double loaded_ = 0;
};

}  // namespace

int serve_as_arm() {
  Session session;
  std::string line;
  while (std::getline(std::cin, line)) {
    nlohmann::json answer;
    try {
      answer = session.answer(nlohmann::json::parse(line));
    } catch (const Error& error) {
      answer = {{"error", error.spelled(Spelling())}};
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << answer.dump() << std::endl;
  }
  return 0;
}

}  // namespace tandem::program

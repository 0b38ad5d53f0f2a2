// tandem compare optimizers
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/optim/optimizer.hpp"
#include "tandem/output.hpp"
#include "tandem/recipe.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

class Compare final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("WHAT", what_, "optimizers");
    data_.add_options(options);
    options.group("Comparison");
    options.text("algorithm", algorithm_,
                 "what to train: linear-regression or logistic-regression by the target if left "
                 "out, or mlp");
    options.words("optimizers", methods_, "which ones; all if left out", "NAME,...");
    options.integer("epochs", epochs_, "passes over the rows", 1, INT64_MAX);
    options.real("learning-rate", rate_, "of all of them", 1e-12, 1e6);
    options.integer("batch-size", batch_, "rows of a step; 0 takes all", 0, INT64_MAX);
    run_.add_options(options, true);
  }

  int run(const OptionSet& /*options*/) override {
    if (what_ != "optimizers") {
      throw InputError("unknown comparison '" + what_ + "'; expected optimizers");
    }
    return with_precision(parse_precision(run_.precision),
                          [&](auto type) { return run_as<typename decltype(type)::type>(); });
  }

 private:
  struct Outcome {
    std::string method;
    std::vector<double> cost;
    std::map<std::string, double> metrics;
    std::string failure;  // where the run diverged
    double seconds = 0;
  };

  template <Real T>
  int run_as() {
    if (methods_.empty()) {
      for (const auto name : optimizer_method_names()) methods_.emplace_back(name);
    }
    for (const auto& name : methods_) (void)parse_optimizer_method(name);
    const auto engine = run_.make_engine();
    // Any supervised algorithm reads the file in the same way.
    const auto reader = find_algorithm(algorithm_.empty() ? "linear-regression" : algorithm_);
    const LoadedData<T> data = load_data<T>(run_, data_, nullptr, *reader);
    if (algorithm_.empty()) {
      algorithm_ =
          data.train.target_column.categorical() ? "logistic-regression" : "linear-regression";
    }
    std::vector<Outcome> outcomes;
    for (const auto& method : methods_) {
      check_interrupt();
      outcomes.push_back(train(method, *engine, data.train));
    }
    double lowest = INFINITY;
    for (const Outcome& one : outcomes) {
      for (const double cost : one.cost) lowest = std::min(lowest, cost);
    }
    if (run_.json) {
      print_json(to_json(*engine, data.train, outcomes, lowest));
    } else {
      print(to_text(*engine, data, outcomes, lowest));
    }
    return 0;
  }

  template <Real T>
  Outcome train(const std::string& method, Engine& engine, Dataset<T> data) const {
    const auto algorithm = find_algorithm(algorithm_);
    std::vector<std::string> arguments{"--optimizer=" + method,
                                       "--epochs=" + std::to_string(epochs_),
                                       "--learning-rate=" + shortest(rate_)};
    if (!has_option(*algorithm, "optimizer")) {
      throw InputError("--algorithm: " + algorithm_ + " is not trained by an optimiser");
    }
    if (has_option(*algorithm, "solver")) arguments.emplace_back("--solver=gradient");
    if (has_option(*algorithm, "patience")) arguments.emplace_back("--patience=0");
    if (has_option(*algorithm, "batch-size") && (batch_ > 0 || algorithm_ != "mlp")) {
      arguments.push_back("--batch-size=" + std::to_string(batch_));
    }
    set_options(*algorithm, arguments);
    PreprocessOptions preprocess;
    if (algorithm->prefers_scaled_features()) preprocess.scale = Scale::standard;
    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    ProgramControl control(control_options);
    Outcome outcome;
    outcome.method = method;
    const Stopwatch watch;
    try {
      const auto model = fit_pipeline(*algorithm, engine, data, nullptr,
                                      {preprocess, static_cast<std::uint64_t>(run_.seed)}, control);
      outcome.seconds = watch.seconds();
      const TrainingLog& log = model.model->training();
      for (const char* name : {"cost", "loss"}) {
        const auto found = log.history.find(name);
        if (found != log.history.end()) outcome.cost = found->second;
      }
      EvaluateOptions options;
      options.curves = false;
      outcome.metrics = evaluate(*model.model, engine, data, options).metrics;
    } catch (const NumericalError& error) {
      outcome.failure = error.what();
    }
    return outcome;
  }

  // The first epoch at which the cost is at most `share` above the lowest of all runs; 0: never.
  static std::size_t epochs_to(const Outcome& outcome, double lowest, double share) {
    for (std::size_t i = 0; i < outcome.cost.size(); ++i) {
      if (outcome.cost[i] <= lowest + share * std::abs(lowest)) return i + 1;
    }
    return 0;
  }

  template <Real T>
  nlohmann::json to_json(const Engine& engine, const Dataset<T>& data,
                         const std::vector<Outcome>& outcomes, double lowest) const {
    nlohmann::json list = nlohmann::json::array();
    for (const Outcome& one : outcomes) {
      nlohmann::json entry{{"optimizer", one.method},
                           {"cost", one.cost},
                           {"metrics", one.metrics},
                           {"seconds", one.seconds},
                           {"diverged", !one.failure.empty()}};
      const auto near = epochs_to(one, lowest, 0.01);
      entry["epochs_to_1_percent"] = near > 0 ? nlohmann::json(near) : nlohmann::json();
      list.push_back(std::move(entry));
    }
    nlohmann::json json{{"algorithm", algorithm_},
                        {"device", to_string(engine.device())},
                        {"numerics", to_string(engine.numerics())},
                        {"precision", to_string(precision_of<T>)},
                        {"seed", run_.seed},
                        {"data", data_.data},
                        {"rows", data.rows()},
                        {"features", data.cols()},
                        {"epochs", epochs_},
                        {"learning_rate", rate_},
                        {"lowest_cost", lowest},
                        {"optimizers", list}};
    if (engine.device() == Device::softgpu) json["measured"] = software_gpu_time;
    return json;
  }

  template <Real T>
  std::string to_text(const Engine& engine, const LoadedData<T>& data,
                      const std::vector<Outcome>& outcomes, double lowest) const {
    const char* score = outcomes.front().metrics.count("r2") > 0 ? "r2" : "accuracy";
    std::vector<std::vector<std::string>> rows{
        {"optimizer", "first cost", "last cost", "epochs to 1 %", "to 0.01 %", score, "seconds"}};
    for (const Outcome& one : outcomes) {
      if (!one.failure.empty() || one.cost.empty()) {
        rows.push_back({one.method, "diverged", "", "", "", "", ""});
        continue;
      }
      const auto epochs = [&](double share) {
        const auto epoch = epochs_to(one, lowest, share);
        return epoch > 0 ? std::to_string(epoch) : std::string("not");
      };
      const auto found = one.metrics.find(score);
      rows.push_back({one.method, readable(one.cost.front()), readable(one.cost.back()),
                      epochs(0.01), epochs(0.0001),
                      found == one.metrics.end() ? "-" : readable(found->second),
                      readable_seconds(one.seconds)});
    }
    return algorithm_ + " on " + data_.data + ": " +
           shape_to_text(data.train.rows(), data.train.cols()) + "\n\n  run       " +
           describe(engine, run_) + "\n  target    " + data.train.target_column.name + " (" +
           data.target_rule + ")\n  all       " + counted(epochs_, "epoch") + ", learning rate " +
           shortest(rate_) + "\n\n" + table(rows) +
           (engine.device() == Device::softgpu
                ? "\nseconds: " + std::string(software_gpu_time) + "\n"
                : "") +
           "\nepochs to 1 %: until the cost was at most 1 % above the lowest that any of them "
           "reached.\n";
  }

  std::string what_;
  std::string algorithm_;
  std::vector<std::string> methods_;
  std::int64_t epochs_ = 300;
  double rate_ = 0.1;
  std::int64_t batch_ = 0;
  RunSettings run_;
  DataSettings data_;
};

}  // namespace

std::unique_ptr<Command> make_compare(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Compare>();
}

}  // namespace tandem::program

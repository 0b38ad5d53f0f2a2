// tandem compare optimizers
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/optim/optimizer.hpp"
#include "tandem/output.hpp"
#include "tandem/recipe.hpp"
#include "tandem/result_page.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

// The algorithms that are trained by an optimiser.
std::vector<std::string> optimized_algorithms() {
  std::vector<std::string> names;
  for (const std::string& name : algorithm_names()) {
    if (make_algorithm(name)->has_option("optimizer")) names.push_back(name);
  }
  return names;
}

class Compare final : public Command {
 public:
  Compare() { optimizer_.learning_rate = 0.1; }

  void add_options(OptionSet& options) override {
    options.positional("WHAT", what_, "optimizers", {"optimizers"});
    data_.add_options(options);
    options.group("Comparison");
    options.text("algorithm", algorithm_,
                 "what to train: one of " + joined(optimized_algorithms()) +
                     "; linear-regression or logistic-regression, by the target, if left out");
    options.written("optimizers", methods_, "which ones; all if left out", "NAME,...");
    options.integer("epochs", epochs_, "passes over the rows", 1, INT64_MAX);
    options.text("batch_size", batch_size_,
                 "rows of a step; 0 takes all where an algorithm can; its own number if left out");
    options.group("Options of all optimizers");
    WithoutOptions shared(options, {"optimizer"});
    optimizer_.visit(shared);
    run_.add_options(options, true);
    options.group("Results");
    report_.add_option(options, true);
  }

  int run(const OptionSet& options) override {
    if (what_ != "optimizers") {
      const std::string meant = nearest_name(what_, {"optimizers"});
      throw InputError("unknown comparison '" + what_ + "'; " +
                       (meant.empty() ? "expected optimizers" : "did you mean " + meant + "?"));
    }
    report_.check(&data_);
    return with_precision(
        run_.precision, [&](auto type) { return run_as<typename decltype(type)::type>(options); });
  }

 private:
  struct Outcome {
    std::string method;
    std::vector<double> cost;
    std::map<std::string, double> metrics;
    bool diverged = false;
    double seconds = 0;
  };

  template <Real T>
  int run_as(const OptionSet& options) {
    std::vector<OptimizerMethod> methods;
    for (const std::string& name : methods_.list) {
      methods.push_back(parse_enum<OptimizerMethod>("optimizer", name));
    }
    if (methods.empty()) {
      for (std::size_t i = 0; i < enum_names<OptimizerMethod>.size(); ++i) {
        methods.push_back(static_cast<OptimizerMethod>(i));
      }
    }
    const auto engine = run_.make_engine();
    // Any supervised algorithm reads the file in the same way.
    const auto reader = find_algorithm(algorithm_.empty() ? "linear-regression" : algorithm_);
    if (!reader->has_option("optimizer")) {
      throw InputError(option("algorithm") + ": " + algorithm_ +
                       " is not trained by an optimiser; expected one of " +
                       joined(optimized_algorithms()));
    }
    const LoadedData<T> data = load_data<T>(run_, data_, nullptr, *reader);
    if (algorithm_.empty()) {
      algorithm_ =
          data.train.target_column.categorical() ? "logistic-regression" : "linear-regression";
    }
    std::vector<Outcome> outcomes;
    for (const OptimizerMethod method : methods) {
      check_interrupt();
      outcomes.push_back(train(method, *engine, data.train));
    }
    double lowest = INFINITY;
    for (const Outcome& one : outcomes) {
      for (const double cost : one.cost) lowest = std::min(lowest, cost);
    }
    if (report_.asked()) {
      write_page(outcomes, lowest, shape_to_text(data.train.rows(), data.train.cols()),
                 describe(*engine, run_), "tandem compare " + options.arguments());
    }
    if (run_.json) {
      nlohmann::json json = to_json(*engine, data.train, outcomes, lowest);
      if (report_.asked()) json["report"] = report_.path();
      print_json(json);
    } else {
      print(to_text(*engine, data, outcomes, lowest) + report_.line());
    }
    return 0;
  }

  // Every run takes all its epochs, by the optimiser, however the algorithm is trained by default.
  [[nodiscard]] PipelineOptions configured(OptimizerMethod method) const {
    auto algorithm = make_algorithm(algorithm_);
    OptimizerOptions optimizer = optimizer_;
    optimizer.method = method;
    restore_options([&](OptionVisitor& visitor) { algorithm->visit_options(visitor); },
                    record_options([&](OptionVisitor& visitor) { optimizer.visit(visitor); }));
    algorithm->set("epochs", epochs_);
    if (algorithm->has_option("solver")) algorithm->set("solver", "gradient");
    if (algorithm->has_option("patience")) algorithm->set("patience", 0);
    if (!batch_size_.empty()) algorithm->set("batch_size", batch_size_);
    PipelineOptions pipeline(std::move(algorithm));
    pipeline.set_seed(run_.seed);
    return pipeline;
  }

  template <Real T>
  Outcome train(OptimizerMethod method, Engine& engine, Dataset<T> data) const {
    const PipelineOptions pipeline = configured(method);
    ControlOptions control_options;
    control_options.quiet = run_.quiet;
    ProgramControl control(control_options);
    Outcome outcome;
    outcome.method = to_string(method);
    const Stopwatch watch;
    try {
      Dataset<T> prepared;
      const auto model = fit_pipeline(engine, std::move(data), pipeline,
                                      {.prepared = &prepared, .control = &control});
      outcome.seconds = watch.seconds();
      const TrainingLog& log = model.model->training();
      for (const char* name : {"cost", "loss"}) {
        const auto found = log.history.find(name);
        if (found != log.history.end()) outcome.cost = found->second;
      }
      EvaluateOptions options;
      options.curves = false;
      outcome.metrics = model.evaluate_prepared(engine, prepared, options).metrics;
    } catch (const NumericalError&) {
      outcome.diverged = true;
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
                           {"diverged", one.diverged}};
      const auto near = epochs_to(one, lowest, 0.01);
      entry["epochs_to_1_percent"] = near > 0 ? nlohmann::json(near) : nlohmann::json();
      list.push_back(std::move(entry));
    }
    nlohmann::json json{{"algorithm", algorithm_},
                        {"device", to_string(engine.device())},
                        {"numerics", to_string(engine.numerics())},
                        {"precision", to_string(precision_of<T>)},
                        {"seed", run_.seed},
                        {"data", data_.data.path},
                        {"rows", data.rows()},
                        {"features", data.cols()},
                        {"epochs", epochs_},
                        {"learning_rate", optimizer_.learning_rate},
                        {"lowest_cost", lowest},
                        {"optimizers", list}};
    if (engine.device() == Device::softgpu) json["measured"] = software_gpu_time;
    return json;
  }

  void write_page(const std::vector<Outcome>& outcomes, double lowest, const std::string& shape,
                  const std::string& engine, const std::string& command) const {
    report::Page page(algorithm_ + " by each optimiser on " +
                          std::filesystem::path(data_.data.path).filename().string(),
                      shape + "; " + counted(epochs_, "epoch") + ", learning rate " +
                          shortest(optimizer_.learning_rate) + "; " + engine);
    page.section("", "Result");
    page.command(command);
    report::Plot plot;
    plot.title = "cost after each epoch";
    plot.x = {.label = "epoch", .logarithmic = epochs_ > 20};
    plot.y = {.label = "cost of the training rows"};
    plot.x.from = 1;
    plot.x.to = static_cast<double>(std::max<std::int64_t>(2, epochs_));
    plot.width = 860;
    plot.height = 400;
    double highest = 0;
    int colour = 1;
    for (const Outcome& one : outcomes) {
      report::Series line{.label = one.method, .points = {}, .colour = (colour - 1) % 8 + 1};
      line.dashed = colour > 8;
      ++colour;
      for (std::size_t i = 0; i < one.cost.size(); ++i) {
        line.points.push_back({static_cast<double>(i + 1), one.cost[i]});
        highest = std::max(highest, one.cost[i]);
      }
      if (!line.points.empty()) plot.series.push_back(std::move(line));
    }
    // A method that jumps at first would press the others into one line.
    double start = 0;
    for (const Outcome& one : outcomes) {
      if (!one.cost.empty()) start = std::max(start, one.cost.front());
    }
    const bool cut = start > 0 && highest > 4 * start;
    if (cut) plot.y.to = 1.5 * start;
    plot.y.logarithmic = lowest > 0 && (cut ? *plot.y.to : highest) > 20 * lowest;
    Figures figures;
    figures.add(plot, std::string("The value that training lowers, after each pass over the rows") +
                          (plot.y.logarithmic ? ", on a logarithmic scale" : "") +
                          (cut ? "; lines that leave the picture at its top rise to " +
                                     readable(highest) + "."
                               : "."));
    page.figures(figures.take());
    page.section("", "Numbers");
    page.table(rows_of(outcomes, lowest));
    page.paragraph(
        "Epochs to 1 %: until the cost was at most 1 % above the lowest that any of them reached.");
    report_.write(page);
  }

  // A line per optimiser.
  [[nodiscard]] static std::vector<std::vector<std::string>> rows_of(
      const std::vector<Outcome>& outcomes, double lowest) {
    const char* score = outcomes.front().metrics.count("r2") > 0 ? "r2" : "accuracy";
    std::vector<std::vector<std::string>> rows{
        {"optimiser", "first cost", "last cost", "epochs to 1 %", "to 0.01 %", score, "seconds"}};
    for (const Outcome& one : outcomes) {
      if (one.diverged || one.cost.empty()) {
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
    return rows;
  }

  template <Real T>
  std::string to_text(const Engine& engine, const LoadedData<T>& data,
                      const std::vector<Outcome>& outcomes, double lowest) const {
    return algorithm_ + " on " + data_.data.path + ": " +
           shape_to_text(data.train.rows(), data.train.cols()) + "\n\n  run       " +
           describe(engine, run_) + "\n  target    " + data.train.target_column.name + " (" +
           data.target_rule + ")\n  all       " + counted(epochs_, "epoch") + ", learning rate " +
           shortest(optimizer_.learning_rate) + "\n\n" + table(rows_of(outcomes, lowest)) +
           (engine.device() == Device::softgpu
                ? "\nseconds: " + std::string(software_gpu_time) + "\n"
                : "") +
           "\nepochs to 1 %: until the cost was at most 1 % above the lowest that any of them "
           "reached.\n";
  }

  std::string what_;
  std::string algorithm_;
  Words methods_;
  std::int64_t epochs_ = 300;
  std::string batch_size_;      // as the algorithm reads it; empty: left out
  OptimizerOptions optimizer_;  // `method` is each in turn
  RunSettings run_;
  DataSettings data_;
  ReportOption report_;
};

}  // namespace

std::unique_ptr<Command> make_compare(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Compare>();
}

}  // namespace tandem::program

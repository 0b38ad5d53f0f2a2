// tandem predict MODEL --data FILE
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/data/write.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"

namespace tandem::program {
namespace {

template <class Number>
bool read_number(std::string_view text, Number& value) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  return status == std::errc() && end == text.data() + text.size();
}

class Predict final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("MODEL", model_, "a file that tandem train --model wrote");
    data_.add_options(options);
    run_.add_options(options, false);
    options.group("Results");
    options.written(
        "out", out_file_,
        "where the predictions go: CSV, or .npy by its name (classes are numbers where all of them "
        "are called by one, else texts); standard output if left out, there with --json as JSON",
        "FILE");
    options.flag(
        "probabilities", probabilities_,
        "also the probability of each class: a column for each, with --json a list per row");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& /*options*/) override {
    AnyModel model = load_model(model_);
    check_outputs();
    std::visit([&](const auto& trained) { predict(trained); }, model);
    return 0;
  }

 private:
  void check_outputs() const {
    OutputFiles files;
    files.reads("the model", model_);
    data_.list_inputs(files);
    check_table_name(option("out"), out_file_.path, TableFormats::csv_or_npy);
    add_marked_output(files, option("out"), out_file_.path, written::predictions);
    files.check(force_);
  }

  template <Real T>
  [[nodiscard]] static bool detects(const Pipeline<T>& model) {
    return model.model->task() == Task::detection;
  }

  template <Real T>
  [[nodiscard]] std::vector<std::string> header_of(const Pipeline<T>& model) const {
    const std::string& target = model.schema.target.name;
    if (detects(model)) return {"label", "score"};
    std::vector<std::string> header{model.model->task() == Task::clustering ? "cluster"
                                    : target.empty()                        ? "prediction"
                                                                            : target};
    if (probabilities_) {
      for (const auto& name : model.model->classes()) header.push_back("probability_" + name);
    }
    return header;
  }

  template <Real T>
  void predict(const Pipeline<T>& model) {
    const auto engine = run_.make_engine();
    Stopwatch watch;
    Dataset<T> data = load_data_for(run_, data_, model);
    const double load = watch.lap();
    check_interrupt();
    const Index rows = data.rows();
    ControlOptions told;
    told.quiet = run_.quiet;
    told.estimates = true;
    ProgramControl control(told);
    const Predictions<T> predictions = model.predict(*engine, std::move(data));
    control.finish();
    const double seconds = watch.lap();
    check_interrupt();
    const std::string& out = out_file_.path;
    const bool to_file = !out.empty() && out != "-";
    if (out.ends_with(".npy")) {
      write_array(model, predictions);
    } else if (to_file || !run_.json) {
      write_table(model, predictions, rows);
    }
    mark_output_as(out, written::predictions);
    if (run_.json) {
      nlohmann::json times{{"load", load}, {"predict", seconds}};
      if (engine->device() == Device::softgpu) times["measured"] = software_gpu_time;
      nlohmann::json json{{"algorithm", model.provenance.algorithm},
                          {"task", to_string(model.model->task())},
                          {"model", model_},
                          {"data", data_.data.path},
                          {"rows", rows},
                          {"target", header_of(model).front()},
                          {"classes", model.model->classes()},
                          {"device", to_string(engine->device())},
                          {"seconds", times}};
      if (to_file) {
        json["out"] = out;
      } else {
        add_predictions(json, model, predictions);
      }
      print_json(json);
    } else if (to_file) {
      print(counted(rows, "prediction") + " of " + model.provenance.algorithm + ": " + out + "\n");
    }
  }

  // One entry per row: a value, the name of a class, the number of a cluster, or of a detector
  // "inlier" or "outlier", with the scores.
  template <Real T>
  void add_predictions(nlohmann::json& json, const Pipeline<T>& model,
                       const Predictions<T>& predictions) const {
    nlohmann::json& list = json["predictions"] = nlohmann::json::array();
    const auto& classes = model.model->classes();
    const bool scores = detects(model);
    nlohmann::json values = nlohmann::json::array();
    for (const T value : predictions.values) values.push_back(short_number(value));
    if (scores) {
      json["scores"] = std::move(values);
    } else if (!predictions.values.empty()) {
      list = std::move(values);
    }
    if (scores || predictions.values.empty()) {
      for (const std::int32_t label : predictions.labels) {
        if (classes.empty()) {
          list.push_back(label);
        } else {
          list.push_back(classes[static_cast<std::size_t>(label)]);
        }
      }
    }
    if (!probabilities_ || predictions.probabilities.empty()) return;
    nlohmann::json& shares = json["probabilities"] = nlohmann::json::array();
    for (Index i = 0; i < predictions.probabilities.rows(); ++i) {
      nlohmann::json row = nlohmann::json::array();
      for (const T share : predictions.probabilities.row(i)) row.push_back(short_number(share));
      shares.push_back(std::move(row));
    }
  }

  template <Real T>
  void write_array(const Pipeline<T>& model, const Predictions<T>& predictions) const {
    if (probabilities_ && !predictions.probabilities.empty()) {
      write_npy(out_file_.path, predictions.probabilities.view());
    } else if (!predictions.values.empty()) {
      write_npy(out_file_.path, std::span<const T>(predictions.values));
    } else {
      write_labels(model.model->classes(), predictions.labels);
    }
  }

  // Clusters as their numbers, classes as what they are called: whole numbers, numbers, or texts.
  void write_labels(const std::vector<std::string>& classes,
                    const std::vector<std::int32_t>& labels) const {
    const auto per_row = [&](const auto& values) {
      auto rows = std::remove_cvref_t<decltype(values)>();
      for (const std::int32_t label : labels)
        rows.push_back(values[static_cast<std::size_t>(label)]);
      return rows;
    };
    std::vector<std::int64_t> whole;
    std::vector<double> numbers;
    for (const std::string& name : classes) {
      std::int64_t integer = 0;
      double number = 0;
      // A name that the number would not be written as, "02139" say, stays a text.
      if (read_number(name, integer) && std::to_string(integer) == name) whole.push_back(integer);
      if (read_number(name, number) && std::isfinite(number) && !has_leading_zero(name)) {
        numbers.push_back(number);
      }
    }
    if (classes.empty()) {
      write_npy(out_file_.path, std::span<const std::int32_t>(labels));
    } else if (whole.size() == classes.size()) {
      write_npy(out_file_.path, std::span<const std::int64_t>(per_row(whole)));
    } else if (numbers.size() == classes.size() && distinct(numbers)) {
      write_npy(out_file_.path, std::span<const double>(per_row(numbers)));
    } else {
      write_npy(out_file_.path, std::span<const std::string>(per_row(classes)));
    }
  }

  static bool has_leading_zero(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
  }
  static bool distinct(std::vector<double> numbers) {
    std::sort(numbers.begin(), numbers.end());
    return std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end();
  }

  template <Real T>
  void write_table(const Pipeline<T>& model, const Predictions<T>& predictions, Index rows) {
    const auto& classes = model.model->classes();
    const bool probabilities = probabilities_ && !predictions.probabilities.empty();
    const std::vector<std::string> header = header_of(model);
    const bool scores = detects(model);
    const auto fill = [&](Index i, CsvRecord& record) {
      const auto row = static_cast<std::size_t>(i);
      if (model.model->task() == Task::regression) {
        record.add(predictions.values[row]);
      } else if (classes.empty()) {
        record.add(predictions.labels[row]);
      } else {
        record.add(classes[static_cast<std::size_t>(predictions.labels[row])]);
      }
      if (scores) record.add(predictions.values[row]);
      if (!probabilities) return;
      for (const T p : predictions.probabilities.row(i)) record.add(p);
    };
    if (!out_file_.path.empty() && out_file_.path != "-") {
      write_csv_table(out_file_.path, header, rows, fill);
      return;
    }
    CsvRecord record;
    for (const auto& name : header) record.add(name);
    std::string block = record.text() + "\n";
    for (Index i = 0; i < rows; ++i) {
      record.clear();
      fill(i, record);
      block += record.text() + "\n";
      if (block.size() > 1 << 16) {
        print_data(block);
        block.clear();
      }
    }
    print_data(block);
  }

  std::string model_;
  FileName out_file_;
  RunSettings run_;
  DataSettings data_;
  bool probabilities_ = false;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_predict(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Predict>();
}

}  // namespace tandem::program

// tandem explain MODEL --data FILE: what a model does with its features.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/text.hpp"
#include "tandem/command.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/split.hpp"
#include "tandem/data/write.hpp"
#include "tandem/explanation.hpp"
#include "tandem/figures.hpp"
#include "tandem/output.hpp"
#include "tandem/output_kinds.hpp"
#include "tandem/outputs.hpp"
#include "tandem/result_page.hpp"
#include "tandem/results.hpp"
#include "tandem/settings.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

class Explain final : public Command {
 public:
  void add_options(OptionSet& options) override {
    options.positional("MODEL", model_, "a file that tandem train --model wrote");
    data_.add_options(options);
    run_.add_options(options, false);
    options.group("Explanation");
    permutation_.visit(options);
    options.integer("sample", sample_,
                    "rows, drawn at random, that Shapley values and partial dependence are "
                    "computed for; 0: all",
                    0, std::numeric_limits<std::int64_t>::max());
    options.written("dependence", dependence_,
                    "columns whose partial dependence is computed; if left out, the most important",
                    "NAME,...");
    options.text("class", class_,
                 "the class whose scores the pictures explain; if left out, the last of two, else "
                 "the first");
    options.flag("interactions", interactions_,
                 "trees: also the Shapley values of pairs of features");
    options.integer("top", top_, "lines of tables and bars of pictures; 0: all", 0, 1000000);
    options.group("Results");
    options.written("out", out_, "trees: the Shapley values of all rows, a line per row, as CSV",
                    "FILE");
    report_.add_option(options, false);
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& options) override {
    AnyModel model = load_model(model_);
    std::visit([&](const auto& trained) { explain(trained, options); }, model);
    return 0;
  }

 private:
  template <Real T>
  void explain(const Pipeline<T>& model, const OptionSet& options) {
    run_.precision = precision_of<T>;
    OutputFiles files;
    files.reads("the model", model_);
    data_.list_inputs(files);
    const auto trees = tree_ensemble_of(*model.model);
    if (!trees) {
      for (const auto& [asked, name] :
           {std::pair{!out_.path.empty(), "out"}, std::pair{interactions_, "interactions"}}) {
        if (asked) {
          throw InputError(option(name) + " is for models made of trees, and " +
                           model.provenance.algorithm + " is not");
        }
      }
    }
    check_table_name(option("out"), out_.path, TableFormats::csv);
    add_marked_output(files, option("out"), out_.path, written::shapley_values);
    report_.list_outputs(files);
    files.check(force_);
    report_.prepare();

    const auto engine = run_.make_engine();
    Seconds seconds;
    seconds.software_gpu = engine->device() == Device::softgpu;
    Stopwatch watch;
    Dataset<T> data = load_data_for(run_, data_, model);
    seconds.load = watch.lap();
    check_interrupt();

    Explanation<T> found{model, sample_of(data), {}, data.rows(), {}, 0, {}, {}, {}};
    found.prepared = model.prepare(found.sample, engine->threads());
    choose_output(found, trees ? trees->outputs : 0);
    if (trees) {
      found.trees = explain_trees(*engine, *trees, std::as_const(found.prepared.features).view(),
                                  interactions_);
      check_interrupt();
      if (!out_.path.empty()) write_values(found, *engine, *trees, data);
    }
    // What a detector is judged by needs a target of two classes; its trees speak without one.
    const bool no_metric = trees && model.model->task() == Task::detection &&
                           permutation_.metric.empty() && !tells_outliers(found.sample);
    if (data.has_target() && !no_metric) {
      ControlOptions said;
      said.quiet = run_.quiet;
      ProgramControl control(said);
      found.permutation = permutation_importance(*engine, model, data, permutation_, &control);
      control.finish();
    } else if (!trees) {
      throw InputError(data_.data.path + ": without a target nothing can be said of " +
                       model.provenance.algorithm +
                       ": its features are judged by how much worse it gets without them");
    }
    check_interrupt();
    explain_dependence(found, *engine);
    check_interrupt();
    seconds.evaluate = watch.lap();

    if (report_.asked()) {
      write_page(found, *engine, seconds, "tandem explain " + options.arguments());
    }
    if (run_.json) {
      print_json(to_json(found, *engine, seconds));
    } else {
      print(to_text(found, *engine, seconds) + report_.line());
    }
  }

  template <Real T>
  [[nodiscard]] Dataset<T> sample_of(const Dataset<T>& data) const {
    if (sample_ == 0 || sample_ >= data.rows()) return data;
    const double share = static_cast<double>(sample_) / static_cast<double>(data.rows());
    return select_rows(data, train_test_split(data.rows(), share, permutation_.seed).test);
  }

  template <Real T>
  void choose_output(Explanation<T>& found, Index outputs) const {
    const auto& classes = found.model.model->classes();
    if (classes.empty()) {
      if (!class_.empty()) {
        throw InputError(option("class") + " is for models of classes, and this one has none");
      }
      found.output_name = axis_label(found.model.schema.target.name);
      return;
    }
    Index chosen = classes.size() == 2 ? 1 : 0;
    if (!class_.empty()) {
      const auto place = std::ranges::find(classes, class_);
      if (place == classes.end()) {
        throw InputError(option("class") + ": there is no class '" + class_ +
                         "'; expected one of " + few_of(classes));
      }
      chosen = place - classes.begin();
    }
    found.output_name = classes[at(chosen)];
    // One score is that of the second class; shown for the first, it would have another sign.
    if (outputs == 1 && classes.size() == 2) {
      if (!class_.empty() && chosen == 0) {
        throw InputError(option("class") + " " + class_ + ": the model has one score, that of '" +
                         classes[1] + "'; what adds to it takes from '" + class_ +
                         "'. Leave the option out");
      }
      found.output_name = classes[1];
      chosen = 0;
    }
    found.output = outputs > 0 ? std::min(chosen, outputs - 1) : chosen;
  }

  // The columns that a picture of partial dependence is made of.
  template <Real T>
  void explain_dependence(Explanation<T>& found, Engine& engine) const {
    const Task task = found.model.model->task();
    if (task != Task::regression && task != Task::classification) return;
    const auto& columns = found.sample.columns;
    std::vector<Index> chosen;
    for (const std::string& name : dependence_.list) {
      const auto place = std::ranges::find(columns, name, &Column::name);
      if (place == columns.end()) {
        std::vector<std::string> names;
        for (const Column& column : columns) names.push_back(column.name);
        throw InputError(option("dependence") + ": there is no column '" + name +
                         "'; expected some of " + few_of(names));
      }
      chosen.push_back(place - columns.begin());
    }
    if (chosen.empty()) {
      constexpr std::size_t most = 4;
      for (const Index column : important_columns(found)) {
        if (chosen.size() == most) break;
        bool known = false;
        for (Index i = 0; i < found.sample.rows(); ++i) {
          known = known || !std::isnan(found.sample.features(i, column));
        }
        if (known) chosen.push_back(column);
      }
    }
    for (const Index column : chosen) {
      found.dependence.emplace_back(column,
                                    partial_dependence(engine, found.model, found.sample, column));
    }
  }

  // Raw columns, the most important first: by Shapley values where features are the columns, else
  // by permutation.
  template <Real T>
  [[nodiscard]] static std::vector<Index> important_columns(const Explanation<T>& found) {
    if (found.trees && same_columns(found)) return order_of(found.trees->magnitude);
    if (found.permutation) return order_of(found.permutation->mean);
    std::vector<Index> all(found.sample.columns.size());
    std::iota(all.begin(), all.end(), Index{0});
    return all;
  }

  // Lines of a table, at most.
  [[nodiscard]] std::size_t most() const {
    return top_ == 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(top_);
  }

  // "shap_AGE", or "shap_setosa_petal_length" where there are several outputs.
  template <Real T>
  [[nodiscard]] static std::vector<std::string> header_of(const Pipeline<T>& model,
                                                          const TreeEnsemble<T>& trees) {
    std::vector<std::string> header;
    const auto& classes = model.model->classes();
    for (Index k = 0; k < trees.outputs; ++k) {
      const std::string name_of_output =
          k < static_cast<Index>(classes.size()) ? classes[at(k)] : std::to_string(k);
      const std::string of = trees.outputs == 1 ? "" : name_of_output + "_";
      header.push_back(trees.outputs == 1 ? "expected" : "expected_" + name_of_output);
      for (const auto& name : model.feature_names()) header.push_back("shap_" + of + name);
    }
    return header;
  }

  template <Real T>
  void write_values(const Explanation<T>& found, Engine& engine, const TreeEnsemble<T>& trees,
                    const Dataset<T>& data) const {
    const Dataset<T> all = found.model.prepare(data, engine.threads());
    const ShapValues values = shap_values(engine, trees, all.features.view());
    write_csv_table(out_.path, header_of(found.model, trees), data.rows(),
                    [&](Index i, CsvRecord& record) {
                      for (Index k = 0; k < trees.outputs; ++k) {
                        record.add(values.expected[at(k)]);
                        for (Index f = 0; f < trees.features; ++f) record.add(values(i, k, f));
                      }
                    });
    mark_output_as(out_.path, written::shapley_values);
  }

  template <Real T>
  [[nodiscard]] nlohmann::json to_json(const Explanation<T>& found, const Engine& engine,
                                       const Seconds& seconds) const {
    const Pipeline<T>& model = found.model;
    nlohmann::json json{{"algorithm", model.provenance.algorithm},
                        {"task", to_string(model.model->task())},
                        {"model", model_},
                        {"data", data_.data.path},
                        {"rows", found.rows},
                        {"sample", found.sample.rows()},
                        {"device", to_string(engine.device())},
                        {"engine", engine.description()},
                        {"precision", to_string(precision_of<T>)},
                        {"seed", permutation_.seed},
                        {"seconds", seconds_to_json(seconds)}};
    if (!model.model->classes().empty()) json["classes"] = model.model->classes();
    add_explanation(json, found);
    add_transfers(json, engine);
    if (!out_.path.empty()) json["out"] = out_.path;
    if (report_.asked()) json["report"] = report_.path();
    return json;
  }

  template <Real T>
  [[nodiscard]] std::string to_text(const Explanation<T>& found, const Engine& engine,
                                    const Seconds& seconds) const {
    std::string text =
        found.model.provenance.algorithm + " of " + model_ + " on " + data_.data.path + ": " +
        shape_to_text(found.rows, found.model.model->features()) + "\n\n  run       " +
        describe(engine, run_) + "\n  seconds   " + seconds_to_text(seconds, false) + "\n\n";
    for (const auto& rows : explanation_tables(found, most())) text += table(rows) + "\n";
    return text + wrapped(explanation_legend(found), terminal_width());
  }

  template <Real T>
  void write_page(const Explanation<T>& found, const Engine& engine, const Seconds& seconds,
                  const std::string& command) const {
    report::Page page(
        "What " + found.model.provenance.algorithm + " does with " +
            std::filesystem::path(data_.data.path).filename().string(),
        shape_to_text(found.rows, found.model.model->features()) +
            (found.sample.rows() < found.rows
                 ? "; Shapley values of " + counted(found.sample.rows(), "row") + " drawn at random"
                 : ""));
    add_explanation(page, found, command, most());
    page.section("", "Figures");
    page.paragraph(explanation_legend(found));
    for (const auto& rows : explanation_tables(found, most())) page.table(rows);
    page.table({{"setting", "value"},
                {"model", model_},
                {"data", data_.data.path},
                {"engine", describe(engine, run_)},
                {"seed", std::to_string(permutation_.seed)},
                {"seconds", seconds_to_text(seconds, false)}});
    report_.write(page);
  }

  std::string model_;
  RunSettings run_;
  DataSettings data_;
  PermutationOptions permutation_;
  std::int64_t sample_ = 1000;
  Words dependence_;
  std::string class_;
  bool interactions_ = false;
  std::int64_t top_ = 20;
  FileName out_;
  ReportOption report_;
  bool force_ = false;
};

}  // namespace

std::unique_ptr<Command> make_explain(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Explain>();
}

}  // namespace tandem::program

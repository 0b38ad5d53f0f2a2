// tandem explain MODEL --data FILE: what a model does with its features.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "tandem/command.hpp"
#include "tandem/config.hpp"
#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/split.hpp"
#include "tandem/data/write.hpp"
#include "tandem/figures.hpp"
#include "tandem/model/explain.hpp"
#include "tandem/output.hpp"
#include "tandem/outputs.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/results.hpp"
#include "tandem/run_report.hpp"
#include "tandem/settings.hpp"
#include "tandem/tree/tree_model.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem::program {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// The indices of the values, the largest first; NaN last, equal ones in their order.
std::vector<Index> order_of(const std::vector<double>& values) {
  std::vector<Index> order(values.size());
  std::iota(order.begin(), order.end(), Index{0});
  std::ranges::stable_sort(order, [&](Index a, Index b) {
    const double left = std::isnan(values[at(a)]) ? -INFINITY : values[at(a)];
    const double right = std::isnan(values[at(b)]) ? -INFINITY : values[at(b)];
    return left > right;
  });
  return order;
}

// The first of many names.
std::string few_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i > 0 ? ", " : "") + names[i];
  if (names.size() > most) text += ", ... (" + std::to_string(names.size()) + " in all)";
  return text;
}

// The trees' account of the model's features.
struct TreeExplanation {
  std::vector<std::vector<double>> importances;  // by ImportanceKind
  ShapValues shap;
  std::optional<ShapInteractions> interactions;
  // Per feature: Σ over outputs of the mean magnitude of its Shapley values.
  std::vector<double> magnitude;
};

struct Pair {
  Index a = 0;
  Index b = 0;
  double strength = 0;  // mean over rows of |2 φ_ab|, summed over outputs
};

std::vector<Pair> pairs_of(const ShapInteractions& found) {
  std::vector<Pair> pairs;
  const Index rows = found.values.rows();
  for (Index a = 0; a < found.features; ++a) {
    for (Index b = a + 1; b < found.features; ++b) {
      double sum = 0;
      for (Index i = 0; i < rows; ++i) {
        for (Index k = 0; k < found.outputs(); ++k) sum += 2 * std::abs(found(i, k, a, b));
      }
      if (sum > 0) pairs.push_back({a, b, sum / static_cast<double>(rows)});
    }
  }
  std::ranges::stable_sort(pairs, std::greater<>(), &Pair::strength);
  return pairs;
}

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
    options.text("report", report_, "write a page with pictures into this folder");
    options.flag("force", force_, replace_help);
  }

  int run(const OptionSet& options) override {
    command_ = "tandem explain " + options.arguments({"report", "force"});
    AnyModel model = load_model(model_);
    std::visit([&](const auto& trained) { explain(trained); }, model);
    return 0;
  }

 private:
  // What is said of one model.
  template <Real T>
  struct Explanation {
    const Pipeline<T>& model;
    Dataset<T> sample;    // raw rows
    Dataset<T> prepared;  // the same as the model sees them
    Index rows = 0;       // of the file
    std::optional<TreeExplanation> trees;
    Index output = 0;  // that pictures show
    std::string output_name;
    std::optional<PermutationImportance> permutation;
    std::vector<std::pair<Index, PartialDependence>> dependence;  // by raw column
  };

  template <Real T>
  void explain(const Pipeline<T>& model) {
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
    const std::vector<std::string> header =
        trees ? header_of(model, *trees) : std::vector<std::string>();
    files.writes(option("out"), out_.path, written_kind, a_marked_output());
    files.writes_report(report_);
    files.check(force_);
    if (!report_.empty()) prepare_report_folder(report_);

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
      explain_trees(found, *engine, *trees);
      check_interrupt();
      if (!out_.path.empty()) write_values(found, *engine, *trees, data, header);
    }
    // Trees that detect outliers have no metric unless one is named.
    const bool no_metric =
        trees && model.model->task() == Task::clustering && permutation_.metric.empty();
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

    if (!report_.empty()) write_report(found, *engine, seconds);
    if (run_.json) {
      print_json(to_json(found, *engine, seconds));
    } else {
      print(to_text(found, *engine, seconds));
      if (!report_.empty()) print("\nreport: " + report_ + "/report.html\n");
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

  template <Real T>
  void explain_trees(Explanation<T>& found, Engine& engine, const TreeEnsemble<T>& trees) const {
    TreeExplanation said;
    for (std::size_t kind = 0; kind < enum_names<ImportanceKind>.size(); ++kind) {
      said.importances.push_back(trees.importances(static_cast<ImportanceKind>(kind)));
    }
    const auto x = std::as_const(found.prepared.features).view();
    said.shap = shap_values(engine, trees, x);
    said.magnitude.assign(at(trees.features), 0);
    for (Index i = 0; i < x.rows; ++i) {
      for (Index k = 0; k < trees.outputs; ++k) {
        for (Index f = 0; f < trees.features; ++f) {
          said.magnitude[at(f)] += std::abs(said.shap(i, k, f));
        }
      }
    }
    for (double& sum : said.magnitude) sum /= static_cast<double>(x.rows);
    if (interactions_) said.interactions = shap_interactions(engine, trees, x);
    found.trees = std::move(said);
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

  // Whether the model's features are the file's columns.
  template <Real T>
  [[nodiscard]] static bool same_columns(const Explanation<T>& found) {
    const auto names = found.model.feature_names();
    return std::ranges::equal(names, found.model.schema.columns, {}, {}, &Column::name);
  }

  [[nodiscard]] std::size_t shown(std::size_t count) const {
    return top_ == 0 ? count : std::min(count, static_cast<std::size_t>(top_));
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
                    const Dataset<T>& data, const std::vector<std::string>& header) const {
    const Dataset<T> all = found.model.prepare(data, engine.threads());
    const ShapValues values = shap_values(engine, trees, all.features.view());
    write_csv_table(out_.path, header, data.rows(), [&](Index i, CsvRecord& record) {
      for (Index k = 0; k < trees.outputs; ++k) {
        record.add(values.expected[at(k)]);
        for (Index f = 0; f < trees.features; ++f) record.add(values(i, k, f));
      }
    });
    mark_output(out_.path);
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
    if (found.trees) {
      const TreeExplanation& said = *found.trees;
      const auto names = model.feature_names();
      json["expected"] = said.shap.expected;
      json["features"] = nlohmann::json::array();
      for (std::size_t f = 0; f < names.size(); ++f) {
        nlohmann::json one{{"name", names[f]}, {"mean_abs_shap", said.magnitude[f]}};
        for (std::size_t kind = 0; kind < said.importances.size(); ++kind) {
          std::string key(enum_names<ImportanceKind>[kind]);
          std::ranges::replace(key, '-', '_');
          one[key] = said.importances[kind][f];
        }
        if (said.shap.outputs() > 1) {
          auto& each = one["mean_abs_shap_by_output"] = nlohmann::json::array();
          for (Index k = 0; k < said.shap.outputs(); ++k) {
            double sum = 0;
            for (Index i = 0; i < found.sample.rows(); ++i) {
              sum += std::abs(said.shap(i, k, static_cast<Index>(f)));
            }
            each.push_back(sum / static_cast<double>(found.sample.rows()));
          }
        }
        json["features"].push_back(std::move(one));
      }
      if (said.interactions) {
        json["interactions"] = nlohmann::json::array();
        for (const Pair& pair : pairs_of(*said.interactions)) {
          json["interactions"].push_back({{"a", names[at(pair.a)]},
                                          {"b", names[at(pair.b)]},
                                          {"mean_abs_shap", pair.strength}});
        }
      }
    }
    if (found.permutation) {
      const PermutationImportance& said = *found.permutation;
      nlohmann::json columns = nlohmann::json::array();
      for (std::size_t j = 0; j < said.mean.size(); ++j) {
        const auto drops = said.drops.row(static_cast<Index>(j));
        columns.push_back({{"name", found.sample.columns[j].name},
                           {"mean", said.mean[j]},
                           {"deviation", said.deviation[j]},
                           {"drops", std::vector<double>(drops.begin(), drops.end())}});
      }
      json["permutation"] = {
          {"metric", said.metric}, {"baseline", said.baseline}, {"columns", std::move(columns)}};
    }
    json["partial_dependence"] = nlohmann::json::array();
    for (const auto& [column, curve] : found.dependence) {
      nlohmann::json one{{"name", found.sample.columns[at(column)].name},
                         {"grid", curve.grid},
                         {"mean", nlohmann::json::array()}};
      const auto& categories = found.sample.columns[at(column)].categories;
      if (!categories.empty()) one["grid"] = categories;
      for (Index p = 0; p < curve.mean.rows(); ++p) {
        const auto row = curve.mean.row(p);
        if (row.size() == 1)
          one["mean"].push_back(row[0]);
        else
          one["mean"].push_back(std::vector<double>(row.begin(), row.end()));
      }
      json["partial_dependence"].push_back(std::move(one));
    }
    add_transfers(json, engine);
    return json;
  }

  // A line per feature: what the trees' importances say, Shapley values, permutation.
  template <Real T>
  [[nodiscard]] std::vector<std::vector<std::string>> feature_table(
      const Explanation<T>& found) const {
    const bool together = same_columns(found);
    std::vector<std::vector<std::string>> rows;
    if (!found.trees) return rows;
    const TreeExplanation& said = *found.trees;
    rows.push_back({"feature", "mean |SHAP|", "gain", "cover", "splits"});
    if (together && found.permutation) {
      rows[0].insert(rows[0].end(), {"permutation", "+/-"});
    }
    const auto order = order_of(said.magnitude);
    const auto names = found.model.feature_names();
    const double gains =
        std::accumulate(said.importances[0].begin(), said.importances[0].end(), 0.0);
    for (std::size_t k = 0; k < shown(order.size()); ++k) {
      const std::size_t f = at(order[k]);
      rows.push_back({names[f], readable(said.magnitude[f]),
                      gains > 0 ? readable(said.importances[0][f] / gains) : "0",
                      readable(said.importances[3][f]), readable(said.importances[4][f])});
      if (together && found.permutation) {
        rows.back().push_back(readable(found.permutation->mean[f]));
        rows.back().push_back(readable(found.permutation->deviation[f]));
      }
    }
    return rows;
  }

  template <Real T>
  [[nodiscard]] std::vector<std::vector<std::string>> permutation_table(
      const Explanation<T>& found) const {
    std::vector<std::vector<std::string>> rows;
    if (!found.permutation || (found.trees && same_columns(found))) return rows;
    rows.push_back({"column", "permutation", "+/-"});
    const auto order = order_of(found.permutation->mean);
    for (std::size_t k = 0; k < shown(order.size()); ++k) {
      const std::size_t j = at(order[k]);
      rows.push_back({found.sample.columns[j].name, readable(found.permutation->mean[j]),
                      readable(found.permutation->deviation[j])});
    }
    return rows;
  }

  template <Real T>
  [[nodiscard]] std::vector<std::vector<std::string>> pair_table(
      const Explanation<T>& found) const {
    std::vector<std::vector<std::string>> rows;
    if (!found.trees || !found.trees->interactions) return rows;
    const auto names = found.model.feature_names();
    const auto pairs = pairs_of(*found.trees->interactions);
    rows.push_back({"pair of features", "mean |SHAP|"});
    for (std::size_t k = 0; k < shown(pairs.size()); ++k) {
      rows.push_back(
          {names[at(pairs[k].a)] + " and " + names[at(pairs[k].b)], readable(pairs[k].strength)});
    }
    return rows;
  }

  // What the columns of the table are.
  template <Real T>
  [[nodiscard]] static std::string legend(const Explanation<T>& found) {
    std::string text;
    if (found.trees) {
      text = "mean |SHAP|: what a feature adds to or takes from the raw score, on average over " +
             counted(found.sample.rows(), "row") +
             (found.trees->shap.outputs() > 1 ? ", summed over the classes" : "") +
             ". gain: its share of what all splits gained. cover: mean weight of the training rows "
             "in the nodes that it splits. splits: the number of those nodes.";
    }
    if (found.permutation) {
      text += std::string(text.empty() ? "" : " ") + "permutation: by how much " +
              found.permutation->metric + ", " + readable(found.permutation->baseline) +
              " on these rows, gets worse where the column is shuffled (mean and deviation over " +
              counted(found.permutation->drops.cols(), "repeat") + ").";
    }
    return text;
  }

  template <Real T>
  [[nodiscard]] std::string to_text(const Explanation<T>& found, const Engine& engine,
                                    const Seconds& seconds) const {
    std::string text =
        found.model.provenance.algorithm + " of " + model_ + " on " + data_.data.path + ": " +
        shape_to_text(found.rows, found.model.model->features()) + "\n\n  run       " +
        describe(engine, run_) + "\n  seconds   " + seconds_to_text(seconds, false) + "\n\n";
    for (const auto& rows : {feature_table(found), permutation_table(found), pair_table(found)}) {
      if (!rows.empty()) text += table(rows) + "\n";
    }
    return text + wrapped(legend(found), terminal_width());
  }

  // A name that fits beside a picture.
  static std::string short_name(const std::string& name) {
    constexpr std::size_t most = 22;
    const std::string label = axis_label(name);
    if (label.size() <= most) return label;
    std::size_t end = most - 1;
    // Not within a character of several bytes.
    while (end > 0 && (static_cast<unsigned char>(label[end]) & 0xC0) == 0x80) --end;
    return label.substr(0, end) + "...";
  }

  // Horizontal bars, the longest on top; `spread` may be empty.
  static report::Plot bars(const std::string& title, const std::string& label,
                           const std::vector<std::string>& names, const std::vector<double>& values,
                           const std::vector<double>& spread, int colour) {
    report::Plot plot;
    plot.title = title;
    plot.x.label = label;
    const auto count = static_cast<double>(names.size());
    plot.y.from = 0.4;
    plot.y.to = count + 0.6;
    plot.height = static_cast<int>(90 + 24 * names.size());
    plot.key = false;
    for (std::size_t k = 0; k < names.size(); ++k) {
      const double y = count - static_cast<double>(k);
      plot.y.ticks.emplace_back(y, short_name(names[k]));
      if (std::isnan(values[k])) continue;
      plot.boxes.push_back(
          {std::min(0.0, values[k]), y - 0.32, std::max(0.0, values[k]), y + 0.32, colour, 0.85});
      if (!spread.empty()) {
        plot.series.push_back({.label = "",
                               .points = {{values[k] - spread[k], y}, {values[k] + spread[k], y}},
                               .colour = 0,
                               .size = 0.7});
      }
    }
    // The axis that bars begin at.
    plot.series.push_back(
        {.label = "", .points = {{0, 0.4}, {0, count + 0.6}}, .colour = -1, .size = 0.4});
    return plot;
  }

  // The thirds of a feature's values: 0 low, 1 middle, 2 high; 3 missing.
  template <Real T>
  static std::vector<int> thirds(const Dataset<T>& data, Index feature) {
    std::vector<T> known;
    for (Index i = 0; i < data.rows(); ++i) {
      if (!std::isnan(data.features(i, feature))) known.push_back(data.features(i, feature));
    }
    std::ranges::sort(known);
    std::vector<int> third(at(data.rows()), 3);
    if (known.empty()) return third;
    // By distinct values where there are few, so that 0 and 1 are low and high.
    std::vector<T> levels = known;
    levels.erase(std::ranges::unique(levels).begin(), levels.end());
    const std::vector<T>& scale = levels.size() <= 12 ? levels : known;
    const T low = scale[(scale.size() - 1) / 3];
    const T high = scale[scale.size() - 1 - (scale.size() - 1) / 3];
    for (Index i = 0; i < data.rows(); ++i) {
      const T value = data.features(i, feature);
      if (std::isnan(value)) continue;
      third[at(i)] = scale.size() == 1 ? 1 : value <= low ? 0 : value >= high ? 2 : 1;
    }
    return third;
  }

  static std::vector<report::Series> third_series() {
    return {
        {.label = "low", .mark = report::Mark::points, .colour = 1, .size = 0.8},
        {.label = "middle", .mark = report::Mark::points, .colour = -1, .size = 0.8},
        {.label = "high", .mark = report::Mark::points, .colour = 2, .size = 0.8},
        {.label = "missing", .mark = report::Mark::points, .colour = 0, .shape = 4, .size = 0.8}};
  }

  static void drop_empty(std::vector<report::Series>& series) {
    std::erase_if(series, [](const report::Series& one) { return one.points.empty(); });
  }

  // A row of points for each feature, which are moved apart where they are many.
  template <Real T>
  [[nodiscard]] report::Plot beeswarm(const Explanation<T>& found,
                                      const std::vector<Index>& order) const {
    const ShapValues& shap = found.trees->shap;
    report::Plot plot;
    plot.title = "Shapley values of each row, by feature";
    plot.x.label = "added to the score of " + found.output_name;
    const std::size_t count = std::min<std::size_t>(order.size(), 15);
    plot.y.from = 0.4;
    plot.y.to = static_cast<double>(count) + 0.6;
    plot.height = static_cast<int>(110 + 30 * count);
    plot.series = third_series();
    const Index rows = std::min<Index>(found.sample.rows(), 400);
    double low = 0;
    double high = 0;
    for (std::size_t k = 0; k < count; ++k) {
      for (Index i = 0; i < rows; ++i) {
        low = std::min(low, shap(i, found.output, order[k]));
        high = std::max(high, shap(i, found.output, order[k]));
      }
    }
    const double width = high > low ? (high - low) / 90 : 1;
    for (std::size_t k = 0; k < count; ++k) {
      const Index feature = order[k];
      const double y = static_cast<double>(count - k);
      plot.y.ticks.emplace_back(y, short_name(found.model.feature_names()[at(feature)]));
      const auto third = thirds(found.prepared, feature);
      std::vector<Index> in_bin(100, 0);
      const auto bin = [&](Index i) {
        return static_cast<std::size_t>((shap(i, found.output, feature) - low) / width);
      };
      Index fullest = 1;
      for (Index i = 0; i < rows; ++i) fullest = std::max(fullest, ++in_bin[bin(i)]);
      const double step = std::min(0.07, 0.76 / static_cast<double>(fullest));
      std::vector<Index> placed(in_bin.size(), 0);
      for (Index i = 0; i < rows; ++i) {
        const Index number = placed[bin(i)]++;
        const double away = static_cast<double>((number + 1) / 2) * step;
        plot.series[static_cast<std::size_t>(third[at(i)])].points.push_back(
            {shap(i, found.output, feature), y + (number % 2 == 0 ? -away : away)});
      }
    }
    drop_empty(plot.series);
    plot.series.insert(
        plot.series.begin(),
        {.label = "", .points = {{0, *plot.y.from}, {0, *plot.y.to}}, .colour = -1, .size = 0.4});
    return plot;
  }

  // What a feature adds, by its value; coloured by the feature that it does most together with.
  template <Real T>
  [[nodiscard]] report::Plot dependence_plot(const Explanation<T>& found, Index feature,
                                             std::string& other_name) const {
    const ShapValues& shap = found.trees->shap;
    const auto names = found.model.feature_names();
    report::Plot plot;
    plot.x.label = axis_label(names[at(feature)]);
    plot.y.label = "added to the score of " + found.output_name;
    plot.title = plot.y.label + ", by " + plot.x.label;
    std::optional<Index> other;
    if (found.trees->interactions) {
      double most = 0;
      for (Index g = 0; g < shap.features; ++g) {
        if (g == feature) continue;
        double sum = 0;
        for (Index i = 0; i < found.sample.rows(); ++i) {
          sum += std::abs((*found.trees->interactions)(i, found.output, feature, g));
        }
        if (sum > most) {
          most = sum;
          other = g;
        }
      }
    }
    plot.series = third_series();
    const auto third =
        other ? thirds(found.prepared, *other) : std::vector<int>(at(found.prepared.rows()), 0);
    if (other) {
      other_name = names[at(*other)];
    } else {
      plot.key = false;
    }
    const auto& categories = found.model.features()[at(feature)].categories;
    for (std::size_t c = 0; c < categories.size() && categories.size() <= 12; ++c) {
      plot.x.ticks.emplace_back(static_cast<double>(c), short_name(categories[c]));
    }
    const Index step = std::max<Index>(1, found.prepared.rows() / 1500);
    for (Index i = 0; i < found.prepared.rows(); i += step) {
      const double x = found.model.transforms.unscale(
          feature, static_cast<double>(found.prepared.features(i, feature)));
      plot.series[static_cast<std::size_t>(third[at(i)])].points.push_back(
          {x, shap(i, found.output, feature)});
    }
    drop_empty(plot.series);
    return plot;
  }

  template <Real T>
  [[nodiscard]] report::Plot partial_plot(const Explanation<T>& found, Index column,
                                          const PartialDependence& curve) const {
    const auto& classes = found.model.model->classes();
    const std::string name = axis_label(found.sample.columns[at(column)].name);
    report::Plot plot;
    plot.x.label = name;
    plot.y.label =
        classes.empty() ? "mean " + axis_label(found.model.schema.target.name) : "mean probability";
    plot.title = plot.y.label + ", by " + name;
    const auto& categories = found.sample.columns[at(column)].categories;
    for (std::size_t c = 0; c < categories.size() && categories.size() <= 12; ++c) {
      plot.x.ticks.emplace_back(static_cast<double>(c), short_name(categories[c]));
    }
    for (Index k = 0; k < curve.mean.cols(); ++k) {
      if (classes.size() == 2 && k == 0) continue;  // one minus the other
      if (k >= 8) break;                            // more lines than colours
      report::Series line;
      line.label = classes.empty() ? "" : classes[at(k)];
      line.mark = curve.grid.size() <= 12 ? report::Mark::line_points : report::Mark::line;
      line.colour = static_cast<int>(plot.series.size()) + 1;
      for (std::size_t p = 0; p < curve.grid.size(); ++p) {
        line.points.push_back({curve.grid[p], curve.mean(static_cast<Index>(p), k)});
      }
      plot.series.push_back(std::move(line));
    }
    return plot;
  }

  template <Real T>
  void write_report(const Explanation<T>& found, const Engine& engine,
                    const Seconds& seconds) const {
    report::Page page(
        "What " + found.model.provenance.algorithm + " does with " +
            std::filesystem::path(data_.data.path).filename().string(),
        shape_to_text(found.rows, found.model.model->features()) +
            (found.sample.rows() < found.rows
                 ? "; Shapley values of " + counted(found.sample.rows(), "row") + " drawn at random"
                 : ""));
    std::size_t number = 0;
    const auto draw = [&](const report::Plot& plot, std::string caption) {
      return report::Page::Figure{report::to_svg(plot, "plot-" + std::to_string(++number)),
                                  std::move(caption)};
    };
    constexpr std::size_t most_bars = 15;
    page.section("", "Which features matter");
    page.command(command_);
    std::vector<report::Page::Figure> figures;
    if (found.trees) {
      const TreeExplanation& said = *found.trees;
      const auto names = found.model.feature_names();
      const auto picture = [&](const std::vector<double>& values, const std::string& title,
                               const std::string& label, int colour, std::string caption) {
        std::vector<std::string> bar_names;
        std::vector<double> lengths;
        for (const Index f : order_of(values)) {
          if (lengths.size() == most_bars) break;
          bar_names.push_back(names[at(f)]);
          lengths.push_back(values[at(f)]);
        }
        figures.push_back(
            draw(bars(title, label, bar_names, lengths, {}, colour), std::move(caption)));
      };
      picture(said.magnitude, "mean magnitude of Shapley values", "mean |SHAP|", 1,
              "What each feature adds to or takes from the raw score, on average.");
      std::vector<double> shares = said.importances[0];
      const double gains = std::accumulate(shares.begin(), shares.end(), 0.0);
      for (double& share : shares) share = gains > 0 ? share / gains : 0;
      picture(shares, "share of the gain of each feature", "share of the gain", 3,
              "What the splits of each feature gained in training, as a share of all gains. "
              "Features of many distinct values have many chances to gain by luck.");
    }
    if (found.permutation) {
      const PermutationImportance& said = *found.permutation;
      std::vector<std::string> names;
      std::vector<double> lengths;
      std::vector<double> spread;
      for (const Index j : order_of(said.mean)) {
        if (lengths.size() == most_bars) break;
        names.push_back(found.sample.columns[at(j)].name);
        lengths.push_back(said.mean[at(j)]);
        spread.push_back(said.deviation[at(j)]);
      }
      figures.push_back(draw(
          bars("permutation importance", "loss of " + axis_label(said.metric), names, lengths,
               spread, 4),
          "By how much " + said.metric + " (" + readable(said.baseline) +
              " on these rows) gets worse where a column is shuffled; the lines are one deviation "
              "over " +
              counted(said.drops.cols(), "repeat") + " to either side."));
    }
    page.figures(figures);

    if (found.trees) {
      page.section("", "Row by row");
      const auto order = order_of(found.trees->magnitude);
      figures.clear();
      figures.push_back(draw(
          beeswarm(found, order),
          "Each point is a row: what the feature adds to its score. Colours tell low, middle and "
          "high values of the feature apart; points are moved up and down to be seen."));
      for (std::size_t k = 0; k < std::min<std::size_t>(order.size(), 3); ++k) {
        if (!(found.trees->magnitude[at(order[k])] > 0)) break;
        std::string other;
        const report::Plot plot = dependence_plot(found, order[k], other);
        figures.push_back(draw(
            plot, "What the feature adds, by its value" +
                      (other.empty() ? std::string(". Rows of equal value differ by what the other "
                                                   "features make of it.")
                                     : ". Colours are thirds of " + axis_label(other) +
                                           ", which it does most together with.")));
      }
      page.figures(figures);
    }
    if (!found.dependence.empty()) {
      page.section("", "Partial dependence");
      figures.clear();
      for (const auto& [column, curve] : found.dependence) {
        figures.push_back(
            draw(partial_plot(found, column, curve),
                 "The mean prediction where " + axis_label(found.sample.columns[at(column)].name) +
                     " has this value in all rows, which other features may make unlikely."));
      }
      page.figures(figures);
    }
    page.section("", "Figures");
    page.paragraph(legend(found));
    for (const auto& rows : {feature_table(found), permutation_table(found), pair_table(found)}) {
      if (!rows.empty()) page.table(rows);
    }
    page.table({{"setting", "value"},
                {"model", model_},
                {"data", data_.data.path},
                {"engine", describe(engine, run_)},
                {"seed", std::to_string(permutation_.seed)},
                {"seconds", seconds_to_text(seconds, false)}});
    page.footer("Tandem " TANDEM_VERSION
                ". The command above gives the same numbers on any machine in exact mode.");
    page.write((std::filesystem::path(report_) / "report.html").string());
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
  std::string report_;
  bool force_ = false;
  std::string command_;
};

}  // namespace

std::unique_ptr<Command> make_explain(std::unique_ptr<Algorithm> /*algorithm*/) {
  return std::make_unique<Explain>();
}

}  // namespace tandem::program

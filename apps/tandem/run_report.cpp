#include "tandem/run_report.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tandem/coefficients.hpp"
#include "tandem/command.hpp"
#include "tandem/component_figures.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/figures.hpp"
#include "tandem/model_figures.hpp"
#include "tandem/output.hpp"
#include "tandem/report/page.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/result_page.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {
namespace {

using report::Page;
using report::Plot;

void add_history(Figures& figures, const TrainingLog& log, const std::string& counted_in) {
  const std::string unit = counted_in.empty() ? "iteration" : counted_in;
  // Costs on one plot, shares on another, and each metric that rounds are judged by on its own.
  std::vector<std::string> costs;
  std::vector<std::string> shares;
  std::vector<std::string> judged;
  double least = INFINITY;
  double most = 0;
  for (const auto& [name, values] : log.history) {
    if (values.size() < 2) continue;  // a closed form has no course that could be drawn
    if (name.find("accuracy") != std::string::npos) shares.push_back(name);
    const bool cost = name.find("cost") != std::string::npos ||
                      name.find("loss") != std::string::npos || name == "inertia";
    if (!cost) {
      if (name.starts_with("validation_") && (shares.empty() || shares.back() != name)) {
        judged.push_back(name);
      }
      continue;
    }
    costs.push_back(name);
    for (const double value : values) {
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  if (!costs.empty()) {
    const bool logarithmic = least > 0 && most > 20 * least;
    report::Plot plot = history_plot(log, costs, axis_label(costs.front()), logarithmic);
    plot.x.label = unit;
    const auto watched = std::ranges::count_if(
        costs, [](const std::string& name) { return name.starts_with("validation"); });
    const std::string what =
        watched == 0 ? "The value that training lowers"
        : watched == std::ssize(costs)
            ? "The loss of the rows kept for validation, which are not trained on"
            : "The value that training lowers, and the loss of the rows kept "
              "for validation, which are not trained on";
    figures.add(plot,
                what + ", after each " + unit + (logarithmic ? ", on a logarithmic scale." : "."));
  }
  if (!shares.empty()) {
    report::Plot plot = history_plot(log, shares, "accuracy", false);
    plot.x.label = unit;
    figures.add(plot, "Share of rows that are classified correctly, after each " + unit + ".");
  }
  for (const std::string& name : judged) {
    report::Plot plot = history_plot(log, {name}, axis_label(name), false);
    plot.x.label = unit;
    figures.add(
        plot,
        "The metric that early stopping goes by, on the validation rows, after each " + unit + ".");
  }
}

void add_curves(Figures& figures, const Evaluation& evaluation, const std::string& part) {
  if (evaluation.curves.empty() || evaluation.curves.size() > 8) return;
  Plot roc;
  roc.title = "ROC curve";
  roc.x = {.label = "false positive rate", .from = 0, .to = 1};
  roc.y = {.label = "true positive rate", .from = 0, .to = 1.01};
  roc.series.push_back({.label = "", .points = {{0, 0}, {1, 1}}, .colour = -1, .dashed = true});
  for (std::size_t c = 0; c < evaluation.curves.size(); ++c) {
    const auto& curve = evaluation.curves[c];
    report::Series series;
    series.label = evaluation.class_names[static_cast<std::size_t>(curve.label)];
    series.colour = static_cast<int>(c) + 1;
    for (std::size_t i = 0; i < curve.roc.false_positive_rate.size(); ++i) {
      series.points.push_back({curve.roc.false_positive_rate[i], curve.roc.true_positive_rate[i]});
    }
    roc.series.push_back(std::move(series));
  }
  figures.add(roc, "Receiver operating characteristic on the " + part +
                       " part: every threshold is a point; the dashed line is chance.");
}

template <Real T>
void add_regression(Figures& figures, Engine& engine, const Pipeline<T>& model,
                    const Dataset<T>& data, const std::string& part) {
  const Predictions<T> predictions = model.predict_prepared(engine, data.features.view());
  const std::string target = axis_label(data.target_column.name);
  Plot fit;
  fit.title = "predicted against true " + target;
  fit.x.label = "true " + target;
  fit.y.label = "predicted " + target;
  Plot residuals;
  residuals.title = "residuals";
  residuals.x.label = "predicted " + target;
  residuals.y.label = "true − predicted";
  report::Series points{.label = "", .points = {}, .mark = report::Mark::points};
  report::Series errors = points;
  const std::size_t step = std::max<std::size_t>(1, data.target.size() / 1500);
  double low = INFINITY;
  double high = -INFINITY;
  for (std::size_t i = 0; i < data.target.size(); i += step) {
    const auto truth = static_cast<double>(data.target[i]);
    const auto value = static_cast<double>(predictions.values[i]);
    points.points.push_back({truth, value});
    errors.points.push_back({value, truth - value});
    low = std::min({low, truth});
    high = std::max({high, truth});
  }
  fit.series = {{.label = "", .points = {{low, low}, {high, high}}, .colour = -1, .dashed = true},
                points};
  residuals.series = {errors};
  figures.add(fit,
              "A perfect model would put every row of the " + part + " part on the dashed line.");
  figures.add(residuals, "What is left to explain: a pattern here is one that the model missed.");
}

// The two columns that tell the labels apart best: by the ratio of the variance between the labels'
// means to that within them, the F statistic of one-way analysis of variance but for its degrees of
// freedom, which are the same for all columns. Ties go to the lower column.
template <Real T>
std::pair<Index, Index> telling_columns(const Dataset<T>& data,
                                        const std::vector<std::int32_t>& labels) {
  const auto groups = static_cast<std::size_t>(*std::ranges::max_element(labels)) + 1;
  std::vector<std::pair<double, Index>> order;
  for (Index j = 0; j < data.cols(); ++j) {
    struct Group {
      double rows = 0;
      double mean = 0;
      double squares = 0;
    };
    std::vector<Group> all(groups);
    Group whole;
    const auto add = [](Group& group, double value) {
      const double delta = value - group.mean;
      group.rows += 1;
      group.mean += delta / group.rows;
      group.squares += delta * (value - group.mean);
    };
    for (Index i = 0; i < data.rows(); ++i) {
      const auto value = static_cast<double>(data.features(i, j));
      const std::int32_t label = labels[static_cast<std::size_t>(i)];
      if (!std::isfinite(value) || label < 0) continue;
      add(all[static_cast<std::size_t>(label)], value);
      add(whole, value);
    }
    double within = 0;
    for (const Group& group : all) within += group.squares;
    const double between = std::max(0.0, whole.squares - within);
    const double ratio = within > 0 ? between / within : between > 0 ? INFINITY : 0;
    order.emplace_back(-ratio, j);
  }
  std::ranges::stable_sort(order);
  return {order[0].second, order[1].second};
}

template <Real T>
void add_plane(Figures& figures, Engine& engine, const Pipeline<T>& model, const Dataset<T>& data) {
  if (data.cols() < 2 || model.model->task() == Task::regression) return;
  const Predictions<T> predictions = model.model->predict(engine, data.features.view());
  if (predictions.labels.empty()) return;
  const auto [x, y] =
      data.cols() == 2 ? std::pair<Index, Index>{0, 1} : telling_columns(data, predictions.labels);
  Plot plot;
  plot.x.label = axis_label(model.features()[static_cast<std::size_t>(x)].name);
  plot.y.label = axis_label(model.features()[static_cast<std::size_t>(y)].name);
  std::vector<std::string> names = model.model->classes();
  const bool detects = model.model->task() == Task::detection;
  if (names.empty()) {
    const auto largest = std::max_element(predictions.labels.begin(), predictions.labels.end());
    for (int c = 0; c <= *largest; ++c) names.push_back("cluster " + std::to_string(c));
  }
  if (names.size() > 40) return;
  const bool truth = model.model->task() == Task::classification;
  // In the units of the file.
  Dataset<T> shown = data;
  for (const Index j : {x, y}) {
    for (Index i = 0; i < data.rows(); ++i) {
      shown.features(i, j) =
          static_cast<T>(model.transforms.unscale(j, static_cast<double>(data.features(i, j))));
    }
  }
  plot.series = labelled_points(
      shown, x, y, truth ? encode_classes(data, names).labels : predictions.labels, names);
  std::string caption = truth     ? "The rows by true class"
                        : detects ? "The rows as the model calls them"
                                  : "The rows by cluster";
  if (data.cols() == 2 && model.transforms.transforms().empty()) {
    const Window window = window_of(data, x, y);
    plot.boxes = decision_regions(model, engine, window);
    plot.x.from = window.left;
    plot.x.to = window.right;
    plot.y.from = window.bottom;
    plot.y.to = window.top;
    caption += "; the ground shows what the model predicts there.";
  } else {
    caption +=
        ", in the two features that tell the model's answers apart best (variance between "
        "them over variance within).";
  }
  plot.title = caption;
  figures.add(plot, caption);
}

// What the model holds, where it can be drawn.
template <Real T>
void add_model(Page& page, const Pipeline<T>& model) {
  const std::vector<std::string> names = model.feature_names();
  const auto* tree = dynamic_cast<const DecisionTreeModel<T>*>(model.model.get());
  const std::vector<double> shares = importances_of(*model.model);
  const std::vector<Coefficients> outputs = coefficients_of(model);
  const bool split = std::ranges::any_of(shares, [](double share) { return share > 0; });
  if (!split && outputs.empty() && (tree == nullptr || tree->nodes.size() < 2)) return;
  page.section("", "What it has learned");
  if (tree != nullptr && tree->nodes.size() > 1) {
    constexpr Index drawn = 3;
    page.html(tree_svg(*tree, names, drawn));
    if (!tree->class_names.empty() && tree->class_names.size() <= 40) {
      page.html(class_key_html(tree->class_names));
    }
    page.paragraph(
        "The question stands at the top of each box; rows that answer it with yes go up, the "
        "others "
        "down." +
        std::string(tree->class_names.empty() ? "" : " The bar shows the shares of the classes.") +
        (tree->depth() > drawn ? " Splits beyond the third are left out here; the tree has " +
                                     counted(tree->leaves(), "leaf", "leaves") + "."
                               : ""));
  }
  Figures figures;
  constexpr std::size_t most = 20;
  if (split) {
    figures.add_html(bars_html(names, shares, most),
                     "Importance: each feature's share of what all splits gain.");
  }
  constexpr std::size_t most_outputs = 10;
  std::vector<std::string> labels;
  for (const CoefficientStep& step : coefficient_steps(model)) {
    labels.push_back(with_step(axis_label(step.feature), step));
  }
  for (std::size_t k = 0; k < std::min(outputs.size(), most_outputs); ++k) {
    figures.add_html(bars_html(labels, outputs[k].weights, most),
                     "Coefficients of the " + outputs[k].of +
                         (names.size() > most ? ", the " + std::to_string(most) + " largest of " +
                                                    std::to_string(names.size())
                                              : "") +
                         "; the intercept is " + readable(outputs[k].intercept) + ".");
  }
  if (!outputs.empty()) page.paragraph(coefficient_legend(model));
  if (outputs.size() > most_outputs) {
    page.paragraph("The first " + std::to_string(most_outputs) + " of " +
                   std::to_string(outputs.size()) + " classes are drawn.");
  }
  if (const auto all = figures.take(); !all.empty()) page.figures(all);
}

}  // namespace

void prepare_report_folder(const std::string& folder) {
  report::require_gnuplot();
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure || !std::filesystem::is_directory(folder)) {
    throw SystemError(
        folder + ": cannot be made a folder: " + (failure ? failure.message() : "it is a file"));
  }
}

template <Real T>
void write_run_report(const RunReport& settings, Engine& engine, const Pipeline<T>& model,
                      const Dataset<T>& train, const Dataset<T>* test) {
  const Scores& scores = *settings.scores;
  const Evaluation& shown = scores.test ? *scores.test : *scores.train;
  const std::string part = scores.test ? "test" : "training";
  const TrainingLog& log = model.model->training();
  const std::string unit = training_unit(*model.model);
  Page page(model.provenance.algorithm + " on " +
                std::filesystem::path(model.provenance.source).filename().string(),
            shape_to_text(model.provenance.rows, model.model->features()) + " to train on" +
                (test != nullptr ? "; " + counted(test->rows(), "row") + " to test" : "") +
                (log.stopped_because.empty() ? "" : "; stopped because " + log.stopped_because));

  page.section("", "Result");
  std::vector<std::pair<std::string, std::string>> facts;
  // A ranking is not judged by how near its scores are to the relevance.
  const bool ranks = shown.metrics.contains("ndcg_at_10");
  for (const char* name :
       {"ndcg_at_10", "ndcg", "map", "mrr", "accuracy", "f1_macro", "roc_auc", "log_loss", "r2",
        "rmse", "mae", "inertia", "silhouette", "davies_bouldin", "adjusted_rand", "outlier_share",
        "average_precision"}) {
    const auto found = shown.metrics.find(name);
    if (settings.shown->chosen() || found == shown.metrics.end() || facts.size() == 4) continue;
    facts.emplace_back(axis_label(name) + " (" + part + ")", readable(found->second));
  }
  for (const std::string& name : settings.shown->names()) {
    const auto found = shown.metrics.find(name);
    if (found == shown.metrics.end() || facts.size() == 4) continue;
    facts.emplace_back(axis_label(name) + " (" + part + ")", readable(found->second));
  }
  if (const auto score = oob_score_of(*model.model)) {
    facts.emplace_back(shown.task == Task::classification ? "accuracy out of bag" : "r2 out of bag",
                       readable(*score));
  }
  if (scores.baseline) {
    const std::string name = shown.task == Task::classification ? "accuracy"
                             : ranks                            ? "ndcg_at_10"
                                                                : "mae";
    facts.emplace_back(axis_label(name) + " of the baseline",
                       readable(scores.baseline->metrics.at(name)));
  }
  if (!unit.empty()) {
    facts.emplace_back(unit + "s", std::to_string(log.iterations));
  }
  facts.emplace_back(
      settings.seconds.software_gpu ? "seconds to train on the software GPU" : "seconds to train",
      readable_seconds(settings.seconds.train));
  page.facts(facts);
  page.command(settings.command);

  Figures figures;
  add_history(figures, log, unit);
  if (shown.task == Task::classification && shown.confusion.classes() <= 20) {
    figures.add_html(confusion_html(shown), "Confusion matrix of the " + part + " part.");
  }
  add_curves(figures, shown, part);
  if (shown.task == Task::regression && !ranks) {
    add_regression(figures, engine, model, test != nullptr ? *test : train, part);
  }
  add_plane(figures, engine, model, train);
  if (const auto all = figures.take(); !all.empty()) {
    page.section("", "Pictures");
    page.figures(all);
  }

  add_components(figures, model, train);
  if (const auto all = figures.take(); !all.empty()) {
    page.section("", "Principal components");
    page.figures(all);
  }
  add_model(page, model);
  if (train.reading && !train.reading->notices.empty()) {
    page.section("", "How the file was read");
    for (const std::string& notice : train.reading->notices) {
      page.paragraph(Error(notice).spelled(Spelling()));
    }
  }

  page.section("", "Metrics");
  std::vector<std::vector<std::string>> rows{{"metric", "train"}};
  if (scores.test) rows[0].emplace_back("test");
  if (scores.baseline) rows[0].emplace_back("baseline");
  for (const auto& [name, value] : scores.train->metrics) {
    if (!settings.shown->in_text(name)) continue;
    rows.push_back({name, readable(value)});
    if (scores.test) {
      const auto found = scores.test->metrics.find(name);
      rows.back().push_back(found == scores.test->metrics.end() ? "" : readable(found->second));
    }
    if (scores.baseline) {
      const auto found = scores.baseline->metrics.find(name);
      rows.back().push_back(found == scores.baseline->metrics.end() ? "" : readable(found->second));
    }
  }
  page.table(rows);
  if (scores.baseline) {
    page.paragraph("Baseline: " + scores.baseline->answer + ", on the " + part + " rows.");
  }
  if (shown.task == Task::classification && shown.classes.size() <= 50) {
    std::vector<std::vector<std::string>> classes{{"class", "precision", "recall", "f1", "rows"}};
    for (std::size_t c = 0; c < shown.classes.size(); ++c) {
      const ClassScore& score = shown.classes[c];
      classes.push_back({shown.class_names[c], readable(score.precision), readable(score.recall),
                         readable(score.f1), readable(score.support)});
    }
    page.table(classes, "Per class, " + part + " part");
  }

  page.section("", "Model");
  std::string text = model.model->to_text(names_with_steps(model));
  constexpr std::size_t most = 12000;
  if (text.size() > most) {
    text = text.substr(0, text.rfind('\n', most)) + "\n... tandem inspect shows all of it\n";
  }
  page.preformatted(text);

  page.section("", "Settings");
  std::vector<std::vector<std::string>> options{{"setting", "value"}};
  options.push_back({"engine", settings.engine});
  options.push_back({"data", model.provenance.source});
  Reading reading = model.schema.reading;
  const auto read = record_options([&](OptionVisitor& visitor) { reading.visit(visitor); });
  const auto how = nlohmann::json::parse(options_to_json(read));
  std::string words;
  for (const char* name : {"format", "header", "delimiter", "decimal", "columns"}) {
    const std::string value = how.value(name, "");
    if (value.empty()) continue;
    words += (words.empty() ? "" : ", ") + std::string(name) + " " +
             (value.size() == 1 ? "'" + value + "'" : value);
  }
  options.push_back({"read as", words});
  if (!model.schema.target.name.empty()) options.push_back({"target", model.schema.target.name});
  const Spelling spelling = spelling_of(*make_algorithm(model.provenance.algorithm));
  const auto given = nlohmann::json::parse(options_to_json(model.provenance.options));
  for (const auto& [name, value] : given.items()) {
    const std::string said = value.is_string() ? std::string(value) : value.dump();
    options.push_back({spelling(name), said.empty() ? "not given" : said});
  }
  for (const auto& transform : model.transforms.transforms()) {
    options.push_back({std::string(transform->name()), transform->to_text()});
  }
  options.push_back({"seconds", seconds_to_text(settings.seconds, true)});
  page.table(options);
  page.footer("Tandem " TANDEM_VERSION
              ". The command above gives the same numbers on any machine in exact mode.");
  page.write((std::filesystem::path(settings.folder) / "report.html").string());
}

template void write_run_report(const RunReport&, Engine&, const Pipeline<float>&,
                               const Dataset<float>&, const Dataset<float>*);
template void write_run_report(const RunReport&, Engine&, const Pipeline<double>&,
                               const Dataset<double>&, const Dataset<double>*);

}  // namespace tandem::program

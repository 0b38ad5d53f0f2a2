// Stories of machines that go downhill: a line, optimisers, a network.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/data/write.hpp"
#include "tandem/demo/storybook.hpp"
#include "tandem/figures.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model_figures.hpp"

namespace tandem::program {
namespace {

using report::Mark;
using report::Page;
using report::Plot;
using report::Series;

namespace fs = std::filesystem;

}  // namespace

void Storybook::regression(Page& page) {
  tell("1/8 a line");
  const Recipe recipe{
      "linear-regression",
      {"--data", choices_.data + "/diabetes.csv", "--ignore", "age,sex,bp,s1,s2,s3,s4,s5,s6",
       "--solver", "gradient", "--optimizer", "gradient-descent", "--learning-rate", "0.1",
       "--epochs", "60", "--patience", "0"}};
  const RecipeRun run = train(recipe);
  Recipe closed = recipe;
  closed.arguments.resize(4);
  const RecipeRun exact = train(closed);

  page.section("1", "A line through the cloud");
  page.paragraph(
      "Each point is one of 442 patients: to the right the body-mass index, upwards how far "
      "diabetes had progressed a year later. The line begins flat, and every step of gradient "
      "descent tilts it in the direction that lowers the mean squared distance to the points.");
  page.paragraph(
      "After some thirty steps there is nothing left to gain: the cost has reached the dashed "
      "level, which the closed formula finds in one go. It does not reach zero, and should not: "
      "one number per patient does not decide an illness.");
  page.command(as_typed(recipe.command()));

  Plot cloud;
  cloud.title = "disease progression against body-mass index with the regression line";
  cloud.x.label = "body-mass index (kg/m²)";
  cloud.y.label = "progression after one year (score)";
  Series patients{.label = "patients", .mark = Mark::points, .colour = 1};
  for (Index i = 0; i < run.data.rows(); ++i) {
    patients.points.push_back({run.model.transforms.unscale(0, run.data.features(i, 0)),
                               run.data.target[static_cast<std::size_t>(i)]});
  }
  Series line{.label = "learned line", .colour = 2, .size = 1.3};
  const Window window = window_of(run.data, 0, 0);
  for (const double x : {window.left, window.right}) {
    Matrix<double> one(1, 1, x);
    line.points.push_back({run.model.transforms.unscale(0, x),
                           run.model.predict_prepared(*run.engine, one.view()).values[0]});
  }
  cloud.series = {patients, line};

  const auto& cost = run.model.model->training().history.at("cost");
  Plot curve = history_plot(run.model.model->training(), {"cost"}, "cost", false);
  curve.title = "cost after each step of gradient descent";
  curve.x.label = "step";
  curve.y.label = "cost (half the mean squared error, score²)";
  curve.series[0].label = "gradient descent";
  curve.series[0].colour = 2;
  const double floor = metric(exact, "mse") / 2;
  // Where the history is kept in units of its own, the last value and the floor show the ratio.
  const double mse = metric(run, "mse");
  const double unit = cost.back() > 0 ? (mse / 2) / cost.back() : 1;
  for (auto& point : curve.series[0].points) point.y *= unit;
  curve.series.push_back({.label = "closed formula",
                          .points = {{1, floor}, {static_cast<double>(cost.size()), floor}},
                          .colour = -1,
                          .dashed = true});
  curve.key = true;
  page.figures({{svg(cloud), "442 patients and the line that the machine ends with."},
                {svg(curve),
                 "The cost falls by the same share in every step: first fast, then "
                 "slowly."}});
  page.facts({{"R²: share of the variance explained", fixed(metric(run, "r2"), 4)},
              {"R² by the closed formula", fixed(metric(exact, "r2"), 4)},
              {"typical error (score)", fixed(std::sqrt(mse), 1)},
              {"steps", std::to_string(cost.size())}});
  figures_["1 line"]["r2"] = metric(run, "r2");
  figures_["1 line"]["r2_closed"] = metric(exact, "r2");
  compare(page, "1 line", recipe, run);
}

void Storybook::optimizers(Page& page) {
  tell("2/8 three ways down");
  struct Way {
    std::string name;
    std::string label;
    std::string rate;
  };
  const std::vector<Way> ways{{"gradient-descent", "gradient descent", "0.1"},
                              {"momentum", "momentum", "0.1"},
                              {"adam", "Adam", "0.1"}};
  page.section("2", "Three ways down the same valley");
  page.paragraph(
      "Now all ten measurements of a patient are used. Some of them say nearly the same, and so "
      "the cost is a long, narrow valley: steep across, almost flat along. The plot shows how "
      "far "
      "each method still is above the floor of the valley, on a logarithmic scale.");
  page.paragraph(
      "Plain gradient descent soon only creeps along the floor. Momentum remembers its speed, "
      "like a ball that rolls, and Adam gives every parameter a step size of its own: both are "
      "at the bottom long before. None of them knows more than the slope under its feet.");
  page.command(
      "tandem compare optimizers --data data/diabetes.csv --epochs 1000 --learning-rate 0.1");
  Plot plot;
  plot.title = "distance to the lowest cost, by optimiser, logarithmic";
  plot.x.label = "step";
  plot.y = {.label = "cost above the lowest (share of the first)", .logarithmic = true};
  plot.width = 860;
  plot.height = 380;
  std::vector<std::vector<double>> histories;
  std::vector<std::vector<std::string>> rows{
      {"method", "steps to 1 % above the floor", "to 0.01 %", "R²"}};
  std::vector<RecipeRun> runs;
  double lowest = INFINITY;
  Recipe first;
  for (const Way& way : ways) {
    const Recipe recipe{
        "linear-regression",
        {"--data", choices_.data + "/diabetes.csv", "--solver", "gradient", "--optimizer", way.name,
         "--learning-rate", way.rate, "--epochs", "1000", "--patience", "0"}};
    if (first.arguments.empty()) first = recipe;
    runs.push_back(train(recipe));
    histories.push_back(runs.back().model.model->training().history.at("cost"));
    lowest = std::min(lowest, *std::min_element(histories.back().begin(), histories.back().end()));
  }
  // The floor is the closed formula's, in the unit of the histories.
  const RecipeRun exact = train({"linear-regression", {"--data", choices_.data + "/diabetes.csv"}});
  const double unit = metric(runs[0], "mse") / histories[0].back();
  const double floor = std::min(lowest, metric(exact, "mse") / unit);
  const double start = histories[0].front() - floor;
  const std::vector<int> colours{2, 1, 3};
  for (std::size_t w = 0; w < ways.size(); ++w) {
    Series series{.label = ways[w].label, .colour = colours[w]};
    const auto steps_to = [&](double share) -> std::string {
      for (std::size_t i = 0; i < histories[w].size(); ++i) {
        if (histories[w][i] <= floor * (1 + share)) return std::to_string(i + 1);
      }
      return "more than " + std::to_string(histories[w].size());
    };
    for (std::size_t i = 0; i < histories[w].size(); ++i) {
      const double above = (histories[w][i] - floor) / start;
      // Below this the plot would show rounding.
      if (above < 1e-12) break;
      series.points.push_back({static_cast<double>(i + 1), above});
    }
    plot.series.push_back(std::move(series));
    rows.push_back(
        {ways[w].label, steps_to(0.01), steps_to(0.0001), fixed(metric(runs[w], "r2"), 6)});
    figures_["2 optimisers"]["r2"][ways[w].name] = metric(runs[w], "r2");
  }
  rows.push_back({"closed formula", "-", "-", fixed(metric(exact, "r2"), 6)});
  page.figures({{svg(plot),
                 "The same start, the same valley, the same learning rate of 0.1. A "
                 "straight line downwards means that the distance shrinks by the "
                 "same factor in every step."}});
  page.table(rows);
  compare(page, "2 optimisers", first, runs[0]);
}

void Storybook::network(Page& page) {
  tell("5/8 what no line can do");
  const std::string file = (fs::path(choices_.folder) / "xor.csv").string();
  GenerateOptions generated;
  generated.rows = 400;
  generated.features = 2;
  generated.seed = 1;
  write_csv(file, generate_xor<double>(generated));
  const Recipe recipe{"mlp",
                      {"--data", file, "--hidden", "8", "--activation", "tanh", "--epochs", "150",
                       "--learning-rate", "0.02", "--patience", "0"}};
  const Recipe line{"logistic-regression", {"--data", file}};
  const RecipeRun run = train(recipe);
  const auto& names = algorithm_names();
  const bool has_line = std::find(names.begin(), names.end(), line.algorithm) != names.end();
  page.section("5", "What no line can do");
  page.paragraph(
      "Exclusive or: a point is of the one kind where its two coordinates have the same sign, of "
      "the other where they differ. In 1969 this little problem stood for all that a machine "
      "with "
      "a single layer cannot learn, since no straight line parts the two kinds.");
  page.paragraph(
      "Eight hidden units are enough. Each draws a soft line of its own, and the last layer "
      "combines them. Watch the loss: it falls fastest while the units share out the work, and "
      "the accuracy climbs from a coin's toss to nearly one.");
  page.command(as_typed("tandem generate xor --rows 400 --seed 1 --out " + file));
  page.command(as_typed(recipe.command()));
  Plot map;
  const Window window{-1.05, 1.05, -1.05, 1.05};
  map.title = "the XOR points and what the network answers everywhere";
  map.x = {.label = "x0", .from = window.left, .to = window.right};
  map.y = {.label = "x1", .from = window.bottom, .to = window.top};
  map.boxes = decision_regions(run.model, *run.engine, window);
  Dataset<double> raw = run.data;
  for (Index i = 0; i < raw.rows(); ++i) {
    for (Index j = 0; j < 2; ++j) {
      raw.features(i, j) = run.model.transforms.unscale(j, raw.features(i, j));
    }
  }
  map.series =
      labelled_points(raw, 0, 1, encode_classes(run.data).labels, {"same sign", "different signs"});
  map.square = true;
  map.width = 460;
  map.height = 460;
  const TrainingLog& log = run.model.model->training();
  Plot loss = history_plot(log, {"loss"}, "loss (cross-entropy, nats)", true);
  loss.x.label = "epoch";
  loss.height = 225;
  Plot accuracy = history_plot(log, {"accuracy"}, "accuracy", false);
  accuracy.x.label = "epoch";
  accuracy.y.from = 0.4;
  accuracy.y.to = 1.02;
  accuracy.height = 225;
  if (!accuracy.series.empty()) accuracy.series[0].colour = 3;
  page.figures({{svg(map),
                 "400 points; the ground shows the network's answer, the stronger the "
                 "surer. Between the colours it is undecided."},
                {svg(loss) + svg(accuracy),
                 "Loss (logarithmic) and share of points on the right side, after each of 150 "
                 "passes over the data."}});
  const double right = metric(run, "accuracy");
  std::vector<std::pair<std::string, std::string>> facts{
      {"accuracy of the network", percent(right)}};
  figures_["5 xor"]["accuracy"] = right;
  if (has_line) {
    const double guess = metric(train(line), "accuracy");
    facts.emplace_back("accuracy of logistic regression, which draws one line", percent(guess));
    figures_["5 xor"]["accuracy_of_a_line"] = guess;
  }
  page.facts(facts);
  compare(page, "5 xor", recipe, run);
}

}  // namespace tandem::program

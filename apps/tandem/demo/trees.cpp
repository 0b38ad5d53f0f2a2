// Stories of trees: one, boosted ones, a forest.
#include <cmath>

#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/demo/storybook.hpp"
#include "tandem/figures.hpp"
#include "tandem/model/validation.hpp"
#include "tandem/model_figures.hpp"
#include "tandem/tree/random_forest.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {
namespace {

using report::Mark;
using report::Page;
using report::Plot;
using report::Series;

namespace fs = std::filesystem;

}  // namespace

void Storybook::tree(Page& page) {
  tell("3/8 twenty questions");
  const Recipe recipe{
      "decision-tree",
      {"--data", choices_.data + "/iris.csv", "--ignore", "sepal_length_cm,sepal_width_cm",
       "--criterion", "entropy", "--max-depth", "3"}};
  const RecipeRun run = train(recipe);
  page.section("3", "Twenty questions, chosen well");
  page.paragraph(
      "A decision tree plays twenty questions. Of all questions of the kind \"is this petal "
      "narrower than so much?\" it takes the one that leaves least doubt about the species, "
      "measured as entropy, and then asks again on either side.");
  page.paragraph(
      "Every question is a straight cut along one axis, so the map of its answers is made of "
      "rectangles. The printed tree and the coloured map are the same thing: follow one flower "
      "through both.");
  page.command(as_typed(recipe.command()));
  Plot plot;
  const Window window = window_of(run.data, 0, 1);
  plot.title = "species of iris by petal length and width, with the regions of the tree";
  plot.x = {.label = axis_label(run.data.columns[0].name), .from = window.left, .to = window.right};
  plot.y = {.label = axis_label(run.data.columns[1].name), .from = window.bottom, .to = window.top};
  plot.boxes = decision_regions(run.model, *run.engine, window);
  plot.series =
      labelled_points(run.data, 0, 1, encode_classes(run.data).labels, run.model.model->classes());
  plot.height = 400;
  plot.width = 860;
  page.figures({{svg(plot),
                 "150 flowers, by species; the ground shows what the tree answers "
                 "there, the stronger the surer."}});
  page.preformatted(run.model.model->to_text(run.model.feature_names()));
  const double right = metric(run, "accuracy");
  page.facts({{"classified correctly", percent(right)},
              {"flowers on the wrong side", fixed(150 * (1 - right), 0)}});
  figures_["3 tree"]["accuracy"] = right;
  compare(page, "3 tree", recipe, run);
}

void Storybook::boosting(Page& page) {
  tell("6/8 many small trees");
  const std::string file = (fs::path(choices_.folder) / "xor.csv").string();
  const Recipe recipe{"gradient-boosting",
                      {"--data", file, "--task", "classification", "--rounds", "60", "--max-depth",
                       "2", "--learning-rate", "0.3"}};
  const RecipeRun run = train(recipe);
  page.section("6", "Many small trees, added up");
  page.paragraph(
      "Boosting answers the same riddle in another way. It begins with a guess that is the same "
      "for all points, grows a tree of two questions for what that guess gets wrong, adds a part "
      "of the tree's answer to the guess, and goes on with what is still wrong. No tree of two "
      "questions is worth much; sixty of them are.");
  page.paragraph(
      "Compare the map with the network's: that one bends soft lines, this one lays rectangles "
      "over each other, as every question is a straight cut along one axis.");
  page.command(as_typed(recipe.command()));
  const auto map_of = [&](const RecipeRun& shown, const std::string& title) {
    Plot map;
    const Window window{-1.05, 1.05, -1.05, 1.05};
    map.title = title;
    map.x = {.label = "x0", .from = window.left, .to = window.right};
    map.y = {.label = "x1", .from = window.bottom, .to = window.top};
    map.boxes = decision_regions(shown.model, *shown.engine, window);
    map.series = labelled_points(shown.data, 0, 1, encode_classes(shown.data).labels,
                                 {"same sign", "different signs"});
    map.square = true;
    map.width = 460;
    map.height = 460;
    return svg(map);
  };
  Recipe first = recipe;
  *std::ranges::find(first.arguments, "60") = "3";
  const RecipeRun few = train(first);
  page.figures({{map_of(few, "what three boosted trees answer everywhere"),
                 "The same 400 points; the ground shows the answer of the first three trees, the "
                 "stronger the surer."},
                {map_of(run, "what sixty boosted trees answer everywhere"),
                 "All sixty: each has mended a little of what the others left."}});
  const double right = metric(run, "accuracy");
  page.facts({{"accuracy of 3 trees", percent(metric(few, "accuracy"))},
              {"accuracy of 60 trees", percent(right)}});
  figures_["6 boosting"]["accuracy"] = right;
  compare(page, "6 boosting", recipe, run);
}

void Storybook::forest(Page& page) {
  tell("7/8 many trees that vote");
  const std::string file = choices_.data + "/breast_cancer.csv";
  const auto recipe_of = [&](int trees) {
    return Recipe{"random-forest",
                  {"--data", file, "--trees", std::to_string(trees), "--oob-score"}};
  };
  const Recipe recipe = recipe_of(40);
  const RecipeRun run = train(recipe);
  const auto out_of_bag = [](const RecipeRun& one) {
    return *dynamic_cast<const RandomForestModel<double>&>(*one.model.model).oob_score;
  };
  page.section("7", "A forest that votes");
  page.paragraph(
      "One tree learns its rows by heart, chance included. A random forest grows many, each on "
      "rows drawn with replacement and with a few features to choose from at every question, and "
      "lets them vote: their mistakes differ, and cancel out. The rows are 569 tumours, measured "
      "under the microscope; the question is whether one is malignant.");
  page.paragraph(
      "About a third of the rows are not drawn by a given tree. So every row can be judged by "
      "the "
      "trees that have never seen it: the out-of-bag score, an honest one that costs no test "
      "part. The score on the rows that the trees did see says nothing.");
  page.command(as_typed(recipe.command()));
  Plot score;
  score.title = "out-of-bag accuracy by the number of trees";
  score.x = {.label = "trees", .from = 0, .to = 42};
  score.y = {.label = "out-of-bag accuracy", .from = 0.88, .to = 1.0};
  score.height = 300;
  score.key = false;
  Series line{.label = "", .mark = Mark::line_points, .colour = 3, .size = 1.4};
  for (const int trees : {5, 10, 20, 30}) {
    line.points.push_back({static_cast<double>(trees), out_of_bag(train(recipe_of(trees)))});
  }
  line.points.push_back({40, out_of_bag(run)});
  score.series = {line};
  const auto& model = dynamic_cast<const RandomForestModel<double>&>(*run.model.model);
  constexpr std::size_t shown = 10;
  page.figures({{svg(score),
                 "Rows are judged by the trees that have not drawn them. The more trees, the "
                 "steadier the vote; beyond some dozens there is little left to gain."},
                {bars_html(run.model.feature_names(), model.importances(), shown),
                 "The ten features of most importance: each one's share of what all splits of all "
                 "trees gain. Several say nearly the same and share their merit, since every "
                 "question sees a few of them only."}});
  check_interrupt();
  ControlOptions quiet;
  quiet.quiet = true;
  ProgramControl control(quiet);
  const double one_tree = cross_validate(PipelineOptions("decision-tree"), run.data,
                                         ValidationOptions{}, *run.engine, control)
                              .summary.at("accuracy")
                              .mean;
  page.facts({{"right, out of bag, by 40 trees", percent(out_of_bag(run))},
              {"right on rows that the trees have seen", percent(metric(run, "accuracy"))},
              {"right by one tree, in five-fold cross-validation", percent(one_tree)}});
  page.command("tandem cross-validate decision-tree --data data/breast_cancer.csv");
  figures_["7 forest"]["oob_score"] = out_of_bag(run);
  figures_["7 forest"]["accuracy"] = metric(run, "accuracy");
  figures_["7 forest"]["accuracy_of_one_tree"] = one_tree;
  compare(page, "7 forest", recipe, run);
}

}  // namespace tandem::program

// The story of Shapley values: what was it thinking?
#include <algorithm>
#include <cmath>
#include <utility>

#include "tandem/demo/storybook.hpp"
#include "tandem/explanation.hpp"
#include "tandem/figures.hpp"
#include "tandem/output.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::program {
namespace {

using report::Page;
using report::Plot;

}  // namespace

void Storybook::explanation(Page& page) {
  tell("8/8 what was it thinking");
  const Recipe recipe{
      "gradient-boosting",
      {"--data", choices_.data + "/diabetes.csv", "--rounds", "60", "--max-depth", "3"}};
  const RecipeRun run = train(recipe);
  const auto trees = *tree_ensemble_of(*run.model.model);
  Explanation<double> found{run.model,
                            run.data,
                            run.data,
                            run.data.rows(),
                            {},
                            0,
                            axis_label(run.model.schema.target.name),
                            {},
                            {}};
  found.trees = explain_trees(*run.engine, trees, std::as_const(run.data.features).view(), true);
  const TreeExplanation& said = *found.trees;
  page.section("8", "What was it thinking?");
  page.paragraph(
      "Sixty boosted trees predict how far a patient's diabetes will progress. Nobody reads "
      "sixty trees. But their answer can be shared out among the features, fairly: the Shapley "
      "value of a feature is what knowing it adds to the prediction, averaged over all orders in "
      "which the features could become known. For each patient the values add up to the "
      "prediction, exactly.");
  page.paragraph(
      "It says what the model does, not what makes people ill: where two features tell the same, "
      "the model may lean on either. (bmi is the body-mass index, bp the blood pressure, s1 to "
      "s6 are measurements of the blood.)");
  page.command(as_typed(recipe.command()) + " --model boosted.tandem");
  page.command("tandem explain boosted.tandem --data data/diabetes.csv --sample 0 --interactions");
  const auto order = order_of(said.magnitude);
  std::string other;
  const Plot dependence = shap_dependence(found, order[0], other);
  page.figures({{svg(shap_swarm(found, 10)),
                 "Each point is a patient: what the feature adds to the prediction, in points of "
                 "the progression score. Colours tell low, middle and high values of the feature "
                 "apart."},
                {svg(dependence),
                 "The feature that matters most, by its value. Patients of equal value differ by "
                 "what the other features make of it: colours are thirds of " +
                     axis_label(other) + ", which it does most together with."}});
  // The patient of the highest prediction, feature by feature.
  const auto predicted = run.model.predict_prepared(*run.engine, run.data.features.view()).values;
  const auto patient =
      static_cast<Index>(std::max_element(predicted.begin(), predicted.end()) - predicted.begin());
  std::vector<std::vector<std::string>> rows{{"", "value", "adds"}};
  rows.push_back({"of any patient, nothing known", "", fixed(said.shap.expected[0], 1)});
  const auto names = run.model.feature_names();
  const auto name = [&](Index f) { return axis_label(names[static_cast<std::size_t>(f)]); };
  constexpr std::size_t listed = 5;
  double rest = 0;
  double sum = said.shap.expected[0];
  std::vector<double> sizes;
  for (Index f = 0; f < said.shap.features; ++f) {
    sizes.push_back(std::abs(said.shap(patient, 0, f)));
  }
  const auto largest = order_of(sizes);
  for (std::size_t k = 0; k < largest.size(); ++k) {
    const Index f = largest[k];
    const double adds = said.shap(patient, 0, f);
    sum += adds;
    if (k >= listed) {
      rest += adds;
      continue;
    }
    rows.push_back({name(f), readable(run.data.features(patient, f)), fixed(adds, 1)});
  }
  rows.push_back(
      {"the other " + std::to_string(largest.size() - listed) + " features", "", fixed(rest, 1)});
  rows.push_back({"predicted progression", "", fixed(sum, 1)});
  page.table(rows, "The patient for whom the model expects most");
  figures_["8 explanation"]["r2"] = metric(run, "r2");
  figures_["8 explanation"]["most_important"] = names[static_cast<std::size_t>(order[0])];
  figures_["8 explanation"]["largest_prediction"] = sum;
  compare(page, "8 explanation", recipe, run);
  compare_shap_with_gpu("8 explanation", run, trees, said.shap);
}

}  // namespace tandem::program

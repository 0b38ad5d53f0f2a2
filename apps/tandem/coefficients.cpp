#include "tandem/coefficients.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tandem/core/text.hpp"
#include "tandem/figures.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"
#include "tandem/output.hpp"
#include "tandem/transform/encode.hpp"
#include "tandem/transform/scale.hpp"
#include "tandem/transform/scale_target.hpp"

namespace tandem::program {
namespace {

std::string_view name_of(StepKind kind) {
  switch (kind) {
    case StepKind::unit: return "unit";
    case StepKind::deviation: return "standard deviation";
    case StepKind::range: return "range";
    case StepKind::category: return "category";
    case StepKind::feature: return "feature";
  }
  return "?";
}

// How the program writes the method of a transform that scales.
StepKind kind_of(const std::string& method) {
  return method.starts_with(to_string(Scale::minmax)) ? StepKind::range : StepKind::deviation;
}

template <Real T>
const ScaleTargetTransform<T>* target_scale(const Pipeline<T>& model) {
  return dynamic_cast<const ScaleTargetTransform<T>*>(model.transforms.find("scale-target"));
}

}  // namespace

template <Real T>
std::vector<Coefficients> coefficients_of(const Pipeline<T>& model) {
  std::vector<Coefficients> all;
  if (const auto* line = dynamic_cast<const LinearRegressionModel<T>*>(model.model.get())) {
    all.push_back({axis_label(model.schema.target.name), line->weights, line->intercept});
  } else if (const auto* odds =
                 dynamic_cast<const LogisticRegressionModel<T>*>(model.model.get())) {
    const auto& classes = odds->class_names;
    for (Index k = 0; k < odds->weights.rows(); ++k) {
      const auto row = odds->weights.row(k);
      all.push_back({odds->weights.rows() == 1
                         ? "log odds of " + classes[1] + " against " + classes[0]
                         : "score of " + classes[static_cast<std::size_t>(k)],
                     std::vector<double>(row.begin(), row.end()),
                     odds->intercepts[static_cast<std::size_t>(k)]});
    }
  }
  return all;
}

template <Real T>
std::vector<CoefficientStep> coefficient_steps(const Pipeline<T>& model) {
  const auto& transforms = model.transforms.transforms();
  std::vector<CoefficientStep> steps;
  for (std::size_t feature = 0; feature < model.features().size(); ++feature) {
    CoefficientStep step;
    step.feature = step.column = model.features()[feature].name;
    // From the model back to the file.
    auto j = static_cast<Index>(feature);
    for (auto it = transforms.rbegin(); it != transforms.rend() && j >= 0; ++it) {
      const Transform<T>& transform = **it;
      const auto& output = transform.outputs()[static_cast<std::size_t>(j)];
      if (const auto* scale = dynamic_cast<const ScaleTransform<T>*>(&transform)) {
        if (output.kind == FeatureKind::number) {
          step.kind = kind_of(scale->to_text());
          step.size *= scale->divisor()[static_cast<std::size_t>(j)];
        }
      }
      j = transform.input_of(j);
      if (j < 0) {
        step.kind = StepKind::feature;
        step.column.clear();
        step.size = 1;
        continue;
      }
      const Feature& input = transform.inputs()[static_cast<std::size_t>(j)];
      step.column = input.name;
      if (dynamic_cast<const EncodeTransform<T>*>(&transform) == nullptr ||
          input.kind != FeatureKind::category) {
        continue;
      }
      if (output.kind == FeatureKind::indicator) {
        step.kind = StepKind::category;
        step.category = output.name.substr(std::min(input.name.size() + 1, output.name.size()));
      } else {
        step.coded = true;
      }
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

std::string with_step(const std::string& name, const CoefficientStep& step) {
  if (step.kind != StepKind::deviation && step.kind != StepKind::range) return name;
  return name + ", per " + significant(step.size, 4);
}

template <Real T>
std::vector<std::string> names_with_steps(const Pipeline<T>& model) {
  std::vector<std::string> names = model.feature_names();
  if (coefficients_of(model).empty()) return names;
  const auto steps = coefficient_steps(model);
  for (std::size_t j = 0; j < names.size(); ++j) names[j] = with_step(names[j], steps[j]);
  return names;
}

template <Real T>
std::string coefficient_legend(const Pipeline<T>& model) {
  const auto steps = coefficient_steps(model);
  const auto any = [&](auto property) {
    return std::find_if(steps.begin(), steps.end(), property);
  };
  const auto of_kind = [&](StepKind kind) {
    return any([kind](const CoefficientStep& step) { return step.kind == kind; });
  };
  std::string text = "A coefficient is what is added";
  std::vector<std::string> pieces;
  for (const auto& [kind, what] : {std::pair{StepKind::deviation, "standard deviation"},
                                   std::pair{StepKind::range, "range"}}) {
    auto found = of_kind(kind);
    if (found != steps.end()) {
      // An example that is not 1 by chance, as that of a constant column is.
      const auto telling =
          any([k = kind](const CoefficientStep& step) { return step.kind == k && step.size != 1; });
      if (telling != steps.end()) found = telling;
      pieces.push_back("per " + std::string(what) +
                       " of the column in the training part, which stands behind its name (" +
                       with_step(axis_label(found->feature), *found) +
                       "); divided by it, it is per unit of the column");
    }
  }
  if (of_kind(StepKind::unit) != steps.end()) {
    pieces.emplace_back("per unit of the column, as the file has it");
  }
  if (of_kind(StepKind::feature) != steps.end()) {
    pieces.emplace_back("per unit of a feature that is made of several columns");
  }
  if (const auto found = of_kind(StepKind::category); found != steps.end()) {
    pieces.push_back("where the row has that category (" + found->feature +
                     "): each category of a column has a coefficient, none is the base, so that "
                     "only the differences between them tell something");
  }
  for (std::size_t i = 0; i < pieces.size(); ++i) text += (i == 0 ? " " : "; ") + pieces[i];
  text += ".";
  const auto coded = any([](const CoefficientStep& step) { return step.coded; });
  if (coded != steps.end()) {
    text += " The units of " + axis_label(coded->column) +
            " and its like are places in the order of their categories, from 0.";
  }
  if (const auto* target = target_scale(model)) {
    const bool range = kind_of(target->to_text()) == StepKind::range;
    text += " All are in " + std::string(range ? "ranges" : "standard deviations") +
            " of the target: times " + significant(target->divisor(), 4) +
            " they are in its units.";
  }
  return text;
}

template <Real T>
nlohmann::json coefficient_steps_json(const Pipeline<T>& model) {
  nlohmann::json json = nlohmann::json::array();
  for (const CoefficientStep& step : coefficient_steps(model)) {
    nlohmann::json one{{"feature", step.feature}, {"per", name_of(step.kind)}, {"size", step.size}};
    if (!step.column.empty()) one["column"] = step.column;
    if (step.kind == StepKind::category) one["category"] = step.category;
    json.push_back(std::move(one));
  }
  return json;
}

#define TANDEM_INSTANTIATE(T)                                                  \
  template std::vector<Coefficients> coefficients_of(const Pipeline<T>&);      \
  template std::vector<CoefficientStep> coefficient_steps(const Pipeline<T>&); \
  template std::vector<std::string> names_with_steps(const Pipeline<T>&);      \
  template std::string coefficient_legend(const Pipeline<T>&);                 \
  template nlohmann::json coefficient_steps_json(const Pipeline<T>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::program

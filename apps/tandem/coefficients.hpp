// The coefficients of linear models, and what each of them is per: a unit of the column, its
// standard deviation where it was scaled, a category.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tandem/model/pipeline.hpp"

namespace tandem::program {

// One output of a linear model.
struct Coefficients {
  std::string of;  // "progression", "log odds of malignant against benign"
  std::vector<double> weights;
  double intercept = 0;
};
// Empty for a model that is not linear.
template <Real T>
[[nodiscard]] std::vector<Coefficients> coefficients_of(const Pipeline<T>& model);

// unit: of the column, as the file has it. deviation, range: of the column in the training part,
// by which the transforms divide. category: whether the row is of it. feature: a unit of what a
// transform has made of several columns.
enum class StepKind { unit, deviation, range, category, feature };

// What a coefficient of one feature is per.
struct CoefficientStep {
  std::string feature;
  std::string column;  // of the file; empty where there are several
  StepKind kind = StepKind::unit;
  double size = 1;       // in units of the column
  std::string category;  // of kind category
  bool coded = false;    // the units are places in the order of categories
};

// One entry per feature of the model.
template <Real T>
[[nodiscard]] std::vector<CoefficientStep> coefficient_steps(const Pipeline<T>& model);
// "age, per 13.1" where the step is not the column's unit; else the name alone.
[[nodiscard]] std::string with_step(const std::string& name, const CoefficientStep& step);
// The names of the features; of a linear model with their steps.
template <Real T>
[[nodiscard]] std::vector<std::string> names_with_steps(const Pipeline<T>& model);
// Says in whole sentences what the model's coefficients are per.
template <Real T>
[[nodiscard]] std::string coefficient_legend(const Pipeline<T>& model);
// The same for programs: an array with an object per feature.
template <Real T>
[[nodiscard]] nlohmann::json coefficient_steps_json(const Pipeline<T>& model);

}  // namespace tandem::program

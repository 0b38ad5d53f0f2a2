#include "tandem/linear/linear_regression.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>

#include "core/data/base_margin.hpp"
#include "core/json_text.hpp"
#include "core/linear/gradient_fit.hpp"
#include "core/linear/least_squares.hpp"
#include "core/linear/normal_equations.hpp"
#include "core/linear/predict.hpp"
#include "core/linear/rows.hpp"
#include "core/load_enum.hpp"
#include "core/model/ready_by.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {
namespace {

// By the solver that was asked for, or the one that `automatic` comes to.
template <Real T>
void fit_in_closed_form(Engine& engine, const LinearRegressionOptions& options,
                        const DatasetView<T>& train, RunControl& control,
                        LinearRegressionModel<T>& model) {
  const LeastSquaresProblem problem{!options.no_intercept, options.l2, !options.keep_scale,
                                    &control};
  LeastSquaresSolution solution;
  model.solver = LinearSolver::qr;
  model.log.stopped_because = "solved in closed form";
  if (options.solver != LinearSolver::qr) {
    auto equations = solve_normal_equations(engine, problem, train);
    if (equations.refusal.empty()) {
      model.solver = LinearSolver::cholesky;
      if (options.solver == LinearSolver::automatic) {
        model.log.stopped_because += " by cholesky, which auto chose";
      }
      solution = std::move(equations.solution);
    } else if (options.solver == LinearSolver::automatic) {
      model.log.stopped_because += " by qr, which auto chose: " + equations.refusal;
    } else {
      throw InputError(train.source + ": " + equations.refusal + "; use " + option("solver") +
                       " qr, which does not multiply columns");
    }
  }
  if (model.solver == LinearSolver::qr) solution = solve_least_squares(engine, problem, train);
  model.weights = solution.weights;
  model.intercept = solution.intercept;
  model.rank = solution.rank;
  model.log.iterations = 1;
  model.log.converged = true;
  if (solution.rank < train.cols()) {
    model.log.stopped_because += "; only " + std::to_string(solution.rank) + " of " +
                                 std::to_string(train.cols()) +
                                 " features are independent, the smallest weights were taken";
  }
  model.log.history["cost"] = {solution.cost};
}

}  // namespace

void LinearRegressionOptions::visit(OptionVisitor& visitor) {
  visitor.choice("solver", solver,
                 "cholesky: closed form by the normal equations; qr: by orthogonal factorisation; "
                 "auto: cholesky where the columns are independent enough, else qr; gradient: one "
                 "of the optimizers");
  visitor.real("l2", l2, "strength of the penalty on squared weights (ridge)", 0, 1e12);
  visitor.real("l1", l1, "strength of the penalty on absolute weights (lasso; gradient solver)", 0,
               1e12);
  visitor.flag(
      "keep_scale", keep_scale,
      "let penalties and gradients see features in their own units, not standardised ones");
  visitor.flag({"no_intercept", {"no_fit_intercept"}}, no_intercept, "fix the intercept at zero");
  gradient.visit(visitor);
  visitor.seed(seed);
}

void LinearRegressionOptions::check() const {
  if (l1 > 0 && solver != LinearSolver::gradient) {
    throw InputError(option("l1") + " has no closed form; add " + option("solver") + " gradient");
  }
  gradient.check();
}

template <Real T>
LinearRegressionModel<T> fit(Engine& engine, const DatasetView<T>& data,
                             const LinearRegressionOptions& options,
                             const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  const DatasetView<T>& train = setting.data();
  require_dense(train, "linear regression");
  refuse_base_margin(train, "linear regression");
  check_options(options);
  check_rows(train);
  require_numeric_target(train);
  LinearRegressionModel<T> model;
  model.solver = options.solver;
  if (options.solver != LinearSolver::gradient) {
    fit_in_closed_form(engine, options, train, setting.control(), model);
    require_range<T>(train, model.weights);
    return model;
  }
  require_finite(train, true);
  const GradientParts<T> parts(train, context.validation, options.gradient.validation_fraction,
                               options.seed);
  if (parts.validation != nullptr) require_finite(*parts.validation, true);
  const GradientProblem problem{.loss = LinearLoss::squared,
                                .outputs = 1,
                                .intercept = !options.no_intercept,
                                .l1 = options.l1,
                                .l2 = options.l2,
                                .standardise = !options.keep_scale,
                                .seed = options.seed};
  auto solution = fit_by_gradients<T>(engine, problem, options.gradient, *parts.train, {},
                                      parts.validation, {}, setting.control());
  model.intercept = solution.parameters.back();
  solution.parameters.pop_back();
  model.weights = std::move(solution.parameters);
  require_range<T>(train, model.weights);
  model.log = std::move(solution.log);
  return model;
}

template <Real T>
const std::vector<std::string>& LinearRegressionModel<T>::classes() const {
  static const std::vector<std::string> none;
  return none;
}

template <Real T>
Predictions<T> LinearRegressionModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return ready_on(engine)->predict(x);
}

template <Real T>
std::unique_ptr<ReadyModel<T>> LinearRegressionModel<T>::ready_on(Engine& engine) const {
  std::vector<double> parameters = weights;
  parameters.push_back(intercept);
  return ready_by<T>(
      [on = LinearPredictor<T>(engine, LinearLoss::squared, 1, features(), parameters,
                               "linear regression")](MatrixView<const T> x) mutable {
        Predictions<T> predictions;
        predictions.values = on.predict(x);
        return predictions;
      });
}

template <Real T>
void LinearRegressionModel<T>::save(Archive& archive) const {
  archive.set_tensor("weights", weights);
  archive.set("intercept", intercept);
  archive.set("solver", to_string(solver));
  archive.set("rank", rank);
  log.save(archive);
}

template <Real T>
LinearRegressionModel<T> LinearRegressionModel<T>::load(const Archive& archive) {
  LinearRegressionModel model;
  model.weights = archive.get_tensor<double>("weights");
  if (model.weights.empty()) archive.fail("weights", "expected at least one");
  for (const double weight : model.weights) {
    if (!std::isfinite(weight)) archive.fail("weights", "expected finite numbers");
  }
  model.intercept = archive.get_double("intercept");
  if (!std::isfinite(model.intercept)) archive.fail("intercept", "expected a finite number");
  model.solver = load_enum<LinearSolver>(archive, "solver");
  if (model.solver == LinearSolver::automatic) {
    archive.fail("solver", "is 'auto', expected the solver that it chose");
  }
  model.rank = archive.get_int("rank", -1, model.features());
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T>
std::string LinearRegressionModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json coefficients = nlohmann::json::object();
  for (std::size_t j = 0; j < weights.size(); ++j) coefficients[feature_names[j]] = weights[j];
  nlohmann::json json = {
      {"solver", to_string(solver)}, {"intercept", intercept}, {"coefficients", coefficients}};
  if (rank >= 0) json["rank"] = rank;
  return json_text(json);
}

template <Real T>
std::string LinearRegressionModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  std::size_t width = std::string_view("(intercept)").size();
  for (const auto& name : feature_names) width = std::max(width, name.size());
  const auto line = [&](std::string name, double value) {
    name.resize(width, ' ');
    std::array<char, 40> number{};
    (void)std::snprintf(number.data(), number.size(), "%14.7g", value);
    return name + number.data() + "\n";
  };
  std::string text = "linear regression, solver " + std::string(to_string(solver)) + "\n";
  text += line("(intercept)", intercept);
  for (std::size_t j = 0; j < weights.size(); ++j) text += line(feature_names[j], weights[j]);
  return text;
}

template class LinearRegressionModel<float>;
template class LinearRegressionModel<double>;
template LinearRegressionModel<float> fit(Engine&, const DatasetView<float>&,
                                          const LinearRegressionOptions&, const FitContext<float>&);
template LinearRegressionModel<double> fit(Engine&, const DatasetView<double>&,
                                           const LinearRegressionOptions&,
                                           const FitContext<double>&);

}  // namespace tandem

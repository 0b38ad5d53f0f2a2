#include "tandem/linear/linear_regression.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/linear/gradient_fit.hpp"
#include "core/linear/least_squares.hpp"
#include "core/linear/predict.hpp"
#include "core/linear/rows.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/split.hpp"

namespace tandem {
namespace {

constexpr std::array<std::string_view, 2> solvers{"qr", "gradient"};

}  // namespace

void LinearRegressionOptions::visit(OptionVisitor& visitor) {
  visitor.choice("solver", solver,
                 "qr: closed form by orthogonal factorisation; gradient: one of the optimizers",
                 solvers);
  visitor.real("l2", l2, "strength of the penalty on squared weights (ridge)", 0, 1e12);
  visitor.real("l1", l1, "strength of the penalty on absolute weights (lasso; gradient solver)", 0,
               1e12);
  visitor.flag(
      "keep-scale", keep_scale,
      "let penalties and gradients see features in their own units, not standardised ones");
  visitor.flag("no-intercept", no_intercept, "fix the intercept at zero");
  gradient.visit(visitor);
}

void LinearRegressionOptions::check() const {
  if (solver != "qr" && solver != "gradient") {
    throw InputError("unknown --solver '" + solver + "': expected one of qr, gradient");
  }
  if (!(l1 >= 0) || !(l2 >= 0) || !std::isfinite(l1) || !std::isfinite(l2)) {
    throw InputError("--l1 and --l2 must be finite and not negative");
  }
  if (l1 > 0 && solver == "qr") {
    throw InputError("--l1 has no closed form; add --solver gradient");
  }
  gradient.check();
}

template <Real T>
std::unique_ptr<LinearRegressionModel<T>> fit_linear_regression(
    Engine& engine, const LinearRegressionOptions& options, const Dataset<T>& train,
    const Dataset<T>* validation, RunControl& control) {
  options.check();
  check_rows(train);
  require_numeric_target(train);
  auto model = std::make_unique<LinearRegressionModel<T>>();
  model->solver = options.solver;
  if (options.solver == "qr") {
    const auto solution = solve_least_squares(
        engine, {!options.no_intercept, options.l2, !options.keep_scale}, train);
    model->weights = solution.weights;
    model->intercept = solution.intercept;
    model->rank = solution.rank;
    model->log.iterations = 1;
    model->log.converged = true;
    model->log.stopped_because = "solved in closed form";
    if (solution.rank < train.cols()) {
      model->log.stopped_because += "; only " + std::to_string(solution.rank) + " of " +
                                    std::to_string(train.cols()) +
                                    " features are independent, the smallest weights were taken";
    }
    model->log.history["cost"] = {solution.cost};
    return model;
  }
  require_finite(train, true);
  std::optional<Dataset<T>> kept;
  std::optional<Dataset<T>> watched;
  if (validation != nullptr) {
    check_rows(*validation);
    require_finite(*validation, true);
  } else if (options.gradient.validation_fraction > 0) {
    const Split split =
        train_test_split(train.rows(), options.gradient.validation_fraction, options.seed);
    kept = select_rows(train, split.train);
    watched = select_rows(train, split.test);
    check_rows(*kept);
    check_rows(*watched);
    validation = &*watched;
  }
  const GradientProblem problem{.loss = LinearLoss::squared,
                                .outputs = 1,
                                .intercept = !options.no_intercept,
                                .l1 = options.l1,
                                .l2 = options.l2,
                                .standardise = !options.keep_scale,
                                .seed = options.seed};
  auto solution = fit_by_gradients<T>(engine, problem, options.gradient, kept ? *kept : train, {},
                                      validation, {}, control);
  model->intercept = solution.parameters.back();
  solution.parameters.pop_back();
  model->weights = std::move(solution.parameters);
  model->log = std::move(solution.log);
  return model;
}

template <Real T>
const std::vector<std::string>& LinearRegressionModel<T>::classes() const {
  static const std::vector<std::string> none;
  return none;
}

template <Real T>
Predictions<T> LinearRegressionModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  std::vector<double> parameters = weights;
  parameters.push_back(intercept);
  Predictions<T> predictions;
  predictions.values = predict_linear(engine, LinearLoss::squared, 1, features(), parameters, x,
                                      "linear regression");
  return predictions;
}

template <Real T>
void LinearRegressionModel<T>::save(Archive& archive) const {
  archive.set_tensor("weights", weights);
  archive.set("intercept", intercept);
  archive.set("solver", solver);
  archive.set("rank", rank);
  log.save(archive);
}

template <Real T>
std::unique_ptr<LinearRegressionModel<T>> LinearRegressionModel<T>::load(const Archive& archive) {
  auto model = std::make_unique<LinearRegressionModel>();
  model->weights = archive.get_tensor<double>("weights");
  if (model->weights.empty()) archive.fail("weights", "expected at least one");
  for (const double weight : model->weights) {
    if (!std::isfinite(weight)) archive.fail("weights", "expected finite numbers");
  }
  model->intercept = archive.get_double("intercept");
  if (!std::isfinite(model->intercept)) archive.fail("intercept", "expected a finite number");
  model->solver = archive.get_string("solver");
  model->rank = archive.get_int("rank", -1, model->features());
  model->log = TrainingLog::load(archive);
  return model;
}

template <Real T>
nlohmann::json LinearRegressionModel<T>::to_json(
    const std::vector<std::string>& feature_names) const {
  nlohmann::json coefficients = nlohmann::json::object();
  for (std::size_t j = 0; j < weights.size(); ++j) coefficients[feature_names[j]] = weights[j];
  nlohmann::json json = {
      {"solver", solver}, {"intercept", intercept}, {"coefficients", coefficients}};
  if (rank >= 0) json["rank"] = rank;
  return json;
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
  std::string text = "linear regression, solver " + solver + "\n";
  text += line("(intercept)", intercept);
  for (std::size_t j = 0; j < weights.size(); ++j) text += line(feature_names[j], weights[j]);
  return text;
}

template class LinearRegressionModel<float>;
template class LinearRegressionModel<double>;
template std::unique_ptr<LinearRegressionModel<float>> fit_linear_regression(
    Engine&, const LinearRegressionOptions&, const Dataset<float>&, const Dataset<float>*,
    RunControl&);
template std::unique_ptr<LinearRegressionModel<double>> fit_linear_regression(
    Engine&, const LinearRegressionOptions&, const Dataset<double>&, const Dataset<double>*,
    RunControl&);

}  // namespace tandem

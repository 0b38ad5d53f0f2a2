#include "tandem/linear/logistic_regression.hpp"
#include "core/data/base_margin.hpp"
#include "core/engine_backend.hpp"
#include "core/json_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "core/data/class_weighted.hpp"
#include "core/linear/gradient_fit.hpp"
#include "core/linear/least_squares_steps.hpp"
#include "core/linear/predict.hpp"
#include "core/linear/rows.hpp"
#include "core/load_enum.hpp"
#include "core/model/largest_of_rows.hpp"
#include "core/model/log_odds.hpp"
#include "core/model/ready_by.hpp"
#include "core/steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/log.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/data/split.hpp"
#include "tandem/optim/lbfgs.hpp"

namespace tandem {
namespace {

template <Real T>
double total_weight(const DatasetView<T>& data) {
  if (!data.has_weights()) return static_cast<double>(data.rows());
  return long_sum(data.rows(), [&](Index i) { return data.weights[static_cast<std::size_t>(i)]; });
}

template <Real T>
std::vector<T> as_target(const std::vector<std::int32_t>& labels) {
  return {labels.begin(), labels.end()};
}

// The inverse of a symmetric positive definite matrix, m × m: A = L·Lᵀ (Cholesky; a pivot that
// rounding has made too small is replaced by 1e-9 of the diagonal), then L⁻¹, then L⁻ᵀ·L⁻¹.
std::vector<double> inverse_of(Index m, std::vector<double> a) {
  const auto at = [m](Index i, Index j) { return static_cast<std::size_t>(i * m + j); };
  for (Index j = 0; j < m; ++j) {
    const double own = a[at(j, j)];
    double pivot = own;
    for (Index k = 0; k < j; ++k) pivot = std::fma(-a[at(j, k)], a[at(j, k)], pivot);
    a[at(j, j)] = std::sqrt(std::max(pivot, 1e-9 * own));
    for (Index i = j + 1; i < m; ++i) {
      double sum = a[at(i, j)];
      for (Index k = 0; k < j; ++k) sum = std::fma(-a[at(i, k)], a[at(j, k)], sum);
      a[at(i, j)] = sum / a[at(j, j)];
    }
  }
  // Columns of L⁻¹ as rows of `t`.
  std::vector<double> t(a.size(), 0.0);
  for (Index j = 0; j < m; ++j) {
    t[at(j, j)] = 1 / a[at(j, j)];
    for (Index i = j + 1; i < m; ++i) {
      double sum = 0;
      for (Index k = j; k < i; ++k) sum = std::fma(-a[at(i, k)], t[at(j, k)], sum);
      t[at(j, i)] = sum / a[at(i, i)];
    }
  }
  std::vector<double> inverse(a.size());
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j <= i; ++j) {
      double sum = 0;
      for (Index k = i; k < m; ++k) sum = std::fma(t[at(i, k)], t[at(j, k)], sum);
      inverse[at(i, j)] = sum;
      inverse[at(j, i)] = sum;
    }
  }
  return inverse;
}

// The mean loss plus the L2 penalty, one pass over the rows per value and gradient.
template <Real T>
class LogisticCost final : public SmoothFunction {
 public:
  LogisticCost(Engine& engine, LinearSteps<T>& steps, LinearLoss loss, const PackedRows<T>& rows,
               Index outputs, bool intercept, double l2, double weight)
      : engine_(engine),
        steps_(steps),
        loss_(loss),
        rows_(rows),
        outputs_(outputs),
        intercept_(intercept),
        l2_(l2),
        weight_(weight),
        cost_(engine, 1) {}
  LogisticCost(const LogisticCost&) = delete;
  LogisticCost& operator=(const LogisticCost&) = delete;
  ~LogisticCost() override { backend(engine_).forget_repeated(this); }

  [[nodiscard]] double evaluate(const Buffer<double>& x, Buffer<double>& gradient) override {
    {
      const Repeated repeated(engine_, this, 0);
      cost_.fill_zero();
      steps_.pass(loss_, rows_, outputs_, intercept_, x, 1 / weight_, gradient, cost_);
      if (l2_ > 0) {
        steps_.add_penalty(l2_, outputs_ * rows_.features, weight_, x, gradient, cost_);
      }
    }
    return cost_.to_host()[0] / weight_;
  }

 private:
  Engine& engine_;
  LinearSteps<T>& steps_;
  LinearLoss loss_;
  const PackedRows<T>& rows_;
  Index outputs_;
  bool intercept_;
  double l2_;
  double weight_;
  Buffer<double> cost_;
};

struct Problem {
  LinearLoss loss;
  Index outputs;
  double l1;
  double l2;
};

// Most variables of a class for which L-BFGS starts from a whole matrix; its cost grows with their
// cube. Beyond, the diagonal has to do.
constexpr Index most_dense = 256;

// The inverse of the diagonal of the Hessian where all probabilities are equal,
// variance·(mean of x²) + l2 for weights and variance for intercepts.
template <Real T>
LbfgsInitial initial_diagonal(Engine& engine, LinearSteps<T>& steps, const Problem& problem,
                              double variance, const DatasetView<T>& data,
                              const std::vector<T>& target) {
  const Index d = data.cols();
  const Index count = std::min(data.rows(), 16 * sum_block);
  RowSource<T> head(engine, data, count, target);
  PackedRows<T> packed(engine, count, d, false);
  steps.pack(head.rows(0, count), count, 0, packed);
  Buffer<double> buffer(engine, 2 * d + 3);
  steps.moments(packed, buffer);
  const auto moments = buffer.to_host();
  const Index size = problem.outputs * (d + 1);
  std::vector<double> inverse(static_cast<std::size_t>(size), 1 / variance);
  for (Index j = 0; j < d; ++j) {
    const double mean = moments[static_cast<std::size_t>(j)];
    const double deviation = moments[static_cast<std::size_t>(d + 1 + j)];
    const double diagonal = variance * std::fma(mean, mean, deviation * deviation) + problem.l2;
    if (!(diagonal > 0) || !std::isfinite(1 / diagonal)) continue;
    for (Index k = 0; k < problem.outputs; ++k) {
      inverse[static_cast<std::size_t>(k * d + j)] = 1 / diagonal;
    }
  }
  return {to_engine(engine, inverse), 0};
}

// The inverse of the Hessian where all probabilities are equal, p·(1 − p)·(mean of x̃·x̃ᵀ) + l2 with
// x̃ = (x, 1), for every class alike; from a part of the rows, because any positive definite matrix
// leads to the same minimum. With it columns of different units, off centre or correlated cost few
// more iterations than others.
template <Real T>
LbfgsInitial initial_inverse(Engine& engine, LinearSteps<T>& passes, const Problem& problem,
                             bool intercept, const DatasetView<T>& data,
                             const std::vector<T>& target) {
  const Index n = data.rows();
  const Index d = data.cols();
  const Index m = d + 1;
  const double share =
      problem.loss == LinearLoss::logistic ? 0.5 : 1 / static_cast<double>(problem.outputs);
  const double variance = share * (1 - share);
  if (m > most_dense) {
    return initial_diagonal(engine, passes, problem, variance, data, target);
  }
  // As many rows as cost about as much to factor as one pass over all rows.
  const Index rows_used = std::min(n, std::max({4 * m, Index{4096}, 2 * n / m}));
  const Index p = least_squares_columns(d, intercept);
  const Index group = least_squares_group(p);
  const Index groups = (rows_used + group - 1) / group;
  RowSource<T> rows(engine, data, rows_used, target);
  const auto steps = make_steps<LeastSquaresSteps, T>(engine);
  Buffer<double> factors(engine, groups * p * p);
  steps->factor(rows.rows(0, rows_used), rows_used, intercept, 0, factors);
  steps->merge(0, groups, p, factors);
  Buffer<double> merged(engine, p * p);
  backend(engine).copy_within(merged.data(), factors.data(), merged.bytes());
  const std::vector<double> r = merged.to_host();

  double weight = static_cast<double>(rows_used);
  if (data.has_weights()) {
    weight =
        long_sum(rows_used, [&](Index i) { return data.weights[static_cast<std::size_t>(i)]; });
  }
  // RᵀR; the intercept, R's first column, becomes the last variable.
  std::vector<double> matrix(static_cast<std::size_t>(m * m), 0.0);
  const auto at = [m](Index i, Index j) { return static_cast<std::size_t>(i * m + j); };
  const auto column = [&](Index j) { return intercept ? (j + 1) % m : j; };
  double largest = 0;
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < m; ++j) {
      if (!intercept && (i == d || j == d)) continue;
      double sum = 0;
      for (Index k = 0; k <= std::min(column(i), column(j)); ++k) {
        sum = std::fma(r[static_cast<std::size_t>(k * p + column(i))],
                       r[static_cast<std::size_t>(k * p + column(j))], sum);
      }
      matrix[at(i, j)] = weight > 0 ? variance * sum / weight : 0;
    }
    if (i < d) matrix[at(i, i)] += problem.l2;
    largest = std::max(largest, matrix[at(i, i)]);
  }
  if (!std::isfinite(largest)) {
    require_finite(data, false);
    throw NumericalError(data.source +
                         ": the squares of a column exceed the range of double "
                         "precision; scale the features");
  }
  // Features that the part lacks, or that depend on others, still need a positive curvature.
  for (Index i = 0; i < m; ++i) {
    const double own = matrix[at(i, i)];
    matrix[at(i, i)] = own > 0 ? own * (1 + 1e-6) : (largest > 0 ? largest : variance);
  }
  return {to_engine(engine, inverse_of(m, matrix)), problem.outputs};
}

template <Real T>
std::vector<double> fit_by_lbfgs(Engine& engine, const LogisticRegressionOptions& options,
                                 const Problem& problem, const DatasetView<T>& train,
                                 const std::vector<T>& target, RunControl& control,
                                 TrainingLog& log) {
  const Index d = train.cols();
  const Index size = problem.outputs * (d + 1);
  const auto steps = make_steps<LinearSteps, T>(engine);
  const PackedRows<T> rows = pack_all<T>(engine, *steps, train, target);

  const double weight = total_weight(train);
  LogisticCost<T> cost(engine, *steps, problem.loss, rows, problem.outputs, !options.no_intercept,
                       problem.l2, weight);
  Buffer<double> parameters(engine, size);
  parameters.fill_zero();
  LbfgsOptions lbfgs;
  lbfgs.max_iterations = options.max_iterations;
  lbfgs.tolerance = options.gradient_tolerance;
  // A mean of losses of type T has its rounding; that of doubles also has those of the long sum.
  lbfgs.value_accuracy = std::max(unit_roundoff<T>, 1e-14);
  LbfgsResult result;
  try {
    result = minimise_lbfgs(
        engine, cost, parameters,
        initial_inverse(engine, *steps, problem, !options.no_intercept, train, target), lbfgs,
        control);
  } catch (const NumericalError&) {
    // A value that is not finite makes the first cost so: tell where it stands.
    require_finite(train, false);
    throw;
  }
  log.iterations = result.iterations;
  log.converged = result.converged;
  log.stopped_because = result.stopped_because;
  log.history["cost"] = std::move(result.values);
  return parameters.to_host();
}

}  // namespace

void LogisticRegressionOptions::visit(OptionVisitor& visitor) {
  visitor.choice("solver", solver, "lbfgs: limited-memory BFGS; gradient: one of the optimizers");
  visitor.real({"c", {"C"}}, c,
               "inverse strength of the penalty on squared weights relative to the summed loss, "
               "where l1 and l2 are 0; 0 for no penalty",
               0, 1e12);
  visitor.real("l2", l2, "strength of the penalty on squared weights relative to the mean loss", 0,
               1e12);
  visitor.real("l1", l1,
               "strength of the penalty on absolute weights relative to the mean loss (gradient "
               "solver)",
               0, 1e12);
  visitor.flag({"no_intercept", {"no_fit_intercept"}}, no_intercept, "fix the intercepts at zero");
  visitor.written("class_weight", class_weight,
                  "none, balanced, or weights by class such as yes=2,no=1", "TEXT");
  visitor.integer({"max_iterations", {"max_iter"}}, max_iterations, "most iterations of lbfgs", 1,
                  std::int64_t{1} << 40);
  visitor.real({"gradient_tolerance", {"tol"}}, gradient_tolerance,
               "largest element of the gradient at which lbfgs has converged", 0, 1e6);
  gradient.visit(visitor);
  visitor.seed(seed);
}

void LogisticRegressionOptions::check() const {
  if (l1 > 0 && solver == LogisticSolver::lbfgs) {
    throw InputError(option("l1") + " is not smooth, which lbfgs needs; add " + option("solver") +
                     " gradient");
  }
  gradient.check();
}

template <Real T>
LogisticRegressionModel<T> fit(Engine& engine, const DatasetView<T>& data,
                               const LogisticRegressionOptions& options,
                               const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  DatasetView<T> train = setting.data();
  require_dense(train, "logistic regression");
  refuse_base_margin(train, "logistic regression");
  check_options(options);
  check_rows(train);
  Classes classes = encode_classes(train);
  std::vector<double> by_class;  // empty: all classes weigh 1
  std::vector<T> weights;
  if (options.class_weight.rule != ClassWeights::Rule::none) {
    by_class = weights_of_classes(train, classes, options.class_weight);
    weights = class_weighted(train, classes.labels, by_class);
    train.weights = weights;
  }
  const auto count = static_cast<Index>(classes.names.size());
  if (count < 2) {
    throw InputError(train.source + ": every row has the class " + classes.names.front() + " in " +
                     train.target_column().name + "; expected at least two classes");
  }
  Problem problem{count == 2 ? LinearLoss::logistic : LinearLoss::softmax, count == 2 ? 1 : count,
                  options.l1, options.l2};
  const double weight = total_weight(train);
  if (options.l1 == 0 && options.l2 == 0 && options.c > 0) {
    problem.l2 = 1 / (options.c * weight);
  }
  LogisticRegressionModel<T> model;
  model.class_names = classes.names;
  model.solver = options.solver;
  std::vector<T> target = as_target<T>(classes.labels);
  std::vector<double> parameters;
  if (options.solver == LogisticSolver::lbfgs) {
    parameters =
        fit_by_lbfgs(engine, options, problem, train, target, setting.control(), model.log);
  } else {
    require_finite(train, false);
    // The rows trained on and, where there are any, those watched; they point to what holds them.
    std::optional<Dataset<T>> kept;
    std::optional<Dataset<T>> watched;
    std::optional<DatasetView<T>> validation = context.validation;
    std::vector<T> watched_target;
    std::vector<T> watched_weights;
    const auto pick = [&](const std::vector<Index>& rows) {
      std::vector<T> picked;
      for (const Index row : rows) picked.push_back(target[static_cast<std::size_t>(row)]);
      return picked;
    };
    if (validation) {
      require_dense(*validation, "logistic regression");
      check_rows(*validation);
      require_finite(*validation, false);
      const Classes seen = encode_classes(*validation, classes.names);
      std::vector<Index> known;
      for (std::size_t i = 0; i < seen.labels.size(); ++i) {
        if (seen.labels[i] < 0) continue;
        known.push_back(static_cast<Index>(i));
        watched_target.push_back(static_cast<T>(seen.labels[i]));
      }
      if (known.empty()) {
        throw InputError(validation->source +
                         ": no row has a class that the training rows have; take validation rows "
                         "of the same classes");
      }
      if (static_cast<Index>(known.size()) < validation->rows()) {
        log::warning(validation->source + ": " +
                     std::to_string(validation->rows() - static_cast<Index>(known.size())) +
                     " rows have classes that the training rows lack; they are left out");
        watched = select_rows(*validation, known);
        validation.emplace(watched->view());
      }
      if (!by_class.empty()) {
        watched_weights = class_weighted(
            *validation, std::vector<std::int32_t>(watched_target.begin(), watched_target.end()),
            by_class);
        validation->weights = watched_weights;
      }
    } else if (options.gradient.validation_fraction > 0) {
      const Split split = stratified_train_test_split(
          classes.labels, options.gradient.validation_fraction, options.seed);
      kept = select_rows(train, split.train);
      watched = select_rows(train, split.test);
      watched_target = pick(split.test);
      target = pick(split.train);
      check_rows(kept->view());
      check_rows(watched->view());
      validation.emplace(watched->view());
    }
    const GradientProblem gradient{.loss = problem.loss,
                                   .outputs = problem.outputs,
                                   .intercept = !options.no_intercept,
                                   .l1 = problem.l1,
                                   .l2 = problem.l2,
                                   .standardise = false,
                                   .seed = options.seed};
    auto solution =
        fit_by_gradients<T>(engine, gradient, options.gradient, kept ? kept->view() : train, target,
                            validation ? &*validation : nullptr, watched_target, setting.control());
    parameters = std::move(solution.parameters);
    model.log = std::move(solution.log);
  }
  const auto split =
      parameters.begin() + static_cast<std::ptrdiff_t>(problem.outputs * train.cols());
  model.intercepts.assign(split, parameters.end());
  parameters.erase(split, parameters.end());
  model.weights = Matrix<double>(problem.outputs, train.cols(), std::move(parameters));
  // A row on the wrong side costs at least ln 2: below that in total, all rows are on the right
  // one, and without a penalty larger weights are always better.
  double lightest = 1;
  for (const T w : train.weights) {
    if (w > T{0}) lightest = std::min(lightest, static_cast<double>(w));
  }
  constexpr double ln2 = 0.6931471805599453;
  if (problem.l1 == 0 && problem.l2 == 0 &&
      model.log.history.at("cost").back() * weight < ln2 * lightest) {
    model.log.converged = false;
    model.log.stopped_because +=
        "; the weights separate the classes, and without a penalty the cost has no minimum: it "
        "keeps falling as they grow";
  }
  return model;
}

template <Real T>
Predictions<T> LogisticRegressionModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return ready_on(engine)->predict(x);
}

template <Real T>
std::unique_ptr<ReadyModel<T>> LogisticRegressionModel<T>::ready_on(Engine& engine) const {
  std::vector<double> parameters = weights.values();
  parameters.insert(parameters.end(), intercepts.begin(), intercepts.end());
  const LinearLoss loss = weights.rows() == 1 ? LinearLoss::logistic : LinearLoss::softmax;
  return ready_by<T>(
      [columns = static_cast<Index>(class_names.size()), threads = engine.threads(),
       on = LinearPredictor<T>(engine, loss, weights.rows(), features(), parameters,
                               "logistic regression")](MatrixView<const T> x) mutable {
        Predictions<T> predictions;
        predictions.probabilities = Matrix<T>(x.rows, columns, on.predict(x));
        predictions.labels =
            largest_of_rows<T>(std::as_const(predictions.probabilities).view(), threads);
        return predictions;
      });
}

template <Real T>
Matrix<double> LogisticRegressionModel<T>::margins(Engine& engine, MatrixView<const T> x) const {
  // One output after the other, each the sum that its probability is computed from.
  const auto sums_of = [&](Index k) {
    const auto row = weights.row(k);
    std::vector<double> parameters(row.begin(), row.end());
    parameters.push_back(intercepts[static_cast<std::size_t>(k)]);
    return LinearPredictor<T>(engine, LinearLoss::squared, 1, features(), parameters,
                              "logistic regression")
        .predict(x);
  };
  if (weights.rows() == 1) return log_odds_of_sigmoid<T>(sums_of(0));
  Matrix<double> odds(x.rows, weights.rows());
  for (Index k = 0; k < weights.rows(); ++k) {
    const std::vector<T> sums = sums_of(k);
    for (Index i = 0; i < x.rows; ++i) {
      odds(i, k) = static_cast<double>(sums[static_cast<std::size_t>(i)]);
    }
  }
  for (Index i = 0; i < x.rows; ++i) log_odds_of_softmax(odds.row(i));
  return odds;
}

template <Real T>
void LogisticRegressionModel<T>::save(Archive& archive) const {
  archive.set_matrix("weights", weights);
  archive.set_tensor("intercepts", intercepts);
  archive.set("classes", class_names);
  archive.set("solver", to_string(solver));
  log.save(archive);
}

template <Real T>
LogisticRegressionModel<T> LogisticRegressionModel<T>::load(const Archive& archive) {
  LogisticRegressionModel model;
  model.class_names = archive.get_strings("classes");
  const auto count = static_cast<Index>(model.class_names.size());
  if (count < 2) archive.fail("classes", "expected at least two");
  const Index outputs = count == 2 ? 1 : count;
  model.weights = archive.get_matrix<double>("weights", outputs);
  if (model.weights.cols() < 1) archive.fail("weights", "expected at least one feature");
  model.intercepts = archive.get_tensor<double>("intercepts", outputs);
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::all_of(model.weights.values().begin(), model.weights.values().end(), finite)) {
    archive.fail("weights", "expected finite numbers");
  }
  if (!std::all_of(model.intercepts.begin(), model.intercepts.end(), finite)) {
    archive.fail("intercepts", "expected finite numbers");
  }
  model.solver = load_enum<LogisticSolver>(archive, "solver");
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T>
std::string LogisticRegressionModel<T>::to_json(
    const std::vector<std::string>& feature_names) const {
  nlohmann::json json = {{"solver", to_string(solver)}, {"classes", class_names}};
  nlohmann::json outputs = nlohmann::json::array();
  for (Index k = 0; k < weights.rows(); ++k) {
    nlohmann::json coefficients = nlohmann::json::object();
    for (Index j = 0; j < weights.cols(); ++j) {
      coefficients[feature_names[static_cast<std::size_t>(j)]] = weights(k, j);
    }
    outputs.push_back(
        {{"class", class_names[static_cast<std::size_t>(weights.rows() == 1 ? 1 : k)]},
         {"intercept", intercepts[static_cast<std::size_t>(k)]},
         {"coefficients", coefficients}});
  }
  json["outputs"] = outputs;
  return json_text(json);
}

template <Real T>
std::string LogisticRegressionModel<T>::to_text(
    const std::vector<std::string>& feature_names) const {
  std::size_t width = std::string_view("(intercept)").size();
  for (const auto& name : feature_names) width = std::max(width, name.size());
  const auto padded = [&](std::string name) {
    name.resize(width, ' ');
    return name;
  };
  const auto number = [](double value) {
    std::array<char, 40> text{};
    (void)std::snprintf(text.data(), text.size(), " %14.7g", value);
    return std::string(text.data());
  };
  const bool binary = weights.rows() == 1;
  std::string text = "logistic regression, solver " + std::string(to_string(solver)) + ", ";
  text += binary ? "log odds of " + class_names[1] + " against " + class_names[0] + "\n"
                 : std::to_string(class_names.size()) + " classes\n";
  if (!binary) {
    text += padded("");
    for (const auto& name : class_names) {
      text += " " + std::string(name.size() < 14 ? 14 - name.size() : 0, ' ') + name;
    }
    text += "\n";
  }
  text += padded("(intercept)");
  for (const double value : intercepts) text += number(value);
  text += "\n";
  for (Index j = 0; j < weights.cols(); ++j) {
    text += padded(feature_names[static_cast<std::size_t>(j)]);
    for (Index k = 0; k < weights.rows(); ++k) text += number(weights(k, j));
    text += "\n";
  }
  return text;
}

template class LogisticRegressionModel<float>;
template class LogisticRegressionModel<double>;
template LogisticRegressionModel<float> fit(Engine&, const DatasetView<float>&,
                                            const LogisticRegressionOptions&,
                                            const FitContext<float>&);
template LogisticRegressionModel<double> fit(Engine&, const DatasetView<double>&,
                                             const LogisticRegressionOptions&,
                                             const FitContext<double>&);

}  // namespace tandem

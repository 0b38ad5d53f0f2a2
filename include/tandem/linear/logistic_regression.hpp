// Logistic regression: the classes' probabilities from weighted sums of the features. Two classes:
// P(second) = 1 / (1 + exp(−z)) (Berkson 1944; Cox, "The regression analysis of binary sequences",
// JRSS B 20, 1958). More: P(k) = exp(z_k) / Σ exp(z_c) (Theil 1969).
// docs/algorithms/linear-models.md says what is computed, in which order, and how exactly.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/class_weights.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/margins.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

//   lbfgs     limited-memory BFGS; no L1
//   gradient  one of the optimizers, on all rows or on batches
enum class LogisticSolver { lbfgs, gradient };
template <>
inline constexpr std::array<std::string_view, 2> enum_names<LogisticSolver>{"lbfgs", "gradient"};

// The cost that is minimised is
//   1/W·Σ_i ω_i·(−ln P(class of row i)) + l2/2·Σ w² + l1·Σ |w|,
// ω the rows' weights, W their sum, w all weights of all classes. Intercepts are free. Features
// count in their own units: scale them first.
struct TANDEM_API LogisticRegressionOptions {
  LogisticSolver solver = LogisticSolver::lbfgs;
  // Where l1 and l2 are both 0, l2 is 1 / (c·W): the strength that scikit-learn and LIBLINEAR call
  // C. 0: no penalty.
  double c = 1;
  double l2 = 0;
  double l1 = 0;
  bool no_intercept = false;
  ClassWeights class_weight{};         // multiplies the sample weights
  std::int64_t max_iterations = 1000;  // lbfgs
  // lbfgs has converged where no element of the cost's gradient exceeds this in magnitude.
  double gradient_tolerance = 1e-4;
  GradientOptions gradient = {.optimizer = {.learning_rate = 0.05}, .epochs = 1000};
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::classification;
  }
};

template <Real T>
class TANDEM_API LogisticRegressionModel final : public Model<T>, public Margins<T> {
 public:
  // In double whatever T is: predictions round each of them to T once. One row for two classes (the
  // second one's), else one per class.
  Matrix<double> weights;
  std::vector<double> intercepts;  // one per row of weights
  std::vector<std::string> class_names;
  LogisticSolver solver = LogisticSolver::lbfgs;
  TrainingLog log;  // cost; validation_cost where there is a validation part

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<LogisticRegressionModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "logistic-regression"; }
  [[nodiscard]] Task task() const override { return Task::classification; }
  [[nodiscard]] Index features() const override { return weights.cols(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  // A row's label is the class of the largest probability, the lowest of equals.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  [[nodiscard]] Matrix<double> margins(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static LogisticRegressionModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;
};

// Throws InputError for data that cannot be trained on (no rows, no target, one class only, values
// that are missing or infinite, weights that are negative or all zero), NumericalError where a
// gradient run diverges or values leave the range of the precision.
template <Real T>
[[nodiscard]] TANDEM_API LogisticRegressionModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const LogisticRegressionOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

// Linear regression: y ≈ b + Σ_j w_j·x_j by least squares (Legendre 1805; Gauss 1809), with L2
// (Hoerl and Kennard, "Ridge Regression", Technometrics 12, 1970) and L1 penalties (Tibshirani,
// "Regression Shrinkage and Selection via the Lasso", JRSS B 58, 1996).
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
#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/model.hpp"
#include "tandem/optim/optimizer.hpp"

namespace tandem {

// How a gradient solver goes through the data and when it stops. Shared by the linear models.
struct TANDEM_API GradientOptions {
  OptimizerOptions optimizer{};
  std::int64_t batch_size = 0;  // rows of a batch; 0: all rows in one batch
  std::int64_t epochs = 10000;  // passes over the data at most
  // Part of the training rows that is kept for validation where no validation set is given.
  double validation_fraction = 0;
  // Training ends after `patience` epochs without a cost that is below the best so far by more than
  // tolerance times that best. It looks at the cost of the validation part where there is one, and
  // then keeps the parameters of the best epoch; else at the training cost. 0: never.
  std::int64_t patience = 50;
  double tolerance = 1e-9;

  // The options of OptimizerOptions, and these.
  void visit(OptionVisitor& visitor);
  void check() const { optimizer.check(); }
};

//   automatic (called "auto") cholesky, or qr where that refuses; the model says which one it was
//   cholesky  closed form by the normal equations in double precision; no L1. Refuses columns that
//             do not determine the weights to half of double's digits.
//   qr        closed form by QR factorisation in double precision; no L1. Of several minimisers (as
//             many features as rows, dependent columns) the one with the smallest Σ v_j² is taken.
//   gradient  one of the optimizers, on all rows or on batches. Features and target are
//             standardised internally (learning rates then suit any units) and the result is
//             translated back.
enum class LinearSolver { automatic, cholesky, qr, gradient };
template <>
inline constexpr std::array<std::string_view, 4> enum_names<LinearSolver>{"auto", "cholesky", "qr",
                                                                          "gradient"};

// The cost that is minimised is
//   1/(2W)·Σ_i ω_i·(b + Σ_j w_j·x_ij − y_i)² + l2/2·Σ_j v_j² + l1·Σ_j |v_j|,
// ω the rows' weights, W their sum, v_j = w_j·s_j with s_j the standard deviation of feature j;
// with keep_scale v_j = w_j. The intercept is free.
struct TANDEM_API LinearRegressionOptions {
  LinearSolver solver = LinearSolver::automatic;
  double l1 = 0;
  double l2 = 0;
  bool keep_scale = false;    // penalties and gradients see features in their own units
  bool no_intercept = false;  // b = 0; features are then not centred either
  GradientOptions gradient = {.optimizer = {.learning_rate = 0.01}};
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::regression;
  }
};

template <Real T>
class TANDEM_API LinearRegressionModel final : public Model<T> {
 public:
  // In double whatever T is: predictions round each of them to T once.
  std::vector<double> weights;  // one per feature
  double intercept = 0;
  LinearSolver solver = LinearSolver::qr;  // the one that found the weights: not automatic
  Index rank = -1;  // of the centred features, as a closed form found it; −1: another solver
  TrainingLog log;  // cost; validation_cost where there is a validation part

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<LinearRegressionModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "linear-regression"; }
  [[nodiscard]] Task task() const override { return Task::regression; }
  [[nodiscard]] Index features() const override { return static_cast<Index>(weights.size()); }
  [[nodiscard]] const std::vector<std::string>& classes() const override;
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static LinearRegressionModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;
};

// Throws InputError for data that cannot be trained on (no rows, no target, values that are missing
// or infinite, weights that are negative or all zero), NumericalError where a gradient run diverges
// or values leave the range of double.
template <Real T>
[[nodiscard]] TANDEM_API LinearRegressionModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const LinearRegressionOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem

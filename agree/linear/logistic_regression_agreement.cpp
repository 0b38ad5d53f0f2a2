// Agreement of logistic regression: whole fits by both solvers.
#include <algorithm>
#include <limits>

#include "agree/fits.hpp"
#include "agree/linear_bounds.hpp"
#include "tandem/linear/logistic_regression.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class Fits : public Case {
 public:
  Fits(const Key& key, std::uint32_t stream) : draw_(key.seed, stream) {
    classes_ = draw_.of<Index>({2, 2, 3, 5});
    data_ = make_dataset<T>(key, draw_.between(1, 12), classes_, draw_);
    options_.no_intercept = draw_.below(4) == 0;
    options_.l2 = draw_.of({0.0, 0.1});
    options_.c = draw_.of({0.0, 1.0});
    options_.seed = draw_.bits() >> 1;
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    LogisticRegressionModel<T> model;
    if (follow != nullptr) {
      const auto& intercepts = follow->get<double>("intercepts");
      const auto outputs = static_cast<Index>(intercepts.size());
      model.weights = Matrix<double>(outputs, data_.cols(), follow->get<double>("weights"));
      model.intercepts = intercepts;
      for (Index c = 0; c < std::max<Index>(2, outputs); ++c) {
        model.class_names.push_back(std::to_string(c));
      }
    } else {
      FitContext<T> context;
      if (watched() != nullptr) context.validation = watched()->view();
      model = fit(engine, data_, options_, context);
      add_model(out, model);
    }
    const auto predictions = model.predict(engine, data_.features.view());
    out.add("probabilities", predictions.probabilities.values());
    out.add("labels", predictions.labels);
  }

 protected:
  [[nodiscard]] virtual const Dataset<T>* watched() const { return nullptr; }

  // Classes that occur with a weight, in order, as the model numbers them.
  [[nodiscard]] std::vector<double> targets() const {
    std::vector<double> present;
    for (const T y : data_.target) present.push_back(static_cast<double>(y));
    std::sort(present.begin(), present.end());
    present.erase(std::unique(present.begin(), present.end()), present.end());
    std::vector<double> all;
    for (const T y : data_.target) {
      all.push_back(static_cast<double>(
          std::lower_bound(present.begin(), present.end(), static_cast<double>(y)) -
          present.begin()));
    }
    return all;
  }

  struct Row {
    LinearRowBound bound;
    std::vector<double> residual;  // p − [its class], in double
    double loss = 0;
  };
  // Probabilities are never off by more; infinite where the parameters have left the range of T.
  static double limited(double error) { return std::isinf(error) ? error : std::min(2.0, error); }
  [[nodiscard]] std::vector<Row> rows(const Outputs& got) const {
    const auto& weights = got.get<double>("weights");
    const auto& intercepts = got.get<double>("intercepts");
    std::vector<double> parameters = weights;
    parameters.insert(parameters.end(), intercepts.begin(), intercepts.end());
    const std::size_t outputs = intercepts.size();
    const LinearLoss loss = outputs == 1 ? LinearLoss::logistic : LinearLoss::softmax;
    const auto y = targets();
    std::vector<Row> all;
    for (Index i = 0; i < data_.rows(); ++i) {
      const auto x = data_.features.row(i);
      Row row;
      row.bound = linear_row_bound<T>(
          {loss, x, static_cast<Index>(outputs), parameters, y[static_cast<std::size_t>(i)]});
      std::vector<double> z;
      double rounded = 0;  // parameters are rounded to T, and may leave its range then
      for (const double parameter : parameters) {
        if (std::abs(parameter) > static_cast<double>(std::numeric_limits<T>::max())) {
          rounded = std::numeric_limits<double>::infinity();
        }
      }
      for (std::size_t k = 0; k < outputs; ++k) {
        double value = intercepts[k];
        double magnitude = std::abs(value);
        for (std::size_t j = 0; j < x.size(); ++j) {
          const double term = weights[k * x.size() + j] * static_cast<double>(x[j]);
          value += term;
          magnitude += std::abs(term);
        }
        z.push_back(value);
        rounded = std::max(rounded, 2 * unit_roundoff<T> * magnitude);
      }
      for (double& e : row.bound.residual_error) e = limited(e + 2 * rounded);
      for (double& e : row.bound.prediction_error) e = limited(e + 2 * rounded);
      row.bound.loss_error += 2 * rounded;
      const auto label = static_cast<std::size_t>(y[static_cast<std::size_t>(i)]);
      if (outputs == 1) {
        const double m = label == 0 ? z[0] : -z[0];
        row.loss = std::max(m, 0.0) + std::log1p(std::exp(-std::abs(m)));
        const double p = 1 / (1 + std::exp(-z[0]));
        row.residual = {p - static_cast<double>(label)};
      } else {
        const double most = *std::max_element(z.begin(), z.end());
        double sum = 0;
        for (const double value : z) sum += std::exp(value - most);
        row.loss = std::log(sum) - (z[label] - most);
        for (std::size_t k = 0; k < outputs; ++k) {
          row.residual.push_back(std::exp(z[k] - most) / sum - (k == label ? 1 : 0));
        }
      }
      all.push_back(std::move(row));
    }
    return all;
  }

  // Probabilities by their bound; labels may differ where the two are as probable.
  void judge_predictions(Judge& judge, const std::vector<Row>& all) const {
    const auto& expected = judge.reference.get<T>("probabilities");
    const auto& labels = judge.got.get<std::int32_t>("labels");
    const auto& labels_expected = judge.reference.get<std::int32_t>("labels");
    const std::size_t classes = expected.size() / labels.size();
    judge.within("probabilities", Tolerance::reduction, [&](std::size_t e) {
      const auto& bound = all[e / classes].bound.prediction_error;
      return bound[bound.size() == 1 ? 0 : e % classes];
    });
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const auto p = [&](std::int32_t label) {
        return static_cast<double>(expected[i * classes + static_cast<std::size_t>(label)]);
      };
      judge.choice("labels", static_cast<Index>(i), labels[i], labels_expected[i],
                   std::abs(p(labels[i]) - p(labels_expected[i])),
                   2 * all[i].bound.prediction_error[0]);
    }
  }

  // Σ ω·loss / W of the model, and its bound.
  [[nodiscard]] std::pair<double, double> cost(const std::vector<Row>& all) const {
    double sum = 0, bound = 0, total = 0;
    const double order = long_sum_bound(data_.rows()) + gamma_bound<double>(data_.rows() + 4);
    for (std::size_t i = 0; i < all.size(); ++i) {
      const double w = weight_of(data_, static_cast<Index>(i));
      sum += w * all[i].loss;
      bound += w * (all[i].bound.loss_error + order * all[i].loss);
      total += w;
    }
    return {sum / total, bound / total};
  }

  Draw draw_;
  Index classes_ = 2;
  Dataset<T> data_;
  LogisticRegressionOptions options_;
};

template <Real T>
class LbfgsCase final : public Fits<T> {
 public:
  explicit LbfgsCase(const Key& key) : Fits<T>(key, 71) {
    this->options_.max_iterations = this->draw_.between(1, 15);
  }

  // The cost that the fit ended with is that of its model, and where it says that it has converged
  // no element of the gradient exceeds the tolerance; both up to the error of one pass.
  void judge(Judge& judge) const override {
    const auto all = this->rows(judge.got);
    this->judge_predictions(judge, all);
    const auto& options = this->options_;
    const auto& data = this->data_;
    const auto& weights = judge.got.template get<double>("weights");
    double total = 0;
    for (Index i = 0; i < data.rows(); ++i) total += weight_of(data, i);
    const double l2 = options.l2 > 0 ? options.l2 : options.c > 0 ? 1 / (options.c * total) : 0;
    double squares = 0;
    for (const double w : weights) squares += w * w;
    const auto [loss, bound] = this->cost(all);
    const double u = unit_roundoff<double>;
    judge.compare("cost of the model", 0, Tolerance::reduction,
                  judge.got.template get<double>("training/history/cost").back(),
                  loss + l2 / 2 * squares,
                  bound * (1 + 8 * u) +
                      gamma_bound<double>(static_cast<Index>(weights.size()) + 40) * l2 * squares +
                      8 * u * loss);
    if (judge.got.template get<std::int64_t>("training/converged")[0] == 0) return;
    const std::size_t outputs = judge.got.template get<double>("intercepts").size();
    const double order = long_sum_bound(data.rows()) + gamma_bound<double>(data.rows() + 4);
    for (std::size_t k = 0; k < outputs; ++k) {
      for (Index j = 0; j <= data.cols(); ++j) {
        const bool weight = j < data.cols();
        if (!weight && options.no_intercept) continue;
        double sum = 0, error = 0;
        for (Index i = 0; i < data.rows(); ++i) {
          const auto& row = all[static_cast<std::size_t>(i)];
          const double x = weight ? static_cast<double>(data.features(i, j)) : 1;
          const double w = weight_of(data, i) / total;
          sum += w * row.residual[k] * x;
          error += w * std::abs(x) * (row.bound.residual_error[k] + order);
        }
        if (weight) {
          sum +=
              l2 * weights[k * static_cast<std::size_t>(data.cols()) + static_cast<std::size_t>(j)];
        }
        judge.compare("gradient", static_cast<Index>(k) * (data.cols() + 1) + j,
                      Tolerance::reduction, sum, 0,
                      options.gradient_tolerance + error + 8 * u * std::abs(sum));
      }
    }
  }
};

template <Real T>
class GradientCase final : public Fits<T> {
 public:
  explicit GradientCase(const Key& key) : Fits<T>(key, 72) {
    auto& options = this->options_;
    options.solver = LogisticSolver::gradient;
    options.l1 = this->draw_.template of<double>({0, 0, 0.05});
    options.gradient.optimizer = draw_optimizer(this->draw_);
    options.gradient.epochs = this->draw_.between(1, 5);
    options.gradient.batch_size = this->draw_.template of<std::int64_t>({0, 32, 100});
  }

  // The rows watch themselves, so that the best validation cost is the cost of the model.
  void judge(Judge& judge) const override {
    const auto all = this->rows(judge.got);
    this->judge_predictions(judge, all);
    const auto [loss, bound] = this->cost(all);
    const auto& costs = judge.got.template get<double>("training/history/validation_cost");
    const double best = *std::min_element(costs.begin(), costs.end());
    if (!std::isfinite(best)) return;
    judge.compare("cost of the model", 0, Tolerance::reduction, best, loss,
                  bound + 16 * unit_roundoff<double> * loss);
  }

 protected:
  [[nodiscard]] const Dataset<T>* watched() const override { return &this->data_; }
};

}  // namespace

Agreement make_logistic_regression_agreement() {
  return {part<LbfgsCase>("fit", "by L-BFGS; the cost and the gradient of the model",
                          {"linear", "lbfgs"},
                          "reduction: γ(d+1)·(|b| + Σ|w·x|) per output, and the tolerance", 257),
          part<GradientCase>("fit-gradient", "a few epochs by an optimiser; the model's cost",
                             {"linear", "optimizer"}, "reduction: γ(d+1)·(|b| + Σ|w·x|) per output",
                             257)};
}

}  // namespace tandem::agree

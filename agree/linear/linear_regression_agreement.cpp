// Agreement of linear regression: whole fits by both solvers.
#include <algorithm>
#include <limits>

#include "agree/fits.hpp"
#include "agree/linear_bounds.hpp"
#include "tandem/linear/linear_regression.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class Fits : public Case {
 public:
  Fits(const Key& key, std::uint32_t stream) {
    Draw draw(key.seed, stream);
    data_ = make_dataset<T>(key, draw.between(1, 12), 0, draw);
    options_.no_intercept = draw.below(4) == 0;
    options_.keep_scale = draw.below(4) == 0;
    options_.l2 = draw.of({0.0, 0.0, 0.3});
    options_.seed = draw.bits() >> 1;
    if (options_.keep_scale) options_.gradient.optimizer.learning_rate = 1e-4;
    draw_ = draw;
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    LinearRegressionModel<T> model;
    if (follow != nullptr) {
      // The model that was found, used by the reference.
      model.weights = follow->get<double>("weights");
      model.intercept = follow->number("intercept");
    } else {
      model = fit(engine, data_, options_, {.validation = data_.view()});
      add_model(out, model);
    }
    out.add("predicted", model.predict(engine, data_.features.view()).values);
  }

 protected:
  // The residual of each row and how far an engine's may be from it, by the model in double.
  struct Row {
    double residual, error, prediction_error;
  };
  [[nodiscard]] std::vector<Row> rows(const std::vector<double>& weights, double intercept) const {
    std::vector<double> parameters = weights;
    parameters.push_back(intercept);
    std::vector<Row> all;
    for (Index i = 0; i < data_.rows(); ++i) {
      const auto x = data_.features.row(i);
      const double y = static_cast<double>(data_.target[static_cast<std::size_t>(i)]);
      const auto bound = linear_row_bound<T>({LinearLoss::squared, x, 1, parameters, y});
      double z = intercept;
      double magnitude = std::abs(intercept);
      for (std::size_t j = 0; j < x.size(); ++j) {
        const double term = weights[j] * static_cast<double>(x[j]);
        z += term;
        magnitude += std::abs(term);
      }
      if (magnitude_of(weights, intercept) > static_cast<double>(std::numeric_limits<T>::max())) {
        // They are when they are rounded to T.
        const double infinity = std::numeric_limits<double>::infinity();
        all.push_back({z - y, infinity, infinity});
        continue;
      }
      // Weights are rounded to T once more.
      all.push_back({z - y, bound.residual_error[0] + 2 * unit_roundoff<T> * magnitude,
                     bound.prediction_error[0] + 2 * unit_roundoff<T> * magnitude});
    }
    return all;
  }
  static double magnitude_of(const std::vector<double>& weights, double intercept) {
    double most = std::abs(intercept);
    for (const double w : weights) most = std::max(most, std::abs(w));
    return most;
  }
  void judge_predictions(Judge& judge) const {
    const auto all = rows(judge.got.get<double>("weights"), judge.got.number("intercept"));
    judge.within("predicted", Tolerance::reduction,
                 [&](std::size_t i) { return all[i].prediction_error; });
  }

  Draw draw_{0, 0};
  Dataset<T> data_;
  LinearRegressionOptions options_;
};

template <Real T>
class ClosedFormCase final : public Fits<T> {
 public:
  // Where auto chooses the Cholesky factorisation, the products' chains of at most 1024 fmas and
  // their tree, of the columns' lengths, are less than what is allowed to QR below.
  explicit ClosedFormCase(const Key& key) : Fits<T>(key, 61) {
    this->options_.solver = this->draw_.below(4) == 0 ? LinearSolver::qr : LinearSolver::automatic;
  }

  // At a minimiser the residual is orthogonal to every column (and the penalty's row of it). QR by
  // p reflections is backward stable by columns: the inner product is off by 4p·γ(4(n + p)) (as in
  // the factor's own case) of the column's length times the lengths Σ ‖x_j‖|w_j| + ‖b‖ + ‖y‖ that
  // the residual is made of. A column that others span up to `tolerance` of its length is left out,
  // and may keep that share of the residual's length.
  void judge(Judge& judge) const override {
    const auto& data = this->data_;
    const auto& options = this->options_;
    const Index n = data.rows();
    const Index d = data.cols();
    const auto& w = judge.got.template get<double>("weights");
    const double b = judge.got.number("intercept");
    this->judge_predictions(judge);
    std::vector<double> mean(static_cast<std::size_t>(d)), length(static_cast<std::size_t>(d)),
        deviation(static_cast<std::size_t>(d)), scale(static_cast<std::size_t>(d));
    double total = 0, y_length = 0;
    for (Index i = 0; i < n; ++i) {
      const double y = static_cast<double>(data.target[static_cast<std::size_t>(i)]);
      total += weight_of(data, i);
      y_length += weight_of(data, i) * y * y;
    }
    for (Index j = 0; j < d; ++j) {
      const auto at = static_cast<std::size_t>(j);
      for (Index i = 0; i < n; ++i) {
        const double x = static_cast<double>(data.features(i, j));
        mean[at] += weight_of(data, i) * x / total;
        length[at] += weight_of(data, i) * x * x;
      }
      for (Index i = 0; i < n; ++i) {
        const double x = static_cast<double>(data.features(i, j));
        const double from = options.no_intercept ? x : x - mean[at];
        deviation[at] += weight_of(data, i) * from * from / total;
      }
      deviation[at] = std::sqrt(deviation[at]);
      scale[at] = options.keep_scale || !(deviation[at] > 0) ? 1 : deviation[at];
      // The penalty is one more row.
      length[at] = std::sqrt(length[at] + total * options.l2 * scale[at] * scale[at]);
    }
    double reach = std::sqrt(y_length) + std::sqrt(total) * std::abs(b);
    for (std::size_t j = 0; j < w.size(); ++j) reach += length[j] * std::abs(w[j]);
    if (judge.got.template get<std::int64_t>("rank")[0] < d) {
      // The smallest of several minimisers: a second factorisation, of the rows, mixes columns, so
      // that it is stable for the whole matrix of scaled columns only.
      double longest = 0, sum = 0;
      for (std::size_t j = 0; j < w.size(); ++j) {
        longest = std::max(longest, length[j] / scale[j]);
        sum += scale[j] * std::abs(w[j]);
      }
      reach += longest * sum;
    }
    std::vector<long double> product(static_cast<std::size_t>(d) + 1);
    long double squares = 0;
    for (Index i = 0; i < n; ++i) {
      long double r = static_cast<long double>(b) -
                      static_cast<long double>(data.target[static_cast<std::size_t>(i)]);
      for (Index j = 0; j < d; ++j) {
        r += static_cast<long double>(w[static_cast<std::size_t>(j)]) *
             static_cast<long double>(data.features(i, j));
      }
      r *= weight_of(data, i);
      squares += r * r;
      for (Index j = 0; j < d; ++j) {
        product[static_cast<std::size_t>(j)] += r * static_cast<long double>(data.features(i, j));
      }
      product.back() += r;
    }
    const Index p = d + 2;
    const double relative = 4 * static_cast<double>(p) * gamma_bound<double>(4 * (n + d + p));
    const double tolerance = std::max(1e-12, 4 * unit_roundoff<T>);
    const double lost = 0x1p-480 * std::sqrt(static_cast<double>(n + p));
    for (Index j = 0; j < d; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const double penalty = total * options.l2 * scale[at] * scale[at] * w[at];
      const double residual = static_cast<double>(std::sqrt(squares));
      judge.compare("normal equation", j, Tolerance::reduction,
                    static_cast<double>(product[at]) + penalty, 0,
                    relative * (length[at] * reach + std::abs(penalty)) +
                        2 * static_cast<double>(d) * tolerance * length[at] * residual +
                        lost * (reach + length[at] + 1));
    }
    if (!options.no_intercept) {
      judge.compare("normal equation", d, Tolerance::reduction, static_cast<double>(product.back()),
                    0, relative * std::sqrt(total) * reach + lost * (reach + 1));
    }
  }
};

template <Real T>
class GradientCase final : public Fits<T> {
 public:
  explicit GradientCase(const Key& key) : Fits<T>(key, 62) {
    auto& options = this->options_;
    options.solver = LinearSolver::gradient;
    options.l1 = this->draw_.template of<double>({0, 0, 0.05});
    options.gradient.optimizer = draw_optimizer(this->draw_);
    if (options.keep_scale) options.gradient.optimizer.learning_rate = 1e-4;
    options.gradient.epochs = this->draw_.between(1, 5);
    options.gradient.batch_size = this->draw_.template of<std::int64_t>({0, 32, 100});
  }

  // The rows watch themselves, so that the best validation cost is the cost of the model. It is
  // computed of standardised values, whose rounding counts like one of the outputs.
  void judge(Judge& judge) const override {
    this->judge_predictions(judge);
    const auto& data = this->data_;
    const auto& w = judge.got.template get<double>("weights");
    const auto rows = this->rows(w, judge.got.number("intercept"));
    const auto& costs = judge.got.template get<double>("training/history/validation_cost");
    const Index d = data.cols();
    std::vector<double> largest(static_cast<std::size_t>(d));
    double largest_y = 0;
    for (Index i = 0; i < data.rows(); ++i) {
      for (Index j = 0; j < d; ++j) {
        auto& most = largest[static_cast<std::size_t>(j)];
        most = std::max(most, std::abs(static_cast<double>(data.features(i, j))));
      }
      largest_y = std::max(largest_y,
                           std::abs(static_cast<double>(data.target[static_cast<std::size_t>(i)])));
    }
    // Moved by the mean, rounded, and moved back: 6 roundings of twice the largest magnitudes.
    double moved = largest_y + std::abs(judge.got.number("intercept"));
    for (std::size_t j = 0; j < w.size(); ++j) moved += 2 * std::abs(w[j]) * largest[j];
    double cost = 0, bound = 0, total = 0;
    for (Index i = 0; i < data.rows(); ++i) {
      const auto& row = rows[static_cast<std::size_t>(i)];
      const double e = row.error + 2 * gamma_bound<T>(d + 8) * moved;
      cost += weight_of(data, i) * 0.5 * row.residual * row.residual;
      bound += weight_of(data, i) * (std::abs(row.residual) + e) * e;
      total += weight_of(data, i);
    }
    const double order =
        long_sum_bound(data.rows()) + gamma_bound<double>(data.rows() + 4) + 8 * unit_roundoff<T>;
    const double best = *std::min_element(costs.begin(), costs.end());
    // Where the first step already leads out of the range, the model is the one before it.
    if (!std::isfinite(best)) return;
    judge.compare("cost of the model", 0, Tolerance::reduction, best, cost / total,
                  (bound + order * cost) / total);
  }
};

}  // namespace

Agreement make_linear_regression_agreement() {
  return {over_many_blocks(part<ClosedFormCase>(
              "fit", "closed form by QR or Cholesky; the normal equations of its solution",
              {"least_squares", "normal_equations", "linear"},
              "reduction: 4p·γ(4(n+p))·‖x_j‖·(Σ‖x‖|w| + ‖b‖ + ‖y‖)")),
          part<GradientCase>("fit-gradient", "a few epochs by an optimiser; the model's cost",
                             {"linear", "optimizer"},
                             "reduction: the outputs' γ(d+8), carried into the cost", 257)};
}

}  // namespace tandem::agree

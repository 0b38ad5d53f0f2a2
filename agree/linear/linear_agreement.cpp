// Agreement of the steps that linear and logistic regression share.
#include <algorithm>
#include <limits>

#include "agree/case.hpp"
#include "agree/linear_bounds.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

template <Real T>
struct Problem {
  Draw draw;
  Matrix<T> x;
  std::vector<T> target, weights;
  LinearLoss loss;
  Index outputs = 1;
  bool intercept;
  std::vector<double> parameters;  // whole numbers of T, so that both sides use the same

  Problem(const Key& key, std::uint32_t stream) : draw(key.seed, stream) {
    x = make_features<T>(key.kind, key.rows, draw.between(1, 20), draw);
    loss = draw.of({LinearLoss::squared, LinearLoss::logistic, LinearLoss::softmax});
    if (loss == LinearLoss::softmax) outputs = draw.between(2, 11);
    if (loss == LinearLoss::squared) {
      target = make_target<T>(key.kind, x, draw);
    } else {
      for (const auto label :
           make_labels(x, loss == LinearLoss::logistic ? Index{2} : outputs, draw)) {
        target.push_back(static_cast<T>(label));
      }
    }
    if (draw.flip()) weights = make_weights<T>(x.rows(), draw);
    intercept = draw.flip();
    // Some of the size that makes outputs of order one, some of order one.
    double scale = 0;
    for (const T value : x.values()) scale = std::max(scale, std::abs(static_cast<double>(value)));
    scale = draw.flip() && scale > 0 ? 1 / scale : 1;
    for (Index p = 0; p < outputs * (x.cols() + 1); ++p) {
      const bool weight = p < outputs * x.cols();
      const T value = static_cast<T>(draw.uniform(-1, 1) * (weight ? scale : 1));
      parameters.push_back(!weight && !intercept ? 0.0 : static_cast<double>(value));
    }
  }
  [[nodiscard]] RowMajorRows<T> upload(Engine& engine) const {
    return {x.rows(), x.cols(), to_engine(engine, x.values()), to_engine(engine, target),
            to_engine(engine, weights)};
  }
  [[nodiscard]] PackedRows<T> pack(Engine& engine, LinearSteps<T>& steps) const {
    PackedRows<T> packed(engine, x.rows(), x.cols(), !weights.empty());
    steps.pack(upload(engine), x.rows(), 0, packed);
    return packed;
  }
  [[nodiscard]] double weight(Index i) const {
    return weights.empty() ? 1.0 : static_cast<double>(weights[static_cast<std::size_t>(i)]);
  }
  [[nodiscard]] LinearRow<T> row(Index i) const {
    return {loss, x.row(i), outputs, parameters,
            static_cast<double>(target[static_cast<std::size_t>(i)])};
  }
};

template <Real T>
void add_packed(Outputs& out, const std::string& name, const PackedRows<T>& packed, bool weighted) {
  // The elements between the columns of a block are undefined and not compared.
  const auto x = packed.x.to_host();
  std::vector<T> defined;
  const Index blocks = PackedRows<T>::blocks(packed.rows);
  for (Index column = 0; column < blocks * packed.features; ++column) {
    const auto begin = x.begin() + column * packed_stride;
    defined.insert(defined.end(), begin, begin + sum_block);
  }
  out.add(name + ".x", defined);
  auto target = packed.target.to_host();
  target.resize(static_cast<std::size_t>(blocks * sum_block));
  out.add(name + ".target", target);
  if (weighted) {
    auto weights = packed.weights.to_host();
    weights.resize(static_cast<std::size_t>(blocks * sum_block));
    out.add(name + ".weights", weights);
  }
}

// --- layout --------------------------------------------------------------------------------------

template <Real T>
class PackCase final : public Case {
 public:
  explicit PackCase(const Key& key) : problem_(key, 51) {
    count_ = problem_.draw.between(1, problem_.x.rows());
    first_ = problem_.draw.below(problem_.x.rows() - count_ + 1);
    seed_ = problem_.draw.bits();
  }
  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<LinearSteps, T>(engine);
    add_packed(out, "packed", problem_.pack(engine, *steps), !problem_.weights.empty());
    PackedRows<T> batch(engine, count_, problem_.x.cols(), !problem_.weights.empty());
    const RandomPermutation order(problem_.x.rows(), Random(seed_, Purpose::shuffle));
    steps->gather(problem_.upload(engine), order, first_, count_, batch);
    add_packed(out, "batch", batch, !problem_.weights.empty());
  }
  void judge(Judge& judge) const override {
    for (const auto& entry : judge.reference.entries()) judge.exact(entry.name);
  }

 private:
  Problem<T> problem_;
  Index count_ = 0, first_ = 0;
  std::uint64_t seed_ = 0;
};

// --- moments and standardisation -----------------------------------------------------------------

template <Real T>
class MomentsCase final : public Case {
 public:
  explicit MomentsCase(const Key& key) : problem_(key, 52) {
    for (Index j = 0; j <= problem_.x.cols(); ++j) {
      centre_.push_back(problem_.draw.uniform(-1, 1));
      factor_.push_back(problem_.draw.uniform(0.1, 3));
    }
  }
  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<LinearSteps, T>(engine);
    PackedRows<T> rows = problem_.pack(engine, *steps);
    Buffer<double> moments(engine, 2 * problem_.x.cols() + 3);
    steps->moments(rows, moments);
    out.add("moments", moments);
    steps->standardise(to_engine(engine, centre_), to_engine(engine, factor_), rows);
    add_packed(out, "standardised", rows, false);
  }

  // Means and squared deviations are sums in double in two orders; an error of the mean enters the
  // deviation undiminished. Standardising is two operations in double and one rounding to T.
  void judge(Judge& judge) const override {
    const auto d = static_cast<std::size_t>(problem_.x.cols());
    const Index n = problem_.x.rows();
    const double order = long_sum_bound(n) + gamma_bound<double>(n + 4);
    const auto& expected = judge.reference.get<double>("moments");
    std::vector<double> mean_error(d + 1);
    double weight = 0;
    for (Index i = 0; i < n; ++i) weight += problem_.weight(i);
    for (std::size_t j = 0; j <= d; ++j) {
      double sum = 0;
      for (Index i = 0; i < n; ++i) sum += problem_.weight(i) * std::abs(value(i, j));
      mean_error[j] = order * sum / weight + 4 * std::numeric_limits<double>::denorm_min();
    }
    judge.within("moments", Tolerance::reduction, [&](std::size_t k) {
      if (k == 2 * d + 2) return order * weight;
      if (k <= d) return mean_error[k];
      // The root of denormal squares: below 10^-154 deviations are lost.
      return 2 * order * expected[k] + mean_error[k - d - 1] +
             std::sqrt(static_cast<double>(n) * std::numeric_limits<double>::denorm_min());
    });
    const auto elementwise = [](const std::vector<T>& of) {
      return [&of](std::size_t i) {
        return 2.01 * unit_roundoff<T> * std::abs(static_cast<double>(of[i])) +
               2 * static_cast<double>(std::numeric_limits<T>::denorm_min());
      };
    };
    judge.within("standardised.x", Tolerance::elementwise,
                 elementwise(judge.reference.get<T>("standardised.x")));
    judge.within("standardised.target", Tolerance::elementwise,
                 elementwise(judge.reference.get<T>("standardised.target")));
  }

 private:
  [[nodiscard]] double value(Index i, std::size_t j) const {
    return static_cast<Index>(j) < problem_.x.cols()
               ? static_cast<double>(problem_.x(i, static_cast<Index>(j)))
               : static_cast<double>(problem_.target[static_cast<std::size_t>(i)]);
  }
  Problem<T> problem_;
  std::vector<double> centre_, factor_;
};

// --- passes --------------------------------------------------------------------------------------

template <Real T>
class PassCase final : public Case {
 public:
  explicit PassCase(const Key& key) : problem_(key, 53) {
    factor_ = problem_.draw.uniform(0.1, 2);
    l2_ = problem_.draw.uniform(0, 1);
    penalised_ = problem_.outputs * problem_.x.cols();
    with_gradient_ = problem_.draw.below(5) != 0;
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<LinearSteps, T>(engine);
    const auto rows = problem_.pack(engine, *steps);
    const auto parameters = to_engine(engine, problem_.parameters);
    Buffer<double> gradient(engine, with_gradient_ ? parameters.size() : 0);
    auto cost = to_engine(engine, std::vector<double>{0.25});
    steps->pass(problem_.loss, rows, problem_.outputs, problem_.intercept, parameters, factor_,
                gradient, cost);
    out.add("cost", cost);
    if (with_gradient_) {
      out.add("gradient", gradient);
      steps->add_penalty(l2_, penalised_, 0.5, parameters, gradient, cost);
      out.add("penalised", gradient);
      out.add("penalised cost", cost);
    }
    Buffer<T> results(
        engine, problem_.x.rows() * (problem_.loss == LinearLoss::logistic ? 2 : problem_.outputs));
    const auto unpacked = problem_.upload(engine);
    steps->predict(problem_.loss, unpacked, problem_.outputs, parameters, results.data());
    out.add("predicted", results);
  }

  void judge(Judge& judge) const override {
    const Index n = problem_.x.rows();
    const Index d = problem_.x.cols();
    const Index k = problem_.outputs;
    const double order = long_sum_bound(n) + gamma_bound<double>(n + 4);
    double cost_bound = 0;
    std::vector<double> bound(problem_.parameters.size());
    std::vector<double> predicted;
    for (Index i = 0; i < n; ++i) {
      const LinearRowBound row = linear_row_bound(problem_.row(i));
      cost_bound += problem_.weight(i) * (row.loss_error + order * row.loss);
      for (Index o = 0; o < k; ++o) {
        const auto at = static_cast<std::size_t>(o);
        const double term = row.residual_error[at] + order * row.residual[at];
        for (Index j = 0; j < d; ++j) {
          bound[static_cast<std::size_t>(o * d + j)] +=
              problem_.weight(i) * term * std::abs(static_cast<double>(problem_.x(i, j)));
        }
        if (problem_.intercept) {
          bound[static_cast<std::size_t>(k * d + o)] += problem_.weight(i) * term;
        }
        predicted.push_back(row.prediction_error[at]);
        if (problem_.loss == LinearLoss::logistic) predicted.push_back(row.prediction_error[at]);
      }
    }
    const double u = unit_roundoff<double>;
    judge.within("cost", Tolerance::reduction,
                 cost_bound * (1 + 8 * u) + 4 * u * (0.25 + judge.reference.number("cost")));
    if (with_gradient_) {
      const auto& gradient = judge.reference.get<double>("gradient");
      judge.within("gradient", Tolerance::reduction, [&](std::size_t p) {
        return factor_ * bound[p] * (1 + 8 * u) + 4 * u * std::abs(gradient[p]);
      });
      double squares = 0;
      judge.within("penalised", Tolerance::reduction, [&](std::size_t p) {
        const double w = problem_.parameters[p];
        if (static_cast<Index>(p) < penalised_) squares += w * w;
        return factor_ * bound[p] * (1 + 8 * u) +
               8 * u * (std::abs(gradient[p]) + l2_ * std::abs(w));
      });
      judge.within("penalised cost", Tolerance::reduction,
                   cost_bound * (1 + 8 * u) +
                       (8 * u + order) * judge.reference.number("penalised cost") +
                       gamma_bound<double>(static_cast<Index>(problem_.parameters.size()) + 40) *
                           l2_ * squares);
    }
    judge.within("predicted", Tolerance::reduction, [&](std::size_t i) { return predicted[i]; });
  }

 private:
  Problem<T> problem_;
  double factor_ = 1, l2_ = 0;
  Index penalised_ = 0;
  bool with_gradient_ = true;
};

}  // namespace

Agreement make_linear_agreement() {
  return {
      part<PackCase>("pack", "rows brought into blocks, and batches drawn", {"linear"}, "exact"),
      over_many_blocks(part<MomentsCase>("moments", "means, deviations, standardisation",
                                         {"linear"},
                                         "reduction: sums of n terms in double in two orders")),
      over_many_blocks(
          part<PassCase>("pass", "cost, gradient, penalty, predictions", {"linear"},
                         "reduction: γ(d+1)·(|b| + Σ|w·x|) per output, 16 roundings per row"))};
}

}  // namespace tandem::agree

// Agreement of metrics of predictions that are in the engine's memory.
#include <cmath>
#include <limits>

#include "agree/case.hpp"
#include "tandem/metrics/on_engine.hpp"

namespace tandem::agree {
namespace {

std::vector<double> draw_weights(Index rows, Draw& draw) {
  std::vector<double> weights;
  if (!draw.flip()) return weights;
  for (const double w : make_weights<double>(rows, draw)) weights.push_back(w);
  return weights;
}
double weight_at(const std::vector<double>& weights, std::size_t i) {
  return weights.empty() ? 1.0 : weights[i];
}

// The relative error of a sum of terms >= 0 of four roundings each, by an engine and by the
// reference together.
double two_orders(Index rows) {
  return long_sum_bound(rows) + gamma_bound<double>(rows + 4) + 8 * unit_roundoff<double>;
}

template <Real T>
class ValuesCase final : public Case {
 public:
  explicit ValuesCase(const Key& key) {
    Draw draw(key.seed, 111);
    const Index rows = key.kind == DataKind::one_row ? 1 : key.rows;
    truth_ = make_values<T>(key.kind, rows, draw);
    predicted_ = make_values<T>(draw.flip() ? key.kind : DataKind::random, rows, draw);
    weights_ = draw_weights(rows, draw);
  }
  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto scores =
        regression_scores_on(engine, to_engine(engine, truth_), to_engine(engine, predicted_),
                             to_engine(engine, weights_));
    out.add("scores", std::vector<double>{scores.mse, scores.rmse, scores.mae, scores.r2});
  }
  // A term has up to four roundings; sums in two orders. The truth's mean is off by e, which adds
  // 3·e² times the weight to the sum of squared deviations, and r2 is one minus a quotient.
  void judge(Judge& judge) const override {
    judge_scores(judge);
    long double squares = 0, magnitudes = 0, total = 0;
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      const long double off =
          static_cast<long double>(truth_[i]) - static_cast<long double>(predicted_[i]);
      const long double w = weight_at(weights_, i);
      squares += w * off * off;
      magnitudes += w * std::abs(off);
      total += w;
    }
    const double relative =
        2 * long_sum_bound(static_cast<Index>(truth_.size())) + 8 * unit_roundoff<double>;
    const auto& scores = judge.got.get<double>("scores");
    const auto mse = static_cast<double>(squares / total);
    const auto mae = static_cast<double>(magnitudes / total);
    const double least =
        static_cast<double>(truth_.size()) * std::numeric_limits<double>::denorm_min();
    judge.compare("mse", 0, Tolerance::reduction, scores[0], mse, relative * mse + least);
    judge.compare("mae", 0, Tolerance::reduction, scores[2], mae, relative * mae + least);
  }

 private:
  void judge_scores(Judge& judge) const {
    const auto n = static_cast<Index>(truth_.size());
    const double order = two_orders(n);
    long double sum = 0, magnitude = 0, total = 0, deviations = 0;
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      const long double w = weight_at(weights_, i);
      sum += w * static_cast<long double>(truth_[i]);
      magnitude += w * std::abs(static_cast<long double>(truth_[i]));
      total += w;
    }
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      const long double d = static_cast<long double>(truth_[i]) - sum / total;
      deviations += static_cast<long double>(weight_at(weights_, i)) * d * d;
    }
    const double mean_error =
        order * static_cast<double>(magnitude / total) + std::numeric_limits<double>::denorm_min();
    const double deviation_error = order * static_cast<double>(deviations) +
                                   3 * static_cast<double>(total) * mean_error * mean_error;
    const double least = static_cast<double>(deviations) - deviation_error;
    const auto& scores = judge.reference.get<double>("scores");
    const double lost = static_cast<double>(n) * std::numeric_limits<double>::denorm_min();
    judge.within("scores", Tolerance::reduction, [&](std::size_t k) {
      const double relative = 2 * order * std::abs(scores[k]);
      if (k == 0 || k == 2) return relative + lost;   // mse, mae
      if (k == 1) return relative + std::sqrt(lost);  // rmse
      const double quotient = std::abs(1 - scores[3]);
      if (deviations == 0) return 0.0;  // r2 is 0 or 1 by the data
      if (!(least > 0)) return static_cast<double>(INFINITY);
      return quotient * (2 * order + 2 * deviation_error / least) + 4 * unit_roundoff<double> +
             lost / least;
    });
  }

  std::vector<T> truth_, predicted_;
  std::vector<double> weights_;
};

template <Real T>
class ClassesCase final : public Case {
 public:
  explicit ClassesCase(const Key& key) {
    Draw draw(key.seed, 112);
    const Index rows = key.kind == DataKind::one_row ? 1 : key.rows;
    classes_ = draw.of<Index>({2, 3, 17});
    for (Index i = 0; i < rows; ++i) {
      truth_.push_back(static_cast<std::int32_t>(draw.below(classes_)));
      predicted_.push_back(static_cast<std::int32_t>(draw.below(classes_)));
      for (Index c = 0; c < classes_; ++c) {
        const double p = draw.uniform();
        probabilities_.push_back(key.kind == DataKind::ties           ? static_cast<T>(p < 0.5)
                                 : key.kind == DataKind::tiny         ? static_cast<T>(p * 1e-30)
                                 : key.kind == DataKind::signed_zeros ? T{0}
                                                                      : static_cast<T>(p));
      }
    }
    weights_ = draw_weights(rows, draw);
  }
  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto truth = to_engine(engine, truth_);
    const auto predicted = to_engine(engine, predicted_);
    const auto probabilities = to_engine(engine, probabilities_);
    const auto weights = to_engine(engine, weights_);
    out.add("confusion", confusion_matrix_on(engine, truth, predicted, classes_).counts.values());
    out.add("scores",
            std::vector<double>{accuracy_on(engine, truth, predicted, weights),
                                log_loss_on<T>(engine, truth, probabilities, classes_, weights),
                                brier_on<T>(engine, truth, probabilities, classes_, weights)});
  }
  void judge(Judge& judge) const override {
    judge.exact("confusion");
    // Weights are halves, so that the sums of the accuracy are exact. The terms of the others are
    // not negative; a logarithm is off by 2u of itself, a Brier term by a chain over the classes.
    const double relative =
        2 * two_orders(static_cast<Index>(truth_.size())) + 2 * gamma_bound<double>(classes_ + 8);
    const auto& expected = judge.reference.get<double>("scores");
    judge.within("scores", Tolerance::reduction,
                 [&](std::size_t k) { return k == 0 ? 0.0 : relative * expected[k]; });
    double right = 0, total = 0;
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      if (truth_[i] == predicted_[i]) right += weight_at(weights_, i);
      total += weight_at(weights_, i);
    }
    judge.compare("accuracy", 0, Tolerance::elementwise, judge.got.get<double>("scores")[0],
                  right / total, 2 * unit_roundoff<double> * right / total);
  }

 private:
  Index classes_ = 2;
  std::vector<std::int32_t> truth_, predicted_;
  std::vector<T> probabilities_;
  std::vector<double> weights_;
};

}  // namespace

Agreement make_metric_agreement() {
  return {over_many_blocks(part<ValuesCase>("values", "errors of predicted values", {"metric"},
                                            "reduction: two long sums and 8 roundings")),
          over_many_blocks(
              part<ClassesCase>("classes", "confusion, accuracy, log loss, Brier score", {"metric"},
                                "reduction: two orders of sums; accuracy and confusion exact"))};
}

}  // namespace tandem::agree

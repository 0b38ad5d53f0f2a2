// The sums behind metrics by their formulas, on one thread and in ascending order of the rows.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/metrics/metric_steps.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceMetric final : public MetricSteps<T> {
 public:
  std::array<double, 4> regression(const RegressionTerms<T>& terms, Index rows) override {
    std::array<double, 4> sums{};
    for (Index i = 0; i < rows; ++i) {
      const double w = weight(terms.weights, i);
      const auto y = static_cast<double>(terms.truth[i]);
      const double error = y - static_cast<double>(terms.predicted[i]);
      sums[0] += w;
      sums[1] += w * y;
      sums[2] += w * error * error;
      sums[3] += w * std::abs(error);
    }
    return sums;
  }

  std::array<double, 2> deviations(const DeviationTerms<T>& terms, Index rows) override {
    std::array<double, 2> sums{};
    for (Index i = 0; i < rows; ++i) {
      const double w = weight(terms.weights, i);
      const auto y = static_cast<double>(terms.truth[i]);
      sums[0] += w * (y - terms.mean) * (y - terms.mean);
      if (w > 0 && y != terms.first) sums[1] += 1;
    }
    return sums;
  }

  std::array<double, 2> accuracy(const AccuracyTerms& terms, Index rows) override {
    std::array<double, 2> sums{};
    for (Index i = 0; i < rows; ++i) {
      const double w = weight(terms.weights, i);
      // A class that was not known in training, −1, is never right.
      if (terms.truth[i] >= 0 && terms.truth[i] == terms.predicted[i]) sums[0] += w;
      sums[1] += w;
    }
    return sums;
  }

  std::array<double, 2> log_loss(const LogLossTerms<T>& terms, Index rows) override {
    constexpr double epsilon = std::numeric_limits<T>::epsilon();
    std::array<double, 2> sums{};
    for (Index i = 0; i < rows; ++i) {
      const double w = weight(terms.weights, i);
      const std::int32_t label = terms.truth[i];
      double p = 0;
      if (label >= 0) p = static_cast<double>(terms.probabilities[i * terms.stride + label]);
      p = std::min(std::max(p, epsilon), 1 - epsilon);
      sums[0] -= w * std::log(p);
      sums[1] += w;
    }
    return sums;
  }

  std::array<double, 2> brier(const BrierTerms<T>& terms, Index rows) override {
    std::array<double, 2> sums{};
    for (Index i = 0; i < rows; ++i) {
      const double w = weight(terms.weights, i);
      // The model gives no probability to a class that it did not see in training.
      double score = terms.truth[i] < 0 ? 1 : 0;
      for (Index c = 0; c < terms.classes; ++c) {
        const auto p = static_cast<double>(terms.probabilities[i * terms.stride + c]);
        const double aim = c == terms.truth[i] ? 1 : 0;
        score += (p - aim) * (p - aim);
      }
      if (terms.classes == 2) score /= 2;
      sums[0] += w * score;
      sums[1] += w;
    }
    return sums;
  }

  void confusion(const std::int32_t* truth, const std::int32_t* predicted, Index rows,
                 Index classes, Buffer<std::int64_t>& counts) override {
    for (Index i = 0; i < rows; ++i) {
      const Index row = truth[i] < 0 ? classes : truth[i];
      counts.data()[row * classes + predicted[i]] += 1;
    }
  }

  Index first_outside(const T* values, Index count, T low, T high) override {
    return outside(values, count, low, high);
  }
  Index first_outside(const std::int32_t* values, Index count, std::int32_t low,
                      std::int32_t high) override {
    return outside(values, count, low, high);
  }
  Index first_weighted(const double* weights, Index rows) override {
    for (Index i = 0; i < rows; ++i) {
      if (weights[i] != 0) return i;
    }
    return -1;
  }

 private:
  static double weight(const RowWeights& weights, Index i) {
    return weights.values == nullptr ? 1.0 : weights.values[i];
  }
  template <class V>
  static Index outside(const V* values, Index count, V low, V high) {
    for (Index i = 0; i < count; ++i) {
      const bool inside = values[i] >= low && values[i] <= high;  // false for NaN
      if (!inside) return i;
    }
    return -1;
  }
};

}  // namespace

template <Real T>
std::unique_ptr<MetricSteps<T>> MetricSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceMetric<T>>();
}

template std::unique_ptr<MetricSteps<float>> MetricSteps<float>::make_reference(Engine&);
template std::unique_ptr<MetricSteps<double>> MetricSteps<double>::make_reference(Engine&);

}  // namespace tandem

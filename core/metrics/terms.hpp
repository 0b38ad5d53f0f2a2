// The terms that a row adds to the sums of a metric, written once for the host and for GPUs, which
// add the terms in the same shape (long_sum). Each writes all of its terms.
#pragma once

#include <cstdint>
#include <limits>

#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/metrics/regression.hpp"

namespace tandem {

// Weights, where there are none, are 1.
struct RowWeights {
  const double* values = nullptr;
  [[nodiscard]] TANDEM_HOST_DEVICE double operator()(Index i) const {
    return values == nullptr ? 1.0 : values[i];
  }
};

// Σ w, Σ w·y, Σ w·e², Σ w·|e| with e = y − prediction, in double.
template <Real T>
struct RegressionTerms {
  static constexpr int count = 4;
  const T* truth;
  const T* predicted;
  RowWeights weights;
  TANDEM_HOST_DEVICE void operator()(Index i, double* terms) const {
    const double w = weights(i);
    const double y = static_cast<double>(truth[i]);
    const double e = y - static_cast<double>(predicted[i]);
    terms[0] = w;
    terms[1] = w * y;
    terms[2] = w * (e * e);
    terms[3] = w * std::fabs(e);
  }
};

// Σ w·(y − mean)², and the number of rows of positive weight whose y is not `first`: 0 where the
// truth is constant, which the sum does not tell because the mean is rounded.
template <Real T>
struct DeviationTerms {
  static constexpr int count = 2;
  const T* truth;
  RowWeights weights;
  double mean;
  double first;
  TANDEM_HOST_DEVICE void operator()(Index i, double* terms) const {
    const double y = static_cast<double>(truth[i]);
    const double d = y - mean;
    terms[0] = weights(i) * (d * d);
    terms[1] = weights(i) != 0 && y != first ? 1.0 : 0.0;
  }
};

// Σ w of the rows that are right, Σ w.
struct AccuracyTerms {
  static constexpr int count = 2;
  const std::int32_t* truth;
  const std::int32_t* predicted;
  RowWeights weights;
  TANDEM_HOST_DEVICE void operator()(Index i, double* terms) const {
    const double w = weights(i);
    terms[0] = truth[i] == predicted[i] && truth[i] >= 0 ? w : 0.0;
    terms[1] = w;
  }
};

// Σ w·−log p(true class), p clipped to [ε, 1 − ε]; Σ w.
template <Real T>
struct LogLossTerms {
  static constexpr int count = 2;
  const std::int32_t* truth;
  const T* probabilities;
  Index stride;
  RowWeights weights;
  TANDEM_HOST_DEVICE void operator()(Index i, double* terms) const {
    constexpr double least = std::numeric_limits<T>::epsilon();
    const std::int32_t label = truth[i];
    double p = label < 0 ? 0.0 : static_cast<double>(probabilities[i * stride + label]);
    p = p < least ? least : p > 1 - least ? 1 - least : p;
    const double w = weights(i);
    terms[0] = w * -math::log(p);
    terms[1] = w;
  }
};

// Σ w·Σ over classes of (p − [is the true class])², halved for two classes; Σ w.
template <Real T>
struct BrierTerms {
  static constexpr int count = 2;
  const std::int32_t* truth;
  const T* probabilities;
  Index stride;
  Index classes;
  RowWeights weights;
  TANDEM_HOST_DEVICE void operator()(Index i, double* terms) const {
    const std::int32_t label = truth[i];
    double sum = label < 0 ? 1.0 : 0.0;
    for (Index c = 0; c < classes; ++c) {
      const double d =
          static_cast<double>(probabilities[i * stride + c]) - (c == label ? 1.0 : 0.0);
      sum += d * d;
    }
    const double w = weights(i);
    terms[0] = w * (classes == 2 ? sum / 2 : sum);
    terms[1] = w;
  }
};

// The scores that follow from these sums; `constant` says that the truth is, and `first_weight` is
// the weight of the first row that has one: where that is all the weight, there is one row.
[[nodiscard]] RegressionScores scores_of_sums(double weight, double squares, double magnitudes,
                                              double deviations, bool constant,
                                              double first_weight);

}  // namespace tandem

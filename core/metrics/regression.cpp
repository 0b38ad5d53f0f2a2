#include "tandem/metrics/regression.hpp"

#include <cmath>
#include <limits>

#include "core/metrics/row_sums.hpp"
#include "core/metrics/terms.hpp"
#include "core/metrics/weights.hpp"

namespace tandem {
namespace {

template <Real T>
RegressionScores scores(std::span<const T> truth, std::span<const T> predicted,
                        std::span<const double> weights, int threads) {
  constexpr std::string_view metric = "regression metrics";
  require_rows(truth.size(), metric);
  require_same_size(truth.size(), predicted.size(), metric, "predictions");
  require_weights(weights, truth.size(), metric);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (std::isfinite(truth[i]) && std::isfinite(predicted[i])) continue;
    throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) + ": the " +
                     (std::isfinite(truth[i]) ? "prediction" : "target") +
                     " is not a finite number");
  }
  const auto rows = static_cast<Index>(truth.size());
  const RowWeights w{weights.empty() ? nullptr : weights.data()};
  const auto [weight, weighted, squares, magnitudes] =
      row_sums<4>(threads, rows, RegressionTerms<T>{truth.data(), predicted.data(), w});
  Index first = 0;
  while (w(first) == 0) ++first;
  const auto [deviations, others] =
      row_sums<2>(threads, rows,
                  DeviationTerms<T>{truth.data(), w, weighted / weight,
                                    static_cast<double>(truth[static_cast<std::size_t>(first)])});
  return scores_of_sums(weight, squares, magnitudes, deviations, others == 0, w(first));
}

}  // namespace

RegressionScores scores_of_sums(double weight, double squares, double magnitudes, double deviations,
                                bool constant, double first_weight) {
  RegressionScores result;
  result.mse = squares / weight;
  result.rmse = std::sqrt(result.mse);
  result.mae = magnitudes / weight;
  if (constant && weight == first_weight) {
    result.r2 = std::numeric_limits<double>::quiet_NaN();
  } else if (constant) {
    result.r2 = squares == 0 ? 1.0 : 0.0;
  } else {
    result.r2 = 1.0 - squares / deviations;
  }
  return result;
}

RegressionScores regression_scores(std::span<const float> truth, std::span<const float> predicted,
                                   std::span<const double> weights, int threads) {
  return scores(truth, predicted, weights, threads);
}
RegressionScores regression_scores(std::span<const double> truth, std::span<const double> predicted,
                                   std::span<const double> weights, int threads) {
  return scores(truth, predicted, weights, threads);
}

}  // namespace tandem

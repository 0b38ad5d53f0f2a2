#include "tandem/metrics/regression.hpp"

#include <cmath>

#include "core/metrics/row_sums.hpp"
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
  const auto y = [&](Index i) { return static_cast<double>(truth[static_cast<std::size_t>(i)]); };
  const auto error = [&](Index i) {
    return y(i) - static_cast<double>(predicted[static_cast<std::size_t>(i)]);
  };
  const auto [weight, weighted, squares, magnitudes] =
      row_sums<4>(threads, rows, [&](Index i, double* terms) {
        const double w = weight_of(weights, i);
        const double e = error(i);
        terms[0] = w;
        terms[1] = w * y(i);
        terms[2] = w * (e * e);
        terms[3] = w * std::abs(e);
      });
  const double mean = weighted / weight;
  const auto [deviations] = row_sums<1>(threads, rows, [&](Index i, double* terms) {
    const double d = y(i) - mean;
    terms[0] = weight_of(weights, i) * (d * d);
  });
  // By the values and not by the sum, which roundings of the mean keep from being 0.
  bool constant = true;
  bool found = false;
  double first = 0;
  for (Index i = 0; i < rows && constant; ++i) {
    if (weight_of(weights, i) == 0) continue;
    if (!found) first = y(i);
    found = true;
    constant = y(i) == first;
  }
  RegressionScores result;
  result.mse = squares / weight;
  result.rmse = std::sqrt(result.mse);
  result.mae = magnitudes / weight;
  if (constant) {
    result.r2 = squares == 0 ? 1.0 : 0.0;
  } else {
    result.r2 = 1.0 - squares / deviations;
  }
  return result;
}

}  // namespace

RegressionScores regression_scores(std::span<const float> truth, std::span<const float> predicted,
                                   std::span<const double> weights, int threads) {
  return scores(truth, predicted, weights, threads);
}
RegressionScores regression_scores(std::span<const double> truth, std::span<const double> predicted,
                                   std::span<const double> weights, int threads) {
  return scores(truth, predicted, weights, threads);
}

}  // namespace tandem

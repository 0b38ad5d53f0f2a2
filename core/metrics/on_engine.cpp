#include "tandem/metrics/on_engine.hpp"
#include "core/engine_backend.hpp"

#include <cmath>
#include <limits>

#include "core/metrics/metric_steps.hpp"
#include "core/metrics/weights.hpp"
#include "core/steps.hpp"

namespace tandem {
namespace {

template <class V>
V element(const Buffer<V>& buffer, Engine& engine, Index at) {
  V value{};
  backend(engine).copy_to_host(&value, buffer.data() + at, sizeof value);
  return value;
}

std::string row_text(std::string_view metric, Index row) {
  return std::string(metric) + ": row " + std::to_string(row + 1) + ": ";
}

// The checks that the metrics on the host make of their arguments.
template <Real T>
class Checks {
 public:
  Checks(Engine& engine, MetricSteps<T>& steps, std::string_view metric)
      : engine_(engine), steps_(steps), metric_(metric) {}

  void sizes(Index rows, Index other, std::string_view what) const {
    require_rows(static_cast<std::size_t>(rows), metric_);
    require_same_size(static_cast<std::size_t>(rows), static_cast<std::size_t>(other), metric_,
                      what);
  }
  void finite(const Buffer<T>& values, std::string_view what) const {
    constexpr T largest = std::numeric_limits<T>::max();
    const Index bad = steps_.first_outside(values.data(), values.size(), -largest, largest);
    if (bad >= 0) {
      throw InputError(row_text(metric_, bad) + "the " + std::string(what) +
                       " is not a finite number");
    }
  }
  void labels(const Buffer<std::int32_t>& labels, Index classes, std::int32_t lowest,
              std::string_view what) const {
    const Index bad = steps_.first_outside(labels.data(), labels.size(), lowest,
                                           static_cast<std::int32_t>(classes - 1));
    if (bad >= 0) {
      throw InputError(row_text(metric_, bad) + "the " + std::string(what) + " is " +
                       std::to_string(element(labels, engine_, bad)) + ", expected " +
                       std::to_string(lowest) + " to " + std::to_string(classes - 1));
    }
  }
  void probabilities(const Buffer<T>& values, Index classes) const {
    const T highest = T{1} + 8 * std::numeric_limits<T>::epsilon();
    const Index bad = steps_.first_outside(values.data(), values.size(), T{0}, highest);
    if (bad >= 0) {
      throw InputError(std::string(metric_) + ": row " + std::to_string(bad / classes + 1) +
                       ", class " + std::to_string(bad % classes) + ": the probability is " +
                       std::to_string(element(values, engine_, bad)) + ", expected 0 to 1");
    }
  }
  // Returns the first row that counts.
  Index weights(const Buffer<double>& weights, Index rows) const {
    if (weights.empty()) return 0;
    sizes(rows, weights.size(), "weights");
    const auto doubles = make_steps<MetricSteps, double>(engine_);
    const Index bad =
        doubles->first_outside(weights.data(), rows, 0.0, std::numeric_limits<double>::max());
    if (bad >= 0) {
      throw InputError(row_text(metric_, bad) + "the weight is " +
                       std::to_string(element(weights, engine_, bad)) +
                       ", expected a finite number >= 0");
    }
    const Index first = doubles->first_weighted(weights.data(), rows);
    if (first < 0)
      throw InputError(std::string(metric_) +
                       ": all weights are 0; give some row a positive weight");
    return first;
  }

 private:
  Engine& engine_;
  MetricSteps<T>& steps_;
  std::string_view metric_;
};

template <Real T, class Sum>
double mean_per_row(Engine& engine, std::string_view metric, const Buffer<std::int32_t>& truth,
                    const Buffer<T>& probabilities, Index classes, const Buffer<double>& weights,
                    Sum&& sum) {
  const auto steps = make_steps<MetricSteps, T>(engine);
  const Checks<T> check(engine, *steps, metric);
  if (classes < 1) throw InputError(std::string(metric) + ": there are no classes");
  check.sizes(truth.size(), probabilities.size() / classes, "rows of probabilities");
  check.weights(weights, truth.size());
  check.labels(truth, classes, -1, "true class");
  check.probabilities(probabilities, classes);
  const auto [loss, total] = sum(*steps);
  return loss / total;
}

}  // namespace

template <Real T>
RegressionScores regression_scores_on(Engine& engine, const Buffer<T>& truth,
                                      const Buffer<T>& predicted, const Buffer<double>& weights) {
  const auto steps = make_steps<MetricSteps, T>(engine);
  const Checks<T> check(engine, *steps, "regression metrics");
  check.sizes(truth.size(), predicted.size(), "predictions");
  const Index counted = check.weights(weights, truth.size());
  check.finite(truth, "target");
  check.finite(predicted, "prediction");
  const RowWeights w{weights.data()};
  const auto [weight, weighted, squares, magnitudes] =
      steps->regression({truth.data(), predicted.data(), w}, truth.size());
  const auto first = static_cast<double>(element(truth, engine, counted));
  const auto [deviations, others] =
      steps->deviations({truth.data(), w, weighted / weight, first}, truth.size());
  return scores_of_sums(weight, squares, magnitudes, deviations, others == 0,
                        weights.empty() ? 1.0 : element(weights, engine, counted));
}

Confusion confusion_matrix_on(Engine& engine, const Buffer<std::int32_t>& truth,
                              const Buffer<std::int32_t>& predicted, Index classes) {
  const auto steps = make_steps<MetricSteps, float>(engine);
  const Checks<float> check(engine, *steps, "confusion matrix");
  check.sizes(truth.size(), predicted.size(), "predictions");
  check.labels(truth, classes, -1, "true class");
  check.labels(predicted, classes, 0, "predicted class");
  Buffer<std::int64_t> counts(engine, (classes + 1) * classes);
  counts.fill_zero();
  steps->confusion(truth.data(), predicted.data(), truth.size(), classes, counts);
  const std::vector<std::int64_t> host = counts.to_host();
  Confusion confusion{Matrix<double>(classes, classes),
                      std::vector<double>(static_cast<std::size_t>(classes))};
  for (Index t = 0; t <= classes; ++t) {
    for (Index p = 0; p < classes; ++p) {
      const auto count = static_cast<double>(host[static_cast<std::size_t>(t * classes + p)]);
      (t < classes ? confusion.counts(t, p) : confusion.unknown[static_cast<std::size_t>(p)]) =
          count;
    }
  }
  return confusion;
}

double accuracy_on(Engine& engine, const Buffer<std::int32_t>& truth,
                   const Buffer<std::int32_t>& predicted, const Buffer<double>& weights) {
  const auto steps = make_steps<MetricSteps, float>(engine);
  const Checks<float> check(engine, *steps, "accuracy");
  check.sizes(truth.size(), predicted.size(), "predictions");
  check.weights(weights, truth.size());
  const auto [right, total] =
      steps->accuracy({truth.data(), predicted.data(), {weights.data()}}, truth.size());
  return right / total;
}

template <Real T>
double log_loss_on(Engine& engine, const Buffer<std::int32_t>& truth,
                   const Buffer<T>& probabilities, Index classes, const Buffer<double>& weights) {
  return mean_per_row(
      engine, "log loss", truth, probabilities, classes, weights, [&](MetricSteps<T>& steps) {
        return steps.log_loss({truth.data(), probabilities.data(), classes, {weights.data()}},
                              truth.size());
      });
}

template <Real T>
double brier_on(Engine& engine, const Buffer<std::int32_t>& truth, const Buffer<T>& probabilities,
                Index classes, const Buffer<double>& weights) {
  return mean_per_row(
      engine, "Brier score", truth, probabilities, classes, weights, [&](MetricSteps<T>& steps) {
        return steps.brier({truth.data(), probabilities.data(), classes, classes, {weights.data()}},
                           truth.size());
      });
}

#define TANDEM_INSTANTIATE(T)                                                                 \
  template RegressionScores regression_scores_on(Engine&, const Buffer<T>&, const Buffer<T>&, \
                                                 const Buffer<double>&);                      \
  template double log_loss_on(Engine&, const Buffer<std::int32_t>&, const Buffer<T>&, Index,  \
                              const Buffer<double>&);                                         \
  template double brier_on(Engine&, const Buffer<std::int32_t>&, const Buffer<T>&, Index,     \
                           const Buffer<double>&);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem

// The sums behind metrics of predictions that are in an engine's memory.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "core/metrics/terms.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem {

// The least bytes that a pass over `rows` rows reads, for terms that look at `columns` values of
// `element` bytes per row.
[[nodiscard]] constexpr double metric_bytes(Index rows, Index columns, std::size_t element,
                                            bool weighted) {
  return static_cast<double>(rows) * (static_cast<double>(columns) * static_cast<double>(element) +
                                      (weighted ? sizeof(double) : 0));
}

// All wait for their results. Sums have the shape of long_sum. Pointers are into the engine's
// memory.
template <Real T>
class MetricSteps {
 public:
  virtual ~MetricSteps() = default;
  static constexpr std::string_view name = "metric";
  [[nodiscard]] static std::unique_ptr<MetricSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<MetricSteps> make_cpu(Engine& engine);

  virtual std::array<double, 4> regression(const RegressionTerms<T>& terms, Index rows) = 0;
  virtual std::array<double, 2> deviations(const DeviationTerms<T>& terms, Index rows) = 0;
  virtual std::array<double, 2> accuracy(const AccuracyTerms& terms, Index rows) = 0;
  virtual std::array<double, 2> log_loss(const LogLossTerms<T>& terms, Index rows) = 0;
  virtual std::array<double, 2> brier(const BrierTerms<T>& terms, Index rows) = 0;

  // counts(t, p) += 1 for each row of true class t and predicted class p; the last of classes + 1
  // rows of `counts` is for a true class of −1. counts starts at 0.
  virtual void confusion(const std::int32_t* truth, const std::int32_t* predicted, Index rows,
                         Index classes, Buffer<std::int64_t>& counts) = 0;

  // The lowest index of a value outside [low, high] or NaN, −1 where there is none.
  virtual Index first_outside(const T* values, Index count, T low, T high) = 0;
  virtual Index first_outside(const std::int32_t* values, Index count, std::int32_t low,
                              std::int32_t high) = 0;
  // The lowest row whose weight is not 0, −1 where there is none.
  virtual Index first_weighted(const double* weights, Index rows) = 0;
};

}  // namespace tandem

#include "core/metrics/metric_steps.hpp"
#include "core/metrics/row_sums.hpp"

namespace tandem {
namespace {

template <Real T>
class CpuMetric final : public MetricSteps<T> {
 public:
  explicit CpuMetric(Engine& engine) : engine_(engine) {}

  std::array<double, 4> regression(const RegressionTerms<T>& terms, Index rows) override {
    return row_sums<4>(engine_.threads(), rows, terms);
  }
  std::array<double, 2> deviations(const DeviationTerms<T>& terms, Index rows) override {
    return row_sums<2>(engine_.threads(), rows, terms);
  }
  std::array<double, 2> accuracy(const AccuracyTerms& terms, Index rows) override {
    return row_sums<2>(engine_.threads(), rows, terms);
  }
  std::array<double, 2> log_loss(const LogLossTerms<T>& terms, Index rows) override {
    return row_sums<2>(engine_.threads(), rows, terms);
  }
  std::array<double, 2> brier(const BrierTerms<T>& terms, Index rows) override {
    return row_sums<2>(engine_.threads(), rows, terms);
  }

  void confusion(const std::int32_t* truth, const std::int32_t* predicted, Index rows,
                 Index classes, Buffer<std::int64_t>& counts) override {
    for (Index i = 0; i < rows; ++i) {
      const Index row = truth[i] < 0 ? classes : truth[i];
      ++counts.data()[row * classes + predicted[i]];
    }
  }

  Index first_outside(const T* values, Index count, T low, T high) override {
    return first(count, [&](Index i) { return !(values[i] >= low && values[i] <= high); });
  }
  Index first_outside(const std::int32_t* values, Index count, std::int32_t low,
                      std::int32_t high) override {
    return first(count, [&](Index i) { return values[i] < low || values[i] > high; });
  }
  Index first_weighted(const double* weights, Index rows) override {
    return first(rows, [&](Index i) { return weights[i] != 0; });
  }

 private:
  template <class Is>
  static Index first(Index count, Is&& is) {
    for (Index i = 0; i < count; ++i) {
      if (is(i)) return i;
    }
    return -1;
  }

  Engine& engine_;
};

}  // namespace

template <Real T>
std::unique_ptr<MetricSteps<T>> MetricSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<CpuMetric<T>>(engine);
}
template std::unique_ptr<MetricSteps<float>> MetricSteps<float>::make_cpu(Engine&);
template std::unique_ptr<MetricSteps<double>> MetricSteps<double>::make_cpu(Engine&);

}  // namespace tandem

#include "systems/serving/model_metrics.hpp"

#include <bit>
#include <vector>

namespace tandem::serving {
namespace {

const std::vector<double>& batch_bounds() {
  static const std::vector<double> bounds{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384};
  return bounds;
}

}  // namespace

ModelMetrics::ModelMetrics(http::Metrics& metrics, const std::string& model,
                           const std::string& version)
    : rows(metrics.counter("tandem_predicted_rows_total", "Rows that were answered",
                           {{"model", model}, {"version", version}})),
      failed(metrics.counter("tandem_prediction_failures_total", "Requests that failed",
                             {{"model", model}, {"version", version}})),
      shed(metrics.counter("tandem_shed_requests_total",
                           "Requests that were refused because too many waited",
                           {{"model", model}, {"version", version}})),
      duration(metrics.histogram("tandem_prediction_duration_seconds",
                                 "Time from the first byte of a request until it is answered",
                                 http::latency_bounds(), {{"model", model}, {"version", version}})),
      queue_time(metrics.histogram(
          "tandem_queue_duration_seconds", "Time that a request waits for its batch",
          http::latency_bounds(), {{"model", model}, {"version", version}})),
      batch_rows(metrics.histogram("tandem_batch_rows", "Rows that are predicted together",
                                   batch_bounds(), {{"model", model}, {"version", version}})),
      waiting_rows(metrics.gauge("tandem_waiting_rows", "Rows that wait for their batch",
                                 {{"model", model}, {"version", version}})) {}

void ModelMetrics::add_batch(Index size, std::chrono::nanoseconds took) {
  // Beyond this, sizes count as the next power of two, so that the list stays short.
  constexpr Index most_apart = 1024;
  if (size > most_apart) {
    size = static_cast<Index>(std::bit_ceil(static_cast<std::uint64_t>(size)));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  BatchSize& one = batches_[size];
  ++one.count;
  one.nanoseconds += static_cast<std::uint64_t>(took.count());
}

std::map<Index, ModelMetrics::BatchSize> ModelMetrics::batches() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return batches_;
}

}  // namespace tandem::serving

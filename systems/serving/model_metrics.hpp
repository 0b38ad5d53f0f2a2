// What is counted of one version of a model, for Prometheus and for the protocol's statistics.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "systems/http/metrics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::serving {

// A number of times and the nanoseconds that they took together.
struct DurationCount {
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::uint64_t> nanoseconds{0};

  void add(std::chrono::nanoseconds duration, std::uint64_t times = 1) noexcept {
    count.fetch_add(times, std::memory_order_relaxed);
    nanoseconds.fetch_add(static_cast<std::uint64_t>(duration.count()), std::memory_order_relaxed);
  }
};

struct ModelMetrics {
  ModelMetrics(http::Metrics& metrics, const std::string& model, const std::string& version);

  // Prometheus.
  http::Counter& rows;          // answered
  http::Counter& failed;        // requests
  http::Counter& shed;          // requests that were refused because too many waited
  http::Histogram& duration;    // of a request, from its first byte to its answer
  http::Histogram& queue_time;  // of a request
  http::Histogram& batch_rows;
  http::Gauge& waiting_rows;

  // The protocol's statistics, in nanoseconds.
  std::atomic<std::uint64_t> last_inference_ms{0};  // since 1970
  std::atomic<std::uint64_t> executions{0};         // batches
  DurationCount success;
  DurationCount fail;
  DurationCount queue;
  DurationCount parse;    // "compute_input"
  DurationCount predict;  // "compute_infer"
  DurationCount write;    // "compute_output"

  struct BatchSize {
    std::uint64_t count = 0;
    std::uint64_t nanoseconds = 0;
  };
  void add_batch(Index size, std::chrono::nanoseconds duration);
  [[nodiscard]] std::map<Index, BatchSize> batches() const;

 private:
  mutable std::mutex mutex_;
  std::map<Index, BatchSize> batches_;  // by the number of rows
};

}  // namespace tandem::serving

// Counters, gauges and histograms, and how Prometheus reads them (text format 0.0.4).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tandem::http {

// Name and value, in the order in which they are written.
using Labels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(std::uint64_t count = 1) noexcept { value_.fetch_add(count, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
  void add(double difference) noexcept { value_.fetch_add(difference, std::memory_order_relaxed); }
  [[nodiscard]] double value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Histogram {
 public:
  // `bounds`: upper ends of the buckets, ascending; one without an end follows.
  explicit Histogram(std::vector<double> bounds);
  void observe(double value) noexcept;
  [[nodiscard]] std::uint64_t count() const noexcept;
  [[nodiscard]] double sum() const noexcept { return sum_.load(std::memory_order_relaxed); }
  // An estimate: linear within the bucket that holds it; 0 where nothing was observed.
  [[nodiscard]] double quantile(double share) const;
  [[nodiscard]] const std::vector<double>& bounds() const noexcept { return bounds_; }
  [[nodiscard]] std::vector<std::uint64_t> counts() const;  // per bucket, not cumulative

 private:
  std::vector<double> bounds_;
  std::deque<std::atomic<std::uint64_t>> counts_;
  std::atomic<double> sum_{0};
};

// 100 µs to 10 s, about three per decade.
[[nodiscard]] const std::vector<double>& latency_bounds();

// All metrics of a program. What it hands out lives as long as it does; several threads may use all
// of it at once. The same name and labels give the same object; a name has one kind and one help.
class Metrics {
 public:
  [[nodiscard]] Counter& counter(const std::string& name, const std::string& help,
                                 const Labels& labels = {});
  [[nodiscard]] Gauge& gauge(const std::string& name, const std::string& help,
                             const Labels& labels = {});
  [[nodiscard]] Histogram& histogram(const std::string& name, const std::string& help,
                                     const std::vector<double>& bounds, const Labels& labels = {});
  // Called before every reading, to set gauges to what is true then.
  void before_reading(std::function<void()> update);

  [[nodiscard]] std::string text();
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Family {
    std::string help;
    std::string_view kind;
    // By the labels as they are written: a="b",c="d".
    std::map<std::string, std::unique_ptr<Counter>> counters;
    std::map<std::string, std::unique_ptr<Gauge>> gauges;
    std::map<std::string, std::unique_ptr<Histogram>> histograms;
  };
  Family& family(const std::string& name, const std::string& help, std::string_view kind);

  std::mutex mutex_;
  std::map<std::string, Family> families_;
  std::vector<std::function<void()>> updates_;
};

}  // namespace tandem::http

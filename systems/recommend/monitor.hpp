// Whether one service is enough: a moving average of how long answers take, and what to do where
// it is too long.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string>

namespace tandem::recommend {

struct Advice {
  bool scale_up = false;
  double average_ms = 0;
  std::int64_t replicas = 1;  // of them there should be so many, each with this one's load
  double cache_times = 1;     // the cache should be so many times as large
  std::string reason;         // a sentence
};

// average ← average + 0.1 · (sample − average); the first sample sets it. Several threads may use
// one at once.
class Monitor {
 public:
  static constexpr double weight = 0.1;
  static constexpr double limit_ms = 100;

  void add(double milliseconds);
  [[nodiscard]] double average_ms() const;
  [[nodiscard]] std::uint64_t samples() const;
  // A question that was answered by an error.
  void add_error();
  [[nodiscard]] std::uint64_t errors() const;
  // Of the latest 4,096 answers at most, the least time within which the share was answered; 0
  // where there is none.
  [[nodiscard]] double quantile_ms(double share) const;
  // Where the average is above 100 ms: replicas so that each has the share of the load with which
  // it would be at the limit, ⌈average / limit⌉, were times to grow with the load alone; twice the
  // cache where it is full and misses.
  [[nodiscard]] Advice advice(double hit_rate, bool cache_full) const;

 private:
  mutable std::mutex mutex_;
  double average_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t errors_ = 0;
  std::array<float, 4096> latest_{};
};

}  // namespace tandem::recommend

#include "systems/recommend/monitor.hpp"

#include <algorithm>
#include <cmath>

#include "tandem/core/text.hpp"

namespace tandem::recommend {

void Monitor::add(double milliseconds) {
  const std::scoped_lock lock(mutex_);
  average_ = samples_ == 0 ? milliseconds : average_ + weight * (milliseconds - average_);
  ++samples_;
}

double Monitor::average_ms() const {
  const std::scoped_lock lock(mutex_);
  return average_;
}

std::uint64_t Monitor::samples() const {
  const std::scoped_lock lock(mutex_);
  return samples_;
}

Advice Monitor::advice(double hit_rate, bool cache_full) const {
  Advice advice;
  advice.average_ms = average_ms();
  if (!(advice.average_ms > limit_ms)) {
    advice.reason = "answers take " + significant(advice.average_ms, 3) +
                    " ms on average, at most " + significant(limit_ms, 3) + " are allowed";
    return advice;
  }
  advice.scale_up = true;
  const double times = std::min(1000.0, std::ceil(advice.average_ms / limit_ms));
  advice.replicas = std::max<std::int64_t>(2, static_cast<std::int64_t>(times));
  if (cache_full && hit_rate < 0.9) advice.cache_times = 2;
  advice.reason = "answers take " + significant(advice.average_ms, 3) +
                  " ms on average, more than " + significant(limit_ms, 3) + ": " +
                  std::to_string(advice.replicas) + " replicas instead of each one" +
                  (advice.cache_times > 1 ? ", and a cache of twice the size" : "");
  return advice;
}

}  // namespace tandem::recommend

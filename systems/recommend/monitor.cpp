#include "systems/recommend/monitor.hpp"

#include <algorithm>
#include <cmath>

#include "tandem/core/text.hpp"

namespace tandem::recommend {

void Monitor::add(double milliseconds) {
  const std::scoped_lock lock(mutex_);
  average_ = samples_ == 0 ? milliseconds : average_ + weight * (milliseconds - average_);
  latest_[samples_++ % latest_.size()] = static_cast<float>(milliseconds);
}

void Monitor::add_error() {
  const std::scoped_lock lock(mutex_);
  ++errors_;
}

std::uint64_t Monitor::errors() const {
  const std::scoped_lock lock(mutex_);
  return errors_;
}

double Monitor::quantile_ms(double share) const {
  std::array<float, 4096> latest;
  std::size_t count = 0;
  {
    const std::scoped_lock lock(mutex_);
    latest = latest_;
    count = static_cast<std::size_t>(std::min<std::uint64_t>(samples_, latest.size()));
  }
  if (count == 0) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(count)));
  const std::size_t at = std::clamp<std::size_t>(rank, 1, count) - 1;
  std::nth_element(latest.begin(), latest.begin() + static_cast<std::ptrdiff_t>(at),
                   latest.begin() + static_cast<std::ptrdiff_t>(count));
  return static_cast<double>(latest[at]);
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

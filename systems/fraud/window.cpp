#include "systems/fraud/window.hpp"

#include <algorithm>

namespace tandem::fraud {
namespace {

constexpr Time floor_to(Time time, Time unit) { return time - time % unit; }

}  // namespace

// The last moment that belongs to the same bucket as `time`.
Time Window::end_of_bucket(Time time) const {
  if (time < 0) return time;
  if (time < newest_ - day_ms) return floor_to(time, hour_ms) + hour_ms - 1;
  if (time < newest_ - hour_ms) return floor_to(time, minute_ms) + minute_ms - 1;
  if (by_second_ != 0) return floor_to(time, second_ms) + second_ms - 1;
  return time;
}

// A bucket holds one minute or hour as a whole: those that end before the limit.
Time Window::bucket_of(Time time) const {
  if (floor_to(time, hour_ms) + hour_ms <= newest_ - day_ms) return floor_to(time, hour_ms);
  if (floor_to(time, minute_ms) + minute_ms <= newest_ - hour_ms) return floor_to(time, minute_ms);
  if (by_second_ != 0) return floor_to(time, second_ms);
  return time;
}

Totals Window::up_to(Time time) const {
  if (time < base_ || buckets_.empty()) return {};
  const auto* const after =
      std::upper_bound(buckets_.begin(), buckets_.end(), time - base_,
                       [](Time at, const Bucket& bucket) { return at < Time{bucket.at}; });
  if (after == buckets_.begin()) return {};
  return {after[-1].count, after[-1].cents};
}

Totals Window::between(Time from, Time to) const {
  from = std::max(from, newest_ - month_ms);
  if (to <= from) return {};
  const Totals end = up_to(end_of_bucket(to));
  const Totals begin = up_to(end_of_bucket(from));
  return {static_cast<std::uint32_t>(end.count - begin.count), end.cents - begin.cents};
}

void Window::rebase(Time base) {
  const Time by = base_ - base;
  for (Bucket& bucket : buckets_) bucket.at = static_cast<std::uint32_t>(Time{bucket.at} + by);
  base_ = base;
}

// Makes buckets of what is old enough, and drops what is older than 30 days.
void Window::gather() {
  const Time oldest = floor_to(std::max<Time>(newest_ - month_ms, 0), hour_ms);
  std::uint32_t kept = 0;
  Bucket dropped{};
  for (const Bucket& bucket : buckets_) {
    const Time at = base_ + bucket.at;
    if (at < oldest) {
      dropped = bucket;
      continue;
    }
    const auto start = static_cast<std::uint32_t>(std::max<Time>(bucket_of(at) - base_, 0));
    if (kept > 0 && buckets_[kept - 1].at == start) --kept;  // whose totals this one's include
    buckets_[kept] = {start, bucket.count - dropped.count, bucket.cents - dropped.cents};
    ++kept;
  }
  buckets_.shrink(kept);
  gather_at_ = std::max<std::uint32_t>(32, kept + kept / 4);
}

bool Window::add(Time time, std::int64_t cents) {
  if (!buckets_.empty() && time <= newest_ - month_ms) return false;
  newest_ = buckets_.empty() ? time : std::max(newest_, time);
  Time at = by_second_ != 0 ? floor_to(time, second_ms) : time;
  if (buckets_.empty()) {
    base_ = floor_to(at, hour_ms);
  } else if (at < base_) {
    gather();
    rebase(floor_to(at, hour_ms));
  } else if (at - base_ > 0xF0000000) {
    gather();
    if (buckets_.empty()) {
      base_ = floor_to(at, hour_ms);
    } else {
      rebase(floor_to(base_ + buckets_[0].at, hour_ms));
    }
  }
  const auto offset = static_cast<std::uint32_t>(at - base_);
  std::size_t place = buckets_.size();
  while (place > 0 && buckets_[place - 1].at > offset) --place;
  const Bucket before = place > 0 ? buckets_[place - 1] : Bucket{};
  if (place > 0 && before.at == offset) {
    --place;  // counts in the bucket that is there
  } else {
    buckets_.insert(place, {offset, before.count, before.cents});
  }
  for (std::size_t i = place; i < buckets_.size(); ++i) {
    ++buckets_[i].count;
    buckets_[i].cents += cents;
  }
  if (buckets_.size() >= gather_at_) {
    gather();
    // Still so many: most are of one hour.
    if (by_second_ == 0 && buckets_.size() > busy) {
      by_second_ = 1;
      gather();
    }
  }
  return true;
}

bool Window::sound() const {
  if (base_ < 0 || by_second_ > 1 || (buckets_.empty() && newest_ != 0)) return false;
  for (std::size_t i = 1; i < buckets_.size(); ++i) {
    if (buckets_[i].at < buckets_[i - 1].at) return false;
  }
  return newest_ >= base_ && (buckets_.empty() || newest_ - base_ <= 0xFFFFFFFF);
}

}  // namespace tandem::fraud

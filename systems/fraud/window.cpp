#include "systems/fraud/window.hpp"

#include <algorithm>

namespace tandem::fraud {
namespace {

constexpr Time floor_to(Time time, Time unit) { return time - time % unit; }

// Sums wrap around where they overflow: the difference of two of them is right all the same.
constexpr std::int64_t plus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
constexpr std::int64_t minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

// The last moment that belongs to the same bucket as `time`.
Time Window::end_of_bucket(Time time) const {
  if (time < 0) return time;
  if (time < newest_ - day_ms) return floor_to(time, hour_ms) + hour_ms - 1;
  if (time < newest_ - hour_ms) return floor_to(time, minute_ms) + minute_ms - 1;
  return time;
}

// A bucket holds one minute or hour as a whole: those that end before the limit.
Time Window::bucket_of(Time time) const {
  if (floor_to(time, hour_ms) + hour_ms <= newest_ - day_ms) return floor_to(time, hour_ms);
  if (floor_to(time, minute_ms) + minute_ms <= newest_ - hour_ms) return floor_to(time, minute_ms);
  return time;
}

Time Window::first_recent() const { return std::max<Time>(newest_ - hour_ms, 0) / minute_ms; }

Totals Window::up_to(Time time) const {
  const auto of = [](const Pack<Bucket>& buckets, Time after) -> Totals {
    const Bucket* const next =
        std::upper_bound(buckets.begin(), buckets.end(), after,
                         [](Time at, const Bucket& bucket) { return at < Time{bucket.at}; });
    if (next == buckets.begin()) return {};
    return {next[-1].count, next[-1].cents};
  };
  if (time < 0) return {};
  Totals totals;
  if (time >= base_) totals = of(buckets_, time - base_);
  if (!recent_) return totals;
  const Time last = std::min(time, newest_) / minute_ms;
  for (Time minute = recent_->first; minute <= last; ++minute) {
    const Pack<Bucket>& moments = recent_->minute(minute);
    if (moments.empty()) continue;
    const Totals more = minute < last ? Totals{moments.back().count, moments.back().cents}
                                      : of(moments, time - minute * minute_ms);
    totals.count += more.count;
    totals.cents = plus(totals.cents, more.cents);
  }
  return totals;
}

Totals Window::between(Time from, Time to) const {
  from = std::max(from, newest_ - month_ms);
  if (to <= from) return {};
  const Totals end = up_to(end_of_bucket(to));
  const Totals begin = up_to(end_of_bucket(from));
  return {static_cast<std::uint32_t>(end.count - begin.count), minus(end.cents, begin.cents)};
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
    buckets_[kept] = {start, bucket.count - dropped.count, minus(bucket.cents, dropped.cents)};
    ++kept;
  }
  buckets_.shrink(kept);
  gather_at_ = std::max<std::uint32_t>(32, kept + kept / 4);
}

// Adds events to those of the moment `at`, and to the totals of all later ones.
void Window::put(Pack<Bucket>& buckets, std::uint32_t at, std::uint32_t count, std::int64_t cents) {
  std::size_t place = buckets.size();
  while (place > 0 && buckets[place - 1].at > at) --place;
  const Bucket before = place > 0 ? buckets[place - 1] : Bucket{};
  if (place > 0 && before.at == at) {
    --place;  // counts in the bucket that is there
  } else {
    buckets.insert(place, {at, before.count, before.cents});
  }
  for (std::size_t i = place; i < buckets.size(); ++i) {
    buckets[i].count += count;
    buckets[i].cents = plus(buckets[i].cents, cents);
  }
}

void Window::put_gathered(Time at, std::uint32_t count, std::int64_t cents) {
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
  put(buckets_, static_cast<std::uint32_t>(at - base_), count, cents);
  if (buckets_.size() >= gather_at_) gather();
}

// The moments of minutes that have not ended an hour ago move from the buckets to them.
void Window::begin_recent() {
  recent_ = std::make_unique<Recent>();
  recent_->first = first_recent();
  std::uint32_t left = buckets_.size();
  while (left > 0 && base_ + buckets_[left - 1].at >= recent_->first * minute_ms) --left;
  Bucket before = left > 0 ? buckets_[left - 1] : Bucket{};
  for (std::uint32_t i = left; i < buckets_.size(); ++i) {
    const Time at = base_ + buckets_[i].at;
    put(recent_->minute(at / minute_ms), static_cast<std::uint32_t>(at % minute_ms),
        buckets_[i].count - before.count, minus(buckets_[i].cents, before.cents));
    before = buckets_[i];
  }
  buckets_.shrink(left);
  gather_at_ = std::max<std::uint32_t>(32, left + left / 4);
}

void Window::end_minutes() {
  const Time first = first_recent();
  for (Time i = 0; i < Recent::slots && recent_->first < first; ++i, ++recent_->first) {
    Pack<Bucket>& moments = recent_->minute(recent_->first);
    if (moments.empty()) continue;
    put_gathered(recent_->first * minute_ms, moments.back().count, moments.back().cents);
    moments.clear();
  }
  recent_->first = first;
}

bool Window::add(Time time, std::int64_t cents) {
  if (time <= newest_ - month_ms) return false;
  newest_ = std::max(newest_, time);
  if (recent_) {
    end_minutes();
    if (time / minute_ms >= recent_->first) {
      put(recent_->minute(time / minute_ms), static_cast<std::uint32_t>(time % minute_ms), 1,
          cents);
    } else {
      put_gathered(floor_to(time, minute_ms), 1, cents);
    }
    return true;
  }
  put_gathered(time, 1, cents);
  // Still so many: most are of one hour.
  if (buckets_.size() > busy && gather_at_ > busy + busy / 4) begin_recent();
  return true;
}

std::size_t Window::heap_bytes() const noexcept {
  std::size_t bytes = buckets_.heap_bytes();
  if (!recent_) return bytes;
  bytes += sizeof(Recent) + 16;
  for (const Pack<Bucket>& moments : recent_->minutes) bytes += moments.heap_bytes();
  return bytes;
}

bool Window::sound() const {
  const auto ascending = [](const Pack<Bucket>& buckets) {
    return std::is_sorted(buckets.begin(), buckets.end(),
                          [](const Bucket& a, const Bucket& b) { return a.at < b.at; });
  };
  if (base_ < 0 || newest_ < 0 || !ascending(buckets_)) return false;
  if (!recent_) {
    if (buckets_.empty()) return newest_ == 0;
  } else {
    if (recent_->first != first_recent()) return false;
    for (const Pack<Bucket>& moments : recent_->minutes) {
      if (!ascending(moments) || (!moments.empty() && moments.back().at >= minute_ms)) return false;
    }
    for (Time minute = newest_ / minute_ms + 1; minute < recent_->first + Recent::slots; ++minute) {
      if (!recent_->minute(minute).empty()) return false;
    }
  }
  return buckets_.empty() || (newest_ >= base_ && newest_ - base_ <= 0xFFFFFFFF);
}

}  // namespace tandem::fraud

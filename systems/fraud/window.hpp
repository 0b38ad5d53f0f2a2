// Counts and sums of amounts over the last minute to the last 30 days of one user, card, ...
#pragma once

#include <array>
#include <cstdint>

#include "systems/fraud/event.hpp"
#include "systems/fraud/pack.hpp"

namespace tandem::fraud {

inline constexpr Time second_ms = 1000;
inline constexpr Time minute_ms = 60 * second_ms;
inline constexpr Time hour_ms = 60 * minute_ms;
inline constexpr Time day_ms = 24 * hour_ms;
inline constexpr Time month_ms = 30 * day_ms;

struct Totals {
  std::uint64_t count = 0;
  std::int64_t cents = 0;
};

// Event by event for an hour back from the newest one, by the minute for a day, by the hour for 30
// days. Where there are more than `busy` moments of events in an hour, a thousand more or less,
// once and for all by the second. Counts are modulo 2^32.
//
// What a sum over a window says does not depend on when events were gathered into their buckets,
// only on how old the ends of the window are: an end that is older than an hour (a day) is moved to
// the end of its minute (hour).
class Window {
 public:
  static constexpr std::uint32_t busy = 4096;

  // Of the events with from < time <= to.
  [[nodiscard]] Totals between(Time from, Time to) const;
  // False where it is more than 30 days older than the newest and was left out.
  bool add(Time time, std::int64_t cents);

  [[nodiscard]] Time newest() const noexcept { return newest_; }
  [[nodiscard]] std::size_t heap_bytes() const noexcept { return buckets_.heap_bytes(); }

  template <class Archive>
  void visit(Archive& archive) {
    archive(base_, newest_, buckets_, gather_at_, by_second_);
  }
  // Whether what was read is something that add() makes.
  [[nodiscard]] bool sound() const;

 private:
  // Totals of all events up to and with this bucket.
  struct Bucket {
    std::uint32_t at;  // milliseconds after base_, of its beginning
    std::uint32_t count;
    std::int64_t cents;
  };

  [[nodiscard]] Time end_of_bucket(Time time) const;
  [[nodiscard]] Totals up_to(Time time) const;
  void rebase(Time base);
  void gather();
  // The beginning of the bucket that an event is gathered into by now.
  [[nodiscard]] Time bucket_of(Time time) const;

  Time base_ = 0;
  Time newest_ = 0;
  Pack<Bucket> buckets_;
  std::uint32_t gather_at_ = 32;  // gathers when there are so many buckets
  std::uint8_t by_second_ = 0;
};

}  // namespace tandem::fraud

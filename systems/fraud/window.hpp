// Counts and sums of amounts over the last minute to the last 30 days of one user, card, ...
#pragma once

#include <array>
#include <cstdint>
#include <memory>

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
// days. Counts are modulo 2^32, sums modulo 2^64.
//
// What a sum over a window says does not depend on when events were gathered into their buckets,
// only on how old the ends of the window are: an end that is older than an hour (a day) is moved to
// the end of its minute (hour).
class Window {
 public:
  // Beyond so many moments of events in its last hour, these are kept minute by minute, so that no
  // event moves more than a minute's.
  static constexpr std::uint32_t busy = 4096;

  // Of the events with from < time <= to.
  [[nodiscard]] Totals between(Time from, Time to) const;
  // False where it is more than 30 days older than the newest and was left out.
  bool add(Time time, std::int64_t cents);

  [[nodiscard]] Time newest() const noexcept { return newest_; }
  [[nodiscard]] std::size_t heap_bytes() const noexcept;

  template <class Archive>
  void visit(Archive& archive) {
    archive(base_, newest_, buckets_, gather_at_);
    // Of format 1 it says that the last hour was kept by the second.
    bool is_busy = recent_ != nullptr;
    archive(is_busy);
    if (!is_busy) return;
    if constexpr (Archive::reads) {
      if (archive.format() == 1) {
        if (sound()) begin_recent();
        return;
      }
      recent_ = std::make_unique<Recent>();
    }
    archive(recent_->first, recent_->minutes);
  }
  // Whether what was read is something that add() makes.
  [[nodiscard]] bool sound() const;

 private:
  // Totals of all events up to and with this bucket.
  struct Bucket {
    std::uint32_t at;  // milliseconds after base_ (of a minute: after its beginning)
    std::uint32_t count;
    std::int64_t cents;
  };
  // The minutes, `first` and those after it, that have not ended an hour before the newest event:
  // 61 at most. Totals are of the minute alone; the minute of number m stands at m % slots.
  struct Recent {
    static constexpr Time slots = 64;
    Time first = 0;
    std::array<Pack<Bucket>, slots> minutes;

    [[nodiscard]] Pack<Bucket>& minute(Time number) {
      return minutes[static_cast<std::size_t>(number % slots)];
    }
    [[nodiscard]] const Pack<Bucket>& minute(Time number) const {
      return minutes[static_cast<std::size_t>(number % slots)];
    }
  };

  [[nodiscard]] Time end_of_bucket(Time time) const;
  [[nodiscard]] Totals up_to(Time time) const;
  static void put(Pack<Bucket>& buckets, std::uint32_t at, std::uint32_t count, std::int64_t cents);
  void put_gathered(Time at, std::uint32_t count, std::int64_t cents);
  void rebase(Time base);
  void gather();
  void begin_recent();
  // Minutes that have ended an hour before the newest event become buckets.
  void end_minutes();
  // The beginning of the bucket that an event is gathered into by now.
  [[nodiscard]] Time bucket_of(Time time) const;
  // The first minute that has not ended an hour before the newest event.
  [[nodiscard]] Time first_recent() const;

  Time base_ = 0;
  Time newest_ = 0;
  Pack<Bucket> buckets_;
  std::unique_ptr<Recent> recent_;
  std::uint32_t gather_at_ = 32;  // gathers when there are so many buckets
};

}  // namespace tandem::fraud

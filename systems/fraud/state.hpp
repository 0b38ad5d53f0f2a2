// What is remembered of users, cards, merchants, addresses and devices, to compute features from.
//
// State is a function of the events and labels that were applied, in their order, and of its
// options: no clock, no random number, no thread's timing goes into it. Snapshots of equal states
// are equal, byte for byte.
//
// Events that come late or out of order. An event counts at its own time, whenever it comes. What
// is computed for it counts the events of its windows (time - w, time] that were applied before
// it, and leaves out those of later time; of what has been gathered already (minutes beyond an
// hour, hours beyond a day, counted back from the newest event of that user, card, ...), a bucket
// counts where its beginning lies in the window. Distinct counts, places and first or last
// sightings are as known when it comes. An event more than 30 days older than the newest of its
// user (card, ...) is not added to the windows there. How far ahead of the clock an event may be
// is the service's to decide and to write down: State takes any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "systems/fraud/event.hpp"

namespace tandem::fraud {

struct StateOptions {
  // Who was not seen for so long is forgotten: is new when seen again, and takes no memory.
  std::int64_t forget_days = 90;
  // A card, address or device of more users than this in 30 days joins nobody.
  std::int64_t most_joined_users = 50;
  // Nor does a merchant of more than this (or of more than most_joined_users): being customers of
  // one shop connects people only where hardly anybody else is. docs/fraud.md has the measurement.
  std::int64_t most_joined_by_merchant = 5;
  // Distinct counts are exact up to this, then estimated by HyperLogLog (standard error 3.3 %).
  std::int64_t exact_distinct = 1000;
  [[nodiscard]] bool operator==(const StateOptions&) const = default;
};

// Bytes, counted as they are allocated.
struct StateMemory {
  std::size_t total = 0;
  std::size_t users = 0;  // in entities of users, and likewise below
  std::size_t cards = 0;
  std::size_t merchants = 0;
  std::size_t ips = 0;
  std::size_t devices = 0;
  std::size_t network = 0;  // connected components
};

struct StateCounts {
  std::int64_t users = 0;
  std::int64_t cards = 0;
  std::int64_t merchants = 0;
  std::int64_t ips = 0;
  std::int64_t devices = 0;
  std::int64_t events = 0;  // applied, ever
  std::int64_t labels = 0;
  std::int64_t late = 0;  // events older than the newest of their user
};

// Used by one thread at a time; const members by several while nobody applies.
class State {
 public:
  explicit State(const StateOptions& options = {});
  State(State&&) noexcept;
  State& operator=(State&&) noexcept;
  ~State();

  // Adds an event. compute() is to be called before. Some 5 µs. The caller sees to it that one
  // transaction is applied once.
  void apply(const Event& event);
  // Adds what came to be known of an earlier transaction. The caller passes on one label of fraud
  // per transaction.
  void apply(const Label& label);
  // What was said to be fraud was none: the label, as it was applied, counts no more.
  void take_back(const Label& label);

  // What a partition is told of the users of others: what merchants, addresses and devices, and the
  // components that they make, gain by an event there. Of the user and the card nothing is kept but
  // who it is.
  void apply_elsewhere(const Event& event);

  // Removes the user's own state: windows, links to devices and addresses, cards that no other user
  // has used, and the user from the distinct users of others where these are still exact. Sums and
  // counts of merchants, shared devices and addresses keep what they counted, without saying whose.
  // False where the user is not known.
  bool erase_user(Key user);

  [[nodiscard]] bool knows_user(Key user) const;
  // The latest time of any event applied; 0 before the first.
  [[nodiscard]] Time newest() const;
  [[nodiscard]] const StateOptions& options() const noexcept;
  [[nodiscard]] StateCounts counts() const;
  [[nodiscard]] StateMemory memory() const;

  // The whole state, with a version and a checksum. restore() reads what any version of the program
  // wrote with the same or an older format; throws InputError for anything else.
  void snapshot(std::ostream& out) const;
  [[nodiscard]] static State restore(std::istream& in);

  struct Parts;  // systems/fraud/state_parts.hpp, which compute() reads
  [[nodiscard]] const Parts& parts() const noexcept { return *parts_; }

 private:
  std::unique_ptr<Parts> parts_;
};

}  // namespace tandem::fraud

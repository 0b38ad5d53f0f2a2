// Events on the disk before they are acknowledged.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/journal/journal.hpp"
#include "systems/recommend/state.hpp"

namespace tandem::recommend {

struct EventLogOptions {
  std::string folder;
  journal::Durability durability = journal::Durability::sync;
  std::uint64_t snapshot_every = 1'000'000;  // events
  // Between a viewer's removal and the erasure of what the disk has of them, at most.
  std::chrono::seconds erase_within{60};
  std::shared_ptr<journal::Storage> storage = journal::real_storage();
};

// What the log was found to hold.
struct Replayed {
  bool fresh = false;  // nothing at all
  std::int64_t events = 0;
  std::int64_t skipped = 0;  // of items that the catalogue does not have, or known already
  std::uint64_t cut_bytes = 0;
};

// Several threads may use one at once.
class EventLog {
 public:
  // Called once per add(), with how many events were new, or −1 where the log failed. By whichever
  // thread found that they are safe; must not throw.
  using Done = std::function<void(std::int64_t applied)>;

  // Brings `state` to where the log is. `catalogue` gives the items as they are at the time.
  // `applied` is called for each event that has changed the state, after it has. Throws what the
  // journal throws, and InputError for a record that is none.
  EventLog(EventLogOptions options, State& state,
           std::function<std::shared_ptr<const Catalogue>()> catalogue,
           std::function<void(const Event&)> applied, http::Log& log);
  // Writes what was added; then a snapshot where there is much to replay.
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  [[nodiscard]] const Replayed& replayed() const noexcept { return replayed_; }
  // Once they are on the disk, the events are applied to the state, and `done` is called. A forget
  // event comes alone.
  void add(std::vector<Event> events, Done done);
  // A snapshot of what the state is, while events go on: each part of it stops them for as long as
  // it takes to copy. The log is kept from the snapshot before this one on.
  void write_snapshot();
  // Erases what the disk has of viewers who were removed.
  void erase_removed();
  [[nodiscard]] bool failed() const;
  [[nodiscard]] std::string failure() const;  // why; empty where it has not

 private:
  struct Pending {
    journal::Sequence last = 0;
    std::vector<Event> events;
    Done done;
  };
  void settle(journal::Sequence durable);
  void fail();
  void replay();
  void tend();

  EventLogOptions options_;
  State& state_;
  std::function<std::shared_ptr<const Catalogue>()> catalogue_;
  std::function<void(const Event&)> applied_;
  http::Log& log_;
  Replayed replayed_;

  // Held while events are taken from the queue and applied: who has it once the log is safe and
  // nobody appends sees all of them applied.
  std::mutex apply_mutex_;
  std::mutex pending_mutex_;
  std::deque<Pending> pending_;
  // Shared by who appends, held alone by who snapshots or erases.
  std::shared_mutex gate_;
  std::mutex removed_mutex_;
  // Whose events the disk still has, up to that of their removal.
  std::vector<std::pair<std::string, journal::Sequence>> removed_;
  std::atomic<std::uint64_t> since_snapshot_{0};  // events in the log that no snapshot has
  std::mutex snapshot_mutex_;
  journal::Sequence last_snapshot_ = 0;

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;

  // The last, so that its thread has ended before the rest goes.
  std::unique_ptr<journal::Journal> journal_;
  std::thread tender_;
};

}  // namespace tandem::recommend

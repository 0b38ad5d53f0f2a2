// The primary's side of a standby: hands out the log to those that follow it, and holds answers
// back until one of them has what they rest on, where that is asked for.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <string>

#include "systems/http/background.hpp"
#include "systems/http/log.hpp"
#include "systems/http/message.hpp"
#include "systems/http/metrics.hpp"
#include "systems/journal/tail.hpp"

namespace tandem::fraud {

// Several threads may use it at once.
class Followers {
 public:
  // `state`: the folder that the log is in. `confirm`: an answer waits for a standby to have its
  // records on its disk, for so long at most, after which answers go on without until a standby has
  // come up again; 0: answers do not wait.
  Followers(const std::string& state, std::chrono::milliseconds confirm, http::Metrics& metrics,
            http::Log& log);

  // Once the state is this process's alone.
  void begin();
  // Of the journal: a record is going to be written; all below are safe here; records were changed.
  void appended(const journal::Record& record) { tail_.add(record); }
  void durable(journal::Sequence sequence);
  void changed() { tail_.clear(); }

  // What may be answered where all below `durable` is safe here.
  [[nodiscard]] journal::Sequence answerable(journal::Sequence durable);
  // Called where more may be answered without more being safe here. Set before any thread asks.
  std::function<void()> on_more;

  // Answers with records from `from` to `until` − 1, in the bytes of segment.hpp, as soon as there
  // are any, with none after `wait`. `confirms`: the caller has all below on its disk. Throws
  // HttpError. The header Tandem-Log-Next has the sequence after the last that is safe here.
  void ask(const http::ExchangePtr& exchange, journal::Sequence from, journal::Sequence until,
           std::chrono::milliseconds wait, bool confirms);
  // For this process: records from `from` on that may be answered, at least one where there is one;
  // returns the sequence after the last.
  [[nodiscard]] journal::Sequence copy(journal::Sequence from, std::size_t most_bytes,
                                       std::vector<std::byte>& out);
  // The primary decides nothing any more: whoever follows it is told, in the header
  // Tandem-Log-Over, so that it does not take an answer for a sign that it does.
  void steps_down() noexcept { over_ = true; }
  // Now and then.
  void look_after();
  // Whoever waits for records is answered; before the server stops.
  void end();

  // Records up to here a standby has said to have; whether answers wait for one.
  [[nodiscard]] journal::Sequence confirmed() const noexcept { return confirmed_; }
  [[nodiscard]] bool holds() const noexcept { return confirm_.count() > 0 && !alone_; }
  // Whether the standby that asked last has all that was answered. While it may not, the file
  // STATE/alone is there, for who decides after a crash which of the two goes on.
  [[nodiscard]] bool has_all() const;

 private:
  struct Waiting {
    http::ExchangePtr exchange;
    journal::Sequence from = 0;
    http::Clock::time_point until;
  };
  void give(const http::ExchangePtr& exchange, journal::Sequence from, journal::Sequence until);
  void confirm(journal::Sequence sequence);
  void alone_if_late();
  [[nodiscard]] bool lacks_answers() const;  // under the lock
  void mark_alone();                         // under the lock; before an answer goes out alone
  void unmark_if_whole();                    // under the lock

  std::string folder_;
  std::string mark_;
  std::chrono::milliseconds confirm_;
  http::Log& log_;
  http::Gauge& confirmed_gauge_;
  http::Gauge& holds_gauge_;
  journal::Tail tail_;
  std::atomic<journal::Sequence> durable_{0};
  std::atomic<journal::Sequence> confirmed_{0};
  std::atomic<bool> over_{false};
  std::atomic<bool> alone_{true};  // no standby has come up, or it fell behind

  mutable std::mutex mutex_;
  std::list<Waiting> waiting_;
  bool ended_ = false;
  bool marked_ = false;                          // the file is there
  journal::Sequence there_ = 0;                  // what the standby that asked last has
  journal::Sequence given_alone_ = 0;            // below it answers were given without a standby
  http::Clock::time_point unconfirmed_since_{};  // of the oldest record that a standby lacks
  http::Background background_;                  // reads files
};

}  // namespace tandem::fraud

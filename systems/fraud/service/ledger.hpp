// What is known at a moment, as a function of the records of the log before it: the state that
// features are made from, the answers that were given, and what waits for a person. Serving,
// recovery and replay go through the same calls; no clock is read here.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "systems/fraud/service/decider.hpp"
#include "systems/fraud/service/fleet_records.hpp"
#include "systems/fraud/service/records.hpp"
#include "systems/fraud/state.hpp"
#include "systems/journal/journal.hpp"

namespace tandem::fraud {

struct LedgerOptions {
  // For how long, and for how many transactions at most, an id gives its first answer again.
  std::int64_t keep_milliseconds = 24LL * 3600 * 1000;
  std::size_t keep_most = 2'000'000;
  std::size_t reviews_most = 10'000;
  // Answers are rendered, as replay does, without being kept: nothing is answered again.
  bool keep_answers = true;
  StateOptions state;
};

// What is found out of a decision that was answered.
enum class Finding : std::uint8_t { none, fraud, honest };

struct Kept {
  Key transaction = 0;       // 0: of an erased user
  std::uint64_t digest = 0;  // of the body
  Time received = 0;
  std::uint32_t microseconds = 0;
  Level level = Level::low;
  Action action = Action::approve;
  Finding finding = Finding::none;
  Time found_at = 0;  // of a fraud, when it was known; 0 where that is not known
  Event event;
  std::string tail;  // answer_tail()
};

// A decision that is not part of the ledger yet.
struct Decided {
  double risk_score = 0;
  Level level = Level::low;
  Action action = Action::approve;
  bool explored = false;
  bool from_similar = false;
  std::string tail;
};

class Ledger {
 public:
  explicit Ledger(const LedgerOptions& options);

  void set_versions(std::shared_ptr<const Versions> versions);
  [[nodiscard]] const Versions* versions() const noexcept;

  // The answer that the transaction was given, or null. Until the next call that changes anything.
  [[nodiscard]] const Kept* find(Key transaction) const;
  // Decides; changes nothing. Requires versions.
  [[nodiscard]] Decided decide(const Event& event);
  // Places in the rules of those that held; empty where a similar decision was repeated.
  [[nodiscard]] const std::vector<int>& rule_hits() const noexcept { return hits_; }

  // The things that happen, each written down before it is done here.
  void apply(const TransactionRecord& record, Decided decided);
  void apply(const LabelRecord& record);
  void apply(const PastRecord& record) { state_.apply(record.event); }
  // Returns how many answers are gone.
  std::size_t apply(const EraseRecord& record);
  void apply(const ElsewhereRecord& record);
  void apply(const WithoutRecord& record);
  void apply(const TakeoverRecord& record, journal::Sequence sequence);
  // One of the last three, of its bytes; false where it is another.
  bool apply_of_fleet(const journal::Record& record);

  // Users whose data are gone from memory and may not be from the disk yet, by the sequence numbers
  // of the records that erased them: part of the snapshot, so that a start knows what is left to
  // do.
  struct Unfinished {
    journal::Sequence sequence = 0;
    Key user = 0;
  };
  void begin_erasure(const Unfinished& erasure) { unfinished_.push_back(erasure); }
  // Those of records below `below` are done.
  void end_erasures(journal::Sequence below);
  [[nodiscard]] const std::vector<Unfinished>& unfinished() const noexcept { return unfinished_; }

  // Those that wait for a person, the newest first, at most `most`.
  [[nodiscard]] std::vector<const Kept*> reviews(std::size_t most) const;
  [[nodiscard]] std::size_t reviews_waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::size_t kept() const noexcept { return places_.size(); }
  // The newest first; from those that are kept.
  [[nodiscard]] std::vector<const Kept*> newest(std::size_t most) const;
  [[nodiscard]] const State& state() const noexcept { return state_; }
  // How far what the partition shares was applied.
  [[nodiscard]] SharedPosition position_of(std::uint16_t partition) const;
  // Parts outside that are away.
  [[nodiscard]] std::uint8_t without() const noexcept { return without_; }
  // Of the server that decides, and the records with which epochs began, but that of the first.
  [[nodiscard]] std::uint32_t epoch() const noexcept {
    return takeovers_.empty() ? 1 : takeovers_.back().epoch;
  }
  [[nodiscard]] const std::vector<SharedPosition>& takeovers() const noexcept { return takeovers_; }
  // The latest time at which a record was received.
  [[nodiscard]] Time now() const noexcept { return now_; }

  void snapshot(std::ostream& out) const;
  // `load` makes the versions of their text. Throws InputError where it is no snapshot.
  using LoadVersions = std::function<std::shared_ptr<const Versions>(const std::string& text)>;
  void restore(std::istream& in, const LoadVersions& load);
  // The versions_text() that a snapshot begins with; empty where it is none.
  [[nodiscard]] static std::string versions_of_snapshot(const std::string& bytes);

 private:
  struct Similar {
    Time time = 0;
    Level level = Level::low;
    Action action = Action::approve;
    double risk_score = 0;
    std::string tail;
  };
  [[nodiscard]] static std::uint64_t likeness(const Event& event);
  void forget_old();
  void drop_front();
  void put(Kept kept);
  [[nodiscard]] Kept* find_kept(Key transaction);
  void settle(Kept& kept, Finding finding, Time found_at);

  LedgerOptions options_;
  State state_;
  std::unique_ptr<Decider> decider_;
  std::vector<int> hits_;
  std::deque<Kept> answers_;       // by the time at which they were received
  std::uint64_t first_place_ = 0;  // of answers_.front()
  std::unordered_map<Key, std::uint64_t> places_;
  std::deque<std::uint64_t> reviews_;  // places of those that waited once, ascending
  std::size_t waiting_ = 0;
  std::unordered_map<std::uint64_t, Similar> similar_;
  std::deque<std::pair<Time, std::uint64_t>> similar_order_;
  Time now_ = 0;
  std::vector<Unfinished> unfinished_;
  std::map<std::uint16_t, SharedPosition> positions_;
  std::uint8_t without_ = 0;
  std::vector<SharedPosition> takeovers_;
};

}  // namespace tandem::fraud

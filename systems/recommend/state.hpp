// All that a service knows beside its models: viewers, what is trending, which events it has seen
// and what exploration has earned. It is what the log of events makes of nothing.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "systems/recommend/exploration.hpp"
#include "systems/recommend/trending.hpp"
#include "systems/recommend/viewers.hpp"

namespace tandem::recommend {

// Whether an event was there before, by its id: of the latest 2^18 that had one. Several threads
// may use one at once.
class KnownEvents {
 public:
  // True the first time.
  bool add(std::uint64_t key);
  [[nodiscard]] std::vector<std::uint64_t> list() const;

 private:
  static constexpr std::size_t most = std::size_t{1} << 18;
  mutable std::mutex mutex_;
  std::unordered_set<std::uint64_t> keys_;
  std::deque<std::uint64_t> order_;
};

// Several threads may use one at once.
class Tallies {
 public:
  void add_shown(ItemNumber item);
  void add_click(ItemNumber item);
  void put(ItemNumber item, Tally tally);
  [[nodiscard]] Tally of(ItemNumber item) const;
  [[nodiscard]] std::vector<std::pair<ItemNumber, Tally>> list() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<ItemNumber, Tally> tallies_;
};

struct State {
  explicit State(double trending_half_life_hours) : trending(trending_half_life_hours) {}

  Viewers viewers;
  Trending trending;
  KnownEvents known;
  Tallies tallies;
  std::atomic<std::uint64_t> feedback{0};  // events applied so far

  // False where an event of this id was applied already, or its item is not in the catalogue.
  // `viewer`: false where what is known of the viewer has the event already.
  bool apply(const Event& event, const Catalogue& catalogue, bool viewer = true);
};

// A snapshot is written part by part while events go on: trending and known events first, then the
// viewers of one shard after the other. Each part says how many events it stands for, so that those
// behind it are applied to the parts that do not have them.
struct SnapshotParts {
  std::uint64_t counters = 0;  // of trending and known events: events below it are in them
  std::array<std::uint64_t, Viewers::shard_count> shards{};  // of the viewers of each
};

// Copies a part: calls `copy` while no event is under way, and returns how many events the state
// stands for then.
using AtRest = std::function<std::uint64_t(const std::function<void()>& copy)>;

// In two steps, since the first part's number is the snapshot's: begins with the counters, and goes
// on with the viewers. Tallies come from the choices.
class SnapshotWriter {
 public:
  SnapshotWriter(const State& state, std::function<std::shared_ptr<const Catalogue>()> catalogue,
                 AtRest at_rest);
  // Events below it are in the snapshot.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  void write(std::ostream& out);

 private:
  void append_new_items(const Catalogue& catalogue, std::string& bytes);

  const State& state_;
  std::function<std::shared_ptr<const Catalogue>()> catalogue_;
  AtRest at_rest_;
  std::size_t items_ = 0;  // whose ids are written already
  std::uint64_t sequence_ = 0;
  std::string counters_;
};

// Into a state of nothing. Returns how many entries were left out because the catalogue does not
// have their item. Throws InputError for what SnapshotWriter has not written.
std::int64_t read_snapshot(std::istream& in, State& state, const Catalogue& catalogue,
                           SnapshotParts& parts);

}  // namespace tandem::recommend

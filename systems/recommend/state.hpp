// All that a service knows beside its models: viewers, what is trending, which events it has seen
// and what exploration has earned. It is what the log of events makes of nothing.
#pragma once

#include <atomic>
#include <deque>
#include <iosfwd>
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
  [[nodiscard]] Tally of(ItemNumber item) const;

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
  bool apply(const Event& event, const Catalogue& catalogue);
};

// Viewers, trending and known events, with the ids of the items; tallies come from the choices.
void write_snapshot(std::ostream& out, const State& state, const Catalogue& catalogue);
// Into a state of nothing. Returns how many entries were left out because the catalogue does not
// have their item. Throws InputError for what write_snapshot has not written.
std::int64_t read_snapshot(std::istream& in, State& state, const Catalogue& catalogue);

}  // namespace tandem::recommend

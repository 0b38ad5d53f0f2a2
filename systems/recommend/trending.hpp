// What many watch now: counters that fade, and the items that lead by them.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "systems/recommend/catalogue.hpp"

namespace tandem::recommend {

struct Scored {
  ItemNumber item = 0;
  float score = 0;
};

// Each event adds its strength, which halves in every half-life. Kept by forward decay (Cormode,
// Shkapenyuk, Srivastava and Xu, ICDE 2009): an event of time t adds 2^((t − L) / half-life) for a
// landmark L, so that counters need no fading of their own and their order changes by events only.
// Several threads may use one at once.
class Trending {
 public:
  explicit Trending(double half_life_hours = 6, std::size_t leaders = 200);

  void add(ItemNumber item, Time time, double strength);
  // The counters as they are at `now`, the greatest first.
  [[nodiscard]] std::vector<Scored> leaders(Time now) const;
  // Of one item at `now`.
  [[nodiscard]] double value(ItemNumber item, Time now) const;
  // Strength of all time, without fading.
  [[nodiscard]] double total(ItemNumber item) const;
  // Up to 1,000 items of the greatest totals as they were at update_popular().
  [[nodiscard]] std::shared_ptr<const std::vector<ItemNumber>> popular() const;
  void update_popular();

  // What add() has made of the events so far, for a snapshot of the state, and back.
  struct State {
    Time landmark = 0;
    std::vector<double> values;
    std::vector<float> totals;
  };
  [[nodiscard]] State state() const;
  void restore(State state);

 private:
  [[nodiscard]] double faded(double value, Time now) const;
  void rank(ItemNumber item);

  double half_life_;  // milliseconds
  std::size_t leader_count_;
  mutable std::mutex mutex_;
  State state_;
  bool began_ = false;
  std::vector<ItemNumber> leaders_;  // by descending value
  std::shared_ptr<const std::vector<ItemNumber>> popular_ =
      std::make_shared<const std::vector<ItemNumber>>();
};

}  // namespace tandem::recommend

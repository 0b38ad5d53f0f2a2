#include "systems/recommend/trending.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tandem::recommend {
namespace {

constexpr double furthest = 500;  // half-lives past the landmark, before it is moved: 2^500

}  // namespace

Trending::Trending(double half_life_hours, std::size_t leaders)
    : half_life_(half_life_hours * 3'600'000), leader_count_(leaders) {}

double Trending::faded(double value, Time now) const {
  return value * std::exp2(static_cast<double>(state_.landmark - now) / half_life_);
}

void Trending::add(ItemNumber item, Time time, double strength) {
  if (!(strength > 0)) return;
  const std::scoped_lock lock(mutex_);
  if (!began_) {
    state_.landmark = time;
    began_ = true;
  }
  if (state_.values.size() <= item) {
    state_.values.resize(std::size_t{item} + 1);
    state_.totals.resize(std::size_t{item} + 1);
  }
  const double ahead = static_cast<double>(time - state_.landmark) / half_life_;
  if (ahead > furthest) {
    const double scale = std::exp2(-ahead);
    for (double& value : state_.values) value *= scale;
    state_.landmark = time;
  }
  state_.values[item] +=
      strength * std::exp2(static_cast<double>(time - state_.landmark) / half_life_);
  state_.totals[item] += static_cast<float>(strength);
  rank(item);
}

// Counters only grow between movements of the landmark, so that an item which leads from now on is
// the one whose counter has grown.
void Trending::rank(ItemNumber item) {
  const auto value = [&](ItemNumber one) { return state_.values[one]; };
  auto at = std::find(leaders_.begin(), leaders_.end(), item);
  if (at == leaders_.end()) {
    if (leaders_.size() < leader_count_) {
      leaders_.push_back(item);
    } else if (value(leaders_.back()) < value(item)) {
      leaders_.back() = item;
    } else {
      return;
    }
    at = leaders_.end() - 1;
  }
  while (at != leaders_.begin() && value(*(at - 1)) < value(*at)) {
    std::iter_swap(at - 1, at);
    --at;
  }
}

std::vector<Scored> Trending::leaders(Time now) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Scored> result;
  result.reserve(leaders_.size());
  const double fading = faded(1, now);
  for (const ItemNumber item : leaders_) {
    result.push_back({item, static_cast<float>(state_.values[item] * fading)});
  }
  return result;
}

double Trending::value(ItemNumber item, Time now) const {
  const std::scoped_lock lock(mutex_);
  return item < state_.values.size() ? faded(state_.values[item], now) : 0;
}

double Trending::total(ItemNumber item) const {
  const std::scoped_lock lock(mutex_);
  return item < state_.totals.size() ? static_cast<double>(state_.totals[item]) : 0;
}

std::shared_ptr<const std::vector<ItemNumber>> Trending::popular() const {
  const std::scoped_lock lock(mutex_);
  return popular_;
}

void Trending::update_popular() {
  std::vector<float> totals;
  {
    const std::scoped_lock lock(mutex_);
    totals = state_.totals;
  }
  std::vector<ItemNumber> order(totals.size());
  std::iota(order.begin(), order.end(), ItemNumber{0});
  const std::size_t count = std::min<std::size_t>(order.size(), 1000);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](ItemNumber a, ItemNumber b) {
                      return totals[a] != totals[b] ? totals[a] > totals[b] : a < b;
                    });
  order.resize(count);
  while (!order.empty() && !(totals[order.back()] > 0)) order.pop_back();
  auto made = std::make_shared<const std::vector<ItemNumber>>(std::move(order));
  const std::scoped_lock lock(mutex_);
  popular_ = std::move(made);
}

Trending::State Trending::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

void Trending::restore(State state) {
  {
    const std::scoped_lock lock(mutex_);
    state_ = std::move(state);
    began_ = true;
    std::vector<ItemNumber> order(state_.values.size());
    std::iota(order.begin(), order.end(), ItemNumber{0});
    const std::size_t count = std::min(order.size(), leader_count_);
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
                      order.end(), [&](ItemNumber a, ItemNumber b) {
                        const double x = state_.values[a];
                        const double y = state_.values[b];
                        return x != y ? x > y : a < b;
                      });
    order.resize(count);
    while (!order.empty() && !(state_.values[order.back()] > 0)) order.pop_back();
    leaders_ = std::move(order);
  }
  update_popular();
}

}  // namespace tandem::recommend

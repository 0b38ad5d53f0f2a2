// What was known, and what came afterwards.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "tandem/core/error.hpp"
#include "tandem/core/options.hpp"
#include "tandem/recommend/interactions.hpp"

namespace tandem {
namespace {

// The events for which is_test holds go to the test part; both keep the order.
InteractionSplit part(const Interactions& events, const std::vector<bool>& is_test) {
  InteractionSplit split;
  for (Interactions* half : {&split.train, &split.test}) {
    half->source = events.source;
    half->users = events.users;
    half->items = events.items;
  }
  for (std::size_t i = 0; i < is_test.size(); ++i) {
    Interactions& to = is_test[i] ? split.test : split.train;
    to.user.push_back(events.user[i]);
    to.item.push_back(events.item[i]);
    if (events.has_weights()) to.weight.push_back(events.weight[i]);
    if (events.has_times()) to.time.push_back(events.time[i]);
  }
  return split;
}

void require_times(const Interactions& events) {
  if (!events.has_times()) {
    throw InputError(events.source + ": has no times to split by; name their column by " +
                     option("time") + ", or split by leave-last");
  }
}

}  // namespace

InteractionSplit split_at(const Interactions& events, double boundary) {
  require_times(events);
  std::vector<bool> is_test(events.time.size());
  for (std::size_t i = 0; i < is_test.size(); ++i) is_test[i] = events.time[i] >= boundary;
  InteractionSplit split = part(events, is_test);
  split.boundary = boundary;
  if (split.train.size() == 0 || split.test.size() == 0) {
    throw InputError(events.source + ": all " + std::to_string(events.size()) +
                     " events happened " + (split.train.size() == 0 ? "at or after" : "before") +
                     " the border of the split; nothing is left for the " +
                     (split.train.size() == 0 ? "training" : "test") + " part");
  }
  return split;
}

InteractionSplit split_by_time(const Interactions& events, double test_fraction) {
  require_times(events);
  if (!(test_fraction > 0 && test_fraction < 1)) {
    throw InputError(option("test_fraction") + " is " + std::to_string(test_fraction) +
                     ": expected a number between 0 and 1");
  }
  const auto count = static_cast<double>(events.size());
  const auto test = std::clamp<Index>(static_cast<Index>(std::llround(test_fraction * count)), 1,
                                      std::max<Index>(1, events.size() - 1));
  std::vector<double> times = events.time;
  const auto first = times.end() - test;
  std::nth_element(times.begin(), first, times.end());
  return split_at(events, *first);
}

InteractionSplit leave_last_out(const Interactions& events, Index count) {
  if (count < 1) throw InputError("leave_last_out: the count is below 1");
  std::vector<Index> order(static_cast<std::size_t>(events.size()));
  std::iota(order.begin(), order.end(), Index{0});
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    const auto i = static_cast<std::size_t>(a);
    const auto j = static_cast<std::size_t>(b);
    if (events.user[i] != events.user[j]) return events.user[i] < events.user[j];
    return events.has_times() && events.time[i] < events.time[j];
  });
  std::vector<bool> is_test(order.size(), false);
  for (std::size_t begin = 0; begin < order.size();) {
    const std::int32_t user = events.user[static_cast<std::size_t>(order[begin])];
    std::size_t end = begin;
    while (end < order.size() && events.user[static_cast<std::size_t>(order[end])] == user) ++end;
    if (static_cast<Index>(end - begin) > count) {
      for (std::size_t k = end - static_cast<std::size_t>(count); k < end; ++k) {
        is_test[static_cast<std::size_t>(order[k])] = true;
      }
    }
    begin = end;
  }
  InteractionSplit split = part(events, is_test);
  if (split.test.size() == 0) {
    throw InputError(events.source + ": no user has more than " + std::to_string(count) +
                     (count == 1 ? " event" : " events") + ", so that none can be left out");
  }
  return split;
}

}  // namespace tandem

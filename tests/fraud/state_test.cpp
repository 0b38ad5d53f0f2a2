#include "systems/fraud/state.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <set>
#include <sstream>

#include "core/random.hpp"
#include "systems/fraud/feature_layout.hpp"
#include "systems/fraud/features.hpp"
#include "systems/fraud/state_parts.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

constexpr Time begin_time = 1'700'000'000'000;

double value(const FeatureVector& features, std::string_view name) {
  const int at = feature_index(name);
  EXPECT_GE(at, 0) << name;
  return at < 0 ? 0 : features[static_cast<std::size_t>(at)];
}

Event event_of(Key user, Time time, double amount = 10, Key merchant = 0) {
  Event event;
  event.transaction = static_cast<Key>(time) * 31 + user;
  event.user = user;
  event.card = user + 1'000'000;
  event.ip = user + 2'000'000;
  event.merchant = merchant;
  event.time = time;
  event.amount = amount;
  event.cents = std::llround(amount * 100);
  return event;
}

// Events of few users, merchants, addresses and devices at times from milliseconds to days apart.
std::vector<Event> drawn_events(std::uint64_t seed, std::size_t count) {
  const Random random(seed, Purpose::test);
  std::vector<Event> events;
  Time time = begin_time;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t at = i * 16;
    const double gap = random.uniform(at);
    time += static_cast<Time>(std::exp(gap * 17));  // to 24,000 s
    Event event = event_of(static_cast<Key>(random.below(6, at + 1)) + 1, time,
                           static_cast<double>(random.below(100'000, at + 2)) / 100,
                           static_cast<Key>(random.below(30, at + 3)));
    event.ip = static_cast<Key>(random.below(10, at + 4)) + 100;
    event.device = static_cast<Key>(random.below(8, at + 5));
    if (random.below(3, at + 6) > 0) {
      event.has_location = true;
      event.latitude = static_cast<float>(random.below(300, at + 7)) / 100 + 48;
      event.longitude = static_cast<float>(random.below(300, at + 8)) / 100 + 8;
    }
    event.type = static_cast<TransactionType>(random.below(4, at + 9));
    event.offset_minutes = 60;
    events.push_back(event);
  }
  return events;
}

bool same_bits(const FeatureVector& a, const FeatureVector& b) {
  return std::memcmp(a.data(), b.data(), sizeof(a)) == 0;
}

std::string snapshot_of(const State& state) {
  std::ostringstream out;
  state.snapshot(out);
  return out.str();
}

// The definition of a window, over all events that there were: what is older than an hour (a day)
// before the entity's newest event counts by whole minutes (hours).
struct Expected {
  double count = 1;
  std::int64_t cents = 0;
};
Expected in_window(const std::vector<Event>& before, const Event& event, Kind kind, Time span) {
  Expected expected{1, event.cents};
  Time newest = 0;
  for (const Event& other : before) {
    if (key_of(other, kind) == key_of(event, kind)) newest = std::max(newest, other.time);
  }
  const auto end = [&](Time time) {
    if (time < newest - day_ms) return time - time % hour_ms + hour_ms - 1;
    if (time < newest - hour_ms) return time - time % minute_ms + minute_ms - 1;
    return time;
  };
  const Time from = end(std::max(event.time - span, newest - month_ms));
  for (const Event& other : before) {
    if (key_of(other, kind) != key_of(event, kind)) continue;
    if (other.time <= from || other.time > end(event.time)) continue;
    ++expected.count;
    expected.cents += other.cents;
  }
  return expected;
}

// Every window and distinct count against its definition, over thousands of events, some of them
// late.
void check_against_definition(const std::vector<Event>& events, bool late) {
  State state;
  std::vector<Event> before;
  for (const Event& event : events) {
    const FeatureVector features = compute(event, state);
    for (std::size_t k = 0; k < kinds; ++k) {
      const auto kind = static_cast<Kind>(k);
      if (key_of(event, kind) == 0) continue;
      for (std::size_t w = 0; w < windows.size(); ++w) {
        const Expected expected = in_window(before, event, kind, windows[w].span);
        ASSERT_EQ(features[velocity_at(kind, w)], expected.count)
            << feature_table()[velocity_at(kind, w)].name << " of event " << before.size();
        ASSERT_EQ(features[velocity_at(kind, w) + windows.size()],
                  static_cast<double>(expected.cents) / 100);
      }
    }
    if (!late) {
      for (std::size_t w = 0; w < distinct_windows.size(); ++w) {
        std::set<Key> merchants;
        const Second after = second_of(event.time - windows[distinct_windows[w]].span);
        for (const Event& other : before) {
          if (other.user == event.user && other.merchant != 0 && second_of(other.time) > after) {
            merchants.insert(other.merchant);
          }
        }
        if (event.merchant != 0) merchants.insert(event.merchant);
        ASSERT_EQ(features[distinct_at(0) + w], static_cast<double>(merchants.size()));
      }
    }
    state.apply(event);
    before.push_back(event);
  }
}

TEST(State, WindowsAreWhatTheirDefinitionSays) {
  check_against_definition(drawn_events(1, 1500), false);
}

TEST(State, LateEventsCountAtTheirOwnTime) {
  std::vector<Event> events = drawn_events(2, 1200);
  const Random random(5, Purpose::test);
  for (std::size_t i = 0; i + 40 < events.size(); i += 3) {
    std::swap(events[i], events[i + 1 + static_cast<std::size_t>(random.below(38, i))]);
  }
  check_against_definition(events, true);
}

// Half a million an hour, several within one millisecond, some of them hours late, through a
// snapshot: to the event, as the definition has it.
TEST(State, ABusyMerchantIsExactToTheEvent) {
  State state;
  const Random random(12, Purpose::test);
  std::vector<Event> before;
  Time time = begin_time;
  for (std::uint64_t i = 0; i < 24'000; ++i) {
    // With a silence, over which all of it becomes minutes.
    time += i == 16'000 ? 2 * hour_ms : random.below(15, 4 * i);
    Event event = event_of(static_cast<Key>(i % 500) + 1, time, 1 + static_cast<double>(i % 7), 7);
    if (i % 50 == 3) event.time -= random.below(3 * hour_ms, 4 * i + 1);
    if (i % 400 == 0 || (i > 15'990 && i < 16'010)) {
      const FeatureVector features = compute(event, state);
      for (std::size_t w = 0; w < windows.size(); ++w) {
        const Expected expected = in_window(before, event, Kind::merchant, windows[w].span);
        ASSERT_EQ(features[velocity_at(Kind::merchant, w)], expected.count) << i << " " << w;
        ASSERT_EQ(features[velocity_at(Kind::merchant, w) + windows.size()],
                  static_cast<double>(expected.cents) / 100);
      }
    }
    if (i == 10'000) {
      std::stringstream kept(snapshot_of(state));
      state = State::restore(kept);
    }
    state.apply(event);
    before.push_back(event);
  }
  EXPECT_LT(state.memory().merchants, 1'500'000U);
}

// Amounts at the limit of what is taken, a hundred thousand times: sums wrap around and stay
// defined.
TEST(State, SumsOfTheGreatestAmountsDoNotOverflow) {
  State state;
  Event event = event_of(1, begin_time, 1e12, 7);
  for (int i = 0; i < 100'000; ++i) {
    event.time += 3;
    state.apply(event);
  }
  event.time += 40 * minute_ms;
  state.apply(event);
  EXPECT_EQ(value(compute(event, state), "merchant_sum_10m"), 2e12);
}

TEST(State, DistinctCountsAreExactToAThousandAndEstimatedBeyond) {
  State state;
  Time time = begin_time;
  for (Key user = 1; user <= 20'000; ++user) {
    time += 1000;
    const Event event = event_of(user, time, 1, 7);
    const FeatureVector features = compute(event, state);
    const double month = value(features, "merchant_users_30d");
    const double hour = value(features, "merchant_users_1h");
    if (user <= 1000) {
      ASSERT_EQ(month, static_cast<double>(user));
    } else if (user % 500 == 0) {
      // Five standard errors.
      ASSERT_NEAR(month / static_cast<double>(user), 1, 0.165) << user;
      ASSERT_NEAR(hour / std::min(3600.0, static_cast<double>(user)), 1, 0.165) << user;
    }
    state.apply(event);
  }
}

TEST(State, AfterASnapshotAllGoesOnWithTheSameBits) {
  const std::vector<Event> events = drawn_events(3, 3000);
  State state;
  for (std::size_t i = 0; i < 1500; ++i) {
    state.apply(events[i]);
    if (i % 50 == 0) state.apply(make_label(events[i], true, events[i].time + day_ms));
  }
  const std::string bytes = snapshot_of(state);
  std::istringstream in(bytes);
  State other = State::restore(in);
  EXPECT_EQ(snapshot_of(other), bytes);
  for (std::size_t i = 1500; i < events.size(); ++i) {
    ASSERT_TRUE(same_bits(compute(events[i], state), compute(events[i], other))) << i;
    state.apply(events[i]);
    other.apply(events[i]);
  }
  EXPECT_EQ(snapshot_of(other), snapshot_of(state));
}

TEST(State, ADamagedSnapshotIsRefused) {
  State state;
  for (const Event& event : drawn_events(4, 60)) state.apply(event);
  const std::string bytes = snapshot_of(state);
  for (std::size_t at = 0; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x21);
    std::istringstream in(damaged);
    EXPECT_THROW((void)State::restore(in), InputError) << at;
  }
  for (std::size_t size = 0; size < bytes.size(); size += 11) {
    std::istringstream in(bytes.substr(0, size));
    EXPECT_THROW((void)State::restore(in), InputError) << size;
  }
}

TEST(State, WhoIsNotSeenIsForgottenAndTakesNoMemory) {
  State state;
  Time time = begin_time;
  state.apply(event_of(5, time, 10, 3));
  for (int day = 0; day < 200; ++day) {
    for (Key user = 0; user < 50; ++user) {
      time += day_ms / 50;
      state.apply(event_of(1'000 + static_cast<Key>(day) * 50 + user, time, 10, 3));
    }
  }
  EXPECT_FALSE(state.knows_user(5));
  EXPECT_LT(state.counts().users, 50 * 150);
  EXPECT_EQ(value(compute(event_of(5, time), state), "user_known_transactions"), 0);
}

TEST(State, ErasingAUserLeavesNothingOfIts) {
  const std::vector<Event> events = drawn_events(6, 800);
  State state;
  for (const Event& event : events) state.apply(event);
  // A card, address and device that nobody else has.
  Event own = event_of(999, events.back().time + 1, 77, events.back().merchant);
  own.device = 4'000'000;
  state.apply(own);
  ASSERT_TRUE(state.knows_user(999));
  const auto before = state.counts();
  EXPECT_TRUE(state.erase_user(999));
  EXPECT_FALSE(state.erase_user(999));
  EXPECT_FALSE(state.knows_user(999));
  EXPECT_EQ(state.counts().users, before.users - 1);
  EXPECT_EQ(state.counts().cards, before.cards - 1);
  EXPECT_EQ(state.counts().devices, before.devices - 1);
  const std::string bytes = snapshot_of(state);
  for (const Key key : {own.user, own.card, own.ip, own.device}) {
    const std::string_view text(reinterpret_cast<const char*>(&key), sizeof(key));
    EXPECT_EQ(bytes.find(text), std::string::npos);
  }
  const FeatureVector features = compute(own, state);
  EXPECT_EQ(value(features, "user_known_transactions"), 0);
  EXPECT_EQ(value(features, "device_users_30d"), 1);
  EXPECT_EQ(value(features, "device_new_for_user"), 1);
}

TEST(State, SeesARingWhenItCloses) {
  State state;
  Time time = begin_time;
  // Three users, each with a card of its own, and one device between them: connected, no ring.
  const auto make = [&](Key user, Key device, Key ip) {
    Event event = event_of(user, time += minute_ms, 50);
    event.device = device;
    event.ip = ip;
    return event;
  };
  state.apply(make(1, 10, 101));
  state.apply(make(2, 10, 102));
  FeatureVector features = compute(make(3, 10, 103), state);
  EXPECT_EQ(value(features, "component_users"), 3) << "with the event that joins it";
  EXPECT_EQ(value(features, "component_shared"), 1);
  EXPECT_EQ(value(features, "component_cycles"), 0);
  EXPECT_EQ(value(features, "ring_users"), 0);
  EXPECT_EQ(value(features, "component_new_users"), 3);
  EXPECT_EQ(value(features, "component_new_share"), 1);
  state.apply(make(3, 10, 103));
  // They share an address too: two more edges between who is connected already.
  state.apply(make(1, 10, 200));
  features = compute(make(2, 10, 200), state);
  EXPECT_EQ(value(features, "component_cycles"), 1);
  EXPECT_EQ(value(features, "component_shared"), 2);
  state.apply(make(2, 10, 200));
  features = compute(make(3, 10, 200), state);
  EXPECT_EQ(value(features, "component_cycles"), 2);
  EXPECT_EQ(value(features, "ring_users"), 3);
  state.apply(make(3, 10, 200));
  // The same again changes nothing.
  features = compute(make(3, 10, 200), state);
  EXPECT_EQ(value(features, "component_cycles"), 2);
  // A stranger is no part of it.
  EXPECT_EQ(value(compute(make(4, 11, 104), state), "component_users"), 1);
  // A confirmed fraud of one is known of all.
  state.apply(make_label(make(1, 10, 101), true, time));
  EXPECT_EQ(value(compute(make(2, 10, 102), state), "component_frauds"), 1);
}

TEST(State, WhatManyUsersShareJoinsNobody) {
  State state;
  Time time = begin_time;
  for (Key user = 1; user <= 60; ++user) {
    Event event = event_of(user, time += 1000, 5);
    event.device = 9;
    const double users = value(compute(event, state), "component_users");
    EXPECT_EQ(users, user <= 50 ? static_cast<double>(user) : 1.0) << user;
    state.apply(event);
  }
  for (Key user = 101; user <= 110; ++user) {
    const Event event = event_of(user, time += 1000, 5, 9);
    const double users = value(compute(event, state), "component_users");
    EXPECT_EQ(users, user <= 105 ? static_cast<double>(user - 100) : 1.0) << user;
    state.apply(event);
  }
}

TEST(State, ComponentsForgetTheirEdgesAfterAMonth) {
  State state;
  Time time = begin_time;
  const auto make = [&](Key user, Key device) {
    Event event = event_of(user, time, 50);
    event.device = device;
    return event;
  };
  state.apply(make(1, 10));
  state.apply(make(2, 10));
  // Both go on with devices of their own.
  for (int day = 0; day < 33; ++day) {
    time += day_ms;
    state.apply(make(1, 11));
    state.apply(make(2, 12));
    for (Key other = 100; other < 130; ++other) state.apply(make(other, other + 500));
    const double users = value(compute(make(1, 11), state), "component_users");
    if (day < 29) {
      EXPECT_EQ(users, 2) << day;
    } else if (day == 32) {
      EXPECT_EQ(users, 1);
    }
  }
}

TEST(State, AfterALongSilenceNobodyIsJoined) {
  State state;
  Event event = event_of(1, begin_time, 50);
  event.device = 10;
  state.apply(event);
  event.user = 2;
  event.card = 77;
  state.apply(event);
  ASSERT_EQ(value(compute(event, state), "component_users"), 2);
  event.time += 100 * day_ms;
  state.apply(event);
  const FeatureVector features = compute(event, state);
  EXPECT_EQ(value(features, "component_users"), 1);
  EXPECT_EQ(value(features, "component_cycles"), 0);
}

TEST(State, LabelsCountFromWhenTheyAreKnown) {
  State state;
  const Event event = event_of(1, begin_time, 10, 3);
  state.apply(event);
  state.apply(make_label(event, false, begin_time + hour_ms));
  EXPECT_EQ(value(compute(event_of(2, begin_time + day_ms, 1, 3), state), "merchant_frauds"), 0);
  state.apply(make_label(event, true, begin_time + 2 * day_ms));
  EXPECT_EQ(value(compute(event_of(2, begin_time + day_ms, 1, 3), state), "merchant_frauds"), 0);
  const FeatureVector features = compute(event_of(2, begin_time + 3 * day_ms, 1, 3), state);
  EXPECT_EQ(value(features, "merchant_frauds"), 1);
  EXPECT_EQ(value(features, "merchant_fraud_share"), 0.5);
  EXPECT_EQ(value(compute(event_of(2, begin_time + 40 * day_ms, 1, 3), state), "merchant_frauds"),
            0);
}

TEST(State, ALabelThatIsTakenBackCountsNoMore) {
  State state;
  const Event event = event_of(1, begin_time, 10, 3);
  const Event other = event_of(2, begin_time, 10, 3);
  state.apply(event);
  state.apply(other);
  const std::string before = snapshot_of(state);
  const Label label = make_label(event, true, begin_time + hour_ms);
  state.apply(label);
  state.apply(make_label(other, true, begin_time + hour_ms));
  EXPECT_EQ(value(compute(event_of(2, begin_time + day_ms, 1, 3), state), "merchant_frauds"), 2);
  state.take_back(label);
  FeatureVector features = compute(event_of(1, begin_time + day_ms, 1, 3), state);
  EXPECT_EQ(value(features, "merchant_frauds"), 1);
  EXPECT_EQ(value(features, "user_frauds"), 0);
  EXPECT_EQ(value(features, "card_frauds"), 0);
  EXPECT_EQ(value(features, "component_frauds"), 1);
  // Twice, or of somebody who is not known: nothing.
  state.take_back(label);
  state.take_back(make_label(event_of(77, begin_time, 10, 78), true, begin_time));
  EXPECT_EQ(value(compute(event_of(2, begin_time + day_ms, 1, 3), state), "user_frauds"), 1);
}

TEST(State, TheDateLineAndThePolesAreOnePlace) {
  EXPECT_EQ(place_of(10, 180), place_of(10, -180));
  EXPECT_EQ(place_of(90, 12), place_of(90, -170));
  EXPECT_EQ(place_of(-90, 12), place_of(-90, 180));
  EXPECT_NE(place_of(10, 179.9F), place_of(10, -179.9F));
  State state;
  Event event = event_of(1, begin_time);
  event.has_location = true;
  event.latitude = -18;
  for (const float longitude : {179.0F, -179.0F, 178.0F, -178.0F, 180.0F, -180.0F}) {
    event.longitude = longitude;
    event.time += hour_ms;
    const FeatureVector features = compute(event, state);
    if (!std::isnan(value(features, "home_km"))) {
      // Fiji is not half the world away from itself: a degree is some 106 km there.
      EXPECT_LT(value(features, "home_km"), 330) << longitude;
      EXPECT_LT(value(features, "distance_km"), 430) << longitude;
    }
    state.apply(event);
  }
}

// What version 1 of the format kept, by a program of then: a busy merchant by the second, joined
// users, a fraud.
TEST(State, ReadsTheSnapshotsOfFormerVersions) {
  std::ifstream in(TANDEM_DATA_DIR "/../tests/fraud/formats/state-1.snapshot", std::ios::binary);
  ASSERT_TRUE(in);
  State state = State::restore(in);
  EXPECT_EQ(state.options(), StateOptions{});
  EXPECT_EQ(state.counts().users, 5);
  EXPECT_EQ(state.counts().events, 5204);
  Event event = event_of(1, state.newest(), 1, 7);
  FeatureVector features = compute(event, state);
  EXPECT_EQ(value(features, "merchant_count_1h"), 5201);
  EXPECT_EQ(value(features, "merchant_sum_30d"), 5201);
  EXPECT_EQ(value(features, "user_count_24h"), 5201);
  event = event_of(3, state.newest() + hour_ms, 10, 8);
  event.device = 9;
  features = compute(event, state);
  EXPECT_EQ(value(features, "component_users"), 4);
  EXPECT_EQ(value(features, "user_frauds"), 1);
  EXPECT_EQ(value(features, "device_users_30d"), 4);
  // It goes on, and is written in today's format.
  for (int i = 0; i < 6000; ++i) {
    state.apply(event_of(1, state.newest() + 50, 1, 7));
  }
  std::stringstream kept(snapshot_of(state));
  State again = State::restore(kept);
  EXPECT_EQ(snapshot_of(again), snapshot_of(state));
  features = compute(event_of(1, again.newest(), 1, 7), again);
  EXPECT_EQ(value(features, "merchant_count_1h"), 11'201);
  EXPECT_EQ(value(features, "merchant_count_1m"), 1201);
}

TEST(State, GeographyIsDistanceAndSpeed) {
  State state;
  Event paris = event_of(1, begin_time);
  paris.has_location = true;
  paris.latitude = 48.8566F;
  paris.longitude = 2.3522F;
  EXPECT_TRUE(std::isnan(value(compute(paris, state), "distance_km")));
  state.apply(paris);
  Event london = paris;
  london.time += hour_ms / 2;
  london.latitude = 51.5074F;
  london.longitude = -0.1278F;
  const FeatureVector features = compute(london, state);
  EXPECT_NEAR(value(features, "distance_km"), 343.5, 1);
  EXPECT_NEAR(value(features, "speed_kmh"), 687, 2);
  EXPECT_EQ(value(features, "place_new_for_user"), 1);
  EXPECT_EQ(value(compute(paris, state), "place_new_for_user"), 0);
}

TEST(State, HoursAreThoseOfTheTimestampsOffset) {
  State state;
  Event event = event_of(1, 1'767'225'600'000 + 23 * hour_ms);  // Thursday, 2026-01-01, 23:00 UTC
  EXPECT_EQ(value(compute(event, state), "hour"), 23);
  EXPECT_EQ(value(compute(event, state), "weekday"), 3);
  event.offset_minutes = 120;
  EXPECT_EQ(value(compute(event, state), "hour"), 1);
  EXPECT_EQ(value(compute(event, state), "weekday"), 4);
  EXPECT_EQ(value(compute(event, state), "is_night"), 1);
}

TEST(Features, HaveNamesMeaningsAndWords) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < feature_count; ++i) {
    const FeatureInfo& info = feature_table()[i];
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(feature_index(info.name), static_cast<int>(i));
    EXPECT_FALSE(info.meaning.empty() || info.unit.empty()) << info.name;
    EXPECT_FALSE(in_words(i, 0).empty() || in_words(i, 2.5).empty()) << info.name;
  }
  EXPECT_EQ(feature_index("no_such_feature"), -1);
  EXPECT_EQ(in_words(static_cast<std::size_t>(feature_index("user_count_1h")), 9),
            "9 transactions of the user in the last hour");
  EXPECT_EQ(in_words(static_cast<std::size_t>(feature_index("user_hour_share")), 0.125),
            "12.5% of the user's transactions are made at this time of day");
}

struct Growth {
  double early = 0;  // µs of the processor for an event of the merchant: compute() and apply()
  double late = 0;
  double greatest_milliseconds = 0;  // by the clock
};

// One merchant with half of 10,000 events a second of so many users. An event costs `early` in the
// first tenth and `late` in the last one.
Growth growth_of(std::size_t events, Key users, bool tell) {
  State state;
  const Random random(2, Purpose::test);
  Growth growth;
  Time time = begin_time;
  const std::size_t block = events / 10;
  double sum = 0;
  for (std::size_t b = 0; b < 10; ++b) {
    const std::clock_t start = std::clock();
    for (std::size_t i = b * block; i < (b + 1) * block; ++i) {
      time += i % 10 == 0 ? 1 : 0;
      const bool hot = i % 2 == 0;
      Event event =
          event_of(static_cast<Key>(random.below(static_cast<Index>(users), 2 * i)) + 1, time, 10,
                   hot ? 1 : 2 + static_cast<Key>(random.below(5'000, 2 * i + 1)));
      event.has_location = true;
      event.latitude = 40 + static_cast<float>(event.user % 200) / 10;
      event.longitude = static_cast<float>(event.user % 301) / 10;
      const auto before = std::chrono::steady_clock::now();
      sum += compute(event, state)[velocity_at(Kind::merchant, 2)];
      state.apply(event);
      growth.greatest_milliseconds = std::max(
          growth.greatest_milliseconds,
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
              .count());
    }
    const double each = 1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC /
                        static_cast<double>(block);
    (b == 0 ? growth.early : growth.late) = each;
    if (tell) {
      std::printf("%zu events, half of them of one merchant: %.1f us each, merchants %.1f MB\n",
                  (b + 1) * block, each, static_cast<double>(state.memory().merchants) / 1e6);
    }
  }
  EXPECT_GT(sum, 0);
  if (tell) std::printf("at most %.1f ms for one event\n", growth.greatest_milliseconds);
  return growth;
}

TEST(State, AHotMerchantDoesNotCostMoreAsItGrows) {
  const Growth growth = growth_of(100'000, 5'000, false);
  // In between, distinct counts become sketches; a cost that grows with the events would be ten
  // times as high.
  EXPECT_LT(growth.late, 4 * growth.early + 20);
}

TEST(LongState, HoldsAHotMerchantForMinutes) {
  const Growth growth = growth_of(3'000'000, 100'000, true);
  EXPECT_LT(growth.late, 4 * growth.early + 20);
}

// Each with a card, an address and a device of its own.
double newcomers(Key count) {
  State state;
  Time time = begin_time;
  const std::clock_t start = std::clock();
  double greatest = 0;
  double sum = 0;
  for (Key user = 1; user <= count; ++user) {
    time = begin_time + static_cast<Time>(user * 60'000 / count);
    Event event = event_of(user, time, 10, user % 3'000 + 1);
    event.device = user + 3'000'000;
    const auto before = std::chrono::steady_clock::now();
    sum += compute(event, state)[velocity_at(Kind::user, 3)];
    state.apply(event);
    greatest = std::max(greatest, std::chrono::duration<double, std::milli>(
                                      std::chrono::steady_clock::now() - before)
                                      .count());
  }
  EXPECT_EQ(sum, static_cast<double>(count)) << "each is the first of its user";
  EXPECT_EQ(state.counts().users, static_cast<std::int64_t>(count));
  const double each =
      1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / static_cast<double>(count);
  const double bytes = static_cast<double>(state.memory().total) / static_cast<double>(count);
  std::printf("%llu new users: %.1f us and %.0f bytes each, at most %.1f ms\n",
              static_cast<unsigned long long>(count), each, bytes, greatest);
  EXPECT_LT(bytes, 3'000);
  return each;
}

TEST(State, NewUsersCostWhatOthersDo) { EXPECT_LT(newcomers(20'000), 300); }

// Within a minute of the processor, as they come within a minute.
TEST(LongState, TakesAMillionNewUsersInAMinute) { EXPECT_LT(newcomers(1'000'000), 60); }

struct Cost {
  double bytes_per_user = 0;
  double microseconds_per_event = 0;  // of the processor: compute() and apply()
  double greatest_milliseconds = 0;   // of one event, by the clock
  double snapshot_seconds = 0;
};

// Users with a card, an address and a device of their own, 20 transactions each within some days.
Cost cost_of(Key users) {
  const Random random(1, Purpose::test);
  State state;
  Time time = begin_time;
  std::uint64_t drawn = 0;
  double sum = 0;
  Cost cost;
  const auto events = static_cast<double>(users) * 20;
  const auto step = static_cast<Time>(1e8 / static_cast<double>(users)) + 1;
  const std::clock_t start = std::clock();
  for (double i = 0; i < events; ++i) {
    time += step;
    Event event =
        event_of(static_cast<Key>(random.below(static_cast<Index>(users), drawn)) + 1, time, 10,
                 static_cast<Key>(random.below(static_cast<Index>(users) / 20 + 1, drawn + 1)) + 1);
    event.card = event.user + 10'000'000;
    event.ip = event.user + 20'000'000;
    event.device = event.user + 30'000'000;
    event.has_location = true;
    event.latitude = 48 + static_cast<float>(random.below(5, drawn + 2)) / 5;
    drawn += 3;
    const auto before = std::chrono::steady_clock::now();
    sum += compute(event, state)[velocity_at(Kind::user, 3)];
    state.apply(event);
    cost.greatest_milliseconds = std::max(
        cost.greatest_milliseconds,
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before)
            .count());
  }
  EXPECT_GT(sum, 0);
  cost.microseconds_per_event =
      1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / events;
  cost.bytes_per_user = static_cast<double>(state.memory().total) / static_cast<double>(users);
  const auto begun = std::chrono::steady_clock::now();
  std::ofstream nowhere("/dev/null", std::ios::binary);
  state.snapshot(nowhere);
  cost.snapshot_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  std::printf("%llu users: %.0f bytes a user, %.1f us an event, at most %.1f ms, snapshot %.1f s\n",
              static_cast<unsigned long long>(users), cost.bytes_per_user,
              cost.microseconds_per_event, cost.greatest_milliseconds, cost.snapshot_seconds);
  return cost;
}

TEST(State, TakesSomeKilobytesOfAUserAndSomeMicrosecondsOfAnEvent) {
  const Cost cost = cost_of(4'000);
  EXPECT_LT(cost.bytes_per_user, 6'000);
  EXPECT_LT(cost.microseconds_per_event, 500);
}

// What docs/fraud.md says; TANDEM_FRAUD_USERS asks for another number of users than a million.
TEST(LongState, HoldsAMillionUsers) {
  const char* const users = std::getenv("TANDEM_FRAUD_USERS");
  const Cost cost = cost_of(users != nullptr ? std::strtoull(users, nullptr, 10) : 1'000'000);
  EXPECT_LT(cost.bytes_per_user, 6'000);
}

}  // namespace
}  // namespace tandem::fraud

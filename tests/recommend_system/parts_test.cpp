// The parts that need no model: items, events, viewers, trending, cache, monitor.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include "systems/http/message.hpp"
#include "systems/recommend/cache.hpp"
#include "systems/recommend/configuration.hpp"
#include "systems/recommend/likeness.hpp"
#include "systems/recommend/monitor.hpp"
#include "systems/recommend/state.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

Item item(const std::string& id, const std::string& title = "", const std::string& genre = "",
          const std::string& creator = "") {
  Item made;
  made.id = id;
  made.title = title;
  made.genre = genre;
  made.creator = creator;
  return made;
}

Event event(const std::string& user, const std::string& id, Time time,
            EventKind kind = EventKind::watch) {
  Event made;
  made.user = user;
  made.item = id;
  made.time = time;
  made.kind = kind;
  return made;
}

TEST(Catalogue, LikenessIsTheCosineOfTfIdf) {
  const Catalogue catalogue({item("a", "Red Fox", "drama"), item("b", "Red Owl", "drama"),
                             item("c", "Blue Whale", "comedy"), item("d")});
  // Of 4 items: drama 2, red 2, fox 1, owl 1; the genre counts twice.
  const double common = std::log(5.0 / 3) + 1;
  const double rare = std::log(5.0 / 2) + 1;
  const double squares = 4 * common * common + common * common + rare * rare;
  EXPECT_NEAR(catalogue.similarity(0, 1), (5 * common * common) / squares, 1e-6);
  EXPECT_EQ(catalogue.similarity(0, 2), 0);
  EXPECT_EQ(catalogue.similarity(0, 3), 0);
  EXPECT_NEAR(catalogue.similarity(0, 0), 1, 1e-6);
  EXPECT_TRUE(catalogue.terms(3).empty());
}

TEST(Catalogue, NumbersStayWhereAnotherTakesItsPlace) {
  const Catalogue before({item("a"), item("b"), item("c")});
  const Catalogue after({item("c", "See"), item("new"), item("a")}, &before);
  EXPECT_EQ(after.find("a"), before.find("a"));
  EXPECT_EQ(after.find("c"), before.find("c"));
  EXPECT_EQ(after.item(after.find("c")).title, "See");
  EXPECT_EQ(after.find("new"), 3U);
  EXPECT_FALSE(after.item(after.find("b")).listed);
  EXPECT_TRUE(after.item(after.find("a")).listed);
  EXPECT_THROW(Catalogue({item("a"), item("a")}), InputError);
  EXPECT_THROW(Catalogue({item("")}), InputError);
}

TEST(Events, ARecordReadsBackAndBrokenOnesAreRefused) {
  Event made = event("u", "i", 1234, EventKind::like);
  made.weight = 0.25;
  made.id = "one";
  made.answer = "00ff";
  const std::string record = encode(made);
  EXPECT_EQ(decode_event(record), made);
  for (std::size_t length = 0; length < record.size(); ++length) {
    EXPECT_THROW((void)decode_event(record.substr(0, length)), InputError) << length;
  }
  EXPECT_THROW((void)decode_event(record + "x"), InputError);
}

TEST(Events, RequestsSayWhatIsWrongWithThem) {
  const auto list = parse_events(R"({"events": [{"user": "u", "content_id": "i"},
      {"user": "u", "item": "j", "type": "click", "time": "2026-01-01T00:00:00Z"}]})",
                                 5'000'000'000'000);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].kind, EventKind::watch);
  EXPECT_EQ(list[0].time, 5'000'000'000'000);
  EXPECT_EQ(list[1].time, 1767225600000);
  // A clock that is ahead is set back.
  EXPECT_EQ(parse_events(R"({"user": "u", "item": "i", "time": 99})", 50)[0].time, 50);
  EXPECT_EQ(parse_events(R"({"user": "u", "item": "i", "time": 18446744073709551615})", 50)[0].time,
            50);
  // Of one viewer, who is named beside them.
  const auto of_one =
      parse_events(R"({"events": [{"item": "i"}, {"item": "j", "user": "v"}]})", 50, "v");
  EXPECT_EQ(of_one[0].user, "v");
  EXPECT_EQ(of_one[1].user, "v");
  EXPECT_THROW((void)parse_events(R"({"item": "i", "user": "u"})", 50, "v"), http::HttpError);
  const std::pair<const char*, const char*> wrong[]{
      {R"({"item": "i"})", "'user' is missing"},
      {R"({"user": "u"})", "'item' is missing"},
      {R"({"user": "", "item": "i"})", "'user' is empty"},
      {R"({"user": 1, "item": "i"})", "'user' is no text"},
      {R"({"user": "u", "item": "i", "type": "forget"})", "expected watch, click"},
      {R"({"user": "u", "item": "i", "weight": 0})", "'weight' is not in (0, 1]"},
      {R"({"user": "u", "item": "i", "time": -1})", "lies before 1970"},
      {R"({"user": "u", "item": "i", "content_id": "i"})", "expected one of them"},
      {R"({"user": "u", "item": "i", "when": 1})", "unknown member 'when'"},
      {R"({"user": "u\u0001", "item": "i"})", "control character"},
      {R"({"events": []})", "is empty"},
      {R"({"events": [{"user": "u", "item": "i"}, 3]})", "events[1]: expected an object"},
  };
  for (const auto& [body, message] : wrong) {
    try {
      (void)parse_events(body, 100);
      FAIL() << body;
    } catch (const http::HttpError& error) {
      EXPECT_EQ(error.status, 400);
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
}

TEST(Trending, CountersHalveAndTheOrderChangesByEventsOnly) {
  constexpr Time hour = 3'600'000;
  Trending trending(6, 3);
  const Time start = 1000 * hour;
  trending.add(4, start, 1);
  trending.add(5, start + 6 * hour, 1);
  trending.add(4, start + 12 * hour, 0.5);
  EXPECT_NEAR(trending.value(4, start + 12 * hour), 0.25 + 0.5, 1e-12);
  EXPECT_NEAR(trending.value(5, start + 12 * hour), 0.5, 1e-12);
  EXPECT_NEAR(trending.value(5, start + 18 * hour), 0.25, 1e-12);
  const auto leaders = trending.leaders(start + 12 * hour);
  ASSERT_EQ(leaders.size(), 2U);
  EXPECT_EQ(leaders[0].item, 4U);
  // Four items for three places, and one that comes years later.
  for (ItemNumber i = 0; i < 4; ++i) trending.add(i, start + 13 * hour, 1 + i);
  EXPECT_EQ(trending.leaders(start + 13 * hour)[0].item, 3U);
  EXPECT_EQ(trending.leaders(start + 13 * hour).size(), 3U);
  trending.add(9, start + 40'000 * hour, 1);
  EXPECT_EQ(trending.leaders(start + 40'000 * hour)[0].item, 9U);
  EXPECT_NEAR(trending.value(9, start + 40'000 * hour), 1, 1e-12);
  EXPECT_NEAR(trending.total(3), 4, 1e-6);
}

// The state as a snapshot that stands for `sequence` events.
std::string snapshot_of(const State& state, const Catalogue& catalogue, std::uint64_t sequence) {
  const auto items = std::make_shared<const Catalogue>(catalogue);
  SnapshotWriter writer(
      state, [&] { return items; },
      [&](const std::function<void()>& copy) {
        copy();
        return sequence;
      });
  EXPECT_EQ(writer.sequence(), sequence);
  std::stringstream bytes;
  writer.write(bytes);
  return bytes.str();
}

TEST(State, ASnapshotIsTheState) {
  const Catalogue catalogue({item("a"), item("b"), item("c")});
  State state(6);
  Event once = event("u1", "a", 1'000'000);
  once.id = "x";
  EXPECT_TRUE(state.apply(once, catalogue));
  EXPECT_FALSE(state.apply(once, catalogue));  // known already
  EXPECT_FALSE(state.apply(event("u1", "gone", 1), catalogue));
  EXPECT_TRUE(state.apply(event("u1", "b", 2'000'000, EventKind::like), catalogue));
  EXPECT_TRUE(state.apply(event("u2", "c", 3'000'000, EventKind::hide), catalogue));
  const std::string whole = snapshot_of(state, catalogue, 5);

  // Into a catalogue where the items stand elsewhere, and one is gone.
  const Catalogue other({item("new"), item("b"), item("c")});
  State read(6);
  SnapshotParts parts;
  std::stringstream bytes(whole);
  EXPECT_EQ(read_snapshot(bytes, read, other, parts), 1);
  EXPECT_EQ(parts.counters, 5U);
  for (const std::uint64_t shard : parts.shards) EXPECT_EQ(shard, 5U);
  const ViewerView u1 = read.viewers.view("u1");
  ASSERT_EQ(u1.history.size(), 1U);
  EXPECT_EQ(u1.history[0].item, other.find("b"));
  EXPECT_EQ(u1.history[0].strength, 2);
  EXPECT_EQ(read.viewers.view("u2").hidden, std::vector<ItemNumber>{other.find("c")});
  EXPECT_FALSE(read.apply(once, other));
  EXPECT_NEAR(read.trending.value(other.find("b"), 2'000'000),
              state.trending.value(catalogue.find("b"), 2'000'000), 1e-12);

  for (std::size_t length = 0; length < whole.size(); ++length) {
    std::stringstream part(whole.substr(0, length));
    State scratch(6);
    EXPECT_THROW((void)read_snapshot(part, scratch, other, parts), InputError) << length;
  }
}

TEST(State, ASnapshotIsWrittenWhileEventsAndItemsCome) {
  std::vector<Item> first;
  std::vector<Item> second;
  for (int i = 0; i < 40; ++i) second.push_back(item("i" + std::to_string(i)));
  first.assign(second.begin(), second.begin() + 20);
  auto items = std::make_shared<const Catalogue>(first);
  State state(6);
  std::vector<Event> log;
  const auto happen = [&](int user, int number) {
    log.push_back(event("u" + std::to_string(user), "i" + std::to_string(number), 1000 + number));
    EXPECT_TRUE(state.apply(log.back(), *items));
  };
  for (int i = 0; i < 100; ++i) happen(i, i % 20);
  int pauses = 0;
  SnapshotWriter writer(
      state, [&] { return items; },
      [&](const std::function<void()>& copy) {
        // Before each part something has happened, and after the tenth there are new items.
        if (++pauses == 10) items = std::make_shared<const Catalogue>(second, items.get());
        for (int i = 0; i < 3; ++i) {
          happen((pauses * 7 + i) % 130, (pauses + i) % (pauses < 10 ? 20 : 40));
        }
        copy();
        return log.size();
      });
  std::stringstream bytes;
  writer.write(bytes);
  EXPECT_EQ(pauses, 65);
  EXPECT_EQ(writer.sequence(), 103U);
  // Read, with the events behind it, it is the state.
  State read(6);
  SnapshotParts parts;
  EXPECT_EQ(read_snapshot(bytes, read, *items, parts), 0);
  EXPECT_EQ(parts.counters, 103U);
  for (std::size_t i = parts.counters; i < log.size(); ++i) {
    EXPECT_TRUE(read.apply(log[i], *items, i >= parts.shards[Viewers::shard_of(log[i].user)]));
  }
  ASSERT_EQ(read.viewers.size(), state.viewers.size());
  for (int u = 0; u < 130; ++u) {
    const auto a = state.viewers.view("u" + std::to_string(u)).history;
    const auto b = read.viewers.view("u" + std::to_string(u)).history;
    ASSERT_EQ(a.size(), b.size()) << u;
    for (std::size_t k = 0; k < a.size(); ++k) {
      EXPECT_EQ(a[k].item, b[k].item);
      EXPECT_EQ(a[k].time, b[k].time);
      EXPECT_EQ(a[k].strength, b[k].strength);
    }
  }
  for (ItemNumber i = 0; i < 40; ++i) {
    EXPECT_NEAR(read.trending.total(i), state.trending.total(i), 1e-6);
  }
}

TEST(Likeness, IsThatOfTheCatalogueForAllAtOnce) {
  std::vector<Item> items;
  const char* const words[]{"Red", "Blue", "Fox", "Owl", "Sea"};
  for (int i = 0; i < 60; ++i) {
    items.push_back(item("i" + std::to_string(i),
                         std::string(words[i % 5]) + " " + words[i / 5 % 5],
                         i % 3 == 0   ? "drama"
                         : i % 3 == 1 ? "comedy"
                                      : "",
                         i % 4 == 0 ? "Ada" : ""));
  }
  items.push_back(item("bare"));
  const Catalogue catalogue(items);
  std::vector<ItemNumber> numbers;
  for (ItemNumber i = 0; i < catalogue.size(); i += 2)
    numbers.push_back(static_cast<ItemNumber>(catalogue.size()) - 1 - i);
  for (int round = 0; round < 2; ++round) {  // the second finds the table as the first left it
    Likeness likeness(catalogue, numbers);
    std::vector<float> greatest(numbers.size(), 0.0F);
    std::vector<float> wanted(numbers.size(), 0.0F);
    for (const std::size_t of : {std::size_t{0}, std::size_t{5}, std::size_t{17}}) {
      likeness.raise(of, greatest);
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        wanted[i] = std::max(wanted[i], catalogue.similarity(numbers[i], numbers[of]));
      }
      EXPECT_EQ(greatest, wanted);
    }
  }
}

TEST(Viewers, HistoriesAreBoundedAndDislikesTakeThingsOut) {
  Viewers viewers;
  for (ItemNumber i = 0; i < longest_history + 50; ++i) {
    viewers.apply(event("u", "", Time{i} * 1000), i, i + 1);
  }
  ViewerView view = viewers.view("u");
  ASSERT_EQ(view.history.size(), longest_history);
  EXPECT_EQ(view.history.front().item, 50U);
  EXPECT_EQ(view.feedback, longest_history + 50);
  viewers.apply(event("u", "", 1'000'000, EventKind::dislike), 60, 1000);
  view = viewers.view("u");
  EXPECT_EQ(view.history.size(), longest_history - 1);
  EXPECT_EQ(view.hidden, std::vector<ItemNumber>{60});
  // An event that comes late stands where its time is.
  viewers.apply(event("u", "", 55'500), 999, 1001);
  view = viewers.view("u");
  const auto at = std::find_if(view.history.begin(), view.history.end(),
                               [](const Watched& one) { return one.item == 999; });
  ASSERT_NE(at, view.history.end());
  EXPECT_EQ((at - 1)->item, 55U);
  EXPECT_TRUE(viewers.forget("u"));
  EXPECT_FALSE(viewers.forget("u"));
  EXPECT_EQ(viewers.view("u").feedback, 0U);
}

TEST(Cache, OneWorksOutWhatManyAsk) {
  AnswerCache cache(10'000, std::chrono::milliseconds(1000));
  const auto now = std::chrono::steady_clock::now();
  bool mine = false;
  std::vector<std::string> heard;
  const auto listen = [&](const AnswerCache::Text& text) {
    heard.push_back(text ? *text : "none");
  };
  EXPECT_EQ(cache.find("k", now, listen, mine), nullptr);
  EXPECT_TRUE(mine);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache.find("k", now, listen, mine), nullptr);
    EXPECT_FALSE(mine);
  }
  cache.put("k", std::make_shared<const std::string>("answer"), now);
  EXPECT_EQ(heard, (std::vector<std::string>{"answer", "answer", "answer"}));
  EXPECT_EQ(*cache.find("k", now, listen, mine), "answer");
  EXPECT_EQ(cache.counts().misses, 1U);
  EXPECT_EQ(cache.counts().joined, 3U);
  EXPECT_EQ(cache.counts().hits, 1U);
  EXPECT_DOUBLE_EQ(cache.counts().hit_rate(), 0.8);
  // Its time is over; whoever fails lets the others know.
  EXPECT_EQ(cache.find("k", now + std::chrono::seconds(2), listen, mine), nullptr);
  EXPECT_TRUE(mine);
  EXPECT_EQ(cache.find("k", now, listen, mine), nullptr);
  cache.give_up("k");
  EXPECT_EQ(heard.back(), "none");
  // No answer is kept for more than five minutes, whatever is asked for.
  AnswerCache long_lived(10'000, std::chrono::hours(1));
  (void)long_lived.find("k", now, listen, mine);
  long_lived.put("k", std::make_shared<const std::string>("old"), now);
  EXPECT_EQ(long_lived.find("k", now + std::chrono::seconds(301), listen, mine), nullptr);
}

TEST(Cache, TheLeastRecentlyUsedGoesFirst) {
  AnswerCache cache(3 * (256 + 2 + 100));
  const auto now = std::chrono::steady_clock::now();
  const auto text = std::make_shared<const std::string>(100, 'x');
  bool mine = false;
  const auto nobody = [](const AnswerCache::Text&) {};
  for (const char* const key : {"a", "b", "c"}) {
    (void)cache.find(key, now, nobody, mine);
    cache.put(key, text, now);
  }
  EXPECT_NE(cache.find("a", now, nobody, mine), nullptr);
  (void)cache.find("d", now, nobody, mine);
  cache.put("d", text, now);
  EXPECT_NE(cache.find("a", now, nobody, mine), nullptr);
  EXPECT_EQ(cache.find("b", now, nobody, mine), nullptr);
  EXPECT_LE(cache.bytes(), cache.capacity());
  cache.drop_prefix("a");
  EXPECT_EQ(cache.find("a", now, nobody, mine), nullptr);
}

TEST(Monitor, TheFirstSampleSetsTheAverage) {
  Monitor monitor;
  monitor.add(50);
  EXPECT_DOUBLE_EQ(monitor.average_ms(), 50);
  monitor.add(150);
  EXPECT_DOUBLE_EQ(monitor.average_ms(), 60);
  EXPECT_FALSE(monitor.advice(0.5, true).scale_up);
  for (int i = 0; i < 200; ++i) monitor.add(350);
  const Advice advice = monitor.advice(0.5, true);
  EXPECT_TRUE(advice.scale_up);
  EXPECT_EQ(advice.replicas, 4);
  EXPECT_DOUBLE_EQ(advice.cache_times, 2);
  EXPECT_DOUBLE_EQ(monitor.advice(0.5, false).cache_times, 1);
  EXPECT_NE(advice.reason.find("4 replicas"), std::string::npos);
}

TEST(Monitor, QuantilesAreOfTheLatestAnswers) {
  Monitor monitor;
  EXPECT_EQ(monitor.quantile_ms(0.5), 0);
  for (int i = 100; i >= 1; --i) monitor.add(i);
  EXPECT_EQ(monitor.quantile_ms(0.5), 50);
  EXPECT_EQ(monitor.quantile_ms(0.99), 99);
  EXPECT_EQ(monitor.quantile_ms(1), 100);
  for (int i = 0; i < 4096; ++i) monitor.add(7);
  EXPECT_EQ(monitor.quantile_ms(1), 7);
  monitor.add_error();
  EXPECT_EQ(monitor.errors(), 1U);
}

TEST(Configuration, FilesSayWhatIsWrongWithThem) {
  const auto one = parse_configurations(R"({"version": "a", "weights": {"content": 1}})", "f");
  EXPECT_EQ(one[0].weights, (std::array<double, 4>{0, 1, 0, 0}));
  EXPECT_EQ(Configuration::parse(one[0].to_json()).to_json(), one[0].to_json());
  const std::pair<const char*, const char*> wrong[]{
      {"[", "f: is no JSON"},
      {"{}", "'version' is missing"},
      {R"({"version": "a", "weight": 1})", "'weight' is not known"},
      {R"({"version": "a", "weights": {"content": 0.5}})", "do not sum to 1"},
      {R"({"version": "a", "max_per_genre": 1e400})", "no JSON"},
      {R"({"version": "a", "max_per_genre": 18446744073709551615})", "out of range"},
      {R"({"version": "a", "exploration": {"method": "ucb"}})",
       "expected none, epsilon or thompson"},
      {R"({"version": "a", "boosts": [{"times": 2}]})", "expected one of item, genre and creator"},
      {R"({"configurations": [{"version": "a"}, {"version": "a"}]})", "stands twice"},
      {R"({"configurations": []})", "is no list, or empty"},
  };
  for (const auto& [text, message] : wrong) {
    try {
      (void)parse_configurations(text, "f");
      FAIL() << text;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace tandem::recommend

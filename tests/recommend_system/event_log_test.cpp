// What is acknowledged is there again, and what is to be forgotten is gone from the disk.
#include "systems/recommend/event_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>

#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

namespace fs = std::filesystem;

class EventLogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::path(::testing::TempDir()) / "events-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::vector<Item> items(20);
    for (std::size_t i = 0; i < items.size(); ++i) items[i].id = "i" + std::to_string(i);
    catalogue_ = std::make_shared<const Catalogue>(std::move(items));
  }
  void TearDown() override { fs::remove_all(folder_); }

  struct Opened {
    State state{6};
    std::unique_ptr<EventLog> log;
    std::atomic<int> applied{0};
  };
  std::unique_ptr<Opened> open() {
    auto made = std::make_unique<Opened>();
    EventLogOptions options;
    options.folder = folder_;
    options.durability = journal::Durability::os;
    made->log = std::make_unique<EventLog>(
        options, made->state, [this] { return catalogue_; },
        [at = made.get()](const Event&) { ++at->applied; }, quiet_);
    return made;
  }
  static Event watch(const std::string& user, int item) {
    Event event;
    event.user = user;
    event.item = "i" + std::to_string(item);
    event.time = 1000 + item;
    return event;
  }
  static std::int64_t add(EventLog& log, std::vector<Event> events) {
    std::promise<std::int64_t> done;
    log.add(std::move(events), [&](std::int64_t applied) { done.set_value(applied); });
    return done.get_future().get();
  }
  [[nodiscard]] bool on_disk(const std::string& text) const {
    for (const auto& entry : fs::recursive_directory_iterator(folder_ + "/events")) {
      if (!entry.is_regular_file()) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes{std::istreambuf_iterator<char>(file), {}};
      if (bytes.find(text) != std::string::npos) return true;
    }
    return false;
  }

  std::string folder_;
  std::shared_ptr<const Catalogue> catalogue_;
  http::Log quiet_{"/dev/null"};
};

TEST_F(EventLogTest, WhatWasAcknowledgedIsThereAfterwards) {
  {
    const auto opened = open();
    EXPECT_TRUE(opened->log->replayed().fresh);
    EXPECT_EQ(add(*opened->log, {watch("u1", 1), watch("u1", 2), watch("u2", 3)}), 3);
    // It is applied before it is acknowledged.
    EXPECT_EQ(opened->state.viewers.view("u1").history.size(), 2U);
    EXPECT_EQ(opened->applied, 3);
    Event once = watch("u1", 4);
    once.id = "same";
    EXPECT_EQ(add(*opened->log, {once}), 1);
    EXPECT_EQ(add(*opened->log, {once, watch("u3", 5)}), 1);
  }
  const auto again = open();
  EXPECT_FALSE(again->log->replayed().fresh);
  EXPECT_EQ(again->state.viewers.view("u1").history.size(), 3U);
  EXPECT_EQ(again->state.viewers.size(), 3U);
  again->log->write_snapshot();
  EXPECT_EQ(add(*again->log, {watch("u4", 6)}), 1);
  const auto feedback_before = again->state.viewers.feedback("u1");
  EXPECT_GT(feedback_before, 0U);
}

TEST_F(EventLogTest, ASnapshotAndTheLogBehindItAreTheState) {
  {
    const auto opened = open();
    (void)add(*opened->log, {watch("u1", 1)});
    opened->log->write_snapshot();
    (void)add(*opened->log, {watch("u1", 2)});
  }
  const auto again = open();
  EXPECT_EQ(again->log->replayed().events, 1);
  EXPECT_EQ(again->state.viewers.view("u1").history.size(), 2U);
  EXPECT_NEAR(again->state.trending.total(1), 1, 1e-6);
}

TEST_F(EventLogTest, ManyAtOnceAreAllKept) {
  {
    const auto opened = open();
    std::vector<std::thread> threads;
    std::atomic<std::int64_t> applied{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) {
          applied += add(*opened->log, {watch("u" + std::to_string(t), i % 20)});
          if (t == 0 && i % 40 == 20) opened->log->write_snapshot();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(applied, 400);
  }
  const auto again = open();
  for (int t = 0; t < 4; ++t) {
    float sum = 0;
    for (const Watched& one : again->state.viewers.view("u" + std::to_string(t)).history) {
      sum += one.strength;
    }
    EXPECT_FLOAT_EQ(sum, 20 * 4) << t;  // five times each of 20 items, of which four count
  }
}

TEST_F(EventLogTest, WhoIsForgottenIsErasedFromTheDisk) {
  {
    const auto opened = open();
    (void)add(*opened->log, {watch("somebody-secret", 1), watch("u2", 2)});
    opened->log->write_snapshot();
    (void)add(*opened->log, {watch("somebody-secret", 3), watch("u2", 4)});
    EXPECT_TRUE(on_disk("somebody-secret"));
    Event forget;
    forget.user = "somebody-secret";
    forget.kind = EventKind::forget;
    EXPECT_EQ(add(*opened->log, {forget}), 1);
    EXPECT_EQ(opened->state.viewers.view("somebody-secret").feedback, 0U);
    opened->log->erase_removed();
    EXPECT_FALSE(on_disk("somebody-secret"));
    EXPECT_TRUE(on_disk("u2"));
  }
  const auto again = open();
  EXPECT_EQ(again->state.viewers.size(), 1U);
  EXPECT_EQ(again->state.viewers.view("u2").history.size(), 2U);
}

TEST_F(EventLogTest, ChoicesAndTheirRewardsCanBeJudged) {
  {
    const auto opened = open();
    opened->log->add_choice({"a1", 5, "v", {"i1", "i2"}, 1, 0.1});
    opened->log->add_choice({"a2", 6, "v", {"i1", "i3"}, 0, 0.9});
    opened->log->add_reward("a1");
  }
  const ChoiceLog log = read_choices(folder_);
  ASSERT_EQ(log.choices.size(), 2U);
  EXPECT_EQ(log.rewards, (std::vector<double>{1, 0}));
  EXPECT_EQ(log.items, (std::vector<std::string>{"i1", "i2", "i3"}));
  const auto again = open();
  EXPECT_EQ(again->state.tallies.of(2).clicks, 1);
  EXPECT_EQ(again->state.tallies.of(1).shown, 1);
}

}  // namespace
}  // namespace tandem::recommend

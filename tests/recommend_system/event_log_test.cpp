// What is acknowledged is there again, and what is to be forgotten is gone from the disk.
#include "systems/recommend/event_log.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "systems/journal/memory_storage.hpp"
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
    options.folder = folder_ + "/events";
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

// A log on a disk in memory, which can lose power and fail.
class FailingDisk : public EventLogTest {
 protected:
  std::unique_ptr<Opened> open_on(const std::shared_ptr<journal::MemoryStorage>& disk) {
    auto made = std::make_unique<Opened>();
    EventLogOptions options;
    options.folder = "events";
    options.storage = disk;
    made->log = std::make_unique<EventLog>(
        options, made->state, [this] { return catalogue_; },
        [at = made.get()](const Event&) { ++at->applied; }, quiet_);
    return made;
  }
  // How often each viewer has watched each of the first items, by strength.
  static void expect_at_least(const State& state,
                              const std::map<std::pair<std::string, int>, int>& acknowledged,
                              const std::string& when) {
    for (const auto& [what, count] : acknowledged) {
      float strength = 0;
      for (const Watched& one : state.viewers.view(what.first).history) {
        if (one.item == static_cast<ItemNumber>(what.second)) strength = one.strength;
      }
      EXPECT_GE(strength, std::min(4, count)) << what.first << " " << what.second << when;
    }
  }
};

TEST_F(FailingDisk, ALossOfPowerLosesNothingThatWasAcknowledged) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    auto disk = std::make_shared<journal::MemoryStorage>();
    std::map<std::pair<std::string, int>, int> acknowledged;
    for (std::uint64_t life = 0; life < 3; ++life) {
      std::shared_ptr<journal::MemoryStorage> after;
      {
        const auto opened = open_on(disk);
        expect_at_least(opened->state, acknowledged, " at the start");
        for (int i = 0; i < 12; ++i) {
          const std::string user = "u" + std::to_string((seed + static_cast<std::uint64_t>(i)) % 5);
          const int item = i % 4;
          EXPECT_EQ(add(*opened->log, {watch(user, item)}), 1);
          ++acknowledged[{user, item}];
          if ((static_cast<std::uint64_t>(i) + seed) % 5 == 0) opened->log->write_snapshot();
        }
        // The power goes while a group, or a snapshot, is on its way to the disk.
        disk->before_sync([&, copied = false]() mutable {
          if (copied) return;
          copied = true;
          after = disk->after_power_loss(seed * 3 + life,
                                         seed % 2 == 0 ? journal::MemoryStorage::Torn::prefix
                                                       : journal::MemoryStorage::Torn::pages);
        });
        if (seed % 3 == 0) {
          opened->log->write_snapshot();
        } else {
          (void)add(*opened->log, {watch("late", 1)});
        }
        if (!after) {
          after = disk->after_power_loss(seed * 3 + life, journal::MemoryStorage::Torn::prefix);
        }
        disk->before_sync({});
      }
      disk = after;
    }
    expect_at_least(open_on(disk)->state, acknowledged, " seed " + std::to_string(seed));
  }
}

TEST_F(FailingDisk, AFullDiskAcknowledgesNothingAndKeepsWhatWas) {
  for (const bool sync : {false, true}) {
    const auto disk = std::make_shared<journal::MemoryStorage>();
    std::map<std::pair<std::string, int>, int> acknowledged;
    {
      const auto opened = open_on(disk);
      if (sync) {
        disk->fail_sync_after(5);
      } else {
        disk->fail_write_after(5);
      }
      int refused = 0;
      for (int i = 0; i < 12; ++i) {
        try {
          if (add(*opened->log, {watch("u", i)}) == 1) {
            ++acknowledged[{"u", i}];
            EXPECT_EQ(refused, 0);
          } else {
            ++refused;
          }
        } catch (const SystemError&) {
          ++refused;
        }
      }
      EXPECT_GT(refused, 0);
      EXPECT_TRUE(opened->log->failed());
      EXPECT_FALSE(opened->log->failure().empty());
    }
    EXPECT_GT(acknowledged.size(), 2U);
    expect_at_least(open_on(disk->after_kill())->state, acknowledged, " after a restart");
  }
}

TEST_F(FailingDisk, ADamagedSnapshotIsMadeUpForByTheOneBeforeIt) {
  const auto disk = std::make_shared<journal::MemoryStorage>();
  std::map<std::pair<std::string, int>, int> acknowledged;
  {
    const auto opened = open_on(disk);
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(add(*opened->log, {watch("u", i)}), 1);
      ++acknowledged[{"u", i}];
      if (i % 6 == 5) opened->log->write_snapshot();
    }
  }
  std::string newest;
  for (const std::string& name : disk->list("events")) {
    if (name.starts_with("snapshot-")) newest = std::max(newest, name);
  }
  auto bytes = disk->content("events/" + newest);
  bytes[bytes.size() / 2] ^= std::byte{1};
  disk->set_content("events/" + newest, bytes);
  expect_at_least(open_on(disk)->state, acknowledged, "");
}

}  // namespace
}  // namespace tandem::recommend

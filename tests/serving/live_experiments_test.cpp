// Experiments of a running server, from many threads at once, and while the store fails.
#include "systems/serving/live_experiments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <thread>

namespace tandem::serving {
namespace {

using experiments::Experiment;
using nlohmann::json;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

json definition(const std::string& name) {
  return {{"name", name},
          {"model", "m"},
          {"unit", "user"},
          {"arms", {{{"name", "old"}}, {{"name", "new"}, {"version", "2"}}}},
          {"metrics", {{{"name", "bought"}}}}};
}

class LiveExperimentsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::path(::testing::TempDir()) / "live-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    options_.place = folder_ + "/experiments.sqlite";
    options_.write_every = milliseconds(5);
    options_.look_every = milliseconds(20);
    options_.check_every = milliseconds(20);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::unique_ptr<LiveExperiments> open() {
    return std::make_unique<LiveExperiments>(options_, metrics_, log_);
  }
  static Asker asker(const std::string& unit) {
    Asker made;
    made.unit = unit;
    return made;
  }

  std::string folder_;
  LiveOptions options_;
  http::Metrics metrics_;
  http::Log log_{{}, http::LogLevel::off};
};

TEST_F(LiveExperimentsTest, EachUnitIsExposedOnceWhateverThreadsAsk) {
  constexpr int units = 500;
  {
    const auto live = open();
    (void)live->create(Experiment::parse(definition("e")));
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 4 * units; ++i) {
          const std::string unit = "u" + std::to_string(i % units);
          const auto placement = live->place("m", asker(unit));
          if (!placement || placement->unit != unit) {
            ++wrong;
            continue;
          }
          live->exposed(*placement);
        }
      });
    }
    // Meanwhile experiments come and go.
    for (int k = 0; k < 20; ++k) {
      const std::string name = "other" + std::to_string(k);
      json other = definition(name);
      other["model"] = "another";
      (void)live->create(Experiment::parse(other));
      (void)live->stop(name, "enough");
      (void)live->list();
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
  experiments::Store store(options_.place, false);
  const auto analysis = store.analyse("e", time_now() + 1'000);
  EXPECT_EQ(analysis.units[0] + analysis.units[1], units);
  EXPECT_GT(analysis.units[1], units / 3);
  EXPECT_THAT(metrics_.text(), HasSubstr("tandem_exposures_dropped_total 0"));
}

TEST_F(LiveExperimentsTest, TheOldestExperimentOfAModelDecides) {
  const auto live = open();
  json first = definition("first");
  first["condition"] = {{"country", "NO"}};
  (void)live->create(Experiment::parse(first));
  std::this_thread::sleep_for(milliseconds(5));  // times are milliseconds
  (void)live->create(Experiment::parse(definition("second")));
  Asker norwegian = asker("u1");
  norwegian.attributes = {{"country", "NO"}};
  EXPECT_EQ(live->place("m", norwegian)->experiment->definition.name, "first");
  EXPECT_EQ(live->place("m", asker("u1"))->experiment->definition.name, "second");
  EXPECT_FALSE(live->place("other model", norwegian).has_value());
  EXPECT_FALSE(live->place("m", {}).has_value());
  // The unit of the attributes wins over the unit by itself.
  norwegian.attributes["user"] = "u2";
  EXPECT_EQ(live->place("m", norwegian)->unit, "u2");
}

TEST_F(LiveExperimentsTest, AUnitWithADottedNameGoesIntoTheAttributes) {
  const auto live = open();
  json dotted = definition("e");
  dotted["unit"] = "user.id";
  (void)live->create(Experiment::parse(dotted));
  EXPECT_EQ(live->place("m", asker("u1"))->unit, "u1");
}

TEST_F(LiveExperimentsTest, ExposuresWaitWhileTheStoreIsGone) {
  options_.most_waiting = 30;
  {
    const auto live = open();
    (void)live->create(Experiment::parse(definition("e")));
    // Another program holds the database: a write would wait ten seconds, and fails.
    const auto other = store::Database::open(options_.place);
    (void)other->query("BEGIN EXCLUSIVE");
    for (int i = 0; i < 50; ++i) {
      const auto placement = live->place("m", asker("u" + std::to_string(i)));
      ASSERT_TRUE(placement.has_value());  // arms need no database
      live->exposed(*placement);
    }
    (void)other->query("COMMIT");
  }
  experiments::Store store(options_.place, false);
  const auto analysis = store.analyse("e", time_now() + 1'000);
  // At most those that had been taken before the lock, and `most_waiting`.
  EXPECT_GE(analysis.units[0] + analysis.units[1], 30);
  EXPECT_LE(analysis.units[0] + analysis.units[1], 50);
}

TEST_F(LiveExperimentsTest, AGuardEndsAnExperimentByItself) {
  const auto live = open();
  json guarded = definition("e");
  guarded["planned_units"] = 500;
  guarded["metrics"] = {
      {{"name", "failed"}, {"better", "decrease"}, {"guard", true}, {"margin", 0.01}}};
  (void)live->create(Experiment::parse(guarded));
  std::vector<experiments::Outcome> outcomes;
  for (int i = 0; i < 600; ++i) {
    const std::string unit = "u" + std::to_string(i);
    const auto placement = live->place("m", asker(unit));
    live->exposed(*placement);
    if (placement->arm == 1) {
      outcomes.push_back({unit, "failed", 1, placement->time + 1, ""});
    }
  }
  EXPECT_EQ(live->record_outcomes(outcomes), static_cast<std::int64_t>(outcomes.size()));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (live->place("m", asker("u1")) && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_FALSE(live->place("m", asker("u1")).has_value());
  const json shown = live->describe("e");
  EXPECT_EQ(shown["status"], "rolled back");
  EXPECT_EQ(shown["reason"], "guard failed is breached by new");
  EXPECT_THAT(metrics_.text(), HasSubstr(R"(tandem_experiment_rollbacks_total{experiment="e"} 1)"));
}

TEST(Asker, WhatCannotBeKeptIsRefused) {
  for (const std::string& text : {std::string(), std::string(300, 'x'), std::string("a\0b", 3),
                                  std::string("\xff"), std::string("a\nb")}) {
    EXPECT_THROW((void)checked_text(text, "unit"), http::HttpError);
  }
  EXPECT_EQ(checked_text("Åse", "unit"), "Åse");
  Asker asker;
  read_forced(asker, "a=b,c=d");
  EXPECT_EQ(asker.forced.size(), 2U);
  EXPECT_THROW(read_forced(asker, "a"), http::HttpError);
  EXPECT_THROW(read_forced(asker, "=b"), http::HttpError);
}

}  // namespace
}  // namespace tandem::serving

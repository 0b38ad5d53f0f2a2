// The store of experiments, exposures and outcomes.
#include "systems/serving/experiments/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tandem/core/error.hpp"

namespace tandem::experiments {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json two_even_arms(const std::string& name) {
  return {{"name", name},
          {"unit", "user"},
          {"arms", {{{"name", "old"}}, {{"name", "new"}, {"version", "2"}}}},
          {"metrics", {{{"name", "bought"}}, {{"name", "spent"}, {"kind", "sum"}}}}};
}

class StoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::path(::testing::TempDir()) / "store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string file() const { return folder_ + "/experiments.db"; }

  std::string folder_;
};

TEST_F(StoreTest, JoinsOutcomesToFirstExposuresByTime) {
  Store store(file(), true);
  store.create(Experiment::parse(two_even_arms("e")), 5);
  EXPECT_EQ(store.record_exposures(std::vector<Exposure>{{"e", "a", 0, 100, false},
                                                         {"e", "b", 1, 100, false},
                                                         {"e", "b", 0, 150, false},
                                                         {"e", "f", 1, 100, true}}),
            3);
  const std::vector<Outcome> outcomes{{"a", "spent", 5, 99, ""},   {"a", "spent", 2, 100, "1"},
                                      {"a", "spent", 2, 100, "1"}, {"b", "spent", 7, 130, "2"},
                                      {"b", "bought", 1, 500, ""}, {"f", "spent", 99, 500, ""},
                                      {"x", "spent", 99, 500, ""}};
  EXPECT_EQ(store.record_outcomes(outcomes), 6);
  const Analysis early = store.analyse("e", 200);
  EXPECT_EQ(early.units, (std::vector<double>{1, 1}));
  EXPECT_EQ(early.metrics[0].arms[1].mean, 0);  // bought after 200
  const Analysis late = store.analyse("e", 1000);
  EXPECT_EQ(late.metrics[0].arms[0].mean, 0);
  EXPECT_EQ(late.metrics[0].arms[1].mean, 1);
  EXPECT_EQ(late.metrics[1].arms[0].mean, 2);
  EXPECT_EQ(late.metrics[1].arms[1].mean, 7);
  EXPECT_TRUE(late.metrics[1].has_covariate);
  EXPECT_FALSE(late.metrics[0].has_covariate);
}

TEST_F(StoreTest, CountsAWindowOnceItIsOver) {
  Store store(file(), true);
  json definition = two_even_arms("e");
  definition["metrics"] = {{{"name", "spent"}, {"kind", "sum"}, {"window_hours", 1}}};
  store.create(Experiment::parse(definition), 0);
  const Time hour = 3'600'000;
  (void)store.record_exposures(
      std::vector<Exposure>{{"e", "a", 0, 0, false}, {"e", "b", 0, hour, false}});
  (void)store.record_outcomes(std::vector<Outcome>{{"a", "spent", 1, hour - 1, ""},
                                                   {"a", "spent", 10, hour, ""},
                                                   {"b", "spent", 100, hour + 1, ""}});
  EXPECT_EQ(store.analyse("e", hour).metrics[0].arms[0].units, 1);
  EXPECT_EQ(store.analyse("e", hour).metrics[0].arms[0].mean, 1);
  EXPECT_EQ(store.analyse("e", 2 * hour).metrics[0].arms[0].mean, 50.5);
}

TEST_F(StoreTest, RefusesTakenNamesAndOverlappingGroups) {
  Store store(file(), true);
  json definition = two_even_arms("one");
  definition["group"] = {{"name", "g"}, {"from", 0}, {"to", 0.5}};
  store.create(Experiment::parse(definition), 0);
  EXPECT_THROW(store.create(Experiment::parse(definition), 0), InputError);
  definition["name"] = "two";
  definition["group"]["from"] = 0.4;
  definition["group"]["to"] = 1;
  EXPECT_THROW(store.create(Experiment::parse(definition), 0), InputError);
  store.stop("one", 9, Status::stopped, "done");
  store.create(Experiment::parse(definition), 10);
  EXPECT_THROW(store.stop("one", 11, Status::stopped, ""), InputError);
  EXPECT_THROW((void)store.find("three"), InputError);
  const auto all = store.list();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].status, Status::stopped);
  EXPECT_EQ(all[0].reason, "done");
  EXPECT_EQ(all[1].status, Status::running);
}

TEST_F(StoreTest, RefusesOutcomesThatAreNoNumbersAndKeepsNoneOfThem) {
  Store store(file(), true);
  store.create(Experiment::parse(two_even_arms("e")), 0);
  (void)store.record_exposures(std::vector<Exposure>{{"e", "a", 0, 0, false}});
  const std::vector<Outcome> outcomes{
      {"a", "spent", 1, 1, ""}, {"a", "spent", std::numeric_limits<double>::quiet_NaN(), 1, ""}};
  try {
    (void)store.record_outcomes(outcomes);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("outcome 2"));
  }
  EXPECT_EQ(store.analyse("e", 10).metrics[1].arms[0].mean, 0);
}

TEST_F(StoreTest, RollsBackWhereAGuardIsBreachedForSure) {
  Store store(file(), true);
  json definition = two_even_arms("e");
  definition["metrics"] = {
      {{"name", "bought"}},
      {{"name", "failed"}, {"better", "decrease"}, {"guard", true}, {"margin", 0.02}}};
  store.create(Experiment::parse(definition), 0);
  definition["name"] = "harmless";
  store.create(Experiment::parse(definition), 0);
  std::vector<Exposure> exposures;
  std::vector<Outcome> outcomes;
  for (int i = 0; i < 4000; ++i) {
    const std::string unit = "u" + std::to_string(i);
    exposures.push_back({"e", unit, i % 2, 1, false});
    exposures.push_back({"harmless", unit, (i / 2) % 2, 1, false});
    // One in ten of the old arm fails, three in ten of the new.
    if (i % 2 == 0 ? i % 20 == 0 : i % 10 < 6 && i % 4 == 1) {
      outcomes.push_back({unit, "failed", 1, 2, ""});
    }
  }
  (void)store.record_exposures(exposures);
  (void)store.record_outcomes(outcomes);
  EXPECT_EQ(store.enforce_guards(10), std::vector<std::string>{"e"});
  EXPECT_EQ(store.find("e").status, Status::rolled_back);
  EXPECT_EQ(store.find("e").reason, "guard failed is breached by new");
  EXPECT_EQ(store.find("harmless").status, Status::running);
  EXPECT_TRUE(store.enforce_guards(11).empty());
}

TEST_F(StoreTest, KeepsWhatWasWrittenWhenTheProcessIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    Store store(file(), true);
    store.create(Experiment::parse(two_even_arms("e")), 0);
    for (int i = 0; i < 100; ++i) {
      (void)store.record_exposures(
          std::vector<Exposure>{{"e", "u" + std::to_string(i), i % 2, 1, false}});
    }
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  Store store(file(), false);
  EXPECT_EQ(store.analyse("e", 10).units, (std::vector<double>{50, 50}));
}

TEST_F(StoreTest, RefusesFilesThatAreNone) {
  EXPECT_THROW(Store(folder_ + "/absent.db", false), InputError);
  EXPECT_THROW(Store(folder_, true), SystemError);
  std::ofstream(file()) << std::string(5000, 'x');
  EXPECT_THROW(Store(file(), false), InputError);
}

}  // namespace
}  // namespace tandem::experiments

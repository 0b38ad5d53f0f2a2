// Drift by windows: each row in one window, each window judged once, as often wrong as promised.
#include "systems/serving/watch/monitor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "core/random.hpp"

namespace tandem::watch {
namespace {

using Unseen = std::vector<std::pair<Index, Index>>;
constexpr double missing = std::numeric_limits<double>::quiet_NaN();

std::vector<Column> columns() { return {{"x", {}}, {"kind", {"a", "b", "c"}}}; }

// `rows` rows of a normal number and a category, from the `first` on.
std::vector<double> rows_of(std::uint32_t stream, Index first, Index rows, double shift = 0) {
  const Random numbers(1, Purpose::test, stream);
  const Random kinds(1, Purpose::test, 1'000 + stream);
  std::vector<double> values;
  for (Index i = first; i < first + rows; ++i) {
    const auto at = static_cast<std::uint64_t>(i);
    values.push_back(numbers.normal(at) + shift);
    values.push_back(static_cast<double>(kinds.bits(at) % 3));
  }
  return values;
}

TrainingSummary summary(Index rows) {
  Dataset<double> data;
  data.source = "test";
  data.columns = columns();
  data.features = Matrix<double>(rows, 2, rows_of(1, 0, rows));
  TrainingSummary made;
  made.features = summarise_columns(data.view());
  return made;
}

bool add(DriftMonitor& monitor, const std::vector<double>& rows, const Unseen& unseen = {},
         DriftMonitor::Clock::time_point now = DriftMonitor::Clock::now()) {
  return monitor.add<double>(rows, unseen, {}, now);
}

TEST(DriftMonitor, JudgesEachWindowOnceItIsOver) {
  DriftMonitor monitor(summary(2'000), columns(), {.rows = 300});
  EXPECT_TRUE(monitor.report().columns.empty());
  EXPECT_TRUE(monitor.to_json()["report"].is_null());
  EXPECT_FALSE(add(monitor, rows_of(2, 0, 299)));
  EXPECT_EQ(monitor.to_json()["rows"], 299);
  // A request is counted whole, and the window is over with it.
  EXPECT_TRUE(add(monitor, rows_of(2, 299, 20)));
  ASSERT_EQ(monitor.report().columns.size(), 2U);
  EXPECT_EQ(monitor.report().columns[0].rows_now, 319);
  EXPECT_FALSE(monitor.report().alarm);
  EXPECT_EQ(monitor.to_json()["rows"], 0);
  EXPECT_TRUE(add(monitor, rows_of(3, 0, 300, 1)));
  EXPECT_TRUE(monitor.report().alarm);
  EXPECT_TRUE(monitor.report().columns[0].alarm);
  EXPECT_FALSE(monitor.report().columns[1].alarm);
  EXPECT_EQ(monitor.to_json()["windows"], 2);
  EXPECT_EQ(monitor.to_json()["alarms"], 1);
}

TEST(DriftMonitor, TellsUnseenFromMissing) {
  DriftMonitor monitor(summary(2'000), columns(), {.rows = 200});
  std::vector<double> rows = rows_of(2, 0, 200);
  Unseen unseen;
  for (Index i = 0; i < 50; ++i) {
    rows[static_cast<std::size_t>(2 * i + 1)] = missing;
    if (i < 30) unseen.emplace_back(i, 1);
  }
  EXPECT_TRUE(add(monitor, rows, unseen));
  const ColumnDrift kind = monitor.report().columns[1];
  EXPECT_DOUBLE_EQ(kind.unseen_now, 0.15);
  EXPECT_DOUBLE_EQ(kind.missing_now, 0.1);
}

TEST(DriftMonitor, AWindowThatLastsIsJudgedWithTheRowsThatItHas) {
  DriftMonitor monitor(summary(2'000), columns(),
                       {.rows = 10'000, .longest = std::chrono::seconds(60)});
  const auto now = DriftMonitor::Clock::now();
  EXPECT_FALSE(add(monitor, rows_of(2, 0, 99), {}, now));
  // Fewer than are judged at all: it goes on.
  EXPECT_FALSE(monitor.look(now + std::chrono::minutes(2)));
  EXPECT_TRUE(add(monitor, rows_of(2, 99, 1), {}, now + std::chrono::minutes(3)));
  EXPECT_EQ(monitor.report().columns[0].rows_now, 100);
  EXPECT_FALSE(add(monitor, rows_of(2, 100, 150), {}, now + std::chrono::minutes(3)));
  EXPECT_TRUE(monitor.look(now + std::chrono::minutes(5)));
  EXPECT_EQ(monitor.to_json()["windows"], 2);
}

TEST(DriftMonitor, AlarmsAsOftenAsPromisedWithoutDrift) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  const auto rows = [&](Index count) {
    std::vector<double> values;
    for (Index i = 0; i < count; ++i) {
      values.push_back(normal(random));
      values.push_back(static_cast<double>(random() % 3));
    }
    return values;
  };
  // Many training rows against those of a window, so that windows are independent of each other but
  // for the little that the training rows are off by.
  Dataset<double> training;
  training.source = "test";
  training.columns = columns();
  training.features = Matrix<double>(200'000, 2, rows(200'000));
  TrainingSummary before;
  before.features = summarise_columns(training.view());
  DriftMonitor monitor(before, columns(), {.rows = 300});
  constexpr int windows = 2'000;
  for (int k = 0; k < windows; ++k) ASSERT_TRUE(add(monitor, rows(300)));
  // 1 % of windows: a binomial count within these with a probability of 99 %.
  EXPECT_GE(monitor.to_json()["alarms"], 9);
  EXPECT_LE(monitor.to_json()["alarms"], 32);
}

TEST(DriftMonitor, CountsEachRowOfManyThreads) {
  DriftMonitor monitor(summary(2'000), columns(), {.rows = 1'000});
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&monitor, t] {
      for (Index k = 0; k < 250; ++k) {
        (void)add(monitor, rows_of(10 + t, 10 * k, 10));
        (void)monitor.to_json();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(monitor.to_json()["windows"], 10);
  EXPECT_EQ(monitor.to_json()["rows"], 0);
}

}  // namespace
}  // namespace tandem::watch

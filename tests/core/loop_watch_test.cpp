// Long loops, and fits from their first second on, tell how far they are.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "core/watched_fit.hpp"
#include "core/watched_loop.hpp"

namespace tandem {
namespace {

class Watch final : public LoopWatch {
 public:
  void loop_is_at(double share, double seconds) noexcept override {
    shares.push_back(share);
    times.push_back(seconds);
  }
  std::vector<double> shares;
  std::vector<double> times;
};

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

TEST(LoopWatch, IsToldFromTheFirstHalfSecondOn) {
  Watch watch;
  watched_pieces(1, 100, 5, [](Piece) { sleep_ms(45); });
  ASSERT_GE(watch.shares.size(), 1U);
  double before = 0;
  double time = 0;
  for (std::size_t i = 0; i < watch.shares.size(); ++i) {
    EXPECT_GT(watch.shares[i], before);
    EXPECT_LT(watch.shares[i], 1);
    EXPECT_GE(watch.times[i], i == 0 ? 0.5 : time + 0.19);
    before = watch.shares[i];
    time = watch.times[i];
  }
}

TEST(LoopWatch, HearsNothingOfShortLoops) {
  Watch watch;
  watched_pieces(2, 10, 1, [](Piece) {});
  EXPECT_TRUE(watch.shares.empty());
}

// What is left of a loop inside says nothing of the whole.
TEST(LoopWatch, HearsOfTheOutermostLoopOnly) {
  Watch watch;
  WatchedLoop outer(4);
  watched_pieces(1, 14, 1, [](Piece) { sleep_ms(50); });
  EXPECT_TRUE(watch.shares.empty());
  outer.done(1);
  ASSERT_EQ(watch.shares.size(), 1U);
  EXPECT_DOUBLE_EQ(watch.shares[0], 0.25);
}

TEST(LoopWatch, TheInnermostOfAThreadIsTold) {
  Watch outer;
  {
    Watch inner;
    EXPECT_EQ(LoopWatch::of_thread(), &inner);
    WatchedLoop loop(2);
    sleep_ms(510);
    loop.done(1);
    EXPECT_EQ(inner.shares.size(), 1U);
  }
  EXPECT_EQ(LoopWatch::of_thread(), &outer);
  EXPECT_TRUE(outer.shares.empty());
  std::thread other([] { EXPECT_EQ(LoopWatch::of_thread(), nullptr); });
  other.join();
}

class FitAndLoopWatch final : public FitWatch, public LoopWatch {
 public:
  void fit_is_at(const FitShare& fit) noexcept override {
    shares.push_back(fit.share);
    seconds = fit.seconds;
    at_most = fit.at_most;
  }
  void loop_is_at(double share, double /*seconds*/) noexcept override { loops.push_back(share); }
  std::vector<double> shares;
  std::vector<double> loops;
  double seconds = 0;
  bool at_most = false;
};

// Longer than the first half second, within which nothing is told, and than the time between.
void wait_for_the_first() { std::this_thread::sleep_for(std::chrono::milliseconds(510)); }
void wait_for_the_next() { std::this_thread::sleep_for(std::chrono::milliseconds(210)); }

TEST(FitWatch, HearsOfStepsAndOfTheLoopOfAStep) {
  FitAndLoopWatch watch;
  WatchedFit fit(10, true);
  fit.done_at(1);
  EXPECT_TRUE(watch.shares.empty());
  fit.begin_loop(4);
  {
    WatchedLoop step(2);
    wait_for_the_first();
    step.done(1);
    ASSERT_EQ(watch.shares.size(), 1U);
    EXPECT_DOUBLE_EQ(watch.shares[0], 0.3);
    EXPECT_GE(watch.seconds, 0.5);
    EXPECT_TRUE(watch.at_most);
  }
  wait_for_the_next();
  fit.done_at(5);
  ASSERT_EQ(watch.shares.size(), 2U);
  EXPECT_DOUBLE_EQ(watch.shares[1], 0.5);
  // A loop between two steps says nothing, and neither does the end.
  WatchedLoop between(2);
  wait_for_the_first();
  between.done(1);
  fit.done_at(10);
  EXPECT_EQ(watch.shares.size(), 2U);
  EXPECT_TRUE(watch.loops.empty());
}

// Folds are fits: their own steps count, and what prepares rows for them does not.
TEST(FitWatch, HearsOfFoldsByTheStepsOfTheirFits) {
  FitAndLoopWatch watch;
  WatchedFit folds(5);
  folds.done_at(1);
  folds.begin_fit(1);
  {
    WatchedLoop preparing(2);
    wait_for_the_first();
    preparing.done(1);
    EXPECT_TRUE(watch.shares.empty());
    EXPECT_TRUE(watch.loops.empty());
  }
  {
    WatchedFit fit(10, true);
    fit.begin_loop(1);
    WatchedLoop step(4);
    wait_for_the_first();
    step.done(2);
    ASSERT_EQ(watch.shares.size(), 1U);
    EXPECT_DOUBLE_EQ(watch.shares[0], (1 + 0.05) / 5);
    EXPECT_TRUE(watch.at_most);
    // A fit inside the loop is no step.
    WatchedFit inside(2);
    wait_for_the_next();
    inside.done_at(1);
    EXPECT_EQ(watch.shares.size(), 1U);
  }
  wait_for_the_next();
  folds.done_at(2);
  ASSERT_EQ(watch.shares.size(), 2U);
  EXPECT_DOUBLE_EQ(watch.shares[1], 0.4);
  EXPECT_FALSE(watch.at_most);
}

TEST(FitWatch, WithoutOneLoopsTellTheirOwn) {
  class Loops final : public LoopWatch {
   public:
    void loop_is_at(double share, double /*seconds*/) noexcept override { shares.push_back(share); }
    std::vector<double> shares;
  } watch;
  EXPECT_EQ(FitWatch::of_thread(), nullptr);
  WatchedFit fit(4);
  EXPECT_EQ(WatchedFit::of_thread(), nullptr);
  WatchedLoop loop(4);
  wait_for_the_first();
  loop.done(1);
  ASSERT_EQ(watch.shares.size(), 1U);
  EXPECT_DOUBLE_EQ(watch.shares[0], 0.25);
}

TEST(FitWatch, IsTheThreadsInnermost) {
  FitAndLoopWatch outer;
  {
    FitAndLoopWatch inner;
    EXPECT_EQ(FitWatch::of_thread(), &inner);
    WatchedFit fit(2);
    EXPECT_EQ(WatchedFit::of_thread(), &fit);
    std::thread other([] {
      EXPECT_EQ(FitWatch::of_thread(), nullptr);
      EXPECT_EQ(WatchedFit::of_thread(), nullptr);
    });
    other.join();
  }
  EXPECT_EQ(WatchedFit::of_thread(), nullptr);
  EXPECT_EQ(FitWatch::of_thread(), &outer);
}

}  // namespace
}  // namespace tandem

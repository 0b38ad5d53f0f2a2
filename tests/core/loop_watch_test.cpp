// Long loops tell how far they are.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

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

}  // namespace
}  // namespace tandem

// Vector clocks of the checker: what is known of blocks, warps and lanes, and what joining gives.
#include "softgpu/check/clock.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace softgpu::check {
namespace {

constexpr std::uint32_t blocks = 3;
constexpr std::uint32_t warps_each = 2;

// The same by an entry for each thread.
class Plain {
 public:
  [[nodiscard]] std::uint32_t& known(const ThreadId& thread) {
    return known_[thread.warp * 32 + thread.lane];
  }
  void join(const Plain& other) {
    for (std::size_t i = 0; i < known_.size(); ++i)
      known_[i] = std::max(known_[i], other.known_[i]);
  }
  [[nodiscard]] bool covers(const Plain& other) const {
    for (std::size_t i = 0; i < known_.size(); ++i) {
      if (known_[i] < other.known_[i]) return false;
    }
    return true;
  }

 private:
  std::vector<std::uint32_t> known_ = std::vector<std::uint32_t>(blocks * warps_each * 32, 0);
};

template <class Visit>
void for_threads(Visit&& visit) {
  for (std::uint32_t block = 0; block < blocks; ++block) {
    for (std::uint32_t warp = 0; warp < warps_each; ++warp) {
      for (std::uint32_t lane = 0; lane < 32; ++lane) {
        visit(ThreadId{block, block * warps_each + warp, lane});
      }
    }
  }
}

TEST(Clock, KnowsNothingAtFirst) {
  const Clock clock;
  for_threads([&](const ThreadId& thread) { EXPECT_EQ(clock.known(thread), 0U); });
}

TEST(Clock, IsWhatAnEntryForEachThreadWouldBe) {
  std::mt19937 random(7);
  const auto draw = [&](std::uint32_t below) {
    return static_cast<std::uint32_t>(random() % below);
  };
  for (int round = 0; round < 200; ++round) {
    Clock clocks[2];
    Plain plain[2];
    std::uint32_t now = 1;
    for (int step = 0; step < 40; ++step) {
      const std::uint32_t which = draw(2);
      Clock& clock = clocks[which];
      Plain& expected = plain[which];
      const std::uint32_t block = draw(blocks);
      const ThreadId thread{block, block * warps_each + draw(warps_each), draw(32)};
      now += draw(3);
      switch (draw(4)) {
        case 0:
          clock.learn_lane(thread, now);
          expected.known(thread) = std::max(expected.known(thread), now);
          break;
        case 1:
          clock.learn_warp(thread.block, thread.warp, now);
          for (std::uint32_t lane = 0; lane < 32; ++lane) {
            auto& known = expected.known({thread.block, thread.warp, lane});
            known = std::max(known, now);
          }
          break;
        case 2:
          // A barrier: the newest time there is.
          clock.learn_block(block, ++now);
          for_threads([&](const ThreadId& one) {
            if (one.block == block) expected.known(one) = std::max(expected.known(one), now);
          });
          break;
        default:
          clock.join(clocks[1 - which]);
          expected.join(plain[1 - which]);
          break;
      }
      for_threads([&](const ThreadId& one) {
        ASSERT_EQ(clock.known(one), expected.known(one)) << "round " << round << ", step " << step;
      });
      // It may fail to see that it covers another, and never says so wrongly.
      if (clocks[0].covers(clocks[1])) {
        ASSERT_TRUE(plain[0].covers(plain[1]));
      }
      ASSERT_TRUE(clock.covers(clock));
    }
  }
}

TEST(Clock, JoiningReturnsOneThatCoversTheOther) {
  Clock small;
  small.learn_warp(0, 0, 3);
  Clock large = small;
  large.learn_block(0, 5);
  const ClockRef a(small);
  const ClockRef b(large);
  EXPECT_TRUE(joined(a, b) == b);
  EXPECT_TRUE(joined(b, a) == b);
  EXPECT_TRUE(joined(ClockRef(), a) == a);
  EXPECT_TRUE(joined(a, ClockRef()) == a);
}

}  // namespace
}  // namespace softgpu::check

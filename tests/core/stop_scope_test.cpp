#include "tandem/core/stop_scope.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "core/parallel.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem {
namespace {

// Wants to stop once it has been told to.
class Stopper : public RunControl {
 public:
  [[nodiscard]] bool stop_requested() const noexcept override { return wanted; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return keeps; }
  std::atomic<bool> wanted{false};
  bool keeps = false;
};

TEST(StopScope, WithoutOneNobodyIsAsked) { EXPECT_NO_THROW(StopScope::check()); }

TEST(StopScope, ALoopIsLeftBeforeItsNextPiece) {
  for (const int threads : {1, 2, 4}) {
    Stopper control;
    const StopScope scope(&control);
    std::atomic<Index> begun{0};
    EXPECT_THROW(parallel_for(threads, 1000000,
                              [&](Index) {
                                if (++begun == 10) control.wanted = true;
                              }),
                 Interrupted);
    // Every thread may have been inside one more piece; those of another core go on until the
    // caller asks.
    EXPECT_LT(begun.load(), 1000000);
    control.wanted = false;
    EXPECT_NO_THROW(parallel_for(threads, 100, [](Index) {}));
  }
}

TEST(StopScope, APieceOfAnotherThreadIsLeftWhileTheCallerWaits) {
  Stopper control;
  const StopScope scope(&control);
  std::atomic<int> begun{0};
  std::atomic<bool> left_early{false};
  const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto body = [&](Index) {
    ++begun;
    if (place_in_team() == 0) {
      // Until the other has begun, so that the caller has nothing to do but wait for it.
      while (begun.load() < 2 && std::chrono::steady_clock::now() < patience) {
        std::this_thread::yield();
      }
      return;
    }
    control.wanted = true;
    try {
      while (std::chrono::steady_clock::now() < patience) StopScope::check();
    } catch (const Interrupted&) {
      left_early = true;
      throw;
    }
  };
  EXPECT_THROW(parallel_for(2, 2, body), Interrupted);
  EXPECT_TRUE(left_early.load());
}

TEST(StopScope, TheInnermostIsAskedAndNoneLeavesTheOuterOne) {
  Stopper outer;
  Stopper inner;
  outer.wanted = true;
  const StopScope around(&outer);
  EXPECT_THROW(StopScope::check(), Interrupted);
  {
    const StopScope within(&inner);
    EXPECT_NO_THROW(StopScope::check());
  }
  {
    const StopScope none(nullptr);
    EXPECT_THROW(StopScope::check(), Interrupted);
  }
  EXPECT_THROW(StopScope::check(), Interrupted);
}

TEST(StopScope, WhoKeepsCheckpointsIsGivenTimeToSaveOne) {
  Stopper control;
  control.keeps = true;
  const StopScope scope(&control);
  EXPECT_NO_THROW(StopScope::check());
  control.wanted = true;
  EXPECT_NO_THROW(StopScope::check());
  EXPECT_NO_THROW(StopScope::check());
}

TEST(StopScope, IsOfOneThread) {
  Stopper control;
  control.wanted = true;
  const StopScope scope(&control);
  bool asked = false;
  std::thread([&] {
    try {
      StopScope::check();
    } catch (const Interrupted&) {
      asked = true;
    }
  }).join();
  EXPECT_FALSE(asked);
}

}  // namespace
}  // namespace tandem

#include "core/parallel.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

TEST(Parallel, EveryPieceRunsOnceWhateverTheThreads) {
  for (const int threads : {1, 2, 7}) {
    for (const Index size : {Index{0}, Index{1}, Index{99}, Index{100}, Index{101}}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(size));
      parallel_pieces(threads, size, 10, [&](Piece piece) {
        EXPECT_LE(piece.size(), 10);
        for (Index i = piece.begin; i < piece.end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& count : visits) EXPECT_EQ(count.load(), 1);
    }
  }
}

TEST(Parallel, AnExceptionReachesTheCallerAndTheNextLoopRuns) {
  for (const int threads : {1, 4}) {
    EXPECT_THROW(parallel_for(threads, 1000,
                              [](Index i) {
                                if (i == 500) throw InputError("piece 500");
                              }),
                 InputError);
    std::atomic<Index> sum{0};
    parallel_for(threads, 1000, [&](Index i) { sum += i; });
    EXPECT_EQ(sum.load(), 499500);
  }
}

TEST(Parallel, OtherThreadsDoJoin) {
  // Two pieces that wait for each other can only end on two threads.
  std::atomic<int> met{0};
  parallel_for(2, 2, [&](Index) {
    ++met;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (met.load() < 2 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  });
  EXPECT_EQ(met.load(), 2);
}

TEST(Parallel, PlacesInATeamAreDistinctAtAnyMoment) {
  constexpr int threads = 5;
  std::atomic<int> holders[threads] = {};
  parallel_for(threads, 2000, [&](Index) {
    const int place = place_in_team();
    ASSERT_GE(place, 0);
    ASSERT_LT(place, threads);
    EXPECT_EQ(holders[place].fetch_add(1), 0);
    std::this_thread::yield();
    holders[place].fetch_sub(1);
  });
}

TEST(Parallel, LoopsInsideLoopsAndFromManyThreadsAllFinish) {
  std::atomic<Index> count{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat) {
        parallel_for(3, 8, [&](Index) { parallel_for(3, 4, [&](Index) { ++count; }); });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(count.load(), 4 * 200 * 8 * 4);
}

TEST(Parallel, ManySmallLoopsInARow) {
  Index total = 0;
  for (int repeat = 0; repeat < 20'000; ++repeat) {
    std::atomic<Index> sum{0};
    parallel_for(2, 3, [&](Index i) { sum += i + 1; });
    total += sum.load();
  }
  EXPECT_EQ(total, 120'000);
}

}  // namespace
}  // namespace tandem

#include "core/parallel.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <numeric>
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

TEST(Parallel, AMemberBeginsWithItsOwnShareAndHelpsOutWithTheOthers) {
  TeamShares shares(3, 11);  // 0 .. 2, 3 .. 6, 7 .. 10
  std::vector<Index> taken;
  shares.take(1, [&](Index i) {
    taken.push_back(i);
    return taken.size() < 6;
  });
  EXPECT_EQ(taken, (std::vector<Index>{3, 4, 5, 6, 7, 8}));
  // Nothing is begun after a piece that failed.
  shares.take(0, [&](Index i) {
    taken.push_back(i);
    return true;
  });
  EXPECT_EQ(taken.size(), 6U);

  for (const Index count : {0, 1, 2, 3, 64, 100, 1000}) {
    for (const int members : {1, 2, 3, 64, 65, 200}) {
      TeamShares whole(members, count);
      std::vector<Index> all;
      for (int place = members - 1; place >= 0; --place) {
        whole.take(place, [&](Index i) {
          all.push_back(i);
          return true;
        });
      }
      std::sort(all.begin(), all.end());
      std::vector<Index> expected(static_cast<std::size_t>(count));
      std::iota(expected.begin(), expected.end(), Index{0});
      EXPECT_EQ(all, expected);
    }
  }
}

TEST(Parallel, MoreThreadsThanCoresFinishSmallLoops) {
  const int threads = 4 * available_cores() + 3;
  for (int repeat = 0; repeat < 2'000; ++repeat) {
    std::atomic<Index> sum{0};
    parallel_for(threads, threads, [&](Index i) { sum += i; });
    ASSERT_EQ(sum.load(), static_cast<Index>(threads) * (threads - 1) / 2);
  }
}

TEST(Parallel, LoopsAfterPausesOfAllLengthsFinish) {
  // Threads that spin, that give their core away, and that sleep.
  for (const int pause : {0, 10, 60, 150, 250, 400, 3000}) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::atomic<Index> sum{0};
      parallel_for(3, 9, [&](Index i) { sum += i; });
      ASSERT_EQ(sum.load(), 36);
      std::this_thread::sleep_for(std::chrono::microseconds(pause));
    }
  }
}

TEST(Parallel, AForkedChildHasATeamOfItsOwn) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the thread sanitizer ends a child that begins threads";
#endif
  parallel_for(2, 8, [](Index) {});  // the parent's team exists
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::atomic<int> met{0};
    parallel_for(2, 2, [&](Index) {
      ++met;
      const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (met.load() < 2 && std::chrono::steady_clock::now() < patience) {
        std::this_thread::yield();
      }
    });
    _exit(met.load() == 2 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
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

// Loops that tell a LoopWatch how far they are.
#pragma once

#include <atomic>
#include <chrono>

#include "core/parallel.hpp"
#include "tandem/core/loop_watch.hpp"

namespace tandem {

// The progress of one loop. Loops inside its pieces tell nothing: the outermost knows best how much
// is left.
class WatchedLoop {
 public:
  // On the thread that runs the loop. total: the work of all pieces, in any unit.
  explicit WatchedLoop(double total) noexcept;
  WatchedLoop(const WatchedLoop&) = delete;
  WatchedLoop& operator=(const WatchedLoop&) = delete;
  ~WatchedLoop();

  // A piece of so much work is done. Called by any thread of the loop's team.
  void done(double work) noexcept {
    if (watch_ == nullptr) return;
    done_.fetch_add(work, std::memory_order_relaxed);
    if (place_in_team() == 0) tell();
  }

 private:
  using Clock = std::chrono::steady_clock;
  void tell() noexcept;

  LoopWatch* watch_;
  double total_;
  std::atomic<double> done_{0};
  Clock::time_point begun_;
  Clock::time_point told_;
};

// parallel_pieces() over pieces of equal work, watched.
template <class F>
void watched_pieces(int threads, Index size, Index piece, F&& f) {
  WatchedLoop loop(static_cast<double>(size));
  parallel_pieces(threads, size, piece, [&](Piece part) {
    f(part);
    loop.done(static_cast<double>(part.size()));
  });
}

}  // namespace tandem

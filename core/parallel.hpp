// Loops over independent pieces of work on host threads.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <utility>

#include "tandem/core/types.hpp"

namespace tandem {

// Cores of the process's affinity mask, at least 1.
[[nodiscard]] int available_cores() noexcept;

// Runs body(context) on the calling thread and on up to threads − 1 others at once, and returns
// when all that began have ended. Others join when the system gives them a core; the caller never
// waits for one that has not begun, so that a busy machine costs parallelism and no more. Inside
// another call, and while another thread's call is under way, the caller runs alone. `body` must
// not throw.
void run_on_team(int threads, void (*body)(void* context), void* context);

// The calling thread's place in its team: 0 for the caller, 1 .. threads − 1 for the others. For
// scratch memory of one's own.
[[nodiscard]] int place_in_team() noexcept;

// Calls f(i) for i = 0 .. count − 1 on up to `threads` threads, each i once, in any order. What is
// computed must not depend on the order: pieces are fixed by the caller, not by the threads. The
// first exception is rethrown after all threads have stopped; later pieces are then not begun.
template <class F>
void parallel_for(int threads, Index count, F&& f) {
  if (threads <= 1 || count <= 1) {
    for (Index i = 0; i < count; ++i) f(i);
    return;
  }
  struct Loop {
    F& f;
    Index count;
    std::atomic<Index> next{0};
    std::exception_ptr failure;
    std::mutex mutex;
  } loop{f, count, {}, {}, {}};
  const auto body = [](void* context) {
    Loop& mine = *static_cast<Loop*>(context);
    for (;;) {
      const Index i = mine.next.fetch_add(1, std::memory_order_relaxed);
      if (i >= mine.count) return;
      try {
        mine.f(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mine.mutex);
        if (!mine.failure) mine.failure = std::current_exception();
        mine.next.store(mine.count, std::memory_order_relaxed);
      }
    }
  };
  run_on_team(static_cast<int>(count < threads ? count : static_cast<Index>(threads)), body, &loop);
  if (loop.failure) std::rethrow_exception(loop.failure);
}

// The half-open range of piece `i` where `size` items are cut into pieces of `piece` items.
struct Piece {
  Index begin;
  Index end;
  [[nodiscard]] Index size() const noexcept { return end - begin; }
};
[[nodiscard]] constexpr Index pieces(Index size, Index piece) noexcept {
  return (size + piece - 1) / piece;
}
[[nodiscard]] constexpr Piece piece_of(Index size, Index piece, Index i) noexcept {
  const Index begin = i * piece;
  return {begin, begin + piece < size ? begin + piece : size};
}

// Calls f(Piece) for all pieces of 0 .. size − 1, in parallel.
template <class F>
void parallel_pieces(int threads, Index size, Index piece, F&& f) {
  parallel_for(threads, pieces(size, piece), [&](Index i) { f(piece_of(size, piece, i)); });
}

}  // namespace tandem

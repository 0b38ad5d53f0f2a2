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

// Calls f(i) for i = 0 .. count − 1 on up to `threads` threads, each i once, in any order. What is
// computed must not depend on the order: pieces are fixed by the caller, not by the threads. The
// first exception is rethrown after all threads have stopped; later pieces are then not begun.
template <class F>
void parallel_for(int threads, Index count, F&& f) {
  if (threads <= 1 || count <= 1) {
    for (Index i = 0; i < count; ++i) f(i);
    return;
  }
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
  std::mutex mutex;
  const int team = static_cast<int>(count < threads ? count : static_cast<Index>(threads));
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
  for (Index i = 0; i < count; ++i) {
    if (failed.load(std::memory_order_relaxed)) continue;
    try {
      f(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
      failed.store(true, std::memory_order_relaxed);
    }
  }
  if (failure) std::rethrow_exception(failure);
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

// Loops over independent pieces of work on host threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <new>
#include <utility>

#include "tandem/core/stop_scope.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Cores of the process's affinity mask, at least 1.
[[nodiscard]] int available_cores() noexcept;

// Runs body(context) on the calling thread and on up to threads − 1 others at once, and returns
// when all that began have ended. Others join when the system gives them a core; the caller never
// waits for one that has not begun, so that a busy machine costs parallelism and no more. Inside
// another call, and while another thread's call is under way, the caller runs alone. In the child
// of a fork a team of new threads is made when it is first asked for. `body` must not throw.
// `waiting`, where there is one, is called now and then while the caller waits for those that have
// begun.
void run_on_team(int threads, void (*body)(void* context), void* context,
                 void (*waiting)(void* context) = nullptr);

// A member of a team while it works for a caller: once `ended` is true, StopScope::check() throws
// Interrupted on its thread, which has no scope of its own.
class TeamMember {
 public:
  explicit TeamMember(const std::atomic<bool>& ended) noexcept;
  TeamMember(const TeamMember&) = delete;
  TeamMember& operator=(const TeamMember&) = delete;
  ~TeamMember();

 private:
  const std::atomic<bool>* outer_;
};

// The calling thread's place in its team: 0 for the caller, 1 .. threads − 1 for the others. A
// thread has the same place in every team that it joins. For scratch memory of one's own.
[[nodiscard]] int place_in_team() noexcept;

// How `count` pieces are shared out among the members of a team. Each has a share of consecutive
// pieces, those of its place, so that a loop that is run again finds a piece's data in the cache of
// the core that had it before; whoever is through with a share goes on with the next one's.
class TeamShares {
 public:
  TeamShares(int members, Index count) noexcept
      : members_(members < most ? members : most), count_(count) {
    for (int m = 0; m < members_; ++m) new (at(m)) Share{begin_of(m), begin_of(m + 1)};
  }
  TeamShares(const TeamShares&) = delete;
  TeamShares& operator=(const TeamShares&) = delete;

  // Calls f(i) for pieces that nobody else has taken, until there are none. Returns early where f
  // returns false; then no other piece is begun by anyone.
  template <class F>
  void take(int place, F&& f) {
    for (int turn = 0; turn < members_; ++turn) {
      Share& share = *at((place + turn) % members_);
      for (;;) {
        // Without the first look an exhausted share's counter would be written to by everyone.
        if (share.next.load(std::memory_order_relaxed) >= share.end) break;
        const Index i = share.next.fetch_add(1, std::memory_order_relaxed);
        if (i >= share.end) break;
        if (f(i)) continue;
        for (int m = 0; m < members_; ++m) at(m)->next.store(count_, std::memory_order_relaxed);
        return;
      }
    }
  }

 private:
  static constexpr int most = 64;
  // A cache line each: counters of different members must not share one.
  struct alignas(64) Share {
    std::atomic<Index> next;
    Index end;
  };
  // member / members of the count, rounded down, without overflow.
  [[nodiscard]] Index begin_of(int member) const noexcept {
    return count_ / members_ * member + count_ % members_ * member / members_;
  }
  [[nodiscard]] Share* at(int member) noexcept {
    return reinterpret_cast<Share*>(memory_) + member;
  }

  int members_;
  Index count_;
  // Only the shares that exist are touched: most teams are small.
  alignas(Share) std::byte memory_[most * sizeof(Share)];
};

// Calls f(i) for i = 0 .. count − 1 on up to `threads` threads, each i once, in any order. What is
// computed must not depend on the order: pieces are fixed by the caller, not by the threads. The
// first exception is rethrown after all threads have stopped; later pieces are then not begun. The
// calling thread asks its StopScope before each of its pieces, and while it waits for the others,
// which are left at their next StopScope::check().
template <class F>
void parallel_for(int threads, Index count, F&& f) {
  if (threads <= 1 || count <= 1) {
    for (Index i = 0; i < count; ++i) {
      StopScope::check();
      f(i);
    }
    return;
  }
  const int members = static_cast<int>(count < threads ? count : static_cast<Index>(threads));
  struct Loop {
    F& f;
    TeamShares shares;
    std::exception_ptr failure;
    std::mutex mutex;
    std::atomic<bool> ended;  // failure is set

    // Inside a handler.
    void keep_exception() {
      const std::lock_guard<std::mutex> lock(mutex);
      if (!failure) failure = std::current_exception();
      ended.store(true, std::memory_order_relaxed);
    }
    void work() {
      shares.take(place_in_team(), [this](Index i) {
        try {
          StopScope::check();
          f(i);
          return true;
        } catch (...) {
          keep_exception();
          return false;
        }
      });
    }
  } loop{f, {members, count}, {}, {}, false};
  const auto body = [](void* context) {
    Loop& mine = *static_cast<Loop*>(context);
    if (place_in_team() == 0) return mine.work();
    const TeamMember member(mine.ended);
    mine.work();
  };
  const auto waiting = [](void* context) {
    Loop& mine = *static_cast<Loop*>(context);
    if (mine.ended.load(std::memory_order_relaxed)) return;
    try {
      StopScope::check();
    } catch (...) {
      mine.keep_exception();
    }
  };
  run_on_team(members, body, &loop, waiting);
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

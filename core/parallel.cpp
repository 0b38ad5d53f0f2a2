#include "core/parallel.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <system_error>
#include <thread>

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

thread_local int place = 0;
thread_local bool in_team = false;

void pause() noexcept { __builtin_ia32_pause(); }

// Waiting for something that will come within microseconds, or not for a long time. A pause takes
// 40 to 140 clocks, depending on the processor, so that the time is asked for, and not counted in
// pauses.
class Spin {
 public:
  // Whether `done` came true while waiting was still worth a core. First for the time in which the
  // next loop of a training step begins; then for ten times as long, giving the core to whoever
  // else is ready to run in between. That is seen by how long the system takes to give it back.
  template <class Done>
  [[nodiscard]] static bool until(Done&& done, bool spare_cores) {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      pause();
    }
    const auto begin = Clock::now();
    for (auto now = begin; now - begin < alone; now = Clock::now()) {
      for (int i = 0; i < 16; ++i) {
        if (done()) return true;
        pause();
      }
    }
    if (!spare_cores) return false;
    for (auto now = Clock::now(); now - begin < yielding;) {
      sched_yield();
      const auto back = Clock::now();
      if (done()) return true;
      if (back - now > microseconds(50)) return false;  // someone else needs this core
      now = back;
      for (int i = 0; i < 16; ++i) {
        if (done()) return true;
        pause();
      }
    }
    return false;
  }

 private:
  static constexpr microseconds alone{20};
  static constexpr microseconds yielding{200};
};

// Threads that wait for teams to join. One team at a time.
//
// A team is a word: the highest number of a thread that may join, how many are at work, and a
// serial number, so that a thread that wakes late cannot join a team that is over. An OpenMP region
// would end only when every thread of it has had a core; with more busy threads than cores, that is
// many times the work of a small region.
class Pool {
 public:
  void run(int threads, void (*body)(void*), void* context, void (*waiting)(void*)) {
    const std::unique_lock<std::mutex> one_team(mutex_, std::try_to_lock);
    if (in_team || !one_team.owns_lock()) {
      body(context);
      return;
    }
    grow(threads - 1);
    body_ = body;
    context_ = context;
    const std::uint64_t serial = ++serial_ & 0xffffffffU;
    const int others = std::min(threads - 1, started_);
    team_.store(serial << 32 | static_cast<std::uint64_t>(others) << 16, std::memory_order_release);
    const bool woken = call(others, static_cast<std::uint32_t>(serial));

    in_team = true;
    body(context);
    in_team = false;

    // No one may join from here on; those who have are waited for.
    const std::uint64_t team = team_.fetch_and(~join_mask, std::memory_order_acq_rel);
    if (woken) {
      learn((team & work_mask) != 0 || joined_.load(std::memory_order_relaxed) == serial);
    }
    const auto done = [&] { return (team_.load(std::memory_order_acquire) & work_mask) == 0; };
    // The worker may need this core.
    while (!done() && !Spin::until(done, true)) {
      sched_yield();
      if (waiting != nullptr) waiting(context);
    }
  }

 private:
  // Bits 0-15: at work; 16-31: the highest number that may join; 32-63: serial number.
  static constexpr std::uint64_t work_mask = 0xffffU;
  static constexpr std::uint64_t join_mask = 0xffff0000U;
  static constexpr int most_others = 250;

  // A thread waits for its seat's number to change. Each seat has a cache line of its own.
  struct alignas(64) Seat {
    std::atomic<std::uint32_t> call{0};  // the serial number of the last team it was called to
    std::atomic<std::uint32_t> asleep{0};
  };

  void grow(int others) {
    for (; started_ < std::min(others, most_others); ++started_) {
      try {
        std::thread([this, number = started_ + 1] { work(number); }).detach();
      } catch (const std::system_error&) {
        break;  // fewer threads, the same result
      }
      spare_cores_.store(started_ + 2 <= available_cores(), std::memory_order_relaxed);
    }
  }

  // Tells the threads 1 .. others. Whether one had to be woken: a call to the system, which takes
  // about as long as a small loop does.
  bool call(int others, std::uint32_t serial) {
    bool woken = false;
    bool may_wake = true;
    for (int number = 1; number <= others; ++number) {
      Seat& seat = seats_[static_cast<std::size_t>(number)];
      seat.call.store(serial, std::memory_order_seq_cst);
      if (seat.asleep.load(std::memory_order_seq_cst) == 0) continue;
      if (!woken && may_wake && patience_ > microseconds(0)) may_wake = Clock::now() >= next_wake_;
      if (!may_wake) continue;
      woken = true;
      seat.call.notify_one();
    }
    return woken;
  }

  // Where threads are woken and none comes before the loop is over, which is so while other
  // programs keep the cores busy, they are left asleep for a while: a loop of milliseconds still
  // wakes them every time, one of microseconds only now and then.
  void learn(bool came) {
    if (came) {
      patience_ = microseconds(0);
      return;
    }
    patience_ = std::clamp(2 * patience_, microseconds(50), microseconds(2000));
    next_wake_ = Clock::now() + patience_;
  }

  void work(int number) {
    place = number;
    in_team = true;  // regions inside a piece run alone
    Seat& seat = seats_[static_cast<std::size_t>(number)];
    std::uint32_t seen = 0;
    for (;;) {
      const auto called = [&] { return seat.call.load(std::memory_order_acquire) != seen; };
      if (!Spin::until(called, spare_cores_.load(std::memory_order_relaxed))) {
        seat.asleep.store(1, std::memory_order_seq_cst);
        seat.call.wait(seen, std::memory_order_seq_cst);
        seat.asleep.store(0, std::memory_order_seq_cst);
      }
      seen = seat.call.load(std::memory_order_acquire);
      std::uint64_t team = team_.load(std::memory_order_acquire);
      while (static_cast<std::uint64_t>(number) <= (team & join_mask) >> 16) {
        if (!team_.compare_exchange_weak(team, team + 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
          continue;
        }
        seen = static_cast<std::uint32_t>(team >> 32);
        joined_.store(seen, std::memory_order_relaxed);
        body_(context_);
        team_.fetch_sub(1, std::memory_order_acq_rel);
        break;
      }
    }
  }

  std::mutex mutex_;
  alignas(64) std::atomic<std::uint64_t> team_{0};
  std::atomic<std::uint64_t> joined_{0};  // the serial number of the last team that one joined
  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
  std::array<Seat, most_others + 1> seats_;
  std::atomic<bool> spare_cores_{true};  // whether every thread may have a core
  // Only the calling thread uses these.
  std::uint64_t serial_ = 0;
  int started_ = 0;
  microseconds patience_{0};
  Clock::time_point next_wake_;
};

// Never destroyed: its threads wait in it until the process ends. A child of a fork has none of
// them, and makes a pool of its own.
std::atomic<Pool*> current_pool{nullptr};

Pool& pool() {
  static const bool made = [] {
    current_pool.store(new Pool, std::memory_order_release);
    // Where it fails, loops of a child run on one thread.
    (void)pthread_atfork(nullptr, nullptr,
                         [] { current_pool.store(new Pool, std::memory_order_release); });
    return true;
  }();
  (void)made;
  return *current_pool.load(std::memory_order_acquire);
}

}  // namespace

void run_on_team(int threads, void (*body)(void* context), void* context,
                 void (*waiting)(void* context)) {
  if (threads <= 1) {
    body(context);
    return;
  }
  pool().run(threads, body, context, waiting);
}

int place_in_team() noexcept { return place; }

int available_cores() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int count = CPU_COUNT(&set);
    if (count > 0) return count;
  }
  const unsigned count = std::thread::hardware_concurrency();
  return count > 0 ? static_cast<int>(count) : 1;
}

}  // namespace tandem

#include "core/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <system_error>
#include <thread>

namespace tandem {
namespace {

thread_local int place = 0;
thread_local bool in_team = false;

void pause() noexcept { __builtin_ia32_pause(); }

// Threads that wait for teams to join. One team at a time.
//
// A team is a word: how many others may still join, how many have joined (which gives them their
// places), how many are at work, and a serial number, so that a thread that wakes late cannot join
// a team that is over. An OpenMP region would end only when every thread of it has had a core; with
// more busy threads than cores, that is many times the work of a small region.
class Pool {
 public:
  void run(int threads, void (*body)(void*), void* context) {
    const std::unique_lock<std::mutex> one_team(mutex_, std::try_to_lock);
    if (in_team || !one_team.owns_lock()) {
      body(context);
      return;
    }
    grow(threads - 1);
    body_ = body;
    context_ = context;
    const std::uint64_t serial = ++serial_ & 0xffffffffU;
    const auto others = static_cast<std::uint64_t>(std::min(threads - 1, started_));
    team_.store(serial << 32 | others << 16, std::memory_order_release);
    calls_.store(static_cast<std::uint32_t>(serial), std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) calls_.notify_all();

    in_team = true;
    body(context);
    in_team = false;

    // No one may join from here on; those who have are waited for.
    std::uint64_t team = team_.fetch_and(~join_mask, std::memory_order_acq_rel) & ~join_mask;
    for (int spin = 0; (team & work_mask) != 0; ++spin) {
      if (spin < spins) {
        pause();
      } else {
        // The worker may need this core.
        sched_yield();
      }
      team = team_.load(std::memory_order_acquire);
    }
  }

 private:
  // Bits 0-7: at work; 8-15: have joined; 16-31: may still join; 32-63: serial number.
  static constexpr std::uint64_t work_mask = 0xffU;
  static constexpr std::uint64_t join_mask = 0xffff0000U;
  static constexpr int most_others = 250;
  // About 20 µs: the next region of a training step begins within that.
  static constexpr int spins = 1000;

  void grow(int others) {
    for (; started_ < std::min(others, most_others); ++started_) {
      try {
        std::thread([this] { work(); }).detach();
      } catch (const std::system_error&) {
        return;  // fewer threads, the same result
      }
    }
  }

  void work() {
    in_team = true;  // regions inside a piece run alone
    std::uint32_t seen = 0;
    for (;;) {
      std::uint32_t call = calls_.load(std::memory_order_acquire);
      for (int spin = 0; call == seen && spin < spins; ++spin) {
        pause();
        call = calls_.load(std::memory_order_acquire);
      }
      if (call == seen) {
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        calls_.wait(seen, std::memory_order_seq_cst);
        sleepers_.fetch_sub(1, std::memory_order_seq_cst);
        call = calls_.load(std::memory_order_acquire);
      }
      seen = call;
      std::uint64_t team = team_.load(std::memory_order_acquire);
      while ((team & join_mask) != 0) {
        const std::uint64_t joined = team - 0x10000U + 0x100U + 1U;
        if (!team_.compare_exchange_weak(team, joined, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
          continue;
        }
        place = static_cast<int>(joined >> 8 & 0xffU);
        seen = static_cast<std::uint32_t>(joined >> 32);
        body_(context_);
        team_.fetch_sub(1, std::memory_order_acq_rel);
        break;
      }
    }
  }

  std::mutex mutex_;
  std::atomic<std::uint64_t> team_{0};
  std::atomic<std::uint32_t> calls_{0};
  std::atomic<int> sleepers_{0};
  std::uint64_t serial_ = 0;
  int started_ = 0;
  void (*body_)(void*) = nullptr;
  void* context_ = nullptr;
};

Pool& pool() {
  // Never destroyed: its threads wait in it until the process ends.
  static auto* const instance = new Pool;
  return *instance;
}

}  // namespace

void run_on_team(int threads, void (*body)(void* context), void* context) {
  if (threads <= 1) {
    body(context);
    return;
  }
  pool().run(threads, body, context);
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

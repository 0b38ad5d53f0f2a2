#include "softgpu/device/settings.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "softgpu/device/options.hpp"

namespace softgpu {
namespace {

std::atomic<std::uint64_t>& seed_now() noexcept {
  static std::atomic<std::uint64_t> seed{options().seed};
  return seed;
}

std::atomic<int>& threads_now() noexcept {
  static std::atomic<int> threads{options().threads};
  return threads;
}

std::atomic<bool>& operands_now() noexcept {
  static std::atomic<bool> keeps{options().check || std::getenv("SOFTGPU_PROFILE") != nullptr};
  return keeps;
}

}  // namespace

std::uint64_t schedule_seed() noexcept { return seed_now().load(std::memory_order_relaxed); }
void set_schedule_seed(std::uint64_t seed) noexcept {
  seed_now().store(seed, std::memory_order_relaxed);
}

int core_count() noexcept {
  if (options().check) return 1;  // what happened before what is then one order
  const int set = threads_now().load(std::memory_order_relaxed);
  if (set > 0) return set;
  // Asked once: the answer is read from files of the system, which takes longer than a small
  // kernel.
  static const int usable = [] {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? std::max(1, CPU_COUNT(&cores)) : 1;
  }();
  return usable;
}
void set_core_count(int count) noexcept {
  threads_now().store(std::clamp(count, 0, most_threads), std::memory_order_relaxed);
}
bool keeps_operands() noexcept { return operands_now().load(std::memory_order_relaxed); }
void set_keeps_operands(bool keeps) noexcept {
  operands_now().store(keeps, std::memory_order_relaxed);
}

}  // namespace softgpu

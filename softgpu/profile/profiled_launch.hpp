// A launch that is profiled: see docs/kernel-lab.md.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "softgpu/exec/machine.hpp"
#include "softgpu/profile/profile.hpp"
#include "softgpu/profile/recorder.hpp"

namespace softgpu::profile {

// True while profile_launches() is on.
inline std::atomic<bool> tests_profile{false};
// True where SOFTGPU_PROFILE_KERNEL and SOFTGPU_PROFILE_LAUNCH do not leave the launch out.
[[nodiscard]] bool is_selected(const Launch& launch);

// True where the launch is to be profiled.
[[nodiscard]] inline bool profiles(const Launch& launch) {
  return tests_profile.load(std::memory_order_relaxed) || (recording() && is_selected(launch));
}

// For tests: profiles launches from now on, for code that is decoded from now on and with caches
// that hold nothing, and keeps the last one's numbers.
void profile_launches(bool on);
[[nodiscard]] const Kernel& last_profiled();

// Instructions after which a warp lets others go on: few, so that warps use the caches in turn as
// they do on a device.
inline constexpr std::int64_t instructions_per_turn = 64;

// For launch.cpp: while this lives, the launch's code is the profiled one. At the end its counters
// are added to its kernel's.
class ProfiledLaunch {
 public:
  explicit ProfiledLaunch(Launch& launch);
  ~ProfiledLaunch();
  ProfiledLaunch(const ProfiledLaunch&) = delete;
  ProfiledLaunch& operator=(const ProfiledLaunch&) = delete;

  // Blocks that take turns: as many as the device holds at a time, or as memory allows.
  [[nodiscard]] std::size_t blocks_in_turn() const;

  // Runs the work of the one core; no other kernel is profiled meanwhile.
  void run(const std::function<void()>& core);

 private:
  class Watcher;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace softgpu::profile

// Counters of what kernels do: instructions, floating-point operations, and accesses to memory.
//
// An observer that hangs on the executor. A launch that is counted runs on a copy of the decoded
// code in which every instruction first comes by here (several times slower); a launch that is not
// runs on the code as it is, which knows nothing of this. docs/softgpu.md says what is counted and
// by which model.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// True while launches are counted, from the start where SOFTGPU_COUNT is set. Switching it on
// starts from zero.
[[nodiscard]] bool counting();
void count_launches(bool on);

// A copy that was carried out, by where its bytes come from and where they go: a device's memory,
// managed memory included, or the host's. Does nothing while nothing is counted.
void count_copy(const void* to, const void* from, std::size_t bytes);

// The counters since then: {"copies": {...}, "kernels": [...]}, the latter by name.
[[nodiscard]] nlohmann::ordered_json counters();
// The counters of one kernel, by its mangled name; null where it was not counted.
[[nodiscard]] nlohmann::ordered_json counters_of(const std::string& kernel);

// For launch.cpp: while this lives, the launch's code is the counting one. At the end its counters
// are added to its kernel's.
class CountedLaunch {
 public:
  explicit CountedLaunch(Launch& launch);
  ~CountedLaunch();
  CountedLaunch(const CountedLaunch&) = delete;
  CountedLaunch& operator=(const CountedLaunch&) = delete;

  // Runs the work of one core, on its thread.
  void run(const std::function<void()>& core);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace softgpu

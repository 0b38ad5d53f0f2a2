// A launch that is checked: see docs/kernel-lab.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

// For launch.cpp: while this lives, the launch's code is the checked one.
class CheckedLaunch {
 public:
  explicit CheckedLaunch(Launch& launch);
  ~CheckedLaunch();
  CheckedLaunch(const CheckedLaunch&) = delete;
  CheckedLaunch& operator=(const CheckedLaunch&) = delete;

  // Runs the work of the one core; no other kernel runs meanwhile.
  void run(const std::function<void()>& core);

 private:
  class Watcher;
  std::unique_ptr<Watcher> watcher_;
};

// For launch.cpp. Counts whatever brings kernels on: stores that change something, barriers that
// open.
[[nodiscard]] std::uint64_t changes();
// A number for the state of a warp that has stopped: its places and registers.
[[nodiscard]] std::uint64_t state_of(const Warp& warp);

// For decode_texture.cpp: a kernel has written these bytes of a surface.
void written_by_surface(const void* address, std::size_t bytes);

// For schedule.cpp: a fault, which ends the kernel, and a notice. `code` is CUDA's.
void report_fault(const Warp& warp, const Op* op, int lane, int code, const std::string& what);
void report_notice(const Warp& warp, int lane, const Code& code, const Op* op,
                   const std::string& what, bool is_error);

}  // namespace softgpu::check

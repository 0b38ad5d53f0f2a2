// Runs kernels.
#pragma once

#include <chrono>
#include <memory>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// A kernel while it runs. The caller has checked the configuration (sizes within the device's
// limits, parameters complete) and keeps `launch` alive.
class KernelRun {
 public:
  explicit KernelRun(Launch& launch);
  ~KernelRun();
  KernelRun(const KernelRun&) = delete;
  KernelRun& operator=(const KernelRun&) = delete;

  // Runs blocks on the calling thread and on those that all kernels share. True where the last has
  // ended. False where for so long none began or ended: what the kernel waits for may be the
  // caller, or another kernel, and the shared threads are free again.
  [[nodiscard]] bool run(std::chrono::duration<double> patience);
  // Goes on after run() gave up, in any thread, with threads of its own, until the kernel ends.
  void finish();
  // Makes the kernel end as soon as it can, with an error; from any thread, once.
  void stop();
  // After the end. The code is 0 where nothing went wrong; the message is what a person reads.
  [[nodiscard]] const Fault& fault() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Runs all blocks of launch.grid on the processor's cores and returns when the last has ended.
[[nodiscard]] Fault run_kernel(Launch& launch);

// Text that kernels printed, in order, since the last time: kept until the runtime synchronises, as
// on a device.
void flush_device_output();

}  // namespace softgpu

// Runs a kernel to its end.
#pragma once

#include <functional>
#include <string>

#include "softgpu/exec/machine.hpp"

namespace softgpu {

// Runs all blocks of launch.grid on the processor's cores and returns when the last has ended. The
// fault's code is 0 where nothing went wrong; its message is what a person reads. The caller has
// checked the configuration (sizes within the device's limits, parameters complete).
[[nodiscard]] Fault run_kernel(Launch& launch);

// Text that kernels printed, in order, since the last time: kept until the runtime synchronises, as
// on a device.
void flush_device_output();

}  // namespace softgpu

// The report that SOFTGPU_REPORT asks for at exit: each kernel's launches, time and instructions,
// and which of its instructions are exact.
#pragma once

#include "softgpu/exec/machine.hpp"

namespace softgpu {

void record_launch(const Launch& launch);

}  // namespace softgpu

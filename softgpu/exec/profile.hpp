// The report that SOFTGPU_REPORT asks for at exit: each kernel's launches, time and instructions,
// and which of its instructions are exact.
#pragma once

#include "softgpu/exec/machine.hpp"

namespace softgpu {

void record_launch(const Launch& launch);
// Writes it now, where the process is about to end without its usual end.
void finish_report();

}  // namespace softgpu

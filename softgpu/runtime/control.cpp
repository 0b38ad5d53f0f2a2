#include "softgpu/runtime/control.h"

#include "softgpu/device/settings.hpp"

extern "C" {

int softgpu_version(void) { return SOFTGPU_CONTROL_VERSION; }
void softgpu_set_seed(std::uint64_t seed) { softgpu::set_schedule_seed(seed); }
void softgpu_set_threads(int threads) { softgpu::set_core_count(threads); }

}  // extern "C"

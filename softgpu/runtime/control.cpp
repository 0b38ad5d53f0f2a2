#include "softgpu/runtime/control.h"

#include <cstring>
#include <exception>
#include <string>

#include <nlohmann/json.hpp>

#include "softgpu/check/host.hpp"
#include "softgpu/device/settings.hpp"
#include "softgpu/observe/counters.hpp"

extern "C" {

int softgpu_version(void) { return SOFTGPU_CONTROL_VERSION; }
void softgpu_set_seed(std::uint64_t seed) { softgpu::set_schedule_seed(seed); }
void softgpu_set_threads(int threads) { softgpu::set_core_count(threads); }
void softgpu_count(int on) { softgpu::count_launches(on != 0); }

char* softgpu_counters(void) {
  try {
    // Names that are no UTF-8 are shown with replacements instead of being refused.
    const std::string text =
        softgpu::counters().dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    return strdup(text.c_str());
  } catch (const std::exception&) {
    return nullptr;
  }
}

void softgpu_library_works(void) { softgpu::check::library_works(); }

}  // extern "C"

#include "cpu/simd.hpp"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <mutex>
#include <string>

#include "tandem/core/error.hpp"

namespace tandem::cpu {
namespace {

constexpr std::int64_t baseline = HWY_EMU128;

bool supports(std::int64_t target) { return (hwy::SupportedTargets() & target) != 0; }

}  // namespace

void apply_simd_environment() {
  static std::once_flag once;
  std::call_once(once, [] {
    // Chosen here and not by the first call through HWY_DYNAMIC_DISPATCH, so that code may keep a
    // pointer to the chosen function: taken before, it would point to the function that chooses.
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    const char* wanted = std::getenv("TANDEM_SIMD");
    if (wanted == nullptr || *wanted == '\0') return;
    try {
      limit_simd(wanted);
    } catch (const InputError& error) {
      throw InputError("environment variable TANDEM_SIMD: " + std::string(error.what()));
    }
  });
}

std::string_view simd_name() {
  if (supports(HWY_AVX3)) return "AVX-512";
  if (supports(HWY_AVX2)) return "AVX2";
  return "baseline";
}

void limit_simd(std::string_view name) {
  hwy::SetSupportedTargetsForTest(0);
  const std::int64_t supported = hwy::SupportedTargets();
  std::int64_t wanted = 0;
  if (name == "avx512") {
    wanted = HWY_AVX3 | HWY_AVX2 | baseline;
    if ((supported & HWY_AVX3) == 0) throw InputError("this processor has no AVX-512");
  } else if (name == "avx2") {
    wanted = HWY_AVX2 | baseline;
    if ((supported & HWY_AVX2) == 0) throw InputError("this processor has no AVX2");
  } else if (name == "baseline") {
    wanted = baseline;
  } else {
    throw InputError("unknown instruction set '" + std::string(name) +
                     "': expected avx512, avx2 or baseline");
  }
  hwy::SetSupportedTargetsForTest(wanted & (supported | baseline));
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace tandem::cpu

// Which vector instructions the process uses. Chosen once, at run time, from what the processor
// has; TANDEM_SIMD=avx512|avx2|baseline in the environment asks for less. Results do not depend
// on it in exact mode.
#pragma once

#include <string_view>

namespace tandem::cpu {

// "AVX-512", "AVX2" or "baseline".
[[nodiscard]] std::string_view simd_name();

// Restricts dispatch to at most the named set ("avx512", "avx2", "baseline"), for tests and for
// TANDEM_SIMD. Throws InputError for an unknown name, and for one that the processor lacks.
void limit_simd(std::string_view name);

// Applies the environment variable, once per process; engines do so when they are made. Throws
// InputError for a value that limit_simd refuses.
void apply_simd_environment();

}  // namespace tandem::cpu

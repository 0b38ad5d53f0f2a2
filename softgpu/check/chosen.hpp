// Which launches are checked, and for what: --kernel, --launch and --only.
#pragma once

#include <string>

#include "softgpu/exec/machine.hpp"

namespace softgpu::check {

// True where `pattern`, in which * and ? stand for any letters, is that of a readable kernel's
// name; the name counts without its parameters.
[[nodiscard]] bool names_kernel(const std::string& pattern, const std::string& kernel);
// By SOFTGPU_CHECK_KERNEL and SOFTGPU_CHECK_LAUNCH. A launch from a kernel counts as that kernel's
// own.
[[nodiscard]] bool is_chosen(const Launch& launch);
// Whether SOFTGPU_CHECK_ONLY keeps races, which are not looked for where it does not; and deadlocks
// of threads that go round in loops.
[[nodiscard]] bool looks_for_races();
[[nodiscard]] bool looks_for_deadlocks();
// A sentence where launches were to be chosen and there was none of them; else empty.
[[nodiscard]] std::string none_chosen();
// A launch that was not chosen has ended: what it has written counts as defined, and as ordered
// before all that follows.
void ended_unchecked();

}  // namespace softgpu::check

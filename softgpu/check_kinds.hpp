// The kinds of findings of the checker, by the names that options and reports use.
#pragma once

#include <array>
#include <string_view>

namespace softgpu {

inline constexpr std::array<std::string_view, 16> check_kinds = {
    "out-of-bounds",
    "misaligned",
    "use-after-free",
    "invalid-free",
    "leak",
    "uninitialised",
    "race",
    "same-value-race",
    "barrier-divergence",
    "warp-mask",
    "deadlock",
    "unchecked-error",
    "launch-failure",
    "overlapping-copy",
    "fault",
    "schedule-dependent",
};

}  // namespace softgpu

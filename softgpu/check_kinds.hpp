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

// What several kinds are called together; SOFTGPU_CHECK_ONLY takes these names too.
struct CheckGroup {
  std::string_view name;
  std::array<std::string_view, 7> kinds;  // empty from the last on
};
inline constexpr std::array<CheckGroup, 4> check_groups = {{
    {"memory",
     {"out-of-bounds", "misaligned", "use-after-free", "invalid-free", "leak", "uninitialised",
      "overlapping-copy"}},
    {"races", {"race", "same-value-race"}},
    {"synchronisation", {"barrier-divergence", "warp-mask", "deadlock"}},
    {"api", {"unchecked-error", "launch-failure"}},
}};

}  // namespace softgpu

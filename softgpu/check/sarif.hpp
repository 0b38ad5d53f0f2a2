// Findings in SARIF, the format in which code hosts and editors take the results of analyses
// (OASIS, "Static Analysis Results Interchange Format", version 2.1.0).
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace softgpu::check {

// Of the findings as SOFTGPU_CHECK_JSON has them.
[[nodiscard]] nlohmann::ordered_json sarif_of(const nlohmann::ordered_json& findings);

}  // namespace softgpu::check

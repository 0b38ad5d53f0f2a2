// A version as programs read of it, over HTTP and from `tandem models --json`.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "systems/serving/registry.hpp"

namespace tandem::serving {

[[nodiscard]] nlohmann::json version_json(const VersionRecord& record);

}  // namespace tandem::serving

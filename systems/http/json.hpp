// JSON in requests, for handlers off the hot path.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "systems/http/message.hpp"

namespace tandem::http {

inline constexpr int deepest_json = 32;

// Throws HttpError with 400 for what is no JSON object, is nested deeper than `deepest` or has a
// member twice. An empty body is an empty object.
[[nodiscard]] nlohmann::json parse_object(std::string_view body, int deepest = deepest_json);

[[nodiscard]] Response json_response(const nlohmann::json& json, int status = 200);

}  // namespace tandem::http

// JSON values as the texts that the public interface returns.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace tandem {

// In one line. Numbers are written so that they read back as they are, or as null where they are
// not finite; bytes that are no UTF-8, which names from files may hold, become U+FFFD.
[[nodiscard]] inline std::string json_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace tandem

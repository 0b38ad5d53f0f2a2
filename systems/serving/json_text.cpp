#include "systems/serving/json_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/json_text.hpp"

namespace tandem::serving {

void append_json_text(std::string& json, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
  });
  if (plain) {
    json += '"';
    json += text;
    json += '"';
  } else {
    json += tandem::json_text(nlohmann::json(text));
  }
}

}  // namespace tandem::serving

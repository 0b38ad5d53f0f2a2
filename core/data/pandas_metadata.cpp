#include "core/data/pandas_metadata.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>

namespace tandem {
namespace {

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

PandasMetadata parse_pandas_metadata(std::string_view text) {
  PandasMetadata metadata;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return metadata;
  // Of an index that only counts the rows, pandas writes a description in place of a name.
  if (const auto index = json.find("index_columns"); index != json.end() && index->is_array()) {
    for (const auto& name : *index) {
      if (name.is_string()) metadata.index.push_back(name.get<std::string>());
    }
  }
  if (const auto columns = json.find("columns"); columns != json.end() && columns->is_array()) {
    for (const auto& column : *columns) {
      if (!column.is_object() || text_of(column, "pandas_type") != "categorical") continue;
      std::string name = text_of(column, "field_name");
      if (name.empty()) name = text_of(column, "name");
      if (!name.empty()) metadata.categorical.push_back(std::move(name));
    }
  }
  return metadata;
}

std::string from_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0' + 52);
    } else if (c == '+') {
      value = 62;
    } else if (c == '/') {
      value = 63;
    } else if (c == '=') {
      break;
    } else {
      return {};
    }
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xFFU);
    }
  }
  return bytes;
}

}  // namespace tandem

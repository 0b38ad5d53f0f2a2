#include "systems/serving/asker_json.hpp"

namespace tandem::serving {

using http::HttpError;
namespace dom = simdjson::dom;

std::string unit_of(const dom::element& value) {
  std::string_view text;
  std::int64_t whole = 0;
  std::uint64_t large = 0;
  if (value.get(text) == simdjson::SUCCESS) return checked_text(text, "unit");
  if (value.get(whole) == simdjson::SUCCESS && whole != 0) return std::to_string(whole);
  if (value.get(large) == simdjson::SUCCESS && large != 0) return std::to_string(large);
  throw HttpError(400, "unit: expected a text, or a whole number other than 0");
}

nlohmann::json json_of(const dom::element& value) {
  switch (value.type()) {
    case dom::element_type::OBJECT: {
      auto object = nlohmann::json::object();
      for (const auto& [key, member] : dom::object(value)) {
        object[std::string(key)] = json_of(member);
      }
      return object;
    }
    case dom::element_type::ARRAY: {
      auto array = nlohmann::json::array();
      for (const dom::element entry : dom::array(value)) array.push_back(json_of(entry));
      return array;
    }
    case dom::element_type::STRING: return std::string(std::string_view(value));
    case dom::element_type::BOOL: return bool(value);
    case dom::element_type::INT64: return std::int64_t(value);
    case dom::element_type::UINT64: return std::uint64_t(value);
    case dom::element_type::DOUBLE: return double(value);
    case dom::element_type::NULL_VALUE: break;
  }
  return {};
}

void read_asker(Asker& asker, const dom::object& body) {
  for (const auto& [key, value] : body) {
    if (key == "unit") {
      asker.unit = unit_of(value);
    } else if (key == "attributes") {
      if (!value.is_object()) throw HttpError(400, "attributes: expected an object");
      asker.attributes = json_of(value);
    } else if (key == "force") {
      dom::object forced;
      if (value.get(forced) != simdjson::SUCCESS) {
        throw HttpError(400, R"(force: expected an object {"EXPERIMENT": "ARM"})");
      }
      for (const auto& [experiment, arm] : forced) {
        std::string_view name;
        if (arm.get(name) != simdjson::SUCCESS) {
          throw HttpError(400, "force: expected the name of an arm");
        }
        asker.forced.emplace_back(checked_text(experiment, "force: the experiment"),
                                  checked_text(name, "force: the arm"));
      }
    } else if (key == "id") {
      std::string_view id;
      if (value.get(id) != simdjson::SUCCESS) throw HttpError(400, "id: expected a text");
      asker.id = checked_text(id, "id");
    }
  }
}

void read_parameter(Asker& asker, std::string_view name, const dom::element& value) {
  if (name == "unit") {
    asker.unit = unit_of(value);
  } else if (name == "attributes" || name == "force") {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) {
      throw HttpError(400, std::string(name) + ": expected a text");
    }
    if (name == "force") {
      read_forced(asker, text);
    } else {
      asker.attributes = read_attributes(text);
    }
  }
}

}  // namespace tandem::serving

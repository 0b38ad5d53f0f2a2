#include "systems/http/json.hpp"

#include <set>

#include "core/json_text.hpp"

namespace tandem::http {

nlohmann::json parse_object(std::string_view body, int deepest) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return nlohmann::json::object();
  }
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> members;
  const auto check = [&](int depth, Event event, nlohmann::json& parsed) {
    if (event == Event::object_start || event == Event::array_start) {
      if (depth >= deepest) {
        throw HttpError(400, "the JSON is nested deeper than " + std::to_string(deepest));
      }
    }
    if (event == Event::object_start) members.emplace_back();
    if (event == Event::object_end) members.pop_back();
    if (event == Event::key && !members.back().insert(parsed.get<std::string>()).second) {
      throw HttpError(400, "the JSON has the member \"" + parsed.get<std::string>() + "\" twice");
    }
    return true;
  };
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(body, check);
  } catch (const nlohmann::json::exception& error) {
    throw HttpError(400, std::string("the body is not JSON: ") + error.what());
  }
  if (!json.is_object()) throw HttpError(400, "expected a JSON object as the body");
  return json;
}

Response json_response(const nlohmann::json& json, int status) {
  Response response;
  response.status = status;
  response.body = json_text(json) + "\n";
  return response;
}

}  // namespace tandem::http

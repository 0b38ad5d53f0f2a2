#include "systems/serving/asker.hpp"

#include <simdjson.h>

#include <algorithm>

#include "systems/http/json.hpp"

namespace tandem::serving {

using http::HttpError;

std::string checked_text(std::string_view text, std::string_view what) {
  constexpr std::size_t longest = 256;
  if (text.empty()) throw HttpError(400, std::string(what) + ": is empty");
  if (text.size() > longest) {
    throw HttpError(400,
                    std::string(what) + ": is longer than " + std::to_string(longest) + " bytes");
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    throw HttpError(400, std::string(what) + ": is no UTF-8");
  }
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    throw HttpError(400, std::string(what) + ": has control characters");
  }
  return std::string(text);
}

void read_forced(Asker& asker, std::string_view text) {
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const auto equals = one.find('=');
    if (equals == std::string_view::npos) {
      throw HttpError(400, "force: expected EXPERIMENT=ARM");
    }
    asker.forced.emplace_back(checked_text(one.substr(0, equals), "force: the experiment"),
                              checked_text(one.substr(equals + 1), "force: the arm"));
  }
}

nlohmann::json read_attributes(std::string_view text) {
  try {
    return http::parse_object(text);
  } catch (const HttpError& error) {
    throw HttpError(400, std::string("attributes: ") + error.what());
  }
}

void read_headers(Asker& asker, const http::Request& request) {
  if (asker.unit.empty()) {
    if (const auto unit = request.header("tandem-unit"); !unit.empty()) {
      asker.unit = checked_text(unit, "Tandem-Unit");
    }
  }
  if (asker.forced.empty()) read_forced(asker, request.header("tandem-force"));
}

}  // namespace tandem::serving

// Who a request is asked for: what experiments and canaries assign versions by.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "systems/http/message.hpp"

namespace tandem::serving {

struct Asker {
  // The user, session or device; empty: not said. It is the value of whatever attribute an
  // experiment hashes, unless the attributes have that themselves.
  std::string unit;
  nlohmann::json attributes;  // an object, or null: none
  // Experiment and arm, for who tries an arm out; no part of the analysis.
  std::vector<std::pair<std::string, std::string>> forced;
  std::string id;  // of the request; empty: none
};

// What an answer says of itself beside the model and its version. Empty texts are left out.
struct AnswerNotes {
  std::string_view id;
  std::string_view experiment;
  std::string_view arm;
  bool forced = false;
};

// A unit, an arm or an id, as it is kept in databases and logs. Throws HttpError with 400 for what
// is empty, longer than 256 bytes or no UTF-8, or has control characters.
[[nodiscard]] std::string checked_text(std::string_view text, std::string_view what);
// "EXPERIMENT=ARM", several behind commas. Throws HttpError with 400.
void read_forced(Asker& asker, std::string_view text);
// The text of a JSON object. Throws HttpError with 400.
[[nodiscard]] nlohmann::json read_attributes(std::string_view text);
// The headers Tandem-Unit and Tandem-Force, where the body has not said it.
void read_headers(Asker& asker, const http::Request& request);

}  // namespace tandem::serving

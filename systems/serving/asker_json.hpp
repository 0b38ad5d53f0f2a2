// What a request's JSON says of who asks. Private: it needs simdjson.
#pragma once

#include <simdjson.h>

#include "systems/serving/asker.hpp"

namespace tandem::serving {

// A text, or a whole number other than 0, which is the same unit as its digits.
[[nodiscard]] std::string unit_of(const simdjson::dom::element& value);
// The depth is bounded by the parser.
[[nodiscard]] nlohmann::json json_of(const simdjson::dom::element& value);

// The members `unit`, `attributes`, `force` and `id` of the body of POST /v1/predict. Throws
// HttpError with 400.
void read_asker(Asker& asker, const simdjson::dom::object& body);
// One of the `parameters` of an inference request, whose values are no objects: `attributes` is the
// text of one, `force` is "EXPERIMENT=ARM".
void read_parameter(Asker& asker, std::string_view name, const simdjson::dom::element& value);

}  // namespace tandem::serving

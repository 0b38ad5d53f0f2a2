// Rows as people write them: {"rows": [{"age": 3, "city": "Oslo"}]}.
#pragma once

#include <string>
#include <vector>

#include "systems/serving/inference.hpp"

namespace tandem::serving {

struct NamedRequest {
  Asker asker;
  Rows rows;
  // A sentence each: categories that the training data did not have, which count as missing.
  std::vector<std::string> notices;
};

// A column of numbers takes a number, a text that the training file could have had there (a number,
// a date, a time), true and false (1 and 0); a column of categories takes a text, or a number that
// one is called by; null is a missing value. Members that are no columns of the model are passed
// over; a column that a row has not is an error. Throws HttpError with 400 that names row (from 0)
// and column. The body may be enlarged.
// Members of the body beside `rows`: read_asker().
[[nodiscard]] NamedRequest parse_named_rows(const ChooseModel& choose, std::string& body,
                                            const RequestLimits& limits);
[[nodiscard]] NamedRequest parse_named_rows(const ServedModel& model, std::string& body,
                                            const RequestLimits& limits);

// {"model": ..., "version": ..., "predictions": [{"label": ..., "probabilities": {...}}]}.
// `reasons` is empty, or has an entry per row.
[[nodiscard]] http::Response named_response(const ServedModel& model, const NamedRequest& request,
                                            const Answers& answers, Index first,
                                            const std::vector<Reasons>& reasons,
                                            const AnswerNotes& notes = {});

}  // namespace tandem::serving

#include "systems/serving/named_rows.hpp"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "core/text.hpp"
#include "systems/serving/asker_json.hpp"
#include "systems/serving/json_text.hpp"

namespace tandem::serving {
namespace {

using http::HttpError;
namespace dom = simdjson::dom;

constexpr std::size_t most_notices = 20;

std::string place_of(Index row, std::string_view column) {
  return "row " + std::to_string(row) + ", column " + std::string(column) + ": ";
}

// What a value stands for; nothing where the column cannot take it.
std::optional<double> number_of(const ServedModel& model, Index column, const dom::element& value) {
  double number = 0;
  bool flag = false;
  std::string_view text;
  if (value.get(number) == simdjson::SUCCESS) return number;
  if (value.get(flag) == simdjson::SUCCESS) return flag ? 1 : 0;
  if (value.get(text) == simdjson::SUCCESS) {
    if (read_number(text, number)) return number;
    return model.read_text(column, text);
  }
  return std::nullopt;
}

// The name that a category may be written as.
std::optional<std::string> category_text(const dom::element& value) {
  std::string_view text;
  std::int64_t whole = 0;
  double number = 0;
  bool flag = false;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  if (value.get(whole) == simdjson::SUCCESS) return std::to_string(whole);
  if (value.get(number) == simdjson::SUCCESS) return shortest(number);
  if (value.get(flag) == simdjson::SUCCESS) return flag ? "true" : "false";
  return std::nullopt;
}

class RowReader {
 public:
  RowReader(const ServedModel& model, NamedRequest& request) : model_(model), request_(request) {}

  template <Real T>
  void read(const dom::object& object) {
    const auto& columns = model_.signature().columns;
    const Index row = request_.rows.count++;
    auto& values = request_.rows.of<T>();
    const std::size_t begin = values.size();
    values.resize(begin + columns.size());
    seen_.assign(columns.size(), false);
    for (const auto& [key, value] : object) {
      const Index column = model_.column(key);
      if (column < 0) continue;
      const auto j = static_cast<std::size_t>(column);
      if (seen_[j]) throw HttpError(400, place_of(row, key) + "is there twice");
      seen_[j] = true;
      values[begin + j] = static_cast<T>(value_of(row, column, value));
    }
    const auto missing = std::find(seen_.begin(), seen_.end(), false);
    if (missing != seen_.end()) {
      const auto& name = columns[static_cast<std::size_t>(missing - seen_.begin())].name;
      throw HttpError(400,
                      place_of(row, name) + "is not there; null says that its value is not known");
    }
  }

 private:
  double value_of(Index row, Index column, const dom::element& value) {
    const auto& about = model_.signature().columns[static_cast<std::size_t>(column)];
    if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
    if (!about.categorical) {
      if (const auto number = number_of(model_, column, value)) return *number;
      throw HttpError(400, place_of(row, about.name) + "expected a number, or null");
    }
    const auto text = category_text(value);
    if (!text) throw HttpError(400, place_of(row, about.name) + "expected a text, or null");
    const Index code = model_.category(column, *text);
    if (code >= 0) return static_cast<double>(code);
    if (!text->empty()) request_.rows.unseen.emplace_back(row, column);
    if (request_.notices.size() < most_notices) {
      request_.notices.push_back(place_of(row, about.name) + "'" + *text +
                                 "' is no category of the training data; it counts as missing");
    }
    return std::numeric_limits<double>::quiet_NaN();
  }

  const ServedModel& model_;
  NamedRequest& request_;
  std::vector<bool> seen_;
};

void append_reasons(std::string& json, const Reasons& reasons) {
  json += ",\"reasons\":{";
  if (!reasons.output.empty()) {
    json += "\"of\":";
    append_json_text(json, reasons.output);
    json += ',';
  }
  json += "\"expected\":";
  append_json_number(json, reasons.expected);
  json += ",\"features\":[";
  for (std::size_t i = 0; i < reasons.reasons.size(); ++i) {
    const Reason& reason = reasons.reasons[i];
    json += i == 0 ? "{\"feature\":" : ",{\"feature\":";
    append_json_text(json, reason.feature);
    json += ",\"value\":";
    append_json_number(json, reason.value);
    json += ",\"contribution\":";
    append_json_number(json, reason.contribution);
    json += '}';
  }
  json += "]}";
}

}  // namespace

NamedRequest parse_named_rows(const ServedModel& model, std::string& body,
                              const RequestLimits& limits) {
  return parse_named_rows([&](const Asker&) -> const ServedModel& { return model; }, body, limits);
}

NamedRequest parse_named_rows(const ChooseModel& choose, std::string& body,
                              const RequestLimits& limits) {
  thread_local dom::parser parser;
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  const auto depth = static_cast<std::size_t>(limits.json_depth);
  if (parser.capacity() < body.size() || parser.max_depth() != depth) {
    if (parser.allocate(std::max<std::size_t>(body.size(), 1 << 12), depth) != simdjson::SUCCESS) {
      throw std::bad_alloc();
    }
  }
  dom::element root;
  if (const auto error = parser.parse(body.data(), body.size(), false).get(root)) {
    throw HttpError(400, std::string("the body is not JSON, or is nested deeper than ") +
                             std::to_string(limits.json_depth) + ": " +
                             simdjson::error_message(error));
  }
  dom::object members;
  dom::array rows;
  if (root.get(members) != simdjson::SUCCESS || members["rows"].get(rows) != simdjson::SUCCESS) {
    throw HttpError(400, R"(expected {"rows": [{"column": value, ...}, ...]})");
  }
  NamedRequest request;
  read_asker(request.asker, members);
  const ServedModel& model = choose(request.asker);
  RowReader reader(model, request);
  for (const dom::element row : rows) {
    dom::object object;
    if (row.get(object) != simdjson::SUCCESS) {
      throw HttpError(400, "row " + std::to_string(request.rows.count) +
                               ": expected an object with a member per column");
    }
    if (request.rows.count == limits.rows) {
      throw HttpError(413, "a request may have " + std::to_string(limits.rows) + " rows");
    }
    if (model.signature().precision == Precision::float32) {
      reader.read<float>(object);
    } else {
      reader.read<double>(object);
    }
  }
  if (request.rows.count == 0) throw HttpError(400, "expected at least one row");
  return request;
}

http::Response named_response(const ServedModel& model, const NamedRequest& request,
                              const Answers& answers, Index first,
                              const std::vector<Reasons>& reasons, const AnswerNotes& notes) {
  http::Response response;
  std::string& json = response.body;
  json = "{\"model\":";
  append_json_text(json, model.name());
  json += ",\"version\":" + model.version_text();
  const auto note = [&](std::string_view name, std::string_view text) {
    if (text.empty()) return;
    json += name;
    append_json_text(json, text);
  };
  note(",\"id\":", notes.id);
  note(",\"experiment\":", notes.experiment);
  note(",\"arm\":", notes.experiment.empty() ? std::string_view{} : notes.arm);
  if (notes.forced) json += ",\"forced\":true";
  json += ",\"predictions\":[";
  const auto& signature = model.signature();
  std::visit(
      [&]<Real T>(const Predictions<T>& predictions) {
        for (Index i = 0; i < request.rows.count; ++i) {
          const auto row = static_cast<std::size_t>(first + i);
          json += i == 0 ? "{" : ",{";
          const bool labelled = !predictions.labels.empty() && !signature.classes.empty();
          if (labelled) {
            json += "\"label\":";
            append_json_text(json,
                             signature.classes[static_cast<std::size_t>(predictions.labels[row])]);
          } else if (!predictions.labels.empty()) {
            json += "\"cluster\":";
            append_json_number(json, predictions.labels[row]);
          }
          if (!predictions.values.empty()) {
            json += labelled ? ",\"score\":" : "\"value\":";
            append_json_number(json, predictions.values[row]);
          }
          if (!predictions.probabilities.empty()) {
            json += ",\"probabilities\":{";
            const auto shares = predictions.probabilities.row(first + i);
            for (std::size_t k = 0; k < shares.size(); ++k) {
              if (k > 0) json += ',';
              append_json_text(json, signature.classes[k]);
              json += ':';
              append_json_number(json, shares[k]);
            }
            json += '}';
          }
          if (!reasons.empty()) append_reasons(json, reasons[static_cast<std::size_t>(i)]);
          json += '}';
        }
      },
      answers);
  json += ']';
  if (!request.notices.empty()) {
    json += ",\"notices\":[";
    for (std::size_t i = 0; i < request.notices.size(); ++i) {
      if (i > 0) json += ',';
      append_json_text(json, request.notices[i]);
    }
    json += ']';
  }
  json += "}\n";
  return response;
}

}  // namespace tandem::serving

#include "systems/recommend/event.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>

#include "systems/http/json.hpp"
#include "systems/recommend/record.hpp"
#include "systems/serving/experiments/experiment.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

using http::HttpError;
using nlohmann::json;

class Fields {
 public:
  Fields(const json& object, std::string where) : object_(object), where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& member, const std::string& what) const {
    throw HttpError(400, where_ + "'" + member + "' " + what);
  }
  [[nodiscard]] std::string text(const char* member, bool needed) const {
    const auto at = object_.find(member);
    if (at == object_.end() || at->is_null()) {
      if (needed) fail(member, "is missing; expected a text");
      return {};
    }
    if (!at->is_string()) fail(member, "is no text");
    const auto& found = at->get_ref<const std::string&>();
    if (needed && found.empty()) fail(member, "is empty");
    for (const char c : found) {
      if (static_cast<unsigned char>(c) < 0x20) fail(member, "has a control character");
    }
    if (found.size() > longest_name) {
      fail(member, "is longer than " + std::to_string(longest_name) + " bytes");
    }
    return found;
  }
  [[nodiscard]] const json* find(const char* member) const {
    const auto at = object_.find(member);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
  }

 private:
  const json& object_;
  std::string where_;
};

Event parse_one(const json& object, const std::string& where, Time now, std::string_view viewer) {
  if (!object.is_object()) throw HttpError(400, where + "expected an object");
  for (const auto& [name, value] : object.items()) {
    constexpr std::array<std::string_view, 9> known{
        "user", "item", "content_id", "type", "weight", "time", "id", "answer", "session"};
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      throw HttpError(400, where + "unknown member '" + name +
                               "'; expected user, item, type, weight, time, id, answer");
    }
  }
  const Fields fields(object, where);
  Event event;
  event.user = fields.text("user", viewer.empty());
  if (!viewer.empty()) {
    if (!event.user.empty() && event.user != viewer) {
      fields.fail("user", "is '" + event.user + "', and the events are those of '" +
                              std::string(viewer) + "'");
    }
    event.user = viewer;
  }
  event.item = fields.text(object.contains("content_id") ? "content_id" : "item", true);
  if (object.contains("content_id") && object.contains("item")) {
    fields.fail("item", "is given, and 'content_id' too; expected one of them");
  }
  event.id = fields.text("id", false);
  event.answer = fields.text("answer", false);
  const std::string kind = fields.text("type", false);
  if (!kind.empty()) {
    const auto& names = enum_names<EventKind>;
    const auto at = std::find(names.begin(), names.end(), kind);
    if (at == names.end() || kind == "forget") {
      fields.fail("type", "is '" + kind + "'; expected watch, click, like, dislike or hide");
    }
    event.kind = static_cast<EventKind>(at - names.begin());
  }
  if (const json* const weight = fields.find("weight")) {
    if (!weight->is_number()) fields.fail("weight", "is no number");
    event.weight = weight->get<double>();
    if (!(event.weight > 0 && event.weight <= 1)) fields.fail("weight", "is not in (0, 1]");
  }
  event.time = now;
  if (const json* const time = fields.find("time")) {
    if (time->is_number_unsigned()) {
      // Whatever lies ahead is now, however far.
      event.time =
          static_cast<Time>(std::min(time->get<std::uint64_t>(), static_cast<std::uint64_t>(now)));
    } else if (time->is_number_integer()) {
      event.time = time->get<std::int64_t>();
    } else if (time->is_string()) {
      try {
        event.time = experiments::parse_time(time->get_ref<const std::string&>());
      } catch (const InputError& error) {
        fields.fail("time", error.what());
      }
    } else {
      fields.fail("time", "is neither milliseconds nor a date");
    }
    if (event.time < 0) fields.fail("time", "lies before 1970");
    // A clock that is ahead would keep an item trending for as long as it is.
    event.time = std::min(event.time, now);
  }
  return event;
}

constexpr char event_mark = 'E';

}  // namespace

double strength(const Event& event) {
  switch (event.kind) {
    case EventKind::watch: return event.weight;
    case EventKind::click: return 0.3;
    case EventKind::like: return 2;
    default: return 0;
  }
}

std::vector<Event> parse_events(std::string_view body, Time now, std::string_view viewer) {
  const json object = http::parse_object(body);
  const auto list = object.find("events");
  if (list == object.end()) return {parse_one(object, "", now, viewer)};
  if (object.size() != 1) throw HttpError(400, "'events' has other members beside it");
  if (!list->is_array()) throw HttpError(400, "'events' is no list");
  if (list->empty()) throw HttpError(400, "'events' is empty");
  if (list->size() > most_events) {
    throw HttpError(413, "more than " + std::to_string(most_events) + " events at once");
  }
  std::vector<Event> events;
  for (std::size_t i = 0; i < list->size(); ++i) {
    events.push_back(parse_one((*list)[i], "events[" + std::to_string(i) + "]: ", now, viewer));
  }
  return events;
}

// 'E', kind, time, weight, and user, item, id and answer with their lengths; little endian.
std::string encode(const Event& event) {
  std::string bytes;
  bytes += event_mark;
  bytes += static_cast<char>(event.kind);
  append_number(bytes, static_cast<std::uint64_t>(event.time), 8);
  append_number(bytes, std::bit_cast<std::uint64_t>(event.weight), 8);
  for (const std::string* const text : {&event.user, &event.item, &event.id, &event.answer}) {
    append_text(bytes, *text);
  }
  return bytes;
}

Event decode_event(std::string_view record) {
  RecordReader reader(record, "an event of the log");
  if (reader.number(1) != static_cast<unsigned char>(event_mark)) {
    throw InputError("a record of the log is no event");
  }
  Event event;
  const std::uint64_t kind = reader.number(1);
  if (kind >= enum_names<EventKind>.size()) {
    throw InputError("an event of the log is of a kind that is not known");
  }
  event.kind = static_cast<EventKind>(kind);
  event.time = static_cast<Time>(reader.number(8));
  event.weight = std::bit_cast<double>(reader.number(8));
  if (event.time < 0 || !(event.weight > 0 && event.weight <= 1)) {
    throw InputError("an event of the log has a time or a weight out of range");
  }
  for (std::string* const text : {&event.user, &event.item, &event.id, &event.answer}) {
    *text = reader.text();
  }
  reader.finish();
  if (event.user.empty()) throw InputError("an event of the log has no user");
  return event;
}

}  // namespace tandem::recommend

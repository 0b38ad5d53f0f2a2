// What a viewer did, as it is sent, as it is kept, and how much it says.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "systems/recommend/catalogue.hpp"
#include "tandem/core/names.hpp"

namespace tandem::recommend {

// forget is no event of a client's: DELETE /v1/users/ID is kept as one.
enum class EventKind : std::uint8_t { watch, click, like, dislike, hide, forget };

}  // namespace tandem::recommend

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 6> enum_names<recommend::EventKind>{
    "watch", "click", "like", "dislike", "hide", "forget"};
}  // namespace tandem

namespace tandem::recommend {

struct Event {
  std::string user;
  std::string item;
  EventKind kind = EventKind::watch;
  // Of a watch: the share that was watched, in (0, 1].
  double weight = 1;
  Time time = 0;
  std::string id;      // an event of an id that is known already is not counted again; empty: none
  std::string answer;  // the answer that the item was taken from; empty: none is known

  [[nodiscard]] bool operator==(const Event&) const = default;
};

// How much the event says for the item: a watch its weight, a like 2, a click 0.3, the others 0.
[[nodiscard]] double strength(const Event& event);

inline constexpr std::size_t most_events = 1000;  // of one request

// The events of a request's body: one object, or {"events": [...]}, with the members user, item
// (or content_id), and where they are there type ("watch"), weight, time (milliseconds, or
// "2026-11-30T12:00:00Z"; `now` if left out, and where it lies later), id and answer. All are of
// `viewer`, where it is not empty: events may leave out `user` then. Throws HttpError with 400 that
// names the event and the member.
[[nodiscard]] std::vector<Event> parse_events(std::string_view body, Time now,
                                              std::string_view viewer = {});

// The event as a record of the log, and back. decode throws InputError for bytes that encode does
// not write.
[[nodiscard]] std::string encode(const Event& event);
[[nodiscard]] Event decode_event(std::string_view record);

}  // namespace tandem::recommend

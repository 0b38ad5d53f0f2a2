// The inside of State, for compute() and for reports; programs use State.
#pragma once

#include <algorithm>
#include <array>

#include "systems/fraud/entities.hpp"
#include "systems/fraud/network.hpp"
#include "systems/fraud/state.hpp"

namespace tandem::fraud {

// Identifiers, in the order of their kinds from card on.
inline constexpr std::array<Kind, 4> identifier_kinds{Kind::card, Kind::merchant, Kind::ip,
                                                      Kind::device};

[[nodiscard]] inline Key key_of(const Event& event, Kind kind) {
  switch (kind) {
    case Kind::user: return event.user;
    case Kind::card: return event.card;
    case Kind::merchant: return event.merchant;
    case Kind::ip: return event.ip;
    case Kind::device: return event.device;
  }
  return 0;
}

// Which of User::hours.
[[nodiscard]] std::size_t hours_slot(const Event& event);

struct State::Parts {
  StateOptions options;
  Time newest = 0;
  std::int64_t events = 0;
  std::int64_t labels = 0;
  std::int64_t late = 0;
  Table<User> users;
  std::array<Table<Shared>, 4> shared;  // by kind, from card on
  Network network;
  // The components of the next day while they are made: all identifiers up to `scan_id` of
  // `scan_kind` are in them, kind by kind, the users' frauds at last.
  Network coming;
  bool building = false;
  std::uint32_t built_day = 0;
  std::uint32_t scan_kind = 0;  // 0 to 3: identifiers; 4: users
  Id scan_id = 1;
  std::array<Id, kinds> sweep{1, 1, 1, 1, 1};  // the next entity to be looked at

  [[nodiscard]] Table<Shared>& of(Kind kind) { return shared[static_cast<std::size_t>(kind) - 1]; }
  [[nodiscard]] const Table<Shared>& of(Kind kind) const {
    return shared[static_cast<std::size_t>(kind) - 1];
  }
  // The entity with this key as far as it is not forgotten, or 0.
  [[nodiscard]] Id find_user(Key key, Time time) const;
  [[nodiscard]] Id find(Kind kind, Key key, Time time) const;
  [[nodiscard]] bool forgotten(const Entity& entity, Time time) const {
    return entity.last_seen() < time - options.forget_days * day_ms;
  }
  // Of how many users an identifier still joins them.
  [[nodiscard]] std::int64_t most_joined(Kind kind) const {
    return kind == Kind::merchant
               ? std::min(options.most_joined_users, options.most_joined_by_merchant)
               : options.most_joined_users;
  }
  // Users of an identifier in the 30 days before: how many, at most one more than join.
  [[nodiscard]] std::int64_t users_of(const Shared& one, Time time) const;

  Id user_of(Key key, Time time);
  Id shared_of(Kind kind, Key key, Time time);
  void join(Id user, Kind kind, Id id, Time time);
  // Time goes on to that of an event.
  void advance(Time time);
  // What an identifier gains by an event of the user; `merchant` and `place` may be 0.
  void meet(Kind kind, Id id, Id user, Id merchant, Id place, const Event& event);
  void build_some();
  void scan(Kind kind, Id id);
  void forget_some();

  template <class Archive>
  void visit(Archive& archive);
  [[nodiscard]] bool sound() const;
};

}  // namespace tandem::fraud

#include "systems/fraud/state.hpp"

#include <algorithm>
#include <cmath>

#include "systems/fraud/archive.hpp"
#include "systems/fraud/state_parts.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

constexpr std::uint32_t state_magic = 0x31535254;  // "TRS1"

// Entities that one event passes on the way through all of them: the way is done within a thousand
// events, or at 64 with each where there are few.
constexpr Id share_of(Id end) { return std::max<Id>(64, end / 1024 + 1); }

}  // namespace

// --- looking up --------------------------------------------------------------------------------

Id State::Parts::find_user(Key key, Time time) const {
  const Id id = key == 0 ? 0 : users.find(key);
  return id != 0 && forgotten(users[id], time) ? 0 : id;
}

Id State::Parts::find(Kind kind, Key key, Time time) const {
  const Table<Shared>& table = of(kind);
  const Id id = key == 0 ? 0 : table.find(key);
  return id != 0 && forgotten(table[id], time) ? 0 : id;
}

std::int64_t State::Parts::users_of(const Shared& one, Time time) const {
  if (!one.users.exact()) return options.most_joined_users + 1;
  std::int64_t count = 0;
  one.users.each(second_of(time - month_ms), [&](Id) { ++count; });
  return count;
}

Id State::Parts::user_of(Key key, Time time) {
  Id id = users.find(key);
  if (id != 0 && forgotten(users[id], time)) {
    network.remove_user(id);
    users.remove(id);
    id = 0;
  }
  if (id == 0) {
    id = users.add(key, newest);
    users[id].first_seen = time;
  }
  return id;
}

Id State::Parts::shared_of(Kind kind, Key key, Time time) {
  if (key == 0) return 0;
  Table<Shared>& table = of(kind);
  Id id = table.find(key);
  if (id != 0 && forgotten(table[id], time)) {
    table.remove(id);
    id = 0;
  }
  if (id == 0) {
    id = table.add(key, newest);
    table[id].first_seen = time;
  }
  return id;
}

// --- components --------------------------------------------------------------------------------

// The user was seen with the identifier, and was not in the 30 days before.
void State::Parts::join(Id user, Kind kind, Id id, Time time) {
  const std::int64_t count = users_of(of(kind)[id], time);
  if (count > most_joined(kind)) return;
  const Second first_seen = second_of(users[user].first_seen);
  network.join(user, first_seen, {kind, id}, count == 2);
  // What has not been scanned yet will be with this edge.
  const auto place = static_cast<std::uint32_t>(kind) - 1;
  if (building && (place < scan_kind || (place == scan_kind && id < scan_id))) {
    coming.join(user, first_seen, {kind, id}, count == 2);
  }
}

void State::Parts::scan(Kind kind, Id id) {
  const Shared& one = of(kind)[id];
  if (one.key == 0 || users_of(one, newest) > most_joined(kind)) return;
  int count = 0;
  one.users.each(second_of(newest - month_ms), [&](Id user) {
    if (users[user].key == 0) return;
    ++count;
    coming.join(user, second_of(users[user].first_seen), {kind, id}, count == 2);
  });
}

void State::Parts::build_some() {
  const auto day = static_cast<std::uint32_t>(newest / day_ms);
  if (!building) {
    if (day == built_day) return;
    building = built_day != 0;
    built_day = day;
    scan_kind = 0;
    scan_id = 1;
    if (!building) return;
  }
  Id end = users.end();
  for (const auto& table : shared) end += table.end();
  for (Id left = share_of(end); left > 0; --left) {
    const Id end_of_kind = scan_kind < 4 ? shared[scan_kind].end() : users.end();
    if (scan_id >= end_of_kind) {
      scan_id = 1;
      if (++scan_kind <= 4) continue;
      network = std::move(coming);
      coming.clear();
      building = false;
      scan_kind = 0;
      return;
    }
    const Id id = scan_id++;
    if (scan_kind < 4) {
      scan(identifier_kinds[scan_kind], id);
    } else if (users[id].key != 0) {
      const std::uint32_t frauds = users[id].frauds_known(newest);
      for (std::uint32_t i = 0; i < frauds; ++i) {
        coming.add_fraud(id, second_of(users[id].first_seen));
      }
    }
  }
}

// Looks at two entities of each kind, more than an event can add: whoever is forgotten takes no
// memory.
void State::Parts::forget_some() {
  for (std::size_t turn = 0; turn < 2 * kinds; ++turn) {
    const std::size_t kind = turn / 2;
    const Id end = kind == 0 ? users.end() : shared[kind - 1].end();
    if (end <= 1) continue;
    if (sweep[kind] >= end) sweep[kind] = 1;
    const Id id = sweep[kind]++;
    if (kind == 0) {
      if (users[id].key != 0 && forgotten(users[id], newest)) {
        network.remove_user(id);
        users.remove(id);
      }
    } else {
      Table<Shared>& table = shared[kind - 1];
      if (table[id].key != 0 && forgotten(table[id], newest)) table.remove(id);
    }
  }
}

// --- State -------------------------------------------------------------------------------------

State::State(const StateOptions& options) : parts_(std::make_unique<Parts>()) {
  if (options.forget_days < 31 || options.most_joined_users < 1 ||
      options.most_joined_by_merchant < 0 || options.exact_distinct < 16 ||
      options.exact_distinct > 1'000'000) {
    throw InputError(
        "expected forget_days of 31 or more, most_joined_users of 1 or more, "
        "most_joined_by_merchant of 0 or more and exact_distinct from 16 to 1,000,000");
  }
  parts_->options = options;
}
State::State(State&&) noexcept = default;
State& State::operator=(State&&) noexcept = default;
State::~State() = default;

void State::Parts::advance(Time time) {
  // Nothing was seen for so long that no edge is left of what is joined.
  if (newest > 0 && time - newest > month_ms + day_ms) {
    network.clear();
    coming.clear();
    building = false;
    scan_kind = 0;
    built_day = static_cast<std::uint32_t>(time / day_ms);
  }
  newest = std::max(newest, time);
}

void State::Parts::meet(Kind kind, Id id, Id user, Id merchant, Id place, const Event& event) {
  if (id == 0) return;
  const Time time = event.time;
  const std::int64_t most = options.exact_distinct;
  Shared& one = of(kind)[id];
  if (one.events == 0 || time < one.first_seen) one.first_seen = time;
  if (one.users.see(user, time, most)) join(user, kind, id, time);
  if (place != 0) one.places.see(place, time, most);
  if (merchant != 0 && kind != Kind::merchant) one.merchants.see(merchant, time, most);
  one.window.add(time, event.cents);
  ++one.events;
  if (kind == Kind::merchant) one.amounts.add(event.amount, one.events);
}

void State::apply_elsewhere(const Event& event) {
  Parts& state = *parts_;
  const Time time = event.time;
  state.advance(time);
  const Id user_id = state.user_of(event.user, time);
  std::array<Id, 4> ids{};
  for (const std::size_t k : {1, 2, 3}) {
    ids[k] = state.shared_of(identifier_kinds[k], key_of(event, identifier_kinds[k]), time);
  }
  User& user = state.users[user_id];
  user.first_seen = std::min(user.first_seen, time);
  // By this it is known how long the user was not seen.
  user.window.add(time, 0);
  const Id place = event.has_location ? place_of(event.latitude, event.longitude) : 0;
  for (const std::size_t k : {1, 2, 3}) {
    state.meet(identifier_kinds[k], ids[k], user_id, ids[1], place, event);
  }
  state.build_some();
  state.forget_some();
}

void State::apply(const Event& event) {
  Parts& state = *parts_;
  const Time time = event.time;
  const std::int64_t most = state.options.exact_distinct;
  state.advance(time);
  ++state.events;
  const Id user_id = state.user_of(event.user, time);
  std::array<Id, 4> ids{};
  for (std::size_t k = 0; k < ids.size(); ++k) {
    const Kind kind = identifier_kinds[k];
    ids[k] = state.shared_of(kind, key_of(event, kind), time);
  }
  User& user = state.users[user_id];
  if (user.events > 0 && time < user.last_seen()) ++state.late;
  const Id merchant = ids[1];
  const Id place = event.has_location ? place_of(event.latitude, event.longitude) : 0;
  if (user.events == 0 || time < user.first_seen) user.first_seen = time;

  for (std::size_t k = 0; k < ids.size(); ++k) {
    state.meet(identifier_kinds[k], ids[k], user_id, merchant, place, event);
  }

  if (merchant != 0) user.merchants.see(merchant, time, most);
  if (place != 0) user.places.see(place, time, most);
  if (ids[0] != 0) user.cards.see(ids[0], time, most);
  if (ids[2] != 0) user.ips.see(ids[2], time, most);
  if (ids[3] != 0) user.devices.see(ids[3], time, most);
  user.window.add(time, event.cents);
  ++user.events;
  user.amounts.add(event.amount, user.events);
  if (event.has_location) {
    ++user.located;
    const auto share = 1.0F / static_cast<float>(user.located);
    user.home_latitude += (event.latitude - user.home_latitude) * share;
    // The short way round, across the date line where that is shorter.
    user.home_longitude += std::remainder(event.longitude - user.home_longitude, 360.0F) * share;
    if (std::abs(user.home_longitude) > 180) {
      user.home_longitude = std::remainder(user.home_longitude, 360.0F);
    }
    if (time >= user.located_at) {
      user.located_at = time;
      user.latitude = event.latitude;
      user.longitude = event.longitude;
    }
  }
  const auto count = [](auto& counts, std::size_t at) {
    // Halved when one is full, so that shares stay.
    if (counts[at] == 0xFFFF) {
      for (auto& one : counts) one = static_cast<std::uint16_t>(one / 2);
    }
    ++counts[at];
  };
  count(user.hours, hours_slot(event));
  count(user.types, static_cast<std::size_t>(event.type));
  state.build_some();
  state.forget_some();
}

std::size_t hours_slot(const Event& event) {
  const Time local = event.time + event.offset_minutes * minute_ms;
  const Time of_day = ((local % day_ms) + day_ms) % day_ms;
  return static_cast<std::size_t>(of_day / (3 * hour_ms));
}

void State::apply(const Label& label) {
  Parts& state = *parts_;
  ++state.labels;
  if (!label.fraud) return;
  const Id user = state.users.find(label.user);
  if (user != 0) {
    state.users[user].add_fraud(label.known_at);
    const Second first_seen = second_of(state.users[user].first_seen);
    state.network.add_fraud(user, first_seen);
    if (state.building && state.scan_kind == 4 && user < state.scan_id) {
      state.coming.add_fraud(user, first_seen);
    }
  }
  const auto add = [&](Kind kind, Key key) {
    const Id id = key == 0 ? 0 : state.of(kind).find(key);
    if (id != 0) state.of(kind)[id].add_fraud(label.known_at);
  };
  add(Kind::card, label.card);
  add(Kind::merchant, label.merchant);
  add(Kind::ip, label.ip);
  add(Kind::device, label.device);
}

void State::take_back(const Label& label) {
  Parts& state = *parts_;
  const Id user = state.users.find(label.user);
  if (user != 0 && state.users[user].take_back_fraud(label.known_at)) {
    state.network.take_back_fraud(user);
    if (state.building && state.scan_kind == 4 && user < state.scan_id) {
      state.coming.take_back_fraud(user);
    }
  }
  const auto take_back = [&](Kind kind, Key key) {
    const Id id = key == 0 ? 0 : state.of(kind).find(key);
    if (id != 0) (void)state.of(kind)[id].take_back_fraud(label.known_at);
  };
  take_back(Kind::card, label.card);
  take_back(Kind::merchant, label.merchant);
  take_back(Kind::ip, label.ip);
  take_back(Kind::device, label.device);
}

bool State::erase_user(Key key) {
  Parts& state = *parts_;
  const Id id = key == 0 ? 0 : state.users.find(key);
  if (id == 0) return false;
  User& user = state.users[id];
  const auto leave = [&](const DistinctSet& set, Kind kind, bool alone_goes) {
    Table<Shared>& table = state.of(kind);
    set.each(0, [&](Id other) {
      if (other >= table.end() || table[other].key == 0) return;
      Shared& one = table[other];
      if (!one.users.exact()) return;
      one.users.remove(id);
      if (alone_goes && one.users.size() == 0) table.remove(other);
    });
  };
  leave(user.cards, Kind::card, true);
  leave(user.ips, Kind::ip, true);
  leave(user.devices, Kind::device, true);
  leave(user.merchants, Kind::merchant, false);
  state.network.remove_user(id);
  if (state.building) state.coming.remove_user(id);
  state.users.remove(id);
  return true;
}

bool State::knows_user(Key user) const { return parts_->find_user(user, parts_->newest) != 0; }
Time State::newest() const { return parts_->newest; }
const StateOptions& State::options() const noexcept { return parts_->options; }

StateCounts State::counts() const {
  const Parts& state = *parts_;
  return {state.users.size(),
          state.of(Kind::card).size(),
          state.of(Kind::merchant).size(),
          state.of(Kind::ip).size(),
          state.of(Kind::device).size(),
          state.events,
          state.labels,
          state.late};
}

StateMemory State::memory() const {
  const Parts& state = *parts_;
  StateMemory memory;
  memory.users = state.users.bytes();
  memory.cards = state.of(Kind::card).bytes();
  memory.merchants = state.of(Kind::merchant).bytes();
  memory.ips = state.of(Kind::ip).bytes();
  memory.devices = state.of(Kind::device).bytes();
  memory.network = state.network.bytes() + state.coming.bytes();
  memory.total =
      memory.users + memory.cards + memory.merchants + memory.ips + memory.devices + memory.network;
  return memory;
}

// --- snapshots ---------------------------------------------------------------------------------

template <class Archive>
void State::Parts::visit(Archive& archive) {
  archive(options.forget_days, options.most_joined_users, options.exact_distinct);
  if (archive.format() >= 2) archive(options.most_joined_by_merchant);
  archive(newest, events, labels, late, users, shared, network, coming, building, built_day,
          scan_kind, scan_id, sweep);
}

bool State::Parts::sound() const {
  bool right = newest >= 0 && events >= 0 && labels >= 0 && late >= 0 && scan_kind <= 4 &&
               users.sound() && network.sound() && coming.sound() && scan_id >= 1;
  for (const auto& table : shared) {
    right = right && table.sound();
    // Components are made of these numbers.
    for (Id id = 1; right && id < table.end(); ++id) {
      table[id].users.each(0, [&](Id user) { right = right && user > 0 && user < users.end(); });
    }
  }
  return right;
}

void State::snapshot(std::ostream& out) const {
  StateWriter writer(out);
  std::uint32_t magic = state_magic;
  std::uint32_t format = state_format;
  writer(magic, format);
  // The one description of the parts reads and writes; this use writes.
  const_cast<Parts&>(*parts_).visit(writer);
  writer.finish();
}

State State::restore(std::istream& in) {
  StateReader reader(in);
  std::uint32_t magic = 0;
  std::uint32_t format = 0;
  reader(magic, format);
  if (magic != state_magic) StateReader::fail("is none");
  if (format < 1 || format > state_format) {
    StateReader::fail("is of format " + std::to_string(format) +
                      "; this program reads formats 1 to " + std::to_string(state_format) +
                      ": use the version of Tandem that wrote it");
  }
  reader.set_format(format);
  State state;
  state.parts_->visit(reader);
  reader.finish();
  if (!state.parts_->sound()) StateReader::fail("is damaged");
  return state;
}

}  // namespace tandem::fraud

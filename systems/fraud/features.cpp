#include "systems/fraud/features.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "systems/fraud/feature_layout.hpp"
#include "systems/fraud/state_parts.hpp"

namespace tandem::fraud {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

double days_between(Time from, Time to) {
  return static_cast<double>(std::max<Time>(to - from, 0)) / static_cast<double>(day_ms);
}

// The event's own part is in it.
void velocity(const Entity* entity, const Event& event, double* counts, double* sums) {
  for (std::size_t w = 0; w < windows.size(); ++w) {
    Totals totals;
    if (entity != nullptr)
      totals = entity->window.between(event.time - windows[w].span, event.time);
    counts[w] = static_cast<double>(totals.count + 1);
    sums[w] = static_cast<double>(totals.cents + event.cents) / 100;
  }
}

void distinct(const DistinctSet* set, Time time, Id with, bool there, double* counts) {
  std::array<Second, distinct_windows.size()> after;
  for (std::size_t w = 0; w < after.size(); ++w) {
    after[w] = second_of(time - windows[distinct_windows[w]].span);
  }
  const std::span<double> out(counts, after.size());
  if (set != nullptr) {
    set->count(after, with, out);
    // One that nobody has seen yet has no number.
    if (there && with == 0) {
      for (double& count : out) ++count;
    }
  } else {
    std::fill(out.begin(), out.end(), there ? 1.0 : 0.0);
  }
}

// Great circle on a sphere (haversine; Sinnott, Sky and Telescope 68, 1984), in km.
double distance_km(double latitude, double longitude, double other_latitude,
                   double other_longitude) {
  constexpr double radians = 3.14159265358979323846 / 180;
  const double a = std::sin((other_latitude - latitude) * radians / 2);
  const double b = std::sin((other_longitude - longitude) * radians / 2);
  const double h =
      a * a + std::cos(latitude * radians) * std::cos(other_latitude * radians) * b * b;
  return 2 * 6371 * std::asin(std::min(1.0, std::sqrt(h)));
}

// The component that user and identifiers would form with this event.
Component component_with(const Event& event, const State::Parts& state, Id user_id,
                         const std::array<Id, 4>& ids) {
  Component all;
  std::array<std::uint32_t, 5> roots;
  std::size_t count = 0;
  const auto add_root = [&](Network::Node node) {
    const std::uint32_t root = state.network.root(node);
    if (std::find(roots.begin(), roots.begin() + count, root) != roots.begin() + count) {
      return false;
    }
    roots[count++] = root;
    if (const Component* const component = state.network.find(node)) {
      all.add(*component);
    } else if (node.kind == Kind::user) {
      all.add_user(second_of(state.users[node.id].first_seen));
    }
    return true;
  };
  if (user_id != 0) {
    add_root({Kind::user, user_id});
  } else {
    all.add_user(second_of(event.time));
  }
  for (std::size_t k = 0; k < ids.size(); ++k) {
    if (ids[k] == 0) continue;
    const Kind kind = identifier_kinds[k];
    const Shared& one = state.of(kind)[ids[k]];
    const bool has_user =
        user_id != 0 && one.users.seen(user_id) > second_of(event.time - month_ms);
    const std::int64_t users = state.users_of(one, event.time) + (has_user ? 0 : 1);
    if (users > state.most_joined(kind)) continue;
    const bool other_root = add_root({kind, ids[k]});
    if (has_user) continue;
    if (!other_root) ++all.cycles;
    if (users == 2) ++all.shared;
  }
  return all;
}

class Filler {
 public:
  Filler(const Event& event, const State::Parts& state) : event_(event), state_(state) {
    user_id_ = state.find_user(event.user, event.time);
    if (user_id_ != 0) user_ = &state.users[user_id_];
    for (std::size_t k = 0; k < ids_.size(); ++k) {
      const Kind kind = identifier_kinds[k];
      ids_[k] = state.find(kind, key_of(event, kind), event.time);
      if (ids_[k] != 0) shared_[k] = &state.of(kind)[ids_[k]];
    }
    values_.fill(unknown);
  }

  FeatureVector all() {
    transaction();
    velocities();
    behaviour();
    geography();
    devices();
    network();
    feedback();
    return values_;
  }

 private:
  void set(Feature feature, double value) { values_[static_cast<std::size_t>(feature)] = value; }

  void transaction() {
    const Time local = event_.time + event_.offset_minutes * minute_ms;
    const auto hour = static_cast<double>(((local / hour_ms) % 24 + 24) % 24);
    // The first of January 1970 was a Thursday; Monday is 0.
    const Time days = local >= 0 ? local / day_ms : -1;
    set(Feature::amount, event_.amount);
    set(Feature::is_withdrawal, event_.type == TransactionType::withdrawal ? 1 : 0);
    set(Feature::is_transfer, event_.type == TransactionType::transfer ? 1 : 0);
    set(Feature::is_payment, event_.type == TransactionType::payment ? 1 : 0);
    set(Feature::hour, hour);
    set(Feature::weekday, static_cast<double>((days + 3) % 7));
    set(Feature::is_night, hour < 6 ? 1 : 0);
    set(Feature::has_merchant, event_.merchant != 0 ? 1 : 0);
    const Time behind = user_ != nullptr ? user_->last_seen() - event_.time : 0;
    set(Feature::late_minutes, behind > 0 ? static_cast<double>(behind) / minute_ms : 0);
  }

  void behaviour() {
    set(Feature::user_known_transactions, user_ != nullptr ? user_->events : 0);
    set(Feature::user_age_days,
        user_ != nullptr ? days_between(user_->first_seen, event_.time) : 0);
    set(Feature::card_known_transactions, shared_[0] != nullptr ? shared_[0]->events : 0);
    set(Feature::card_age_days,
        shared_[0] != nullptr ? days_between(shared_[0]->first_seen, event_.time) : 0);
    if (user_ != nullptr && user_->events > 0) {
      set(Feature::user_idle_hours, days_between(user_->last_seen(), event_.time) * 24);
      set(Feature::card_idle_hours, shared_[0] != nullptr
                                        ? days_between(shared_[0]->last_seen(), event_.time) * 24
                                        : unknown);
      amounts(user_->amounts, user_->events, Feature::amount_to_user_mean, Feature::amount_z_user);
      set(Feature::amount_to_user_greatest,
          event_.amount / std::max(user_->amounts.greatest, 0.01));
      double hours = 0;
      for (const std::uint16_t count : user_->hours) hours += count;
      // Each slot is taken to have been used once more than it was.
      set(Feature::user_hour_share, (user_->hours[hours_slot(event_)] + 1.0) / (hours + 8));
      double types = 0;
      for (const std::uint16_t count : user_->types) types += count;
      set(Feature::user_type_share,
          (user_->types[static_cast<std::size_t>(event_.type)] + 1.0) / (types + 4));
    }
    if (const Shared* const merchant = shared_[1]; merchant != nullptr && merchant->events > 0) {
      amounts(merchant->amounts, merchant->events, Feature::amount_to_merchant_mean,
              Feature::amount_z_merchant);
    }
    if (event_.merchant != 0) {
      set(Feature::merchant_new_for_user, is_new(user_ ? &user_->merchants : nullptr, ids_[1]));
    }
  }

  void amounts(const Amounts& amounts, std::uint32_t count, Feature ratio, Feature z) {
    set(ratio, event_.amount / std::max(amounts.mean, 0.01));
    if (count < 3) return;
    const double deviation = std::sqrt(amounts.squares / (count - 1));
    // A user who always pays the same has no deviation: a hundredth of the mean stands in.
    const double scale = std::max({deviation, amounts.mean * 0.01, 0.01});
    set(z, std::clamp((event_.amount - amounts.mean) / scale, -100.0, 100.0));
  }

  // A sketch does not know its members.
  [[nodiscard]] double is_new(const DistinctSet* set, Id id) const {
    if (set == nullptr) return 1;
    if (!set->exact()) return unknown;
    return id != 0 && set->seen(id) > second_of(event_.time - month_ms) ? 0 : 1;
  }

  void velocities() {
    const auto entity = [&](Kind kind) -> const Entity* {
      return kind == Kind::user ? static_cast<const Entity*>(user_)
                                : shared_[static_cast<std::size_t>(kind) - 1];
    };
    const Id place = event_.has_location ? place_of(event_.latitude, event_.longitude) : 0;
    for (std::size_t k = 0; k < kinds; ++k) {
      const auto kind = static_cast<Kind>(k);
      if (key_of(event_, kind) == 0) continue;
      const std::size_t at = velocity_at(kind, 0);
      velocity(entity(kind), event_, &values_[at], &values_[at + windows.size()]);
    }
    for (std::size_t d = 0; d < distinct_sets.size(); ++d) {
      const auto [kind, member] = distinct_sets[d];
      if (key_of(event_, kind) == 0) continue;
      const Entity* const one = entity(kind);
      const DistinctSet* set = nullptr;
      Id with = 0;
      bool there = false;
      if (member == MemberKind::places) {
        with = place;
        there = place != 0;
        if (one != nullptr) set = &one->places;
      } else if (member == MemberKind::merchants) {
        with = ids_[1];
        there = event_.merchant != 0;
        if (one != nullptr) set = &one->merchants;
      } else {
        with = user_id_;
        there = true;
        const Shared* const shared = shared_[static_cast<std::size_t>(kind) - 1];
        if (shared != nullptr) set = &shared->users;
      }
      distinct(set, event_.time, with, there, &values_[distinct_at(d)]);
    }
    const double month = values_[velocity_at(Kind::user, 5)];
    const double week = values_[velocity_at(Kind::user, 4)];
    set(Feature::user_burst, (week / 7) / (month / 30));
  }

  void geography() {
    set(Feature::has_location, event_.has_location ? 1 : 0);
    if (!event_.has_location) return;
    const Id place = place_of(event_.latitude, event_.longitude);
    set(Feature::place_new_for_user, is_new(user_ ? &user_->places : nullptr, place));
    if (user_ == nullptr || user_->located == 0) return;
    const double km =
        distance_km(event_.latitude, event_.longitude, user_->latitude, user_->longitude);
    set(Feature::distance_km, km);
    // Places are known to some kilometres, and clocks to a minute.
    const double hours = std::max(
        std::abs(static_cast<double>(event_.time - user_->located_at)) / hour_ms, 1.0 / 60);
    set(Feature::speed_kmh, km < 5 ? 0 : km / hours);
    set(Feature::home_km, distance_km(event_.latitude, event_.longitude, user_->home_latitude,
                                      user_->home_longitude));
  }

  void devices() {
    set(Feature::has_device, event_.device != 0 ? 1 : 0);
    const auto age = [&](std::size_t k) {
      return shared_[k] != nullptr ? days_between(shared_[k]->first_seen, event_.time) : 0;
    };
    const auto members = [&](const DistinctSet& set, Id with, Time span) {
      const std::array<Second, 1> after{second_of(event_.time - span)};
      std::array<double, 1> count;
      set.count(after, with, count);
      return count[0];
    };
    set(Feature::ip_new_for_user, is_new(user_ ? &user_->ips : nullptr, ids_[2]));
    set(Feature::card_new_for_user, is_new(user_ ? &user_->cards : nullptr, ids_[0]));
    set(Feature::ip_age_days, age(2));
    if (event_.merchant != 0) set(Feature::merchant_age_days, age(1));
    if (event_.device != 0) {
      set(Feature::device_new_for_user, is_new(user_ ? &user_->devices : nullptr, ids_[3]));
      set(Feature::device_age_days, age(3));
      const Second used = user_ != nullptr && ids_[3] != 0 ? user_->devices.seen(ids_[3]) : 0;
      if (used != 0) {
        set(Feature::device_idle_days, days_between(Time{used} * second_ms, event_.time));
      }
    }
    const auto of_user = [&](const DistinctSet User::*set, std::size_t k, Time span) {
      const bool there = key_of(event_, identifier_kinds[k]) != 0;
      if (user_ == nullptr) return there ? 1.0 : 0.0;
      return members(user_->*set, ids_[k], span) + (there && ids_[k] == 0 ? 1 : 0);
    };
    set(Feature::user_devices_24h, of_user(&User::devices, 3, day_ms));
    set(Feature::user_devices_30d, of_user(&User::devices, 3, month_ms));
    set(Feature::user_ips_24h, of_user(&User::ips, 2, day_ms));
    set(Feature::user_ips_30d, of_user(&User::ips, 2, month_ms));
    set(Feature::user_cards_30d, of_user(&User::cards, 0, month_ms));
  }

  void network() {
    const Component all = component_with(event_, state_, user_id_, ids_);
    set(Feature::component_users, all.users);
    set(Feature::component_shared, all.shared);
    set(Feature::component_cycles, all.cycles);
    set(Feature::component_new_users, all.new_users(event_.time));
    set(Feature::component_age_days, days_between(Time{all.first} * second_ms, event_.time));
    set(Feature::component_new_share,
        all.users > 0 ? all.new_users(event_.time) / static_cast<double>(all.users) : 0);
    set(Feature::ring_users, all.ring() ? all.users : 0);
    set(Feature::component_frauds, all.frauds);
  }

  void feedback() {
    const auto frauds = [&](const Entity* entity) {
      return entity != nullptr ? static_cast<double>(entity->frauds_known(event_.time)) : 0.0;
    };
    set(Feature::user_frauds, frauds(user_));
    set(Feature::card_frauds, frauds(shared_[0]));
    set(Feature::ip_frauds, frauds(shared_[2]));
    if (event_.merchant != 0) {
      set(Feature::merchant_frauds, frauds(shared_[1]));
      set(Feature::merchant_fraud_share,
          frauds(shared_[1]) / values_[velocity_at(Kind::merchant, 5)]);
    }
    if (event_.device != 0) set(Feature::device_frauds, frauds(shared_[3]));
  }

  const Event& event_;
  const State::Parts& state_;
  const User* user_ = nullptr;
  Id user_id_ = 0;
  std::array<Id, 4> ids_{};
  std::array<const Shared*, 4> shared_{};
  FeatureVector values_;
};

}  // namespace

FeatureVector compute(const Event& event, const State& state) {
  return Filler(event, state.parts()).all();
}

}  // namespace tandem::fraud

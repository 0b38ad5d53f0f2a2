// Where features stand in the vector: first those of one line each, then counts and sums of windows
// per kind of entity, then distinct counts.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "systems/fraud/entities.hpp"
#include "systems/fraud/features.hpp"

namespace tandem::fraud {

enum class Feature : std::size_t {
  amount,
  is_withdrawal,
  is_transfer,
  is_payment,
  hour,
  weekday,
  is_night,
  has_merchant,
  late_minutes,

  amount_to_user_mean,
  amount_z_user,
  amount_to_user_greatest,
  amount_to_merchant_mean,
  amount_z_merchant,
  user_known_transactions,
  user_age_days,
  user_idle_hours,
  user_hour_share,
  user_type_share,
  card_known_transactions,
  card_age_days,
  card_idle_hours,
  merchant_new_for_user,

  user_burst,

  has_location,
  place_new_for_user,
  distance_km,
  speed_kmh,
  home_km,

  has_device,
  device_new_for_user,
  ip_new_for_user,
  card_new_for_user,
  device_age_days,
  ip_age_days,
  merchant_age_days,
  device_idle_days,
  user_devices_24h,
  user_devices_30d,
  user_ips_24h,
  user_ips_30d,
  user_cards_30d,

  component_users,
  component_shared,
  component_cycles,
  component_new_users,
  component_new_share,
  component_age_days,
  ring_users,

  user_frauds,
  card_frauds,
  merchant_frauds,
  merchant_fraud_share,
  ip_frauds,
  device_frauds,
  component_frauds,

  count,
};

struct WindowSpan {
  std::string_view name;     // "1h"
  std::string_view meaning;  // "in the last hour"
  Time span;
};
inline constexpr std::array<WindowSpan, 6> windows{
    {{"1m", "in the last minute", minute_ms},
     {"10m", "in the last ten minutes", 10 * minute_ms},
     {"1h", "in the last hour", hour_ms},
     {"24h", "in the last 24 hours", day_ms},
     {"7d", "in the last 7 days", 7 * day_ms},
     {"30d", "in the last 30 days", month_ms}}};
inline constexpr std::array<std::size_t, 3> distinct_windows{2, 3, 5};

enum class MemberKind { merchants, places, users };
struct DistinctOf {
  Kind kind;
  MemberKind member;
};
inline constexpr std::array<DistinctOf, 12> distinct_sets{{{Kind::user, MemberKind::merchants},
                                                           {Kind::user, MemberKind::places},
                                                           {Kind::card, MemberKind::merchants},
                                                           {Kind::card, MemberKind::places},
                                                           {Kind::merchant, MemberKind::users},
                                                           {Kind::merchant, MemberKind::places},
                                                           {Kind::ip, MemberKind::users},
                                                           {Kind::ip, MemberKind::merchants},
                                                           {Kind::ip, MemberKind::places},
                                                           {Kind::device, MemberKind::users},
                                                           {Kind::device, MemberKind::merchants},
                                                           {Kind::device, MemberKind::places}}};

inline constexpr std::size_t single_features = static_cast<std::size_t>(Feature::count);
inline constexpr std::size_t velocity_features = kinds * 2 * windows.size();

// Of a kind's counts, by window; its sums follow.
[[nodiscard]] constexpr std::size_t velocity_at(Kind kind, std::size_t window) {
  return single_features + static_cast<std::size_t>(kind) * 2 * windows.size() + window;
}
[[nodiscard]] constexpr std::size_t distinct_at(std::size_t set) {
  return single_features + velocity_features + set * distinct_windows.size();
}
static_assert(distinct_at(distinct_sets.size()) == feature_count);

}  // namespace tandem::fraud

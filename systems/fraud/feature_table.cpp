// What the features are called and what they say.
#include <array>
#include <cmath>
#include <string>
#include <unordered_map>

#include "systems/fraud/feature_layout.hpp"
#include "systems/fraud/features.hpp"
#include "tandem/core/text.hpp"

namespace tandem::fraud {
namespace {

// `words` with # for the value; of a share the percentage. `no`: what a 0 says, where that is not
// the same sentence.
struct Single {
  const char* name;
  const char* meaning;
  const char* unit;
  Layer layer;
  const char* words;
  const char* no = "";
};

using enum Layer;

constexpr std::array<Single, single_features> singles{{
    {"amount", "the amount in the base currency", "money", transaction, "an amount of #"},
    {"is_withdrawal", "1 for a withdrawal", "flag", transaction, "a withdrawal", "no withdrawal"},
    {"is_transfer", "1 for a transfer", "flag", transaction, "a transfer", "no transfer"},
    {"is_payment", "1 for a payment", "flag", transaction, "a payment", "no payment"},
    {"hour", "the hour of the day, in the offset of the timestamp", "hour", transaction,
     "made at # o'clock local time"},
    {"weekday", "the day of the week in that offset, Monday is 0", "day", transaction,
     "made on day # of the week, Monday being 0"},
    {"is_night", "1 before six in the morning, in that offset", "flag", transaction,
     "made at night, before six", "not made at night"},
    {"has_merchant", "1 where a merchant is named", "flag", transaction, "a merchant is named",
     "no merchant is named"},
    {"late_minutes", "minutes by which it is older than the newest transaction of the user",
     "minutes", transaction, "reported # minutes late", "not reported late"},

    {"amount_to_user_mean", "the amount over the user's mean amount so far", "ratio", behaviour,
     "the amount is # times the user's average"},
    {"amount_z_user", "deviations by which the amount is above the user's mean", "deviations",
     behaviour, "the amount is # standard deviations above the user's average"},
    {"amount_to_user_greatest", "the amount over the greatest of the user so far", "ratio",
     behaviour, "the amount is # times the greatest that the user has paid"},
    {"amount_to_merchant_mean", "the amount over the merchant's mean amount so far", "ratio",
     behaviour, "the amount is # times the merchant's average"},
    {"amount_z_merchant", "deviations by which the amount is above the merchant's mean",
     "deviations", behaviour, "the amount is # standard deviations above the merchant's average"},
    {"user_known_transactions", "transactions of the user before this one", "count", behaviour,
     "# earlier transactions of the user are known", "the user's first transaction"},
    {"user_age_days", "days since the user was seen first", "days", behaviour,
     "the user has been known for # days", "the user is new"},
    {"user_idle_hours", "hours since the user's last transaction", "hours", behaviour,
     "# hours after the user's last transaction"},
    {"user_hour_share",
     "share of the user's transactions made within the same three hours of the day", "share",
     behaviour, "#% of the user's transactions are made at this time of day"},
    {"user_type_share", "share of the user's transactions of the same type", "share", behaviour,
     "#% of the user's transactions are of this type"},
    {"card_known_transactions", "transactions of the card before this one", "count", behaviour,
     "# earlier transactions of the card are known", "the card's first transaction"},
    {"card_age_days", "days since the card was seen first", "days", behaviour,
     "the card has been known for # days", "the card is new"},
    {"card_idle_hours", "hours since the card's last transaction", "hours", behaviour,
     "# hours after the card's last transaction"},
    {"merchant_new_for_user", "1 where the user was not at the merchant in 30 days", "flag",
     behaviour, "the user's first time at this merchant in 30 days",
     "the user has been at this merchant before"},

    {"user_burst", "transactions a day of the user in 7 days over those in 30 days", "ratio",
     velocity, "the user is # times as active in 7 days as in 30"},

    {"has_location", "1 where a location is given", "flag", geography, "a location is given",
     "no location is given"},
    {"place_new_for_user", "1 where the user was not within some 10 km in 30 days", "flag",
     geography, "a place where the user has not been in 30 days",
     "a place where the user has been before"},
    {"distance_km", "distance from the user's last located transaction", "km", geography,
     "# km from the user's last transaction"},
    {"speed_kmh", "that distance over the time since; 0 below 5 km", "km/h", geography,
     "# km/h needed to travel from the last transaction",
     "no travelling since the last transaction"},
    {"home_km", "distance from the mean of the user's locations", "km", geography,
     "# km from where the user usually is"},

    {"has_device", "1 where a device is named", "flag", device, "a device is named",
     "no device is named"},
    {"device_new_for_user", "1 where the user did not use the device in 30 days", "flag", device,
     "a device that the user has not used before", "a device that the user has used before"},
    {"ip_new_for_user", "1 where the user did not use the address in 30 days", "flag", device,
     "an address that the user has not used before", "an address that the user has used before"},
    {"card_new_for_user", "1 where the user did not use the card in 30 days", "flag", device,
     "a card that the user has not used before", "a card that the user has used before"},
    {"device_age_days", "days since the device was seen first, by whomever", "days", device,
     "the device has been known for # days", "a device seen for the first time"},
    {"ip_age_days", "days since the address was seen first, by whomever", "days", device,
     "the address has been known for # days", "an address seen for the first time"},
    {"merchant_age_days", "days since the merchant was seen first", "days", device,
     "the merchant has been known for # days", "a merchant seen for the first time"},
    {"device_idle_days", "days since the user used the device last", "days", device,
     "# days after the user last used the device"},
    {"user_devices_24h", "devices of the user in the last 24 hours", "count", device,
     "# devices of the user in the last 24 hours"},
    {"user_devices_30d", "devices of the user in the last 30 days", "count", device,
     "# devices of the user in the last 30 days"},
    {"user_ips_24h", "addresses of the user in the last 24 hours", "count", device,
     "# addresses of the user in the last 24 hours"},
    {"user_ips_30d", "addresses of the user in the last 30 days", "count", device,
     "# addresses of the user in the last 30 days"},
    {"user_cards_30d", "cards of the user in the last 30 days", "count", device,
     "# cards of the user in the last 30 days"},

    {"component_users", "users in the group connected by cards, merchants, addresses and devices",
     "count", network, "# users are connected by what they share"},
    {"component_shared", "identifiers of that group that two of its users or more have", "count",
     network, "# cards, merchants, addresses or devices are shared in the user's group",
     "nothing is shared in the user's group"},
    {"component_cycles", "independent cycles of that group: users who share more than one thing",
     "count", network, "# cycles in the user's group, of users who share several things",
     "no two users of the group share more than one thing"},
    {"component_new_users", "users of that group first seen in the last 7 days", "count", network,
     "# users of the group are new in the last 7 days", "no user of the group is new"},
    {"component_new_share", "the share of those among its users", "share", network,
     "#% of the users of the group are new in the last 7 days"},
    {"component_age_days", "days since the group's oldest user was seen first", "days", network,
     "the group's oldest user has been known for # days", "the group's oldest user is new"},
    {"ring_users", "users of that group where it is a ring: 3 users and 2 cycles or more, else 0",
     "count", network, "a ring of # users who share several things", "no ring"},

    {"user_frauds", "frauds of the user that came to be known in the last 30 days", "count",
     feedback, "# confirmed frauds of the user in the last 30 days",
     "no confirmed fraud of the user"},
    {"card_frauds", "frauds of the card that came to be known in the last 30 days", "count",
     feedback, "# confirmed frauds of the card in the last 30 days",
     "no confirmed fraud of the card"},
    {"merchant_frauds", "frauds at the merchant that came to be known in the last 30 days", "count",
     feedback, "# confirmed frauds at the merchant in the last 30 days",
     "no confirmed fraud at the merchant"},
    {"merchant_fraud_share", "those over the merchant's transactions of 30 days", "share", feedback,
     "#% confirmed frauds at the merchant", "no confirmed fraud at the merchant"},
    {"ip_frauds", "frauds from the address that came to be known in the last 30 days", "count",
     feedback, "# confirmed frauds from the address in the last 30 days",
     "no confirmed fraud from the address"},
    {"device_frauds", "frauds from the device that came to be known in the last 30 days", "count",
     feedback, "# confirmed frauds from the device in the last 30 days",
     "no confirmed fraud from the device"},
    {"component_frauds", "frauds known of users of the connected group, of some 30 days", "count",
     feedback, "# confirmed frauds of users connected with this one",
     "no confirmed fraud of connected users"},
}};

constexpr std::array<const char*, kinds> kind_names{"user", "card", "merchant", "ip", "device"};
constexpr std::array<const char*, kinds> kind_words{"user", "card", "merchant", "address",
                                                    "device"};
constexpr std::array<const char*, 3> member_names{"merchants", "places", "users"};

struct Entry {
  FeatureInfo info;
  std::string words;
  std::string no;
};

// Of whom a sum is, in the order of the kinds.
const std::array<std::string, kinds> spent_how{"by", "with", "at", "from", "from"};

const std::array<Entry, feature_count>& entries() {
  static const auto* const table = [] {
    auto* const made = new std::array<Entry, feature_count>;
    for (std::size_t i = 0; i < singles.size(); ++i) {
      const Single& from = singles[i];
      (*made)[i] = {{from.name, from.meaning, from.unit, from.layer}, from.words, from.no};
    }
    for (std::size_t k = 0; k < kinds; ++k) {
      const std::string name = kind_names[k];
      const std::string word = kind_words[k];
      for (std::size_t w = 0; w < windows.size(); ++w) {
        const std::string window(windows[w].name);
        const std::string meaning(windows[w].meaning);
        const std::size_t at = velocity_at(static_cast<Kind>(k), w);
        const std::string count = "transactions of the " + word + " " + meaning;
        const std::string sum = "spent " + spent_how[k] + " the " + word + " " + meaning;
        (*made)[at] = {
            {name + "_count_" + window, count + ", this one included", "count", velocity},
            "# " + count,
            ""};
        (*made)[at + windows.size()] = {
            {name + "_sum_" + window, sum + ", this one included", "money", velocity},
            "# " + sum,
            ""};
      }
    }
    for (std::size_t d = 0; d < distinct_sets.size(); ++d) {
      const auto kind = static_cast<std::size_t>(distinct_sets[d].kind);
      const auto member = static_cast<std::size_t>(distinct_sets[d].member);
      for (std::size_t w = 0; w < distinct_windows.size(); ++w) {
        const WindowSpan& window = windows[distinct_windows[w]];
        const std::string meaning = "different " + std::string(member_names[member]) + " of the " +
                                    kind_words[kind] + " " + std::string(window.meaning);
        (*made)[distinct_at(d) + w] = {{std::string(kind_names[kind]) + "_" + member_names[member] +
                                            "_" + std::string(window.name),
                                        meaning + ", this one included", "count", velocity},
                                       "# " + meaning,
                                       ""};
      }
    }
    return made;
  }();
  return *table;
}

const std::array<FeatureInfo, feature_count>& infos() {
  static const auto* const table = [] {
    auto* const made = new std::array<FeatureInfo, feature_count>;
    for (std::size_t i = 0; i < feature_count; ++i) (*made)[i] = entries()[i].info;
    return made;
  }();
  return *table;
}

// As people write it: whole numbers whole, others with three digits.
std::string shown(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e9) {
    return std::to_string(static_cast<long long>(value));
  }
  if (std::abs(value) >= 1000 && std::abs(value) < 1e9) {
    return std::to_string(std::llround(value));
  }
  return significant(value, 3);
}

}  // namespace

std::span<const FeatureInfo, feature_count> feature_table() { return infos(); }

int feature_index(std::string_view name) {
  static const auto* const positions = [] {
    auto* const made = new std::unordered_map<std::string_view, int>;
    for (std::size_t i = 0; i < feature_count; ++i) {
      made->emplace(infos()[i].name, static_cast<int>(i));
    }
    return made;
  }();
  const auto found = positions->find(name);
  return found == positions->end() ? -1 : found->second;
}

std::string in_words(std::size_t feature, double value) {
  const Entry& entry = entries().at(feature);
  if (std::isnan(value)) return entry.info.meaning + ": not known";
  if (value == 0 && !entry.no.empty()) return entry.no;
  const bool share = entry.info.unit == "share";
  std::string text = entry.words;
  const auto at = text.find('#');
  if (at != std::string::npos) text.replace(at, 1, shown(share ? value * 100 : value));
  return text;
}

}  // namespace tandem::fraud

// The members of a transaction in JSON and its columns in CSV, by name.
#pragma once

#include <array>
#include <string_view>

namespace tandem::fraud {

enum class Field {
  transaction_id,
  user_id,
  amount,
  currency,
  transaction_type,
  merchant_id,
  location,
  timestamp,
  card_last_four,
  card_token,
  ip_address,
  device_id,
  // From here on of CSV only.
  latitude,
  longitude,
  is_fraud,
  label_timestamp,
  scenario,
};

inline constexpr std::array<std::string_view, 17> field_names{
    "transaction_id",  "user_id",   "amount",    "currency",       "transaction_type",
    "merchant_id",     "location",  "timestamp", "card_last_four", "card_token",
    "ip_address",      "device_id", "latitude",  "longitude",      "is_fraud",
    "label_timestamp", "scenario"};
inline constexpr std::size_t json_fields = 12;

}  // namespace tandem::fraud

// A transaction as it is sent: what a person or a bank's program writes, checked.
#pragma once

#include <array>
#include <cstdint>
#include <istream>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/names.hpp"

namespace tandem::fraud {

// Milliseconds since 1970, UTC.
using Time = std::int64_t;

enum class TransactionType { purchase, withdrawal, transfer, payment };

}  // namespace tandem::fraud

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 4> enum_names<fraud::TransactionType>{
    "purchase", "withdrawal", "transfer", "payment"};
}  // namespace tandem

namespace tandem::fraud {

// Degrees: latitude in [-90, 90], longitude in [-180, 180].
struct Location {
  double latitude = 0;
  double longitude = 0;
  [[nodiscard]] bool operator==(const Location&) const = default;
};

// Texts are of 1 to longest_identifier bytes of UTF-8 without control characters; optional ones are
// empty where the transaction has none.
struct Transaction {
  std::string id;
  std::string user;
  double amount = 0;     // of `currency`; 0 to greatest_amount
  std::string currency;  // three capital letters
  TransactionType type = TransactionType::purchase;
  std::string merchant;              // optional
  std::optional<Location> location;  // optional
  Time time = 0;                     // 1970 to 2100
  int offset_minutes = 0;            // of the local time from UTC: -14 h to 14 h
  std::string card_last_four;        // four digits
  std::string card_token;            // optional
  std::string ip;                    // IPv4 or IPv6, in its shortest form
  std::string device;                // optional
  [[nodiscard]] bool operator==(const Transaction&) const = default;
};

inline constexpr std::size_t longest_identifier = 128;
inline constexpr double greatest_amount = 1e12;

// The members are transaction_id, user_id, amount, currency, transaction_type, merchant_id?,
// location?, timestamp, card_last_four, card_token?, ip_address, device_id?. Optional ones may be
// left out or null. Throws InputError, which names the member and says what was expected, for a
// member that is missing, unknown, of another type or out of range. An amount is a number of JSON;
// a timestamp is written "2026-01-31T12:00:00.000+01:00", with up to three decimals of a second
// ("Z" counts as +00:00, a leap second as the second before it).
[[nodiscard]] Transaction parse_transaction(const nlohmann::json& json);

// The transaction with all that it has, in one way of writing only: JSON, members in the order of
// the struct, without blanks. Transactions are equal where their canonical forms are, and
// parse_transaction() reads it back.
[[nodiscard]] std::string canonical(const Transaction& transaction);

// "2026-01-31T12:00:00.000+01:00". Throws InputError where it is none.
[[nodiscard]] Time parse_timestamp(std::string_view text, int& offset_minutes);
[[nodiscard]] std::string timestamp_text(Time time, int offset_minutes);

// What is known of a transaction afterwards, in files to train on and to replay.
struct Truth {
  std::optional<bool> fraud;     // empty: never found out
  std::optional<Time> known_at;  // when it came to be known; empty: by the delay that is assumed
  std::string scenario;          // of simulated fraud; for reports by segment only
};

struct TransactionRow {
  Transaction transaction;
  Truth truth;
};

// Reads a CSV file row by row: comma, quotes as RFC 4180 has them, a header with the members of
// JSON but `latitude` and `longitude` in place of location, and optionally is_fraud (0, 1 or
// empty), label_timestamp, scenario. Columns may stand in any order.
class TransactionReader {
 public:
  // `name` is the file as messages call it. The stream must outlive the reader. Throws InputError
  // for a header that lacks a column, has one twice or one that is unknown.
  TransactionReader(std::istream& in, std::string name);
  // False at the end. Throws InputError that names file, row (the header is row 1) and column;
  // SystemError where the stream fails.
  bool next(TransactionRow& row);

 private:
  bool read_record();
  [[noreturn]] void fail(std::size_t column, const std::string& what) const;

  std::istream& in_;
  std::string name_;
  std::vector<std::string> header_;
  std::vector<int> column_of_;  // position per known column, -1: absent
  std::vector<std::string> cells_;
  std::int64_t row_ = 0;
};

// The header that the reader reads and simulate writes, and a row of it, with their line feeds.
[[nodiscard]] std::string csv_header();
void append_csv(std::string& text, const TransactionRow& row);

}  // namespace tandem::fraud

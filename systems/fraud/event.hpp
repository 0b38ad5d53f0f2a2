// A transaction as state, logs and features see it: identifiers are keyed hashes, money is in one
// currency, everything is of fixed size.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "systems/fraud/transaction.hpp"

namespace tandem::fraud {

// An identifier hashed with the secret of an installation; 0 is none. Two of n identifiers share
// one with a probability of n²/2^65.
using Key = std::uint64_t;

enum class KeyKind : std::uint8_t { transaction, user, card, merchant, ip, device };

// SipHash-2-4 (Aumasson and Bernstein, INDOCRYPT 2012).
[[nodiscard]] std::uint64_t siphash(const std::array<std::uint8_t, 16>& secret,
                                    std::span<const std::uint8_t> bytes);

// The hash of an identifier is SipHash over its kind and its text: who has the logs but not the
// secret cannot try out identifiers.
class Identities {
 public:
  using Secret = std::array<std::uint8_t, 16>;
  explicit Identities(const Secret& secret) : secret_(secret) {}

  // A file of 16 bytes in the folder, readable by its owner only, which is made where it is
  // missing. Throws InputError where it is of another length, SystemError where it cannot be made.
  [[nodiscard]] static Identities of_folder(const std::string& folder);
  // The same for the same seed: for training, where nothing is kept.
  [[nodiscard]] static Identities of_seed(std::uint64_t seed);

  [[nodiscard]] Key key(KeyKind kind, std::string_view text) const;  // 0 for an empty text

 private:
  Secret secret_;
};

// What one unit of a currency is worth in the unit that features count money in.
struct Currencies {
  std::string base = "EUR";
  // Round figures that a configuration replaces by its own.
  std::map<std::string, double, std::less<>> rates{
      {"EUR", 1.0},  {"USD", 0.9},  {"GBP", 1.15}, {"CHF", 1.05}, {"JPY", 0.006},
      {"SEK", 0.09}, {"PLN", 0.23}, {"INR", 0.01}, {"CNY", 0.12}, {"CAD", 0.65}};
};

struct Event {
  Key transaction = 0;
  Key user = 0;
  Key card = 0;  // of the token, or of user and last four
  Key merchant = 0;
  Key ip = 0;
  Key device = 0;
  Time time = 0;
  double amount = 0;       // in the base currency
  std::int64_t cents = 0;  // the amount in hundredths, rounded: what sums are made of
  float latitude = 0;
  float longitude = 0;
  std::int16_t offset_minutes = 0;
  TransactionType type = TransactionType::purchase;
  bool has_location = false;
  [[nodiscard]] bool operator==(const Event&) const = default;
};

// Throws InputError for a currency without a rate, which names it and says where rates are given.
[[nodiscard]] Event make_event(const Transaction& transaction, const Identities& identities,
                               const Currencies& currencies);

// That a transaction was fraud, or was not, as it came to be known. What it says of the
// transaction is repeated, so that state needs no memory of transactions.
struct Label {
  Key transaction = 0;
  Key user = 0;
  Key card = 0;
  Key merchant = 0;
  Key ip = 0;
  Key device = 0;
  Time time = 0;      // of the transaction
  Time known_at = 0;  // of the label
  bool fraud = false;
  [[nodiscard]] bool operator==(const Label&) const = default;
};
[[nodiscard]] Label make_label(const Event& event, bool fraud, Time known_at);

// Bytes in logs and snapshots: little-endian, of fixed length, the same on every machine.
inline constexpr std::size_t event_bytes = 84;
inline constexpr std::size_t label_bytes = 65;
void append_bytes(std::vector<std::byte>& to, const Event& event);
void append_bytes(std::vector<std::byte>& to, const Label& label);
// Takes the bytes off the front. Throws InputError where there are too few or they say what no
// event says.
[[nodiscard]] Event take_event(std::span<const std::byte>& from);
[[nodiscard]] Label take_label(std::span<const std::byte>& from);

}  // namespace tandem::fraud

// What the log of a fraud service holds: what came in, in its order, and what decided from when on.
// No decision is among it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "systems/fraud/event.hpp"

namespace tandem::fraud {

enum class RecordKind : std::uint8_t {
  versions = 1,  // rules, configuration and model that decide from here on: JSON
  transaction = 2,
  label = 3,
  erase = 4,       // a user's data go
  erase_done = 5,  // and are gone from the log before it
  past = 6,        // a transaction that nobody asked about: the history of a new state
  past_done = 7,   // all of that history is before it
  // Of a server that is one of several: fleet_records.hpp.
  elsewhere = 16,  // what another partition has seen
  without = 17,    // which parts outside are away from here on
  takeover = 18,   // a standby decides from here on
};

struct TransactionRecord {
  Event event;
  std::uint64_t digest = 0;        // of the transaction with all that it has
  Time received = 0;               // by the server's clock
  std::uint32_t microseconds = 0;  // that the first answer says it took
};

struct LabelRecord {
  Label label;
  std::uint8_t by_review = 0;  // 1: a person said so in the review queue
  Time received = 0;
  // When the fraud that this label takes back was known; 0: it takes none back. Logs of earlier
  // versions do not have it.
  Time taken_back = 0;
};

struct PastRecord {
  Event event;
};

struct EraseRecord {
  Key user = 0;
  Time received = 0;
};

[[nodiscard]] std::vector<std::byte> bytes_of(const TransactionRecord& record);
[[nodiscard]] std::vector<std::byte> bytes_of(const LabelRecord& record);
[[nodiscard]] std::vector<std::byte> bytes_of(const PastRecord& record);
[[nodiscard]] std::vector<std::byte> bytes_of(const EraseRecord& record);
[[nodiscard]] std::vector<std::byte> bytes_of(const std::string& text);
// Each throws InputError for bytes that are none.
[[nodiscard]] TransactionRecord transaction_record(std::span<const std::byte> bytes);
[[nodiscard]] LabelRecord label_record(std::span<const std::byte> bytes);
[[nodiscard]] PastRecord past_record(std::span<const std::byte> bytes);
[[nodiscard]] EraseRecord erase_record(std::span<const std::byte> bytes);
[[nodiscard]] std::string text_record(std::span<const std::byte> bytes);

// Whole numbers in little-endian order, for records and snapshots.
template <class Number>
void append_number(std::vector<std::byte>& to, Number value) {
  auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    to.push_back(static_cast<std::byte>(bits & 0xFF));
    bits >>= 8;
  }
}
// Takes it off the front. Throws InputError where there are too few bytes.
[[nodiscard]] std::uint64_t take_number(std::span<const std::byte>& from, std::size_t bytes);
// Throws InputError where a record that was read to its end goes on.
void expect_end(std::span<const std::byte> rest);

}  // namespace tandem::fraud

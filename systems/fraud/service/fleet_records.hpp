// Records of the log of a server that is one of several: what others have seen, what is away, who
// took over. They are inputs as transactions are, and replay goes by them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "systems/fraud/service/records.hpp"

namespace tandem::fraud {

// Where a record of another partition stands in what that one shares. Epochs begin with 1 and rise
// with each takeover; the sequence is that of the record in its own log.
struct SharedPosition {
  std::uint32_t epoch = 0;  // 0: before all
  std::uint64_t sequence = 0;
  [[nodiscard]] auto operator<=>(const SharedPosition&) const = default;
};

struct ElsewhereRecord {
  std::uint16_t partition = 0;
  SharedPosition position;
  RecordKind kind = RecordKind::transaction;  // or label, erase
  Event event;                                // of a transaction
  Label label;                                // of a label
  Key user = 0;                               // that is erased
};

// Parts outside that decisions go on without.
enum class Outside : std::uint8_t { redis = 1, kafka = 2 };

struct WithoutRecord {
  std::uint8_t parts = 0;  // of Outside, or 0
  Time received = 0;
};

struct TakeoverRecord {
  std::uint32_t epoch = 0;
  Time received = 0;
};

[[nodiscard]] std::vector<std::byte> bytes_of(const ElsewhereRecord& record);
[[nodiscard]] std::vector<std::byte> bytes_of(const WithoutRecord& record);
[[nodiscard]] std::vector<std::byte> bytes_of(const TakeoverRecord& record);
// Each throws InputError for bytes that are none.
[[nodiscard]] ElsewhereRecord elsewhere_record(std::span<const std::byte> bytes);
[[nodiscard]] WithoutRecord without_record(std::span<const std::byte> bytes);
[[nodiscard]] TakeoverRecord takeover_record(std::span<const std::byte> bytes);

// `,"without":["redis"]`, or nothing.
[[nodiscard]] std::string without_text(std::uint8_t parts);

}  // namespace tandem::fraud

#include "systems/fraud/service/fleet_records.hpp"

#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

constexpr std::uint8_t all_parts =
    static_cast<std::uint8_t>(Outside::redis) | static_cast<std::uint8_t>(Outside::kafka);

}  // namespace

std::vector<std::byte> bytes_of(const ElsewhereRecord& record) {
  std::vector<std::byte> bytes;
  bytes.reserve(event_bytes + 16);
  append_number(bytes, record.partition);
  append_number(bytes, record.position.epoch);
  append_number(bytes, record.position.sequence);
  append_number(bytes, static_cast<std::uint8_t>(record.kind));
  if (record.kind == RecordKind::transaction) append_bytes(bytes, record.event);
  if (record.kind == RecordKind::label) append_bytes(bytes, record.label);
  if (record.kind == RecordKind::erase) append_number(bytes, record.user);
  return bytes;
}

ElsewhereRecord elsewhere_record(std::span<const std::byte> bytes) {
  ElsewhereRecord record;
  record.partition = static_cast<std::uint16_t>(take_number(bytes, 2));
  record.position.epoch = static_cast<std::uint32_t>(take_number(bytes, 4));
  record.position.sequence = take_number(bytes, 8);
  record.kind = static_cast<RecordKind>(take_number(bytes, 1));
  switch (record.kind) {
    case RecordKind::transaction: record.event = take_event(bytes); break;
    case RecordKind::label: record.label = take_label(bytes); break;
    case RecordKind::erase: record.user = take_number(bytes, 8); break;
    default: throw InputError("a record of another partition is of no known kind");
  }
  expect_end(bytes);
  return record;
}

std::vector<std::byte> bytes_of(const WithoutRecord& record) {
  std::vector<std::byte> bytes;
  append_number(bytes, record.parts);
  append_number(bytes, record.received);
  return bytes;
}

WithoutRecord without_record(std::span<const std::byte> bytes) {
  WithoutRecord record;
  record.parts = static_cast<std::uint8_t>(take_number(bytes, 1));
  record.received = static_cast<Time>(take_number(bytes, 8));
  expect_end(bytes);
  if (record.parts > all_parts) throw InputError("a record of the log names no part outside");
  return record;
}

std::vector<std::byte> bytes_of(const TakeoverRecord& record) {
  std::vector<std::byte> bytes;
  append_number(bytes, record.epoch);
  append_number(bytes, record.received);
  return bytes;
}

TakeoverRecord takeover_record(std::span<const std::byte> bytes) {
  TakeoverRecord record;
  record.epoch = static_cast<std::uint32_t>(take_number(bytes, 4));
  record.received = static_cast<Time>(take_number(bytes, 8));
  expect_end(bytes);
  return record;
}

std::string without_text(std::uint8_t parts) {
  std::string text;
  const auto add = [&](Outside part, const char* name) {
    if ((parts & static_cast<std::uint8_t>(part)) == 0) return;
    text += text.empty() ? ",\"without\":[\"" : ",\"";
    text += name;
    text += '"';
  };
  add(Outside::redis, "redis");
  add(Outside::kafka, "kafka");
  if (!text.empty()) text += ']';
  return text;
}

}  // namespace tandem::fraud

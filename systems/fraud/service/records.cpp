#include "systems/fraud/service/records.hpp"

#include <cstring>

#include "tandem/core/error.hpp"

namespace tandem::fraud {

void expect_end(std::span<const std::byte> rest) {
  if (!rest.empty()) throw InputError("a record of the log has bytes behind its end");
}

std::uint64_t take_number(std::span<const std::byte>& from, std::size_t bytes) {
  if (from.size() < bytes) throw InputError("a record of the log or of a snapshot is too short");
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<std::uint64_t>(from[i]);
  from = from.subspan(bytes);
  return value;
}

std::vector<std::byte> bytes_of(const TransactionRecord& record) {
  std::vector<std::byte> bytes;
  bytes.reserve(event_bytes + 20);
  append_bytes(bytes, record.event);
  append_number(bytes, record.digest);
  append_number(bytes, record.received);
  append_number(bytes, record.microseconds);
  return bytes;
}

TransactionRecord transaction_record(std::span<const std::byte> bytes) {
  TransactionRecord record;
  record.event = take_event(bytes);
  record.digest = take_number(bytes, 8);
  record.received = static_cast<Time>(take_number(bytes, 8));
  record.microseconds = static_cast<std::uint32_t>(take_number(bytes, 4));
  expect_end(bytes);
  return record;
}

std::vector<std::byte> bytes_of(const LabelRecord& record) {
  std::vector<std::byte> bytes;
  append_bytes(bytes, record.label);
  append_number(bytes, record.by_review);
  append_number(bytes, record.received);
  append_number(bytes, record.taken_back);
  return bytes;
}

LabelRecord label_record(std::span<const std::byte> bytes) {
  LabelRecord record;
  record.label = take_label(bytes);
  record.by_review = static_cast<std::uint8_t>(take_number(bytes, 1));
  record.received = static_cast<Time>(take_number(bytes, 8));
  if (!bytes.empty()) record.taken_back = static_cast<Time>(take_number(bytes, 8));
  expect_end(bytes);
  return record;
}

std::vector<std::byte> bytes_of(const PastRecord& record) {
  std::vector<std::byte> bytes;
  bytes.reserve(event_bytes);
  append_bytes(bytes, record.event);
  return bytes;
}

PastRecord past_record(std::span<const std::byte> bytes) {
  PastRecord record;
  record.event = take_event(bytes);
  expect_end(bytes);
  return record;
}

std::vector<std::byte> bytes_of(const EraseRecord& record) {
  std::vector<std::byte> bytes;
  append_number(bytes, record.user);
  append_number(bytes, record.received);
  return bytes;
}

EraseRecord erase_record(std::span<const std::byte> bytes) {
  EraseRecord record;
  record.user = take_number(bytes, 8);
  record.received = static_cast<Time>(take_number(bytes, 8));
  expect_end(bytes);
  return record;
}

std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string text_record(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace tandem::fraud

// The bytes of a segment: a head, then records one after the other.
//
//   head    "TNDMJRN1", version u32, CRC-32C of the 16 bytes that follow u32, first sequence u64,
//           0 u64
//   record  "JRec", length u32, sequence u64, synced u64, kind u8, flags u8, 0 u16, CRC-32C u32,
//           then `length` bytes
//
// All little-endian. A record's checksum is over its head, with 0 in the checksum's place, and its
// bytes. `synced`: records below it were on the disk when this one was written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "systems/journal/journal.hpp"

namespace tandem::journal {

inline constexpr std::size_t segment_head_bytes = 32;
inline constexpr std::size_t record_head_bytes = 32;
inline constexpr std::uint32_t segment_version = 1;

[[nodiscard]] std::string segment_name(Sequence first);
[[nodiscard]] std::string snapshot_name(Sequence sequence);
// The sequence in such a name, or none.
[[nodiscard]] std::optional<Sequence> segment_of(const std::string& name);
[[nodiscard]] std::optional<Sequence> snapshot_of(const std::string& name);

[[nodiscard]] std::vector<std::byte> segment_head(Sequence first);

// Appends a record without its `synced` and checksum, which seal_records() sets.
void append_record(std::vector<std::byte>& to, Sequence sequence, std::uint8_t kind, bool gone,
                   std::span<const std::byte> bytes);
// Completes all the records in `records`, which hold nothing else.
void seal_records(std::span<std::byte> records, Sequence synced);

// A record where the bytes begin with a whole one, whatever its sequence.
struct ParsedRecord {
  Record record;
  Sequence synced = 0;
  std::size_t bytes = 0;  // with its head
};
[[nodiscard]] std::optional<ParsedRecord> parse_record(std::span<const std::byte> bytes);

// Reads the records of one segment in their order, some hundred kilobytes at a time.
class SegmentReader {
 public:
  // `first` is the sequence that the file's name says. Throws InputError where the head, of which
  // there is enough, says another one, or another version.
  SegmentReader(Storage& storage, std::string path, Sequence first);

  enum class End { none, clean, cut };
  // False at the end of the whole records; then end() is `clean` where the file ends there, and
  // `cut` where bytes follow that are no record. Throws InputError where those bytes are damage:
  // where the whole record that follows has another sequence, or where a record further on says
  // that the one missing here was on the disk.
  bool next(Record& record);
  [[nodiscard]] End end() const { return end_; }
  [[nodiscard]] Sequence expected() const { return expected_; }   // of the record after the last
  [[nodiscard]] std::uint64_t offset() const { return offset_; }  // of the end of the last
  [[nodiscard]] bool head_whole() const { return head_whole_; }

 private:
  void fill(std::size_t bytes);
  void look_for_damage();
  [[noreturn]] void fail(const std::string& what) const;

  Storage& storage_;
  std::string path_;
  Sequence expected_;
  std::uint64_t offset_ = 0;  // of buffer_[at_] in the file
  std::vector<std::byte> buffer_;
  std::size_t at_ = 0;
  bool head_whole_ = false;
  End end_ = End::none;
};

}  // namespace tandem::journal

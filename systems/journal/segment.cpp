#include "systems/journal/segment.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "systems/journal/bytes.hpp"
#include "systems/journal/crc32c.hpp"
#include "tandem/core/error.hpp"

namespace tandem::journal {
namespace {

constexpr std::string_view segment_magic = "TNDMJRN1";
constexpr std::uint32_t record_magic = 0x6365524A;  // "JRec"
constexpr std::uint8_t flag_gone = 1;
constexpr std::size_t chunk = 256 << 10;

// Places in a record's head.
constexpr std::size_t at_length = 4;
constexpr std::size_t at_sequence = 8;
constexpr std::size_t at_synced = 16;
constexpr std::size_t at_kind = 24;
constexpr std::size_t at_flags = 25;
constexpr std::size_t at_crc = 28;

std::string name_of(std::string_view before, Sequence sequence, std::string_view after) {
  std::string digits = std::to_string(sequence);
  digits.insert(0, 20 - digits.size(), '0');
  return std::string(before) + digits + std::string(after);
}

std::optional<Sequence> number_in(std::string_view name, std::string_view before,
                                  std::string_view after) {
  if (name.size() != before.size() + 20 + after.size() || !name.starts_with(before) ||
      !name.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(before.size(), 20);
  Sequence sequence = 0;
  const auto [end, status] =
      std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
  if (status != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return sequence;
}

std::uint32_t checksum_of(std::span<const std::byte> record) {
  constexpr std::array<std::byte, 4> none{};
  return crc32c(record.subspan(record_head_bytes), crc32c(none, crc32c(record.first(at_crc))));
}

}  // namespace

std::string segment_name(Sequence first) { return name_of("log-", first, ".journal"); }
std::string snapshot_name(Sequence sequence) { return name_of("snapshot-", sequence, ".state"); }
std::optional<Sequence> segment_of(const std::string& name) {
  return number_in(name, "log-", ".journal");
}
std::optional<Sequence> snapshot_of(const std::string& name) {
  return number_in(name, "snapshot-", ".state");
}

std::vector<std::byte> segment_head(Sequence first) {
  std::vector<std::byte> head(segment_head_bytes);
  std::memcpy(head.data(), segment_magic.data(), segment_magic.size());
  put(head.data() + 8, segment_version);
  put(head.data() + 16, first);
  put(head.data() + 12, crc32c(std::span(head).subspan(16)));
  return head;
}

void append_record(std::vector<std::byte>& to, Sequence sequence, std::uint8_t kind, bool gone,
                   std::span<const std::byte> bytes) {
  const std::size_t begin = to.size();
  to.resize(begin + record_head_bytes + bytes.size());
  std::byte* const head = to.data() + begin;
  put(head, record_magic);
  put(head + at_length, static_cast<std::uint32_t>(bytes.size()));
  put(head + at_sequence, sequence);
  head[at_kind] = static_cast<std::byte>(kind);
  head[at_flags] = static_cast<std::byte>(gone ? flag_gone : 0);
  if (!bytes.empty()) std::memcpy(head + record_head_bytes, bytes.data(), bytes.size());
}

void seal_records(std::span<std::byte> records, Sequence synced) {
  while (!records.empty()) {
    const std::size_t bytes = record_head_bytes + get<std::uint32_t>(records.data() + at_length);
    put(records.data() + at_synced, synced);
    put(records.data() + at_crc, checksum_of(records.first(bytes)));
    records = records.subspan(bytes);
  }
}

std::optional<ParsedRecord> parse_record(std::span<const std::byte> bytes) {
  if (bytes.size() < record_head_bytes || get<std::uint32_t>(bytes.data()) != record_magic) {
    return std::nullopt;
  }
  const std::size_t length = get<std::uint32_t>(bytes.data() + at_length);
  if (length > longest_record || bytes.size() < record_head_bytes + length) return std::nullopt;
  const std::span<const std::byte> whole = bytes.first(record_head_bytes + length);
  if (checksum_of(whole) != get<std::uint32_t>(bytes.data() + at_crc)) return std::nullopt;
  ParsedRecord parsed;
  parsed.record.sequence = get<Sequence>(bytes.data() + at_sequence);
  parsed.record.kind = static_cast<std::uint8_t>(bytes[at_kind]);
  parsed.record.gone = (static_cast<std::uint8_t>(bytes[at_flags]) & flag_gone) != 0;
  parsed.record.bytes = whole.subspan(record_head_bytes);
  parsed.synced = get<Sequence>(bytes.data() + at_synced);
  parsed.bytes = whole.size();
  return parsed;
}

SegmentReader::SegmentReader(Storage& storage, std::string path, Sequence first)
    : storage_(storage), path_(std::move(path)), expected_(first) {
  fill(segment_head_bytes);
  if (buffer_.size() < segment_head_bytes) return;
  if (std::memcmp(buffer_.data(), segment_magic.data(), segment_magic.size()) != 0 ||
      get<std::uint32_t>(buffer_.data() + 12) !=
          crc32c(std::span(buffer_).subspan(16, segment_head_bytes - 16))) {
    return;
  }
  const auto version = get<std::uint32_t>(buffer_.data() + 8);
  if (version != segment_version) {
    fail("is of format " + std::to_string(version) + "; this program reads format " +
         std::to_string(segment_version) + ": use the version of Tandem that wrote it");
  }
  if (get<Sequence>(buffer_.data() + 16) != first) {
    fail("says that it begins with record " + std::to_string(get<Sequence>(buffer_.data() + 16)) +
         ", which its name does not: restore the name");
  }
  head_whole_ = true;
  at_ = segment_head_bytes;
  offset_ = segment_head_bytes;
}

void SegmentReader::fail(const std::string& what) const { throw InputError(path_ + ": " + what); }

// Makes `bytes` of them, if the file has so many, stand from at_ on.
void SegmentReader::fill(std::size_t bytes) {
  if (buffer_.size() - at_ >= bytes) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
  const std::size_t wanted = std::max(bytes, chunk) - buffer_.size();
  const std::vector<std::byte> more = storage_.read(path_, offset_ + buffer_.size(), wanted);
  buffer_.insert(buffer_.end(), more.begin(), more.end());
}

bool SegmentReader::next(Record& record) {
  if (end_ != End::none) return false;
  if (!head_whole_) {
    look_for_damage();
    return false;
  }
  fill(record_head_bytes);
  if (buffer_.size() == at_) {
    end_ = End::clean;
    return false;
  }
  std::span<const std::byte> rest = std::span(buffer_).subspan(at_);
  if (rest.size() >= record_head_bytes && get<std::uint32_t>(rest.data()) == record_magic) {
    const std::size_t length = get<std::uint32_t>(rest.data() + at_length);
    if (length <= longest_record) {
      fill(record_head_bytes + length);
      rest = std::span(buffer_).subspan(at_);
    }
  }
  const std::optional<ParsedRecord> parsed = parse_record(rest);
  if (!parsed) {
    look_for_damage();
    return false;
  }
  if (parsed->record.sequence != expected_) {
    fail("at byte " + std::to_string(offset_) + " record " +
         std::to_string(parsed->record.sequence) + " stands where " + std::to_string(expected_) +
         " should; the file was changed: restore it from a copy");
  }
  record = parsed->record;
  at_ += parsed->bytes;
  offset_ += parsed->bytes;
  ++expected_;
  return true;
}

// What follows is no record. It is the torn end of a group that nobody was told is safe, unless a
// record behind it was written when this one was known to be on the disk.
void SegmentReader::look_for_damage() {
  end_ = End::cut;
  const std::uint64_t size = storage_.size(path_);
  const std::vector<std::byte> rest =
      storage_.read(path_, offset_, size > offset_ ? static_cast<std::size_t>(size - offset_) : 0);
  std::array<std::byte, 4> magic;
  put(magic.data(), record_magic);
  for (auto at = rest.begin();; ++at) {
    at = std::search(at, rest.end(), magic.begin(), magic.end());
    if (at == rest.end()) return;
    const auto begin = static_cast<std::size_t>(at - rest.begin());
    const auto parsed = parse_record(std::span(rest).subspan(begin));
    if (parsed && parsed->record.sequence >= expected_ && parsed->synced > expected_) {
      fail("is damaged at byte " + std::to_string(offset_) + ": record " +
           std::to_string(expected_) + " is not whole, and record " +
           std::to_string(parsed->record.sequence) +
           " behind it says that it had been; restore the file from a copy");
    }
  }
}

}  // namespace tandem::journal

#include "systems/recommend/record.hpp"

#include <istream>

#include "tandem/core/error.hpp"

namespace tandem::recommend {

std::string_view RecordReader::take(std::size_t count) {
  if (bytes_.size() < count) throw InputError(std::string(what_) + " ends too early");
  const std::string_view part = bytes_.substr(0, count);
  bytes_.remove_prefix(count);
  return part;
}

std::uint64_t RecordReader::number(int count) {
  const std::string_view part = take(static_cast<std::size_t>(count));
  std::uint64_t value = 0;
  for (std::size_t i = part.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(part[i]);
  }
  return value;
}

std::string RecordReader::text() {
  const auto length = static_cast<std::size_t>(number(2));
  if (length > longest_name) throw InputError(std::string(what_) + " has a name that is too long");
  return std::string(take(length));
}

void RecordReader::finish() const {
  if (!bytes_.empty()) throw InputError(std::string(what_) + " has bytes behind it");
}

std::uint64_t SnapshotReader::number(int count) {
  char bytes[8];
  read(bytes, static_cast<std::size_t>(count));
  std::uint64_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string SnapshotReader::text() {
  const auto length = static_cast<std::size_t>(number(2));
  if (length > longest_name) throw InputError(std::string(what_) + " has a name that is too long");
  std::string text(length, '\0');
  read(text.data(), length);
  return text;
}

void SnapshotReader::expect(std::string_view text) {
  std::string found(text.size(), '\0');
  read(found.data(), found.size());
  if (found != text) {
    throw InputError(std::string(what_) +
                     " begins as none does, or is of another format: expected " +
                     std::string(text.substr(0, text.size() - 1)));
  }
}

std::uint64_t SnapshotReader::count(std::uint64_t most) {
  const std::uint64_t value = number(8);
  if (value > most) throw InputError(std::string(what_) + " has a count out of range");
  return value;
}

void SnapshotReader::end() {
  if (in_.peek() != std::istream::traits_type::eof()) {
    throw InputError(std::string(what_) + " has bytes behind it");
  }
}

void SnapshotReader::read(char* to, std::size_t bytes) {
  in_.read(to, static_cast<std::streamsize>(bytes));
  if (static_cast<std::size_t>(in_.gcount()) != bytes) {
    throw InputError(std::string(what_) + " ends too early");
  }
}

}  // namespace tandem::recommend

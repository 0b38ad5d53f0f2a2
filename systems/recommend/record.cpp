#include "systems/recommend/record.hpp"

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

}  // namespace tandem::recommend

#include "systems/store/database.hpp"

#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem::store {

std::unique_ptr<Database> Database::open(const std::string& place) {
  if (place.starts_with("postgresql://") || place.starts_with("postgres://")) {
    return open_postgres(place);
  }
  if (place.find("://") != std::string::npos) {
    throw InputError(without_password(place) +
                     ": expected postgresql://... or the path of a file for SQLite");
  }
  return open_sqlite(place);
}

std::int64_t integer(const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
  throw SystemError("the database holds something else where a whole number is expected");
}

std::string text(const Value& value) {
  if (const auto* held = std::get_if<std::string>(&value)) return *held;
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&value)) return shortest(*number);
  return {};
}

std::string without_password(const std::string& place) {
  const auto scheme = place.find("://");
  const auto at = place.rfind('@');
  if (scheme == std::string::npos || at == std::string::npos) return place;
  const auto colon = place.find(':', scheme + 3);
  if (colon == std::string::npos || colon > at) return place;
  return place.substr(0, colon) + place.substr(at);
}

}  // namespace tandem::store

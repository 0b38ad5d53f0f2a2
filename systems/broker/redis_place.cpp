// Where Redis is, as people write it.
#include "core/text.hpp"
#include "systems/broker/redis.hpp"
#include "systems/http/message.hpp"
#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

constexpr std::string_view scheme = "redis://";
constexpr int greatest_database = 1'000'000;

[[noreturn]] void refuse(const std::string& what) {
  throw InputError("the place of Redis: " + what +
                   "; expected HOST:PORT or redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]");
}

std::string decoded(std::string_view text) {
  std::string result;
  if (!http::percent_decode(text, result)) refuse("user or password has a broken escape");
  return result;
}

}  // namespace

RedisPlace RedisPlace::parse(std::string_view text) {
  RedisPlace place;
  std::string_view rest = text;
  const bool url = rest.starts_with(scheme);
  if (rest.starts_with("rediss://")) {
    refuse("Debian's hiredis has no TLS; a tunnel, or a private network, has to be it");
  }
  if (url) {
    rest.remove_prefix(scheme.size());
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
      const std::string_view credentials = rest.substr(0, at);
      rest.remove_prefix(at + 1);
      const auto colon = credentials.find(':');
      if (colon == std::string_view::npos) refuse("a user without a password");
      place.user = decoded(credentials.substr(0, colon));
      place.password = decoded(credentials.substr(colon + 1));
      if (place.password.empty()) refuse("the password is empty");
    }
    if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
      const std::string_view database = rest.substr(slash + 1);
      rest = rest.substr(0, slash);
      if (!database.empty() && (!read_number(database, place.database) || place.database < 0 ||
                                place.database > greatest_database)) {
        refuse("the database is a whole number");
      }
    }
  }
  const auto colon = rest.rfind(':');
  const bool bracketed = rest.starts_with('[');
  const auto closing = rest.find(']');
  if (bracketed && closing == std::string_view::npos) refuse("a bracket is open");
  std::string_view host = rest;
  if (colon != std::string_view::npos && (!bracketed || colon > closing)) {
    host = rest.substr(0, colon);
    if (!read_number(rest.substr(colon + 1), place.port) || place.port == 0) {
      refuse("the port is a whole number from 1 to 65535");
    }
  } else if (!url) {
    refuse("the port is missing");
  }
  if (bracketed) host = host.substr(1, closing - 1);
  if (host.empty() || host.find_first_of(" \t\r\n@/") != std::string_view::npos ||
      (!bracketed && host.find(':') != std::string_view::npos)) {
    refuse("no host");
  }
  place.host = std::string(host);
  return place;
}

std::string RedisPlace::name() const {
  const bool bracketed = host.find(':') != std::string::npos;
  return (bracketed ? "[" + host + "]" : host) + ":" + std::to_string(port) +
         (database != 0 ? "/" + std::to_string(database) : "");
}

}  // namespace tandem::broker

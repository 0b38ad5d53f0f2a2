#include "systems/fraud/event.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "core/file.hpp"
#include "core/random.hpp"
#include "systems/journal/bytes.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

std::uint64_t word(const std::uint8_t* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = (value << 8) | bytes[i];
  return value;
}

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t m) {
    v3 ^= m;
    round();
    round();
    v0 ^= m;
  }
};

}  // namespace

std::uint64_t siphash(const std::array<std::uint8_t, 16>& secret,
                      std::span<const std::uint8_t> bytes) {
  const std::uint64_t k0 = word(secret.data());
  const std::uint64_t k1 = word(secret.data() + 8);
  SipState state{k0 ^ 0x736f6d6570736575U, k1 ^ 0x646f72616e646f6dU, k0 ^ 0x6c7967656e657261U,
                 k1 ^ 0x7465646279746573U};
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) state.take(word(bytes.data() + at));
  std::uint64_t last = static_cast<std::uint64_t>(bytes.size() & 0xFF) << 56;
  for (std::size_t i = 0; at + i < bytes.size(); ++i) {
    last |= static_cast<std::uint64_t>(bytes[at + i]) << (8 * i);
  }
  state.take(last);
  state.v2 ^= 0xFF;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

Identities Identities::of_folder(const std::string& folder) {
  const std::string path = folder + "/secret";
  Secret secret;
  if (std::filesystem::exists(path)) {
    const std::vector<std::uint8_t> bytes = read_file(path);
    if (bytes.size() != secret.size()) {
      throw InputError(
          path + ": is of " + std::to_string(bytes.size()) +
          " bytes; the secret that identifiers are hashed with has 16: restore it from "
          "a copy, without it the logs beside it cannot be used");
    }
    std::memcpy(secret.data(), bytes.data(), secret.size());
    return Identities(secret);
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw SystemError(folder + ": cannot be made: " + error.message());
  if (::getrandom(secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) {
    throw SystemError("the system gives no random bytes for " + path);
  }
  const mode_t before = ::umask(077);
  try {
    write_file(path, secret);
  } catch (...) {
    ::umask(before);
    throw;
  }
  ::umask(before);
  return Identities(secret);
}

Identities Identities::of_seed(std::uint64_t seed) {
  const Random random(seed, Purpose::generated_parameters);
  Secret secret;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint64_t bits = random.bits(i);
    for (std::size_t k = 0; k < 8; ++k) {
      secret[8 * i + k] = static_cast<std::uint8_t>(bits >> (8 * k));
    }
  }
  return Identities(secret);
}

Key Identities::key(KeyKind kind, std::string_view text) const {
  if (text.empty()) return 0;
  std::array<std::uint8_t, 512> bytes;
  // Texts are of longest_identifier bytes at most, a card's of two of them.
  const std::size_t length = std::min(text.size(), bytes.size() - 1);
  bytes[0] = static_cast<std::uint8_t>(kind);
  std::memcpy(bytes.data() + 1, text.data(), length);
  const Key key = siphash(secret_, std::span(bytes).first(length + 1));
  return key == 0 ? 1 : key;
}

Event make_event(const Transaction& transaction, const Identities& identities,
                 const Currencies& currencies) {
  const auto rate = currencies.rates.find(transaction.currency);
  if (rate == currencies.rates.end()) {
    throw InputError("currency: there is no rate for " + transaction.currency +
                     "; give one in the configuration's `currencies`");
  }
  Event event;
  event.transaction = identities.key(KeyKind::transaction, transaction.id);
  event.user = identities.key(KeyKind::user, transaction.user);
  // No identifier has a control character, so that a token is no user with four digits.
  event.card =
      identities.key(KeyKind::card, transaction.card_token.empty()
                                        ? transaction.user + '\n' + transaction.card_last_four
                                        : transaction.card_token);
  event.merchant = identities.key(KeyKind::merchant, transaction.merchant);
  event.ip = identities.key(KeyKind::ip, transaction.ip);
  event.device = identities.key(KeyKind::device, transaction.device);
  event.time = transaction.time;
  event.amount = transaction.amount * rate->second;
  // At most 1e12 of a currency: within 64 bits for every rate up to 90,000.
  event.cents = std::llround(std::min(event.amount * 100, 9e18));
  if (transaction.location) {
    event.has_location = true;
    event.latitude = static_cast<float>(transaction.location->latitude);
    event.longitude = static_cast<float>(transaction.location->longitude);
  }
  event.offset_minutes = static_cast<std::int16_t>(transaction.offset_minutes);
  event.type = transaction.type;
  return event;
}

Label make_label(const Event& event, bool fraud, Time known_at) {
  return {event.transaction, event.user, event.card, event.merchant, event.ip,
          event.device,      event.time, known_at,   fraud};
}

void append_bytes(std::vector<std::byte>& to, const Event& event) {
  using journal::append;
  for (const Key key :
       {event.transaction, event.user, event.card, event.merchant, event.ip, event.device}) {
    append(to, key);
  }
  append(to, event.time);
  append(to, std::bit_cast<std::uint64_t>(event.amount));
  append(to, event.cents);
  append(to, std::bit_cast<std::uint32_t>(event.latitude));
  append(to, std::bit_cast<std::uint32_t>(event.longitude));
  append(to, event.offset_minutes);
  append(to, static_cast<std::uint8_t>(event.type));
  append(to, static_cast<std::uint8_t>(event.has_location));
}

void append_bytes(std::vector<std::byte>& to, const Label& label) {
  using journal::append;
  for (const Key key :
       {label.transaction, label.user, label.card, label.merchant, label.ip, label.device}) {
    append(to, key);
  }
  append(to, label.time);
  append(to, label.known_at);
  append(to, static_cast<std::uint8_t>(label.fraud));
}

namespace {

template <class T>
T take(std::span<const std::byte>& from) {
  const T value = journal::get<T>(from.data());
  from = from.subspan(sizeof(T));
  return value;
}

void require(bool right, const char* what) {
  if (!right) throw InputError(std::string("a record of the log is no ") + what);
}

bool in_time(Time time) { return time >= 0 && time < Time{4'200'000'000'000}; }

}  // namespace

Event take_event(std::span<const std::byte>& from) {
  require(from.size() >= event_bytes, "event");
  Event event;
  for (Key* const key :
       {&event.transaction, &event.user, &event.card, &event.merchant, &event.ip, &event.device}) {
    *key = take<Key>(from);
  }
  event.time = take<Time>(from);
  event.amount = std::bit_cast<double>(take<std::uint64_t>(from));
  event.cents = take<std::int64_t>(from);
  event.latitude = std::bit_cast<float>(take<std::uint32_t>(from));
  event.longitude = std::bit_cast<float>(take<std::uint32_t>(from));
  event.offset_minutes = take<std::int16_t>(from);
  const auto type = take<std::uint8_t>(from);
  const auto located = take<std::uint8_t>(from);
  require(event.user != 0 && in_time(event.time) && std::isfinite(event.amount) &&
              event.amount >= 0 && event.cents >= 0 && std::abs(event.latitude) <= 90 &&
              std::abs(event.longitude) <= 180 && std::abs(event.offset_minutes) <= 14 * 60 &&
              type < enum_names<TransactionType>.size() && located <= 1,
          "event");
  event.type = static_cast<TransactionType>(type);
  event.has_location = located == 1;
  return event;
}

Label take_label(std::span<const std::byte>& from) {
  require(from.size() >= label_bytes, "label");
  Label label;
  for (Key* const key :
       {&label.transaction, &label.user, &label.card, &label.merchant, &label.ip, &label.device}) {
    *key = take<Key>(from);
  }
  label.time = take<Time>(from);
  label.known_at = take<Time>(from);
  const auto fraud = take<std::uint8_t>(from);
  require(in_time(label.time) && in_time(label.known_at) && fraud <= 1, "label");
  label.fraud = fraud == 1;
  return label;
}

}  // namespace tandem::fraud

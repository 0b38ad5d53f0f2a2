// What a server is told of the others that it is one of.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "systems/broker/kafka.hpp"
#include "systems/broker/redis.hpp"
#include "systems/fraud/service/partition.hpp"
#include "systems/http/server.hpp"

namespace tandem::fraud {

enum class KafkaAcknowledge { log, delivered };

}  // namespace tandem::fraud

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 2> enum_names<fraud::KafkaAcknowledge>{"log",
                                                                                     "delivered"};
}  // namespace tandem

namespace tandem::fraud {

struct KafkaPlaces {
  broker::KafkaOptions kafka;
  std::string in;   // the topic of transactions; empty: none are read
  std::string out;  // of decisions; empty: none are written
  std::string group = "tandem-fraud";
  // When a transaction of Kafka's counts as read: once its decision is safe in the log, or once it
  // was delivered to the topic of decisions, where there is one.
  KafkaAcknowledge acknowledge = KafkaAcknowledge::delivered;
};

struct FleetOptions {
  Partition partition;
  // Of a standby: the primary that it follows, and a file with a token of the role admin there.
  std::optional<http::Endpoint> follow;
  std::string follow_token;
  // Of a primary: for how long an answer waits for a standby; 0: not at all.
  std::chrono::milliseconds confirm{0};
  // Of a standby: for how long a transaction is kept for the case that it takes over.
  std::chrono::milliseconds hold{5'000};
  std::optional<broker::RedisPlace> redis;
  std::string redis_prefix = "tandem-fraud";
  std::int64_t redis_events = 1'000'000;  // of a partition, that Redis keeps
  std::optional<KafkaPlaces> kafka;
};

}  // namespace tandem::fraud

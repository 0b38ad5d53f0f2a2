// Kafka in and out, over librdkafka, for services that keep a log of their own.
//
// In: at least once. A message counts as read, and its offset is committed, only when the service
// says that it is done with it (that it is safe in its log, say) and with all before it in its
// partition; after a crash what was not done comes again, so that services tell by an id of their
// own what they have seen. Out: messages wait in a queue of bounded size, and a delivery report
// says of each whether all replicas have it. Nothing here makes a caller wait but next() and
// flush(), for as long as they are told.
//
// Which partition. A message goes to the partition CRC-32(key) mod partitions (the CRC-32 of zlib
// and Ethernet; librdkafka's partitioner `consistent_random`), one without a key to any. Programs
// over Java's client, whose own rule is murmur2, have to be told so: partition_of() is the rule.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"

namespace tandem::broker {

// 0 to partitions − 1. Requires partitions > 0.
[[nodiscard]] std::uint32_t partition_of(std::string_view key, std::uint32_t partitions);

struct KafkaOptions {
  std::string brokers;                       // "HOST:PORT,HOST:PORT"
  std::string client = "tandem";             // as brokers' logs and the metrics call it
  std::chrono::milliseconds answer{10'000};  // for a broker's answer to a request
  // Further properties of librdkafka's ("security.protocol", "sasl.username", ...), which replace
  // what this program sets.
  std::map<std::string, std::string> properties;

  // Lines NAME=VALUE; blank ones and those that begin with # say nothing. Throws InputError that
  // names file and line, and not the value.
  [[nodiscard]] static std::map<std::string, std::string> read_properties(const std::string& path);
};

struct ProducerOptions {
  std::string topic;
  std::size_t most_waiting = 100'000;          // messages in the queue; one beyond is refused
  std::size_t most_waiting_bytes = 64 << 20;   // likewise
  std::chrono::milliseconds delivery{60'000};  // after which a message counts as not delivered
  // A message that waits longer than this for its report says that Kafka is away.
  std::chrono::milliseconds slow{3'000};
};

// Several threads may use it at once.
class Producer {
 public:
  // Throws InputError for options that librdkafka refuses. Brokers may come later.
  Producer(const KafkaOptions& kafka, const ProducerOptions& options, http::Metrics& metrics,
           http::Log& log);
  // Waits for reports no longer: flush() first. Those that are missing are told as not delivered.
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  // Puts a message into the queue and returns. `delivered` is called once, with an empty text when
  // all replicas in sync have the message, else with why not: by the producer's thread, or at once
  // by this one where the queue is full. It must not wait and must not throw.
  using Delivered = std::function<void(const std::string& failure)>;
  void send(std::string_view key, std::string_view value, Delivered delivered = {});

  // Whether messages are delivered, as far as is known: not while one waits too long, or while no
  // broker can be reached.
  [[nodiscard]] bool up() const noexcept;
  [[nodiscard]] std::string trouble() const;  // why not; empty while it is up
  [[nodiscard]] std::size_t waiting() const;  // messages without a report
  // Returns once every message has its report, or after `patience`: false then.
  bool flush(std::chrono::milliseconds patience);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

struct ConsumerOptions {
  std::string topic;
  std::string group;  // by which offsets are committed
  // Of a topic of `count` partitions those to read; throws InputError where the count will not do.
  // Empty: the members of the group share the partitions, as Kafka gives them out.
  std::function<std::vector<std::int32_t>(std::int32_t count)> partitions;
  std::size_t most_undone = 10'000;  // messages given out and not done; no more are given out then
  std::chrono::milliseconds commit{500};  // from one commit to the next
};

struct Message {
  std::string key;
  std::string value;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;    // ms since 1970, as the producer or the broker said; 0: not said
  std::uint64_t assignment = 0;  // of the partition to this consumer, which may lose it
};

// next() and close() by one thread, the rest by any.
class Consumer {
 public:
  Consumer(const KafkaOptions& kafka, ConsumerOptions options, http::Metrics& metrics,
           http::Log& log);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  // The next message; none where there is none within `patience`, where too many are undone, or
  // while Kafka is away. Begins with what was not committed; where nothing ever was, with the
  // oldest message. Throws InputError of `partitions`.
  [[nodiscard]] std::optional<Message> next(std::chrono::milliseconds patience);
  // The message is safe where it was to go. Of a partition that was lost meanwhile it says nothing:
  // who has it now reads the message again.
  void done(const Message& message);

  [[nodiscard]] bool up() const noexcept;  // as far as is known
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] std::size_t undone() const;
  // Commits what is done and leaves the group. next() gives nothing from then on.
  void close();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tandem::broker

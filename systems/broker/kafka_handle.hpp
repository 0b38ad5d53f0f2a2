// What producer and consumer share of librdkafka: making a handle of options, and what is known of
// Kafka's health.
#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "systems/broker/kafka.hpp"

namespace tandem::broker {

// Whether Kafka is there, as far as is known: changes are logged, and shown by a gauge.
class KafkaHealth {
 public:
  KafkaHealth(const KafkaOptions& kafka, const char* side, http::Metrics& metrics, http::Log& log);
  void good();
  void bad(const std::string& why);
  void told(int level, const char* text);  // librdkafka's own log
  [[nodiscard]] bool up() const noexcept { return up_; }
  [[nodiscard]] std::string trouble() const;

 private:
  std::string client_;
  std::string side_;
  std::string brokers_;
  http::Log& log_;
  http::Gauge& gauge_;
  mutable std::mutex mutex_;
  std::atomic<bool> up_{true};
  std::string trouble_;
};

struct KafkaDestroy {
  void operator()(rd_kafka_t* kafka) const { ::rd_kafka_destroy(kafka); }
};
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaDestroy>;
using KafkaConfiguration = std::unique_ptr<rd_kafka_conf_t, decltype(&::rd_kafka_conf_destroy)>;
using KafkaPartitions = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                        decltype(&::rd_kafka_topic_partition_list_destroy)>;

// With the callbacks that go to `health`, and the properties, those of `kafka` last. Throws
// InputError that names the property which librdkafka does not take.
[[nodiscard]] KafkaConfiguration make_configuration(
    const KafkaOptions& kafka, const std::vector<std::pair<std::string, std::string>>& own);
// `opaque` is what callbacks are given; it begins with a KafkaHealth*.
struct KafkaOpaque {
  KafkaHealth* health = nullptr;
  void* owner = nullptr;
};
[[nodiscard]] KafkaHandle make_handle(rd_kafka_type_t type, KafkaConfiguration configuration,
                                      KafkaOpaque* opaque);

// Asks for the topic, for `patience` at most, and says in `health` what came of it. Returns how
// many partitions it has; 0: nothing is known.
[[nodiscard]] std::int32_t ask_for_topic(rd_kafka_t* kafka, const std::string& topic,
                                         std::chrono::milliseconds patience, KafkaHealth& health);

}  // namespace tandem::broker

#include "systems/broker/kafka_handle.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

KafkaHealth& health_of(void* opaque) { return *static_cast<KafkaOpaque*>(opaque)->health; }

void on_error(rd_kafka_t* /*kafka*/, int code, const char* reason, void* opaque) {
  const auto error = static_cast<rd_kafka_resp_err_t>(code);
  // One broker of several that cannot be reached is no trouble: others have what it has.
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || error == RD_KAFKA_RESP_ERR__FATAL ||
      error == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    health_of(opaque).bad(reason);
  } else {
    health_of(opaque).told(7, reason);
  }
}

void on_log(const rd_kafka_t* kafka, int level, const char* /*facility*/, const char* text) {
  if (void* opaque = ::rd_kafka_opaque(kafka)) health_of(opaque).told(level, text);
}

}  // namespace

std::uint32_t partition_of(std::string_view key, std::uint32_t partitions) {
  const auto sum =
      ::crc32(0, reinterpret_cast<const Bytef*>(key.data()), static_cast<uInt>(key.size()));
  return static_cast<std::uint32_t>(sum) % partitions;
}

std::map<std::string, std::string> KafkaOptions::read_properties(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw InputError(path + ": cannot be read; expected lines NAME=VALUE");
  std::map<std::string, std::string> properties;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw InputError(path + ", line " + std::to_string(number) +
                       ": expected NAME=VALUE, a property of librdkafka's");
    }
    if (!properties.emplace(line.substr(0, equals), line.substr(equals + 1)).second) {
      throw InputError(path + ", line " + std::to_string(number) + ": " + line.substr(0, equals) +
                       " is there twice");
    }
  }
  if (in.bad()) throw SystemError(path + ": cannot be read");
  return properties;
}

KafkaHealth::KafkaHealth(const KafkaOptions& kafka, const char* side, http::Metrics& metrics,
                         http::Log& log)
    : client_(kafka.client),
      side_(side),
      brokers_(kafka.brokers),
      log_(log),
      gauge_(metrics.gauge("tandem_kafka_up", "1 while Kafka answers, as far as is known, else 0",
                           {{"client", client_}, {"side", side_}})) {
  gauge_.set(1);
}

void KafkaHealth::good() {
  if (up_) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (up_) return;
    up_ = true;
    trouble_.clear();
  }
  gauge_.set(1);
  log_.write(http::LogLevel::info, "Kafka answers again",
             {{"client", std::string_view(client_)}, {"side", std::string_view(side_)}});
}

void KafkaHealth::bad(const std::string& why) {
  bool was_up = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    was_up = up_;
    up_ = false;
    trouble_ = why;
  }
  gauge_.set(0);
  if (!was_up) return;
  log_.write(http::LogLevel::warning, "Kafka is away",
             {{"client", std::string_view(client_)},
              {"side", std::string_view(side_)},
              {"brokers", std::string_view(brokers_)},
              {"error", std::string_view(why)}});
}

void KafkaHealth::told(int /*level*/, const char* text) {
  // librdkafka repeats what goes wrong with every attempt: that it began and ended is said above.
  if (!log_.writes(http::LogLevel::debug)) return;
  log_.write(http::LogLevel::debug, "kafka",
             {{"client", std::string_view(client_)}, {"said", std::string_view(text)}});
}

std::string KafkaHealth::trouble() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return trouble_;
}

KafkaConfiguration make_configuration(const KafkaOptions& kafka,
                                      const std::vector<std::pair<std::string, std::string>>& own) {
  KafkaConfiguration configuration(::rd_kafka_conf_new(), &::rd_kafka_conf_destroy);
  const auto set = [&](const std::string& name, const std::string& value) {
    std::array<char, 512> why{};
    if (::rd_kafka_conf_set(configuration.get(), name.c_str(), value.c_str(), why.data(),
                            why.size()) != RD_KAFKA_CONF_OK) {
      throw InputError("Kafka: " + name + ": " + why.data());
    }
  };
  set("bootstrap.servers", kafka.brokers);
  set("client.id", kafka.client);
  set("socket.timeout.ms", std::to_string(kafka.answer.count()));
  set("socket.keepalive.enable", "true");
  set("reconnect.backoff.ms", "50");
  set("reconnect.backoff.max.ms", "2000");
  set("log.connection.close", "false");
  for (const auto& [name, value] : own) set(name, value);
  for (const auto& [name, value] : kafka.properties) set(name, value);
  ::rd_kafka_conf_set_error_cb(configuration.get(), on_error);
  ::rd_kafka_conf_set_log_cb(configuration.get(), on_log);
  return configuration;
}

KafkaHandle make_handle(rd_kafka_type_t type, KafkaConfiguration configuration,
                        KafkaOpaque* opaque) {
  ::rd_kafka_conf_set_opaque(configuration.get(), opaque);
  std::array<char, 512> why{};
  KafkaHandle handle(::rd_kafka_new(type, configuration.get(), why.data(), why.size()));
  if (!handle) throw InputError(std::string("Kafka: ") + why.data());
  (void)configuration.release();  // the handle has it now
  return handle;
}

std::int32_t ask_for_topic(rd_kafka_t* kafka, const std::string& topic,
                           std::chrono::milliseconds patience, KafkaHealth& health) {
  const std::unique_ptr<rd_kafka_topic_t, decltype(&::rd_kafka_topic_destroy)> handle(
      ::rd_kafka_topic_new(kafka, topic.c_str(), nullptr), &::rd_kafka_topic_destroy);
  if (!handle) {
    health.bad("the topic '" + topic +
               "' cannot be asked for: " + ::rd_kafka_err2str(::rd_kafka_last_error()));
    return 0;
  }
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error = ::rd_kafka_metadata(
      kafka, 0, handle.get(), &raw, static_cast<int>(std::max<std::int64_t>(patience.count(), 1)));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    health.bad(::rd_kafka_err2str(error));
    return 0;
  }
  const std::unique_ptr<const rd_kafka_metadata_t, void (*)(const rd_kafka_metadata_t*)> metadata(
      raw, [](const rd_kafka_metadata_t* one) { ::rd_kafka_metadata_destroy(one); });
  const auto& found = metadata->topics[0];
  if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR || found.partition_cnt == 0) {
    health.bad("the topic '" + topic + "': " + ::rd_kafka_err2str(found.err));
    return 0;
  }
  health.good();
  return found.partition_cnt;
}

}  // namespace tandem::broker

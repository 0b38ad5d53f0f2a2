#include <pthread.h>

#include <map>
#include <thread>

#include "systems/broker/kafka_handle.hpp"
#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How often Kafka is asked whether it is back, while it is away and nothing waits that would tell.
constexpr std::chrono::seconds probe_every{1};
constexpr milliseconds probe_patience{300};

}  // namespace

struct Producer::Implementation {
  struct Waiting {
    Clock::time_point since;
    Delivered delivered;
  };

  ProducerOptions options;
  KafkaHealth health;
  KafkaOpaque opaque;
  http::Counter& delivered_count;
  http::Counter& failed_count;
  http::Counter& refused_count;
  http::Gauge& waiting_gauge;
  mutable std::mutex mutex;
  std::map<std::uint64_t, Waiting> waiting;  // by number: the oldest first
  std::uint64_t number = 0;
  std::atomic<bool> ending{false};
  Clock::time_point next_probe;
  KafkaHandle kafka;
  std::thread thread;

  Implementation(const KafkaOptions& given, const ProducerOptions& wanted, http::Metrics& metrics,
                 http::Log& log);
  void run();
  void watch();
  void report(std::uint64_t message, const std::string& failure);
  static http::Counter& counter(http::Metrics& metrics, const KafkaOptions& kafka,
                                const char* result) {
    return metrics.counter("tandem_kafka_produced_total",
                           "Messages for Kafka, by what became of them",
                           {{"client", kafka.client}, {"result", result}});
  }
  static void on_report(rd_kafka_t* /*kafka*/, const rd_kafka_message_t* message, void* opaque) {
    static_cast<Implementation*>(static_cast<KafkaOpaque*>(opaque)->owner)
        ->report(
            reinterpret_cast<std::uintptr_t>(message->_private),
            message->err == RD_KAFKA_RESP_ERR_NO_ERROR ? "" : ::rd_kafka_err2str(message->err));
  }
};

Producer::Implementation::Implementation(const KafkaOptions& given, const ProducerOptions& wanted,
                                         http::Metrics& metrics, http::Log& log)
    : options(wanted),
      health(given, "out", metrics, log),
      delivered_count(counter(metrics, given, "delivered")),
      failed_count(counter(metrics, given, "failed")),
      refused_count(counter(metrics, given, "refused")),
      waiting_gauge(metrics.gauge("tandem_kafka_waiting", "Messages for Kafka without a report",
                                  {{"client", given.client}})) {
  opaque = {&health, this};
  KafkaConfiguration configuration = make_configuration(
      given, {{"partitioner", "consistent_random"},
              {"enable.idempotence", "true"},  // no message twice or out of order by a repetition
              {"acks", "all"},
              {"linger.ms", "1"},
              {"message.timeout.ms", std::to_string(options.delivery.count())},
              {"queue.buffering.max.messages", std::to_string(options.most_waiting)},
              {"queue.buffering.max.kbytes",
               std::to_string(std::max<std::size_t>(options.most_waiting_bytes >> 10, 1))}});
  ::rd_kafka_conf_set_dr_msg_cb(configuration.get(), on_report);
  kafka = make_handle(RD_KAFKA_PRODUCER, std::move(configuration), &opaque);
  thread = std::thread([this] { run(); });
}

void Producer::Implementation::run() {
  (void)::pthread_setname_np(::pthread_self(), "kafka-out");
  while (!ending) {
    (void)::rd_kafka_poll(kafka.get(), 100);
    watch();
  }
}

void Producer::Implementation::watch() {
  const auto now = Clock::now();
  bool idle = false;
  Clock::time_point oldest = now;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    idle = waiting.empty();
    if (!idle) oldest = waiting.begin()->second.since;
    waiting_gauge.set(static_cast<double>(waiting.size()));
  }
  if (now - oldest > options.slow) {
    health.bad("a message has waited for its report for more than " +
               std::to_string(options.slow.count()) + " ms");
  } else if (idle && !health.up() && now >= next_probe) {
    (void)ask_for_topic(kafka.get(), options.topic, probe_patience, health);
    next_probe = Clock::now() + probe_every;
  }
}

void Producer::Implementation::report(std::uint64_t message, const std::string& failure) {
  Delivered delivered;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    const auto found = waiting.find(message);
    if (found == waiting.end()) return;
    delivered = std::move(found->second.delivered);
    waiting.erase(found);
  }
  if (failure.empty()) {
    delivered_count.add();
    health.good();
  } else {
    failed_count.add();
  }
  if (delivered) delivered(failure);
}

Producer::Producer(const KafkaOptions& kafka, const ProducerOptions& options,
                   http::Metrics& metrics, http::Log& log)
    : implementation_(std::make_unique<Implementation>(kafka, options, metrics, log)) {}

Producer::~Producer() {
  Implementation& inside = *implementation_;
  inside.ending = true;
  inside.thread.join();
  (void)::rd_kafka_purge(inside.kafka.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  (void)::rd_kafka_poll(inside.kafka.get(), 0);
  std::vector<std::uint64_t> left;
  {
    const std::lock_guard<std::mutex> lock(inside.mutex);
    for (const auto& one : inside.waiting) left.push_back(one.first);
  }
  for (const std::uint64_t message : left) inside.report(message, "the program ends");
}

void Producer::send(std::string_view key, std::string_view value, Delivered delivered) {
  Implementation& inside = *implementation_;
  std::uint64_t number = 0;
  {
    const std::lock_guard<std::mutex> lock(inside.mutex);
    number = ++inside.number;
    inside.waiting[number] = {Clock::now(), std::move(delivered)};
  }
  const rd_kafka_resp_err_t error = ::rd_kafka_producev(
      inside.kafka.get(), RD_KAFKA_V_TOPIC(inside.options.topic.c_str()),
      RD_KAFKA_V_KEY(key.empty() ? nullptr : key.data(), key.size()),
      RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<std::uintptr_t>(number))),
      RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  Delivered refused;
  {
    const std::lock_guard<std::mutex> lock(inside.mutex);
    const auto found = inside.waiting.find(number);
    refused = std::move(found->second.delivered);
    inside.waiting.erase(found);
  }
  inside.refused_count.add();
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
    inside.health.bad("the queue of messages for Kafka is full");
  }
  if (refused) refused(::rd_kafka_err2str(error));
}

bool Producer::up() const noexcept { return implementation_->health.up(); }
std::string Producer::trouble() const { return implementation_->health.trouble(); }

std::size_t Producer::waiting() const {
  const std::lock_guard<std::mutex> lock(implementation_->mutex);
  return implementation_->waiting.size();
}

bool Producer::flush(milliseconds patience) {
  // The producer's thread takes the reports; without messages that linger this is waiting alone.
  const auto end = Clock::now() + patience;
  while (waiting() > 0) {
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

}  // namespace tandem::broker

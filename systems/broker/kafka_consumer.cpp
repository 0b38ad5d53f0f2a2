#include <algorithm>
#include <condition_variable>
#include <set>

#include "systems/broker/kafka_handle.hpp"
#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds probe_every{1};
constexpr milliseconds probe_patience{300};
// Between two looks at whether there is room again.
constexpr milliseconds look{10};
// Services that take their time are no reason for Kafka to give their partitions to others.
constexpr auto longest_between_polls = "86400000";

int milliseconds_until(Clock::time_point end) {
  return static_cast<int>(std::max<std::int64_t>(
      0, std::chrono::duration_cast<milliseconds>(end - Clock::now()).count()));
}

}  // namespace

struct Consumer::Implementation {
  // What was given out of a partition.
  struct Tracked {
    std::uint64_t assignment = 0;
    std::set<std::int64_t> undone;
    std::int64_t next = -1;    // one more than the last that was given out
    std::int64_t stored = -1;  // to be committed: all below is done
  };

  ConsumerOptions options;
  KafkaHealth health;
  KafkaOpaque opaque;
  http::Counter& consumed;
  http::Counter& done_count;
  http::Gauge& undone_gauge;
  http::Gauge& behind_gauge;
  mutable std::mutex mutex;
  std::map<std::int32_t, Tracked> tracked;
  std::size_t undone = 0;
  std::uint64_t assignments = 0;
  bool begun = false;
  bool paused = false;
  std::atomic<bool> closed{false};
  Clock::time_point next_probe;
  KafkaHandle kafka;

  Implementation(const KafkaOptions& given, ConsumerOptions wanted, http::Metrics& metrics,
                 http::Log& log);
  bool begin(milliseconds patience);
  void assign(const rd_kafka_topic_partition_list_t* partitions);
  void revoke();
  void pause(bool wanted);
  void probe();
  std::optional<Message> take(const rd_kafka_message_t& raw);
  void store(std::int32_t partition, Tracked& one);
  static void on_rebalance(rd_kafka_t* kafka, rd_kafka_resp_err_t error,
                           rd_kafka_topic_partition_list_t* partitions, void* opaque);
};

Consumer::Implementation::Implementation(const KafkaOptions& given, ConsumerOptions wanted,
                                         http::Metrics& metrics, http::Log& log)
    : options(std::move(wanted)),
      health(given, "in", metrics, log),
      consumed(metrics.counter("tandem_kafka_consumed_total", "Messages that Kafka gave",
                               {{"client", given.client}})),
      done_count(metrics.counter("tandem_kafka_done_total",
                                 "Messages that are safe where they were to go",
                                 {{"client", given.client}})),
      undone_gauge(metrics.gauge("tandem_kafka_undone", "Messages given out and not done yet",
                                 {{"client", given.client}})),
      behind_gauge(metrics.gauge(
          "tandem_kafka_behind",
          "Messages in the partitions read, beyond those given out, as far as is known",
          {{"client", given.client}})) {
  opaque = {&health, this};
  KafkaConfiguration configuration = make_configuration(
      given, {{"group.id", options.group},
              {"enable.auto.commit", "true"},
              {"auto.commit.interval.ms", std::to_string(options.commit.count())},
              {"enable.auto.offset.store", "false"},  // done() says what is to be committed
              {"auto.offset.reset", "earliest"},
              {"max.poll.interval.ms", longest_between_polls},
              {"session.timeout.ms", "10000"},
              {"heartbeat.interval.ms", "500"},
              {"fetch.wait.max.ms", "100"},
              {"queued.max.messages.kbytes", "16384"}});
  ::rd_kafka_conf_set_rebalance_cb(configuration.get(), on_rebalance);
  kafka = make_handle(RD_KAFKA_CONSUMER, std::move(configuration), &opaque);
  (void)::rd_kafka_poll_set_consumer(kafka.get());
}

void Consumer::Implementation::on_rebalance(rd_kafka_t* /*kafka*/, rd_kafka_resp_err_t error,
                                            rd_kafka_topic_partition_list_t* partitions,
                                            void* opaque) {
  auto& inside = *static_cast<Implementation*>(static_cast<KafkaOpaque*>(opaque)->owner);
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    inside.assign(partitions);
  } else {
    inside.revoke();
  }
}

void Consumer::Implementation::assign(const rd_kafka_topic_partition_list_t* partitions) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    tracked.clear();
    undone = 0;
    ++assignments;
    for (int i = 0; i < partitions->cnt; ++i) {
      tracked[partitions->elems[i].partition].assignment = assignments;
    }
  }
  paused = false;
  (void)::rd_kafka_assign(kafka.get(), partitions);
}

void Consumer::Implementation::revoke() {
  (void)::rd_kafka_commit(kafka.get(), nullptr, 0);
  {
    const std::lock_guard<std::mutex> lock(mutex);
    tracked.clear();
    undone = 0;
    ++assignments;
  }
  (void)::rd_kafka_assign(kafka.get(), nullptr);
}

// Takes partitions, where the group does not give them out. False where Kafka did not answer.
bool Consumer::Implementation::begin(milliseconds patience) {
  if (begun) return true;
  KafkaPartitions list(::rd_kafka_topic_partition_list_new(1),
                       &::rd_kafka_topic_partition_list_destroy);
  if (!options.partitions) {
    (void)::rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(),
                                              RD_KAFKA_PARTITION_UA);
    const auto error = ::rd_kafka_subscribe(kafka.get(), list.get());
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw InputError("Kafka: the topic '" + options.topic + "': " + ::rd_kafka_err2str(error));
    }
  } else {
    const std::int32_t count = ask_for_topic(kafka.get(), options.topic, patience, health);
    if (count == 0) return false;
    for (const std::int32_t partition : options.partitions(count)) {
      if (partition < 0 || partition >= count) {
        throw InputError("Kafka: the topic '" + options.topic + "' has no partition " +
                         std::to_string(partition));
      }
      ::rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(), partition)->offset =
          RD_KAFKA_OFFSET_STORED;
    }
    assign(list.get());
  }
  begun = true;
  return true;
}

void Consumer::Implementation::pause(bool wanted) {
  if (paused == wanted) return;
  rd_kafka_topic_partition_list_t* raw = nullptr;
  if (::rd_kafka_assignment(kafka.get(), &raw) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  const KafkaPartitions list(raw, &::rd_kafka_topic_partition_list_destroy);
  (void)(wanted ? ::rd_kafka_pause_partitions(kafka.get(), list.get())
                : ::rd_kafka_resume_partitions(kafka.get(), list.get()));
  paused = wanted;
}

void Consumer::Implementation::probe() {
  if (health.up() || Clock::now() < next_probe) return;
  (void)ask_for_topic(kafka.get(), options.topic, probe_patience, health);
  next_probe = Clock::now() + probe_every;
}

std::optional<Message> Consumer::Implementation::take(const rd_kafka_message_t& raw) {
  if (raw.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (raw.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        raw.err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
        raw.err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
        raw.err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
      health.bad(::rd_kafka_message_errstr(&raw));
    } else {
      health.told(7, ::rd_kafka_message_errstr(&raw));
    }
    return std::nullopt;
  }
  Message message;
  if (raw.key != nullptr) message.key.assign(static_cast<const char*>(raw.key), raw.key_len);
  if (raw.payload != nullptr) message.value.assign(static_cast<const char*>(raw.payload), raw.len);
  message.partition = raw.partition;
  message.offset = raw.offset;
  rd_kafka_timestamp_type_t kind{};
  message.timestamp = std::max<std::int64_t>(::rd_kafka_message_timestamp(&raw, &kind), 0);
  std::int64_t low = 0;
  std::int64_t high = 0;
  if (::rd_kafka_get_watermark_offsets(kafka.get(), options.topic.c_str(), raw.partition, &low,
                                       &high) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    behind_gauge.set(static_cast<double>(std::max<std::int64_t>(high - raw.offset - 1, 0)));
  }
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = tracked.find(raw.partition);
  if (found == tracked.end()) return std::nullopt;  // taken away just now
  message.assignment = found->second.assignment;
  found->second.undone.insert(raw.offset);
  found->second.next = raw.offset + 1;
  ++undone;
  undone_gauge.set(static_cast<double>(undone));
  consumed.add();
  return message;
}

// With mutex held.
void Consumer::Implementation::store(std::int32_t partition, Tracked& one) {
  const std::int64_t safe = one.undone.empty() ? one.next : *one.undone.begin();
  if (safe <= one.stored) return;
  one.stored = safe;
  const KafkaPartitions list(::rd_kafka_topic_partition_list_new(1),
                             &::rd_kafka_topic_partition_list_destroy);
  ::rd_kafka_topic_partition_list_add(list.get(), options.topic.c_str(), partition)->offset = safe;
  // It refuses partitions that were taken away meanwhile, whose messages others read again.
  (void)::rd_kafka_offsets_store(kafka.get(), list.get());
}

Consumer::Consumer(const KafkaOptions& kafka, ConsumerOptions options, http::Metrics& metrics,
                   http::Log& log)
    : implementation_(std::make_unique<Implementation>(kafka, std::move(options), metrics, log)) {}

Consumer::~Consumer() { close(); }

std::optional<Message> Consumer::next(milliseconds patience) {
  Implementation& inside = *implementation_;
  const auto end = Clock::now() + patience;
  do {
    if (inside.closed) return std::nullopt;
    if (!inside.begin(milliseconds(milliseconds_until(end)))) {
      // What is asked of a broker that is not there may be refused at once.
      (void)::rd_kafka_consumer_poll(inside.kafka.get(),
                                     std::min<int>(milliseconds_until(end), look.count()));
      continue;
    }
    const bool full = undone() >= inside.options.most_undone;
    inside.pause(full);
    const auto wait = full ? std::min<std::int64_t>(look.count(), milliseconds_until(end))
                           : milliseconds_until(end);
    const std::unique_ptr<rd_kafka_message_t, void (*)(rd_kafka_message_t*)> raw(
        ::rd_kafka_consumer_poll(inside.kafka.get(), static_cast<int>(wait)),
        [](rd_kafka_message_t* one) { ::rd_kafka_message_destroy(one); });
    if (raw) {
      if (auto message = inside.take(*raw)) {
        inside.health.good();
        return message;
      }
    }
    inside.probe();
  } while (Clock::now() < end);
  return std::nullopt;
}

void Consumer::done(const Message& message) {
  Implementation& inside = *implementation_;
  const std::lock_guard<std::mutex> lock(inside.mutex);
  if (inside.closed) return;
  const auto found = inside.tracked.find(message.partition);
  if (found == inside.tracked.end() || found->second.assignment != message.assignment) return;
  if (found->second.undone.erase(message.offset) == 0) return;
  --inside.undone;
  inside.undone_gauge.set(static_cast<double>(inside.undone));
  inside.done_count.add();
  inside.store(message.partition, found->second);
}

bool Consumer::up() const noexcept { return implementation_->health.up(); }
std::string Consumer::trouble() const { return implementation_->health.trouble(); }

std::size_t Consumer::undone() const {
  const std::lock_guard<std::mutex> lock(implementation_->mutex);
  return implementation_->undone;
}

void Consumer::close() {
  Implementation& inside = *implementation_;
  {
    const std::lock_guard<std::mutex> lock(inside.mutex);
    if (inside.closed) return;
    inside.closed = true;
  }
  if (inside.begun && inside.health.up()) {
    // It commits what is stored.
    (void)::rd_kafka_consumer_close(inside.kafka.get());
    return;
  }
  // Nobody is there to be told: what was not committed comes again.
  ::rd_kafka_destroy_flags(inside.kafka.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

}  // namespace tandem::broker

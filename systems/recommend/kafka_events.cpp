#include "systems/recommend/kafka_events.hpp"

#include <nlohmann/json.hpp>

#include "systems/http/json.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

using broker::Message;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds until_again{100};   // before what the log did not take is tried again
constexpr std::size_t told_bytes = 1'000;  // of a message that is refused

Time wall_clock() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

KafkaEvents::KafkaEvents(Service& service, const KafkaEventPlaces& places, http::Metrics& metrics,
                         http::Log& log)
    : service_(service),
      places_(places),
      log_(log),
      accepted_(metrics.counter("tandem_recommend_kafka_events_total",
                                "Events of Kafka's that are on the disk")),
      refused_(metrics.counter("tandem_recommend_kafka_refused_total",
                               "Messages of Kafka's that were no events of this service")) {
  if (!places_.refused.empty()) {
    broker::ProducerOptions options;
    options.topic = places_.refused;
    producer_ = std::make_unique<broker::Producer>(places_.kafka, options, metrics, log);
  }
  broker::KafkaInlet::Options options;
  options.what = "events of Kafka";
  options.until_again = until_again;
  options.consumer.topic = places_.in;
  options.consumer.group = places_.group;
  inlet_ = std::make_unique<broker::KafkaInlet>(
      places_.kafka, std::move(options), [this](const Message& message) { take(message); }, metrics,
      log);
  inlet_->start();
}

// Events that are safe are committed.
void KafkaEvents::end() {
  inlet_->end([this] { return !producer_ || producer_->up(); });
}

KafkaEvents::~KafkaEvents() {
  end();
  if (producer_ && producer_->up()) (void)producer_->flush(broker::to_the_end);
  inlet_->close();
  // Its reports come to the inlet.
  producer_.reset();
}

void KafkaEvents::look_after() { service_.set_kafka_away(!inlet_->up()); }

void KafkaEvents::take(const Message& message) {
  try {
    const Time now = wall_clock();
    // When it happened, where the event does not say: as Kafka has it.
    const Time then = message.timestamp > 0 ? std::min<Time>(message.timestamp, now) : now;
    std::vector<Event> events = parse_events(message.value, then);
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (!events[i].id.empty()) continue;
      // With its time, since a topic that was made anew begins with the same places.
      events[i].id = "kafka:" + std::to_string(message.partition) + ":" +
                     std::to_string(message.offset) + ":" + std::to_string(message.timestamp) +
                     ":" + std::to_string(i);
    }
    service_.take(std::move(events), [this, message](std::int64_t applied) {
      if (applied < 0) {
        inlet_->again(message);
        return;
      }
      accepted_.add(static_cast<std::uint64_t>(applied));
      inlet_->done(message);
    });
  } catch (const http::HttpError& error) {
    refuse(message, error.status, error.what());
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error, "an event of Kafka's was not taken",
               {{"error", std::string_view(error.what())}});
    inlet_->again(message);
  }
}

void KafkaEvents::refuse(const Message& message, int status, const std::string& why) {
  refused_.add();
  log_.write(http::LogLevel::warning, "a message of Kafka's was refused",
             {{"partition", static_cast<std::int64_t>(message.partition)},
              {"offset", message.offset},
              {"status", static_cast<std::int64_t>(status)},
              {"why", std::string_view(why)}});
  if (!producer_) {
    inlet_->done(message);
    return;
  }
  const json told{{"error", why},
                  {"status", status},
                  {"partition", message.partition},
                  {"offset", message.offset},
                  {"message", message.value.substr(0, told_bytes)}};
  producer_->send(message.key, told.dump(-1, ' ', false, json::error_handler_t::replace),
                  [this, message](const std::string& failure) {
                    if (failure.empty()) {
                      inlet_->done(message);
                    } else {
                      inlet_->again(message);
                    }
                  });
}

}  // namespace tandem::recommend

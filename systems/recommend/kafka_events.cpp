#include "systems/recommend/kafka_events.hpp"

#include <pthread.h>

#include <nlohmann/json.hpp>

#include "systems/http/json.hpp"
#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

using broker::Message;
using nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds look{100};         // between two looks at whether it is to end
constexpr milliseconds until_again{100};  // before what the log did not take is tried again
constexpr milliseconds to_the_end{10'000};
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
  broker::ConsumerOptions options;
  options.topic = places_.in;
  options.group = places_.group;
  consumer_ = std::make_unique<broker::Consumer>(places_.kafka, std::move(options), metrics, log);
  thread_ = std::thread([this] { run(); });
}

void KafkaEvents::end() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
  // Events that are safe are committed.
  const auto end = http::Clock::now() + to_the_end;
  const auto under_way = [&] {
    const std::scoped_lock lock(mutex_);
    return consumer_->undone() > again_.size();
  };
  while (http::Clock::now() < end && (!producer_ || producer_->up()) && under_way()) {
    std::this_thread::sleep_for(milliseconds(5));
  }
}

KafkaEvents::~KafkaEvents() {
  end();
  if (producer_ && producer_->up()) (void)producer_->flush(to_the_end);
  consumer_->close();
  // Its reports come to the consumer.
  producer_.reset();
}

void KafkaEvents::look_after() { service_.set_kafka_away(!consumer_->up()); }

void KafkaEvents::run() {
  (void)::pthread_setname_np(::pthread_self(), "kafka-in");
  while (!ending_) {
    std::optional<Message> message;
    {
      const std::scoped_lock lock(mutex_);
      if (!again_.empty()) {
        message = std::move(again_.front());
        again_.pop_front();
      }
    }
    if (message) {
      // The log has failed: nothing is acknowledged until the program was started again.
      std::this_thread::sleep_for(until_again);
    } else {
      try {
        message = consumer_->next(look);
      } catch (const std::exception& error) {
        log_.write(http::LogLevel::error, "events of Kafka are not read",
                   {{"error", std::string_view(error.what())}});
        return;
      }
    }
    if (message) take(*message);
  }
}

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
        again(message);
        return;
      }
      accepted_.add(static_cast<std::uint64_t>(applied));
      consumer_->done(message);
    });
  } catch (const http::HttpError& error) {
    refuse(message, error.status, error.what());
  } catch (const std::exception& error) {
    log_.write(http::LogLevel::error, "an event of Kafka's was not taken",
               {{"error", std::string_view(error.what())}});
    again(message);
  }
}

void KafkaEvents::again(const Message& message) {
  const std::scoped_lock lock(mutex_);
  again_.push_back(message);
}

void KafkaEvents::refuse(const Message& message, int status, const std::string& why) {
  refused_.add();
  log_.write(http::LogLevel::warning, "a message of Kafka's was refused",
             {{"partition", static_cast<std::int64_t>(message.partition)},
              {"offset", message.offset},
              {"status", static_cast<std::int64_t>(status)},
              {"why", std::string_view(why)}});
  if (!producer_) {
    consumer_->done(message);
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
                      consumer_->done(message);
                    } else {
                      again(message);
                    }
                  });
}

}  // namespace tandem::recommend

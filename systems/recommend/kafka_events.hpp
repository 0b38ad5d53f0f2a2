// Events of viewers from Kafka, taken as those of HTTP are.
#pragma once

#include <memory>
#include <string>

#include "systems/broker/kafka_inlet.hpp"
#include "systems/recommend/service.hpp"

namespace tandem::recommend {

struct KafkaEventPlaces {
  broker::KafkaOptions kafka;
  std::string in;       // the topic of events
  std::string refused;  // of what is told of messages that are none; empty: the log alone says
  std::string group = "tandem-recommend";
};

// A message is what POST /v1/events takes: an event, or {"events": [...]}. It counts as read once
// its events are on the disk and applied. One that comes again after a crash is known by its place
// in the topic, or by the ids that its events have. What is no event of this service is told,
// {"error", "status", "partition", "offset", "message"}, and counts as read once that was
// delivered.
class KafkaEvents {
 public:
  // Reads from now on. The service outlives end().
  KafkaEvents(Service& service, const KafkaEventPlaces& places, http::Metrics& metrics,
              http::Log& log);
  // Reads no more, and waits for what is under way, as far as that comes about in time. Afterwards
  // the service is to end before this does, since it may have events of Kafka's.
  void end();
  ~KafkaEvents();
  KafkaEvents(const KafkaEvents&) = delete;
  KafkaEvents& operator=(const KafkaEvents&) = delete;

  // Tells the service whether events come; now and then.
  void look_after();

 private:
  void take(const broker::Message& message);
  void refuse(const broker::Message& message, int status, const std::string& why);

  Service& service_;
  KafkaEventPlaces places_;
  http::Log& log_;
  http::Counter& accepted_;
  http::Counter& refused_;
  std::unique_ptr<broker::Producer> producer_;
  std::unique_ptr<broker::KafkaInlet> inlet_;
};

}  // namespace tandem::recommend

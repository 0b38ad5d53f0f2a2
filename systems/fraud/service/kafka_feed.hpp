// Transactions from Kafka, decided as those of HTTP are, and decisions to Kafka, of both.
#pragma once

#include <memory>

#include "systems/broker/kafka_inlet.hpp"
#include "systems/fraud/service/service.hpp"

namespace tandem::fraud {

// A transaction that comes again, after a crash or because Kafka's offset was not committed yet,
// gives its first answer again, by its id. What cannot be decided (no transaction, another
// partition's user, an id with another content) is answered too, {"error", "status", ...}, so that
// nothing is lost in silence, and counts as read.
class KafkaFeed {
 public:
  // Reads from now on. The service outlives it.
  KafkaFeed(DecisionService& service, const KafkaPlaces& places, http::Metrics& metrics,
            http::Log& log);
  // Reads no more, and waits for what is under way, as far as that comes about in time. Afterwards
  // the service is to end before this does, since it may have requests of Kafka's.
  void end();
  ~KafkaFeed();
  KafkaFeed(const KafkaFeed&) = delete;
  KafkaFeed& operator=(const KafkaFeed&) = delete;

  // Decides what came by HTTP, and sends the decision to the topic of decisions too.
  void decide(const http::ExchangePtr& exchange);
  // Tells the service whether decisions go out; now and then.
  void look_after();

 private:
  class FromKafka;
  class FromHttp;
  void offer(const http::ExchangePtr& exchange);
  void answered(const broker::Message& message, const http::Response& response);

  DecisionService& service_;
  KafkaPlaces places_;
  http::Log& log_;
  http::Counter& refused_;
  http::Counter& not_sent_;
  std::unique_ptr<broker::Producer> producer_;
  std::unique_ptr<broker::KafkaInlet> inlet_;
  bool said_away_ = false;
};

}  // namespace tandem::fraud

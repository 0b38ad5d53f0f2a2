#include "tandem/fraud/fleet_settings.hpp"

#include "tandem/core/error.hpp"

namespace tandem::program {

void FleetSettings::add_options(OptionSet& options) {
  options.written("partition", partition_,
                  "the users of this server: those whose id's CRC-32 modulo COUNT is INDEX; others "
                  "are refused with 421",
                  "INDEX/COUNT");
  options.text("follow", follow_,
               "be a standby: copy the log of the server at ADDRESS:PORT, decide nothing, and take "
               "over with POST /v1/takeover");
  options.text("follow_token", follow_token_,
               "a file with a token of the role admin at the server that is followed");
  options.integer("standby_confirms_ms", confirm_ms_,
                  "an answer waits until a standby has its records on its disk, for so long at "
                  "most, after which answers go on without the standby until it has come up again; "
                  "0: answers do not wait",
                  0, 60'000);
  options.integer("hold_ms", hold_ms_,
                  "for how long a standby keeps transactions for the case that it takes over, "
                  "before it refuses them with 503",
                  0, 60'000);
  options.text("redis", redis_,
               "HOST:PORT or redis://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]: partitions tell each "
               "other what merchants, addresses and devices have seen");
  options.text("redis_prefix", redis_prefix_, "what the names of all keys in Redis begin with");
  options.integer("redis_events", redis_events_,
                  "events of a partition that Redis keeps for others, more or less", 1'000,
                  1'000'000'000);
  options.text("kafka", kafka_,
               "HOST:PORT,...: brokers to read transactions from or write decisions to");
  options.text("kafka_in", kafka_in_, "the topic of transactions, whose keys are user ids");
  options.text("kafka_out", kafka_out_, "the topic of decisions, whose keys are user ids");
  options.text("kafka_group", kafka_group_, "the group by which Kafka remembers what was read");
  options.text("kafka_properties", kafka_properties_,
               "a file of lines NAME=VALUE: further properties of librdkafka's, for TLS and SASL");
  options.choice("kafka_acknowledge", kafka_acknowledge_,
                 "when a transaction of Kafka's counts as read: log, once its decision is safe in "
                 "the log; delivered, once the topic of decisions has it too");
}

fraud::FleetOptions FleetSettings::read() const {
  fraud::FleetOptions fleet;
  fleet.partition = partition_.partition;
  if (!follow_.empty()) fleet.follow = http::Endpoint::parse(follow_);
  fleet.follow_token = follow_token_;
  if (!follow_token_.empty() && follow_.empty()) {
    throw InputError(option("follow_token") + " is for " + option("follow"));
  }
  fleet.confirm = std::chrono::milliseconds(confirm_ms_);
  fleet.hold = std::chrono::milliseconds(hold_ms_);
  if (!redis_.empty()) {
    if (fleet.partition.count < 2) {
      throw InputError(option("redis") + " tells partitions of each other: give " +
                       option("partition") + " INDEX/COUNT, or leave it out");
    }
    fleet.redis = broker::RedisPlace::parse(redis_);
  }
  if (redis_prefix_.empty() || redis_prefix_.find_first_of(" \t\r\n{}") != std::string::npos) {
    throw InputError(option("redis_prefix") + ": expected a name without blanks and braces");
  }
  fleet.redis_prefix = redis_prefix_;
  fleet.redis_events = redis_events_;
  if (kafka_.empty()) {
    if (!kafka_in_.empty() || !kafka_out_.empty() || !kafka_properties_.empty()) {
      throw InputError("expected " + option("kafka") + " HOST:PORT for the topics");
    }
    return fleet;
  }
  if (kafka_in_.empty() && kafka_out_.empty()) {
    throw InputError(option("kafka") + ": expected " + option("kafka_in") + " TOPIC or " +
                     option("kafka_out") + " TOPIC, or both");
  }
  if (kafka_in_ == kafka_out_) {
    throw InputError("transactions and decisions need topics of their own");
  }
  fraud::KafkaPlaces places;
  places.kafka.brokers = kafka_;
  places.kafka.client = "tandem-fraud";
  if (!kafka_properties_.empty()) {
    places.kafka.properties = broker::KafkaOptions::read_properties(kafka_properties_);
  }
  places.in = kafka_in_;
  places.out = kafka_out_;
  places.group = kafka_group_;
  places.acknowledge = kafka_acknowledge_;
  fleet.kafka = std::move(places);
  return fleet;
}

}  // namespace tandem::program

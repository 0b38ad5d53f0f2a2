#include "tandem/recommend/serving_options.hpp"

#include <algorithm>
#include <thread>

#include "tandem/core/error.hpp"

namespace tandem::program {

// The two actions belong to one command line, of which there is one.
RecommendServing& recommend_serving() {
  static RecommendServing serving;
  return serving;
}

void RecommendServing::add_options(OptionSet& set) {
  set.written("state", state,
              "serve: the folder of what is known of viewers, with the log of events; it is made "
              "where it is missing",
              "FOLDER");
  program.add_options(set, options, "serve, demo: ");
  set.written("other_models", others,
              "serve: further models, which configurations call by these names", "NAME=FILE,...");
  set.written("history", history,
              "serve: interactions that viewers begin with, read where the state is new", "FILE");
  set.written("config", configurations,
              "serve: how answers are ranked, a JSON object, or {\"configurations\": [...]}",
              "FILE");
  set.written("experiment", experiment,
              "serve: an experiment whose arms are versions of configurations, a JSON object",
              "FILE");
  set.text("experiment_store", experiment_store,
           "serve: where exposures and outcomes are kept, a file of SQLite's or postgresql://..., "
           "which several servers share; STATE/experiments.sqlite if left out");
  set.real("guard_seconds", guard_seconds, "serve: how often the experiment's guards are looked at",
           0.1, 3600);
  set.flag(
      "interleave", interleave,
      "serve: answers of the experiment's viewers mix its two arms, and clicks tell the better");
  set.choice(
      "durability", durability,
      "serve: an event is acknowledged once it is on the disk (sync), or written (os), which "
      "outlives the program and not the machine");
  set.integer("snapshot_events", snapshot_events,
              "serve: a snapshot of what is known is written every so many events; a start reads "
              "the newest and the events behind it",
              100, 1'000'000'000);
  set.real("choices_days", choices_days,
           "serve: choices of exploration are kept so many days; 0: for any time", 0, 100'000);
  set.written("choices_bytes", choices_bytes,
              "serve: and so many bytes of them, the oldest go first, as in 4G; 0: any number",
              "BYTES");
  set.written("cache", cache, "serve: bytes of answers that are kept, as in 64M; 0: none", "BYTES");
  set.real("cache_seconds", cache_seconds, "serve: how long answers are kept", 0, 300);
  set.real("recall", recall,
           "serve: the share of the 100 best items that inverted lists are to find", 0.5, 1);
  set.integer("lists", lists, "serve: inverted lists of items; 0: twice the root of the items", 0,
              1'000'000);
  set.real("trending_half_life", half_life, "serve: hours in which what is trending halves", 0.01,
           10'000);
  set.integer("workers", workers,
              "serve: threads that work out answers; 0: one for every two cores", 0, 1024);
  set.integer("io_threads", io_threads,
              "serve: threads that read requests and write answers; 0: one for every four cores", 0,
              256);
  set.text(
      "redis", redis,
      "serve: HOST:PORT or redis://[[USER]:PASSWORD@]HOST:PORT[/DATABASE]: replicas share what "
      "they know of viewers, who may move from one to another");
  set.text("redis_prefix", redis_prefix, "serve: what the names of all keys in Redis begin with");
  set.real("redis_days", redis_days,
           "serve: days since a viewer's last event, after which Redis forgets the viewer", 0.001,
           10'000);
  set.text("kafka", kafka, "serve: HOST:PORT,...: brokers to read events from");
  set.text("kafka_in", kafka_in,
           "serve: the topic of events, each as POST /v1/events takes it, whose keys are users");
  set.text("kafka_refused", kafka_refused,
           "serve: a topic that is told of messages that are no events; the log alone if left out");
  set.text("kafka_group", kafka_group, "serve: the group by which Kafka remembers what was read");
  set.text("kafka_properties", kafka_properties,
           "serve: a file of lines NAME=VALUE: further properties of librdkafka's, for TLS and "
           "SASL");
}

std::vector<std::string> RecommendServing::names() {
  std::vector<std::string> all = {"state",
                                  "other_models",
                                  "history",
                                  "config",
                                  "experiment",
                                  "experiment_store",
                                  "guard_seconds",
                                  "interleave",
                                  "durability",
                                  "snapshot_events",
                                  "choices_days",
                                  "choices_bytes",
                                  "cache",
                                  "cache_seconds",
                                  "recall",
                                  "lists",
                                  "trending_half_life",
                                  "workers",
                                  "io_threads",
                                  "redis",
                                  "redis_prefix",
                                  "redis_days",
                                  "kafka",
                                  "kafka_in",
                                  "kafka_refused",
                                  "kafka_group",
                                  "kafka_properties"};
  for (std::string& name : ServiceFlags::names()) all.push_back(std::move(name));
  return all;
}

namespace {

std::optional<recommend::SharingOptions> sharing_of(const RecommendServing& serving) {
  if (serving.redis_prefix.empty() ||
      serving.redis_prefix.find_first_of(" \t\r\n{}") != std::string::npos) {
    throw InputError(option("redis_prefix") + ": expected a name without blanks and braces");
  }
  if (serving.redis.empty()) return std::nullopt;
  recommend::SharingOptions sharing;
  sharing.redis = broker::RedisPlace::parse(serving.redis);
  sharing.prefix = serving.redis_prefix;
  sharing.keep = std::chrono::seconds(static_cast<std::int64_t>(serving.redis_days * 86'400));
  return sharing;
}

std::optional<recommend::KafkaEventPlaces> kafka_of(const RecommendServing& serving) {
  if (serving.kafka.empty()) {
    if (!serving.kafka_in.empty() || !serving.kafka_refused.empty() ||
        !serving.kafka_properties.empty()) {
      throw InputError("expected " + option("kafka") + " HOST:PORT for the topics");
    }
    return std::nullopt;
  }
  if (serving.kafka_in.empty()) {
    throw InputError(option("kafka") + ": expected " + option("kafka_in") + " TOPIC");
  }
  if (serving.kafka_in == serving.kafka_refused) {
    throw InputError("events and what is refused of them need topics of their own");
  }
  recommend::KafkaEventPlaces places;
  places.kafka.brokers = serving.kafka;
  places.kafka.client = "tandem-recommend";
  if (!serving.kafka_properties.empty()) {
    places.kafka.properties = broker::KafkaOptions::read_properties(serving.kafka_properties);
  }
  places.in = serving.kafka_in;
  places.refused = serving.kafka_refused;
  places.group = serving.kafka_group;
  return places;
}

}  // namespace

void RecommendServing::finish(const RunSettings& run) {
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  program.finish(options);
  options.http.threads = io_threads > 0 ? static_cast<int>(io_threads) : std::max(1, cores / 4);
  options.threads = workers > 0 ? static_cast<int>(workers) : std::max(1, cores / 2);
  recommend::ServiceOptions& service = options.service;
  service.history = history.path;
  service.configurations = configurations.path;
  service.experiment = experiment.path;
  service.experiment_store = experiment_store;
  service.guard_every = std::chrono::milliseconds(static_cast<std::int64_t>(guard_seconds * 1000));
  service.interleave = interleave;
  service.log.durability = durability;
  service.log.snapshot_every = static_cast<std::uint64_t>(snapshot_events);
  service.choices.keep_days = choices_days;
  service.choices.keep_bytes = choices_bytes.bytes.count;
  service.cache_bytes = cache.bytes.count;
  service.cache_life = std::chrono::seconds(static_cast<std::int64_t>(cache_seconds));
  service.lists.recall = recall;
  service.lists.lists = lists;
  service.lists.threads = static_cast<int>(run.threads);
  service.trending_half_life_hours = half_life;
  service.seed = run.seed;
  service.sharing = sharing_of(*this);
  options.kafka = kafka_of(*this);
}

}  // namespace tandem::program

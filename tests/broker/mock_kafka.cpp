// A Kafka for tests of services from outside: mock_kafka TOPIC:PARTITIONS... prints the brokers'
// addresses and takes commands, a line each, until its input ends. Answers are lines that end with
// one `done`.
//
//   produce TOPIC KEY VALUE     VALUE is the rest of the line
//   consume TOPIC               what has come since the last time, {"partition", "key", "value"}
//   committed GROUP TOPIC PARTITION   the offset, or -1
//   down, up, delay MILLISECONDS
//
// SIGSTOP makes it a broker that takes connections and says nothing.
#include <sys/prctl.h>

#include <csignal>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "broker/mock_kafka.hpp"
#include "systems/broker/kafka.hpp"

namespace {

using namespace tandem;
using std::chrono::milliseconds;

// Reads a topic from its beginning, beside whoever the test is about.
class Reader {
 public:
  explicit Reader(const std::string& brokers) {
    char why[256] = "";
    rd_kafka_conf_t* configuration = ::rd_kafka_conf_new();
    for (const auto& [name, value] : {std::pair<const char*, const char*>{"group.id", "watching"},
                                      {"auto.offset.reset", "earliest"},
                                      {"enable.auto.commit", "false"},
                                      {"fetch.wait.max.ms", "20"}}) {
      (void)::rd_kafka_conf_set(configuration, name, value, why, sizeof why);
    }
    (void)::rd_kafka_conf_set(configuration, "bootstrap.servers", brokers.c_str(), why, sizeof why);
    handle_ = ::rd_kafka_new(RD_KAFKA_CONSUMER, configuration, why, sizeof why);
    (void)::rd_kafka_poll_set_consumer(handle_);
  }
  ~Reader() { ::rd_kafka_destroy(handle_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void consume(const std::string& topic, int partitions) {
    if (!assigned_) {
      rd_kafka_topic_partition_list_t* list = ::rd_kafka_topic_partition_list_new(partitions);
      for (int i = 0; i < partitions; ++i) {
        ::rd_kafka_topic_partition_list_add(list, topic.c_str(), i)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
      }
      (void)::rd_kafka_assign(handle_, list);
      ::rd_kafka_topic_partition_list_destroy(list);
      assigned_ = true;
    }
    while (rd_kafka_message_t* message = ::rd_kafka_consumer_poll(handle_, 150)) {
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const nlohmann::json line = {
            {"partition", message->partition},
            {"key", std::string(static_cast<const char*>(message->key), message->key_len)},
            {"value", std::string(static_cast<const char*>(message->payload), message->len)}};
        std::cout << line.dump() << "\n";
      }
      ::rd_kafka_message_destroy(message);
    }
  }

 private:
  rd_kafka_t* handle_ = nullptr;
  bool assigned_ = false;
};

std::int64_t committed(const std::string& brokers, const std::string& group,
                       const std::string& topic, int partition) {
  char why[256] = "";
  rd_kafka_conf_t* configuration = ::rd_kafka_conf_new();
  (void)::rd_kafka_conf_set(configuration, "bootstrap.servers", brokers.c_str(), why, sizeof why);
  (void)::rd_kafka_conf_set(configuration, "group.id", group.c_str(), why, sizeof why);
  rd_kafka_t* handle = ::rd_kafka_new(RD_KAFKA_CONSUMER, configuration, why, sizeof why);
  rd_kafka_topic_partition_list_t* list = ::rd_kafka_topic_partition_list_new(1);
  (void)::rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
  const auto error = ::rd_kafka_committed(handle, list, 5'000);
  const std::int64_t offset = error == RD_KAFKA_RESP_ERR_NO_ERROR ? list->elems[0].offset : -2;
  ::rd_kafka_topic_partition_list_destroy(list);
  ::rd_kafka_destroy(handle);
  return offset == RD_KAFKA_OFFSET_INVALID ? -1 : offset;
}

}  // namespace

int main(int count, char** words) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  broker::test::MockKafka mock;
  std::map<std::string, int> topics;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto colon = word.rfind(':');
    const std::string topic = word.substr(0, colon);
    topics[topic] = std::stoi(word.substr(colon + 1));
    mock.make_topic(topic, topics[topic]);
  }
  http::Metrics metrics;
  http::Log log("", http::LogLevel::off);
  broker::KafkaOptions kafka;
  kafka.brokers = mock.brokers();
  std::map<std::string, std::unique_ptr<broker::Producer>> producers;
  std::map<std::string, std::unique_ptr<Reader>> readers;
  std::cout << mock.brokers() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string command;
    std::string topic;
    in >> command;
    if (command == "produce") {
      std::string key;
      std::string value;
      in >> topic >> key;
      in.get();
      std::getline(in, value);
      auto& producer = producers[topic];
      broker::ProducerOptions options;
      options.topic = topic;
      if (!producer) producer = std::make_unique<broker::Producer>(kafka, options, metrics, log);
      producer->send(key, value);
      if (!producer->flush(milliseconds(20'000))) std::cout << "not delivered\n";
    } else if (command == "consume") {
      in >> topic;
      auto& reader = readers[topic];
      if (!reader) reader = std::make_unique<Reader>(mock.brokers());
      reader->consume(topic, topics[topic]);
    } else if (command == "committed") {
      std::string group;
      int partition = 0;
      in >> group >> topic >> partition;
      std::cout << committed(mock.brokers(), group, topic, partition) << "\n";
    } else if (command == "down") {
      mock.down();
    } else if (command == "up") {
      mock.up();
    } else if (command == "delay") {
      int milliseconds = 0;
      in >> milliseconds;
      mock.delay(milliseconds);
    } else {
      std::cerr << "mock_kafka: what is '" << line << "'?\n";
      return 2;
    }
    std::cout << "done" << std::endl;
  }
  return 0;
}

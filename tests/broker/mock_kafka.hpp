// A Kafka of one broker in this process: librdkafka's mock of its protocol, since Debian has no
// Kafka. Topics are in memory; a topic that is asked for and not there is made, of 4 partitions.
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdexcept>
#include <string>

namespace tandem::broker::test {

class MockKafka {
 public:
  MockKafka() {
    char why[256] = "";
    handle_ = ::rd_kafka_new(RD_KAFKA_PRODUCER, ::rd_kafka_conf_new(), why, sizeof why);
    if (handle_ == nullptr) throw std::runtime_error(why);
    cluster_ = ::rd_kafka_mock_cluster_new(handle_, 1);
    if (cluster_ == nullptr) throw std::runtime_error("no mock of Kafka");
  }
  ~MockKafka() {
    ::rd_kafka_mock_cluster_destroy(cluster_);
    ::rd_kafka_destroy(handle_);
  }
  MockKafka(const MockKafka&) = delete;
  MockKafka& operator=(const MockKafka&) = delete;

  [[nodiscard]] std::string brokers() const { return ::rd_kafka_mock_cluster_bootstraps(cluster_); }
  void make_topic(const std::string& topic, int partitions) {
    if (::rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      throw std::runtime_error("the mock makes no topic " + topic);
    }
  }
  void down() { (void)::rd_kafka_mock_broker_set_down(cluster_, 1); }
  void up() { (void)::rd_kafka_mock_broker_set_up(cluster_, 1); }
  void delay(int milliseconds) { (void)::rd_kafka_mock_broker_set_rtt(cluster_, 1, milliseconds); }

 private:
  rd_kafka_t* handle_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace tandem::broker::test

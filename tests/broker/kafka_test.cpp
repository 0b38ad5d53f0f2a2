// Producer and consumer against librdkafka's mock of Kafka: what is committed when, which partition
// a key goes to, and brokers that are gone, slow or full.
#include "systems/broker/kafka.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "broker/mock_kafka.hpp"
#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

using std::chrono::milliseconds;
using test::MockKafka;

constexpr milliseconds patience{30'000};  // of what comes about soon, on a machine that does much

template <class Condition>
bool wait_for(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

// The check value of CRC-32 as catalogues of such sums have it.
TEST(Partition, IsTheCrc32OfTheKey) {
  EXPECT_EQ(partition_of("123456789", 0xFFFFFFFF), 0xCBF43926U);
  EXPECT_EQ(partition_of("", 7), 0U);
  EXPECT_EQ(partition_of("user-1", 1), 0U);
}

class Kafka : public testing::Test {
 protected:
  KafkaOptions options() {
    KafkaOptions options;
    options.brokers = mock.brokers();
    return options;
  }
  std::unique_ptr<Producer> producer(const std::string& topic, ProducerOptions wanted = {}) {
    wanted.topic = topic;
    return std::make_unique<Producer>(options(), wanted, metrics, log);
  }
  std::unique_ptr<Consumer> consumer(const std::string& topic, const std::string& group = "g",
                                     std::vector<std::int32_t> partitions = {0}) {
    ConsumerOptions wanted;
    wanted.topic = topic;
    wanted.group = group;
    wanted.commit = milliseconds(50);
    if (!partitions.empty()) wanted.partitions = [partitions](std::int32_t) { return partitions; };
    return std::make_unique<Consumer>(options(), wanted, metrics, log);
  }
  void fill(const std::string& topic, int count, const std::string& key = "k") {
    const auto out = producer(topic);
    for (int i = 0; i < count; ++i) out->send(key, std::to_string(i));
    ASSERT_TRUE(out->flush(patience));
  }
  static std::vector<Message> take(Consumer& consumer, std::size_t count) {
    std::vector<Message> messages;
    (void)wait_for([&] {
      if (auto message = consumer.next(milliseconds(50))) messages.push_back(std::move(*message));
      return messages.size() >= count;
    });
    return messages;
  }
  static std::vector<std::string> values(const std::vector<Message>& messages) {
    std::vector<std::string> values;
    for (const Message& message : messages) values.push_back(message.value);
    return values;
  }

  MockKafka mock;
  http::Metrics metrics;
  http::Log log{"", http::LogLevel::off};
};

TEST_F(Kafka, BringsMessagesToThePartitionsOfTheirKeys) {
  mock.make_topic("t", 8);
  const auto out = producer("t");
  std::atomic<int> delivered{0};
  std::atomic<int> failed{0};
  const std::string bytes("\0\xff\n", 3);
  for (int i = 0; i < 200; ++i) {
    out->send("user-" + std::to_string(i % 40), std::to_string(i) + bytes,
              [&](const std::string& failure) { ++(failure.empty() ? delivered : failed); });
  }
  ASSERT_TRUE(out->flush(patience));
  EXPECT_EQ(delivered, 200);
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(out->up());
  const auto in = consumer("t", "g", {0, 1, 2, 3, 4, 5, 6, 7});
  const auto messages = take(*in, 200);
  ASSERT_EQ(messages.size(), 200U);
  std::map<std::string, int> last;
  std::set<std::int32_t> used;
  for (const Message& message : messages) {
    EXPECT_EQ(static_cast<std::uint32_t>(message.partition), partition_of(message.key, 8));
    EXPECT_TRUE(message.value.ends_with(bytes));
    // In the order of sending, for one key.
    const int number = std::stoi(message.value);
    const auto before = last.find(message.key);
    EXPECT_TRUE(before == last.end() || number > before->second) << message.key;
    last[message.key] = number;
    used.insert(message.partition);
  }
  EXPECT_EQ(used.size(), 8U);
}

TEST_F(Kafka, CommitsWhatIsDoneWithAllBeforeIt) {
  mock.make_topic("t", 1);
  fill("t", 10);
  {
    const auto in = consumer("t");
    const auto messages = take(*in, 10);
    ASSERT_EQ(messages.size(), 10U);
    EXPECT_EQ(in->undone(), 10U);
    for (const int done : {1, 0, 2, 3, 4, 7, 7}) in->done(messages[static_cast<std::size_t>(done)]);
    EXPECT_EQ(in->undone(), 4U);
    in->close();
    EXPECT_FALSE(in->next(milliseconds(1)).has_value());
    in->done(messages[5]);  // too late, and no harm
  }
  const auto again = consumer("t");
  EXPECT_EQ(values(take(*again, 5)), (std::vector<std::string>{"5", "6", "7", "8", "9"}));
}

TEST_F(Kafka, GivesAgainWhatNobodyWasDoneWith) {
  mock.make_topic("t", 1);
  fill("t", 5);
  for (int crash = 0; crash < 2; ++crash) {
    const auto in = consumer("t");
    EXPECT_EQ(take(*in, 5).size(), 5U);
  }
  // Another group has offsets of its own.
  {
    const auto in = consumer("t");
    for (const Message& message : take(*in, 5)) in->done(message);
  }
  const auto other = consumer("t", "other");
  EXPECT_EQ(take(*other, 5).size(), 5U);
}

TEST_F(Kafka, SharesPartitionsAmongTheGroup) {
  mock.make_topic("t", 4);
  const auto one = consumer("t", "shared", {});
  const auto two = consumer("t", "shared", {});
  std::mutex mutex;
  std::multiset<std::string> seen;
  std::array<std::atomic<int>, 2> of_each{};
  std::atomic<bool> going{true};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&, i, in = i == 0 ? one.get() : two.get()] {
      while (going) {
        if (auto message = in->next(milliseconds(50))) {
          {
            const std::lock_guard<std::mutex> lock(mutex);
            seen.insert(message->value);
          }
          ++of_each[i];
          in->done(*message);
        }
      }
    });
  }
  const auto out = producer("t");
  int sent = 0;
  EXPECT_TRUE(wait_for([&] {
    out->send("user-" + std::to_string(sent), std::to_string(sent));
    ++sent;
    return of_each[0] > 5 && of_each[1] > 5;
  }));
  EXPECT_TRUE(out->flush(patience));
  EXPECT_TRUE(wait_for([&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return std::set<std::string>(seen.begin(), seen.end()).size() == static_cast<std::size_t>(sent);
  }));
  going = false;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Kafka, GivesNoMoreThanMayBeUndone) {
  mock.make_topic("t", 1);
  fill("t", 12);
  ConsumerOptions wanted;
  wanted.topic = "t";
  wanted.group = "g";
  wanted.most_undone = 5;
  wanted.partitions = [](std::int32_t count) {
    return std::vector<std::int32_t>(static_cast<std::size_t>(count), 0);
  };
  Consumer in(options(), wanted, metrics, log);
  auto messages = take(in, 5);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_FALSE(in.next(milliseconds(300)).has_value());
  for (const Message& message : messages) in.done(message);
  messages = take(in, 5);
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages.front().value, "5");
  for (const Message& message : messages) in.done(message);
  EXPECT_EQ(values(take(in, 2)), (std::vector<std::string>{"10", "11"}));
}

TEST_F(Kafka, DeliversOnceABrokerIsBack) {
  mock.make_topic("t", 1);
  ProducerOptions wanted;
  wanted.slow = milliseconds(100);
  const auto out = producer("t", wanted);
  out->send("k", "before");
  ASSERT_TRUE(out->flush(patience));
  mock.down();
  std::atomic<int> delivered{0};
  for (int i = 0; i < 50; ++i) {
    out->send("k", std::to_string(i),
              [&](const std::string& failure) { delivered += failure.empty(); });
  }
  EXPECT_TRUE(wait_for([&] { return !out->up(); }));
  EXPECT_FALSE(out->trouble().empty());
  EXPECT_FALSE(out->flush(milliseconds(50)));
  EXPECT_EQ(out->waiting(), 50U);
  mock.up();
  EXPECT_TRUE(wait_for([&] { return delivered == 50 && out->up(); }));
  // Each once, in order.
  const auto in = consumer("t");
  const auto messages = take(*in, 51);
  ASSERT_EQ(messages.size(), 51U);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(messages[i + 1].value, std::to_string(i));
  EXPECT_FALSE(in->next(milliseconds(200)).has_value());
}

TEST_F(Kafka, FindsOutWithoutMessagesThatABrokerIsBack) {
  mock.make_topic("t", 1);
  const auto out = producer("t");
  out->send("k", "v");
  ASSERT_TRUE(out->flush(patience));
  mock.down();
  EXPECT_TRUE(wait_for([&] { return !out->up(); }));
  mock.up();
  EXPECT_TRUE(wait_for([&] { return out->up(); }));
}

TEST_F(Kafka, SaysThatABrokerIsSlow) {
  mock.make_topic("t", 1);
  mock.delay(600);
  ProducerOptions wanted;
  wanted.slow = milliseconds(100);
  const auto out = producer("t", wanted);
  std::atomic<bool> delivered{false};
  out->send("k", "v", [&](const std::string& failure) { delivered = failure.empty(); });
  EXPECT_TRUE(wait_for([&] { return !out->up(); }));
  mock.delay(0);
  EXPECT_TRUE(wait_for([&] { return delivered && out->up(); }));
}

TEST_F(Kafka, RefusesAtOnceWhatItsQueueHasNoRoomFor) {
  mock.make_topic("t", 1);
  mock.down();
  ProducerOptions wanted;
  wanted.most_waiting = 20;
  wanted.delivery = milliseconds(1500);
  const auto out = producer("t", wanted);
  int refused = 0;
  std::atomic<int> failed{0};
  std::atomic<bool> sending{true};
  for (int i = 0; i < 30; ++i) {
    out->send("k", "v", [&](const std::string& failure) {
      if (failure.empty()) return;
      if (sending) {
        ++refused;
      } else {
        ++failed;
      }
    });
  }
  sending = false;
  EXPECT_EQ(refused, 10);
  EXPECT_FALSE(out->up());
  // And what waited is told when it is given up.
  EXPECT_TRUE(wait_for([&] { return failed == 20; }));
  EXPECT_EQ(out->waiting(), 0U);
}

TEST_F(Kafka, TellsAtItsEndWhatWasNotDelivered) {
  mock.make_topic("t", 1);
  mock.down();
  std::atomic<int> told{0};
  {
    const auto out = producer("t");
    for (int i = 0; i < 5; ++i) {
      out->send("k", "v", [&](const std::string& failure) { told += failure.empty() ? 0 : 1; });
    }
  }
  EXPECT_EQ(told, 5);
}

TEST_F(Kafka, ReadsOnOnceABrokerIsBack) {
  mock.make_topic("t", 1);
  mock.down();
  const auto in = consumer("t");
  EXPECT_FALSE(in->next(milliseconds(200)).has_value());
  EXPECT_TRUE(wait_for([&] { return !in->next(milliseconds(20)) && !in->up(); }));
  mock.up();
  fill("t", 3);
  EXPECT_EQ(take(*in, 3).size(), 3U);
  EXPECT_TRUE(in->up());
  mock.down();
  EXPECT_TRUE(wait_for([&] { return !in->next(milliseconds(20)) && !in->up(); }));
  mock.up();
  EXPECT_TRUE(wait_for([&] { return !in->next(milliseconds(20)) && in->up(); }));
}

TEST_F(Kafka, RefusesPartitionsAndPropertiesThatAreNone) {
  mock.make_topic("t", 2);
  const auto in = consumer("t", "g", {5});
  EXPECT_THROW(
      {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < end) (void)in->next(milliseconds(100));
      },
      InputError);
  KafkaOptions wrong = options();
  wrong.properties["no.such.property"] = "1";
  ProducerOptions wanted;
  wanted.topic = "t";
  EXPECT_THROW(Producer(wrong, wanted, metrics, log), InputError);
}

TEST(KafkaProperties, AreReadByLines) {
  const std::string path = testing::TempDir() + "kafka." + std::to_string(::getpid());
  const auto write = [&](const std::string& text) { std::ofstream(path) << text; };
  write("# a comment\n\nsasl.password=a=b c\r\nsecurity.protocol=SASL_SSL");
  const auto read = KafkaOptions::read_properties(path);
  EXPECT_EQ(read.at("sasl.password"), "a=b c");
  EXPECT_EQ(read.at("security.protocol"), "SASL_SSL");
  for (const char* wrong : {"secret", "=secret", "a=secret\na=secret"}) {
    write(wrong);
    try {
      (void)KafkaOptions::read_properties(path);
      ADD_FAILURE() << wrong;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
  (void)std::remove(path.c_str());
  EXPECT_THROW((void)KafkaOptions::read_properties(path), InputError);
}

}  // namespace
}  // namespace tandem::broker

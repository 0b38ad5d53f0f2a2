// The client of Redis against a Redis of Debian's: what it answers, and that nobody waits for one
// that is stopped, slow, cut off or gone.
#include "systems/broker/redis.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include "broker/redis_process.hpp"
#include "tandem/core/error.hpp"

namespace tandem::broker {
namespace {

using std::chrono::milliseconds;
using test::ForwarderProcess;
using test::RedisProcess;

constexpr milliseconds patience{20'000};  // of what comes about soon, on a machine that does much

template <class Condition>
bool wait_for(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

TEST(RedisPlace, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(RedisPlace::parse("127.0.0.1:6380").name(), "127.0.0.1:6380");
  EXPECT_EQ(RedisPlace::parse("[::1]:7").name(), "[::1]:7");
  EXPECT_EQ(RedisPlace::parse("redis://cache.example").name(), "cache.example:6379");
  const RedisPlace place = RedisPlace::parse("redis://u%40x:p%2Fw@h:1/3");
  EXPECT_EQ(place.user, "u@x");
  EXPECT_EQ(place.password, "p/w");
  EXPECT_EQ(place.database, 3);
  EXPECT_EQ(place.name(), "h:1/3");
  EXPECT_EQ(RedisPlace::parse("redis://:only@h").password, "only");
  for (const char* wrong : {"", "host", "host:", "host:0", "host:70000", ":1", "a b:1", "[::1",
                            "::1:5", "redis://", "redis://u@h", "redis://u:@h", "redis://h/x",
                            "redis://h/-1", "redis://:secret%zz@h", "rediss://h"}) {
    try {
      (void)RedisPlace::parse(wrong);
      ADD_FAILURE() << wrong;
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
    }
  }
}

class RedisClient : public testing::Test {
 protected:
  void SetUp() override {
    if (!RedisProcess::installed())
      GTEST_SKIP() << "redis-server is not installed (Debian: redis-server)";
    log_path_ = testing::TempDir() + "redis_test." + std::to_string(::getpid()) + ".log";
  }
  void TearDown() override { (void)std::remove(log_path_.c_str()); }

  RedisOptions options(std::uint16_t port) {
    RedisOptions options;
    options.place.port = port;
    options.answer = milliseconds(100);
    options.first_wait = milliseconds(20);
    options.longest_wait = milliseconds(100);
    return options;
  }
  std::unique_ptr<Redis> client(std::uint16_t port) {
    return std::make_unique<Redis>(options(port), metrics_, log());
  }
  http::Log& log() {
    if (!log_) log_ = std::make_unique<http::Log>(log_path_);
    return *log_;
  }
  std::string logged() {
    std::ifstream in(log_path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static Reply one(Redis& redis, std::vector<std::string> words) {
    const Answer answer = redis.ask({{std::move(words)}}, patience);
    EXPECT_EQ(answer.outcome, Outcome::answered);
    return answer.replies.empty() ? Reply{} : answer.replies.front();
  }
  std::uint64_t outcomes(const char* outcome) {
    return metrics_
        .counter("tandem_redis_pipelines_total",
                 "Groups of commands for Redis, by what became of them",
                 {{"client", "redis"}, {"outcome", outcome}})
        .value();
  }

  http::Metrics metrics_;
  std::string log_path_;
  std::unique_ptr<http::Log> log_;
};

TEST_F(RedisClient, AnswersCommandsInTheirOrder) {
  const RedisProcess process;
  const auto redis = client(process.port());
  ASSERT_TRUE(redis->wait_until_up(patience)) << redis->trouble();
  const std::string bytes("\0\r\n\xff x", 6);
  EXPECT_EQ(one(*redis, {"SET", "k", bytes}).text, "OK");
  EXPECT_EQ(one(*redis, {"GET", "k"}).text, bytes);
  EXPECT_EQ(one(*redis, {"GET", "none"}).kind, Reply::Kind::nothing);
  const Answer answer = redis->ask(
      {{{"RPUSH", "l", "a", "b"}}, {{"LRANGE", "l", "0", "-1"}}, {{"GET", "l"}}, {{"INCR", "n"}}});
  ASSERT_EQ(answer.outcome, Outcome::answered);
  EXPECT_FALSE(answer.good());
  EXPECT_NE(answer.what().find("WRONGTYPE"), std::string::npos);
  EXPECT_EQ(answer.replies[0].integer, 2);
  ASSERT_EQ(answer.replies[1].list.size(), 2U);
  EXPECT_EQ(answer.replies[1].list[1].text, "b");
  EXPECT_EQ(answer.replies[2].kind, Reply::Kind::error);
  EXPECT_EQ(answer.replies[3].integer, 1);
  EXPECT_TRUE(redis->ask({}).good());

  // Of several threads, each gets its own answers.
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 300; ++i) {
        const std::string text = std::to_string(t) + "." + std::to_string(i);
        const Answer said = redis->ask({{{"ECHO", text}}, {{"ECHO", text + "'"}}}, patience);
        if (!said.good() || said.replies[0].text != text || said.replies[1].text != text + "'")
          ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(RedisClient, SendsAScriptAgainThatRedisForgot) {
  const RedisProcess process;
  Redis redis(options(process.port()), metrics_, log());
  const int add = redis.script("return redis.call('INCRBY', KEYS[1], ARGV[1])");
  const int two = redis.script("return {KEYS[1], ARGV[1]}");
  ASSERT_TRUE(redis.wait_until_up(patience));
  const auto call = [&] {
    return redis.ask({{{"1", "n", "5"}, add}, {{"PING"}}, {{"1", "a", "b"}, two}}, patience);
  };
  Answer answer = call();
  ASSERT_TRUE(answer.good()) << answer.what();
  EXPECT_EQ(answer.replies[0].integer, 5);
  EXPECT_EQ(answer.replies[2].list[1].text, "b");
  EXPECT_EQ(one(redis, {"SCRIPT", "FLUSH"}).text, "OK");
  answer = call();
  ASSERT_TRUE(answer.good()) << answer.what();
  // Once, not twice.
  EXPECT_EQ(answer.replies[0].integer, 10);
  EXPECT_EQ(answer.replies[1].text, "PONG");
  // An error of the script's own is an answer.
  const int fails = redis.script("return redis.call('NOPE')");
  answer = redis.ask({{{"0"}, fails}, {{"PING"}}}, patience);
  EXPECT_EQ(answer.outcome, Outcome::answered);
  EXPECT_EQ(answer.replies[0].kind, Reply::Kind::error);
  EXPECT_EQ(answer.replies[1].text, "PONG");
}

TEST_F(RedisClient, SaysWhatRedisRefusesAndNotThePassword) {
  const RedisProcess process({"--requirepass", "sesame-4711"});
  RedisOptions wrong = options(process.port());
  wrong.place.password = "wrong-0815";
  Redis refused(wrong, metrics_, log());
  ASSERT_TRUE(wait_for([&] { return refused.trouble().find("refuses") != std::string::npos; }));
  RedisOptions right = options(process.port());
  right.place.password = "sesame-4711";
  right.place.database = 3;
  Redis redis(right, metrics_, log());
  ASSERT_TRUE(redis.wait_until_up(patience)) << redis.trouble();
  EXPECT_EQ(one(redis, {"SET", "k", "v"}).text, "OK");
  EXPECT_FALSE(refused.up());
  EXPECT_EQ(logged().find("0815"), std::string::npos);
  EXPECT_EQ(logged().find("4711"), std::string::npos);
}

TEST_F(RedisClient, RefusesAtOnceWhileNobodyIsThereAndFindsWhoComes) {
  RedisProcess process;
  process.end();
  const auto redis = client(process.port());
  ASSERT_TRUE(wait_for([&] { return redis->trouble().find("refused") != std::string::npos; }));
  // By this thread, before send() returns.
  bool told = false;
  redis->send({{{"PING"}}}, [&, self = std::this_thread::get_id()](const Answer& answer) {
    told = answer.outcome == Outcome::away && std::this_thread::get_id() == self;
  });
  EXPECT_TRUE(told);
  process.start();
  ASSERT_TRUE(redis->wait_until_up(patience));
  EXPECT_TRUE(redis->trouble().empty());
  EXPECT_EQ(one(*redis, {"PING"}).text, "PONG");
  // It dies, and another comes.
  process.end();
  ASSERT_TRUE(wait_for([&] { return !redis->up(); }));
  EXPECT_EQ(redis->ask({{{"PING"}}}).outcome, Outcome::away);
  process.start();
  ASSERT_TRUE(redis->wait_until_up(patience));
  EXPECT_EQ(one(*redis, {"PING"}).text, "PONG");
  const std::string text = logged();
  EXPECT_NE(text.find("Redis is away"), std::string::npos);
  EXPECT_NE(text.find("Redis answers"), std::string::npos);
}

TEST_F(RedisClient, OpensItsCircuitBeforeOneThatIsStopped) {
  const RedisProcess process;
  const auto redis = client(process.port());
  ASSERT_TRUE(redis->wait_until_up(patience));
  process.signal(SIGSTOP);
  // Late, one after the other, and then nothing is sent any more.
  int late = 0;
  ASSERT_TRUE(wait_for([&] {
    const Answer answer = redis->ask({{{"INCR", "n"}}}, milliseconds(20));
    if (answer.outcome == Outcome::late) ++late;
    return answer.outcome == Outcome::away;
  }));
  EXPECT_GE(late, 4);  // the last may be told together with the end of the connection
  EXPECT_LE(late, 5);
  // What it does not answer is no connection, though the system takes it for one.
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_FALSE(redis->up());
  process.signal(SIGCONT);
  ASSERT_TRUE(redis->wait_until_up(patience));
  // Answers that came late are nobody's.
  EXPECT_EQ(one(*redis, {"ECHO", "mine"}).text, "mine");
}

TEST_F(RedisClient, DoesNotMixUpALateAnswerWithTheNext) {
  const RedisProcess process;
  const auto redis = client(process.port());
  ASSERT_TRUE(redis->wait_until_up(patience));
  process.signal(SIGSTOP);
  EXPECT_EQ(redis->ask({{{"ECHO", "first"}}}, milliseconds(10)).outcome, Outcome::late);
  auto second = std::async(std::launch::async, [&] {
    return redis->ask({{{"ECHO", "second"}}}, patience);
  });
  std::this_thread::sleep_for(milliseconds(30));
  process.signal(SIGCONT);
  const Answer answer = second.get();
  ASSERT_TRUE(answer.good()) << answer.what();
  EXPECT_EQ(answer.replies[0].text, "second");
}

TEST_F(RedisClient, IsAwayBehindADelayAndBackWithoutIt) {
  const RedisProcess process;
  ForwarderProcess forwarder(process.port());
  RedisOptions hasty = options(forwarder.port());
  hasty.late_in_a_row = 2;
  Redis redis(hasty, metrics_, log());
  ASSERT_TRUE(redis.wait_until_up(patience)) << redis.trouble();
  forwarder.say("delay 0.3");
  // Who can wait is answered.
  EXPECT_EQ(one(redis, {"PING"}).text, "PONG");
  EXPECT_EQ(redis.ask({{{"PING"}}}).outcome, Outcome::late);
  ASSERT_TRUE(wait_for([&] { return redis.ask({{{"PING"}}}).outcome == Outcome::away; }));
  ASSERT_TRUE(wait_for([&] { return redis.trouble().find("PING") != std::string::npos; }));
  forwarder.say("delay 0");
  ASSERT_TRUE(redis.wait_until_up(patience));
  EXPECT_EQ(one(redis, {"PING"}).text, "PONG");
}

TEST_F(RedisClient, ConnectsAgainAfterACut) {
  const RedisProcess process;
  ForwarderProcess forwarder(process.port());
  const auto redis = client(forwarder.port());
  ASSERT_TRUE(redis->wait_until_up(patience));
  for (int cut = 0; cut < 3; ++cut) {
    // One is under way when the connection ends, and is told so.
    forwarder.say("silent");
    auto lost = std::async(std::launch::async, [&] { return redis->ask({{{"PING"}}}, patience); });
    ASSERT_TRUE(
        wait_for([&] { return lost.wait_for(milliseconds(50)) != std::future_status::ready; }));
    forwarder.say("cut");
    EXPECT_EQ(lost.get().outcome, Outcome::lost);
    forwarder.say("pass");
    ASSERT_TRUE(redis->wait_until_up(patience));
    EXPECT_EQ(one(*redis, {"PING"}).text, "PONG");
  }
  EXPECT_GE(
      metrics_
          .counter("tandem_redis_connections_total",
                   "Connections that came about and were answered over", {{"client", "redis"}})
          .value(),
      4U);
}

TEST_F(RedisClient, TakesNoMoreThanItMayHold) {
  const RedisProcess process;
  RedisOptions small = options(process.port());
  small.most_waiting = 10;
  small.late_in_a_row = 1000;
  std::atomic<int> answered{0};
  std::atomic<int> lost{0};
  {
    Redis redis(small, metrics_, log());
    ASSERT_TRUE(redis.wait_until_up(patience));
    process.signal(SIGSTOP);
    int full = 0;
    for (int i = 0; i < 25; ++i) {
      redis.send(
          {{{"PING"}}},
          [&](const Answer& answer) {
            if (answer.outcome == Outcome::full) ++full;
            if (answer.outcome == Outcome::lost) ++lost;
            if (answer.outcome == Outcome::answered) ++answered;
          },
          patience);
    }
    EXPECT_EQ(full, 15);
    EXPECT_EQ(outcomes("full"), 15U);
    EXPECT_EQ(answered + lost, 0);
  }
  // Its end tells those that waited.
  EXPECT_EQ(lost, 10);
}

}  // namespace
}  // namespace tandem::broker

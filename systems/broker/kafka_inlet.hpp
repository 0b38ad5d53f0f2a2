// A topic's messages for a service that keeps a log of its own: read by a thread, given to the
// service, and given again where it could not take them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "systems/broker/kafka.hpp"

namespace tandem::broker {

class KafkaInlet {
 public:
  struct Options {
    ConsumerOptions consumer;
    std::string what;                          // is read, as the log calls it: "events of Kafka"
    std::chrono::milliseconds until_again{0};  // before what was not taken is given again
  };
  // Called by the inlet's thread, one message at a time. Whoever has the message says done() or
  // again() of it once, then or later, by any thread. It must not throw.
  using Take = std::function<void(Message)>;

  // Reads from start() on.
  KafkaInlet(const KafkaOptions& kafka, Options options, Take take, http::Metrics& metrics,
             http::Log& log);
  ~KafkaInlet();
  KafkaInlet(const KafkaInlet&) = delete;
  KafkaInlet& operator=(const KafkaInlet&) = delete;

  void start();
  // Reads no more, and waits until all that was given is done or to be given again, 10 s at most
  // and as long as `goes_on` says that this can come about.
  void end(const std::function<bool()>& goes_on);
  // Commits what is done and leaves the group; after end().
  void close() { consumer_.close(); }

  void done(const Message& message) { consumer_.done(message); }
  void again(Message message);
  [[nodiscard]] bool up() const noexcept { return consumer_.up(); }

 private:
  void run();
  [[nodiscard]] bool under_way();

  const Options options_;
  const Take take_;
  http::Log& log_;
  Consumer consumer_;
  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::deque<Message> again_;
  std::thread thread_;
};

// For how long the end of a service waits for what is under way.
inline constexpr std::chrono::milliseconds to_the_end{10'000};

}  // namespace tandem::broker

// What partitions tell each other through Redis: each writes what merchants, addresses and devices
// need of its own log into a stream, and reads the streams of the others.
//
// The stream PREFIX:INDEX has an entry for each transaction, label and erasure of the partition's
// log, whose id is EPOCH-SEQUENCE, its place in that log: an entry is written once, however often
// it is tried, and after an absence of Redis what is missing is read from the log's files. Readers
// write down what they read, with its place, so that their own log says all that they decided by.
// No decision waits for Redis. While it is away, decisions are by what is known here, and say so.
#pragma once

#include <mutex>
#include <thread>

#include "systems/fraud/service/service.hpp"

namespace tandem::fraud {

class Elsewhere {
 public:
  // Tells and reads from now on. The service outlives it.
  Elsewhere(DecisionService& service, http::Metrics& metrics, http::Log& log);
  ~Elsewhere();
  Elsewhere(const Elsewhere&) = delete;
  Elsewhere& operator=(const Elsewhere&) = delete;

 private:
  enum class Step { done, nothing, away };
  void tell();
  void listen();
  [[nodiscard]] bool agree();
  [[nodiscard]] bool find_told();
  [[nodiscard]] Step tell_some();
  [[nodiscard]] Step listen_some();
  [[nodiscard]] bool take_back(Key user, SharedPosition before);
  void set_away(bool away);
  [[nodiscard]] std::string stream(std::uint32_t partition) const;
  [[nodiscard]] bool pause(std::chrono::milliseconds time);

  DecisionService& service_;
  FleetOptions fleet_;
  http::Log& log_;
  http::Counter& told_count_;
  http::Counter& read_count_;
  http::Counter& missed_count_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::atomic<bool> agreed_{false};  // that all have one secret and one number of partitions

  // Of the thread that tells.
  journal::Sequence told_ = 0;  // of the next record to be told
  std::uint32_t epoch_ = 1;     // of that record
  SharedPosition last_;         // that was told
  bool found_ = false;
  // Of the one that listens.
  std::vector<SharedPosition> positions_;
  bool away_ = false;

  broker::Redis writer_;
  broker::Redis reader_;  // its own connection, since it waits for what comes
  std::thread teller_;
  std::thread listener_;
};

}  // namespace tandem::fraud

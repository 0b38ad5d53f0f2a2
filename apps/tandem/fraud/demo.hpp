// What `tandem fraud demo` shows: simulated customers, a model that is trained on some of them, and
// transactions of others that are decided, replayed and, in part, found out.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "systems/fraud/transaction.hpp"

namespace tandem::http {
class Client;
}

namespace tandem::program {

class FraudDemo {
 public:
  // Simulates and trains in `folder`; an empty one is a temporary folder, which goes with this
  // object.
  explicit FraudDemo(std::string folder);
  // Ends the clients.
  ~FraudDemo();
  FraudDemo(const FraudDemo&) = delete;
  FraudDemo& operator=(const FraudDemo&) = delete;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] std::string model() const { return folder_ + "/fraud.tandem"; }
  // What can be tried at this address, for a person.
  [[nodiscard]] std::string commands(const std::string& url) const;
  // Sends the past of the customers, replays what was decided, says whether it is the same, and
  // goes on with some forty transactions a second until the server stops.
  void start_clients(const std::string& url);

 private:
  void send(const std::string& place);
  void send_past(http::Client& client);
  void replay_past();
  void send_present(http::Client& client);

  std::string folder_;
  bool temporary_ = false;
  std::vector<fraud::TransactionRow> past_;     // by time, which ends now
  std::vector<fraud::TransactionRow> present_;  // sent one after the other, as of now
  std::map<std::string, std::string> answers_;  // of the past, by id, without the time they took
  std::atomic<bool> stopping_{false};
  std::thread clients_;
};

}  // namespace tandem::program

// The standby's side: asks the primary for its log, record by record, and hands it on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "systems/http/client.hpp"
#include "systems/http/log.hpp"
#include "systems/journal/journal.hpp"

namespace tandem::fraud {

struct FollowOptions {
  http::Endpoint primary;
  std::string token;  // of the role admin; empty: none is asked for
  // A long poll: how long the primary may wait for something new.
  std::chrono::milliseconds wait{500};
  std::chrono::milliseconds answer{5'000};  // beyond it the primary counts as gone
};

// What a standby does with what it is told, each called by the follower's thread. What they throw
// ends the attempt, InputError the following.
struct FollowHooks {
  // The sequence of the next record that is needed.
  std::function<journal::Sequence()> next;
  // The last record that there is, in the bytes of segment.hpp; nothing where there is none.
  std::function<std::vector<std::byte>()> last;
  // Writes down and does what the records say; returns once they are on the disk.
  std::function<void(std::span<const std::byte> records)> take;
  // A new standby begins with the primary's snapshot, which stands for the records below
  // `sequence`; these come before it, by `fill`.
  std::function<void(std::span<const std::byte> records)> fill;
  std::function<void(journal::Sequence sequence, const std::string& bytes)> restore;
  // Names and contents of models that records name.
  std::function<bool(const std::string& file)> has_model;
  std::function<void(const std::string& file, const std::string& bytes)> keep_model;
  std::string identity;  // of the secret that identifiers are hashed with
};

class Follower {
 public:
  Follower(FollowOptions options, FollowHooks hooks, http::Log& log);
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  // Ends the following. Before that it asks the primary to step down, and where that answers
  // follows to the end: true then, and nothing that it acknowledged is missing. To be called once.
  bool finish();

  struct Progress {
    bool reached = false;  // the primary answered the last time
    std::string trouble;   // why it did not; or why nothing is followed any more
    bool given_up = false;
    journal::Sequence primary = 0;  // records that it has, as it said last
    // When the last question that it answered was asked, while it may go on deciding.
    http::Clock::time_point asked{};
  };
  [[nodiscard]] Progress progress() const;

 private:
  void run();
  void begin(http::Client& client);
  void follow(http::Client& client, std::chrono::milliseconds wait);
  [[nodiscard]] http::Response get(http::Client& client, const std::string& path);
  [[nodiscard]] http::Response ask(http::Client& client, const std::string& method,
                                   const std::string& path);
  void fetch_models(http::Client& client, std::span<const std::byte> records);
  void fetch_model(http::Client& client, const std::string& versions);  // versions_text()
  void say(const std::string& trouble, bool given_up);

  FollowOptions options_;
  FollowHooks hooks_;
  http::Log& log_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Progress progress_;
  bool ending_ = false;
  bool step_down_ = false;
  bool stepped_down_ = false;
  bool compared_ = false;
  std::thread thread_;
};

}  // namespace tandem::fraud

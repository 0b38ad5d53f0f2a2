// What replicas know of viewers, shared through Redis, so that a viewer may move from one to
// another.
//
// The key PREFIX:viewer:USER has what is known of a viewer, and a number that every change of it
// draws anew. Who has an event of the viewer writes what it knows if the number is the one that it
// has seen, and otherwise puts what it reads together with what it knows, and writes that: nothing
// that one of them knew is lost, in whichever order they come. Before an answer the number is asked
// for, and what is behind it where it is another than the one that was seen. A removal leaves an
// empty value, and an entry in the stream PREFIX:forgotten, which every replica reads and writes
// down in its own log.
//
// The journal of a replica stays the truth for what it has acknowledged; Redis is where they meet,
// and may lose everything. No answer waits for it for longer than `patience`, and none at all while
// it is known to be away.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "systems/broker/redis.hpp"
#include "systems/recommend/state.hpp"

namespace tandem::recommend {

struct SharingOptions {
  broker::RedisPlace redis;
  std::string prefix = "tandem-recommend";
  // For Redis' answer before one of ours.
  std::chrono::milliseconds patience{20};
  // Since the last event, after which Redis forgets a viewer.
  std::chrono::seconds keep{std::chrono::hours(24 * 30)};
  std::string file;  // where it is written down how far the removals were read
};

// The view as it lies in Redis, by the ids of the items, and back; items that the catalogue does
// not have are left out. Throws InputError for bytes that shared_text does not write.
[[nodiscard]] std::string shared_text(const ViewerView& view, const Catalogue& catalogue);
[[nodiscard]] ViewerView shared_view(std::string_view bytes, const Catalogue& catalogue);

// Several threads may use one at once.
class Sharing {
 public:
  using Done = std::function<void(std::int64_t applied)>;
  struct Here {
    std::function<std::shared_ptr<const Catalogue>()> catalogue;
    // Forgets a viewer, and calls back with −1 where that could not be written down.
    std::function<void(const std::string& user, Done done)> forget;
    // Something of the viewer has changed.
    std::function<void(const std::string& user)> changed;
  };

  Sharing(SharingOptions options, State& state, Here here, http::Metrics& metrics, http::Log& log);
  ~Sharing();
  Sharing(const Sharing&) = delete;
  Sharing& operator=(const Sharing&) = delete;

  // Brings what others know of the viewer. False where Redis did not say: what is known is what is
  // known here.
  [[nodiscard]] bool look(const std::string& user);
  // Tells the others what is known of these viewers; `done` is called once they can read it, or
  // once Redis is late or away, in which case they are told later.
  void tell(const std::vector<std::string>& users, std::function<void()> done);
  // Tells of a removal. `done` is told whether others can read it.
  void forget(const std::string& user, std::function<void(bool told)> done);
  // Nothing is forgotten on behalf of others from now on.
  void stop_listening();

  [[nodiscard]] bool up() const noexcept { return redis_.up(); }
  [[nodiscard]] std::size_t waiting() const;  // viewers who are to be told of

 private:
  struct Telling;
  enum class Step { done, nothing, away };
  void share(const std::string& user, int attempt, const std::shared_ptr<Telling>& telling);
  void shared(const std::string& user, int attempt, std::uint32_t expected, std::uint32_t number,
              const std::shared_ptr<Telling>& telling, const broker::Answer& answer);
  void take(const std::string& user, const broker::Reply& number, const broker::Reply& value);
  void later(const std::string& user);
  void tell_those_that_wait();
  void listen();
  [[nodiscard]] Step listen_some();
  void read_position();
  void write_position();
  [[nodiscard]] bool pause(std::chrono::milliseconds time);
  [[nodiscard]] std::string key(const std::string& user) const;
  [[nodiscard]] std::uint32_t new_number();

  SharingOptions options_;
  State& state_;
  Here here_;
  http::Log& log_;
  http::Counter& told_;
  http::Counter& taken_;
  http::Counter& not_told_;
  std::atomic<std::uint64_t> numbers_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  bool ended_listening_ = false;
  bool caught_up_ = false;
  std::unordered_set<std::string> later_;

  std::string origin_;    // of this replica's entries among the removals
  std::string position_;  // of the last of them that was read

  broker::Redis redis_;
  broker::Redis reader_;  // a connection of its own, since it waits for what comes
  int look_ = 0;
  int share_ = 0;
  int forget_ = 0;
  std::thread teller_;
  std::thread listener_;
};

}  // namespace tandem::recommend

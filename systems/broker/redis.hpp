// A client of Redis for services whose answers must not wait for it.
//
// One thread owns the connection. Callers hand it pipelines of commands and are told what became of
// each, once and soon: answered, too late, lost with the connection, or refused at once because
// Redis is away. While it is away nobody waits: the circuit is open, the thread alone tries to
// connect again, at first soon and then ever more rarely, and closes the circuit when Redis has
// answered a PING in time. (Nygard, "Release It!", 2007, for circuit breakers.)
//
// A pipeline that was lost or is late may have been done by Redis or not: commands are to be such
// that doing them again does no harm.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"

namespace tandem::broker {

struct RedisPlace {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6379;
  std::string user;      // of Redis 6 and later; empty: the default user
  std::string password;  // empty: none is asked for
  int database = 0;

  // "HOST:PORT", "[::1]:6379" or "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]", where USER and
  // PASSWORD may be percent-encoded. Throws InputError, which does not repeat the password.
  [[nodiscard]] static RedisPlace parse(std::string_view text);
  // "127.0.0.1:6379", without the password.
  [[nodiscard]] std::string name() const;
};

struct RedisOptions {
  RedisPlace place;
  std::chrono::milliseconds connect{500};  // for a connection to come about
  // For the answer to a pipeline, where the call does not say otherwise, and to the PING after
  // which the circuit closes.
  std::chrono::milliseconds answer{50};
  // So many pipelines in a row that were late open the circuit.
  int late_in_a_row = 5;
  // Until the next attempt to connect: doubled from the first to the longest, each made shorter at
  // random by up to a half, so that servers do not come back all at once.
  std::chrono::milliseconds first_wait{50};
  std::chrono::milliseconds longest_wait{2000};
  std::size_t most_waiting = 16384;  // commands under way; a pipeline beyond is refused at once
  std::string label = "redis";       // of the metrics, where a program has several clients
};

// A command and its arguments, bytes of any kind.
struct Command {
  std::vector<std::string> words;
  // A script of Redis::script(), whose `words` are the number of keys, keys and arguments; −1:
  // none.
  int script = -1;
};

struct Reply {
  enum class Kind { nothing, integer, text, list, error };
  Kind kind = Kind::nothing;
  std::int64_t integer = 0;
  std::string text;  // of an error: what Redis says
  std::vector<Reply> list;

  // The value of a field of this entry of a stream (its id, then names and values); empty where it
  // has none.
  [[nodiscard]] std::string field(std::string_view name) const;
};

enum class Outcome {
  answered,  // each command has its reply, which may be an error of Redis'
  away,      // the circuit is open: nothing was sent
  full,      // too much is under way: nothing was sent
  late,      // no answer in time
  lost,      // the connection ended before the answer
};
[[nodiscard]] std::string_view to_string(Outcome outcome);

struct Answer {
  Outcome outcome = Outcome::away;
  std::vector<Reply> replies;  // one for each command where it was answered; else none

  // Answered, and none of the replies is an error.
  [[nodiscard]] bool good() const;
  // What went wrong, in words; empty where nothing did.
  [[nodiscard]] std::string what() const;
};

// Several threads may use it at once.
class Redis {
 public:
  // Begins to connect and returns; whether Redis is there shows later. `metrics` and `log` outlive
  // it; what it logs is when Redis goes away and comes back, with why.
  Redis(RedisOptions options, http::Metrics& metrics, http::Log& log);
  // What is under way is told `lost`.
  ~Redis();
  Redis(const Redis&) = delete;
  Redis& operator=(const Redis&) = delete;

  // A script of Lua's; commands name it by the number that is returned. It is sent once for each
  // connection, and again where Redis has forgotten it. To be called before the first command.
  [[nodiscard]] int script(std::string source);

  // Sends the commands together and returns. `done` is called once: by the client's thread, or at
  // once by this one where nothing is sent (away, full). It must not wait and must not throw.
  // `patience` counts from now on.
  using Done = std::function<void(Answer)>;
  void send(std::vector<Command> pipeline, Done done,
            std::optional<std::chrono::milliseconds> patience = {});
  // The same for those that may wait, for `patience` at most.
  [[nodiscard]] Answer ask(std::vector<Command> pipeline,
                           std::optional<std::chrono::milliseconds> patience = {});

  // Whether the circuit is closed. Redis may have gone without its being known yet.
  [[nodiscard]] bool up() const noexcept;
  // Why it is not; empty while it is up.
  [[nodiscard]] std::string trouble() const;
  // Waits until it is up, for `patience` at most.
  bool wait_until_up(std::chrono::milliseconds patience) const;

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace tandem::broker

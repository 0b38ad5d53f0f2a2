// An HTTP/1.1 server: sockets, limits, roles, timeouts, metrics and a stop that answers what is
// under way. docs/http.md says what it promises.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "systems/http/log.hpp"
#include "systems/http/metrics.hpp"
#include "systems/http/reader.hpp"
#include "systems/http/router.hpp"
#include "systems/http/tokens.hpp"

namespace tandem::http {

struct Endpoint {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one

  // "127.0.0.1:8000", "[::1]:8000", "8000" or ":8000" (on the loopback). Throws InputError.
  [[nodiscard]] static Endpoint parse(std::string_view text);
  // "http://127.0.0.1:8000"
  [[nodiscard]] std::string url() const;
  // Whether only programs of this machine can reach it.
  [[nodiscard]] bool loopback() const;
};

struct ServerOptions {
  Endpoint endpoint;
  int threads = 1;  // that read and write; handlers are called on them
  ReadLimits limits;
  std::size_t buffered = std::size_t{1} << 30;  // bytes of bodies of all requests under way
  int connections = 20'000;
  int connections_per_client = 20'000;     // of one address
  std::chrono::milliseconds idle{75'000};  // between two requests
  std::chrono::milliseconds head{10'000};  // from the first byte to the end of the head
  // From there to the end of the body, and a second more for every 64 KiB that have come.
  std::chrono::milliseconds body{20'000};
  std::chrono::milliseconds answer{60'000};  // from there until a handler has answered
  std::chrono::milliseconds write{30'000};   // for the client to take the answer
};

class Server {
 public:
  // `log` and `metrics` outlive it.
  Server(ServerOptions options, Router router, Log& log, Metrics& metrics);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes the address; requests are answered from then on. Throws InputError where it is no address
  // of this machine or is taken.
  void start();
  // With the port that was found.
  [[nodiscard]] const Endpoint& endpoint() const noexcept;

  // From now on these tokens are asked for. Several threads may call it.
  void set_tokens(Tokens tokens);

  // Takes no new connections, answers what is under way or comes within a moment over those that
  // there are, and returns when all are closed, or at the latest after `patience`: false then.
  bool stop(std::chrono::milliseconds patience);

  struct Implementation;

 private:
  std::unique_ptr<Implementation> implementation_;
};

// Raises the number of files that the process may open to what the system allows.
void raise_file_limit() noexcept;

}  // namespace tandem::http

// A request and its answer as a handler sees them, apart from any socket.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "systems/http/trace.hpp"
#include "tandem/core/error.hpp"

namespace tandem::http {

using Clock = std::chrono::steady_clock;

// The head of a request as the parser holds it.
class RequestHead {
 public:
  virtual ~RequestHead() = default;
  // Empty where there is no such header; names in any case.
  [[nodiscard]] virtual std::string_view header(std::string_view name) const = 0;
};

struct Request {
  std::string method;                 // "GET"
  std::string target;                 // as it was sent: "/v2/models/iris?x=1"
  std::vector<std::string> segments;  // of the path, percent-decoded: {"v2", "models", "iris"}
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  // What the route's pattern has named: {"model", "iris"}.
  std::vector<std::pair<std::string, std::string>> parameters;
  std::unique_ptr<const RequestHead> head;
  std::string body;    // decompressed
  std::string client;  // the peer's address, without its port
  TraceContext trace;
  Clock::time_point arrived{};   // of its first byte
  Clock::time_point deadline{};  // after which the client is told that it took too long

  [[nodiscard]] std::string_view header(std::string_view name) const {
    return head ? head->header(name) : std::string_view{};
  }
  // Empty where the pattern has no such name, or the query no such key.
  [[nodiscard]] std::string_view parameter(std::string_view name) const;
  [[nodiscard]] std::string_view query_value(std::string_view key) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
};

// A refusal with a status of its own; a handler may throw it. Other exceptions become 400
// (InputError), 500 (everything else).
class HttpError : public Error {
 public:
  HttpError(int code, const std::string& message, int retry_after_seconds = 0)
      : Error(message), status(code), retry_after(retry_after_seconds) {}
  int status;
  int retry_after;  // seconds; 0: not said
};

// {"error": "..."}, with Retry-After where it is given.
[[nodiscard]] Response error_response(int status, std::string_view message, int retry_after = 0);
// The response that stands for the exception in flight; to be called in a catch block.
[[nodiscard]] Response response_of_exception();

[[nodiscard]] std::string_view reason_phrase(int status);

// The text with %XX decoded; false where an escape is broken or stands for a NUL.
[[nodiscard]] bool percent_decode(std::string_view text, std::string& decoded);

// Splits a target into segments and query; false where it is no absolute path of at most
// `most_segments` segments, or an escape is broken.
[[nodiscard]] bool split_target(std::string_view target, Request& request);

// A request that waits for its answer. send() may be called from any thread, and only its first
// call counts; an exchange that is dropped without an answer is answered with 500.
class Exchange {
 public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;
  virtual void send(Response response) = 0;
  // False once the client has gone or has been answered: work for it may be left out.
  [[nodiscard]] virtual bool wanted() const = 0;

  Request request;
};
using ExchangePtr = std::shared_ptr<Exchange>;

}  // namespace tandem::http

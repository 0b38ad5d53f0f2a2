// Bytes to requests: HTTP/1.1 as Boost.Beast parses it, with limits. It knows no socket, so that it
// can be fuzzed and tested alone.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "systems/http/message.hpp"

namespace tandem::http {

struct ReadLimits {
  std::size_t head = 16 << 10;  // bytes of the request line and the headers
  std::size_t body = 64 << 20;  // bytes, before and after decompression
};

// Why a request is refused before any handler sees it. The connection cannot go on after it.
struct Refusal {
  int status = 400;
  std::string message;
};

// Reads one request after the other.
class RequestReader {
 public:
  explicit RequestReader(const ReadLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  // Parses what it can of `bytes` and returns how many it has taken; the others have to be given
  // again, with more behind them. It stops after the head, once, so that a request can be refused
  // before its body comes, and at the end of the request.
  std::size_t feed(std::string_view bytes);

  [[nodiscard]] bool head_done() const;
  [[nodiscard]] bool complete() const;
  [[nodiscard]] const std::optional<Refusal>& refusal() const { return refusal_; }

  // After head_done(): method, target, segments, query and headers; the body is still empty.
  [[nodiscard]] Request& request() { return request_; }
  // Empty where there is no such header; before take(), whose request has them from then on.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  [[nodiscard]] bool keep_alive() const;
  [[nodiscard]] bool expects_continue() const;
  [[nodiscard]] bool has_body() const;
  [[nodiscard]] std::size_t body_bytes() const;  // that have come

  // After complete(): moves the request with its body out, decompressed where Content-Encoding is
  // gzip or deflate. False where the body is not what its headers say: refusal() tells.
  [[nodiscard]] bool take(Request& request);
  // Ready for the next request.
  void reset();

 private:
  struct Parser;
  void refuse(int status, std::string message);
  void read_head();

  ReadLimits limits_;
  std::unique_ptr<Parser> parser_;
  Request request_;
  std::optional<Refusal> refusal_;
  bool head_read_ = false;
};

// The bytes that gzip or zlib made `compressed` of; throws HttpError with 400 where it is broken
// and with 413 beyond `limit` bytes.
[[nodiscard]] std::string decompress(std::string_view compressed, std::size_t limit);

}  // namespace tandem::http

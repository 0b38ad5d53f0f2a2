// A client over HTTP/1.1, for servers that ask each other, demonstrations and tests: one
// connection, one request at a time, no TLS.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "systems/http/server.hpp"

namespace tandem::http {

struct ClientOptions {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds answer{60'000};  // from the request to the end of its answer
  std::size_t longest_body = std::size_t{1} << 32;
};

class Client {
 public:
  // Connects. Throws SystemError where nobody answers there.
  explicit Client(const Endpoint& endpoint, const ClientOptions& options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Status, headers, content type and body. Throws SystemError where the connection breaks or the
  // answer does not come in time; the client is of no use any more then.
  [[nodiscard]] Response ask(const std::string& method, const std::string& path,
                             const std::string& body = {},
                             const std::vector<std::pair<std::string, std::string>>& headers = {});
  [[nodiscard]] Response post(const std::string& path, const std::string& body) {
    return ask("POST", path, body);
  }

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// The value of an answer's header, or nothing.
[[nodiscard]] std::string header_of(const Response& response, std::string_view name);

}  // namespace tandem::http

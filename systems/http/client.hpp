// A client over HTTP/1.1, for demonstrations and tests: one connection, one request at a time, no
// TLS.
#pragma once

#include <memory>
#include <string>

#include "systems/http/server.hpp"

namespace tandem::http {

class Client {
 public:
  // Connects. Throws SystemError where nobody answers there.
  explicit Client(const Endpoint& endpoint);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Status, content type and body. Throws SystemError where the connection breaks.
  [[nodiscard]] Response post(const std::string& path, const std::string& body);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tandem::http

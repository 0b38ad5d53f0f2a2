// The Open Inference Protocol over gRPC, beside HTTP: the same models, queues and tokens.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "systems/http/server.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {

class GrpcServer {
 public:
  // Answers from now on. Throws InputError where this build has no gRPC, or where the address
  // cannot be taken. `max_message` is in bytes.
  [[nodiscard]] static std::unique_ptr<GrpcServer> start(const http::Endpoint& endpoint,
                                                         ServingContext& context,
                                                         std::size_t max_message,
                                                         http::Tokens tokens);
  GrpcServer() = default;
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;
  virtual ~GrpcServer() = default;

  [[nodiscard]] virtual std::uint16_t port() const = 0;
  // As http::Server::set_tokens: the metadata `authorization` holds the token.
  virtual void set_tokens(http::Tokens tokens) = 0;
  // Takes no new calls, and cancels after `patience` those that are under way.
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace tandem::serving

// The recommendation program: what `tandem recommend serve` runs.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "systems/http/server.hpp"
#include "systems/recommend/service.hpp"

namespace tandem::recommend {

struct ServeOptions {
  ServiceOptions service;
  http::ServerOptions http;
  int threads = 1;           // that work out answers
  std::size_t queue = 1000;  // questions that may wait for them
  std::string tokens;        // a file; empty: everybody may do everything
  std::string log;           // a file; empty: standard error
  http::LogLevel log_level = http::LogLevel::info;
  std::chrono::milliseconds patience{30'000};  // for what is under way when it is stopped
};

// Serves until SIGTERM or SIGINT. `ready` is told "http://..." once questions are answered. Returns
// the exit status: 0 where everything under way was answered.
[[nodiscard]] int serve(const ServeOptions& options,
                        const std::function<void(const std::string& url)>& ready);

}  // namespace tandem::recommend

// The serving program: what `tandem serve` runs.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "systems/http/server.hpp"
#include "systems/serving/inference.hpp"
#include "systems/serving/live_experiments.hpp"
#include "systems/serving/scheduler.hpp"
#include "systems/serving/serve_settings.hpp"
#include "tandem/core/engine.hpp"

namespace tandem::serving {

struct ServeOptions {
  std::string repository;
  std::string registry;  // empty: REPOSITORY/registry.sqlite
  http::ServerOptions http;
  std::optional<http::Endpoint> grpc;  // nothing: no gRPC
  std::string tokens;                  // a file; empty: everybody may do everything
  std::string log;                     // a file; empty: standard error
  http::LogLevel log_level = http::LogLevel::info;
  EngineOptions engine;
  ScheduleOptions schedule;
  RequestLimits limits;
  // `experiments.place` is a file of SQLite's or postgresql://...; empty: the registry's database
  // where that is PostgreSQL, else REPOSITORY/experiments.sqlite.
  LiveOptions experiments;
  ServeSettings settings;
  std::string settings_file;                   // over `settings`, read anew by SIGHUP; empty: none
  std::chrono::milliseconds patience{30'000};  // for what is under way when it is stopped
};

// Serves until SIGTERM or SIGINT. `ready` is told "http://..." once requests are answered, and
// behind a blank "grpc://..." where there is gRPC. Returns the exit status: 0 where everything
// under way was answered.
[[nodiscard]] int serve(const ServeOptions& options,
                        const std::function<void(const std::string& addresses)>& ready);

}  // namespace tandem::serving

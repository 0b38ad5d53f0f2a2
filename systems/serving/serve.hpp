// The serving program: what `tandem serve` runs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "systems/http/service.hpp"
#include "systems/serving/inference.hpp"
#include "systems/serving/live_experiments.hpp"
#include "systems/serving/scheduler.hpp"
#include "systems/serving/serve_settings.hpp"
#include "tandem/core/engine.hpp"

namespace tandem::serving {

struct ServeOptions : http::ProgramOptions {
  std::string repository;
  std::string registry;                // empty: REPOSITORY/registry.sqlite
  std::optional<http::Endpoint> grpc;  // nothing: no gRPC
  EngineOptions engine;
  ScheduleOptions schedule;
  RequestLimits limits;
  // `experiments.place` is a file of SQLite's or postgresql://...; empty: the registry's database
  // where that is PostgreSQL, else REPOSITORY/experiments.sqlite.
  LiveOptions experiments;
  ServeSettings settings;
  std::string settings_file;  // over `settings`, read anew by SIGHUP; empty: none
};

// Serves until SIGTERM or SIGINT. `ready` is told "http://..." once requests are answered, and
// behind a blank "grpc://..." where there is gRPC. Returns the exit status: 0 where everything
// under way was answered.
[[nodiscard]] int serve(const ServeOptions& options,
                        const std::function<void(const std::string& addresses)>& ready);

}  // namespace tandem::serving

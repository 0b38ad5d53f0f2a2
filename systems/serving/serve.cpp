#include "systems/serving/serve.hpp"

#include <filesystem>

#include "systems/http/service.hpp"
#include "systems/serving/grpc_server.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {
namespace {

// Several servers that share a registry in PostgreSQL share their experiments too.
std::string default_store(const ServeOptions& options) {
  if (options.registry.find("://") != std::string::npos) return options.registry;
  return (std::filesystem::path(options.repository) / "experiments.sqlite").string();
}

}  // namespace

int serve(const ServeOptions& options,
          const std::function<void(const std::string& addresses)>& ready) {
  // Before any thread is made, which would take the signals otherwise.
  http::ServiceSignals signals;
  http::raise_file_limit();
  http::Log log(options.log, options.log_level);
  http::Metrics metrics;
  ModelSet models(std::make_unique<Registry>(options.repository, options.registry, true),
                  options.engine, options.schedule, metrics, log);
  models.synchronize();
  const auto read_settings = [&] {
    return options.settings_file.empty()
               ? options.settings
               : read_settings_file(options.settings_file, options.settings);
  };
  const ServeSettings settings = read_settings();
  LiveOptions live = options.experiments;
  if (live.place.empty()) live.place = default_store(options);
  LiveExperiments experiments(live, metrics, log);
  Traffic traffic(models, &experiments, settings);
  Watcher watcher(models, settings, metrics, log);
  http::Background background;
  http::Background recording;
  ServingContext context{.models = models,
                         .traffic = traffic,
                         .experiments = experiments,
                         .watcher = watcher,
                         .metrics = metrics,
                         .background = background,
                         .recording = recording,
                         .limits = options.limits};
  http::Router router;
  add_inference_routes(router, context);
  add_predict_routes(router, context);
  add_repository_routes(router, context);
  add_model_routes(router, context);
  add_experiment_routes(router, context);
  add_watch_routes(router, context);
  add_page_routes(router, context);

  http::Server server(options.http, std::move(router), log, metrics);
  std::unique_ptr<GrpcServer> grpc;
  const auto read_tokens = [&] {
    if (options.tokens.empty()) return;
    const http::Tokens tokens = http::Tokens::read(options.tokens);
    server.set_tokens(tokens);
    if (grpc) grpc->set_tokens(tokens);
  };
  read_tokens();
  std::string grpc_address;
  if (options.grpc) {
    grpc = GrpcServer::start(*options.grpc, context, options.http.limits.body);
    read_tokens();
    http::Endpoint found = *options.grpc;
    found.port = grpc->port();
    grpc_address = " grpc" + found.url().substr(std::string("http").size());
  }
  const bool reachable =
      !options.http.endpoint.loopback() || (options.grpc && !options.grpc->loopback());
  if (reachable && options.tokens.empty()) {
    log.write(http::LogLevel::warning,
              "other machines may ask for everything: no tokens are asked for");
  }
  http::ServiceHooks hooks;
  hooks.ready = [&](const std::string& url) { ready(url + grpc_address); };
  hooks.reload = [&] {
    log.reopen();
    read_tokens();
    models.synchronize();
    // All or nothing of it: what is wrong leaves the settings as they were.
    const ServeSettings fresh = read_settings();
    watcher.apply(fresh);
    traffic.apply(fresh);
    experiments.refresh();
  };
  hooks.before_stop = [&] {
    if (grpc) grpc->stop(options.patience);
  };
  hooks.every_moment = [&] { models.synchronize_if_changed(); };
  const int status = http::run_service(server, signals, hooks, log, options.patience);
  // What could not be answered in time is let go of while those that it tells are still there.
  models.close();
  return status;
}

}  // namespace tandem::serving

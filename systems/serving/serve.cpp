#include "systems/serving/serve.hpp"

#include <filesystem>

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
  http::ServiceProgram program(options);
  http::Log& log = program.log();
  http::Metrics& metrics = program.metrics();
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

  std::unique_ptr<GrpcServer> grpc;
  std::string grpc_address;
  if (options.grpc) {
    program.warn_where_open(*options.grpc);
    grpc = GrpcServer::start(*options.grpc, context, options.http.limits.body, program.tokens());
    http::Endpoint found = *options.grpc;
    found.port = grpc->port();
    grpc_address = " grpc" + found.url().substr(std::string("http").size());
  }
  http::ServiceHooks hooks;
  hooks.ready = [&](const std::string& url) { ready(url + grpc_address); };
  hooks.tokens = [&](const http::Tokens& tokens) {
    if (grpc) grpc->set_tokens(tokens);
  };
  hooks.reload = [&] {
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
  const int status = program.run(std::move(router), hooks);
  // What could not be answered in time is let go of while those that it tells are still there.
  models.close();
  return status;
}

}  // namespace tandem::serving

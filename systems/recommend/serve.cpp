#include "systems/recommend/serve.hpp"

#include "systems/http/service.hpp"
#include "systems/recommend/routes.hpp"

namespace tandem::recommend {

int serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready) {
  // Before any thread is made, which would take the signals otherwise.
  http::ServiceSignals signals;
  http::raise_file_limit();
  http::Log log(options.log, options.log_level);
  http::Metrics metrics;
  std::unique_ptr<Service> service;
  {
    const http::StopWhileReading stop(signals, log);
    service = std::make_unique<Service>(options.service, metrics, log);
  }
  auto background = std::make_unique<http::Background>();
  auto workers = std::make_unique<Workers>(options.threads, options.queue);
  http::Router router;
  add_routes(router, *service, *workers, *background, metrics);
  http::Server server(options.http, std::move(router), log, metrics);
  const auto read_tokens = [&] {
    if (!options.tokens.empty()) server.set_tokens(http::Tokens::read(options.tokens));
  };
  read_tokens();
  if (!options.http.endpoint.loopback() && options.tokens.empty()) {
    log.write(http::LogLevel::warning,
              "other machines may ask for everything: no tokens are asked for");
  }
  http::ServiceHooks hooks;
  hooks.ready = ready;
  hooks.reload = [&] {
    log.reopen();
    read_tokens();
    service->reload();
    log.write(http::LogLevel::info, "read models, items and configurations anew");
  };
  int moments = 0;
  bool advised = false;
  hooks.every_moment = [&] {
    if (++moments % 20 == 0) service->state().trending.update_popular();
    const bool scale_up = service->monitor().average_ms() > Monitor::limit_ms;
    if (scale_up && !advised) {
      const std::string reason = service->advice().reason;
      log.write(http::LogLevel::warning, "scale up", {{"reason", std::string_view(reason)}});
    }
    advised = scale_up;
  };
  const int status = http::run_service(server, signals, hooks, log, options.patience);
  // Whoever may still hold a question ends before the server goes.
  workers.reset();
  background.reset();
  service.reset();
  return status;
}

}  // namespace tandem::recommend

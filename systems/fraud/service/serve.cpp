#include "systems/fraud/service/serve.hpp"

#include "systems/fraud/service/routes.hpp"
#include "systems/http/service.hpp"

namespace tandem::fraud {

int serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready) {
  // Before any thread is made, which would take the signals otherwise.
  http::ServiceSignals signals;
  http::raise_file_limit();
  http::Log log(options.log, options.log_level);
  http::Metrics metrics;
  std::unique_ptr<DecisionService> service;
  {
    // Reading a state of a million users takes a minute.
    const http::StopWhileReading stop(signals, log);
    service = std::make_unique<DecisionService>(options.service, metrics, log);
  }
  auto background = std::make_unique<http::Background>();
  FraudContext context{.service = *service, .metrics = metrics, .background = *background};
  http::Router router;
  add_decision_routes(router, context);
  add_admin_routes(router, context);
  add_fraud_page(router);

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
  };
  hooks.every_moment = [&] {
    service->look_after();
    service->reload_if_changed();
  };
  const int status = http::run_service(server, signals, hooks, log, options.patience);
  // Whoever answers is gone before the server is.
  background.reset();
  service.reset();
  return status;
}

}  // namespace tandem::fraud

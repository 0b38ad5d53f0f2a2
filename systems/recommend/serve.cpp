#include "systems/recommend/serve.hpp"

#include "systems/recommend/routes.hpp"

namespace tandem::recommend {

namespace {

// The service and the events of Kafka's, which end in this order however serving ends.
struct Parts {
  std::unique_ptr<Service> service;
  std::unique_ptr<KafkaEvents> kafka;

  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() {
    if (kafka) kafka->end();
    service.reset();
    kafka.reset();
  }
};

}  // namespace

int serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready) {
  http::ServiceProgram program(options);
  http::Log& log = program.log();
  Parts parts;
  parts.service = std::make_unique<Service>(options.service, program.metrics(), log);
  Service& service = *parts.service;
  if (options.kafka) {
    parts.kafka = std::make_unique<KafkaEvents>(service, *options.kafka, program.metrics(), log);
  }
  http::Background background;
  Workers workers(options.threads, options.queue);
  http::Router router;
  add_routes(router, service, workers, background, program.metrics());
  http::ServiceHooks hooks;
  hooks.ready = ready;
  hooks.reload = [&] {
    service.reload();
    log.write(http::LogLevel::info, "read models, items and configurations anew");
  };
  int moments = 0;
  bool advised = false;
  hooks.every_moment = [&] {
    ++moments;
    if (moments % 20 == 0) service.state().trending.update_popular();
    if (moments % 10 == 0) service.tend();
    if (parts.kafka) parts.kafka->look_after();
    const bool scale_up = service.monitor().average_ms() > Monitor::limit_ms;
    if (scale_up && !advised) {
      const std::string reason = service.advice().reason;
      log.write(http::LogLevel::warning, "scale up", {{"reason", std::string_view(reason)}});
    }
    advised = scale_up;
  };
  return program.run(std::move(router), hooks);
}

}  // namespace tandem::recommend

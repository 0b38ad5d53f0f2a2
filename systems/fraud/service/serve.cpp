#include "systems/fraud/service/serve.hpp"

#include "systems/fraud/service/elsewhere.hpp"
#include "systems/fraud/service/kafka_feed.hpp"
#include "systems/fraud/service/routes.hpp"

namespace tandem::fraud {
namespace {

// What a service has beside HTTP once it decides, which for a standby is later, on a thread that
// answers.
class Surroundings {
 public:
  Surroundings(DecisionService& service, http::Metrics& metrics, http::Log& log)
      : service_(service), metrics_(metrics), log_(log) {}

  void begin() {
    const FleetOptions& fleet = service_.options().fleet;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (fleet.kafka) kafka_ = std::make_shared<KafkaFeed>(service_, *fleet.kafka, metrics_, log_);
    if (fleet.redis) elsewhere_ = std::make_unique<Elsewhere>(service_, metrics_, log_);
  }
  void decide(const http::ExchangePtr& exchange) {
    if (const auto feed = kafka()) {
      feed->decide(exchange);
    } else {
      service_.decide(exchange);
    }
  }
  void look_after() {
    if (const auto feed = kafka()) feed->look_after();
  }
  // Nothing comes from it any more. It is to be destroyed after the service, which may have
  // requests of Kafka's.
  void end() {
    elsewhere_.reset();
    if (kafka_) kafka_->end();
  }

 private:
  [[nodiscard]] std::shared_ptr<KafkaFeed> kafka() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return kafka_;
  }

  DecisionService& service_;
  http::Metrics& metrics_;
  http::Log& log_;
  std::mutex mutex_;
  std::shared_ptr<KafkaFeed> kafka_;
  std::unique_ptr<Elsewhere> elsewhere_;
};

// The service and what is around it, which end in this order however serving ends.
struct Parts {
  std::unique_ptr<DecisionService> service;
  std::unique_ptr<Surroundings> outside;
  std::unique_ptr<http::Background> background;

  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() {
    background.reset();
    if (outside) outside->end();
    service.reset();
    outside.reset();
  }
};

}  // namespace

int serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready) {
  http::ServiceProgram program(options);
  Parts parts;
  parts.service =
      std::make_unique<DecisionService>(options.service, program.metrics(), program.log());
  parts.outside = std::make_unique<Surroundings>(*parts.service, program.metrics(), program.log());
  parts.background = std::make_unique<http::Background>();
  DecisionService& service = *parts.service;
  Surroundings& outside = *parts.outside;
  FraudContext context{
      .service = service,
      .metrics = program.metrics(),
      .background = *parts.background,
      .decide = [&](const http::ExchangePtr& exchange) { outside.decide(exchange); }};
  http::Router router;
  add_decision_routes(router, context);
  add_admin_routes(router, context);
  add_fleet_routes(router, context);
  add_fraud_page(router);

  service.when_primary([&] { outside.begin(); });
  http::ServiceHooks hooks;
  hooks.ready = ready;
  hooks.reload = [&] { service.reload(); };
  hooks.every_moment = [&] {
    service.look_after();
    outside.look_after();
    service.reload_if_changed();
  };
  hooks.before_stop = [&] { service.end_waiting(); };
  return program.run(std::move(router), hooks);
}

}  // namespace tandem::fraud

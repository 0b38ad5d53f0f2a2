#include "systems/fraud/service/serve.hpp"

#include "systems/fraud/service/routes.hpp"

namespace tandem::fraud {

int serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready) {
  http::ServiceProgram program(options);
  DecisionService service(options.service, program.metrics(), program.log());
  http::Background background;
  FraudContext context{.service = service, .metrics = program.metrics(), .background = background};
  http::Router router;
  add_decision_routes(router, context);
  add_admin_routes(router, context);
  add_fraud_page(router);

  http::ServiceHooks hooks;
  hooks.ready = ready;
  hooks.reload = [&] { service.reload(); };
  hooks.every_moment = [&] {
    service.look_after();
    service.reload_if_changed();
  };
  return program.run(std::move(router), hooks);
}

}  // namespace tandem::fraud

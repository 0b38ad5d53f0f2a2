// The paths that a fraud service answers.
#pragma once

#include "systems/fraud/service/service.hpp"
#include "systems/http/background.hpp"
#include "systems/http/router.hpp"

namespace tandem::fraud {

// What handlers need; it outlives the server.
struct FraudContext {
  DecisionService& service;
  http::Metrics& metrics;
  http::Background& background;
  // What becomes of POST /v1/transactions: the service's decide(), or one that tells others of it.
  std::function<void(const http::ExchangePtr& exchange)> decide;
};

// /v1/transactions, /v1/labels, /v1/users.
void add_decision_routes(http::Router& router, FraudContext& context);
// /v1/reviews, /v1/rules, /v1/configuration, /v1/features, /v1/summary, /v1/stream, /v1/reload,
// health, /metrics.
void add_admin_routes(http::Router& router, FraudContext& context);
// /v1/log, /v1/standby, /v1/step-down, /v1/takeover: what servers ask of each other.
void add_fleet_routes(http::Router& router, FraudContext& context);
// The page at /.
void add_fraud_page(http::Router& router);

}  // namespace tandem::fraud

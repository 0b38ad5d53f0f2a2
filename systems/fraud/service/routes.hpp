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
};

// /v1/transactions, /v1/labels, /v1/users.
void add_decision_routes(http::Router& router, FraudContext& context);
// /v1/reviews, /v1/rules, /v1/configuration, /v1/features, /v1/summary, /v1/stream, /v1/reload,
// health, /metrics.
void add_admin_routes(http::Router& router, FraudContext& context);
// The page at /.
void add_fraud_page(http::Router& router);

}  // namespace tandem::fraud

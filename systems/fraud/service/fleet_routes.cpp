#include "core/text.hpp"
#include "systems/fraud/service/routes.hpp"
#include "systems/http/json.hpp"

namespace tandem::fraud {
namespace {

using http::ExchangePtr;
using http::HttpError;
using http::Role;

constexpr std::uint64_t longest_wait_ms = 30'000;

std::uint64_t number(const ExchangePtr& exchange, std::string_view name, std::uint64_t standard) {
  const std::string_view text = exchange->request.query_value(name);
  std::uint64_t value = standard;
  if (!text.empty() && !read_number(text, value)) {
    throw HttpError(400, std::string(name) + ": expected a whole number");
  }
  return value;
}

}  // namespace

void add_fleet_routes(http::Router& router, FraudContext& context) {
  DecisionService& service = context.service;
  router.add("GET", "/v1/log", Role::admin, [&service](const ExchangePtr& exchange) {
    if (service.role() == ServiceRole::standby) {
      throw HttpError(503, "this server is a standby itself: its primary's log is to be followed");
    }
    service.followers().ask(
        exchange, number(exchange, "from", 0), number(exchange, "until", UINT64_MAX),
        std::chrono::milliseconds(std::min(number(exchange, "wait_ms", 0), longest_wait_ms)),
        exchange->request.query_value("confirms") == "1");
  });
  // Files are read, and the thread that decides is asked, where no connection waits for it.
  router.add("GET", "/v1/log/snapshot", Role::admin, [&context](const ExchangePtr& exchange) {
    context.background.answer(exchange,
                              [&context] { return context.service.snapshot_for_follower(); });
  });
  router.add("GET", "/v1/log/models/{file}", Role::admin, [&context](const ExchangePtr& exchange) {
    context.background.answer(exchange,
                              [&context, file = std::string(exchange->request.parameter("file"))] {
                                return context.service.model_for_follower(file);
                              });
  });
  router.add("GET", "/v1/standby", Role::admin, [&context](const ExchangePtr& exchange) {
    context.background.answer(exchange, [&context] { return context.service.standing(); });
  });
  router.add("POST", "/v1/step-down", Role::admin, [&context](const ExchangePtr& exchange) {
    context.background.answer(exchange, [&context] { return context.service.step_down(); });
  });
  router.add("POST", "/v1/takeover", Role::admin, [&context](const ExchangePtr& exchange) {
    context.background.answer(exchange, [&context] { return context.service.take_over(); });
  });
}

}  // namespace tandem::fraud

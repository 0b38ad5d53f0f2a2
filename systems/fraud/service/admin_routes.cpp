#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "systems/fraud/service/routes.hpp"
#include "systems/http/json.hpp"
#include "systems/http/page.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {

extern const http::PageFiles page_files;

namespace {

using http::ExchangePtr;
using http::HttpError;
using http::Response;
using http::Role;
using nlohmann::json;

constexpr std::size_t most_listed = 200;

std::string hexadecimal(Key key) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(key));
  return text.data();
}

Key key_of(std::string_view text) {
  Key key = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), key, 16);
  if (text.size() != 16 || status != std::errc() || end != text.data() + text.size()) {
    throw HttpError(400,
                    "expected the key of a review, 16 hexadecimal digits, as /v1/reviews has it");
  }
  return key;
}

// What the process has in memory.
std::int64_t resident_bytes() {
  std::ifstream pages("/proc/self/statm");
  std::int64_t all = 0;
  std::int64_t resident = 0;
  pages >> all >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

template <class Number>
Number query_number(const ExchangePtr& exchange, std::string_view name, Number standard,
                    Number highest) {
  const std::string_view text = exchange->request.query_value(name);
  Number value = standard;
  if (!text.empty() && (!read_number(text, value) || value > highest)) {
    throw HttpError(
        400, std::string(name) + ": expected a whole number of at most " + std::to_string(highest));
  }
  return value;
}

json review(const DecisionService& service, const Kept& kept) {
  json one = json::parse(answer_text(service.id_of(kept.transaction), kept.tail, -1));
  one["key"] = hexadecimal(kept.transaction);
  one["timestamp"] = timestamp_text(kept.event.time, kept.event.offset_minutes);
  one["amount"] = kept.event.amount;
  return one;
}

void add_reviews(http::Router& router, DecisionService& service) {
  router.add("GET", "/v1/reviews", Role::predict, [&service](const ExchangePtr& exchange) {
    const auto most = query_number<std::size_t>(exchange, "most", 50, most_listed);
    service.ask(exchange, [&service, most](Ledger& ledger) {
      json list = json::array();
      for (const Kept* kept : ledger.reviews(most)) list.push_back(review(service, *kept));
      return http::json_response({{"waiting", ledger.reviews_waiting()}, {"reviews", list}});
    });
  });
  router.add("POST", "/v1/reviews/{key}", Role::predict, [&service](const ExchangePtr& exchange) {
    const Key key = key_of(exchange->request.parameter("key"));
    const json body = http::parse_object(exchange->request.body);
    if (body.size() != 1 || !body.contains("fraud") || !body["fraud"].is_boolean()) {
      throw HttpError(400, R"(expected {"fraud": true} to confirm, {"fraud": false} to dismiss)");
    }
    const std::string why = service.refusal();
    if (!why.empty()) throw HttpError(503, why, 1);
    service.ask(exchange, [&service, key, fraud = body["fraud"].get<bool>()](Ledger& ledger) {
      const Kept* kept = ledger.find(key);
      if (kept == nullptr) throw HttpError(404, "there is no such transaction any more");
      const Finding finding = fraud ? Finding::fraud : Finding::honest;
      const bool again = kept->finding == finding;
      if (!again) service.label(*kept, fraud, std::max(service.now(), kept->event.time), true);
      return http::json_response(
          {{"key", hexadecimal(key)}, {"fraud", fraud}, {"known_before", again}});
    });
  });
}

void add_rules(http::Router& router, FraudContext& context) {
  DecisionService& service = context.service;
  router.add("GET", "/v1/rules", Role::predict, [&service](const ExchangePtr& exchange) {
    service.ask(exchange, [&service](Ledger& ledger) {
      const RuleSet& rules = *ledger.versions()->rules;
      json list = json::array();
      for (std::size_t i = 0; i < rules.rules().size(); ++i) {
        const Rule& rule = rules.rules()[i];
        list.push_back({{"name", rule.name},
                        {"priority", rule.priority},
                        {"weight", rule.weight},
                        {"action", to_string(rule.action)},
                        {"dry_run", rule.dry_run},
                        {"line", rule.line},
                        {"hits", service.rule_hits()[i]}});
      }
      return http::json_response(
          {{"version", rules.id()}, {"rules", list}, {"text", rules.text()}});
    });
  });
  // Reading files and models takes longer than a decision may wait.
  router.add("POST", "/v1/rules", Role::admin, [&context](const ExchangePtr& exchange) {
    const bool check = exchange->request.query_value("check") == "1";
    context.background.answer(exchange, [&context, text = exchange->request.body, check] {
      const RuleSet rules = RuleSet::parse(text, "rules", rule_variables());
      if (!check) context.service.replace_rules(text);
      return http::json_response({{"version", rules.id()},
                                  {"rules", rules.rules().size()},
                                  {"operations", rules.operations()},
                                  {"in_force", !check}});
    });
  });
  router.add("POST", "/v1/reload", Role::admin, [&context](const ExchangePtr& exchange) {
    context.background.answer(exchange, [&context] {
      context.service.reload();
      const auto versions = context.service.versions();
      return http::json_response(
          {{"model", versions->model_version}, {"decided_by", versions->decision_version}});
    });
  });
  router.add("GET", "/v1/configuration", Role::predict, [&service](const ExchangePtr& exchange) {
    Response response;
    response.body = service.versions()->configuration->text;
    exchange->send(std::move(response));
  });
  router.add("GET", "/v1/features", Role::predict, [](const ExchangePtr& exchange) {
    json list = json::array();
    for (const FeatureInfo& info : feature_table()) {
      list.push_back({{"name", info.name},
                      {"meaning", info.meaning},
                      {"unit", info.unit},
                      {"layer", to_string(info.layer)}});
    }
    exchange->send(http::json_response({{"features", list}}));
  });
}

}  // namespace

void add_admin_routes(http::Router& router, FraudContext& context) {
  DecisionService& service = context.service;
  add_reviews(router, service);
  add_rules(router, context);
  router.add("GET", "/v1/summary", Role::predict, [&service](const ExchangePtr& exchange) {
    const bool measure = exchange->request.query_value("memory") == "1";
    service.ask(exchange, [&service, measure](Ledger& ledger) {
      json summary = service.monitor().summary();
      const StateCounts counts = ledger.state().counts();
      summary["model"] = ledger.versions()->model_version;
      summary["decided_by"] = ledger.versions()->decision_version;
      summary["reviews_waiting"] = ledger.reviews_waiting();
      summary["kept"] = ledger.kept();
      summary["log_records"] = service.records();
      summary["state"] = {{"users", counts.users},         {"cards", counts.cards},
                          {"merchants", counts.merchants}, {"ips", counts.ips},
                          {"devices", counts.devices},     {"events", counts.events},
                          {"labels", counts.labels},       {"late", counts.late}};
      // It goes through all entities, and decisions wait: for a million users a tenth of a second.
      if (measure) summary["state"]["bytes"] = ledger.state().memory().total;
      summary["process_bytes"] = resident_bytes();
      summary["refusal"] = service.refusal();
      return http::json_response(summary);
    });
  });
  router.add("GET", "/v1/stream", Role::predict, [&service](const ExchangePtr& exchange) {
    const auto after = query_number<std::uint64_t>(exchange, "after", 0, UINT64_MAX);
    const auto most = query_number<std::size_t>(exchange, "most", 30, most_listed);
    exchange->send(http::json_response({{"decisions", service.monitor().stream(after, most)}}));
  });
  http::add_metrics(router, context.metrics);
  router.add("GET", "/v2/health/live", Role::none, [](const ExchangePtr& exchange) {
    exchange->send(http::json_response({{"live", true}}));
  });
  router.add("GET", "/v2/health/ready", Role::none, [&service](const ExchangePtr& exchange) {
    const bool ready = service.refusal().empty();
    exchange->send(http::json_response({{"ready", ready}}, ready ? 200 : 503));
  });
}

void add_fraud_page(http::Router& router) { http::add_page(router, page_files); }

}  // namespace tandem::fraud

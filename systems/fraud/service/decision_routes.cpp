#include <nlohmann/json.hpp>

#include "systems/fraud/service/routes.hpp"
#include "systems/http/json.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using http::ExchangePtr;
using http::HttpError;
using http::Response;
using http::Role;
using nlohmann::json;

constexpr std::size_t most_labels = 1'000;

struct Verdict {
  std::string id;
  bool fraud = false;
  std::optional<Time> known_at;
};

// `latest`: of a time that is not ahead of the server's clock.
Verdict read_verdict(const json& object, Time latest) {
  Verdict verdict;
  if (!object.is_object()) throw HttpError(400, "expected a label as an object");
  for (const auto& [name, value] : object.items()) {
    if (name == "transaction_id" && value.is_string()) {
      verdict.id = value.get<std::string>();
    } else if (name == "fraud" && value.is_boolean()) {
      verdict.fraud = value.get<bool>();
    } else if (name == "timestamp" && value.is_string()) {
      int offset = 0;
      try {
        verdict.known_at = parse_timestamp(value.get<std::string>(), offset);
      } catch (const InputError& error) {
        throw HttpError(400, std::string("timestamp: ") + error.what());
      }
      if (*verdict.known_at > latest) {
        throw HttpError(400, "timestamp: " + timestamp_text(*verdict.known_at, offset) +
                                 " is ahead of the server's clock: it is the time at which it was "
                                 "found out");
      }
    } else {
      throw HttpError(400, "member '" + name +
                               "': expected transaction_id (text), fraud (true or false) and, if "
                               "it was not found out just now, timestamp");
    }
  }
  if (verdict.id.empty() || !object.contains("fraud")) {
    throw HttpError(400, R"(expected {"transaction_id": "...", "fraud": true or false})");
  }
  return verdict;
}

json label(DecisionService& service, Ledger& ledger, const Verdict& verdict) {
  const Kept* kept = ledger.find(service.identities().key(KeyKind::transaction, verdict.id));
  if (kept == nullptr) {
    throw HttpError(
        404, "there is no transaction '" + verdict.id + "' among those whose ids are still kept");
  }
  const Finding finding = verdict.fraud ? Finding::fraud : Finding::honest;
  // The same said again changes nothing.
  const bool again = kept->finding == finding;
  if (!again) {
    service.label(*kept, verdict.fraud,
                  std::max(verdict.known_at.value_or(service.now()), kept->event.time), false);
  }
  return {{"transaction_id", verdict.id}, {"fraud", verdict.fraud}, {"known_before", again}};
}

}  // namespace

void add_decision_routes(http::Router& router, FraudContext& context) {
  DecisionService& service = context.service;
  router.add("POST", "/v1/transactions", Role::predict,
             [&context](const ExchangePtr& exchange) { context.decide(exchange); });

  router.add(
      "GET", "/v1/transactions/{id}", Role::predict, [&service](const ExchangePtr& exchange) {
        const std::string id(exchange->request.parameter("id"));
        service.ask(exchange, [&service, id](Ledger& ledger) {
          const Kept* kept = ledger.find(service.identities().key(KeyKind::transaction, id));
          if (kept == nullptr) {
            throw HttpError(404, "there is no transaction of this id among those that are kept");
          }
          Response response;
          response.body = answer_text(id, kept->tail, kept->microseconds) + "\n";
          return response;
        });
      });

  router.add("POST", "/v1/labels", Role::predict, [&service](const ExchangePtr& exchange) {
    const json body = http::parse_object(exchange->request.body);
    std::vector<Verdict> verdicts;
    const Time latest =
        service.now() + service.versions()->configuration->longest_ahead_seconds * 1000;
    const bool list = body.contains("labels");
    if (list) {
      const json& labels = body["labels"];
      if (!labels.is_array() || body.size() != 1 || labels.empty() || labels.size() > most_labels) {
        throw HttpError(400, R"(expected {"labels": [...]} with 1 to 1000 labels)");
      }
      for (std::size_t i = 0; i < labels.size(); ++i) {
        try {
          verdicts.push_back(read_verdict(labels[i], latest));
        } catch (const HttpError& error) {
          throw HttpError(400, "label " + std::to_string(i) + ": " + error.what());
        }
      }
    } else {
      verdicts.push_back(read_verdict(body, latest));
    }
    const std::string why = service.refusal();
    if (!why.empty()) throw HttpError(503, why, 1);
    service.ask(exchange, [&service, verdicts, list](Ledger& ledger) {
      if (!list) return http::json_response(label(service, ledger, verdicts.front()));
      json answers = json::array();
      for (const Verdict& verdict : verdicts) {
        try {
          answers.push_back(label(service, ledger, verdict));
        } catch (const HttpError& error) {
          answers.push_back({{"transaction_id", verdict.id}, {"error", error.what()}});
        }
      }
      return http::json_response({{"labels", answers}});
    });
  });

  router.add("DELETE", "/v1/users/{id}", Role::admin, [&service](const ExchangePtr& exchange) {
    const std::string id(exchange->request.parameter("id"));
    service.erase(exchange, service.identities().key(KeyKind::user, id),
                  [id](const DecisionService::Erased& erased) {
                    return http::json_response({{"user_id", id},
                                                {"known", erased.known},
                                                {"answers_erased", erased.answers},
                                                {"log_records_erased", erased.records}});
                  });
  });
}

}  // namespace tandem::fraud

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "systems/http/json.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {
namespace {

using experiments::Experiment;
using experiments::Outcome;
using http::ExchangePtr;
using http::HttpError;
using http::json_response;
using http::Role;
using nlohmann::json;

constexpr std::size_t most_outcomes = 10'000;  // of a request

// Each arm has to be able to answer what the others can.
void check_arms(const ModelSet& models, const Experiment& experiment) {
  if (experiment.model.empty()) {
    for (const experiments::Arm& arm : experiment.arms) {
      if (!arm.version.empty()) {
        throw HttpError(400, "experiment.arms: arm " + arm.name +
                                 " names a version, and the experiment names no model");
      }
    }
    return;
  }
  const auto production = models.find(experiment.model, {});
  for (const experiments::Arm& arm : experiment.arms) {
    const auto version = models.find(experiment.model, arm.version);
    if (version->record.signature != production->record.signature) {
      throw HttpError(400, "experiment.arms: version " + arm.version + " of arm " + arm.name +
                               " has another signature than the version in production");
    }
  }
}

std::string text_member(const json& object, const char* name, const std::string& place,
                        const std::string& otherwise = {}) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) {
    if (!otherwise.empty()) return otherwise;
    throw HttpError(400, place + name + ": is not there");
  }
  if (!found->is_string()) throw HttpError(400, place + name + ": expected a text");
  return found->get<std::string>();
}

std::string unit_member(const json& object, const std::string& place) {
  const auto found = object.find("unit");
  if (found == object.end()) throw HttpError(400, place + "unit: is not there");
  if (found->is_string()) return checked_text(found->get<std::string>(), place + "unit");
  if (found->is_number_integer() && *found != 0) return found->dump();
  throw HttpError(400, place + "unit: expected a text, or a whole number other than 0");
}

std::vector<Outcome> outcomes_of(const json& asked) {
  const auto list = asked.find("outcomes");
  if (list == asked.end() || !list->is_array()) {
    throw HttpError(400,
                    R"(expected {"outcomes": [{"unit": ..., "metric": ..., "value": ...}, ...]})");
  }
  if (list->size() > most_outcomes) {
    throw HttpError(413, "a request may have " + std::to_string(most_outcomes) + " outcomes");
  }
  static const std::vector<std::string> known{"unit", "metric", "value", "time", "id"};
  std::vector<Outcome> outcomes;
  const experiments::Time now = time_now();
  for (const json& one : *list) {
    const std::string place = "outcome " + std::to_string(outcomes.size()) + ", ";
    if (!one.is_object()) throw HttpError(400, place + "expected an object");
    for (const auto& [name, value] : one.items()) {
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        throw HttpError(400,
                        place + name + ": is not known; expected unit, metric, value, time and id");
      }
    }
    Outcome outcome;
    outcome.unit = unit_member(one, place);
    outcome.metric = checked_text(text_member(one, "metric", place), place + "metric");
    const auto value = one.find("value");
    if (value == one.end() || (!value->is_number() && !value->is_boolean())) {
      throw HttpError(400, place + "value: expected a number, true or false");
    }
    outcome.value = value->is_boolean() ? (value->get<bool>() ? 1 : 0) : value->get<double>();
    if (!std::isfinite(outcome.value)) throw HttpError(400, place + "value: is not finite");
    outcome.time = now;
    if (const auto time = one.find("time"); time != one.end()) {
      if (time->is_number_integer()) {
        outcome.time = time->get<experiments::Time>();
      } else if (time->is_string()) {
        outcome.time = experiments::parse_time(time->get<std::string>());
      } else {
        throw HttpError(400, place + "time: expected a text, or milliseconds since 1970");
      }
    }
    if (one.contains("id")) {
      outcome.id = checked_text(text_member(one, "id", place), place + "id");
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

Asker asker_of(const json& asked) {
  Asker asker;
  if (asked.contains("unit")) asker.unit = unit_member(asked, "");
  if (const auto attributes = asked.find("attributes"); attributes != asked.end()) {
    if (!attributes->is_object()) throw HttpError(400, "attributes: expected an object");
    asker.attributes = *attributes;
  }
  return asker;
}

// The arm of a unit, for who decides by it elsewhere; it is exposed by asking.
json assignment(ServingContext& context, const std::string& name, const Asker& asker) {
  json answer{{"experiment", name}, {"arm", nullptr}};
  const auto placement = context.experiments.place_in(name, asker);
  if (!placement) return answer;
  context.experiments.exposed(*placement);
  answer["arm"] = placement->chosen().name;
  if (!placement->chosen().version.empty()) answer["version"] = placement->chosen().version;
  if (placement->forced) answer["forced"] = true;
  return answer;
}

}  // namespace

void add_experiment_routes(http::Router& router, ServingContext& context) {
  router.add("GET", "/v1/experiments", Role::predict, [&context](const ExchangePtr& exchange) {
    exchange->send(json_response({{"experiments", context.experiments.list()}}));
  });
  router.add("GET", "/v1/experiments/{name}", Role::predict,
             [&context](const ExchangePtr& exchange) {
               const std::string name(exchange->request.parameter("name"));
               context.recording.answer(exchange, [&context, name] {
                 return json_response(context.experiments.describe(name));
               });
             });
  router.add("POST", "/v1/experiments", Role::admin, [&context](const ExchangePtr& exchange) {
    const auto experiment = Experiment::parse(http::parse_object(exchange->request.body));
    check_arms(context.models, experiment);
    context.recording.answer(exchange, [&context, experiment] {
      return json_response(experiments::to_json(context.experiments.create(experiment)));
    });
  });
  router.add("POST", "/v1/experiments/{name}/stop", Role::admin,
             [&context](const ExchangePtr& exchange) {
               const std::string name(exchange->request.parameter("name"));
               const json asked = http::parse_object(exchange->request.body);
               const std::string reason = text_member(asked, "reason", "", "stopped by hand");
               context.recording.answer(exchange, [&context, name, reason] {
                 return json_response(experiments::to_json(context.experiments.stop(name, reason)));
               });
             });
  router.add("POST", "/v1/experiments/{name}/assign", Role::predict,
             [&context](const ExchangePtr& exchange) {
               const std::string name(exchange->request.parameter("name"));
               exchange->send(json_response(assignment(
                   context, name, asker_of(http::parse_object(exchange->request.body)))));
             });
  // Answered once what it says is on the disk.
  router.add("POST", "/v1/outcomes", Role::predict, [&context](const ExchangePtr& exchange) {
    auto outcomes = outcomes_of(http::parse_object(exchange->request.body));
    context.recording.answer(exchange, [&context, outcomes = std::move(outcomes)] {
      const std::int64_t fresh = context.experiments.record_outcomes(outcomes);
      return json_response(
          {{"recorded", fresh}, {"known", static_cast<std::int64_t>(outcomes.size()) - fresh}});
    });
  });
}

void add_watch_routes(http::Router& router, ServingContext& context) {
  router.add("GET", "/v1/drift", Role::predict, [&context](const ExchangePtr& exchange) {
    // With thousands of columns it takes a while, which no connection waits for.
    context.background.answer(exchange, [&context] {
      return json_response({{"drift", context.watcher.drift_json()}});
    });
  });
  router.add("GET", "/v1/shadow", Role::predict, [&context](const ExchangePtr& exchange) {
    exchange->send(json_response({{"shadow", context.watcher.shadow_json()}}));
  });
}

}  // namespace tandem::serving

#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "systems/http/json.hpp"
#include "systems/serving/registry_json.hpp"
#include "systems/serving/routes.hpp"

namespace tandem::serving {
namespace {

using http::ExchangePtr;
using http::HttpError;
using http::json_response;
using http::Role;
using nlohmann::json;

json model_json(const std::string& name, const ModelState& model) {
  json versions = json::array();
  for (const auto& [number, state] : model.versions) {
    json one = version_json(state.record);
    one["loaded"] = state.loaded != nullptr;
    if (!state.problem.empty()) one["problem"] = state.problem;
    if (state.loaded) {
      one["rows"] = state.loaded->metrics->rows.value();
      one["failed"] = state.loaded->metrics->failed.value();
      one["shed"] = state.loaded->metrics->shed.value();
      one["p50_seconds"] = state.loaded->metrics->duration.quantile(0.5);
      one["p99_seconds"] = state.loaded->metrics->duration.quantile(0.99);
    }
    versions.push_back(std::move(one));
  }
  json all{{"name", name}, {"versions", versions}};
  all["production"] = model.production ? json(model.production->record.version) : json(nullptr);
  if (!model.problem.empty()) all["problem"] = model.problem;
  return all;
}

std::int64_t whole_number(const json& asked, const char* name) {
  const auto found = asked.find(name);
  if (found == asked.end() || !found->is_number_integer()) {
    throw HttpError(400, std::string(name) + ": expected a whole number");
  }
  return found->get<std::int64_t>();
}

}  // namespace

void add_model_routes(http::Router& router, ServingContext& context) {
  router.add("GET", "/v1/models", Role::predict, [&context](const ExchangePtr& exchange) {
    json list = json::array();
    for (const auto& [name, model] : context.models.snapshot()) {
      list.push_back(model_json(name, model));
    }
    exchange->send(json_response({{"models", list}}));
  });
  router.add("GET", "/v1/models/{model}", Role::predict, [&context](const ExchangePtr& exchange) {
    const std::string name(exchange->request.parameter("model"));
    const auto models = context.models.snapshot();
    const auto found = models.find(name);
    if (found == models.end()) throw HttpError(404, "there is no model " + name);
    exchange->send(json_response(model_json(name, found->second)));
  });
  router.add("POST", "/v1/models/{model}/promote", Role::admin,
             [&context](const ExchangePtr& exchange) {
               const std::string model(exchange->request.parameter("model"));
               const json asked = http::parse_object(exchange->request.body);
               const std::int64_t version = whole_number(asked, "version");
               const json stage = asked.value("stage", json("production"));
               const json other = asked.value("new_signature", json(false));
               if (!stage.is_string()) throw HttpError(400, "stage: expected a text");
               if (!other.is_boolean()) {
                 throw HttpError(400, "new_signature: expected true or false");
               }
               const auto to = parse_enum<Stage>("stage", stage.get<std::string>());
               context.background.answer(
                   exchange, [&context, model, version, to, allowed = other.get<bool>()] {
                     VersionRecord changed;
                     context.models.with_registry([&](Registry& registry) {
                       changed = registry.promote(model, version, to, allowed);
                     });
                     return json_response(version_json(changed));
                   });
             });
  router.add("POST", "/v1/models/{model}/rollback", Role::admin,
             [&context](const ExchangePtr& exchange) {
               const std::string model(exchange->request.parameter("model"));
               context.background.answer(exchange, [&context, model] {
                 VersionRecord changed;
                 context.models.with_registry(
                     [&](Registry& registry) { changed = registry.rollback(model); });
                 return json_response(version_json(changed));
               });
             });
}

}  // namespace tandem::serving

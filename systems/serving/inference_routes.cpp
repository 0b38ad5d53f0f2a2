#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/text.hpp"
#include "systems/http/json.hpp"
#include "systems/serving/routes.hpp"
#include "tandem/config.hpp"

namespace tandem::serving {
namespace {

using http::ExchangePtr;
using http::HttpError;
using http::json_response;
using http::Role;
using nlohmann::json;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

class InferenceJob final : public HttpJob {
 public:
  InferenceJob(ServingContext& context, Choice choice, const ExchangePtr& exchange,
               InferenceRequest request)
      : HttpJob(context, std::move(choice), request.asker, exchange), request_(std::move(request)) {
    rows = std::move(request_.rows);  // request_.rows keeps their number
  }

 private:
  [[nodiscard]] http::Response response(const ServedModel& model, const Answers& answers,
                                        Index first, const AnswerNotes& notes) override {
    return inference_response(model, request_, answers, first, notes);
  }

  InferenceRequest request_;
};

std::shared_ptr<const LoadedVersion> version_of(ServingContext& context,
                                                const ExchangePtr& exchange) {
  return context.models.find(exchange->request.parameter("model"),
                             exchange->request.parameter("version"));
}

void infer(ServingContext& context, const ExchangePtr& exchange) {
  const auto begin = Clock::now();
  http::Request& asked = exchange->request;
  std::optional<std::size_t> json_bytes;
  if (const auto header = asked.header("inference-header-content-length"); !header.empty()) {
    std::size_t bytes = 0;
    if (!read_number(header, bytes)) {
      throw HttpError(400, "Inference-Header-Content-Length: expected a number of bytes");
    }
    json_bytes = bytes;
  }
  Choice choice;
  const auto choose = [&](const Asker& said) -> const ServedModel& {
    Asker asker = said;
    read_headers(asker, asked);
    choice = context.traffic.choose(asked.parameter("model"), asked.parameter("version"), asker);
    return *choice.version->model;
  };
  auto request = parse_inference(choose, asked.body, json_bytes, context.limits);
  const auto version = choice.version;
  version->metrics->parse.add(duration_cast<nanoseconds>(Clock::now() - begin));
  version->scheduler->submit(
      std::make_unique<InferenceJob>(context, std::move(choice), exchange, std::move(request)));
}

json tensors_json(const std::vector<TensorSpec>& specs) {
  json list = json::array();
  for (const TensorSpec& spec : specs) {
    list.push_back({{"name", spec.name}, {"datatype", spec.datatype}, {"shape", spec.shape}});
  }
  return list;
}

json metadata(ServingContext& context, const LoadedVersion& version) {
  json versions = json::array();
  const auto models = context.models.snapshot();
  const auto found = models.find(version.record.model);
  if (found != models.end()) {
    for (const auto& [number, state] : found->second.versions) {
      if (state.loaded) versions.push_back(std::to_string(number));
    }
  }
  const Signature& signature = version.model->signature();
  return {{"name", version.record.model},
          {"versions", versions},
          {"platform", "tandem"},
          {"inputs", tensors_json(signature.inputs())},
          {"outputs", tensors_json(signature.outputs())},
          {"parameters",
           {{"version", version.model->version_text()},
            {"algorithm", version.record.algorithm},
            {"signature", signature.to_json()}}}};
}

// As Triton describes a model to its clients. No batch dimension stands apart: shapes have it.
json configuration(const LoadedVersion& version) {
  const auto list = [](const std::vector<TensorSpec>& specs) {
    json tensors = json::array();
    for (const TensorSpec& spec : specs) {
      tensors.push_back(
          {{"name", spec.name},
           {"data_type", "TYPE_" + (spec.datatype == "BYTES" ? "STRING" : spec.datatype)},
           {"dims", spec.shape}});
    }
    return tensors;
  };
  const Signature& signature = version.model->signature();
  return {{"name", version.record.model},
          {"platform", "tandem"},
          {"backend", "tandem"},
          {"max_batch_size", 0},
          {"input", list(signature.inputs())},
          {"output", list(signature.outputs())}};
}

json duration_json(const DurationCount& counted) {
  return {{"count", counted.count.load()}, {"ns", counted.nanoseconds.load()}};
}

json statistics(const LoadedVersion& version) {
  const ModelMetrics& metrics = *version.metrics;
  json batches = json::array();
  for (const auto& [size, batch] : metrics.batches()) {
    batches.push_back({{"batch_size", size},
                       {"compute_infer", {{"count", batch.count}, {"ns", batch.nanoseconds}}}});
  }
  return {{"name", version.record.model},
          {"version", version.model->version_text()},
          {"last_inference", metrics.last_inference_ms.load()},
          {"inference_count", metrics.rows.value()},
          {"execution_count", metrics.executions.load()},
          {"inference_stats",
           {{"success", duration_json(metrics.success)},
            {"fail", duration_json(metrics.fail)},
            {"queue", duration_json(metrics.queue)},
            {"compute_input", duration_json(metrics.parse)},
            {"compute_infer", duration_json(metrics.predict)},
            {"compute_output", duration_json(metrics.write)}}},
          {"batch_stats", batches}};
}

http::Response empty_ok() { return {.status = 200, .content_type = {}, .headers = {}, .body = {}}; }

}  // namespace

void add_inference_routes(http::Router& router, ServingContext& context) {
  const auto inference = [&context](const ExchangePtr& exchange) { infer(context, exchange); };
  router.add("POST", "/v2/models/{model}/infer", Role::predict, inference);
  router.add("POST", "/v2/models/{model}/versions/{version}/infer", Role::predict, inference);

  router.add("GET", "/v2/health/live", Role::none,
             [](const ExchangePtr& exchange) { exchange->send(empty_ok()); });
  router.add("GET", "/v2/health/ready", Role::none, [&context](const ExchangePtr& exchange) {
    if (!context.models.all_ready()) {
      throw HttpError(503, "a model that is to be in production is not loaded");
    }
    exchange->send(empty_ok());
  });
  router.add("GET", "/v2", Role::predict, [](const ExchangePtr& exchange) {
    exchange->send(json_response(
        {{"name", "tandem"},
         {"version", TANDEM_VERSION},
         {"extensions",
          {"binary_tensor_data", "model_repository", "model_repository(unload_dependents)",
           "model_configuration", "statistics"}}}));
  });

  router.add("GET", "/v2/models/stats", Role::predict, [&context](const ExchangePtr& exchange) {
    json all = json::array();
    for (const auto& [name, model] : context.models.snapshot()) {
      for (const auto& [number, state] : model.versions) {
        if (state.loaded) all.push_back(statistics(*state.loaded));
      }
    }
    exchange->send(json_response({{"model_stats", all}}));
  });
  const auto add = [&](const std::string& end, const http::Handler& handler) {
    router.add("GET", "/v2/models/{model}" + end, Role::predict, handler);
    router.add("GET", "/v2/models/{model}/versions/{version}" + end, Role::predict, handler);
  };
  add("/ready", [&context](const ExchangePtr& exchange) {
    (void)version_of(context, exchange);
    exchange->send(empty_ok());
  });
  add("/config", [&context](const ExchangePtr& exchange) {
    exchange->send(json_response(configuration(*version_of(context, exchange))));
  });
  add("/stats", [&context](const ExchangePtr& exchange) {
    exchange->send(json_response(
        {{"model_stats", json::array({statistics(*version_of(context, exchange))})}}));
  });
  add("", [&context](const ExchangePtr& exchange) {
    exchange->send(json_response(metadata(context, *version_of(context, exchange))));
  });
}

void add_repository_routes(http::Router& router, ServingContext& context) {
  router.add("POST", "/v2/repository/index", Role::predict,
             [&context](const ExchangePtr& exchange) {
               const json asked = http::parse_object(exchange->request.body);
               const bool ready_only = asked.value("ready", false);
               json index = json::array();
               for (const auto& [name, model] : context.models.snapshot()) {
                 for (const auto& [number, state] : model.versions) {
                   if (ready_only && !state.loaded) continue;
                   index.push_back({{"name", name},
                                    {"version", std::to_string(number)},
                                    {"state", state.loaded ? "READY" : "UNAVAILABLE"},
                                    {"reason", state.problem}});
                 }
               }
               exchange->send(json_response(index));
             });
  const auto change = [&](const std::string& verb, void (ModelSet::*action)(const std::string&)) {
    router.add("POST", "/v2/repository/models/{model}/" + verb, Role::admin,
               [&context, action](const ExchangePtr& exchange) {
                 const std::string model(exchange->request.parameter("model"));
                 const json asked = http::parse_object(exchange->request.body);
                 const auto parameters = asked.find("parameters");
                 if (parameters != asked.end() && parameters->is_object() &&
                     parameters->contains("config")) {
                   throw HttpError(400,
                                   "the registry says what is loaded; parameters of a load are "
                                   "not taken");
                 }
                 context.background.answer(exchange, [&context, action, model] {
                   (context.models.*action)(model);
                   return empty_ok();
                 });
               });
  };
  change("load", &ModelSet::load);
  change("unload", &ModelSet::unload);
}

}  // namespace tandem::serving
